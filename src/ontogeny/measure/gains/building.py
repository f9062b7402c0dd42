"""Whether what a unit adds depends on what its parents had added, and its parents' parents.

B = (S_rr - S_dr) - (S_rd - S_dd): the first letter is the unit's wiring, the second that of a layer
below, r real and d dealt anew. B = 0: the unit adds as much to parents whose own wiring means
nothing; B > 0: it builds on what they made. That says that its wiring fits these parents, not that
they were there first: that is what grafts are for. May import numpy, xarray, ontogeny.stats and
ontogeny.measure.
"""

from statistics import NormalDist

import numpy as np
import xarray as xr

from ontogeny.measure.gains.reading import recombined_of
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.gains import jackknife_error, left_out_interval

_CELL, _LAYER = ("step", "unit", "depth"), ("step", "layer", "depth")
_WHEN = "snapshots at which dealt ancestors were not observed; layers with nothing so far below"
_MISSING = f"inactive units; {_WHEN}"
BUILDING = {
    "own_on_own": Quantity(
        ("step", "unit"), "1", "S_rr: the unit's eta squared over tokens", _MISSING),
    "recombined_on_own": Quantity(
        ("step", "unit"), "1", "S_dr: that of its recombinations, mean over the same deals",
        _MISSING),
    "own_on_recombined": Quantity(
        _CELL, "1", "S_rd: that of the unit when the layer so far below is recombined", _MISSING),
    "recombined_on_recombined": Quantity(
        _CELL, "1", "S_dd: that of its recombinations when that layer is recombined", _MISSING),
    "building": Quantity(
        _CELL, "1", "B = (S_rr - S_dr) - (S_rd - S_dd): how much more the unit adds to its "
        "ancestors as they are than to recombined ones", _MISSING, "building_mean at step 0"),
    "building_mean": Quantity(
        _LAYER, "1", "mean of building over the layer's active units", _WHEN,
        "its own value at step 0; eta squared is skew, so that 0 is its null only nearly"),
    "building_mean_low": Quantity(
        _LAYER, "1", "lower end of the 95 % interval, folds of exemplar groups left out in turn, "
        "of building_mean", _WHEN),
    "building_mean_high": Quantity(
        _LAYER, "1", "upper end of the 95 % interval, folds of exemplar groups left out in turn, "
        "of building_mean", _WHEN),
    "building_rise_low": Quantity(
        _LAYER, "1", "lower end of the 95 % interval of building_mean less that of step 0",
        f"{_WHEN}; no step 0"),
    "building_rise": Quantity(
        _LAYER, "1", "building_mean less that of step 0", f"{_WHEN}; no step 0"),
    "building_rise_low_together": Quantity(
        _LAYER, "1", "lower end of building_rise for all layers and depths together (one-sided 95 "
        "%, Bonferroni), with the errors over folds of exemplar groups and over units added",
        f"{_WHEN}; no step 0"),
    "building_share": Quantity(
        _LAYER, "1", "share of the layer's active units with building > 0", _WHEN,
        "its own value at step 0"),
}  # fmt: skip


def building_on(record: xr.Dataset) -> xr.Dataset:
    """Measure whether what units add depends on what the layers below them had added.

    Parameters
    ----------
    record
        A record with recombinations.

    Returns
    -------
    xr.Dataset
        Over (step, unit, depth), depth 1 the parents, 2 the parents' parents: `building`, out of
        `own_on_own`, `recombined_on_own` (step, unit), `own_on_recombined` and
        `recombined_on_recombined`. Over (step, layer, depth): `building_mean` with its interval
        over exemplar groups, `building_rise_low`, the lower end of that of its rise since step 0,
        `building_rise` with its lower end for all layers and depths together, and
        `building_share`. NaN where attribute `missing` says.

    Raises
    ------
    InputError
        If the record has no recombinations: why is told.

    Examples
    --------
    How much more the units of each layer add to their own parents, untrained and trained:

    >>> found = ont.measure.building_on(record).sel(depth=1)
    >>> found.building_mean.isel(step=[0, -1]).round(2).values
    array([[  nan,  0.01, -0.04, -0.01],
           [  nan,  0.17,  0.11,  0.19]])
    """
    read = recombined_of(record)
    on_dealt, dealt_on_dealt = (
        record[name].values.astype(np.float64)
        for name in ("on_recombined", "recombined_on_recombined")
    )
    observed = np.isfinite(on_dealt[..., 0])
    own = np.full(observed.shape, np.nan)
    active = np.zeros(observed.shape, bool)
    for place in np.flatnonzero(np.isfinite(on_dealt).any(axis=(1, 2))).tolist():
        responses = read.responses(place)
        own[place], active[place] = read.scored(responses), ~read.inactive(responses)
    used = active & observed & np.isfinite(own)
    count = int(str(record.attrs["ancestors"]).split()[2])
    dealt = record["recombined"].values[..., :count].astype(np.float64).mean(axis=2)
    parts = [np.where(used, part, np.nan) for part in (own, dealt)]
    parts += [np.where(used[..., None], part, np.nan) for part in (on_dealt, dealt_on_dealt)]
    building = (parts[0] - parts[1])[..., None] - (parts[2] - parts[3])
    names = ("own_on_own", "recombined_on_own", "own_on_recombined", "recombined_on_recombined")
    values = dict(zip(names, parts, strict=True)) | {"building": building}
    left_out = np.where(used[..., None, None], record["building_left_out"].values, np.nan)
    values |= _by_layer(list(read.layers.values()), building, left_out, read.steps)
    values |= _rises(list(read.layers.values()), building, left_out, read.steps)
    where = {
        "step": read.steps, "unit": record["unit"].values.astype(str),
        "layer": list(read.layers), "depth": record["depth"].values,
    }  # fmt: skip
    return label(values, BUILDING, where)


def _by_layer(
    layers: list[np.ndarray], building: np.ndarray, left_out: np.ndarray, steps: np.ndarray
) -> dict[str, np.ndarray]:
    """Return means over units, their intervals, and shares, [step, layer, depth]."""
    mean = np.stack([_mean(building[:, units]) for units in layers], axis=1)
    again = np.stack([_mean(left_out[:, units]) for units in layers], axis=1)
    by_fold = np.moveaxis(again, -1, 0)  # [fold, step, layer, depth]
    low, high = left_out_interval(mean, by_fold)
    rise_low = np.full_like(mean, np.nan)
    if steps[0] == 0:
        rise_low, _ = left_out_interval(mean - mean[:1], by_fold - by_fold[:, :1])
    above = np.where(np.isfinite(building), building > 0, np.nan)
    share = np.stack([_mean(above[:, units]) for units in layers], axis=1)
    return {
        "building_mean": mean, "building_mean_low": low, "building_mean_high": high,
        "building_rise_low": rise_low, "building_share": share,
    }  # fmt: skip


def _rises(
    layers: list[np.ndarray], building: np.ndarray, left_out: np.ndarray, steps: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the means' rise since step 0, and its lower end for all together."""
    if steps[0] != 0:
        missing = np.full((len(steps), len(layers), building.shape[-1]), np.nan)
        return {"building_rise": missing, "building_rise_low_together": missing.copy()}
    since, again = building - building[:1], left_out - left_out[:1]
    rise = np.stack([_mean(since[:, units]) for units in layers], axis=1)
    by_fold = np.stack([_mean(again[:, units]) for units in layers], axis=1)
    fold_error = jackknife_error(np.moveaxis(by_fold, -1, 0))
    unit_error = np.stack([_unit_error(since[:, units]) for units in layers], axis=1)
    together = np.isfinite(rise).sum(axis=(1, 2), keepdims=True)
    z = np.vectorize(lambda n: NormalDist().inv_cdf(1 - 0.05 / max(n, 1)))(together)
    return {
        "building_rise": rise,
        "building_rise_low_together": rise - z * np.hypot(fold_error, unit_error),
    }


def _unit_error(values: np.ndarray) -> np.ndarray:
    """Return the standard error over units [step, unit, ...] of their mean; NaN below two."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    about = np.where(known, values - _mean(values)[:, None], 0.0)
    size = (about**2).sum(axis=1)
    square = np.divide(size, count * (count - 1.0), where=count > 1,
                       out=np.full(size.shape, np.nan))  # fmt: skip
    return np.sqrt(square)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over units [step, unit, ...] of those that are known; NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, count, where=count > 0, out=np.full(total.shape, np.nan))
