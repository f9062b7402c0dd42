"""The wiring that a record's edges have at every step, as indices, and the nulls of its couplings.

May import numpy, xarray, ontogeny.measure and ontogeny.errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
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
    """Nodes and edges as indices. Nodes are the image's channels, then the units in their order.

    The layers are a chain: every edge leads from one layer into the next.
    """

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
        return self.first[1]

    @cached_property
    def first(self) -> list[int]:
        """The first node of each layer, and the number of nodes."""
        return np.searchsorted(self.node_layer, np.arange(len(self.layers) + 1)).tolist()

    @property
    def above(self) -> tuple[str, ...]:
        """Layers that edges lead into."""
        return self.layers[1:]

    def members(self, layer: int) -> np.ndarray:
        """Return the nodes of the layer of this index."""
        return np.arange(self.first[layer], self.first[layer + 1])

    def matrix(self, values: np.ndarray, block: int) -> np.ndarray:
        """Return values [..., edge] of the edges into a layer as [..., target, source].

        NaN where there is no edge, as in grouped convolutions.
        """
        edges, shape = self.blocks[block], self._shape(block)
        kind = np.result_type(values, np.float32)
        # nearly every layer: a reshape without a copy, where indexing would gather edge by edge
        if self._is_full(block):
            return values[..., edges].astype(kind, copy=False).reshape(*values.shape[:-1], *shape)
        dense = np.full((*values.shape[:-1], *shape), np.nan, dtype=kind)
        dense[(..., *self._cells(block))] = values[..., edges]
        return dense

    def flat(self, table: np.ndarray, block: int) -> np.ndarray:
        """Return what a matrix [target, source] holds for each edge into a layer."""
        return table.ravel() if self._is_full(block) else table[self._cells(block)]

    def _shape(self, block: int) -> tuple[int, int]:
        below, above, end = self.first[block : block + 3]
        return end - above, above - below

    def _is_full(self, block: int) -> bool:
        rows, columns = self._shape(block)
        return self.blocks[block].stop - self.blocks[block].start == rows * columns

    def _cells(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        edges = self.blocks[block]
        return self.target[edges] - self.first[block + 1], self.source[edges] - self.first[block]


def wiring_of(record: xr.Dataset) -> Wiring:
    """Return the wiring of a record.

    Raises
    ------
    InputError
        If the record has no edges, or edges that are not in the order of layers.
    """
    require(record, "source", "target", "unit", "layer")
    units, names = record["unit"].values.astype(str), layer_names(record)
    source, target = (record[name].values.astype(str) for name in ("source", "target"))
    unit_layer = np.array([names.index(n) for n in record["layer"].values.astype(str).tolist()])
    owner = _owners(target, units)
    ends = np.searchsorted(unit_layer[owner], np.arange(len(names) + 1))
    blocks = tuple(slice(int(a), int(b)) for a, b in pairwise(ends))
    below = [_distinct(source[block], owner[block]) for block in blocks]
    pixels = sorted(set(below[0][0].tolist()), key=_place)
    image = list(dict.fromkeys(_place(name)[0] for name in pixels))
    nodes = [*pixels, *units.tolist()]
    index = {name: k for k, name in enumerate(nodes)}
    found = Wiring(
        np.array(nodes), (*image, *names),
        np.concatenate([np.zeros(len(pixels), dtype=np.int64), unit_layer + 1]),
        np.concatenate([_indices(own, index)[place] for own, place in below]),
        owner + len(pixels), blocks,
    )  # fmt: skip
    if len(image) != 1 or not _is_chain(found):
        raise InputError(_NO_CHAIN)
    return found


_NO_CHAIN = (
    "expected edges by target and source, some into each layer, from the layer below, got others: "
    "a record as `observe` writes it has them so; observe the run again"
)


def _owners(target: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the index of each edge's target among the units; edges lie by target."""
    starts = np.flatnonzero(np.concatenate([[True], target[1:] != target[:-1]]))[: len(target)]
    own = _indices(target[starts], {name: k for k, name in enumerate(units.tolist())})
    if (own < 0).any() or (np.diff(own) <= 0).any():
        raise InputError(_NO_CHAIN)
    return np.repeat(own, np.diff([*starts, len(target)]))


def _indices(names: np.ndarray, index: dict[str, int]) -> np.ndarray:
    """Return the index of each name; -1 where it has none."""
    return np.array([index.get(name, -1) for name in names.tolist()], dtype=np.int64)


def _distinct(source: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct sources of a layer's edges, and which of them each edge has.

    Where all targets have the same sources, as nearly everywhere, the first target's tell them:
    names are sorted by comparing them all, which takes ten times as long.
    """
    width = int((owner == owner[0]).sum()) if len(owner) else 1
    if len(owner) % width == 0:
        table = source.reshape(-1, width)
        if (table == table[:1]).all():
            return table[0] if len(table) else source, np.tile(np.arange(width), len(table))
    names, place = np.unique(source, return_inverse=True)
    return names, place


def _is_chain(wiring: Wiring) -> bool:
    """Say whether edges lie by target and source, and lead into each layer from the one below."""
    s, t, layer = wiring.source, wiring.target, wiring.node_layer
    # one number for target and source: increasing means sorted and without repetition
    in_order = (np.diff(t * wiring.n_nodes + s) > 0).all() and (np.diff(layer) >= 0).all()
    into_each = all(block.stop > block.start for block in wiring.blocks)
    return bool(in_order and into_each and (layer[t] - layer[s] == 1).all())


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


def null_bound(record: xr.Dataset, name: str, level: float) -> np.ndarray:
    """Return what a share `level` of permuted weights' couplings stay below, [step, unit].

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
    bound = record[name].isel(level=int(at[0])).transpose("step", "unit")
    return bound.values.astype(np.float64)


def per_edge(values: np.ndarray, wiring: Wiring) -> np.ndarray:
    """Return one value per unit as one per edge, that of its target."""
    return values[wiring.target - wiring.n_pixels]


def _place(name: str) -> tuple[str, int]:
    layer, _, channel = name.rpartition(":")
    return layer, int(channel)
