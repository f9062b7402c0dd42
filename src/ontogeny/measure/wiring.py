"""The wiring that a record's edges have at every step, as indices, and the nulls of its couplings.

May import numpy, xarray, ontogeny.measure.probe and ontogeny.errors only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.probe import layer_names, require

LEVEL = 0.99
"""Share of the null's couplings that an edge must exceed to be present."""
COUPLING_NULL, CONTRAST_NULL = "coupling_null", "coupling_contrast_null"


@dataclass(frozen=True, eq=False)
class Wiring:
    """Nodes and edges as indices. Nodes are the image's channels, then the units in their order."""

    nodes: np.ndarray
    """[node] names"""
    layers: tuple[str, ...]
    """From the image to the logits."""
    node_layer: np.ndarray
    """[node] index into `layers`"""
    source: np.ndarray
    """[edge] index into `nodes`"""
    target: np.ndarray
    """[edge] index into `nodes`"""
    blocks: tuple[slice, ...]
    """Edges into each layer above the image's, from the lowest up."""

    @property
    def n_nodes(self) -> int:
        """How many nodes there are."""
        return len(self.nodes)

    @property
    def n_pixels(self) -> int:
        """How many of the first nodes are channels of the image, not units."""
        return int((self.node_layer == 0).sum())

    @property
    def above(self) -> tuple[str, ...]:
        """Layers that edges lead into."""
        return self.layers[1:]

    def members(self, layer: int) -> np.ndarray:
        """Return the nodes of the layer of this index."""
        return np.flatnonzero(self.node_layer == layer)

    def matrix(self, values: np.ndarray, block: int) -> np.ndarray:
        """Return values of the edges into a layer as [target, source]; NaN where there is none."""
        edges = self.blocks[block]
        below = self.members(int(self.node_layer[self.source[edges.start]]))
        above = self.members(block + 1)
        if edges.stop - edges.start == len(above) * len(below):
            return values[edges].astype(np.float64).reshape(len(above), len(below))
        dense = np.full((len(above), len(below)), np.nan)
        dense[self.target[edges] - above[0], self.source[edges] - below[0]] = values[edges]
        return dense


def wiring_of(record: xr.Dataset) -> Wiring:
    """Return the wiring of a record.

    Raises
    ------
    InputError
        If the record has no edges, or edges that are not in the order of layers.
    """
    require(record, "source", "target", "unit", "layer")
    units = record["unit"].values.astype(str).tolist()
    source, target = (record[name].values.astype(str).tolist() for name in ("source", "target"))
    known = set(units)
    below = sorted({s for s in source if s not in known}, key=_place)
    nodes = below + units
    index = {name: k for k, name in enumerate(nodes)}
    layers = [*dict.fromkeys(name.rpartition(":")[0] for name in below), *layer_names(record)]
    number = {name: k for k, name in enumerate(layers)}
    layer = np.array([number[name.rpartition(":")[0]] for name in nodes])
    s, t = (np.fromiter((index[n] for n in names), np.int64) for names in (source, target))
    into = layer[t]
    in_order = bool((np.diff(t * len(nodes) + s) > 0).all())
    if not in_order or len(set(into.tolist())) != len(layers) - 1:
        msg = (
            "expected edges by target and source, some into each layer, got others: "
            "a record as `observe` writes it has them so; observe the run again"
        )
        raise InputError(msg)
    ends = np.searchsorted(into, np.arange(1, len(layers) + 1))
    blocks = tuple(slice(int(a), int(b)) for a, b in pairwise(ends))
    return Wiring(np.array(nodes), tuple(layers), layer, s, t, blocks)


def nodes_named(wiring: Wiring, names: Sequence[str]) -> np.ndarray:
    """Return the indices of nodes.

    Raises
    ------
    InputError
        If there is no such node; close ones and each layer's range are named.
    """
    index = {str(name): k for k, name in enumerate(wiring.nodes)}
    unknown = [name for name in names if name not in index]
    if unknown:
        near = get_close_matches(unknown[0], list(index), 3)
        ranges = [f"{layer}:0 ... {layer}:{np.sum(wiring.node_layer == k) - 1}"
                  for k, layer in enumerate(wiring.layers)]  # fmt: skip
        words = f"; close: {', '.join(near)}" if near else ""
        msg = f"expected units among {', '.join(ranges)}, got {', '.join(unknown)}{words}"
        raise InputError(msg)
    return np.array([index[name] for name in names], dtype=np.int64)


def token_index(record: xr.Dataset, token: str) -> int:
    """Return the index of a token.

    Raises
    ------
    InputError
        If the record has no such token.
    """
    names = [str(name) for name in record["token"].values]
    if token not in names:
        msg = f"expected a token of the record ({', '.join(names)}), got {token}"
        raise InputError(msg)
    return names.index(token)


def null_bound(record: xr.Dataset, wiring: Wiring, name: str, level: float) -> np.ndarray:
    """Return what a share `level` of permuted weights' couplings stay below, [step, layer above].

    Raises
    ------
    InputError
        If the record holds no such null, or none at this level.
    """
    if name not in record:
        msg = (
            f"expected a record with {name}, got one without: it was observed by a version that "
            "did not permute weights; observe the run again"
        )
        raise InputError(msg)
    levels = record["level"].values
    at = np.flatnonzero(np.isclose(levels, level))
    if not len(at):
        msg = f"expected a level of {', '.join(f'{v:g}' for v in levels)}, got {level:g}"
        raise InputError(msg)
    bound = record[name].isel(level=int(at[0])).transpose("step", "unit").values
    first = [int(wiring.members(k + 1)[0]) - wiring.n_pixels for k in range(len(wiring.above))]
    return bound[:, first].astype(np.float64)


def per_edge(values: np.ndarray, wiring: Wiring) -> np.ndarray:
    """Return one value per layer above the image as one per edge."""
    return np.repeat(values, [block.stop - block.start for block in wiring.blocks])


def _place(name: str) -> tuple[str, int]:
    layer, _, channel = name.rpartition(":")
    return layer, int(channel)
