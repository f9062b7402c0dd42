"""A layer's weights dealt anew within each unit's row: the same parents and weights, other wiring.

A deal is a function of seed, layer and unit alone, the same at all snapshots, so that what changes
from snapshot to snapshot is the network and never the draw. May import coupling only.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ontogeny.coupling import LinearMap

N_DEALS = 19
"""Deals of each unit: a unit above all of them is beyond chance at 1 / 20."""
ROWS, SLICES, TAPS = "rows", "slices", "taps"
"""What is dealt: all entries of a row; whole kernel slices between sources; the taps within each
slice."""


class Deals:
    """Where each entry of a layer's rows goes in each deal.

    Parameters
    ----------
    layer
        The linear map; only its shape is read.
    seed
        Of the deals: seed and place of the layer.
    """

    def __init__(self, layer: LinearMap, seed: Sequence[int]) -> None:
        self.shape = tuple(layer.weight().shape)
        self.seed = tuple(seed)

    def weights(self, weight: Tensor, kind: str = ROWS) -> Tensor:
        """Return weights [target, source, tap] dealt anew, [deal, target, source, tap]."""
        index = {ROWS: self._rows, SLICES: self._slices, TAPS: self._taps}[kind]
        dealt = weight.reshape(-1).index_select(0, index.to(weight.device).view(-1))
        return dealt.view(N_DEALS, *self.shape)

    @cached_property
    def _rows(self) -> Tensor:
        _, n_sources, n_taps = self.shape
        return self._places(lambda rng: _orders(rng, n_sources * n_taps))

    @cached_property
    def _slices(self) -> Tensor:
        _, n_sources, n_taps = self.shape
        tap = np.arange(n_taps)
        return self._places(
            lambda rng: (_orders(rng, n_sources)[:, :, None] * n_taps + tap).reshape(N_DEALS, -1)
        )

    @cached_property
    def _taps(self) -> Tensor:
        _, n_sources, n_taps = self.shape
        first = np.repeat(np.arange(n_sources) * n_taps, n_taps)

        def draw(rng: np.random.Generator) -> np.ndarray:
            order = np.tile(np.arange(n_taps), (N_DEALS, n_sources, 1))
            return rng.permuted(order, axis=2).reshape(N_DEALS, -1) + first

        return self._places(draw)

    def _places(self, draw: Callable[[np.random.Generator], np.ndarray]) -> Tensor:
        """Return places in the flattened weights, int32 [deal, target, entry]."""
        n_targets, n_sources, n_taps = self.shape
        size = n_sources * n_taps
        found = np.empty((N_DEALS, n_targets, size), np.int32)
        for unit in range(n_targets):
            found[:, unit] = draw(np.random.default_rng((*self.seed, unit))) + unit * size
        return torch.from_numpy(found)


def _orders(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return permutations, [deal, entry]."""
    return rng.permuted(np.tile(np.arange(size), (N_DEALS, 1)), axis=1)
