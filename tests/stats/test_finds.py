"""Chance finds, and counts against chance, equal their definitions."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats.finds import chance_finds, count_interval, dealt_counts, fewest_beyond_chance
from oracles import ancestry as naive_ancestry
from oracles import finds as naive


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_chance_finds_equal_their_definition(seed):
    rng = np.random.default_rng(seed)
    values, null = rng.integers(0, 9, (6, 3)) / 9, rng.integers(0, 9, (5, 3)) / 9
    expected = naive_ancestry.chance_finds(values.ravel(), null.ravel()).reshape(values.shape)
    assert_allclose(chance_finds(values, null), expected, rtol=1e-10)


def test_few_of_the_finds_among_noise_are_said_to_be_finds():
    rng = np.random.default_rng(0)
    found = [bool((chance_finds(*rng.exponential(size=(2, 100))) <= 0.1).any()) for _ in range(200)]
    assert np.mean(found) <= 0.15  # the null is itself a sample


def test_dealt_counts_are_those_of_all_ways_to_deal():
    finds = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)
    several, one = dealt_counts(finds, n_draws=40_000, rng=np.random.default_rng(0))
    expected = Counter(naive.dealt_counts(finds.tolist()))
    seen, total = Counter(zip(several.tolist(), one.tolist(), strict=True)), expected.total()
    assert set(seen) == set(expected)
    for pair, ways in expected.items():
        assert seen[pair] / 40_000 == pytest.approx(ways / total, abs=0.01)


@pytest.mark.parametrize(("of", "chance"), [(1, 0.05), (9, 0.05), (30, 0.05), (12, 0.4)])
def test_fewer_than_one_in_twenty_reach_the_bound_by_chance(of, chance):
    bound = fewest_beyond_chance(of, chance)
    assert naive.tail(bound, of, chance) <= 0.05 < naive.tail(bound - 1, of, chance)


@pytest.mark.parametrize(("count", "of"), [(0, 9), (1, 9), (7, 9), (9, 9), (3, 40)])
def test_the_interval_of_a_count_has_both_tails(count, of):
    assert count_interval(count, of) == pytest.approx(naive.count_interval(count, of), abs=1e-6)
