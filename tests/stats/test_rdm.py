"""Distances: naive twins, closed forms, invariances, nulls, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist

from ontogeny.stats import rdm, rsa
from ontogeny.stats.groups import grouped_folds
from oracles import patterns as oracles


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


SEEDS = st.integers(0, 10_000)


def test_distances_equal_their_naive_twins() -> None:
    x = patterns_of(0, 7, 4) + 3
    for actual, desired in (
        (rdm.squared_euclidean_rdm(x), oracles.naive_squared_euclidean(x)),
        (rdm.correlation_rdm(x), oracles.naive_correlation_distance(x)),
    ):
        assert_allclose(actual, desired, rtol=1e-10, atol=1e-14)


def test_distances_equal_scipy_for_every_step_of_a_batch() -> None:
    x = patterns_of(2, 3, 2, 9, 5).astype(np.float32)
    euclidean = rsa.upper_triangle(rdm.squared_euclidean_rdm(x))
    correlation = rsa.upper_triangle(rdm.correlation_rdm(x))
    for index in np.ndindex(3, 2):
        wide = x[index].astype(np.float64)
        assert_allclose(euclidean[index], pdist(wide, "sqeuclidean") / 5, rtol=1e-5)  # single
        assert_allclose(correlation[index], pdist(wide, "correlation"), rtol=1e-5)
        exact = rsa.upper_triangle(rdm.squared_euclidean_rdm(wide))
        assert_allclose(exact, pdist(wide, "sqeuclidean") / 5, rtol=1e-10)


@pytest.mark.parametrize("n_units", [3, 64, 1000])
@pytest.mark.parametrize("gap", [1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e20])
def test_single_patterns_give_distances_to_four_digits_however_near(
    n_units: int, gap: float, size: float
) -> None:
    centre = patterns_of(40, 6, n_units)
    for copies in (1, 20):  # a few near pairs; or nearly all exemplars near others
        x = np.concatenate([centre, np.repeat(centre[:2], copies, axis=0) + 1])
        x[6:] += gap * patterns_of(41, 2 * copies, n_units) - 1
        x = np.concatenate([x, patterns_of(42, 60, n_units)]) if copies == 1 else x
        x[::2] = np.abs(x[::2]) + 3  # as after a rectifier: sums that only grow
        x = (size * x).astype(np.float32)
        wide = x.astype(np.float64)
        for ours, name, scale in (
            (rdm.squared_euclidean_rdm, "sqeuclidean", n_units),
            (rdm.correlation_rdm, "correlation", 1),
        ):
            desired = pdist(wide / size, name) / scale
            actual = rsa.upper_triangle(ours(x)) / (size**2 if name == "sqeuclidean" else 1)
            assert_allclose(actual, desired, rtol=5e-5, atol=1e-14)


def test_integer_pixels_are_accepted() -> None:
    pixels = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    assert_allclose(rdm.squared_euclidean_rdm(pixels)[0, 1], 255**2)


@given(seed=SEEDS)
def test_euclidean_is_invariant_to_rotation_and_translation(seed: int) -> None:
    x = patterns_of(seed, 8, 5)
    rotation = np.linalg.qr(patterns_of(seed + 1, 5, 5))[0]
    assert_allclose(
        rdm.squared_euclidean_rdm(x @ rotation + 2.5),
        rdm.squared_euclidean_rdm(x),
        rtol=1e-10,
        atol=1e-13,
    )


@given(seed=SEEDS, gain=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_correlation_is_invariant_to_gain_and_shift(seed: int, gain: float, shift: float) -> None:
    x = patterns_of(seed, 6, 5)
    assert_allclose(
        rdm.correlation_rdm(gain * x + shift), rdm.correlation_rdm(x), rtol=1e-9, atol=1e-12
    )


def test_shrunk_precision_equals_its_naive_twin() -> None:
    x = patterns_of(3, 30, 5) @ patterns_of(4, 5, 5)
    token = np.arange(30) % 3
    desired = np.linalg.inv(oracles.naive_shrunk_covariance(x, token))
    assert_allclose(rdm.noise_precision(x, token, 3), desired, rtol=1e-9)


def test_precision_leaves_dead_units_out_and_refuses_what_it_cannot_know() -> None:
    x = patterns_of(5, 20, 4)
    token = np.arange(20) % 2
    x[:, 1] = 0.25
    precision = rdm.noise_precision(x, token, 2)
    assert np.all(precision[1] == 0)
    assert np.all(precision[:, 1] == 0)
    live = [0, 2, 3]
    assert_allclose(
        precision[np.ix_(live, live)], rdm.noise_precision(x[:, live], token, 2), rtol=1e-10
    )
    assert np.isnan(rdm.noise_precision(np.full((20, 4), 0.1), token, 2)).all()
    x[:, 1] = token  # constant within tokens, different between
    assert np.isnan(rdm.noise_precision(x, token, 2)).all()
    assert np.isnan(rdm.noise_precision(patterns_of(6, 20, 4), token, 3)).all()  # absent token
    wide = patterns_of(7, 8, 20)
    few = np.arange(8) % 2
    assert np.isnan(rdm.noise_precision(wide, few, 2, shrinkage=False)).all()
    assert np.isfinite(rdm.noise_precision(wide, few, 2)).all()


def test_crossnobis_equals_its_naive_twin() -> None:
    x = patterns_of(8, 2, 24, 4)
    token, fold = np.arange(24) % 3, np.arange(24) // 3 % 4
    raw = patterns_of(9, 2, 4, 4)
    precision = raw @ np.swapaxes(raw, -1, -2)
    means = rdm.fold_means(x, token, fold, 3)
    actual = rdm.crossnobis_rdm(means, precision)
    plain = rdm.crossnobis_rdm(means)
    for step in range(2):
        desired = oracles.naive_crossnobis(x[step], token, fold, 3, precision[step])
        assert_allclose(actual[step], desired, rtol=1e-10, atol=1e-13)
        desired = oracles.naive_crossnobis(x[step], token, fold, 3, np.eye(4))
        assert_allclose(plain[step], desired, rtol=1e-10, atol=1e-13)


def test_crossnobis_is_unbiased_where_plain_distances_are_not() -> None:
    rng = np.random.default_rng(10)
    token = np.arange(100) % 5
    x = rng.normal(size=(400, 100, 32))
    signal = x + 0.5 * (token == 0)[:, None]
    fold = grouped_folds(token, np.arange(100), n_folds=4, rng=rng)
    null = rdm.crossnobis_rdm(rdm.fold_means(x, token, fold, 5))[:, 0, 1]
    true = rdm.crossnobis_rdm(rdm.fold_means(signal, token, fold, 5))[:, 0, 1]
    error = null.std() / 20
    assert abs(null.mean()) < 3 * error
    assert abs(true.mean() - 0.25) < 3 * true.std() / 20
    plain = rdm.squared_euclidean_rdm(rdm.token_means(x, token, 5))[:, 0, 1]
    assert_allclose(plain.mean(), 2 / 20, rtol=0.05)  # the bias: 2 variance / exemplars


def test_crossnobis_of_identical_folds_is_the_plain_distance() -> None:
    means = np.repeat(patterns_of(11, 1, 5, 3), 2, axis=0)
    assert_allclose(
        rdm.crossnobis_rdm(means), rdm.squared_euclidean_rdm(means[0]), rtol=1e-10, atol=1e-13
    )


def test_crossnobis_of_one_fold_or_an_absent_token_is_nan() -> None:
    assert np.isnan(rdm.crossnobis_rdm(patterns_of(12, 1, 3, 4))).all()
    means = patterns_of(12, 2, 3, 4)
    means[1, 2] = np.nan
    distances = rdm.crossnobis_rdm(means)
    assert np.isnan(distances[2]).all()
    assert np.isfinite(distances[:2, :2]).all()


def test_nan_stays_where_it_is() -> None:
    x = patterns_of(13, 5, 4)
    x[3, 0] = np.nan
    for distances in (
        rdm.squared_euclidean_rdm(x),
        rdm.correlation_rdm(x),
    ):
        assert np.isnan(distances[3]).all()
        assert np.isnan(distances[:, 3]).all()
        rest = [0, 1, 2, 4]
        assert np.isfinite(distances[np.ix_(rest, rest)]).all()


def test_a_pattern_without_variation_has_no_correlation() -> None:
    x = patterns_of(14, 4, 3)
    x[2] = 0.1
    distances = rdm.correlation_rdm(x)
    assert np.isnan(distances[2]).all()
    assert np.isfinite(distances[0, 1])
    assert np.isnan(rdm.correlation_rdm(patterns_of(15, 4, 1))).all()


def test_duplicated_exemplars_are_at_distance_zero() -> None:
    x = patterns_of(16, 5, 4) + 100
    x[3] = x[0]
    assert abs(rdm.squared_euclidean_rdm(x)[0, 3]) < 1e-12
    assert abs(rdm.correlation_rdm(x)[0, 3]) < 1e-12
