"""What units would tell if the weights into them were dealt anew: the null of construction.

Same parents, same weights, same bias, other wiring: what a unit is beyond its recombinations, its
wiring has made. The rectified part shows the exemplars to dealt weights; the linear part needs the
mean patches alone, since the mean of a linear map is the map of the mean. Batch norms behind a
layer stay as they are. May import coupling, model, passes, record's
definitions, stats and the other modules of hooks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.coupling import LinearMap
from ontogeny.hooks.deals import N_DEALS, ROWS, SLICES, TAPS, Deals
from ontogeny.hooks.listening import listening
from ontogeny.hooks.parents import edge_gains
from ontogeny.hooks.probe import Probe
from ontogeny.hooks.responding import mean_over_map, respond
from ontogeny.hooks.scoring import Scoring
from ontogeny.model import Stage
from ontogeny.passes import device_of
from ontogeny.record import (
    DEAL,
    DEPTH,
    EDGE,
    FEATURE,
    FOLD,
    RECOMBINATIONS,
    STAGE,
    UNIT,
    definition,
)
from ontogeny.stats.gains import TIE

ANCESTORS = 4
"""Deals of the layers below that a unit is shown, with its own weights and dealt ones."""
DEPTHS = (1, 2)
"""Dealt are the parents, or the parents of the parents."""


@dataclass
class Recombination:
    """What recombinations need of the exemplars, and the deals, once for all snapshots.

    Parameters
    ----------
    chosen
        bool [exemplar], which exemplars of the whole probe score, in the whole probe's own order.
    probe
        These alone.
    scoring
        What they are exemplars of, in the order of the probe's tokens.
    seed
        Of the deals.
    """

    chosen: np.ndarray
    probe: Probe
    scoring: Scoring
    seed: int = 0
    _deals: dict[int, Deals] = field(default_factory=dict)

    def deals(self, k: int, layer: LinearMap) -> Deals:
        """Return the deals of a network's layer."""
        if k not in self._deals or self._deals[k].shape != tuple(layer.weight().shape):
            self._deals[k] = Deals(layer, (self.seed, k))
        return self._deals[k]


class Recombining:
    """Gathers responses of units and of their recombinations, in a pass of the whole probe.

    Parameters
    ----------
    found, layers
        The network's stages and their linear maps.
    how
        Exemplars and deals.
    rectified
        Whether to show the exemplars to dealt weights; else the linear part alone is made.
    """

    def __init__(
        self, found: Sequence[Stage], layers: Sequence[LinearMap], how: Recombination, *,
        rectified: bool,
    ) -> None:  # fmt: skip
        self.found, self.layers, self.how, self.is_rectified = found, layers, how, rectified
        self._mine, self._done = torch.zeros(0, dtype=torch.long), 0
        n = len(how.probe)
        self.patches = [torch.empty(n, m.weight().shape[1] * m.groups, m.weight().shape[2])
                        for m in layers]  # fmt: skip
        self.plain = [torch.empty(n, stage.n_units) for stage in found]
        self.own = [torch.empty(n, stage.n_units) for stage in found]
        self.dealt = [torch.empty(n, N_DEALS, stage.n_units if rectified else 0) for stage in found]

    def begin(self, chosen: np.ndarray) -> None:
        """Take the next chunk; `chosen` says which of its exemplars score."""
        self._done += len(self._mine)
        self._mine = torch.as_tensor(np.flatnonzero(chosen))

    def at_layer(self, k: int, x: Tensor, z: Tensor) -> None:
        """Keep a layer's mean patches, and what its units would give with dealt weights."""
        if not len(self._mine):
            return
        layer, stage = self.layers[k], self.found[k]
        rows = slice(self._done, self._done + len(self._mine))
        x, z = (values[self._mine.to(values.device)] for values in (x, z))
        self.patches[k][rows] = layer.tap_means(x).to(self.patches[k])
        self.plain[k][rows] = mean_over_map(layer, z).to(self.plain[k])
        if not self.is_rectified:
            return
        self.own[k][rows] = mean_over_map(layer, respond(stage, z)).to(self.own[k])
        for d, weight in enumerate(self.how.deals(k, layer).weights(layer.weight())):
            given = respond(stage, layer.apply(x, weight))
            self.dealt[k][rows, d] = mean_over_map(layer, given).to(self.dealt[k])

    def values(self, model: nn.Module, *, ancestors: bool) -> dict[str, np.ndarray]:
        """Return selectivities of units and of recombinations, by their names in the record.

        Parameters
        ----------
        model
            The network that was shown the probe, in evaluation mode.
        ancestors
            Whether to deal the layers below too.
        """
        found = _unobserved(self, RECOMBINATIONS) | self.linear()
        if self.is_rectified:
            found |= self.rectified()
        if ancestors:
            found |= _above_dealt(model, self)
            found["edge_gain"] = edge_gains(model, self.found, self.layers, self.how.probe,
                                            self.how.scoring, self.how.seed)  # fmt: skip
        return found

    def linear(self) -> dict[str, np.ndarray]:
        """Return selectivities of pre-activations: of units, and of recombinations [unit, deal]."""
        scoring = self.how.scoring
        own = [scoring.selectivity(z) for z in self.plain]
        kinds = (ROWS, SLICES, TAPS) if self.is_rectified else (ROWS,)
        values = {"selectivity_linear": _joined(own)}
        for kind in kinds:
            each = [scoring.selectivity(self._projected(k, kind)).T for k in range(len(self.found))]
            values[f"recombined_linear_{kind}"] = _joined(each)
        return values

    def _projected(self, k: int, kind: str) -> Tensor:
        """Return mean pre-activations less the bias with dealt weights, [exemplar, deal, unit]."""
        layer, u = self.layers[k], self.patches[k]
        weight = self.how.deals(k, layer).weights(layer.weight(), kind).flatten(2).to(u)
        if layer.groups == 1:
            return (u.flatten(1) @ weight.flatten(0, 1).T).unflatten(1, (N_DEALS, -1))
        blocks = u.unflatten(1, (layer.groups, -1)).flatten(2)
        each = weight.unflatten(1, (layer.groups, -1))
        return torch.einsum("egs,dgjs->edgj", blocks, each).flatten(2)

    def rectified(self) -> dict[str, np.ndarray]:
        """Return selectivities of recombinations, and how many of them reach the unit's own."""
        scoring = self.how.scoring
        by_deal, features, reach, left = [], [], [], []
        for own, dealt in zip(self.own, self.dealt, strict=True):
            by_deal.append(scoring.selectivity(dealt).T)
            of_feature = scoring.by_feature(dealt)
            features.append(of_feature.mean(1).T)
            beyond = of_feature >= scoring.by_feature(own)[:, None] - TIE
            reach.append(beyond.sum(1).T.float())
            without = scoring.left_out(dealt) >= scoring.left_out(own)[:, None] - TIE
            left.append(without.sum(1).T.float())
        return {
            "recombined": _joined(by_deal), "recombined_feature": _joined(features),
            "reached_feature": _joined(reach), "reached_left_out": _joined(left),
            "readout": _stacked(scoring.readout(own) for own in self.own),
            "readout_recombined": _stacked(scoring.readout(dealt) for dealt in self.dealt),
        }  # fmt: skip


def _above_dealt(model: nn.Module, passed: Recombining) -> dict[str, np.ndarray]:
    """Return selectivities with dealt ancestors, of units and of recombinations, [unit, depth].

    One pass: behind each layer the exemplars go on as they are, as the layer's recombinations give
    them, and as the layer itself gives them on dealt parents.
    """
    found, layers, how = passed.found, passed.layers, passed.how
    shape = (len(how.probe), len(DEPTHS), ANCESTORS)
    own = [torch.full((*shape, s.n_units), torch.nan) for s in found]
    dealt = [torch.full((*shape, s.n_units), torch.nan) for s in found]
    inputs: dict[int, Tensor] = {}
    rows = slice(0, 0)

    def at_layer(k: int, x: Tensor, z: Tensor) -> None:  # noqa: ARG001
        inputs[k] = x

    def at_response(k: int, a: Tensor) -> Tensor | None:
        layer, x, size = layers[k], inputs.pop(k), rows.stop - rows.start
        weights = how.deals(k, layer).weights(layer.weight())[:ANCESTORS]
        parts, given = x.split(size), a.split(size)  # as it is; by depth, by deal
        for place, (below, above) in enumerate(zip(parts[1:], given[1:], strict=True)):
            depth, deal = divmod(place, ANCESTORS)
            own[k][rows, depth, deal] = mean_over_map(layer, above)
            again = respond(found[k], layer.apply(below, weights[deal]))
            dealt[k][rows, depth, deal] = mean_over_map(layer, again)
        if k == len(found) - 1:
            return given[0]
        fresh = [respond(found[k], layer.apply(parts[0], weight)) for weight in weights]
        return torch.cat([given[0], *fresh, *given[1 : 1 + ANCESTORS]])

    with listening(found, at_layer, at_response):
        for chunk, _ in how.probe.chunks():
            rows = chunk
            model(how.probe.x[rows].to(device_of(model), copy=True))
    return {
        "on_recombined": _mean_scores(own, how.scoring),
        "recombined_on_recombined": _mean_scores(dealt, how.scoring),
        "building_left_out": _building_left_out(passed, own, dealt),
    }


def _building_left_out(
    passed: Recombining, own: Sequence[Tensor], dealt: Sequence[Tensor]
) -> np.ndarray:
    """Return (S_rr - S_dr) - (S_rd - S_dd) with each fold left out, float32 [unit, depth, fold]."""
    scoring, each = passed.how.scoring, []
    for k in range(len(passed.found)):
        plain = scoring.left_out(passed.own[k])
        less = plain - scoring.left_out(passed.dealt[k][:, :ANCESTORS]).mean(1)
        parts = [scoring.left_out(part[k].nan_to_num()).mean(2) for part in (own, dealt)]
        missing = own[k].isnan().any(0).any(1)  # [depth, unit]
        built = less[:, None] - (parts[0] - parts[1])  # [fold, depth, unit]
        each.append(torch.where(missing, torch.nan, built).permute(2, 1, 0))
    return _joined(each)


def _mean_scores(responses: Sequence[Tensor], scoring: Scoring) -> np.ndarray:
    """Return the mean over deals, [unit, depth]; NaN where there is no such depth."""
    each = []
    for response in responses:
        missing = response.isnan().any(0).any(1)  # [depth, unit]
        score = scoring.selectivity(response.nan_to_num()).mean(1)
        each.append(torch.where(missing, torch.nan, score).T)
    return _joined(each)


def _stacked(each: Iterable[Tensor]) -> np.ndarray:
    """Return layers side by side, float32 [stage, ...]."""
    return torch.stack([part.float() for part in each]).cpu().numpy()


def _joined(each: Sequence[Tensor]) -> np.ndarray:
    """Return layer after layer, float32 [unit, ...]."""
    return torch.cat([part.float() for part in each]).cpu().numpy()


def _unobserved(passed: Recombining, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return NaN for variables of the record that are not observed at this snapshot."""
    scoring = passed.how.scoring
    sizes = {
        UNIT: sum(stage.n_units for stage in passed.found), STAGE: len(passed.found),
        EDGE: sum(layer.weight().shape[:2].numel() for layer in passed.layers), DEAL: N_DEALS,
        FEATURE: len(scoring.member), FOLD: scoring.n_folds, DEPTH: len(DEPTHS),
    }  # fmt: skip
    return {
        name: np.full([sizes[dim] for dim in definition(name).dims[1:]], np.nan,
                      definition(name).dtype)
        for name in names
    }  # fmt: skip
