"""Neural collapse: naive twins, the simplex, Gaussians by hand, nulls at a given width."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats import collapse
from ontogeny.stats.permutation import shuffled_tokens
from ontogeny.stats.tokens import token_means
from oracles import collapse as oracles

SEEDS = st.integers(0, 10_000)


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def tokens_of(n_tokens: int, n_exemplars: int) -> np.ndarray:
    return np.tile(np.arange(n_tokens), n_exemplars)


def simplex(n_tokens: int, n_units: int, seed: int = 0) -> np.ndarray:
    """Corners of a simplex, centred, in a random orientation."""
    corners = np.eye(n_units)[:n_tokens] - np.eye(n_units)[:n_tokens].mean(axis=0)
    return corners @ np.linalg.qr(patterns_of(seed, n_units, n_units))[0]


def test_nc1_and_cdnv_equal_their_naive_twins() -> None:
    token = np.array([0, 1, 2, 3] * 6 + [0, 0, 1])
    x = patterns_of(0, 2, 27, 7) + patterns_of(1, 4, 7)[token]
    nc1, pairs = collapse.variability_collapse(x, token, 4), collapse.cdnv(x, token, 4)
    for step in range(2):
        assert_allclose(nc1[step], oracles.naive_nc1(x[step], token, 4), rtol=1e-9)
        for a, b in ((0, 1), (2, 3), (3, 1)):
            desired = oracles.naive_cdnv(x[step], token, a, b)
            assert_allclose(pairs[step, a, b], desired, rtol=1e-10)
    assert_allclose(collapse.separation_fuzziness(x, token, 4), 4 * nc1, rtol=1e-12)


def test_nc1_of_two_gaussians_by_hand() -> None:
    """Means at +-1 on the first unit, variance s^2 there: S_B = 1, tr(S_W S_B^+) / 2 = s^2 / 2."""
    x = np.array([[1.5, 7], [0.5, -7], [-1.5, 3], [-0.5, -3]], dtype=float)
    token = np.array([0, 0, 1, 1])
    assert_allclose(collapse.variability_collapse(x, token, 2), 0.25 / 2, rtol=1e-12)
    # V = .25 + 49 and .25 + 9, squared distance of the means 4
    assert_allclose(collapse.cdnv(x, token, 2)[0, 1], (49.25 + 9.25) / 8, rtol=1e-12)


def test_a_simplex_has_no_nc2_and_cosines_of_minus_a_quarter() -> None:
    vectors = 3 * simplex(5, 8)
    assert_allclose(collapse.equinorm(vectors), 0, atol=1e-12)
    assert_allclose(collapse.equiangularity(vectors), 0, atol=1e-12)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert_allclose((unit @ unit.T)[0, 1], -0.25, rtol=1e-10)
    assert_allclose(collapse.self_duality(2 * vectors, vectors + 4), 0, atol=1e-12)
    x = vectors[tokens_of(5, 4)]
    assert_allclose(collapse.variability_collapse(x, tokens_of(5, 4), 5), 0, atol=1e-20)


def test_nc2_and_nc3_equal_their_naive_twins() -> None:
    vectors, weight = patterns_of(2, 3, 4, 6), patterns_of(3, 3, 4, 6)
    for k in range(3):
        length = np.linalg.norm(vectors[k], axis=1)
        assert_allclose(collapse.equinorm(vectors)[k], length.std() / length.mean(), rtol=1e-10)
        desired = oracles.naive_equiangularity(vectors[k])
        assert_allclose(collapse.equiangularity(vectors)[k], desired, rtol=1e-10)
        desired = oracles.naive_self_duality(weight[k], vectors[k])
        assert_allclose(collapse.self_duality(weight, vectors)[k], desired, rtol=1e-10)


@given(seed=SEEDS)
def test_nc1_is_invariant_to_invertible_maps_and_cdnv_to_similarity(seed: int) -> None:
    token = tokens_of(3, 6)
    x = patterns_of(seed, 18, 2) + 2 * patterns_of(seed + 1, 3, 2)[token]
    mixing = patterns_of(seed + 2, 2, 2) + 4 * np.eye(2)
    rotation = np.linalg.qr(mixing)[0]
    # looser: the inverse of a random mixing matrix is implied
    assert_allclose(
        collapse.variability_collapse(x @ mixing + 5, token, 3),
        collapse.variability_collapse(x, token, 3),
        rtol=1e-6,
    )
    assert_allclose(
        collapse.cdnv(3 * x @ rotation - 1, token, 3), collapse.cdnv(x, token, 3), rtol=1e-8
    )


@pytest.mark.parametrize("n_units", [32, 128, 512])
def test_null_of_nc1_depends_on_width_and_that_of_cdnv_does_not(n_units: int) -> None:
    token = tokens_of(5, 500)
    x = patterns_of(n_units, 2500, n_units)
    rng = np.random.default_rng(0)
    shuffles = shuffled_tokens(token, np.arange(2500), n_shuffles=12, rng=rng)
    null = [collapse.variability_collapse(x, shuffled, 5) for shuffled in shuffles]
    # looser: a mean of 12 heavy-tailed draws
    assert_allclose(np.mean(null), 499 * 4 / (n_units - 5), rtol=0.25)
    pairs = [collapse.cdnv(x, shuffled, 5) for shuffled in shuffles]
    desired = collapse.cdnv_null(np.full(5, 500))[0, 1]
    assert desired == pytest.approx(499 / 2)
    assert_allclose(np.nanmedian(pairs), desired, rtol=0.1)


def test_nearest_mean_disagreement_by_hand() -> None:
    means = np.array([[0.0, 0], [10, 0]])
    x = np.array([[1.0, 5], [9, 5], [4, 0], [6, 0]])
    predicted = np.array([0, 1, 1, 1])
    assert_allclose(collapse.nearest_mean_disagreement(x, means, predicted), 0.25)
    means[1] = np.nan
    assert np.isnan(collapse.nearest_mean_disagreement(x, means, predicted))
    assert np.isnan(collapse.nearest_mean_disagreement(x, means[:1], predicted))


def test_nearest_mean_agrees_with_squared_distances_over_steps() -> None:
    token = tokens_of(3, 5)
    x = patterns_of(4, 6, 15, 4) + 50
    means = token_means(x, token, 3)
    distance = np.sum((x[:, :, None] - means[:, None]) ** 2, axis=-1)
    predicted = np.tile(token, (6, 1))
    desired = np.mean(distance.argmin(axis=-1) != token, axis=-1)
    assert_allclose(collapse.nearest_mean_disagreement(x, means, predicted), desired)


def test_separation_law_recovers_a_line() -> None:
    layer = np.arange(5)
    fuzziness = np.stack([np.exp(2 - 0.7 * layer), np.exp(2 - 0.7 * layer), np.ones(5)])
    fuzziness[1, 2] = np.nan
    law = collapse.separation_law(fuzziness)
    assert_allclose(law.slope, [-0.7, np.nan, 0], atol=1e-12)
    assert_allclose(law.intercept, [2, np.nan, 0], atol=1e-12)
    assert_allclose(law.correlation, [-1, np.nan, np.nan], rtol=1e-10)
    assert np.isnan(collapse.separation_law(fuzziness[0, :2]).slope)


def test_what_cannot_be_known_is_nan() -> None:
    x, token = patterns_of(5, 12, 4), tokens_of(3, 4)
    assert np.isnan(collapse.variability_collapse(x, np.zeros(12, dtype=int), 1))
    assert np.isnan(collapse.variability_collapse(x, token, 4))
    once = np.where(np.arange(12) == 0, 2, np.arange(12) % 2)
    assert np.isnan(collapse.variability_collapse(x, once, 3))
    assert np.isnan(collapse.cdnv(x, once, 3)[2]).all()
    assert np.isfinite(collapse.cdnv(x, once, 3)[0, 1])
    silent = np.stack([x, np.full((12, 4), 0.1), x])
    silent[2, 3, 3] = np.nan
    assert np.isnan(collapse.variability_collapse(silent, token, 3)).tolist() == [False, True, True]
    assert np.isnan(collapse.cdnv(silent[1], token, 3)).all()
    same = np.array([0, 0, 1])
    merged = patterns_of(6, 6, 4)
    merged = merged - token_means(merged, tokens_of(3, 2), 3)[tokens_of(3, 2)]
    merged = merged + patterns_of(7, 2, 4)[same][tokens_of(3, 2)]
    assert np.isnan(collapse.variability_collapse(merged, tokens_of(3, 2), 3))
    for measure in (collapse.equinorm, collapse.equiangularity):
        assert np.isnan(measure(np.ones((1, 4))))
        assert np.isnan(measure(np.zeros((3, 4))))
    assert np.isnan(collapse.self_duality(np.zeros((3, 4)), patterns_of(8, 3, 4)))
    assert np.isnan(collapse.cdnv_null(np.array([1, 5]))).all()


def test_fewer_units_than_directions_is_still_defined() -> None:
    x = patterns_of(9, 20, 2) + 3 * patterns_of(10, 5, 2)[tokens_of(5, 4)]
    value = collapse.variability_collapse(x, tokens_of(5, 4), 5)
    means = token_means(x, tokens_of(5, 4), 5)
    residual = x - means[tokens_of(5, 4)]
    between = np.cov(means.T, bias=True)
    desired = np.trace(residual.T @ residual / 20 @ np.linalg.inv(between)) / 5
    assert_allclose(value, desired, rtol=1e-8)
