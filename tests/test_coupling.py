"""Couplings against ablation, explicit group means and explicit patches, on random layers."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles.couplings import (
    naive_contrast,
    naive_coupling,
    naive_source_contributions,
    naive_token_signal,
)

torch = pytest.importorskip("torch")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from ontogeny.coupling import (  # noqa: E402
    ConvolutionMap,
    DenseMap,
    InputMoments,
    LayerMoments,
    Scratch,
    Spread,
)

pytestmark = pytest.mark.torch
N, TOKENS = 23, 3

LAYERS = {
    "plain": {"kernel_size": 3, "padding": 1},
    "no bias": {"kernel_size": 3, "padding": 1, "bias": False},
    "stride": {"kernel_size": 3, "stride": 2},
    "uneven": {"kernel_size": (2, 3), "stride": (1, 2), "padding": (0, 2)},
    "dilation": {"kernel_size": 3, "padding": 2, "dilation": 2},
    "left over columns": {"kernel_size": 2, "stride": 3, "padding": 1},
    "groups": {"kernel_size": 3, "padding": 1, "groups": 2},
    "same": {"kernel_size": (3, 5), "padding": "same"},
    "circular": {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
    "one by one": {"kernel_size": 1},
}


def convolution(case, sources=4, targets=6, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Conv2d(sources, targets, **LAYERS[case]).double()


def exemplars(shape=(4, 7, 8), seed=1):
    """Inputs whose mean depends on the token, and their tokens, sorted, of unequal counts."""
    rng = np.random.default_rng(seed)
    token = np.sort(np.r_[np.arange(TOKENS), rng.integers(0, TOKENS, N - TOKENS)])
    x = rng.normal(size=(N, *shape)) + rng.normal(size=(TOKENS, *shape))[token] + 2
    return torch.as_tensor(np.maximum(x, 0)), token


def segments(token):
    cuts = [0, *(np.flatnonzero(np.diff(token)) + 1), len(token)]
    return [(int(token[a]), int(a), int(b)) for a, b in itertools.pairwise(cuts)]


def gathered(layer, x, token, *, chunk=N, sign=None, first=False):
    """Return the couplings of one layer, fed in chunks."""
    with torch.inference_mode():
        moments = InputMoments(layer, TOKENS) if first else LayerMoments(layer, TOKENS, Scratch())
        for start in range(0, len(x), chunk):
            rows = slice(start, start + chunk)
            if first:
                moments.add(layer, x[rows], segments(token[rows]))
            else:
                moments.add(x[rows], layer.module(x[rows]), segments(token[rows]))
        return moments.result(layer, sign) if first else moments.result(sign)


def own_sources(full, groups):
    """Keep of [target, source, ...] the sources that a target is wired to."""
    blocks = np.split(full, groups, axis=0)
    return np.concatenate([np.split(b, groups, axis=1)[g] for g, b in enumerate(blocks)])


def assert_equals_twins(coupling, contributions, token, *, groups=1, rtol=1e-10, atol=1e-12):
    twins = {
        "share": naive_coupling(contributions),
        "token_signal": naive_token_signal(contributions, token),
        "contrast": naive_contrast(contributions, token),
    }
    for name, twin in twins.items():
        actual = getattr(coupling, name).numpy()
        assert_allclose(actual, own_sources(twin, groups), rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("first", [False, True], ids=["moments", "gram"])
@pytest.mark.parametrize("chunk", [N, 7])
@pytest.mark.parametrize("case", LAYERS)
def test_convolution_equals_ablation(case, chunk, first):
    module, (x, token) = convolution(case), exemplars()
    contributions = naive_source_contributions(module, x, 4)
    coupling = gathered(ConvolutionMap(module), x, token, chunk=chunk, first=first)
    assert_equals_twins(coupling, contributions, token, groups=module.groups)
    assert_allclose(coupling.share.sum(1), 1, rtol=1e-10)


@pytest.mark.parametrize("first", [False, True], ids=["moments", "gram"])
@pytest.mark.parametrize("shape", [(12,), (5, 12)], ids=["flat", "with positions"])
@pytest.mark.parametrize("n_sources", [12, 4])
def test_dense_layer_equals_ablation(n_sources, shape, first):
    torch.manual_seed(0)
    module, (x, token) = torch.nn.Linear(12, 5).double(), exemplars(shape)
    contributions = naive_source_contributions(module, x, n_sources)
    coupling = gathered(DenseMap(module, n_sources), x, token, chunk=8, first=first)
    assert_equals_twins(coupling, contributions, token)


@pytest.mark.parametrize("first", [False, True], ids=["moments", "gram"])
def test_channels_last_float32_equals_ablation_to_1e_5(first):
    module, (x, token) = convolution("plain"), exemplars()
    contributions = naive_source_contributions(module, x, 4)
    last = torch.channels_last
    module, x = module.float().to(memory_format=last), x.float().contiguous(memory_format=last)
    coupling = gathered(ConvolutionMap(module), x, token, chunk=5, first=first)
    assert coupling.share.dtype == torch.float32
    assert_equals_twins(coupling, contributions, token, rtol=1e-5, atol=1e-5)


def test_row_of_token_signal_sums_to_eta_squared():
    module, (x, token) = convolution("plain"), exemplars()
    coupling = gathered(ConvolutionMap(module), x, token)
    z = module(x).detach().numpy()
    for j in range(z.shape[1]):
        means = np.array([z[token == c, j].mean() for c in range(TOKENS)])
        weights = np.bincount(token) / len(token)
        eta = weights @ (means - z[:, j].mean()) ** 2 / z[:, j].var()
        assert_allclose(coupling.token_signal[j].sum(), eta, rtol=1e-10)


def test_row_of_contrast_sums_to_d_over_the_sum_of_absolute_terms():
    module, (x, token) = convolution("plain"), exemplars()
    contributions = naive_source_contributions(module, x, 4)
    coupling = gathered(ConvolutionMap(module), x, token)
    z = contributions.sum(axis=0)
    for c in range(TOKENS):
        d = z[token == c].mean((0, 2, 3)) - z[token != c].mean((0, 2, 3))
        terms = contributions[:, token == c].mean((1, 3, 4))
        terms = terms - contributions[:, token != c].mean((1, 3, 4))
        assert_allclose(coupling.contrast[:, :, c].sum(1), d / np.abs(terms).sum(0), rtol=1e-9)
    assert_allclose(coupling.contrast.abs().sum(1), 1, rtol=1e-10)


def test_independent_sources_share_by_their_variance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4096, 3)) * [1.0, 2.0, 3.0]
    x -= x.mean(axis=0)
    x = torch.as_tensor(np.linalg.qr(x)[0] * [1.0, 2.0, 3.0])  # exactly uncorrelated
    module = torch.nn.Linear(3, 1).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[2.0, -1.0, 0.5]]))
    coupling = gathered(DenseMap(module, 3), x, np.zeros(4096, dtype=int))
    parts = np.array([2.0, -1.0, 0.5]) ** 2 * np.array([1.0, 4.0, 9.0])
    assert_allclose(coupling.share[0], parts / parts.sum(), rtol=1e-10)


def test_adjacent_zero_ablation_changes_z_by_exactly_minus_z_ij():
    module, (x, _) = convolution("plain"), exemplars()
    contributions = naive_source_contributions(module, x, 4)
    for i in range(4):
        without = x.clone()
        without[:, i] = 0
        change = (module(without) - module(x)).detach().numpy()
        assert_allclose(change, -contributions[i], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("first", [False, True], ids=["moments", "gram"])
@pytest.mark.parametrize("bias", [0.0, 0.1, -1e4])
def test_dead_targets_have_no_shares(bias, first):
    module, (x, token) = convolution("plain"), exemplars()
    module = module.float()
    with torch.no_grad():
        module.weight[2] = 0
        module.bias[2] = bias
    coupling = gathered(ConvolutionMap(module), x.float(), token, chunk=4, first=first)
    for values in (coupling.share, coupling.token_signal, coupling.contrast):
        assert values[2].isnan().all()
        assert not values[[0, 1, 3, 4, 5]].isnan().any()


@pytest.mark.parametrize("first", [False, True], ids=["moments", "gram"])
def test_rounding_is_no_variance(first):
    torch.manual_seed(0)
    module = torch.nn.Conv2d(4, 6, 3)
    x = torch.tensor([0.1, 0.7, 1 / 3, 1e3]).view(1, 4, 1, 1).expand(500, 4, 7, 8).contiguous()
    token = np.repeat(np.arange(TOKENS), [100, 150, 250])
    coupling = gathered(ConvolutionMap(module), x, token, chunk=33, first=first)
    for values in (coupling.share, coupling.token_signal, coupling.contrast):
        assert values.isnan().all()


def test_dead_sources_leave_no_shares():
    module, (x, token) = convolution("plain"), exemplars()
    coupling = gathered(ConvolutionMap(module), torch.zeros_like(x), token, chunk=4)
    assert coupling.share.isnan().all()
    assert coupling.contrast.isnan().all()


def test_negative_batch_norm_scale_turns_the_contrast_only_and_zero_kills():
    module, (x, token) = convolution("plain"), exemplars()
    plain = gathered(ConvolutionMap(module), x, token)
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0, 0.0, 1.0], dtype=torch.float64)
    turned = gathered(ConvolutionMap(module), x, token, sign=sign)
    alive = sign != 0
    assert_allclose(turned.share[alive], plain.share[alive], rtol=1e-12)
    assert_allclose(turned.token_signal[alive], plain.token_signal[alive], rtol=1e-12)
    assert_allclose(
        turned.contrast[alive], (plain.contrast * sign[:, None, None])[alive], rtol=1e-12
    )
    assert turned.share[4].isnan().all()


def test_absent_token_and_lone_token_have_no_contrast():
    module, (x, token) = convolution("plain"), exemplars()
    without = gathered(ConvolutionMap(module), x[token != 1], token[token != 1])
    assert without.contrast[:, :, 1].isnan().all()
    assert not without.contrast[:, :, [0, 2]].isnan().any()
    lone = gathered(ConvolutionMap(module), x, np.full(N, 2))
    assert lone.contrast.isnan().all()
    assert_allclose(lone.token_signal, 0, atol=1e-15)


def test_large_mean_and_small_variance_of_images_lose_no_digits():
    module, (x, token) = convolution("plain"), exemplars()
    shifted = 1000 + 0.01 * x
    module.padding, module._reversed_padding_repeated_twice = (0, 0), [0] * 4
    shares = naive_coupling(naive_source_contributions(module, shifted, 4))
    coupling = gathered(ConvolutionMap(module), shifted, token, first=True)
    assert_allclose(coupling.share, shares, rtol=1e-8, atol=1e-10)


@settings(max_examples=25)
@given(
    scale=st.floats(0.01, 100), offset=st.floats(-10, 10), seed=st.integers(0, 99),
    case=st.sampled_from(sorted(LAYERS)), chunk=st.integers(1, N),
)  # fmt: skip
def test_shares_are_invariant_to_scale_bias_and_chunks(scale, offset, seed, case, chunk):
    module, (x, token) = convolution(case, seed=seed), exemplars(seed=seed)
    before = gathered(ConvolutionMap(module), x, token)
    with torch.no_grad():
        module.weight.mul_(scale)
        if module.bias is not None:
            module.bias.add_(offset)
    after = gathered(ConvolutionMap(module), x, token, chunk=chunk)
    for name in ("share", "token_signal", "contrast"):
        assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-7, atol=1e-9)


@settings(max_examples=25)
@given(offset=st.floats(-1e6, 1e6), chunk=st.integers(1, N), seed=st.integers(0, 99))
def test_spread_merges_exactly(offset, chunk, seed):
    values = np.random.default_rng(seed).normal(offset, 1, (N, 4, 3, 2))
    spread = Spread()
    for start in range(0, N, chunk):
        part = torch.as_tensor(values[start : start + chunk])
        shifted = part - spread.shift(part, 1)
        spread.add(shifted.mean((2, 3)), shifted.square().mean((2, 3)), 6)
    assert_allclose(spread.mean, values.mean((0, 2, 3)), rtol=1e-10)
    assert_allclose(spread.variance, values.var((0, 2, 3)), rtol=1e-8)


def test_many_positions_lose_no_digits_in_float32():
    torch.manual_seed(0)
    module, x = torch.nn.Conv2d(8, 8, 3, padding=1), torch.rand(80, 8, 32, 32)
    last, token = torch.channels_last, np.repeat(np.arange(TOKENS), [20, 30, 30])
    module, x = module.to(memory_format=last), x.contiguous(memory_format=last)
    coupling = gathered(ConvolutionMap(module), x, token)
    twin = gathered(ConvolutionMap(module.double()), x.double(), token)
    assert_allclose(coupling.share, twin.share, rtol=1e-5, atol=1e-5)
    assert_allclose(coupling.token_signal, twin.token_signal, rtol=1e-3, atol=1e-8)
