"""Intervals of shares, confusions beside errors by chance, and rises of a loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ontogeny.stats.shares import confusions, rise_after_lowest, wilson_interval
from oracles import shares as oracles


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_of_whole_draws_is_that_of_scipy(drawn):
    right, of = drawn
    found = np.ravel(wilson_interval(np.array([right / of]), of))
    peer = binomtest(right, of).proportion_ci(method="wilson")
    assert found == pytest.approx((peer.low, peer.high), abs=1e-12)


def tables(seed, n=4):
    rng = np.random.default_rng(seed)
    exemplars = rng.integers(5, 40, n)
    counts = np.stack([rng.multinomial(k, rng.dirichlet(np.ones(n))) for k in exemplars])
    return counts / exemplars[:, None], exemplars, np.maximum(1, exemplars // rng.integers(1, 5))


@given(st.integers(0, 200))
def test_confusions_are_those_of_each_pair_alone(seed):
    table, exemplars, draws = tables(seed)
    found = confusions(table, exemplars, draws)
    assert np.isnan(np.diag(found.share)).all()
    for i in range(4):
        for j in range(4):
            if i != j:
                got = found.share[i, j], found.by_chance[i, j], found.bound[i, j]
                expected = oracles.confusion_of(table, exemplars, draws, i, j)
                assert got == pytest.approx(expected, abs=1e-12)


EVEN = np.where(np.eye(5), 0.6, 0.1)
LEANING = np.tile([0.7, 0.1, 0.1, 0.06, 0.04], (5, 1))


@pytest.mark.parametrize("even", [EVEN, LEANING], ids=["evenly", "to one token"])
def test_errors_spread_by_chance_pass_the_bound_in_few_runs(even):
    rng, passed = np.random.default_rng(0), 0
    exemplars = np.full(5, 60)
    for _ in range(400):
        table = np.stack([rng.multinomial(60, row) for row in even]) / 60
        found = confusions(table, exemplars, exemplars)
        passed += bool((found.share > found.bound).any())
    assert passed <= 0.08 * 400


def test_exemplars_of_one_group_count_once():
    table = np.array([[0.5, 0.4, 0.1], [0.4, 0.5, 0.1], [0.1, 0.1, 0.8]])
    alone = confusions(table, np.full(3, 40), np.full(3, 40))
    grouped = confusions(table, np.full(3, 40), np.full(3, 3))
    assert alone.share[0, 1] > alone.bound[0, 1] and grouped.share[0, 1] < grouped.bound[0, 1]


@pytest.mark.parametrize("table", [np.eye(2), np.full((3, 3), np.nan)])
def test_what_cannot_be_confused_otherwise_is_nan(table):
    found = confusions(table, np.full(len(table), 9), np.full(len(table), 9))
    assert all(np.isnan(part).all() for part in found)


@given(st.integers(0, 100))
def test_the_rise_is_that_of_exemplars_that_did_not_choose(seed):
    rng = np.random.default_rng(seed)
    loss, chooses = rng.exponential(size=(6, 9)), np.arange(9) % 2 == 0
    weights = rng.multinomial(4, [0.25] * 4, size=200).astype(float)
    found = rise_after_lowest(loss, chooses, weights)
    assert (found.place, found.rise) == pytest.approx(oracles.rise(loss.tolist(), chooses))
    again = [np.average((loss[-1] - loss[found.place])[~chooses], weights=w) for w in weights]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(again, [0.025, 0.975])))
    assert found.bound == pytest.approx(np.quantile(np.array(again) - found.rise, 0.95))


def test_a_loss_that_only_falls_does_not_rise():
    loss = np.linspace(2, 1, 8)[:, None] * np.ones(10)
    found = rise_after_lowest(loss, np.arange(10) < 5, np.ones((20, 5)))
    assert found.place == 7 and found.rise == 0
