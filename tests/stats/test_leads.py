"""Leads of tokens' units equal their definitions, and are rare where units' tokens mean nothing."""

from collections import Counter

import numpy as np
import pytest

from ontogeny.stats.leads import FEWEST, leads, shuffled_within
from oracles import finds as naive


def drawn(seed, n=40, n_tokens=3, n_snapshots=4):
    rng = np.random.default_rng(seed)
    begun = np.maximum.accumulate(rng.random((n, n_snapshots)) < 0.3, axis=1)
    return begun, rng.integers(0, n_tokens, n), np.arange(n) // (n // 2)


def test_shares_and_bounds_are_those_of_each_unit_and_shuffle():
    begun, token, layer = drawn(0)
    found = leads(begun, token, layer, 3, n_draws=60, rng=np.random.default_rng(4))
    dealt = shuffled_within(token, layer, n_draws=60, rng=np.random.default_rng(4))
    for k in range(3):
        for at in range(4):
            assert found.own[at, k] == pytest.approx(naive.share(begun, token == k, at))
            assert found.others[at, k] == pytest.approx(naive.share(begun, token != k, at))
            bound = naive.lead_bound(begun, dealt, k, 3, at)
            assert found.bound[at, k] == pytest.approx(bound)


def test_the_interval_is_that_of_resampled_units():
    begun, token, layer = drawn(1, n=60)
    found = leads(begun, token, layer, 3, n_draws=4_000, rng=np.random.default_rng(0))
    rng, mine, rest = np.random.default_rng(9), begun[token == 1, 2], begun[token != 1, 2]
    again = [rng.choice(mine, len(mine)).mean() - rng.choice(rest, len(rest)).mean()
             for _ in range(4_000)]  # fmt: skip
    expected = np.quantile(again, [0.025, 0.975])
    assert (found.low[2, 1], found.high[2, 1]) == pytest.approx(tuple(expected), abs=0.03)


def test_tokens_are_shuffled_within_layers_in_all_ways():
    token, layer = np.array([0, 1, 2, 0, 0, 1]), np.array([0, 0, 0, 1, 1, 1])
    dealt = shuffled_within(token, layer, n_draws=6_000, rng=np.random.default_rng(0))
    first, second = (Counter(map(tuple, part.tolist())) for part in (dealt[:, :3], dealt[:, 3:]))
    assert len(first) == 6 and len(second) == 3
    assert all(abs(n / 6_000 - 1 / 6) < 0.02 for n in first.values())
    assert all(abs(n / 6_000 - 1 / 3) < 0.03 for n in second.values())


def test_a_token_with_too_few_units_or_all_of_them_is_not_compared():
    begun, layer = np.ones((12, 2), dtype=bool), np.zeros(12, dtype=int)
    few = leads(begun, np.repeat([0, 1], [13 - FEWEST, FEWEST - 1]), layer, 2, n_draws=20,
                rng=np.random.default_rng(0))  # fmt: skip
    assert np.isfinite(few.own[:, 0]).all() and np.isnan(few.own[:, 1]).all()
    alone = leads(begun, np.zeros(12, dtype=int), layer, 2, n_draws=20,
                  rng=np.random.default_rng(0))  # fmt: skip
    assert all(np.isnan(part).all() for part in alone)


def test_tokens_that_mean_nothing_lead_in_few_runs():
    """Layers begin at times of their own: only shuffles within them leave no lead."""
    passed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        layer = np.repeat([0, 1], 40)
        token = np.concatenate([rng.choice(3, 40, p=[0.6, 0.2, 0.2]), rng.integers(0, 3, 40)])
        begun = rng.random((80, 1)) < np.where(layer, 0.1, 0.7)[:, None]
        found = leads(begun, token, layer, 3, n_draws=199, rng=rng)
        passed += bool((found.own - found.others > found.bound).any())
    assert passed <= 0.08 * 200
