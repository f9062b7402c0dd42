"""What each layer constructs: beyond chance in all layers together, in what order, by what part.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

from typing import Any

import numpy as np

from ontogeny.measure.gains.kinds import COMBINES, LEVEL, SELECTS
from ontogeny.measure.gains.reading import Recombined
from ontogeny.measure.quantity import Chance, Quantity
from ontogeny.record.layers import LOGITS
from ontogeny.stats.gains import left_out_interval
from ontogeny.stats.layergains import (
    drawn_again,
    means_of_units,
    rank_order,
    share_bounds,
)
from ontogeny.stats.onset import HOLD, confidence_interval, onset_index

FEWEST = 5
"""Layers with an onset that an order needs: of fewer, chance gives any order too often."""

_LAYER = ("step", "layer")
_UNSEEN = "snapshots at which recombinations were not observed"
_TOGETHER = "all hidden layers together; NaN for the output layer"
_DEALS = "each shuffle taken as the own wiring"
_UNITS = "units resampled"
_ENDS = {"low": "lower", "high": "upper"}
_MEANS = ("selectivity", "inherited", "gain", "gain_linear", "gain_rectified")
_PARTS = {
    "inherited_share": (_LAYER, "inherited_mean / selectivity_mean", _UNSEEN, ""),
    "rectified_share": (
        _LAYER, "gain_rectified_mean / gain_mean",
        f"{_UNSEEN}; layers whose gain_mean is not surely above 0, or without a nonlinearity",
        "half: pre-activations gain as much"),
    "rectified_share_constructed": (
        ("step",), "mean gain_rectified / mean gain over the units of the layers that construct",
        f"{_UNSEEN}; no layer constructs", "half: pre-activations gain as much"),
}  # fmt: skip
_ORDER = "Kendall's tau-b of depth and onset of construction over the hidden layers that have one"
_FEW = f"fewer than {FEWEST} layers with an onset"

LAYERS = {
    "constructed_rise": Quantity(
        _LAYER, "1", "constructed_share less that of step 0", f"{_UNSEEN}; no step 0"),
    **{f"constructed_rise_{end}": Quantity(
        _LAYER, "1", f"{which} end of the 95 % interval, folds of exemplar groups left out in "
        "turn, of constructed_rise", f"{_UNSEEN}; no step 0") for end, which in _ENDS.items()},
    "constructed_bound": Quantity(
        _LAYER, "1", "constructed_share that no hidden layer passes by chance in 19 of 20 "
        "networks: the largest that any shuffle has in any layer, in binomial standard deviations",
        f"{_UNSEEN}; the output layer", _DEALS),
    "constructs": Quantity(
        ("layer",), "1", "1: at the last snapshot with recombinations constructed_share is beyond "
        "constructed_bound, and layer_construction_by is known; else 0"),
    **{f"{name}_mean": Quantity(
        _LAYER, "1", f"mean of {name} over the layer's units", f"{_UNSEEN}; layers whose units all "
        "are inactive") for name in _MEANS},
    **{f"gain_mean_{end}": Quantity(
        _LAYER, "1", f"{which} end of the 95 % interval, {_UNITS}, of gain_mean", _UNSEEN)
       for end, which in _ENDS.items()},
    **{name: Quantity(dims, "1", words, why, null)
       for name, (dims, words, why, null) in _PARTS.items()},
    **{f"{name}_{end}": Quantity(
        dims, "1", f"{which} end of the 95 % interval, {_UNITS}, of {name}", why)
       for name, (dims, _, why, _) in _PARTS.items() for end, which in _ENDS.items()},
    **{f"layer_construction_confidence_{end}": Quantity(
        ("layer",), "steps", f"{which} end of the 95 % confidence interval of layer_construction, "
        "constructed_share drawn again with the variance of leaving out folds of exemplar groups; "
        "-inf, inf: open", "fewer than three snapshots with recombinations")
       for end, which in (("after", "lower"), ("by", "upper"))},
    "construction_order": Quantity((), "1", f"{_ORDER}: 1 from below upwards, -1 from above "
                                   "downwards", _FEW, "layers in random order"),
    **{f"construction_order_{end}": Quantity(
        (), "1", f"{which} end of the 95 % interval of construction_order, shares drawn again",
        _FEW) for end, which in _ENDS.items()},
    "construction_order_bound": Quantity(
        (), "1", "what |construction_order| exceeds with 5 % if the layers are in random order",
        _FEW),
    "selected_before": Quantity(
        ("unit",), "1", "1: at the last observed snapshot before it combines to the end the unit "
        "was constructed but not beyond its best parent; 0: it inherited",
        "units that do not combine at the end, or did at the first snapshot with recombinations",
        "not known: to be beyond the best parent takes more than to be beyond recombinations"),
}  # fmt: skip


def constructed_bound(read: Recombined, own: np.ndarray, dealt: np.ndarray) -> np.ndarray:
    """Return the share that all hidden layers stay below by chance at a step, [layer]."""
    is_hidden = np.array([name != LOGITS for name in read.layers])
    bound = np.full(len(is_hidden), np.nan)
    units = [units for name, units in read.layers.items() if name != LOGITS]
    bound[is_hidden] = share_bounds(own, dealt, units)
    return bound


def layer_gains(read: Recombined, found: dict[str, Any], chance: Chance) -> dict[str, Any]:
    """Return the quantities of layers out of those of units.

    Parameters
    ----------
    read
        The record.
    found
        Quantities of units and layers, `rises` too; "_constructed_share" has that share by fold.
    chance
        How often shares are drawn again and units resampled, and by which seed.
    """
    rng = np.random.default_rng(chance.seed)
    values = _order(read, found, chance, rng)
    values["constructs"] = _constructs(read, found)
    values |= _parts(read, found, values["constructs"], chance, rng)
    return values | {"selected_before": selected_before(read, found["kind"])}


def rises(read: Recombined, found: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the shares' rise since step 0 with its interval."""
    share, again = found["constructed_share"], found["_constructed_share"]
    if read.steps[0] != 0:
        return {f"constructed_rise{end}": np.full_like(share, np.nan)
                for end in ("", "_low", "_high")}  # fmt: skip
    rise = share - share[:1]
    low, high = left_out_interval(rise, np.moveaxis(again - again[:1], 1, 0))
    return {"constructed_rise": rise, "constructed_rise_low": low, "constructed_rise_high": high}


def _constructs(read: Recombined, found: dict[str, Any]) -> np.ndarray:
    if not len(read.observed):
        return np.zeros(len(read.layers), np.int8)
    last = read.observed[-1]
    beyond = found["constructed_share"][last] > found["constructed_bound"][last]
    return (beyond & np.isfinite(found["layer_construction_by"])).astype(np.int8)


def _order(
    read: Recombined, found: dict[str, Any], chance: Chance, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the confidence intervals of the layers' onsets, and whether these follow depth."""
    seen = read.observed
    missing = dict.fromkeys(("construction_order", *(f"construction_order_{end}" for end in (
        "low", "high", "bound"))), np.nan)  # fmt: skip
    ends = [f"layer_construction_confidence_{end}" for end in ("after", "by")]
    if len(seen) < HOLD:
        return missing | dict.fromkeys(ends, np.full(len(read.layers), np.nan))
    index = _onsets_drawn_again(found, seen, chance, rng)
    after, by = confidence_interval(index, read.steps[seen])
    known = np.isfinite(found["layer_construction_by"])
    known[[name == LOGITS for name in read.layers]] = False
    values: dict[str, Any] = dict(zip(ends, (after, by), strict=True))
    if known.sum() < FEWEST:
        return values | missing
    depth = np.arange(known.sum(), dtype=np.float64)
    own = rank_order(depth, found["layer_construction_by"][known])
    low, high = np.nanquantile(
        rank_order(depth, index[:, known].astype(np.float64)), [0.025, 0.975]
    )
    dealt = np.stack([rng.permutation(depth) for _ in range(chance.n_shuffles)])
    by_chance = np.abs(rank_order(found["layer_construction_by"][known], dealt))
    bound = np.quantile(by_chance, chance.level, method="higher")
    return values | dict(zip(missing, (own, low, high, bound), strict=True))


def _onsets_drawn_again(
    found: dict[str, Any], seen: np.ndarray, chance: Chance, rng: np.random.Generator
) -> np.ndarray:
    """Return the index of each layer's onset in shares that are drawn again, [draw, layer]."""
    share, again = found["constructed_share"][seen], found["_constructed_share"][seen]
    normal = rng.standard_normal((chance.n_resamples, again.shape[1]))
    drawn = drawn_again(share, np.moveaxis(again, 1, 0), normal)
    # the interval is as wide about a share that is drawn again as about the one that was observed
    low, _ = left_out_interval(share, np.moveaxis(again, 1, 0))
    reach = share - low
    rise_reach = (found["constructed_rise"] - found["constructed_rise_low"])[seen]
    beyond = (drawn - reach > LEVEL) & (drawn - drawn[:, :1] - rise_reach > 0)
    flags = np.moveaxis(beyond, 1, 2).astype(np.float64)
    return onset_index(flags, np.full(len(seen), 0.5), hold=HOLD)


def _parts(
    read: Recombined, found: dict[str, Any], constructs: np.ndarray, chance: Chance,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return the layers' means over units, and shares of them with intervals, [step, layer]."""
    values = {name: np.full((len(read.steps), len(read.layers)), np.nan)
              for name, one in LAYERS.items() if one.dims == _LAYER
              and (name.split("_mean")[0] in _MEANS or "_share" in name)}  # fmt: skip
    for k, units in enumerate(read.layers.values()):
        for name, each in _parts_of(found, units, chance, rng).items():
            values[name][:, k] = each
    together = [units for units, is_one in zip(read.layers.values(), constructs, strict=True)
                if is_one]  # fmt: skip
    every = np.concatenate(together) if together else np.array([], dtype=np.int64)
    of_all = _parts_of(found, every, chance, rng)
    names = [f"rectified_share{end}" for end in ("", "_low", "_high")]
    return values | {name.replace("share", "share_constructed"): of_all[name] for name in names}


def _parts_of(
    found: dict[str, Any], units: np.ndarray, chance: Chance, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the means over some units, and shares of them with intervals, [step]."""
    observed = np.isfinite(found["gain"][:, units])
    drawn = rng.integers(max(len(units), 1), size=(chance.n_resamples, len(units)))
    weights = np.stack([np.bincount(row, minlength=len(units)) for row in drawn])
    weights = np.concatenate([np.ones((1, len(units))), weights])
    mean = {name: means_of_units(np.where(observed, found[name][:, units], np.nan), weights)
            for name in _MEANS}  # fmt: skip
    values = {f"{name}_mean": each[0] for name, each in mean.items()}
    values["gain_mean_low"], values["gain_mean_high"] = _middle(mean["gain"][1:])
    sure = values["gain_mean_low"] > 0
    for name, part, whole in (
        ("inherited_share", mean["inherited"], mean["selectivity"]),
        ("rectified_share", mean["gain_rectified"], np.where(sure, mean["gain"], np.nan)),
    ):
        share = np.divide(part, whole, where=whole > 0, out=np.full(whole.shape, np.nan))
        values[name] = share[0]
        values[f"{name}_low"], values[f"{name}_high"] = _middle(share[1:])
    return values


def _middle(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the middle 95 % of draws, [step]; NaN where one is missing."""
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high


def selected_before(read: Recombined, kind: np.ndarray) -> np.ndarray:
    """Return whether units were constructed before they combined to the end, [unit]."""
    seen = kind[read.observed]
    found = np.full(kind.shape[1], np.nan)
    for unit in np.flatnonzero((seen[-1:] == COMBINES).any(axis=0)):
        others = np.flatnonzero(seen[:, unit] != COMBINES)
        if len(others):
            found[unit] = seen[others[-1], unit] == SELECTS
    return found
