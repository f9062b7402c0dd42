"""Token means and residuals against loops, and what an absent token gives."""

import numpy as np
from numpy.testing import assert_allclose

from ontogeny.stats.tokens import token_counts, token_means, token_residuals
from oracles import patterns as oracles


def test_means_equal_the_naive_twin() -> None:
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(3, 12, 4)).astype(np.float32)
    token = rng.integers(0, 3, size=12)
    means = token_means(patterns, token, 4)
    assert means.shape == (3, 4, 4)
    for batch, actual in zip(patterns.astype(np.float64), means, strict=True):
        assert_allclose(actual, oracles.naive_token_means(batch, token, 4), rtol=1e-10)


def test_an_absent_token_is_nan_and_counts_zero() -> None:
    token = np.array([0, 0, 2])
    assert token_counts(token, 4).tolist() == [2, 0, 1, 0]
    means = token_means(np.ones((3, 2)), token, 4)
    assert np.isnan(means[[1, 3]]).all()
    assert np.isfinite(means[[0, 2]]).all()


def test_residuals_sum_to_zero_within_each_token() -> None:
    rng = np.random.default_rng(1)
    token = np.repeat([0, 1, 2], 5)
    residuals = token_residuals(rng.normal(size=(2, 15, 3)), token, 3)
    assert_allclose(token_means(residuals, token, 3), 0, atol=1e-12)
