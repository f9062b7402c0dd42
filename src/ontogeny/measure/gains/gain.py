"""What a unit adds to what it is given: its selectivity beyond that of its recombinations.

A recombination has the unit's own parents, weights and bias, the weights dealt anew. A unit
*inherits* what its recombinations have too, *selects* where it has more, and *combines* where it
has more than its best parent as well. May import numpy, xarray, ontogeny.stats and
ontogeny.measure.
"""

from typing import Any

import numpy as np
import xarray as xr

from ontogeny.measure.gains.kinds import (
    COMBINES,
    INHERITS,
    LEVEL,
    SELECTS,
    UNKNOWN,
    is_beyond,
)
from ontogeny.measure.gains.layers import LAYERS, constructed_bound, layer_gains, rises
from ontogeny.measure.gains.reading import Recombined, recombined_of
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.stats.gains import (
    best_gain_bound,
    best_source,
    left_out_interval,
    reach_p,
)
from ontogeny.stats.onset import HOLD, onset_index
from ontogeny.stats.selectivity import feature_selectivity

_CELL = ("step", "unit")
_LAYER = ("step", "layer")
_S = "eta squared over tokens of the mean activation, over the exemplars that score"
_LINEAR = "eta squared over tokens of the mean pre-activation, over the exemplars that score"
_INACTIVE = "units that are constant or inactive (mean |response| at most .025 of their layer's)"
_OBSERVED = f"{_INACTIVE}; snapshots at which recombinations were not observed"
_DEALS = "weights into the unit shuffled over sources and taps, 19 times"
_READ = (
    "recombined", "recombined_linear_rows", "recombined_linear_slices", "recombined_linear_taps",
    "selectivity_linear", "recombined_feature", "reached_feature", "reached_left_out",
)  # fmt: skip
_ENDS = {"low": "lower", "high": "upper"}
_FOLDS = "end of the 95 % interval, folds of exemplar groups left out in turn, of"
_SHARES = {
    "constructed_share": "share of the layer's units that are constructed: active, and reached by "
    "no recombination (p <= .05)",
    "combining_share": "share of the layer's units that combine: constructed, and beyond their "
    "best parent",
}

GAIN = {
    "selectivity": Quantity(_CELL, "1", _S, _INACTIVE),
    "inherited": Quantity(_CELL, "1", f"mean over recombinations of: {_S}", _OBSERVED),
    "gain": Quantity(_CELL, "1", "selectivity - inherited", _OBSERVED, _DEALS),
    "p": Quantity(_CELL, "1", "(1 + recombinations that reach the unit's selectivity) / (1 + "
                  "recombinations)", _OBSERVED, _DEALS),
    "gain_bound": Quantity(_LAYER, "1", "gain that the best of the layer's units passes by chance "
                           "in one of 20 layers: the largest that any deal has over the others",
                           "snapshots at which recombinations were not observed", _DEALS),
    "selectivity_linear": Quantity(_CELL, "1", _LINEAR, _INACTIVE),
    **{
        f"{name}_linear{of}": Quantity(_CELL, "1", words + _LINEAR + dealt, missing, null)
        for of, dealt, missing in (
            ("", "", _INACTIVE),
            ("_slices", "; whole kernel slices shuffled between sources", _OBSERVED),
            ("_taps", "; taps shuffled within each kernel slice", _OBSERVED))
        for name, words, null in (
            ("inherited", "mean over recombinations of: ", ""),
            ("gain", "own less inherited: ", _DEALS),
            ("p", "(1 + recombinations that reach the own value) / (1 + recombinations): ", _DEALS))
    },
    "gain_rectified": Quantity(_CELL, "1", "gain - gain_linear: what the nonlinearity adds to the "
                               "gain", f"{_OBSERVED}; layers without a nonlinearity", _DEALS),
    "emergent": Quantity(_CELL, "1", "selectivity less that of the best parent, which the other "
                         "half of the exemplars chooses",
                         f"{_INACTIVE}; units whose parents all are", "emergent_low > 0"),
    **{f"emergent_{end}": Quantity(_CELL, "1", f"{which} {_FOLDS} emergent",
                                   f"{_INACTIVE}; units whose parents all are")
       for end, which in _ENDS.items()},
    "best_parent": Quantity(_CELL, "1", "channel, in the layer below, of that parent; -1: none"),
    "kind": Quantity(_CELL, "1", "0: inherits (p > .05), 1: selects (p <= .05), 2: combines (and "
                     "emergent_low > 0); -1: not known"),
    **{name: Quantity(_LAYER, "1", words, "snapshots at which recombinations were not observed",
                      "1 / 20 by chance; constructed_share at step 0")
       for name, words in _SHARES.items()},
    **{f"{name}_{end}": Quantity(_LAYER, "1", f"{which} {_FOLDS} {name}",
                                 "snapshots at which recombinations were not observed, or one fold")
       for name in _SHARES for end, which in _ENDS.items()},
    "selectivity_feature": Quantity(
        (*_CELL, "feature"), "1", "eta squared of the mean activation between exemplars with and "
        "without the feature, over the exemplars that score", _OBSERVED),
    "inherited_feature": Quantity(
        (*_CELL, "feature"), "1", "mean of that over recombinations", _OBSERVED),
    "gain_feature": Quantity(
        (*_CELL, "feature"), "1", "selectivity_feature - inherited_feature", _OBSERVED, _DEALS),
    "p_feature": Quantity(
        (*_CELL, "feature"), "1", "(1 + recombinations that reach selectivity_feature) / (1 + "
        "recombinations)", _OBSERVED, _DEALS),
    **{
        f"{name}_{end}": Quantity((dim,), "steps", words.format(
            which="last snapshot before" if end == "after" else "first snapshot from which"), why)
        for name, dim, why, words in (
            ("construction", "unit", "fewer than three snapshots with recombinations",
             "{which} on no recombination reaches the unit (p <= .05), to the end, for "
             f"{HOLD} snapshots with recombinations at least; -inf, inf: none such"),
            ("construction_linear", "unit", "fewer than three snapshots",
             "{which} on no recombination of the pre-activation reaches the unit's, to the end, "
             f"for {HOLD} snapshots at least; -inf, inf: none such"),
            ("layer_construction", "layer", "fewer than three snapshots with recombinations",
             "{which} on the layer's constructed_share is beyond .05 and beyond that of step 0 "
             f"(95 % intervals), to the end, for {HOLD} snapshots with recombinations at least; "
             "-inf, inf: none such"))
        for end in ("after", "by")
    },
    **LAYERS,
}  # fmt: skip


def construction_gain(record: xr.Dataset, *, chance: Chance | None = None) -> xr.Dataset:
    """Measure what each unit adds to what it is given, against recombinations of the same parents.

    Selectivity is eta squared over tokens of the unit's mean activation, over the held-out
    exemplars that score. A recombination deals the weights into the unit anew over sources and
    taps (19 deals, the same at all steps): same parents, weights and bias, other wiring. Units of
    a layer are not independent of each other: a share has an interval over exemplar groups, and
    its null at step 0.

    Parameters
    ----------
    record
        A record with recombinations.
    chance
        How often shares are drawn again and units resampled, and by which seed; None: as usual.

    Returns
    -------
    xr.Dataset
        Over (step, unit): `selectivity`, `inherited`, `gain`, `p`; the same of the mean
        pre-activation, `..._linear`, at every snapshot, and with whole kernel slices
        (`..._linear_slices`) or the taps within them (`..._linear_taps`) dealt; `gain_rectified`,
        what the nonlinearity adds; `emergent` with its interval, the selectivity beyond that of
        `best_parent`; `kind` (0 inherits, 1 selects, 2 combines, -1 not known). Over (step,
        layer): `constructed_share`, `combining_share` with intervals, `gain_bound`, which the
        layer's best unit passes by chance once in 20 times. Over (step, unit, feature):
        `selectivity_feature`, `inherited_feature`, `gain_feature`, `p_feature`. Over unit and
        layer: `construction_after` and `construction_by`, the interval of the onset, likewise of
        pre-activations and of the layer's share. Of layers, further: `constructed_rise` since step
        0; `constructed_bound`, which holds for all hidden layers together; means over units
        (`gain_mean`, ...), `inherited_share` and `rectified_share` with intervals; whether it
        `constructs`; the order of onsets. NaN where attribute `missing` says.

    Raises
    ------
    InputError
        If the record has no recombinations: why is told.

    Examples
    --------
    How many of each layer's units no recombination reaches, untrained and trained:

    >>> found = ont.measure.construction_gain(record)
    >>> found.constructed_share.isel(step=[0, -1]).round(2).values
    array([[0.12, 0.06, 0.  , 0.  ],
           [0.25, 0.31, 0.19, 0.  ]])
    """
    read = recombined_of(record)
    values = _by_step(read)
    values |= _shares(read, values)
    values |= rises(read, values)
    values |= _onsets(read, values)
    values |= layer_gains(read, values, chance or Chance())
    values = {name: value for name, value in values.items() if not name.startswith("_")}
    where = {
        "step": read.steps, "unit": record["unit"].values.astype(str), "layer": list(read.layers),
        "layer_of_unit": ("unit", record["layer"].values.astype(str)),
        "feature": record["feature"].values.astype(str),
        "feature_also": ("feature", record["feature_also"].values.astype(str)),
    }  # fmt: skip
    return label(values, GAIN, where, attributes={"deals": record.sizes["deal"]})


def _by_step(read: Recombined) -> dict[str, Any]:
    """Return what is measured of one snapshot after another; "_p" and "_emergent" by fold."""
    record, rows = read.record, []
    for place in range(len(read.steps)):
        here = record[list(_READ)].isel(step=place)
        observed = {name: here[name].values.astype(np.float64) for name in _READ}
        rows.append(_one_step(read, read.responses(place), observed))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _one_step(read: Recombined, responses: np.ndarray, seen: dict[str, np.ndarray]) -> dict:
    """Return the quantities of a snapshot."""
    own = np.where(read.inactive(responses), np.nan, read.scored(responses))
    known = np.isfinite(own)
    linear = np.where(known, seen["selectivity_linear"], np.nan)
    row = {"selectivity": own, "selectivity_linear": linear, "p": reach_p(own, seen["recombined"])}
    row["inherited"] = np.where(known, seen["recombined"].mean(axis=1), np.nan)
    row["gain"] = own - row["inherited"]
    for kind, end in (("rows", ""), ("slices", "_slices"), ("taps", "_taps")):
        dealt = seen[f"recombined_linear_{kind}"]
        row[f"inherited_linear{end}"] = np.where(known, dealt.mean(axis=1), np.nan)
        row[f"gain_linear{end}"] = linear - row[f"inherited_linear{end}"]
        row[f"p_linear{end}"] = reach_p(linear, dealt)
    row["gain_rectified"] = np.where(_is_rectified(read), row["gain"] - row["gain_linear"], np.nan)
    row["gain_bound"] = np.array(
        [best_gain_bound(seen["recombined"][units]) for units in read.layers.values()]
    )
    row["constructed_bound"] = constructed_bound(read, own, seen["recombined"])
    row |= _emergence(read, responses, own)
    p_left_out = (1 + seen["reached_left_out"].T) / (1 + read.record.sizes["deal"])
    row["_p"] = np.where(known, p_left_out, np.nan)
    row["kind"] = _kinds(row["p"], row["emergent_low"])
    return row | _features(read, responses, own, seen)


def _is_rectified(read: Recombined) -> np.ndarray:
    """Say which units lie behind a nonlinearity, [unit]."""
    after = dict(zip(read.record.attrs["layers"], read.record.attrs["nonlinearities"], strict=True))
    return np.array([bool(after[name]) for name in read.record["layer"].values.astype(str)])


def _kinds(p: np.ndarray, emergent_low: np.ndarray) -> np.ndarray:
    constructed = np.where(emergent_low > 0, COMBINES, SELECTS)
    kind = np.where(is_beyond(p), constructed, INHERITS)
    return np.where(np.isnan(p), UNKNOWN, kind).astype(np.int8)


def _emergence(read: Recombined, responses: np.ndarray, own: np.ndarray) -> dict[str, np.ndarray]:
    """Return the selectivity beyond that of the best parent, its interval, and that parent."""
    n_pixels = read.wiring.n_pixels
    every = np.concatenate([read.colours(), responses], axis=1)
    chooses, scores, left_out = read.chosen(every), read.scored(every), read.left_out(every)
    best = np.full(len(own), -1)
    for block in range(len(read.wiring.blocks)):
        is_wired = np.isfinite(read.wiring.matrix(np.zeros(len(read.wiring.source)), block))
        sources, targets = read.wiring.members(block), read.wiring.members(block + 1)
        place = best_source(chooses[sources], is_wired)
        best[targets - n_pixels] = np.where(place >= 0, sources[0] + place, -1)
    has = (best >= 0) & np.isfinite(own)
    beyond = np.where(has, scores[n_pixels:] - scores[best], np.nan)
    by_fold = np.where(has, left_out[:, n_pixels:] - left_out[:, best], np.nan)
    low, high = left_out_interval(beyond, by_fold)
    first = np.array(read.wiring.first)[read.wiring.node_layer[best]]
    return {
        "emergent": beyond, "emergent_low": low, "emergent_high": high, "_emergent": by_fold,
        "best_parent": np.where(has, best - first, -1).astype(np.int16),
    }  # fmt: skip


def _features(
    read: Recombined, responses: np.ndarray, own: np.ndarray, seen: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return selectivity between exemplars with and without each feature."""
    mine, known = read.fold >= 0, np.isfinite(own)[:, None]
    observed = known & np.isfinite(seen["reached_feature"])
    member = read.record["feature_member"].values[:, mine].astype(bool)
    score = feature_selectivity(responses[mine], member).T
    score = np.where(observed, score, np.nan)
    inherited = np.where(observed, seen["recombined_feature"], np.nan)
    p = (1 + seen["reached_feature"]) / (1 + read.record.sizes["deal"])
    values = {
        "selectivity_feature": score, "inherited_feature": inherited,
        "gain_feature": score - inherited, "p_feature": np.where(observed, p, np.nan),
    }  # fmt: skip
    return {name: value.astype(np.float32) for name, value in values.items()}


def _shares(read: Recombined, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return shares of each layer's units with their intervals, [step, layer]."""
    below = is_beyond(found["_p"])  # [step, fold, unit]
    # that the lower end stays above 0 with a fold left out, at the width that all folds give
    reach = (found["emergent"] - found["emergent_low"])[:, None]
    beyond = below & (found["_emergent"] - reach > 0)
    flags = {
        "constructed_share": (found["kind"] >= SELECTS, below),
        "combining_share": (found["kind"] == COMBINES, beyond),
    }
    values, unseen = {}, np.delete(np.arange(len(read.steps)), read.observed)
    for name, (whole, by_fold) in flags.items():
        # of all units: were inactive ones left out, a share of the active ones would be above
        # chance untrained, since among their recombinations there are inactive ones too
        shares = np.stack([whole[:, units].mean(axis=1) for units in read.layers.values()], 1)
        again = np.stack([by_fold[..., units].mean(axis=2) for units in read.layers.values()], 2)
        shares[unseen], again[unseen] = np.nan, np.nan
        low, high = left_out_interval(shares, np.moveaxis(again, 1, 0))
        values |= {name: shares, f"{name}_low": np.clip(low, 0, 1),
                   f"{name}_high": np.clip(high, 0, 1), f"_{name}": again}  # fmt: skip
    return values


def _onsets(read: Recombined, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the intervals in which construction begins, of units and of layers."""
    seen, steps = read.observed, read.steps.astype(np.float64)
    beyond = found["constructed_share_low"][seen] > LEVEL
    beyond &= found["constructed_rise_low"][seen] > 0
    values = {}
    for name, flags, at in (
        ("construction", is_beyond(found["p"][seen]), steps[seen]),
        ("construction_linear", is_beyond(found["p_linear"]), steps),
        ("layer_construction", beyond, steps[seen]),
    ):
        index = onset_index(flags.T.astype(float), np.full(len(at), 0.5), hold=HOLD)
        enough = len(at) >= HOLD
        values[f"{name}_by"] = np.append(at, np.inf)[index] if enough else index * np.nan
        before = np.concatenate([[-np.inf], at])[index]
        values[f"{name}_after"] = before if enough else index * np.nan
    return values
