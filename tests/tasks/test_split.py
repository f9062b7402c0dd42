"""Groups and splits: equal to their naive twins, and what sweeps over density rely on."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontogeny.errors import InputError
from ontogeny.tasks.split import (
    PROBE,
    SPARE,
    TRAIN,
    default_probe,
    draw_split,
    join_groups,
    select_tokens,
)
from oracles.split import draw_split_twin, join_groups_twin

NAMES = ("ash", "beech", "cedar")


def split_of(n=40, groups=None, **options):
    token = np.repeat(np.arange(3), n)
    group = np.arange(3 * n) if groups is None else groups
    return token, draw_split(token, NAMES, group, **options)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_join_groups_equals_its_twin(rows):
    images = np.array([[pixel] for pixel, _ in rows], dtype=np.uint8)
    group = np.array([g for _, g in rows])
    assert join_groups(images, group).tolist() == join_groups_twin(images, group)


def test_chains_of_groups_and_duplicates_become_one_group():
    images = np.array([[0], [1], [1], [2], [2], [9]], dtype=np.uint8)
    group = np.array([7, 7, 8, 8, 5, 6])
    assert join_groups(images, group).tolist() == [0, 0, 0, 0, 0, 5]


def test_groups_may_be_text():
    images = np.arange(3, dtype=np.uint8)[:, None]
    assert join_groups(images, np.array(["ann", "bob", "ann"])).tolist() == [0, 1, 0]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 25)), min_size=24, max_size=40),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 5),
)
def test_draw_split_equals_its_twin_or_says_why_not(rows, density, probe, seed):
    token = np.array([t for t, _ in rows])
    group = np.array([g for _, g in rows])
    expected = np.array(
        draw_split_twin(token.tolist(), NAMES, group.tolist(), density, probe, seed)
    )
    enough = all(
        (np.bincount(token[expected == which], minlength=3) == n).all()
        for which, n in ((PROBE, probe), (TRAIN, density))
    )
    if enough:
        split = draw_split(token, NAMES, group, density=density, probe=probe, seed=seed)
        np.testing.assert_array_equal(split, expected)
        assert all(len(set(split[group == g]) - {SPARE}) <= 1 for g in set(group))
    else:
        with pytest.raises(InputError, match="expected"):
            draw_split(token, NAMES, group, density=density, probe=probe, seed=seed)


def test_each_token_gets_what_was_asked_and_the_rest_is_spare():
    token, split = split_of(density=20, probe=12)
    for which, n in ((TRAIN, 20), (PROBE, 12), (SPARE, 8)):
        assert np.bincount(token[split == which]).tolist() == [n] * 3


def test_without_a_density_all_but_the_probe_is_trained_on():
    _, split = split_of(probe=12)
    assert np.bincount(split).tolist() == [3 * 28, 3 * 12]


def test_the_probe_is_the_same_at_every_density_and_training_sets_are_nested():
    splits = [split_of(density=density, probe=10)[1] for density in (5, 10, 30)]
    for sparse, dense in pairwise(splits):
        np.testing.assert_array_equal(sparse == PROBE, dense == PROBE)
        assert set(np.flatnonzero(sparse == TRAIN)) < set(np.flatnonzero(dense == TRAIN))


def test_splits_follow_the_seed():
    assert (split_of(seed=3)[1] == split_of(seed=3)[1]).all()
    assert (split_of(seed=3)[1] != split_of(seed=4)[1]).any()


def test_the_draw_is_random_within_a_token():
    _, split = split_of(n=1000, probe=100)
    places = np.flatnonzero(split[:1000] == PROBE)
    assert abs(places.mean() - 499.5) < 5 * 1000 / np.sqrt(12 * 100)
    assert len(set(np.diff(places))) > 10


def test_a_token_is_split_alike_whatever_the_other_tokens_are():
    token, split = split_of(density=20, probe=10)
    pair = draw_split(np.repeat([0, 1], 40), NAMES[::2], np.arange(80), density=20, probe=10)
    np.testing.assert_array_equal(pair, split[token != 1])


def test_a_group_across_two_tokens_counts_in_both():
    groups = np.arange(120)
    groups[40:50] = np.arange(10)  # ten exemplars occur under ash and under beech
    token, split = split_of(groups=groups, density=25, probe=15)
    np.testing.assert_array_equal(split[:10], split[40:50])
    assert np.bincount(token[split == PROBE]).tolist() == [15] * 3
    assert np.bincount(token[split == TRAIN]).tolist() == [25] * 3


@pytest.mark.parametrize(
    ("counts", "probe"), [([633, 898], 100), ([500, 500], 100), ([60, 900], 12), ([3, 9], 1)]
)
def test_the_probe_takes_at_most_a_fifth_when_it_was_not_given(counts, probe):
    assert default_probe(np.array(counts)) == probe


def test_large_groups_shrink_the_probe_only_when_it_was_not_given():
    groups = np.arange(120) // 6
    token, split = split_of(groups=groups)  # a fifth is 8, and one group of 6 or so fits
    assert 1 <= np.bincount(token[split == PROBE]).min() <= 8
    with pytest.raises(InputError, match="because groups are never divided: ask for another"):
        split_of(groups=groups, probe=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"density": 35, "probe": 10},
            r"at least 45 exemplars per token \(35 to train on and 10 for the probe\), got ash 40, "
            r"beech 40, cedar 40: ask for a density of at most 30, or for a smaller probe",
        ),
        ({"probe": 40}, r"1 or more to train on and 40 .*: ask for a probe of at most 39"),
        ({"probe": 50, "density": 5}, "ask for a probe and a density of at most 40 together"),
        ({"density": 0}, "got density 0: ask for more"),
        ({"probe": 0, "seed": -1}, "got probe 0, seed -1"),
        ({"density": 5, "n": 1}, "ash 1, .* add exemplars or leave the smallest tokens out"),
    ],
)
def test_too_few_exemplars_are_told_token_by_token(options, message):
    with pytest.raises(InputError, match=message):
        split_of(**options)


@pytest.mark.parametrize(
    ("tokens", "chosen"), [(None, NAMES), (2, NAMES[:2]), (["cedar", "ash"], ("cedar", "ash"))]
)
def test_tokens_are_chosen_by_number_or_name(tokens, chosen):
    assert select_tokens(NAMES, tokens) == chosen


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (4, "expected tokens of 2 to 3, got 4"),
        (1, r"at least two tokens to classify, got 1 \(ash\)"),
        (["oak", "ash"], "out of ash, beech, cedar, got no token called oak"),
        (["ash", "ash"], "got a token named twice"),
        ("ash", r"got 1 \(ash\)"),
        ([], r"got 0 \(none\)"),
    ],
)
def test_tokens_that_cannot_be_chosen(tokens, message):
    with pytest.raises(InputError, match=message):
        select_tokens(NAMES, tokens)
