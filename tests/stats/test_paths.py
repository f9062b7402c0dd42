from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats.paths import disjoint_paths, path_cost, path_costs
from oracles import graph as oracles


@given(seed=st.integers(0, 100_000), k=st.integers(1, 3))
@settings(max_examples=80)
def test_paths_cost_as_little_as_the_best_of_all_sets(seed, k):
    rng = np.random.default_rng(seed)
    sizes = (2, 4, 3, 4, 2)
    strengths = [rng.random((a, b)) * (rng.random((a, b)) < 0.7)
                 for b, a in pairwise(sizes)]  # fmt: skip
    costs = path_costs(strengths)
    found = disjoint_paths(costs, 1, k)
    best = oracles.best_disjoint(costs, 1, k)
    if best is None:
        assert len(found) < k
    else:
        assert len(found) == k
        assert_allclose(sum(path_cost(costs, p) for p in found), best, rtol=1e-10)
    for layer in range(1, len(sizes) - 1):
        nodes = [p[layer] for p in found]
        assert len(set(nodes)) == len(nodes)
    each = [path_cost(costs, p) for p in found]
    assert each == sorted(each)


def test_the_second_path_reroutes_the_first():
    """The strongest path takes what two paths together need: greedily there would be one."""
    strengths = [np.ones((2, 1)), np.array([[0.9, 0.5], [0.6, 0.0]]), np.array([[1.0, 1.0]])]
    costs = path_costs(strengths)
    assert disjoint_paths(costs, 0, 1) == [(0, 0, 0, 0)]
    assert sorted(disjoint_paths(costs, 0, 2)) == [(0, 0, 1, 0), (0, 1, 0, 0)]
    assert len(disjoint_paths(costs, 0, 5)) == 2


def test_no_edge_no_path():
    costs = path_costs([np.array([[0.0], [np.nan]]), np.ones((1, 2))])
    assert np.isinf(costs[0]).all()
    assert disjoint_paths(costs, 0, 3) == []


def test_an_edge_into_the_top_is_taken_once():
    """Without a layer between, only the edge keeps the same path from being found again."""
    costs = path_costs([np.array([[0.2, 0.9, 0.0]])])
    assert disjoint_paths(costs, 0, 5) == [(1, 0), (0, 0)]


@pytest.mark.parametrize("factor", [0.1, 1e-6])
def test_scale_of_a_layer_does_not_matter(factor):
    rng = np.random.default_rng(0)
    strengths = [rng.random((6, 3)), rng.random((5, 6)), rng.random((2, 5))]
    expected = disjoint_paths(path_costs(strengths), 0, 3)
    strengths[1] = strengths[1] * factor
    assert disjoint_paths(path_costs(strengths), 0, 3) == expected
