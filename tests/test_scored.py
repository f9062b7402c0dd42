"""Which exemplars score recombinations: about 200, groups whole, the others choose."""

import numpy as np
import pytest

pytest.importorskip("torch")

from ontogeny.observe.scored import MOST, N_FOLDS, Scored

pytestmark = pytest.mark.torch


def scored(token, group, tokens=("a", "b")):
    images = np.zeros((len(token), 4, 4, 3), np.uint8)
    known = {"group": group, "factor_part_hair": token % 2, "factor_scale": np.arange(len(token))}
    return Scored.of(images, token, tokens, known, seed=0)


def test_about_so_many_score_and_groups_are_whole():
    token = np.repeat([0, 1], 500)
    group = np.arange(1000) // 4
    found = scored(token, group)
    fold = found.coordinates["exemplar_fold"]
    mine = fold >= 0
    assert MOST <= mine.sum() < MOST + 2 * 4
    assert np.bincount(token[mine]).tolist() == [mine.sum() // 2] * 2
    for one in np.unique(group):
        assert len(set(fold[group == one].tolist())) == 1  # of one fold, or of the other half
    assert sorted(set(fold[mine].tolist())) == list(range(N_FOLDS))
    assert len(found.recombination.probe) == mine.sum()
    assert (found.recombination.chosen == mine).all()
    for c in (0, 1):  # every other group, from the second on
        assert np.unique(group[mine & (token == c)] - 125 * c)[:3].tolist() == [1, 3, 5]


def test_small_probes_score_with_half_of_their_groups():
    token = np.repeat([0, 1], 10)
    fold = scored(token, np.arange(20)).coordinates["exemplar_fold"]
    assert (fold >= 0).tolist() == [False, True] * 10


def test_features_are_in_the_order_of_the_scored_exemplars():
    token = np.tile([0, 1, 1], 40)  # not sorted by token
    found = scored(token, np.arange(120))
    scoring = found.recombination.scoring
    named = found.coordinates["feature"].tolist()
    assert (np.diff(scoring.token.numpy()) >= 0).all()
    assert (scoring.member[named.index("a")].numpy() == (scoring.token.numpy() == 0)).all()
    # the other name of the same parting, in the words of the part's values
    assert "hair crop" in found.coordinates["feature_also"][named.index("a")].split(", ")


def test_fewer_than_two_tokens_score_nothing():
    assert scored(np.zeros(20, int), np.arange(20), ("a",)) is None
    assert Scored.of(np.zeros((4, 2, 2, 3), np.uint8), None, (), {}, seed=0) is None
