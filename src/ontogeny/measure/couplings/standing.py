"""What of the coupling graph stands beyond chance: single couplings, bursts of births, groups.

Each with an interval and the bound that its null passes rarely. May import numpy, xarray,
ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.signals import Chance
from ontogeny.measure.couplings.carrying import carrying
from ontogeny.measure.couplings.sharing import sharing_beyond
from ontogeny.measure.couplings.wiring import COUPLING_NULL, LEVEL, null_bound, per_edge, wiring_of
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.onset import HOLD, onset_interval
from ontogeny.stats.ratios import ratio_interval

N_RESAMPLES = 999
"""Resamples of units, whatever `Chance` says of exemplars: they cost little."""
SIDES = ("above", "below")
"""On which side of its null something lies."""

_PERMUTED = "each layer's weights permuted: beyond_chance of the couplings exceed the bound"
_FEW = "fewer than two targets in hidden layers"
_BEYOND = {
    "beyond": Quantity((), "1", "share of the couplings between hidden layers that exceed, at the "
                       "last step, a bound that beyond_chance of them exceed when their layer's "
                       "weights are permuted", _FEW, _PERMUTED),
    "beyond_low": Quantity((), "1", "2.5 % bound of beyond, target units resampled", _FEW),
    "beyond_high": Quantity((), "1", "97.5 % bound of beyond, target units resampled", _FEW),
    "beyond_chance": Quantity((), "1", "share of couplings that exceed the bound of beyond when "
                              "weights are permuted"),
}  # fmt: skip
_NO_BURST = "no snapshot of the layer has more births than burst_bound"
_BURSTS = {
    "burst_step": Quantity(("layer",), "steps", "snapshot at which births of edges into the layer "
                           "are most times burst_bound", _NO_BURST, "burst_bound"),
    "burst_low": Quantity(("layer",), "edges", "2.5 % bound of the births at burst_step, target "
                          "units resampled", _NO_BURST),
    "burst_high": Quantity(("layer",), "edges", "97.5 % bound of the births at burst_step, target "
                           "units resampled", _NO_BURST),
}  # fmt: skip
_SHUFFLED = "each source's couplings shuffled over its targets (quality_null)"
_GROUPS = {
    "grouping_after": Quantity(("side",), "steps", "last snapshot at which the quality of "
                               "assemblies is not outside all graphs of the null on this side; "
                               "-inf: outside from the first one on", null=_SHUFFLED),
    "grouping_by": Quantity(("side",), "steps", "snapshot from which it is outside to the end; "
                            f"inf: not so for {HOLD} snapshots", null=_SHUFFLED),
    "grouping": Quantity(("side",), "1", "quality at the end less the null's mean, on the other "
                         "side of it negative", null=_SHUFFLED),
    "grouping_low": Quantity(("side",), "1", "quality at the end less that of the nearest graph of "
                             "the null"),
    "grouping_high": Quantity(("side",), "1", "quality at the end less that of the farthest graph "
                              "of the null"),
    "grouping_bound": Quantity(("side",), "1", "grouping that no graph of the null passes"),
}  # fmt: skip


def standing(record: xr.Dataset, graph: xr.Dataset, chance: Chance) -> xr.Dataset:
    """Measure what of a coupling graph stands beyond chance.

    Parameters
    ----------
    record
        Of which the graph is.
    graph
        The union of `graph_nodes`, `edge_lives` and `assemblies`.
    chance
        Seed.

    Returns
    -------
    xr.Dataset
        `beyond`, the share of couplings that exceed permuted weights at the end; over layer: the
        largest burst of births (`burst_step`), the turn of the sharing index (`turn`) and how many
        units carry several tokens or one (`carrying_several`, `carrying_one`); over side of the
        null: from when on groups are marked (`grouping_after`, `grouping_by`); `carried_q`
        (late_step, node, token), which unit carries which token, and each token's `carrier`; each
        with its interval and bound.
    """
    parts = [
        couplings_beyond(record, chance), bursts(record, graph, chance), grouping(graph),
        sharing_beyond(graph), carrying(graph, chance),
    ]  # fmt: skip
    return xr.merge(parts, join="exact")


def couplings_beyond(record: xr.Dataset, chance: Chance) -> xr.Dataset:
    """Measure how many couplings between hidden layers are beyond permuted weights at the end."""
    wiring = wiring_of(record)
    bound = per_edge(null_bound(record, COUPLING_NULL, LEVEL)[-1], wiring)
    size = np.abs(record["coupling"].isel(step=-1).values.astype(np.float64))
    # from hidden layers to hidden layers: channels and logits are few and have laws of their own
    inner = np.isfinite(size) & (wiring.node_layer[wiring.source] > 0)
    inner &= wiring.node_layer[wiring.target] < len(wiring.layers) - 1
    targets, place = np.unique(wiring.target[inner], return_inverse=True)
    share = low = high = np.nan
    if len(targets) > 1:
        # by target, since a target's couplings sum to 1 and are not independent draws
        part = np.bincount(place, size[inner] > bound[inner], len(targets))
        whole = np.bincount(place, minlength=len(targets))
        share, (low, high) = part.sum() / whole.sum(), _resampled(part, whole, chance)
    values = {"beyond": share, "beyond_low": low, "beyond_high": high, "beyond_chance": 1 - LEVEL}
    return label(values, _BEYOND, {})


def bursts(record: xr.Dataset, lives: xr.Dataset, chance: Chance) -> xr.Dataset:
    """Find each layer's largest burst of births, and its interval.

    Parameters
    ----------
    record
        Says in which layer each unit is.
    lives
        `edge_lives` of it. Births at its first snapshot and the last ones cannot be dated.
    chance
        Seed.
    """
    dated = slice(1, lives.sizes["step"] - int(lives.attrs.get("hold", HOLD)) + 1)
    births = lives["edge_births"].transpose("step", "layer")[dated]
    bound = lives["burst_bound"].broadcast_like(lives["edge_births"]).transpose("step", "layer")
    # a bound of 0 gives nothing to compare with, and no burst
    ratio = np.where(bound[dated] > 0, births / np.maximum(bound[dated], 1), 0)
    of_unit, layers = record["layer"].values.astype(str), lives["layer"].values.astype(str)
    found = np.full((3, len(layers)), np.nan)
    for k in np.flatnonzero((ratio > 1).any(axis=0)):
        at = int(ratio[:, k].argmax())
        mine = lives["unit_births"][dated].values[at, of_unit == layers[k]]
        low, high = _resampled(mine, np.ones(len(mine)), chance)
        found[:, k] = births["step"].values[at], low * len(mine), high * len(mine)
    return label(dict(zip(_BURSTS, found, strict=True)), _BURSTS, {"layer": layers})


def grouping(assemblies: xr.Dataset) -> xr.Dataset:
    """Date from when on assemblies are more, or less, marked than in all graphs of the null.

    Parameters
    ----------
    assemblies
        The measure of this name: quality over snapshots, and that of the null.
    """
    null = assemblies["quality_null"].transpose("quality_step", "shuffle").values
    quality, steps = assemblies["quality"].values, assemblies["quality_step"].values
    rows = []
    for sign in (1, -1):
        off = sign * (quality - null.mean(axis=1))
        # the farthest of the null on that side: with few graphs no quantile is finer
        reach = (sign * (null - null.mean(axis=1, keepdims=True))).max(axis=1)
        ends = sign * (quality[-1] - null[-1])
        rows.append([*onset_interval(off, reach, steps), off[-1], ends.min(), ends.max(),
                     reach[-1]])  # fmt: skip
    columns = np.array(rows, dtype=np.float64).T
    return label(dict(zip(_GROUPS, columns, strict=True)), _GROUPS, {"side": list(SIDES)})


def _resampled(part: np.ndarray, whole: np.ndarray, chance: Chance) -> tuple[float, float]:
    rng = np.random.default_rng(chance.seed)
    return ratio_interval(part, whole, n_resamples=N_RESAMPLES, rng=rng)
