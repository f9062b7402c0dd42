import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats.complexity import (
    RIDGE,
    explained_share,
    factor_columns,
    factor_shares,
    interaction_errors,
)
from oracles.tuning import factor_share_twin, interaction_twin


def design(seed, n=120):
    rng = np.random.default_rng(seed)
    factors = [rng.integers(0, 3, n), *rng.standard_normal((4, n))]
    return rng, factors, [factor_columns(f) for f in factors], np.arange(n) % 4


def test_columns_of_categories_numbers_and_constants():
    rng = np.random.default_rng(0)
    assert factor_columns(rng.integers(0, 3, 50)).shape == (50, 2)
    assert factor_columns(np.array(list("abca"))).shape == (4, 2)
    assert factor_columns(rng.standard_normal(50)).shape == (50, 3)
    assert factor_columns(np.ones(50)).shape == (50, 0)
    assert_allclose(factor_columns(rng.standard_normal(50)).mean(axis=0), 0, atol=1e-12)


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_errors_equal_the_twin(seed):
    rng, _, columns, fold = design(seed)
    response = rng.standard_normal((120, 3)) + 3 * columns[1][:, :1]
    columns[2] = columns[1] + 0.5 * rng.standard_normal((120, 3))
    found = interaction_errors(response, columns, fold, n_shuffles=2, rng=rng, n_factors=4)
    for unit, values in enumerate(response.T):
        main, full = interaction_twin(values, columns, fold, 4, RIDGE)
        assert_allclose(found.main[:, unit], main, rtol=1e-6, atol=1e-8)  # collinear curves
        assert_allclose(found.full[:, unit], full, rtol=1e-6, atol=1e-8)


def test_a_conjunction_is_told_from_a_sum_and_neither_from_shuffled_residuals():
    rng, factors, columns, fold = design(1, n=400)
    a, b = factors[1], factors[2]
    response = np.stack([a + b, np.maximum(a, 0) * np.maximum(b, 0), rng.standard_normal(400)], 1)
    found = interaction_errors(response, columns, fold, n_shuffles=19, rng=rng)
    even = np.ones((1, 400))
    main = explained_share(found.main, response, even)[0]
    gain = explained_share(found.full, response, even)[0] - main
    assert_allclose(main[0], 1, atol=0.01)
    assert gain[1] > 0.15
    assert gain[2] < 0.02
    spread = np.sum((response - response.mean(axis=0)) ** 2, axis=0)
    assert (-found.null / spread).max() < 0.05


def test_few_noise_responses_pass_their_null():
    rng, _, columns, fold = design(2, n=200)
    response = rng.standard_normal((200, 300))
    found = interaction_errors(response, columns, fold, n_shuffles=19, rng=rng)
    gain = (found.main - found.full).sum(axis=0)
    assert np.mean(gain > (-found.null).max(axis=0)) < 0.1  # .05 would be exact, .07 is usual


def test_shares_are_of_weighted_exemplars_and_nan_for_constants():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((30, 2))
    y[:, 1] = 4
    weight = rng.integers(0, 3, (2, 30)).astype(float)
    errors = (y - 0.5) ** 2
    found = explained_share(errors, y, weight)
    drawn = np.repeat(y[:, 0], weight[1].astype(int))
    expected = 1 - np.sum((drawn - 0.5) ** 2) / np.sum((drawn - drawn.mean()) ** 2)
    assert_allclose(found[1, 0], expected, rtol=1e-10)
    assert np.isnan(found[:, 1]).all()


def test_factor_shares_equal_the_twin_and_follow_the_permutation():
    rng, _, columns, _ = design(3)
    response = rng.standard_normal((120, 3)) + columns[1][:, :1]
    response[:, 2] = 1
    orders = np.stack([np.arange(120), rng.permutation(120)])
    found = factor_shares(response, [*columns, np.zeros((120, 0))], orders)
    for f, c in enumerate(columns):
        for k, order in enumerate(orders):
            twin = factor_share_twin(response[order, 0], c)
            assert_allclose(found[k, f, 0], twin, rtol=1e-4, atol=1e-6)  # single precision
    assert_allclose(found[:, -1, :2], 0)
    assert np.isnan(found[..., 2]).all()
