"""Layers, units and edges of a network. May import coupling and model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from ontogeny.coupling import ConvolutionMap, DenseMap, LinearMap
from ontogeny.model import Stage

PIXELS = "pixels"
"""The image's channels as sources of the first layer are "pixels:0" ..."""


@dataclass(frozen=True)
class Blueprint:
    """Layers, units and edges of a network; the same at all its snapshots."""

    # A record keeps the names that this gives to units and edges; whoever reads a record has them
    # back as indices from `ontogeny.measure.couplings.wiring.Wiring`, without a network.

    layers: tuple[str, ...]
    """Names in forward order."""
    n_units: tuple[int, ...]
    """Of each layer."""
    fan_in: tuple[tuple[int, int], ...]
    """(sources, groups) of each layer; empty where couplings are not observed."""
    kinds: tuple[str, ...] = ()
    """Of each layer, "conv" or "dense"."""
    nonlinearities: tuple[str, ...] = ()
    """What each layer's activation lies behind, such as "ReLU"; "" where it is the raw output."""

    @property
    def units(self) -> list[str]:
        """Names of the units, such as "conv1:17", by layer and channel."""
        sizes = zip(self.layers, self.n_units, strict=True)
        return [f"{layer}:{channel}" for layer, n in sizes for channel in range(n)]

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the names of each edge's source and target; by layer, then target, then source."""
        below = [PIXELS, *self.layers[:-1]]
        sources, targets = [np.zeros(0, dtype=str)], [np.zeros(0, dtype=str)]
        for k, (n_sources, groups) in enumerate(self.fan_in):
            names = np.array([f"{below[k]}:{i}" for i in range(n_sources)])
            blocks = names.reshape(groups, 1, -1)
            shape = (groups, self.n_units[k] // groups, blocks.shape[2])
            sources.append(np.broadcast_to(blocks, shape).ravel())
            units = np.array([f"{self.layers[k]}:{j}" for j in range(self.n_units[k])])
            targets.append(np.repeat(units, blocks.shape[2]))
        return np.concatenate(sources), np.concatenate(targets)


def linear_maps(found: Sequence[Stage], channels: int) -> list[LinearMap]:
    """Return each stage's layer as a map from the units of the one before."""
    below = [channels, *(stage.n_units for stage in found)]
    return [
        ConvolutionMap(stage.module)
        if isinstance(stage.module, nn.Conv2d)
        else DenseMap(stage.module, n_sources)
        for stage, n_sources in zip(found, below, strict=False)
    ]


def blueprint(found: Sequence[Stage], layers: Sequence[LinearMap]) -> Blueprint:
    """Return the layers and units of stages, and the edges of linear maps (none: no edges)."""
    return Blueprint(
        tuple(stage.name for stage in found),
        tuple(stage.n_units for stage in found),
        tuple((layer.n_sources, layer.groups) for layer in layers),
        tuple(stage.kind for stage in found),
        tuple("" if s.activation is None else type(s.activation).__name__ for s in found),
    )
