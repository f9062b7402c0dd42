"""Change points: planted phases, none on lines; a test that keeps what measures share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.stats import changepoints as cp
from oracles import changepoints as oracles
from oracles.structure import naive_phase_test

TIME = np.arange(60)


def phases(noise: float, seed: int) -> np.ndarray:
    """Flat, rising from snapshot 20, flat from snapshot 40."""
    curve = np.interp(TIME, [0, 20, 40, 59], [0, 0, 1, 1])
    return curve + noise * np.random.default_rng(seed).normal(size=60)


def test_one_change_equals_the_naive_twin() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        series = np.where(rng.integers(10, 50) > TIME, 0.0, 3.0) + rng.normal(size=60)
        found = cp.change_points(series[:, None], TIME, max_changes=1)
        if len(found):
            assert found[0] == oracles.naive_two_phases(series, TIME, 4)


@given(seed=st.integers(0, 1000))
def test_planted_phases_are_found(seed: int) -> None:
    found = cp.change_points(phases(0.02, seed)[:, None], TIME)
    assert len(found) >= 2
    for true in (20, 40):
        assert np.abs(found - true).min() <= 4


def test_lines_and_noise_have_no_change() -> None:
    rng = np.random.default_rng(1)
    counts = [
        len(cp.change_points((slope * TIME + rng.normal(size=60))[:, None], TIME))
        for slope in (0.0, 0.3)
        for _ in range(100)
    ]
    assert np.mean(np.array(counts) > 0) < 0.1


def test_no_phase_is_shorter_than_asked_for() -> None:
    series = phases(0.05, 9)
    series[[10, 11, 30]] += 3
    for min_size in (4, 8):
        found = cp.change_points(series[:, None], TIME, min_size=min_size)
        assert np.diff(np.concatenate([[0], found, [60]])).min() >= min_size


def test_an_exact_line_and_a_constant_have_no_change() -> None:
    assert len(cp.change_points(2.0 * TIME[:, None] + 5, TIME)) == 0
    assert len(cp.change_points(np.full((60, 2), 0.1), TIME)) == 0
    assert len(cp.change_points(np.arange(7.0)[:, None] ** 2, np.arange(7))) == 0


@given(seed=st.integers(0, 1000), gain=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_changes_ignore_gain_and_shift(seed: int, gain: float, shift: float) -> None:
    series = np.stack([phases(0.05, seed), phases(0.05, seed + 1)], axis=1)
    moved = series * np.array([gain, -1]) + shift
    assert_allclose(cp.change_points(moved, 3 * TIME + 7), cp.change_points(series, TIME))


def test_measures_together_date_a_change_better_than_one_alone() -> None:
    alone, together = [], []
    for seed in range(30):
        series = np.stack([phases(0.08, 10 * seed + k) for k in range(8)], axis=1)
        for found, errors in (
            (cp.change_points(series, TIME), together),
            (cp.change_points(series[:, :1], TIME), alone),
        ):
            errors.append(np.abs(found[:, None] - [20, 40]).min(axis=0).max())
    assert np.mean(together) < 0.7 * np.mean(alone)


def test_bad_series_are_refused() -> None:
    series = phases(0.1, 3)[:, None]
    with pytest.raises(InputError, match="at least 3 snapshots, got min_size=2"):
        cp.change_points(series, TIME, min_size=2)
    series[4] = np.nan
    with pytest.raises(InputError, match="measures without NaN, got NaN"):
        cp.change_points(series, TIME)


def walks(rng: np.random.Generator, *, shared: float) -> np.ndarray:
    """Random walks of five measures of one network, which share much of every increment."""
    common, own = rng.standard_t(4, size=(60, 1)), rng.standard_t(4, size=(60, 5))
    return np.cumsum(shared * common + (1 - shared) * own + 0.1, axis=0)


def test_phases_are_told_from_a_drift() -> None:
    series = np.stack([phases(0.05, k) for k in range(5)], axis=1)
    rng = np.random.default_rng(4)
    assert cp.phase_test(series, TIME, n_permutations=99, rng=rng) == 0.01


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_walks_that_share_their_increments_have_phases_in_five_per_cent_of_cases(
    shared: float,
) -> None:
    rng = np.random.default_rng(5)
    p = [cp.phase_test(walks(rng, shared=shared), TIME, n_permutations=19, rng=rng)
         for _ in range(100)]  # fmt: skip
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 100)


def test_noise_about_lines_has_no_phase() -> None:
    rng = np.random.default_rng(6)
    series = 0.1 * TIME[:, None] + rng.normal(size=(60, 3))
    assert cp.phase_test(series, TIME, n_permutations=19, rng=rng) > 0.05
    assert cp.phase_test(TIME[:6, None].astype(float), TIME[:6], rng=rng) == 1


def test_p_equals_the_naive_twin() -> None:
    series, time = walks(np.random.default_rng(7), shared=0.5)[:14, :2], np.log1p(TIME[:14])
    p = cp.phase_test(series, time, n_permutations=29, rng=np.random.default_rng(8))
    twin = naive_phase_test(series, time, 29, np.random.default_rng(8))
    assert p == pytest.approx(twin)


def test_bad_series_are_not_tested() -> None:
    with pytest.raises(InputError, match="measures without NaN, got NaN"):
        cp.phase_test(np.full((60, 1), np.nan), TIME, rng=np.random.default_rng(0))
