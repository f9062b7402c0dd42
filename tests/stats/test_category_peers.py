"""Agreement of the kernels of category structure with independent packages.

Needs the dependency group `peers`: rsatoolbox 0.3.2, pytorch-cka 1.1.3, scikit-dimension 0.5.0.
What they do otherwise is stated at each test.
"""

import importlib
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.stats import cka, dimension, rdm
from ontogeny.stats.groups import grouped_folds

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # the peers' own; ours fail in their own tests
]


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture
def rsatoolbox():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own import
        return importlib.import_module("rsatoolbox")


@pytest.fixture
def skdim():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("skdim")


def test_distances_agree_with_rsatoolbox(rsatoolbox) -> None:
    x = patterns_of(0, 12, 6) + 2
    data = rsatoolbox.data.Dataset(x)
    for actual, method in (
        (rdm.squared_euclidean_rdm(x), "euclidean"),
        (rdm.correlation_rdm(x), "correlation"),
    ):
        peer = rsatoolbox.rdm.calc_rdm(data, method=method)
        assert_allclose(rdm.upper_triangle(actual), peer.get_vectors()[0], rtol=1e-9)


def test_token_distances_agree_with_rsatoolbox(rsatoolbox) -> None:
    token = np.arange(40) % 4
    x = patterns_of(2, 40, 6) + patterns_of(3, 4, 6)[token]
    data = rsatoolbox.data.Dataset(x, obs_descriptors={"token": token})
    peer = rsatoolbox.rdm.calc_rdm(data, method="euclidean", descriptor="token")
    actual = rdm.squared_euclidean_rdm(rdm.token_means(x, token, 4))
    assert_allclose(rdm.upper_triangle(actual), peer.get_vectors()[0], rtol=1e-10)


def test_crossnobis_agrees_with_rsatoolbox_in_balanced_folds(rsatoolbox) -> None:
    token = np.arange(48) % 4
    fold = grouped_folds(token, np.arange(48), n_folds=3, rng=np.random.default_rng(0))
    x, raw = patterns_of(4, 48, 5), patterns_of(5, 5, 5)
    precision = raw @ raw.T
    data = rsatoolbox.data.Dataset(x, obs_descriptors={"token": token, "fold": fold})
    for noise in (None, precision):
        peer = rsatoolbox.rdm.calc_rdm(
            data, method="crossnobis", descriptor="token", cv_descriptor="fold", noise=noise
        )
        actual = rdm.crossnobis_rdm(rdm.fold_means(x, token, fold, 4), noise)
        assert_allclose(rdm.upper_triangle(actual), peer.get_vectors()[0], rtol=1e-9, atol=1e-12)


def test_noise_precision_agrees_with_rsatoolbox(rsatoolbox) -> None:
    token = np.arange(400) % 4
    x = patterns_of(6, 400, 8) @ patterns_of(7, 8, 8)
    residuals = x - rdm.token_means(x, token, 4)[token]
    peer = rsatoolbox.data.noise.prec_from_residuals(residuals, dof=396, method="full")
    actual = rdm.noise_precision(x, token, 4, shrinkage=False)
    assert_allclose(actual, peer, rtol=1e-8)
    shrunk = rsatoolbox.data.noise.prec_from_residuals(residuals, dof=396, method="shrinkage_diag")
    # looser: the peer has n - 1 where Schäfer and Strimmer have n
    assert_allclose(rdm.noise_precision(x, token, 4), shrunk, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("ours", "peer"), [("spearman", "spearman"), ("rho_a", "rho-a")])
def test_comparison_and_ceiling_agree_with_rsatoolbox(rsatoolbox, ours: str, peer: str) -> None:
    rng = np.random.default_rng(8)
    base = rng.normal(size=45)
    rdms = np.abs(base + 0.5 * rng.normal(size=(6, 45)))
    models = np.round(rdms[:3] * 2)  # with ties
    container, other = (rsatoolbox.rdm.RDMs(v) for v in (rdms, models))
    desired = rsatoolbox.rdm.compare(container, other, method=peer)
    assert_allclose(rdm.rank_correlation(rdms, models, comparison=ours), desired, rtol=1e-9)
    bounds = rsatoolbox.inference.noise_ceiling.boot_noise_ceiling(container, method=peer)
    assert_allclose(rdm.noise_ceiling(rdms, comparison=ours), bounds, rtol=1e-6)


def test_cka_agrees_with_pytorch_cka() -> None:
    """The peer clips to 0 to 1 what the debiased estimate leaves below 0."""
    peer = importlib.import_module("cka")
    torch = importlib.import_module("torch")
    shared = patterns_of(9, 60, 4)
    parts = [
        shared @ patterns_of(k, 4, w) + patterns_of(20 + k, 60, w) for k, w in enumerate((5, 90))
    ]
    parts.append(patterns_of(10, 60, 30))
    tensors = [torch.from_numpy(x) for x in parts]
    desired = peer.cka_from_features(tensors, tensors).numpy()
    assert_allclose(np.clip(cka.cka_matrix(parts), 0, 1), desired, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_units", [6, 40])
def test_neighbour_dimensions_agree_with_scikit_dimension(skdim, n_units: int) -> None:
    x = np.random.default_rng(11).random((300, 4)) @ patterns_of(12, 4, n_units)
    peer = skdim.id.TwoNN(method="mle", discard_fraction=0).fit(x).dimension_
    assert_allclose(dimension.two_nn(x), peer, rtol=1e-8)
    default = skdim.id.TwoNN().fit(x).dimension_
    # looser: by default the peer discards the 10 % largest ratios and fits a line
    assert_allclose(dimension.two_nn(x), default, rtol=0.15)
    scales = [1, 2, 4, 8]
    multi = skdim.id.GRIDE(multiscale=True, range_max=16).fit(x).dimension_scales_
    # looser: the peer discards ratios far above the median
    assert_allclose(dimension.gride(x, scales), multi, rtol=0.02)
    assert_allclose(dimension.gride(x, scales)[1:], multi[1:], rtol=1e-6)


def test_plain_participation_ratio_agrees_with_scikit_dimension(skdim) -> None:
    x = patterns_of(13, 100, 10) * np.arange(1, 11)
    peer = skdim.id.lPCA(ver="participation_ratio").fit(x).dimension_
    assert_allclose(dimension.participation_ratio(x, corrected=False), peer, rtol=1e-9)
