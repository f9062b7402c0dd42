import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats.permutation import (
    corrected_threshold,
    group_blocks,
    group_resamples,
    p_value,
    shuffled_tokens,
    upper_quantile,
)
from oracles.selectivity import corrected_threshold_twin, upper_quantile_twin


def labels(seed, *, n_groups=12, n_tokens=3):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 4, n_groups)
    group = np.repeat(rng.permutation(100)[:n_groups], size)
    token = np.repeat(np.arange(n_groups) % n_tokens, size)
    return token, group


@given(st.integers(0, 10_000))
def test_groups_are_never_split_and_keep_their_number_per_token(seed):
    token, group = labels(seed)
    dealt = shuffled_tokens(token, group, n_shuffles=9, rng=np.random.default_rng(seed))
    for row in dealt:
        tokens = [set(row[group == g]) for g in np.unique(group)]
        assert all(len(t) == 1 for t in tokens)
        assert sorted(t.pop() for t in tokens) == sorted(np.arange(12) % 3)


def test_every_labelling_of_groups_is_as_likely():
    token, group = np.array([0, 0, 1, 2]), np.array([7, 7, 8, 9])
    dealt = shuffled_tokens(token, group, n_shuffles=6000, rng=np.random.default_rng(0))
    _, counts = np.unique(dealt, axis=0, return_counts=True)
    assert len(counts) == 6
    assert_allclose(counts / 6000, 1 / 6, atol=0.02)  # four standard errors


def test_same_seed_same_shuffles():
    token, group = labels(0)
    first, again = (
        shuffled_tokens(token, group, n_shuffles=3, rng=np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(first, again)


def test_group_under_two_tokens_counts_as_a_block_of_each():
    block, token_of_block = group_blocks(np.array([0, 0, 1, 1]), np.array([4, 4, 4, 5]))
    assert block.tolist() == [0, 0, 1, 2]
    assert token_of_block.tolist() == [0, 1, 1]


def test_groups_may_have_names():
    block, _ = group_blocks(np.array([0, 0, 1]), np.array(["b", "b", "a"]))
    assert block.tolist() == [1, 1, 0]


@given(st.integers(0, 10_000))
def test_resamples_draw_whole_groups_and_keep_their_number_per_token(seed):
    token, group = labels(seed)
    weights = group_resamples(token, group, n_resamples=5, rng=np.random.default_rng(seed))
    _, first, block = np.unique(group, return_index=True, return_inverse=True)
    drawn = weights[:, first]
    assert_allclose(weights, drawn[:, block])
    for name in range(3):
        assert (drawn[:, token[first] == name].sum(axis=1) == 4).all()


@given(st.integers(1, 60), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_upper_quantile_equals_the_twin(n_shuffles, level):
    null = np.random.default_rng(n_shuffles).standard_normal((n_shuffles, 2))
    twin = [upper_quantile_twin(list(column), level) for column in null.T]
    assert_allclose(upper_quantile(null, level), twin)


def test_too_few_shuffles_give_no_finite_bound_and_nan_stays():
    null = np.stack([np.arange(10.0), np.full(10, np.nan)], axis=1)
    assert upper_quantile(null, 0.95)[0] == np.inf
    assert np.isnan(upper_quantile(null, 0.95)[1])
    assert np.isnan(upper_quantile(null, 0.5)[1])


def test_p_value_counts_the_observed_labelling():
    null = np.arange(99.0)[:, None].repeat(3, axis=1)
    assert_allclose(p_value(np.array([1000.0, 98.0, np.nan]), null), [0.01, 0.02, np.nan])


@given(st.integers(0, 10_000))
def test_corrected_threshold_equals_the_twin(seed):
    null = np.random.default_rng(seed).gamma(2.0, [1.0, 5.0, 0.1], size=(40, 3))
    twin = corrected_threshold_twin(null.tolist(), 0.95)
    assert_allclose(corrected_threshold(null, 0.95), twin, rtol=1e-10)


def test_member_that_never_varies_cannot_be_beyond_and_nan_stays():
    null = np.random.default_rng(0).standard_normal((40, 2, 2))
    null[:, 0, 0], null[:, 1, 1] = 3.0, np.nan
    threshold = corrected_threshold(null, 0.95)
    assert threshold[0, 0] == np.inf
    assert np.isnan(threshold[1, 1])
    assert np.isfinite([threshold[0, 1], threshold[1, 0]]).all()
    assert np.isinf(corrected_threshold(null[:, :1, 0], 0.95)).all()


@pytest.mark.slow
def test_family_without_structure_passes_its_threshold_in_five_percent_of_cases():
    rng = np.random.default_rng(0)
    fired = 0
    for _ in range(1000):
        draws = rng.gamma(1.0, 1.0, size=(100, 12)) + rng.standard_normal((100, 1))
        fired += (draws[0] > corrected_threshold(draws[1:], 0.95)).any()
    assert 30 <= fired <= 70  # 50 +- 3 standard errors
