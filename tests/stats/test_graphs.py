import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr

from ontogeny.stats.graphs import (
    Transitions,
    chance_births,
    concentration,
    fewest_holding,
    flow_down,
    hub_p,
    largest,
    mean_sharing,
    permuted_sharing,
    portions,
    reuse_by_chance,
    score_correlation,
    sharing,
    transitions,
)
from oracles import graph as oracles

SEEDS = st.integers(0, 10_000)


@given(seed=SEEDS, hold=st.integers(1, 4), rate=st.floats(0.1, 0.9))
@settings(max_examples=40)
def test_births_and_deaths_equal_a_walk_along_each_edge(seed, hold, rate):
    present = np.random.default_rng(seed).random((12, 9)) < rate
    born, died = transitions(present, hold=hold)
    expected = oracles.transitions(present.tolist(), hold)
    assert_array_equal(born, expected[0])
    assert_array_equal(died, expected[1])
    assert ((born.sum(0) - died.sum(0)) <= 1).all()


def test_a_gap_shorter_than_the_hold_neither_kills_nor_bears():
    column = np.array([0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1], dtype=bool)[:, None]
    born, died = transitions(column)
    assert_array_equal(np.flatnonzero(born), [1])
    assert_array_equal(np.flatnonzero(died), [8])


def test_transitions_are_told_hold_minus_one_snapshots_later():
    state = Transitions(1, 2)
    on, off = np.array([True]), np.array([False])
    assert not state.add(on)[0].any()
    assert state.add(on)[0].all()
    assert not state.add(off)[1].any()
    assert state.add(off)[1].all()


def test_chance_births_of_frozen_and_of_forgetful_paths():
    rng = np.random.default_rng(0)
    born, died = chance_births(np.ones(9), level=0.9, n_paths=200_000, rng=rng)
    assert_allclose(born[0], 0.1, atol=0.003)  # sampling
    assert born[1:].sum() == 0 == died.sum()
    born, _ = chance_births(np.zeros(9), level=0.9, n_paths=200_000, rng=rng)
    assert_allclose(born[0], 0.1**3, atol=3e-4)  # sampling
    assert_allclose(born[1], 0.9 * 0.1**3, atol=3e-4)  # sampling


def test_chance_births_lie_between_those_of_frozen_and_forgetful_paths():
    """A path with the same likeness, drawn otherwise, has as many births."""
    rng = np.random.default_rng(1)
    r, x = 0.95, rng.standard_normal(50_000)
    rows = []
    for _ in range(20):
        rows.append(np.abs(x) > 2.5758)
        x = r * x + np.sqrt(1 - r**2) * rng.standard_normal(len(x))
    born, _ = transitions(np.array(rows))
    found, _ = chance_births(np.full(19, r), n_paths=50_000, rng=rng)
    assert_allclose(found.sum(), born.mean(1).sum(), rtol=0.1)  # sampling


def test_score_correlation_is_that_of_ranks_and_ignores_tails():
    rng = np.random.default_rng(2)
    a = rng.standard_normal(2_000)
    b = 0.7 * a + np.sqrt(0.51) * rng.standard_normal(2_000)
    plain = score_correlation(a, b)
    assert_allclose(score_correlation(np.exp(5 * a), b**3), plain, rtol=1e-10)
    assert_allclose(plain, 0.7, atol=0.03)  # sampling
    assert_allclose(plain, spearmanr(a, b).statistic, atol=0.03)  # another score
    b[3] = np.nan
    assert np.isfinite(score_correlation(a, b))
    assert np.isnan(score_correlation(a[:2], b[:2]))
    assert np.isnan(score_correlation(a, np.ones_like(a)))


@given(seed=SEEDS)
@settings(max_examples=30)
def test_concentration_equals_its_twin_and_counts_even_edges(seed):
    rng = np.random.default_rng(seed)
    weight, owner = rng.standard_normal(30), rng.integers(0, 5, 30)
    weight[3] = np.nan
    found = concentration(weight, owner, 6)
    assert_allclose(found, oracles.concentration(weight, owner, 6), rtol=1e-10)
    assert_allclose(concentration(-3 * weight, owner, 6), found, rtol=1e-10)
    count = np.bincount(owner, minlength=5)
    even = np.where(count > 0, count, np.nan)  # an owner without edges has no concentration
    assert_allclose(concentration(np.ones(30), owner, 5), even)


@given(seed=SEEDS)
@settings(max_examples=30)
def test_sharing_equals_its_twin_and_lies_within_its_range(seed):
    amount = np.random.default_rng(seed).random((7, 4))
    found = sharing(amount)
    assert_allclose(found, [oracles.sharing(list(row)) for row in amount], rtol=1e-10)
    assert_allclose(sharing(5 * amount[:, ::-1]), found, rtol=1e-10)
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()


def test_sharing_of_private_even_and_empty_amounts():
    found = sharing(np.array([[2.0, 0, 0], [1, 1, 1], [0, 0, 0]]))
    assert_allclose(found, [0, 1, np.nan], atol=1e-12)
    assert np.isnan(sharing(np.ones((2, 1)))).all()


def layered(sizes):
    """Edges of a chain of fully connected layers."""
    first = np.cumsum([0, *sizes])
    pairs = [(first[k - 1] + i, first[k] + j) for k in range(1, len(sizes))
             for j in range(sizes[k]) for i in range(sizes[k - 1])]  # fmt: skip
    source, target = np.array(pairs).T
    return source, target, int(first[-1])


@given(seed=SEEDS, breadth=st.integers(1, 6) | st.none())
@settings(max_examples=30)
def test_flow_equals_its_twin_and_is_kept_in_each_layer(seed, breadth):
    rng = np.random.default_rng(seed)
    shares = [rng.standard_normal((3, *shape)) for shape in ((2, 5), (5, 4), (4, 3))]
    shares[1][0, 2, 1] = np.nan
    start = rng.uniform(size=(3, 2))
    found = flow_down(map(portions, shares), start, breadth=breadth)
    for batch in range(3):
        own = [share[batch].tolist() for share in shares]
        expected = oracles.flow_down(own, start[batch].tolist(), breadth)
        for (flow, net), (twin_flow, twin_net) in zip(found, expected, strict=True):
            assert_allclose(flow[batch], twin_flow, rtol=1e-10, atol=1e-15)
            assert_allclose(net[batch], twin_net, rtol=1e-10, atol=1e-15)
    if breadth is None:
        for flow, net in found:
            assert_allclose(flow.sum(axis=-1), start.sum(axis=-1), rtol=1e-10)
            assert (np.abs(net) <= flow + 1e-12).all()


def test_portions_have_magnitudes_that_sum_to_1_whatever_the_scale_of_shares():
    share = np.array([[2.0, -6.0, np.nan], [0.0, np.nan, 0.0]], dtype=np.float16)
    assert_allclose(portions(share), [[0.25, -0.75, 0.0], [0.0, 0.0, 0.0]])
    assert_allclose(portions(1000 * share.astype(np.float64)), portions(share))


def test_of_equals_the_first_are_the_largest_and_nothing_that_is_not_positive_is():
    found = largest(np.array([[1.0, 2.0, 2.0, 2.0], [0.0, -1.0, 3.0, 0.0]]), 2)
    assert found.tolist() == [[False, True, True, False], [False, False, True, False]]


def test_tokens_with_units_of_their_own_share_less_than_chance_and_with_the_same_more():
    rng = np.random.default_rng(0)
    loud = np.exp(rng.standard_normal(40) * 1.5)
    alike = np.repeat(loud[:, None], 4, axis=1)
    private = np.zeros((40, 4))
    private[np.arange(40), np.arange(40) % 4] = loud
    for amount, is_more in ((alike, True), (private, False)):
        null = permuted_sharing(amount, n_shuffles=99, rng=rng)
        value = float(mean_sharing(amount))
        assert (value > null.max()) if is_more else (value < null.min() + 1e-9)


def test_hubs_have_the_permutation_p_value():
    rng = np.random.default_rng(3)
    n_s, n_t = 12, 40
    weight = np.abs(rng.standard_normal((n_t, n_s))) ** 2
    weight[:, 4] += 1.0
    source = np.tile(np.arange(n_s), n_t)
    target = n_s + np.repeat(np.arange(n_t), n_s)
    found = hub_p(weight.ravel(), source, target, n_s + n_t)
    draws = np.array([rng.permuted(weight, axis=1).sum(0) for _ in range(4_000)])
    expected = (draws >= weight.sum(0)).mean(0)
    assert_allclose(found[:n_s], expected, atol=0.03)  # sampling, three moments
    assert found[4] < 1e-3
    assert np.isnan(found[n_s:]).all()


def test_hubs_are_named_at_their_rate_where_there_are_none():
    rng = np.random.default_rng(4)
    source, target = np.tile(np.arange(30), 50), 30 + np.repeat(np.arange(50), 30)
    p = np.array([hub_p(np.abs(rng.standard_t(3, 1500)), source, target, 80)[:30]
                  for _ in range(100)])  # fmt: skip
    assert_allclose((p < 0.05).mean(), 0.05, atol=0.015)  # sampling


def test_hub_of_equal_weights_is_not_defined():
    source, target = np.array([0, 1]), np.array([2, 2])
    assert np.isnan(hub_p(np.ones(2), source, target, 3)).all()


@given(seed=SEEDS)
@settings(max_examples=20)
def test_reuse_by_chance_equals_its_twin(seed):
    rng = np.random.default_rng(seed)
    source, target, n = layered((4, 6))
    present = rng.random(len(source)) < 0.3
    present[0] = True
    expected = oracles.reuse_by_chance(present.tolist(), source.tolist(), target.tolist())
    assert_allclose(reuse_by_chance(present, source, target, n), expected, rtol=1e-10)


def test_reuse_by_chance_of_no_edge_is_not_defined():
    source, target, n = layered((4, 6))
    assert np.isnan(reuse_by_chance(np.zeros(24, dtype=bool), source, target, n))


@pytest.mark.parametrize("hold", [1, 5])
def test_frozen_presence_is_born_at_once_and_never_dies(hold):
    born, died = transitions(np.ones((6, 3), dtype=bool), hold=hold)
    assert born[0].all()
    assert born.sum() == 3
    assert not died.any()


@given(seed=SEEDS, n=st.integers(1, 7), share=st.floats(0.05, 1.0))
@settings(max_examples=60)
def test_the_fewest_that_hold_a_share_are_the_smallest_of_all_subsets(seed, n, share):
    rng = np.random.default_rng(seed)
    values = rng.random((2, n)) * rng.integers(0, 2, (2, n))
    found = fewest_holding(values, share)
    for row, kept in zip(values, found, strict=True):
        best = oracles.fewest_holding(row.tolist(), share)
        if row.sum() > 0.01 and share < 0.999:  # where rounding decides nothing
            assert_array_equal(kept, best)
        assert not (kept & (row == 0)).any()


def test_of_equals_the_first_are_kept_and_of_nothing_none():
    assert_array_equal(fewest_holding(np.ones(4), 0.5), [True, True, False, False])
    assert not fewest_holding(np.zeros(3), 1.0).any()
    assert fewest_holding(np.array([0.2, 0.5, 0.3]), 1.0).all()
