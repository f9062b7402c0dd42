"""Assemblies: communities of a weighted graph, how certain they are, and who is who over time.

May import numpy, scipy and graspologic_native only.

References
----------
Traag, Waltman & van Eck 2019 (Leiden); Newman & Girvan 2004 (modularity); Reichardt & Bornholdt
2006 (resolution); Hubert & Arabie 1985 (adjusted Rand index); Strehl & Ghosh 2002 (normalised
mutual information); Greene, Doyle & Cunningham 2010 (communities matched by Jaccard index).
"""

from typing import NamedTuple

import graspologic_native
import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.optimize import linear_sum_assignment

Array = np.ndarray

NONE = -1
"""The community of a node without edges."""
_ITERATIONS = 4
_INERTIA = 0.05
"""Share of a node's strength by which it is tied to the community that it was in before."""


def symmetric_graph(
    weight: Float[Array, " edge"],
    source: Int[Array, " edge"],
    target: Int[Array, " edge"],
    n_nodes: int,
) -> sparse.csr_matrix:
    """Return the undirected graph of edges; weights must be >= 0, those of 0 are no edges."""
    kept = weight > 0
    pairs = (source[kept], target[kept])
    half = sparse.csr_matrix((weight[kept].astype(np.float64), pairs), shape=(n_nodes, n_nodes))
    # an edge in both directions counts with both weights, so that modularity sees one matrix
    graph = sparse.csr_matrix(half + half.T)
    graph.sort_indices()
    return graph


def leiden(
    graph: sparse.csr_matrix,
    *,
    resolution: float = 1.0,
    seed: int = 0,
    start: Int[Array, " node"] | None = None,
) -> Int[Array, " node"]:
    """Return communities by the Leiden algorithm, numbered by size, 0 the largest.

    Nodes without edges are in none (-1).

    Parameters
    ----------
    graph
        Symmetric, weights > 0.
    resolution
        Larger values give more communities.
    seed
        Of the algorithm's choices.
    start
        Communities of the snapshot before (-1: in none). Each node is tied to its own by 5 %
        of its strength, so that it leaves where the graph says so and not where the search's
        choices fall another way.

    Examples
    --------
    >>> from ontogeny.stats.assemblies import leiden, symmetric_graph
    >>> graph = symmetric_graph(np.ones(4), np.array([0, 0, 1, 3]), np.array([1, 2, 2, 4]), 6)
    >>> leiden(graph).tolist()
    [0, 0, 0, 1, 1, -1]
    """
    n_nodes = len(graph.indptr) - 1
    has_edges = np.diff(graph.indptr) > 0
    if not has_edges.any():
        return np.full(n_nodes, NONE)
    whole = graph if start is None else _anchored(graph, start)
    _, found = graspologic_native.leiden_csr(  # pyright: ignore[reportAttributeAccessIssue]
        whole.indptr.astype(np.int64), whole.indices.astype(np.int32),
        whole.data.astype(np.float64), len(whole.indptr) - 1, resolution=resolution,
        iterations=_ITERATIONS, seed=seed,
    )  # fmt: skip
    # only the real nodes are read: those that anchored a community come after them
    return by_size(np.where(has_edges, [found[k] for k in range(n_nodes)], NONE))


def _anchored(graph: sparse.csr_matrix, start: Array) -> sparse.csr_matrix:
    """Return the graph with one more node per community, tied to its members by their strength."""
    member = np.flatnonzero(start != NONE)
    names, column = np.unique(start[member], return_inverse=True)
    # in proportion to a node's strength, or a weak node could never leave and a strong one
    # always would
    tie = _INERTIA * np.asarray(graph.sum(axis=1)).ravel()[member]
    kept = tie > 0
    shape = (len(start), len(names))
    ties = sparse.csr_matrix((tie[kept], (member[kept], column[kept])), shape=shape)
    whole = sparse.csr_matrix(sparse.bmat([[graph, ties], [ties.T, None]]))
    whole.sort_indices()
    return whole


def by_size(label: Int[Array, " node"]) -> Int[Array, " node"]:
    """Return communities numbered anew by size, 0 the largest; -1 stays."""
    names, first, count = np.unique(label[label != NONE], return_index=True, return_counts=True)
    order = np.lexsort((first, -count))
    number = np.empty(len(names), dtype=np.int64)
    number[order] = np.arange(len(names))
    anew = np.full(len(label), NONE)
    anew[label != NONE] = number[np.searchsorted(names, label[label != NONE])]
    return anew


def modularity(
    graph: sparse.csr_matrix, label: Int[Array, " node"], *, resolution: float = 1.0
) -> float:
    """Return the modularity of communities.

    Q = sum over communities c of w_c / W - resolution (d_c / W)^2 with W the sum of the symmetric
    matrix, w_c its part within c, d_c the strengths of c's nodes. NaN for a graph without edges.

    Examples
    --------
    Two pairs of nodes that hold together, divided rightly and wrongly:

    >>> from ontogeny.stats.assemblies import modularity, symmetric_graph
    >>> graph = symmetric_graph(np.ones(2), np.array([0, 2]), np.array([1, 3]), 4)
    >>> modularity(graph, np.array([0, 0, 1, 1])), modularity(graph, np.array([0, 1, 0, 1]))
    (0.5, -0.5)
    """
    total = float(graph.sum())
    if total <= 0:
        return float("nan")
    row = np.repeat(np.arange(len(label)), np.diff(graph.indptr))
    within = float(graph.data[label[row] == label[graph.indices]].sum())
    strength = np.bincount(row, graph.data, len(label))
    _, member = np.unique(label, return_inverse=True)
    # sum over communities of the squared strengths is the null of Newman: ends dealt at random
    of_community = np.bincount(member, strength)
    return within / total - resolution * float(((of_community / total) ** 2).sum())


def adjusted_rand(a: Int[Array, " node"], b: Int[Array, " node"]) -> float:
    """Return the adjusted Rand index of two partitions: 1 the same, 0 the mean of chance.

    Examples
    --------
    Names of communities do not matter:

    >>> from ontogeny.stats.assemblies import adjusted_rand
    >>> a = np.array([0, 0, 1, 1])
    >>> [round(adjusted_rand(a, np.array(b)), 2) for b in ([5, 5, 3, 3], [0, 1, 0, 1])]
    [1.0, -0.5]
    """
    table = _contingency(a, b)
    together, rows, columns = (
        float((n * (n - 1) / 2).sum()) for n in (table, table.sum(1), table.sum(0))
    )
    pairs = len(a) * (len(a) - 1) / 2
    expected = rows * columns / max(pairs, 1)
    largest = (rows + columns) / 2
    # both partitions trivial (all in one, or each alone): there is nothing to disagree about
    return 1.0 if largest == expected else (together - expected) / (largest - expected)


def normalised_information(a: Int[Array, " node"], b: Int[Array, " node"]) -> float:
    """Return the mutual information of two partitions over the mean of their entropies: 0 ... 1."""
    joint = _contingency(a, b) / len(a)
    h_a, h_b, h = _entropy(joint.sum(1)), _entropy(joint.sum(0)), _entropy(joint.ravel())
    return 1.0 if h_a + h_b == 0 else 2 * (h_a + h_b - h) / (h_a + h_b)


def source_shuffles(
    source: Int[Array, " edge"], *, n_shuffles: int, rng: np.random.Generator
) -> Int[Array, "shuffle edge"]:
    """Return permutations of edges that deal each source's weights anew over its targets.

    Sources keep their weights (a loud one stays loud, a hub a hub); which targets get them is left
    to chance.
    """
    by_source = np.argsort(source, kind="stable")
    found = np.empty((n_shuffles, len(source)), dtype=np.int64)
    for row in found:
        # noise below 1 leaves sources in order and shuffles within each: one sort for all
        # sources at once
        row[by_source] = np.argsort(source + rng.random(len(source)) * 0.999, kind="stable")
    return found


class Named(NamedTuple):
    """Communities that keep their names from snapshot to snapshot, and what befell them."""

    name: np.ndarray
    """[snapshot, node] name, -1 in none"""
    events: list[tuple[int, str, int, tuple[int, ...]]]
    """(snapshot, what, name, others): born, died, split (from others), merged (into others)"""


def named_over_time(
    label: Int[Array, "snapshot node"], *, least: float = 0.3, smallest: int = 5, hold: int = 3
) -> Named:
    """Give communities names that last: consecutive snapshots are matched by Jaccard index.

    Communities of at least `smallest` nodes are matched to those of the snapshot before so that
    the sum of |A & B| / |A or B| is largest (Hungarian method), pairs below `least` apart. One
    without a match is born; if most of it was in one named community before it has split from
    that one. A name without a successor dies; if most of it is in one community now it has merged
    into that one. Smaller communities, and names of fewer than `hold` snapshots, are left out (-1).
    """
    named = np.full_like(label, NONE)
    events: list[tuple[int, str, int, tuple[int, ...]]] = []
    next_name = 0
    for k, now in enumerate(label):
        new = [now == c for c in np.unique(now[now != NONE])]
        new = [members for members in new if members.sum() >= smallest]
        # only the snapshot before is asked: a name that was gone for one snapshot does not
        # come back
        before = named[k - 1] if k else np.full(label.shape[1], NONE)
        old = {int(c): before == c for c in np.unique(before[before != NONE])}
        pairs = _matched(list(old.values()), new, least)
        names = [list(old)[pairs[j]] if j in pairs else NONE for j in range(len(new))]
        for j, members in enumerate(new):
            if names[j] == NONE:
                names[j], next_name = next_name, next_name + 1
                # more than half must come from it, or any stray members would make a birth look
                # like a split
                origin = _most(members, before)
                what = ("born", ()) if origin == NONE else ("split", (origin,))
                events.append((k, what[0], names[j], what[1]))
            named[k, members] = names[j]
        for name, members in old.items():
            if name not in names:
                heir = _most(members, named[k])
                what = ("died", ()) if heir == NONE else ("merged", (heir,))
                events.append((k, what[0], name, what[1]))
    return _lasting(named, events, hold)


def _lasting(named: Array, events: list[tuple[int, str, int, tuple[int, ...]]], hold: int) -> Named:
    """Leave out names of fewer than `hold` snapshots; number the others by their first."""
    names = np.unique(named[named != NONE])
    kept = [n for n in names.tolist() if (named == n).any(axis=1).sum() >= hold]
    anew = {n: k for k, n in enumerate(kept)}
    # one place more than there are names: index -1 falls on it, so that "in none" stays in none
    table = np.full(int(named.max(initial=0)) + 2, NONE)
    table[kept] = np.arange(len(kept))
    told = [(k, what, anew[name], tuple(anew.get(o, NONE) for o in others))
            for k, what, name, others in events if name in anew]  # fmt: skip
    return Named(table[named], told)


def _matched(old: list[Array], new: list[Array], least: float) -> dict[int, int]:
    """Return new -> old of the pairs whose Jaccard indices have the largest sum."""
    if not old or not new:
        return {}
    a, b = np.array(old, dtype=np.float64), np.array(new, dtype=np.float64)
    common = a @ b.T
    jaccard = common / (a.sum(1)[:, None] + b.sum(1) - common)
    # pairs below the bound weigh nothing in the sum, else many poor pairs could outvote a good one
    rows, columns = linear_sum_assignment(np.where(jaccard >= least, jaccard, 0), maximize=True)
    return {int(j): int(i) for i, j in zip(rows, columns, strict=True) if jaccard[i, j] >= least}


def _most(members: Array, name: Array) -> int:
    """Return the name that more than half of the members have, -1 if none."""
    names, count = np.unique(name[members], return_counts=True)
    best = int(count.argmax())
    return int(names[best]) if 2 * count[best] > members.sum() else NONE


def _contingency(a: Array, b: Array) -> Array:
    _, x = np.unique(a, return_inverse=True)
    _, y = np.unique(b, return_inverse=True)
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1)
    return table


def _entropy(p: Array) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())
