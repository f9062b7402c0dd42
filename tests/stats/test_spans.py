import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ontogeny.stats.spans import (
    Change,
    between_snapshots,
    constant_from,
    end_index,
    first_index,
    held,
    label_changes,
)
from oracles.tuning import held_twin

FLAGS = st.lists(st.booleans(), min_size=1, max_size=14)


@given(FLAGS, st.integers(1, 4))
def test_held_equals_the_twin_and_holding_again_changes_nothing(flags, hold):
    kept = held(np.array(flags), hold)
    assert kept.tolist() == held_twin(flags, hold)
    assert_array_equal(held(kept, hold), kept)


def test_batch_axes_lead():
    flags = np.random.default_rng(0).random((3, 4, 12)) > 0.4
    assert held(flags, 3)[1, 2].tolist() == held_twin(flags[1, 2].tolist(), 3)


def test_first_and_end_and_constancy():
    flags = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]], dtype=bool)
    assert first_index(flags).tolist() == [1, 4, 0]
    assert end_index(flags).tolist() == [3, 0, 4]
    assert constant_from(np.array([[1, 2, 2, 2], [3, 3, 3, 3], [1, 1, 1, 2]])).tolist() == [1, 0, 3]


def test_changes_need_both_labels_held_and_bridge_gaps_of_one_label():
    labels = np.array([0, 0, -1, 0, 0, 1, 2, 2, -1, -1, 0, 0])
    assert label_changes(labels, 2) == [Change(0, 2, 0, 4, 6), Change(2, 0, 6, 7, 10)]
    assert label_changes(labels, 3) == []
    assert label_changes(np.array([-1, -1]), 1) == []


def test_intervals_are_infinite_at_both_ends():
    after, by = between_snapshots(np.array([0, 2, 3]), np.array([0, 5, 9]))
    assert after.tolist() == [-np.inf, 5, 9]
    assert by.tolist() == [0, 9, np.inf]
