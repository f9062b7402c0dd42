"""Bad input in one table: every kernel answers NaN or a clear error, never a plausible number.

Faults are put into the middle one of three steps, so that the others must come out unharmed. Where
a fault does have an answer (the distance of two copies is 0), the table says so and the answer is
compared with that of the same definition without the fault.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.stats import cka, collapse, dimension, embedding, lives, mapquality, rdm, rsa
from ontogeny.stats.groups import group_permutations, grouped_folds

N, P, C = 36, 5, 3
TOKEN = np.arange(N) % C
FOLD = np.arange(N) // C % 2
STEPS = np.array([0, 1, 2])
Kernel = Callable[[np.ndarray], np.ndarray]


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def clean(seed: int = 0) -> np.ndarray:
    """Three steps of exemplars that differ by token."""
    draws = np.random.default_rng(seed)
    return draws.normal(size=(3, N, P)) + 2 * draws.normal(size=(C, P))[TOKEN]


def by_step(kernel: Kernel) -> Kernel:
    """Apply a kernel without batch axes to every step."""
    return lambda x: np.stack([np.asarray(kernel(step)) for step in x])


def against(kernel: Callable[[list[np.ndarray]], np.ndarray]) -> Kernel:
    """Compare every step with one and the same sound representation."""
    sound = clean(9)[0]
    return by_step(lambda x: kernel([x, sound])[0, 1])


def correlations(kernel: Callable[[np.ndarray], np.ndarray]) -> Kernel:
    return lambda x: kernel(rsa.upper_triangle(rdm.squared_euclidean_rdm(x)))


@np.errstate(invalid="ignore")
def means_of(x: np.ndarray) -> np.ndarray:
    return rdm.token_means(x, TOKEN, C)


MODEL = rsa.upper_triangle(rsa.identity_rdm(TOKEN))
OTHER = np.random.default_rng(5).random(len(MODEL))
FRAMES = np.random.default_rng(6).normal(size=(3, N, 2))

OF_PATTERNS: dict[str, Kernel] = {
    "squared_euclidean_rdm": rdm.squared_euclidean_rdm,
    "correlation_rdm": rdm.correlation_rdm,
    "noise_precision": lambda x: rdm.noise_precision(x, TOKEN, C),
    "crossnobis_rdm": lambda x: rdm.crossnobis_rdm(rdm.fold_means(x, TOKEN, FOLD, C)),
    "rank_correlation": correlations(lambda d: rsa.rank_correlation(d, MODEL[None])),
    "partial_rank_correlation": correlations(
        lambda d: rsa.partial_rank_correlation(d, MODEL, OTHER[None])
    ),
    "noise_ceiling": correlations(
        lambda d: np.stack(rsa.noise_ceiling(np.stack([d, d + OTHER], axis=1)), axis=1)
    ),
    "participation_ratio": dimension.participation_ratio,
    "participation_ratio, plain": lambda x: dimension.participation_ratio(x, corrected=False),
    "neighbour_distances": lambda x: dimension.neighbour_distances(x, 2),
    "two_nn": dimension.two_nn,
    "gride": lambda x: dimension.gride(x, [1, 2]),
    "cka_matrix": against(cka.cka_matrix),
    "within_token_cka": against(lambda pair: cka.within_token_cka(pair, TOKEN, C)),
    "procrustes_distance": by_step(lambda x: cka.procrustes_distance(x, clean(9)[0])),
    "separation_fuzziness": lambda x: collapse.separation_fuzziness(x, TOKEN, C),
    "variability_collapse": lambda x: collapse.variability_collapse(x, TOKEN, C),
    "cdnv": lambda x: collapse.cdnv(x, TOKEN, C),
    "equinorm": lambda x: collapse.equinorm(collapse.centred_means(means_of(x))),
    "equiangularity": lambda x: collapse.equiangularity(collapse.centred_means(means_of(x))),
    "self_duality": lambda x: collapse.self_duality(
        np.tile(np.eye(C, P) - 1 / 3, (3, 1, 1)), means_of(x)
    ),
    "nearest_mean_disagreement": lambda x: collapse.nearest_mean_disagreement(
        x, means_of(x), np.broadcast_to(TOKEN, x.shape[:2])
    ),
    "centre_distance": lambda x: lives.centre_distance(x, TOKEN, C),
    "unit_radius": mapquality.unit_radius,
    "map_quality": lambda x: np.stack(mapquality.map_quality(x, FRAMES), axis=1),
    "pca_map": embedding.pca_map,
    "mds_map": lambda x: embedding.mds_map(x, iterations=2),
    "neighbour_map": lambda x: embedding.neighbour_map(x, neighbours=5, iterations=2),
}

ROWS_ONLY = {"squared_euclidean_rdm", "correlation_rdm"}
"""NaN in one exemplar leaves the distances of the others; all else loses the step."""
ZERO_IN_TRUTH = {"squared_euclidean_rdm", "crossnobis_rdm", "neighbour_distances"}
"""Distances in a layer without variation are 0; everything else is unknown."""


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", OF_PATTERNS)
def test_one_bad_value_is_nan_and_harms_no_other_step(name: str, bad: float, dtype: type) -> None:
    x = clean().astype(dtype)
    sound = OF_PATTERNS[name](x.copy())
    x[1, 4, 2] = bad
    found = OF_PATTERNS[name](x)
    if name in ROWS_ONLY:
        assert np.isnan(found[1][4]).all()
        rest = np.delete(np.delete(found[1], 4, axis=0), 4, axis=1)
        desired = np.delete(np.delete(sound[1], 4, axis=0), 4, axis=1)
        assert_allclose(rest, desired, rtol=1e-5, atol=1e-12)  # single: another mean is taken out
    else:
        assert np.isnan(found[1]).all()
    if not name.endswith("_map"):  # frames of a map are fitted together
        assert_allclose(found[[0, 2]], sound[[0, 2]], rtol=1e-10)
    assert np.isfinite(found[[0, 2]]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
@pytest.mark.parametrize("name", OF_PATTERNS)
def test_a_layer_without_variation_is_nan_or_zero(name: str, value: float, dtype: type) -> None:
    x = clean().astype(dtype)
    x[1] = value
    found = OF_PATTERNS[name](x)[1]
    if name in ZERO_IN_TRUTH:
        assert_allclose(found, 0, atol=1e-12 * max(value, 1) ** 2)
    else:
        assert np.isnan(found).all()


@pytest.mark.parametrize("name", ["equinorm", "equiangularity", "self_duality", "cdnv",
                                  "nearest_mean_disagreement", "separation_fuzziness"])  # fmt: skip
def test_tokens_with_the_same_mean_have_no_geometry(name: str) -> None:
    """Every token holds the same twelve patterns: what is left of its mean is rounding."""
    x = clean()
    x[1] = 100 + x[1, :12][np.arange(N) // C]
    assert np.isnan(OF_PATTERNS[name](x)[1]).all()


@pytest.mark.parametrize("name", ["noise_precision", "centre_distance"])
def test_tokens_of_one_point_have_no_spread_to_measure_in(name: str) -> None:
    x = clean()
    x[1] = x[1, :C][TOKEN]
    assert np.isnan(OF_PATTERNS[name](x)[1]).all()


@pytest.mark.parametrize("name", ["two_nn", "gride"])
def test_copies_of_exemplars_do_not_count_as_neighbours(name: str) -> None:
    x = clean()
    x[1, 18:] = x[1, :18]
    for dtype in (np.float32, np.float64):
        copied = OF_PATTERNS[name](x.astype(dtype))[1]
        assert_allclose(copied, OF_PATTERNS[name](x[:, :18].astype(dtype))[1], rtol=1e-6)
    x[1] = x[1, :6][np.arange(N) % 6]
    assert np.isnan(OF_PATTERNS[name](x)[1]).all()


def few(n: int, n_units: int = 40) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(n, n_units))


FEW: dict[str, Callable[[], object]] = {
    "a plain covariance of fewer exemplars than units": lambda: rdm.noise_precision(
        few(9), np.arange(9) % 3, 3, shrinkage=False
    ),
    "one exemplar a token": lambda: collapse.separation_fuzziness(few(3), np.arange(3), 3),
    "one exemplar a token, two by two": lambda: collapse.cdnv(few(3), np.arange(3), 3),
    "two exemplars a token": lambda: lives.centre_distance(few(6), np.arange(6) % 3, 3),
    "three exemplars": lambda: cka.cka_matrix([few(3), few(3)]),
    "three exemplars a token": lambda: cka.within_token_cka([few(9)] * 2, np.arange(9) % 3, 3),
    "a variance of three": lambda: dimension.participation_ratio(few(3)),
    "nine neighbours": lambda: dimension.two_nn(few(9)),
    "one fold": lambda: rdm.crossnobis_rdm(few(3)[None]),
    "a token in one fold only": lambda: rdm.crossnobis_rdm(
        rdm.fold_means(few(3), np.array([0, 0, 1]), np.array([0, 1, 0]), 2)
    )[0, 1],
    "two pairs": lambda: rsa.rank_correlation(np.ones((1, 2)), np.ones((1, 2))),
    "one seed": lambda: np.stack(rsa.noise_ceiling(np.random.default_rng(0).random((1, 6)))),
    "one token, fuzziness": lambda: collapse.separation_fuzziness(few(9), np.zeros(9, int), 1),
    "one token, NC1": lambda: collapse.variability_collapse(few(9), np.zeros(9, int), 1),
    "one token, CDNV": lambda: collapse.cdnv(few(9), np.zeros(9, int), 1),
    "one token, CDNV's null": lambda: collapse.cdnv_null(np.array([9])),
    "one token, lengths": lambda: collapse.equinorm(collapse.centred_means(few(1))),
    "one token, angles": lambda: collapse.equiangularity(few(1)),
    "one token, NC3": lambda: collapse.self_duality(few(1), few(1)),
    "one token, NC4": lambda: collapse.nearest_mean_disagreement(few(9), few(1), np.zeros(9, int)),
    "one token, the model": lambda: rsa.rank_correlation(
        np.random.default_rng(0).random((1, 36)),
        rsa.upper_triangle(rsa.identity_rdm(np.zeros(9, int)))[None],
    ),
    "two layers, the law": lambda: collapse.separation_law(np.array([2.0, 1.0])),
    "never right": lambda: lives.first_learnt(np.array([[1, 1]]), np.array([0, 0]), STEPS[:1]),
    "nothing to forget": lambda: lives.forgetting_events(np.array([[1, 1]]), np.array([0, 0])),
}


@pytest.mark.parametrize("name", FEW)
def test_too_little_of_anything_is_nan(name: str) -> None:
    assert np.isnan(np.asarray(FEW[name]())).all()


def test_one_step_has_maps_lives_and_no_motion() -> None:
    x = clean()[:1]
    for kind in (embedding.pca_map, embedding.mds_map, embedding.neighbour_map):
        frames = kind(x)
        assert np.isfinite(frames).all()
        assert all(len(values) == 0 for values in mapquality.map_motion(x, frames))
    predicted = TOKEN[None].copy()
    assert_allclose(lives.first_learnt(predicted, TOKEN, STEPS[:1]), 0)
    assert_allclose(lives.flips(predicted), 0)


REFUSED: dict[str, tuple[str, Callable[[], object]]] = {
    "a token without a name": (
        r"token indices from 0 to 1, got 0 to 2: number the tokens",
        lambda: collapse.separation_fuzziness(few(N), TOKEN, 2),
    ),
    "a negative token": (
        r"token indices from 0 to 2, got -1 to 1",
        lambda: lives.confusion(TOKEN[None], TOKEN - 1, C),
    ),
    "NC1": (r"from 0 to 1, got", lambda: collapse.variability_collapse(few(N), TOKEN, 2)),
    "CDNV": (r"from 0 to 1, got", lambda: collapse.cdnv(few(N), TOKEN, 2)),
    "centres": (r"from 0 to 1, got", lambda: lives.centre_distance(few(N), TOKEN, 2)),
    "precision": (r"from 0 to 1, got", lambda: rdm.noise_precision(few(N), TOKEN, 2)),
    "folds of tokens": (r"from 0 to 1, got", lambda: rdm.fold_means(few(N), TOKEN, FOLD, 2)),
    "alignment within": (
        r"from 0 to 1, got",
        lambda: cka.within_token_cka([few(N)] * 2, TOKEN, 2),
    ),
    "other exemplars": (
        r"representations of the same exemplars, got \[5, 9\]",
        lambda: cka.cka_matrix([few(5), few(9)]),
    ),
    "one group": (
        r"two groups of equal size",
        lambda: group_permutations(np.zeros(4, int), n_permutations=2, rng=rng()),
    ),
    "fewer groups than folds": (
        r"as many as there are groups \(1\)",
        lambda: grouped_folds(np.zeros(4, int), np.zeros(4, int), n_folds=2, rng=rng()),
    ),
    "two exemplars to map": (
        r"at least 3 exemplars for this map, got 2",
        lambda: embedding.mds_map(few(2)[None]),
    ),
    "fewer exemplars than neighbours": (
        r"at least 17 exemplars for this map, got 9",
        lambda: embedding.neighbour_map(few(9)[None]),
    ),
    "a map of fewer than its neighbours": (
        r"expected 1 <= neighbours < half",
        lambda: mapquality.map_quality(few(9)[None], few(9, 2)[None]),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused_with_a_reason(name: str) -> None:
    match, act = REFUSED[name]
    with pytest.raises(InputError, match=match):
        act()
