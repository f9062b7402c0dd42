"""Dimension: naive twins, cubes of known dimension, near-duplicates, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats import dimension
from oracles import dimension as oracles

SEEDS = st.integers(0, 10_000)


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def cube(seed: int, n: int, d: int, n_units: int = 30) -> np.ndarray:
    """Points of a d-dimensional cube in a random orientation."""
    points = np.random.default_rng(seed).random((n, d))
    return points @ np.linalg.qr(patterns_of(seed, n_units, n_units))[0][:d]


@pytest.mark.parametrize("n_units", [3, 12])
def test_participation_ratio_equals_its_naive_twins(n_units: int) -> None:
    x = patterns_of(0, 2, 8, n_units) * np.arange(1, n_units + 1) + 4
    plain, corrected = (dimension.participation_ratio(x, corrected=c) for c in (False, True))
    for k in range(2):
        assert_allclose(plain[k], oracles.naive_participation_ratio(x[k]), rtol=1e-10)
        desired = oracles.naive_unbiased_participation_ratio(x[k])
        assert_allclose(corrected[k], desired, rtol=1e-10)


def test_correction_removes_the_bias_of_small_samples() -> None:
    x = patterns_of(1, 40, 100, 500)
    assert_allclose(dimension.participation_ratio(x, corrected=False).mean(), 83, atol=1)
    corrected = dimension.participation_ratio(x)
    # looser: a ratio of unbiased estimates, mean of 40
    assert_allclose(corrected.mean(), 500, rtol=0.05)
    skewed = np.exp(patterns_of(2, 40, 200, 1)) * patterns_of(3, 40, 200, 50)
    wide = dimension.participation_ratio(
        np.exp(patterns_of(4, 20000, 1)) * patterns_of(5, 20000, 50), corrected=False
    )
    assert_allclose(np.median(dimension.participation_ratio(skewed)), wide, rtol=0.15)


@given(seed=SEEDS, gain=st.floats(0.01, 100))
def test_participation_ratio_ignores_rotation_gain_and_shift(seed: int, gain: float) -> None:
    x = patterns_of(seed, 12, 5) * np.arange(1, 6)
    rotation = np.linalg.qr(patterns_of(seed + 1, 5, 5))[0]
    for corrected in (True, False):
        assert_allclose(
            dimension.participation_ratio(gain * x @ rotation + 3, corrected=corrected),
            dimension.participation_ratio(x, corrected=corrected),
            rtol=1e-7,
        )


def test_participation_ratio_of_what_does_not_vary_is_nan() -> None:
    x = np.stack([patterns_of(6, 6, 3), np.full((6, 3), 0.1), patterns_of(7, 6, 3)])
    x[2, 0, 0] = np.nan
    for corrected in (True, False):
        ratio = dimension.participation_ratio(x, corrected=corrected)
        assert np.isnan(ratio).tolist() == [False, True, True]
    assert np.isnan(dimension.participation_ratio(x[0, :3]))
    assert np.isnan(dimension.participation_ratio(np.eye(6)))  # no direction stands out
    assert_allclose(dimension.participation_ratio(np.eye(6), corrected=False), 5)


def test_two_nn_and_gride_equal_their_naive_twins() -> None:
    x = patterns_of(8, 2, 25, 4)
    for k in range(2):
        assert_allclose(dimension.two_nn(x)[k], oracles.naive_two_nn(x[k]), rtol=1e-10)
        for scale in (1, 2, 5):
            found = dimension.gride(x, [scale])[k, 0]
            around = [
                oracles.naive_gride_log_likelihood(x[k], scale, d)
                for d in (found * 0.999, found, found * 1.001)
            ]
            assert np.argmax(around) == 1
    assert_allclose(dimension.gride(x, [1, 3])[:, 0], dimension.two_nn(x), rtol=1e-12)


@pytest.mark.parametrize(("d", "expected"), [(2, 1.95), (5, 4.56)])
def test_two_nn_of_cubes(d: int, expected: float) -> None:
    x = np.stack([cube(seed, 1500, d) for seed in range(4)])
    # looser: the expected values are single draws, with a standard deviation of 3 to 5 %
    assert_allclose(dimension.two_nn(x).mean(), expected, rtol=0.06)
    assert_allclose(dimension.gride(x, [1, 4])[:, 1].mean(), d, rtol=0.2)


def test_near_duplicates_ruin_two_nn_unless_told_merged_or_looked_past() -> None:
    rng = np.random.default_rng(9)
    once = cube(9, 500, 5)
    twice = np.concatenate([once, once + 1e-3 * rng.normal(size=once.shape) / np.sqrt(30)])
    clean = dimension.two_nn(once)
    assert dimension.two_nn(twice) < 0.5
    assert_allclose(dimension.two_nn(twice, merge=0.01), clean, rtol=1e-10)
    assert_allclose(dimension.gride(twice, [8])[0], clean, rtol=0.25)
    told = dimension.two_nn(once, group=np.arange(500))
    assert_allclose(told, clean, rtol=1e-12)
    # a copy of each exemplar's neighbour is at the distance of the neighbour: drop to the first
    grouped = dimension.neighbour_distances(twice, 1, group=np.tile(np.arange(500), 2))
    assert grouped.min() > 1e-3


def test_identical_exemplars_count_once() -> None:
    x = patterns_of(10, 40, 3)
    again = np.concatenate([x, x[:15], x[:15]]) + 1000
    assert dimension.distinct_patterns(again).tolist() == [True] * 40 + [False] * 30
    assert_allclose(dimension.two_nn(again), dimension.two_nn(x), rtol=1e-7)
    x[5] = x[4] + 1e-8  # close is not identical
    assert dimension.distinct_patterns(x).all()
    assert dimension.distinct_patterns(x, merge=1e-3).sum() == 39


@pytest.mark.parametrize("shift", [0, 3, -40])
@pytest.mark.parametrize("repeated", [3, 60])
def test_exemplars_that_differ_by_rounding_count_once(repeated: int, shift: float) -> None:
    """A network gives the same exemplar in another batch an activation some last bits away."""
    once = (cube(12, 60, 4) + shift).astype(np.float32)
    noise = np.random.default_rng(13).integers(-3, 4, (repeated, 30)).astype(np.float32)
    again = once[:repeated] + noise * np.spacing(np.abs(once[:repeated]))
    x = np.concatenate([once, again])
    assert dimension.distinct_patterns(x).tolist() == [True] * 60 + [False] * repeated
    assert_allclose(dimension.two_nn(x), dimension.two_nn(once), rtol=1e-10)
    assert_allclose(
        dimension.two_nn(x), oracles.naive_two_nn(oracles.naive_distinct(x)), rtol=1e-10
    )
    assert len(oracles.naive_distinct(x.astype(np.float64))) == 60 + repeated  # doubles are apart


def test_whole_numbers_have_no_rounding() -> None:
    assert dimension.rounding(np.array([[10**9, 10**9], [10**9, 10**9 + 1]])) == 0


def test_distances_survive_rounding_of_inner_products() -> None:
    x = patterns_of(11, 12, 3)
    x[1] = x[0] + 1e-9
    found = dimension.neighbour_distances(x, 5)
    assert_allclose(found[0, 0], 1e-9, rtol=1e-6)
    brute = np.sqrt(np.mean((x[:, None] - x) ** 2, axis=-1))
    assert_allclose(found, np.sort(brute, axis=1)[:, 1:6], rtol=1e-9)
    assert_allclose(dimension.neighbour_distances(x, 2), found[:, :2], rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("size", [1.0, 1e-25, 1e25])
def test_neighbours_are_those_of_all_differences_however_close_the_race(
    dtype: type, size: float
) -> None:
    """Candidates are found in single precision: no rank may depend on its rounding."""
    token = np.arange(60) % 3
    spread = np.where(np.arange(60) < 30, 1.0, 1e-4)[:, None]  # half of the exemplars collapse
    x = 5 + 40 * patterns_of(13, 3, 20)[token] + 10 * spread * patterns_of(14, 60, 20)
    x = (size * x).astype(dtype) if dtype is not np.int64 else x.astype(dtype)
    wide = x.astype(np.float64)
    square = np.array([[np.mean((a - b) ** 2) for b in wide] for a in wide])
    group = np.arange(60) // 2
    for barred, labels in ((np.eye(60, dtype=bool), None), (group[:, None] == group, group)):
        brute = np.sort(np.where(barred, np.inf, np.sqrt(square)), axis=1)
        for k in (2, 9):
            found = dimension.neighbour_distances(x, k, group=labels)
            assert_allclose(found, brute[:, :k], rtol=1e-10)


@given(seed=SEEDS, gain=st.floats(0.01, 100))
def test_two_nn_ignores_rotation_gain_and_shift(seed: int, gain: float) -> None:
    x = patterns_of(seed, 20, 4)
    rotation = np.linalg.qr(patterns_of(seed + 1, 4, 4))[0]
    moved = gain * x @ rotation - 2
    assert_allclose(dimension.two_nn(moved), dimension.two_nn(x), rtol=1e-6)


def test_what_cannot_be_known_is_nan() -> None:
    x = patterns_of(12, 3, 12, 3)
    x[1, 2, 1] = np.nan
    x[2] = 0.3
    assert np.isnan(dimension.two_nn(x)).tolist() == [False, True, True]
    assert np.isnan(dimension.gride(x, [2, 6])[:, 0]).tolist() == [False, True, True]
    assert np.isnan(dimension.gride(x, [2, 6])[0, 1])
    assert np.isnan(dimension.two_nn(x[0, :9]))  # fewer than 10
    assert np.isnan(dimension.two_nn(np.repeat(x[0, :9], 3, axis=0)))  # 9 distinct
    assert np.isnan(dimension.two_nn(x[0], group=np.repeat([0, 1], [11, 1])))
    assert np.isnan(dimension.two_nn(np.arange(12.0)[:, None] ** 0))
    assert np.isnan(dimension.neighbour_distances(x[0], 12)[:, 11]).all()
