"""Trees, splits and modes by hand; the closed form against gradient descent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.stats import differentiation as diff
from ontogeny.stats.rdm import crossnobis_rdm, fold_means, squared_euclidean_rdm
from oracles import differentiation as oracles

LINE = np.array([0.0, 1, 10, 12])[:, None]
"""Four tokens on a line: 0 and 1 are close, 2 and 3 less so, the two pairs are far apart."""


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_tree_of_four_tokens_by_hand() -> None:
    tree = diff.token_tree(np.sqrt(squared_euclidean_rdm(LINE)))
    assert_allclose(tree, [[0, 1, 1, 2], [2, 3, 2, 2], [4, 5, (10 + 12 + 9 + 11) / 4, 4]])
    splits = diff.tree_splits(tree)
    assert splits.tolist() == [[1, 1, -1, -1], [0, 0, 1, -1], [1, -1, 0, 0]]


def test_tree_without_a_token_is_nan_and_has_no_splits() -> None:
    distances = np.stack([squared_euclidean_rdm(LINE)] * 2)
    distances[1, 2] = distances[1, :, 2] = np.nan
    tree = diff.token_tree(distances)
    assert np.isfinite(tree[0]).all()
    assert np.isnan(tree[1]).all()
    with pytest.raises(InputError, match="a tree of all tokens, got NaN"):
        diff.tree_splits(tree[1])
    assert diff.token_tree(np.zeros((1, 1))).shape == (0, 4)


def test_separation_is_the_squared_distance_of_the_centres() -> None:
    x = patterns_of(0, 3, 5, 4)
    splits = np.array([[1, 1, -1, -1, -1], [1, -1, 0, 0, 0], [0, 0, 1, 1, -1]])
    actual = diff.split_separation(squared_euclidean_rdm(x), splits)
    for step in range(3):
        for k, split in enumerate(splits):
            gap = x[step][split > 0].mean(axis=0) - x[step][split < 0].mean(axis=0)
            assert_allclose(actual[step, k], np.mean(gap**2), rtol=1e-10)


def test_separation_touches_only_the_tokens_below_the_split() -> None:
    distances = squared_euclidean_rdm(patterns_of(1, 4, 3))
    distances[3] = distances[:, 3] = np.nan
    splits = np.array([[1, 1, -1, -1], [1, -1, 0, 0]])
    assert np.isnan(diff.split_separation(distances, splits)).tolist() == [True, False]


def test_separation_of_tokens_that_do_not_differ_is_zero_on_average() -> None:
    rng = np.random.default_rng(2)
    token, fold = np.arange(80) % 4, np.arange(80) // 4 % 4
    means = fold_means(rng.normal(size=(300, 80, 10)), token, fold, 4)
    splits = np.array([[1, 1, -1, -1], [1, -1, 0, 0]])
    separation = diff.split_separation(crossnobis_rdm(means), splits)
    assert np.all(np.abs(separation.mean(axis=0)) < 3 * separation.std(axis=0) / np.sqrt(300))


def test_split_steps_are_intervals_between_snapshots() -> None:
    steps = np.array([0, 10, 20, 40, 80])
    separation = np.array(
        [
            [0, 0.9, 0.0, 0.0, -1.0, 0],
            [1, 0.8, 0.7, 0.0, 1.0, np.nan],
            [4, 0.9, 0.2, 0.0, 1.0, 1],
            [8, 1.0, 0.6, 0.1, 1.0, 1],
            [9, 1.0, 1.0, 1.0, -0.1, 1],
        ]
    )
    nan = np.nan
    desired = [[20, 40], [0, 0], [20, 40], [40, 80], [nan, nan], [nan, nan]]
    assert_allclose(diff.split_steps(separation, steps), desired)
    one = diff.split_steps(separation[:1] + 1, steps[:1])
    assert_allclose(one[:4], np.zeros((4, 2)))


def test_cross_covariance_equals_its_naive_twin() -> None:
    x, token = patterns_of(3, 2, 11, 4) + 5, np.array([0, 1, 2] * 3 + [0, 0])
    actual = diff.cross_covariance(x, token, 3)
    for k in range(2):
        desired = oracles.naive_cross_covariance(x[k], token, 3)
        assert_allclose(actual[k], desired, rtol=1e-9, atol=1e-14)
    assert_allclose(actual.sum(axis=-2), 0, atol=1e-13)


@given(seed=st.integers(0, 10_000))
def test_modes_rebuild_the_covariance(seed: int) -> None:
    cross = diff.cross_covariance(patterns_of(seed, 2, 20, 6), np.arange(20) % 4, 4)
    modes = diff.covariance_modes(cross)
    rebuilt = np.einsum("bm,bmt,bmu->btu", modes.strength, modes.token, modes.unit)
    assert_allclose(rebuilt, cross, atol=1e-12)
    assert np.all(modes.strength[:, 3] < 1e-12)
    peak = np.take_along_axis(modes.token, np.abs(modes.token).argmax(-1)[..., None], -1)
    assert np.all(peak > 0)


def test_modes_of_nested_tokens_are_coarse_before_fine() -> None:
    means = np.array([[3.0, 1, 0], [3, -1, 0], [-3, 0, 0.5], [-3, 0, -0.5]])
    token = np.arange(8) % 4
    modes = diff.covariance_modes(diff.cross_covariance(means[token], token, 4))
    assert_allclose(np.abs(modes.token[0]), 0.5)
    assert modes.token[0, 0] == pytest.approx(modes.token[0, 1])
    assert_allclose(np.abs(modes.token[1]), [np.sqrt(0.5)] * 2 + [0, 0], atol=1e-12)


def test_modes_of_an_absent_token_are_nan() -> None:
    cross = diff.cross_covariance(patterns_of(4, 2, 6, 3), np.arange(6) % 2, 3)
    assert np.isnan(cross[:, 2]).all()
    assert all(np.isnan(part).all() for part in diff.covariance_modes(cross))


def test_closed_form_follows_gradient_descent() -> None:
    steps = np.arange(6001)
    descent = oracles.naive_deep_linear_descent(2.0, 0.01, 1e-3, 6000)
    closed = diff.deep_linear_mode(steps, strength=2.0, initial=0.01, tau=1e3)
    assert np.abs(closed - descent).max() < 0.0017  # .0016 at this learning rate
    finer = oracles.naive_deep_linear_descent(2.0, 0.01, 1e-4, 60000)[::10]
    assert np.abs(closed - finer).max() < np.abs(closed - descent).max() / 5  # converges


def test_time_inverts_the_curve_and_strong_modes_come_first() -> None:
    options = {"initial": 0.01, "tau": 50.0}
    time = diff.deep_linear_time(0.7, strength=2.0, **options)
    assert_allclose(diff.deep_linear_mode(np.array([time]), strength=2.0, **options), 0.7)
    assert diff.deep_linear_time(0.7, strength=1.0, **options) > time
    assert np.isnan(diff.deep_linear_time(2.5, strength=2.0, **options))
    assert np.isnan(diff.deep_linear_time(0.5, strength=2.0, initial=0.0, tau=1.0))


def test_fit_recovers_the_parameters() -> None:
    time = np.unique(np.geomspace(1, 2000, 40).astype(int)) - 1
    curve = diff.deep_linear_mode(time, strength=1.7, initial=0.02, tau=400.0)
    fit = diff.fit_deep_linear_mode(time, curve)
    assert_allclose(fit, (1.7, 0.02, 400, 1), rtol=1e-4)
    noisy = diff.fit_deep_linear_mode(time, curve + 0.05 * patterns_of(5, len(time)))
    assert_allclose(noisy.strength, 1.7, rtol=0.05)
    assert 0.95 < noisy.r2 < 1


def test_fit_of_what_does_not_rise_is_nan() -> None:
    time = np.arange(10)
    for curve in (-np.ones(10), np.ones(10), np.full(10, np.nan)):
        assert np.isnan(diff.fit_deep_linear_mode(time, curve)).all()
    assert np.isnan(diff.fit_deep_linear_mode(time[:4], np.arange(4.0))).all()
