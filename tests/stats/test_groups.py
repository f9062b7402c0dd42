"""Folds and permutations keep groups whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontogeny.errors import InputError
from ontogeny.stats.groups import (
    group_permutations,
    grouped_folds,
    half_of_groups,
    ranks_of_groups,
)


@given(seed=st.integers(0, 1000), n_folds=st.integers(2, 5))
def test_folds_keep_groups_whole_and_spread_tokens_evenly(seed: int, n_folds: int) -> None:
    token = np.repeat([0, 1, 2], 20)
    group = np.arange(60) // 2
    fold = grouped_folds(token, group, n_folds=n_folds, rng=np.random.default_rng(seed))
    assert all(len(set(fold[group == g])) == 1 for g in range(30))
    counts = np.array([np.bincount(fold[token == c], minlength=n_folds) for c in range(3)])
    assert np.ptp(counts, axis=1).max() <= 2  # one group


def test_more_folds_than_groups_is_refused() -> None:
    with pytest.raises(InputError, match=r"as many as there are groups \(2\), got 3"):
        grouped_folds(
            np.zeros(4, dtype=int),
            np.array([0, 0, 1, 1]),
            n_folds=3,
            rng=np.random.default_rng(0),
        )


@given(seed=st.integers(0, 1000))
def test_permutations_move_groups_whole(seed: int) -> None:
    group = np.array([3, 0, 0, 1, 1, 2, 2, 2, 5, 5, 5, 4])
    permutations = group_permutations(group, n_permutations=5, rng=np.random.default_rng(seed))
    for permutation in permutations:
        assert sorted(permutation) == list(range(12))
        moved = group[permutation]
        for g in range(6):
            assert len(set(moved[group == g])) == 1  # a whole group comes in a group's place
            inside = permutation[group == g]
            assert np.all(np.diff(inside) > 0)  # in its own order


def test_permutations_are_uniform_over_singletons() -> None:
    permutations = group_permutations(
        np.arange(4), n_permutations=4000, rng=np.random.default_rng(0)
    )
    first = np.bincount(permutations[:, 0], minlength=4) / 4000
    assert np.abs(first - 0.25).max() < 0.03


def test_groups_of_which_no_two_are_equal_cannot_be_exchanged() -> None:
    with pytest.raises(InputError, match=r"two groups of equal size to exchange, got sizes"):
        group_permutations(np.array([0, 1, 1]), n_permutations=2, rng=np.random.default_rng(0))


def half_twin(token, group):
    """0 and 1 in turns over a token's groups in ascending order; a single group lies in half 1."""
    found = []
    for t, g in zip(token, group, strict=True):
        mine = sorted({h for h, u in zip(group, token, strict=True) if u == t})
        found.append(1 if len(mine) == 1 else mine.index(g) % 2)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_ranks_and_halves_equal_the_twin(seed):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 15, 50) * 3
    token = group % 4 if seed % 2 else rng.integers(0, 5, 50)  # groups within tokens, and across
    ranks = [sorted(set(group[token == t].tolist())).index(g)
             for t, g in zip(token, group.tolist(), strict=True)]  # fmt: skip
    assert ranks_of_groups(token, group).tolist() == ranks
    assert half_of_groups(token, group).tolist() == half_twin(token.tolist(), group.tolist())


def test_halves_keep_groups_whole_and_leave_a_single_group_in_half_1():
    token, group = np.array([2, 2, 2, 2, 0, 0]), np.array([5, 9, 5, 9, 1, 1])
    assert half_of_groups(token, group).tolist() == [0, 1, 0, 1, 1, 1]
