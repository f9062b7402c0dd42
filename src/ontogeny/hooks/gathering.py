"""What the hooks gather while the exemplars pass.

May import coupling, errors, model, probe, blueprint, nulls and recombination.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float16, Int16
from torch import Tensor

from ontogeny.coupling import (
    Coupling,
    InputMoments,
    LayerMoments,
    LinearMap,
    Scratch,
    Segment,
    Spread,
)
from ontogeny.errors import InputError
from ontogeny.hooks.blueprint import Blueprint
from ontogeny.hooks.nulls import NullMoments, PermutedMap, quantiles
from ontogeny.hooks.probe import Probe
from ontogeny.hooks.recombination import Recombining
from ontogeny.model import Stage
from ontogeny.record import LEVELS


@dataclass(frozen=True, eq=False)
class Observation:
    """What one snapshot shows; fields are named as the record's variables (see `record`)."""

    blueprint: Blueprint
    activation: Float[np.ndarray, "exemplar unit"]
    activation_maximum: Float[np.ndarray, "exemplar unit"]
    logit: Float[np.ndarray, "exemplar output"]
    unit_mean: Float[np.ndarray, " unit"]
    unit_variance: Float[np.ndarray, " unit"]
    unit_maximum: Float[np.ndarray, " unit"]
    coupling: Float[np.ndarray, " edge"] | None = None
    coupling_token_signal: Float[np.ndarray, " edge"] | None = None
    coupling_contrast: Float16[np.ndarray, "edge token"] | None = None
    coupling_null: Float[np.ndarray, "unit level"] | None = None
    coupling_contrast_null: Float[np.ndarray, "unit level"] | None = None
    edge_attribution: Float16[np.ndarray, "edge token"] | None = None
    interaction: Float[np.ndarray, "unit pair"] | None = None
    interaction_first: Int16[np.ndarray, "unit pair"] | None = None
    interaction_second: Int16[np.ndarray, "unit pair"] | None = None
    recombined: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Selectivities of units and of their recombinations, by their names in the record."""


class Gathering:
    """What the hooks gather in one pass of the probe.

    Parameters
    ----------
    found
        The network's stages.
    layers
        Their linear maps; empty where couplings are not observed.
    probe
        The exemplars.
    null_seed
        Seed of the nulls' permutations; None: no nulls.
    recombining
        Gathers recombinations in the same pass; None: none are made.
    """

    def __init__(
        self,
        found: Sequence[Stage],
        layers: Sequence[LinearMap],
        probe: Probe,
        null_seed: int | None = None,
        recombining: Recombining | None = None,
    ) -> None:
        self.found, self.layers, self.probe = found, layers, probe
        self.recombining = recombining
        sizes = [stage.n_units for stage in found]
        ends = np.cumsum(sizes).tolist()
        self.spans = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.means = torch.empty(len(probe), ends[-1])
        self.tops = torch.empty(len(probe), ends[-1])
        self.spreads = [Spread() for _ in found]
        self.scratch = Scratch()
        self.moments = [LayerMoments(m, probe.n_groups, self.scratch) for m in self.layers]
        seeds = [] if null_seed is None else [(null_seed, k) for k in range(len(layers))]
        self.permuted = [PermutedMap(m, seed) for m, seed in zip(layers, seeds, strict=False)]
        self.nulls = [NullMoments(permuted) for permuted in self.permuted]
        self.first: InputMoments | None = None
        self.is_image = False

    def begin(self, x: Tensor, rows: slice, segments: list[Segment]) -> None:
        """Take the next chunk."""
        self.x, self.rows, self.segments = x, rows, segments
        if self.recombining is not None:
            self.recombining.begin(self.recombining.how.chosen[self.probe.order[rows]])

    def at_layer(self, index: int, x: Tensor, z: Tensor) -> None:
        """Add the moments of a layer's input and pre-activation."""
        # sums in half precision would be written as if they were exact: refused, not converted
        if z.dtype != self.x.dtype:
            msg = (
                f"expected {self.found[index].name} to compute in {self.x.dtype}, got {z.dtype}: "
                "take autocast, or the conversion, out of the network's own forward pass"
            )
            raise InputError(msg)
        if not self.layers:
            return
        if self.recombining is not None:
            self.recombining.at_layer(index, x, z)
        if index == 0 and InputMoments.fit(self.layers[0]):
            self._add_images(x)
        else:
            self.moments[index].add(x, z, self.segments)
            if self.nulls:
                self.nulls[index].add(x)

    def at_response(self, index: int, a: Tensor) -> None:
        """Reduce the map of each unit to its mean, its maximum and its variance."""
        axis = 1 if self.found[index].kind == "conv" else a.dim() - 1
        over, span = [d for d in range(1, a.dim()) if d != axis], self.spans[index]
        mean = a.mean(over) if over else a
        self.means[self.rows, span] = mean.to(self.means)
        self.tops[self.rows, span] = (a.amax(over) if over else a).to(self.tops)
        spread = self.spreads[index]
        shift = spread.shift(a, axis)
        squares = torch.ops.aten.mse_loss.out(
            a, shift.expand_as(a), 0, out=self.scratch.like(a)
        )  # (a - shift)^2 in one pass, without fresh memory
        squares = squares.mean(over) if over else squares
        spread.add(mean.double() - shift.flatten().double(), squares, a[0].numel() // a.shape[axis])

    def observation(
        self, blueprint: Blueprint, logits: Tensor, couplings: Sequence[Coupling]
    ) -> Observation:
        """Return what was seen, in the exemplars' own order."""
        variance = torch.cat([spread.variance.cpu() for spread in self.spreads])
        return Observation(
            blueprint=blueprint,
            activation=self.probe.restore(self.means),
            activation_maximum=self.probe.restore(self.tops),
            logit=self.probe.restore(logits.float()),
            unit_mean=self.means.mean(0, dtype=torch.float64).float().numpy(),
            unit_variance=variance.float().numpy(),
            unit_maximum=self.tops.amax(0).numpy(),
            **self._by_edge(couplings),  # pyright: ignore[reportArgumentType]
            **self._null_levels(),  # pyright: ignore[reportArgumentType]
        )

    def _add_images(self, x: Tensor) -> None:
        """Add the first layer's input; images that stay the same are taken in only once."""
        # images do not change between snapshots, but a network may prepare them itself:
        # compared, not assumed
        layer, cache = self.layers[0], self.probe.moments
        is_image = x.shape == self.x.shape and torch.equal(x, self.x)
        if self.rows.start == 0:
            self.is_image = is_image
            known = cache.get(layer.geometry) if is_image else None
            self.first = known or InputMoments(layer, self.probe.n_groups)
        assert self.first is not None
        self.is_image &= is_image
        if self.first is not cache.get(layer.geometry):
            self.first.add(layer, x, self.segments)

    def couplings(self) -> list[Coupling]:
        """Return the couplings of each layer."""
        return [self._coupling(k) for k in range(len(self.layers))]

    def _by_edge(self, found: Sequence[Coupling]) -> dict[str, Any]:
        """Return the couplings of all layers, edge after edge."""
        if not found:
            return {}
        arrays = {"coupling": torch.cat([c.share.flatten() for c in found]).float()}
        if self.probe.has_tokens:
            signals = [c.token_signal.flatten() for c in found]
            arrays["coupling_token_signal"] = torch.cat(signals).float()
            contrasts = [c.contrast.flatten(0, 1).half() for c in found]
            arrays["coupling_contrast"] = torch.cat(contrasts)
        return {name: array.cpu().numpy() for name, array in arrays.items()}

    def _null_levels(self) -> dict[str, Any]:
        """Return the nulls' quantiles, those of a layer for each of its units."""
        if not self.nulls:
            return {}
        share, contrast = [], []
        for k, stage in enumerate(self.found):
            null = self._null(k)
            for levels, values in ((share, null.share), (contrast, null.contrast)):
                levels.append(np.tile(quantiles(values, LEVELS), (stage.n_units, 1)))
        return {
            "coupling_null": np.concatenate(share),
            "coupling_contrast_null": np.concatenate(contrast),
        }

    def _null(self, k: int) -> Coupling:
        """Return the couplings of a layer with permuted weights."""
        if k == 0 and self.first is not None:
            return self.first.result(self.permuted[0])
        return self.nulls[k].result(self.moments[k].groups())

    def _coupling(self, k: int) -> Coupling:
        norm = self.found[k].norm
        weight = getattr(norm, "weight", None)
        sign = None if weight is None else weight.sign()
        layer = self.layers[k]
        if k > 0 or self.first is None:
            return self.moments[k].result(sign)
        if self.is_image:
            self.probe.moments[layer.geometry] = self.first
        return self.first.result(layer, sign)
