import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from ontogeny.stats.assemblies import (
    adjusted_rand,
    by_size,
    leiden,
    modularity,
    named_over_time,
    normalised_information,
    source_shuffles,
    symmetric_graph,
)
from oracles import graph as oracles

SEEDS = st.integers(0, 10_000)


def planted(rng, *, blocks=4, size=30, inside=0.3, outside=0.01):
    """A graph of blocks, denser inside, and the blocks."""
    member = np.repeat(np.arange(blocks), size)
    n = len(member)
    rate = np.where(member[:, None] == member, inside, outside)
    source, target = np.nonzero(np.triu(rng.random((n, n)) < rate, 1))
    graph = symmetric_graph(rng.uniform(0.5, 1.5, len(source)), source, target, n)
    return graph, member


@pytest.mark.parametrize("seed", range(5))
def test_planted_blocks_are_recovered(seed):
    graph, member = planted(np.random.default_rng(seed))
    label = leiden(graph, seed=seed)
    assert normalised_information(label, member) > 0.99
    again = leiden(graph, seed=seed, start=np.arange(len(member)) % 7)  # says nothing of blocks
    assert normalised_information(again, member) > 0.99


@pytest.mark.peers
@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
def test_quality_is_not_worse_than_that_of_leidenalg(resolution):
    import igraph
    import leidenalg

    ours, theirs = [], []
    for seed in range(8):
        graph, _ = planted(np.random.default_rng(seed), inside=0.15, outside=0.04)
        half = sparse.coo_matrix(sparse.triu(graph))
        other = igraph.Graph(list(zip(half.row.tolist(), half.col.tolist(), strict=True)))
        for trial in range(3):
            found = leidenalg.find_partition(
                other, leidenalg.RBConfigurationVertexPartition, weights=half.data.tolist(),
                seed=trial, resolution_parameter=resolution,
            )  # fmt: skip
            label = leiden(graph, resolution=resolution, seed=trial)
            ours.append(modularity(graph, label, resolution=resolution))
            theirs.append(modularity(graph, np.array(found.membership), resolution=resolution))
    assert np.mean(ours) >= np.mean(theirs)


def test_a_start_that_is_best_already_is_kept():
    graph, member = planted(np.random.default_rng(0))
    assert_array_equal(leiden(graph, start=member), by_size(member))


def test_nodes_without_edges_are_in_no_community():
    graph = symmetric_graph(np.array([1.0, 1.0, 0.0]), np.array([0, 1, 3]), np.array([1, 2, 4]), 6)
    for start in (None, np.array([0, 0, 0, 1, 1, -1])):
        label = leiden(graph, start=start)
        assert_array_equal(label == -1, [False, False, False, True, True, True])
    empty = symmetric_graph(np.zeros(1), np.array([0]), np.array([1]), 3)
    assert_array_equal(leiden(empty), [-1, -1, -1])
    assert np.isnan(modularity(empty, leiden(empty)))


@given(seed=SEEDS, resolution=st.sampled_from([0.5, 1.0, 2.0]))
@settings(max_examples=20)
def test_modularity_equals_its_twin(seed, resolution):
    rng = np.random.default_rng(seed)
    graph, _ = planted(rng, blocks=2, size=8)
    label = rng.integers(-1, 3, 16)
    expected = oracles.modularity(graph.toarray().tolist(), label.tolist(), resolution)
    assert_allclose(
        modularity(graph, label, resolution=resolution), expected, rtol=1e-10, atol=1e-14
    )


@given(seed=SEEDS)
@settings(max_examples=30)
def test_agreement_of_partitions_equals_its_twins(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, 20), rng.integers(0, 3, 20)
    assert_allclose(adjusted_rand(a, b), oracles.adjusted_rand(a, b), rtol=1e-10, atol=1e-14)
    expected = oracles.normalised_information(a.tolist(), b.tolist())
    assert_allclose(normalised_information(a, b), expected, rtol=1e-10, atol=1e-12)
    assert_allclose(adjusted_rand(a, 9 - a), 1, rtol=1e-10)
    assert_allclose(normalised_information(a, 9 - a), 1, rtol=1e-10)


def test_shuffles_keep_what_each_source_gives():
    rng = np.random.default_rng(0)
    source, value = rng.integers(0, 6, 50), rng.random(50)
    for row in source_shuffles(source, n_shuffles=5, rng=rng):
        assert_array_equal(np.sort(row), np.arange(50))
        assert_array_equal(source[row], source)
        assert_allclose(
            np.bincount(source, value[row]), np.bincount(source, value), rtol=1e-10
        )  # fmt: skip


def test_names_last_while_numbers_change():
    a, b = np.repeat([0, 1], 10), np.repeat([1, 0], 10)
    named = named_over_time(np.array([a, b, a, b]))
    assert_array_equal(named.name, np.tile(a, (4, 1)))
    assert [(k, what) for k, what, _, _ in named.events] == [(0, "born"), (0, "born")]


def test_a_split_and_a_merger_are_told():
    whole, halves = np.zeros(30, dtype=int), np.repeat([0, 1], [18, 12])
    named = named_over_time(np.array([whole, whole, whole, halves, halves, halves, whole, whole]))
    assert named.events == [(0, "born", 0, ()), (3, "split", 1, (0,)), (6, "merged", 1, (0,))]
    assert_array_equal(named.name[4], halves)


def test_small_and_short_lived_communities_have_no_name():
    small = np.repeat([0, 1], [20, 4])
    named = named_over_time(np.array([small] * 4))
    assert_array_equal(np.unique(named.name[0][20:]), [-1])
    brief = np.repeat([0, 1], [20, 10])
    none = np.where(brief == 1, -1, brief)
    named = named_over_time(np.array([none, brief, brief, none, none]))
    assert named.events == [(0, "born", 0, ())]
    assert (named.name[:, 20:] == -1).all()


def test_by_size_numbers_the_largest_first():
    assert_array_equal(by_size(np.array([7, 3, 3, -1, 9, 9, 9])), [2, 1, 1, -1, 0, 0, 0])
