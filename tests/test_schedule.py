import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontogeny.errors import InputError
from ontogeny.schedule import DETAILED, detailed_steps, evenly_spaced, snapshot_steps


@given(st.integers(0, 5000), st.integers(1, 300))
def test_grid_holds_zero_the_last_step_and_as_many_snapshots_as_asked(steps, count):
    grid = snapshot_steps(steps, count)
    assert grid[0] == 0
    assert grid[-1] == steps
    assert list(grid) == sorted(set(grid))
    assert len(grid) == 1 + min(count, steps)


@given(st.integers(50, 20000), st.integers(8, 120))
def test_gaps_grow_with_the_step(steps, count):
    gaps = np.diff(snapshot_steps(steps, count))
    half = len(gaps) // 2
    assert gaps[:half].mean() <= gaps[half:].mean()


def test_default_grid_is_dense_where_structure_forms():
    grid = snapshot_steps(1200, 60)
    assert grid[:14] == tuple(range(14))
    assert max(np.diff(grid)) < 0.1 * 1200


def test_every_nth_step():
    assert snapshot_steps(10, "every:3") == (0, 3, 6, 9, 10)


def test_explicit_steps_gain_the_ends():
    assert snapshot_steps(10, [4, 2, 4]) == (0, 2, 4, 10)


@pytest.mark.parametrize(
    ("snapshots", "message"),
    [
        ("every:0", 'got "every:0"'),
        ("often", 'got "often"'),
        (0, "expected at least 1 snapshot, got 0"),
        ([3, 11, -1], r"within 0 ... 10, got \[-1, 11\]"),
    ],
)
def test_impossible_schedules_are_refused(snapshots, message):
    with pytest.raises(InputError, match=message):
        snapshot_steps(10, snapshots)


def test_negative_length_is_refused():
    with pytest.raises(InputError, match="expected steps >= 0, got -1"):
        snapshot_steps(-1)


@pytest.mark.parametrize("n", [1, 2, 12, 13, 14, 61, 1001])
def test_detailed_snapshots_hold_the_ends_and_are_evenly_spaced(n):
    steps = [3 * k for k in range(n)]
    places = sorted(step // 3 for step in detailed_steps(steps))
    assert len(places) == min(n, DETAILED)
    assert places[0] == 0
    assert places[-1] == n - 1
    gaps = np.diff(places)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


@given(st.integers(1, 500), st.integers(2, 60))
def test_evenly_spaced_places_hold_both_ends_and_as_many_as_there_can_be(length, count):
    places = evenly_spaced(length, count)
    assert places[0] == 0
    assert places[-1] == length - 1
    assert len(places) == min(length, count)
    assert np.ptp(np.diff(places)) <= 1 if length > 1 else True


def test_evenly_spaced_places_of_a_record():
    assert evenly_spaced(12, 5).tolist() == [0, 3, 6, 8, 11]
    assert evenly_spaced(2, 5).tolist() == [0, 1]
    assert evenly_spaced(7, 1).tolist() == [0]
    assert evenly_spaced(0, 3).tolist() == []
