"""Strongest node-disjoint paths through a layered graph, as flows of least cost.

May import numpy only.

References
----------
Suurballe 1974; Bhandari 1999 (successive shortest paths with split nodes).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Array = np.ndarray

Path = tuple[int, ...]
"""Index of the node in each layer, from the bottom to the top."""
_SLACK = 1e-9


def path_costs(
    strengths: Sequence[Float[Array, "_ _"]],
) -> list[Float[Array, "_ _"]]:
    """Return -ln of strengths 0 ... 1 [target, source]; infinite for 0 and NaN: no edges."""
    found = []
    for strength in strengths:
        cost = np.full(strength.shape, np.inf)
        np.log(strength, where=strength > 0, out=cost)
        found.append(np.where(strength > 0, -cost, np.inf))
    return found


def disjoint_paths(costs: Sequence[Float[Array, "_ _"]], top: int, n_paths: int) -> list[Path]:
    """Return up to `n_paths` paths to a top node that share no node between, of least cost.

    Of all sets of so many paths the sum of all their costs is least, with `path_costs` the product
    of all strengths largest; paths come in order of their own costs. Nodes of the lowest layer
    (pixels) and the top node may be shared.

    Parameters
    ----------
    costs
        Costs >= 0 [target, source] of the edges into each layer, from the lowest to the
        highest; infinite: none.
    top
        Node of the highest layer.
    n_paths
        How many at most; fewer where there are no more.

    Examples
    --------
    Strengths [target, source] from two pixels to two units, and from these to one logit:

    >>> from ontogeny.stats.paths import disjoint_paths, path_costs
    >>> costs = path_costs([np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.5, 0.4]])])
    >>> disjoint_paths(costs, 0, 2)
    [(0, 0, 0), (1, 1, 0)]
    """
    flow = _Flow(costs, top)
    while flow.n_paths < n_paths and flow.augment():
        pass
    return sorted(flow.paths(), key=lambda path: path_cost(costs, path))


def path_cost(costs: Sequence[Float[Array, "_ _"]], path: Path) -> float:
    """Return the sum of a path's costs."""
    ends = zip(costs, path[:-1], path[1:], strict=True)
    return float(sum(c[above, below] for c, below, above in ends))


class _Flow:
    """A flow of least cost, grown by one path at a time.

    `enter[l]` and `leave[l]` are distances to the two halves of layer l's nodes; a used node can
    be entered only to go back along the edge that its path came by.
    """

    def __init__(self, costs: Sequence[Array], top: int) -> None:
        self.costs = costs
        self.top = top
        self.sizes = [costs[0].shape[1], *[c.shape[0] for c in costs]]
        self.before: list[dict[int, list[int]]] = [{} for _ in self.sizes]
        """Layer -> used node -> the sources that its paths come by (several for the top only)."""
        self.n_paths = 0

    def augment(self) -> bool:
        """Add one more path at least cost; False if there is none."""
        enter = [np.full(n, np.inf) for n in self.sizes]
        leave = [np.full(n, np.inf) for n in self.sizes]
        leave[0][:] = 0
        came = [np.full(n, -1) for n in self.sizes]
        returned = [np.full(n, -1) for n in self.sizes]
        open_to = [np.ones(n, dtype=bool) for n in self.sizes[:-1]]
        # Bellman and Ford's relaxation, not Dijkstra's: edges that are taken back cost less
        # than nothing
        while any(nodes.any() for nodes in open_to):
            self._forward(enter, leave, came, returned, open_to)
            for layer in range(len(self.sizes) - 2, 0, -1):
                self._back(layer, enter, leave, came, returned, open_to)
        if not np.isfinite(enter[-1][self.top]):
            return False
        self._apply(came, returned)
        self.n_paths += 1
        return True

    def paths(self) -> list[Path]:
        """Read the paths off the used edges."""
        found = []
        for last in self.before[-1].get(self.top, []):
            path = [self.top, last]
            for layer in range(len(self.sizes) - 2, 0, -1):
                path.append(self.before[layer][path[-1]][0])
            found.append(tuple(reversed(path)))
        return found

    def _forward(
        self, enter: list[Array], leave: list[Array], came: list[Array], returned: list[Array],
        open_to: list[Array],
    ) -> None:  # fmt: skip
        """Relax upwards, layer by layer, the edges of nodes that have become nearer."""
        last = len(self.sizes) - 1
        for layer in range(1, last + 1):
            sources = np.flatnonzero(open_to[layer - 1])
            open_to[layer - 1][:] = False
            if not len(sources):
                continue
            total = self.costs[layer - 1][:, sources] + leave[layer - 1][sources]
            for node, used in self.before[layer].items():
                # an edge that carries a path already cannot carry another
                total[node, np.isin(sources, used)] = np.inf
            best = total.argmin(axis=1)
            value = total[np.arange(len(best)), best]
            # by more than rounding, or two ways of the same cost would overtake each other for ever
            better = value < enter[layer] - _SLACK
            enter[layer][better], came[layer][better] = value[better], sources[best[better]]
            if layer < last:
                free = np.ones(self.sizes[layer], dtype=bool)
                free[list(self.before[layer])] = False
                shorter = free & (enter[layer] < leave[layer] - _SLACK)
                leave[layer][shorter] = enter[layer][shorter]
                returned[layer][shorter] = -1
                open_to[layer] |= shorter

    def _back(
        self, layer: int, enter: list[Array], leave: list[Array], came: list[Array],
        returned: list[Array], open_to: list[Array],
    ) -> None:  # fmt: skip
        """Relax the used nodes of a layer and the used edges below them, backwards."""
        for node, (source, *_) in self.before[layer].items():
            if leave[layer][node] < enter[layer][node] - _SLACK:
                enter[layer][node], came[layer][node] = leave[layer][node], -2
            value = enter[layer][node] - self.costs[layer - 1][node, source]
            if layer > 1 and value < leave[layer - 1][source] - _SLACK:
                leave[layer - 1][source], returned[layer - 1][source] = value, node
                open_to[layer - 1][source] = True

    def _apply(self, came: list[Array], returned: list[Array]) -> None:
        """Walk the shortest path back from the top: add its edges, take back those it returns."""
        added, removed = [], []
        layer, node, is_entry = len(self.sizes) - 1, self.top, True
        while layer > 0:
            if is_entry and came[layer][node] == -2:
                is_entry = False
            elif is_entry:
                source = int(came[layer][node])
                added.append((layer, node, source))
                layer, node, is_entry = layer - 1, source, False
            elif returned[layer][node] >= 0:
                target = int(returned[layer][node])
                removed.append((layer + 1, target, node))
                layer, node, is_entry = layer + 1, target, True
            else:
                is_entry = True
        for above, target, source in removed:
            self.before[above][target].remove(source)
            if not self.before[above][target]:
                del self.before[above][target]
        for above, target, source in added:
            self.before[above].setdefault(target, []).append(source)
