import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats.selectivity import (
    eta_squared,
    excess,
    resampled_eta_squared,
    shuffled_eta_squared,
    token_margin,
)
from oracles.selectivity import (
    epsilon_squared_twin,
    eta_squared_twin,
    resampled_eta_squared_twin,
    token_margin_twin,
)


def sample(seed, *, n_exemplars=30, n_units=4, n_tokens=3, batch=()):
    rng = np.random.default_rng(seed)
    token = np.concatenate([np.arange(n_tokens), rng.integers(0, n_tokens, n_exemplars - n_tokens)])
    activation = rng.standard_normal((*batch, n_exemplars, n_units)) + token[:, None]
    return activation, token


@given(st.integers(0, 10_000))
def test_equals_the_twin(seed):
    activation, token = sample(seed)
    twin = [eta_squared_twin(list(unit), list(token)) for unit in activation.T]
    assert_allclose(eta_squared(activation, token), twin, rtol=1e-10)


def test_batch_axes_lead():
    activation, token = sample(1, batch=(2, 3))
    value = eta_squared(activation, token)
    assert value.shape == (2, 3, 4)
    assert_allclose(value[1, 2], eta_squared(activation[1, 2], token), rtol=1e-10)


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_scale_offset_names_and_order_do_not_matter(seed, factor, offset):
    activation, token = sample(seed)
    rng = np.random.default_rng(seed)
    order, renamed = rng.permutation(len(token)), rng.permutation(7)[:3][token]
    value = eta_squared(activation, token)
    changed = eta_squared(-factor * activation[order] + offset, renamed[order])
    assert_allclose(changed, value, rtol=1e-8)  # an offset of 100 costs digits
    assert ((value >= 0) & (value <= 1)).all()


def test_is_one_when_tokens_explain_everything_and_zero_when_their_means_agree():
    token = np.repeat([0, 1, 2], 4)
    pure = np.array([5.0, -1.0, 2.0])[token]
    same_means = np.tile([1.0, -1.0, 3.0, -3.0], 3)
    assert_allclose(eta_squared(np.stack([pure, same_means], 1), token), [1, 0], atol=1e-12)


@pytest.mark.parametrize("constant", [0.0, 3.0, 1e-30, -1e8])
def test_unit_that_does_not_vary_is_nan_never_zero(constant):
    activation, token = sample(3)
    activation[:, 1] = constant
    tokens = np.stack([token, token[::-1]])
    for value in (
        eta_squared(activation, token),
        shuffled_eta_squared(activation, tokens)[0],
        resampled_eta_squared(activation, token, np.ones((1, 30)))[0],
    ):
        assert np.isnan(value).tolist() == [False, True, False, False]


def test_rounding_noise_on_a_constant_is_not_variance():
    activation, token = sample(3)
    activation[:, 0] = 1.0
    activation[::2, 0] += np.finfo(np.float32).eps
    assert np.isnan(eta_squared(activation, token)[0])


def test_rare_firing_is_variance():
    activation, token = sample(3)
    activation[:, 0] = 0.0
    activation[5, 0] = 1e-4
    assert np.isfinite(eta_squared(activation, token)[0])


@given(st.integers(0, 10_000))
def test_shuffles_equal_the_kernel_under_each_labelling(seed):
    activation, token = sample(seed)
    rng = np.random.default_rng(seed)
    tokens = np.stack([rng.permutation(token) for _ in range(5)])
    each = np.stack([eta_squared(activation, row) for row in tokens])
    # atol: the null is computed in single precision
    assert_allclose(shuffled_eta_squared(activation, tokens), each, rtol=1e-5, atol=1e-6)


def test_resamples_equal_the_twin_that_writes_exemplars_down_again():
    activation, token = sample(4)
    counts = np.random.default_rng(0).integers(0, 3, size=(6, 30)).astype(float)
    twin = [
        [resampled_eta_squared_twin(list(u), list(token), list(c)) for u in activation.T]
        for c in counts
    ]
    assert_allclose(resampled_eta_squared(activation, token, counts), twin, rtol=1e-5)


def test_resample_without_a_token_or_without_variance():
    activation, token = sample(5)
    lost, single = (token != 2).astype(float), np.zeros(30)
    single[7] = 30
    value = resampled_eta_squared(activation, token, np.stack([lost, single]))
    kept = token != 2
    assert_allclose(value[0], eta_squared(activation[kept], token[kept]), rtol=1e-5)
    assert np.isnan(value[1]).all()


def test_null_mean_is_tokens_less_one_over_exemplars_less_one():
    activation, token = sample(6, n_exemplars=60, n_units=200, n_tokens=5)
    rng = np.random.default_rng(0)
    tokens = np.stack([rng.permutation(token) for _ in range(200)])
    # rtol: 200 shuffles of 200 units estimate the mean to about 1 %
    assert_allclose(shuffled_eta_squared(activation, tokens).mean(), 4 / 59, rtol=0.03)


@given(st.integers(0, 10_000))
def test_excess_over_the_ungrouped_null_mean_is_epsilon_squared(seed):
    activation, token = sample(seed)
    twin = [epsilon_squared_twin(list(unit), list(token)) for unit in activation.T]
    value = eta_squared(activation, token)
    assert_allclose(excess(value, np.full_like(value, 2 / 29)), twin, rtol=1e-8, atol=1e-10)


def margins(answer, token, weights=None):
    weights = np.ones((1, len(token))) if weights is None else weights
    return token_margin(answer, token[None], weights, int(token.max()) + 1)


@given(st.integers(0, 10_000))
def test_margin_equals_the_twin(seed):
    _, token = sample(seed)
    answer = np.random.default_rng(seed).integers(0, 3, (2, 30))
    twin = [[[token_margin_twin(list(a), list(token), name) for name in range(3)]] for a in answer]
    assert_allclose(margins(answer, token), twin, atol=1e-12)


def test_margin_of_one_answer_to_everything_is_zero_and_of_right_answers_is_large():
    token = np.repeat([0, 1, 2], 10)
    assert_allclose(margins(np.zeros(30, dtype=int), token), 0, atol=1e-12)
    assert_allclose(margins(token, token), 2 / 3)


def test_margin_of_weights_is_that_of_exemplars_written_down_again():
    token = np.repeat([0, 1, 2], 10)
    rng = np.random.default_rng(0)
    answer, counts = rng.integers(0, 3, 30), rng.integers(0, 3, 30)
    counts[token == 2] = 0
    drawn = np.repeat(np.arange(30), counts)
    value = margins(answer, token, counts[None].astype(float))[0]
    again = margins(answer[drawn], token[drawn])[0]
    assert_allclose(value[:2], again, rtol=1e-10)
    assert np.isnan(value[2])
