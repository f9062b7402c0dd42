"""The record before its first step: what does not change from step to step.

May import hooks, coupling, record and the exemplars.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from ontogeny import record as names
from ontogeny.coupling import LATTICE
from ontogeny.hooks import ANCESTORS, Blueprint
from ontogeny.observe.exemplars import HOLDOUT_EXEMPLARS, Exemplars, halves
from ontogeny.record import LEVELS, PAIRS, SPLITS, definition


def template(
    shown: Exemplars, blueprint: Blueprint, row: Mapping[str, Any], attributes: Mapping[str, Any]
) -> xr.Dataset:
    """Return a record of no steps for rows like this one."""
    values = _fixed(shown, blueprint, row)
    for name, value in row.items():
        kind = definition(name).dtype
        values[name] = np.empty((0, *np.shape(value)), dtype=object if kind == "string" else kind)
    unknown = dict.fromkeys(names.ATTRIBUTES)
    fixed = {
        "schema": names.SCHEMA,
        "tokens": list(shown.tokens or ()),
        "layers": list(blueprint.layers),
        "kinds": list(blueprint.kinds),
        "nonlinearities": list(blueprint.nonlinearities),
        "versions": {n: version(n) for n in ("ontogeny", "torch", "numpy", "zarr", "xarray")},
    }
    entries = {name: _entry(name, value) for name, value in values.items()}
    return xr.Dataset(
        {n: e for n, e in entries.items() if not definition(n).is_coordinate},
        coords={n: e for n, e in entries.items() if definition(n).is_coordinate},
        attrs={**unknown, **attributes, **_notes(shown, row), **fixed},
    )


def _fixed(shown: Exemplars, blueprint: Blueprint, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of exemplars, units, edges and tokens, by the record's names."""
    layers = np.repeat(blueprint.layers, blueprint.n_units)
    tokens = shown.tokens or ()
    values: dict[str, Any] = {
        names.EXEMPLAR: np.arange(len(shown.images)),
        **shown.coordinates,
        names.UNIT: np.array(blueprint.units),
        names.LAYER: layers,
        names.CHANNEL: np.concatenate([np.arange(n) for n in blueprint.n_units]),
        names.TOKEN: np.array(tokens),
        names.SPLIT: np.array(SPLITS),
    }
    if names.COUPLING_NULL in row:
        values |= {names.LEVEL: np.array(LEVELS), names.PAIR: np.arange(len(PAIRS))}
    if shown.token is not None:
        values[names.EXEMPLAR_TOKEN] = np.array(tokens)[shown.token]
        values[names.EXEMPLAR_HALF] = halves(shown.token)
    if names.SELECTIVITY_LINEAR in row and shown.scored is not None:
        values |= shown.scored.coordinates | {names.STAGE: np.array(blueprint.layers)}
    if names.COUPLING in row:
        source, target = blueprint.edges()
        values |= {names.SOURCE: source, names.TARGET: target, names.EDGE: np.arange(len(source))}
    if isinstance(shown.images, np.ndarray) and shown.images.dtype == np.uint8:
        values[names.IMAGE] = shown.images
    return values


def _notes(shown: Exemplars, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that say how the extras were drawn, where they are in the row."""
    notes: dict[str, Any] = {}
    if names.COUPLING_NULL in row:
        notes["nulls"] = f"weights permuted by seed ({shown.seed}, layer), alike at all steps"
        notes["interactions"] = f"half 0; a lattice of at most {LATTICE} x {LATTICE} positions"
    if names.SELECTIVITY_LINEAR in row:
        notes["deals"] = f"weights shuffled by seed ({shown.seed}, layer, unit), alike at all steps"
        notes["ancestors"] = f"the first {ANCESTORS} deals"
    if names.CLONE_LOSS in row and shown.clones is not None:
        notes["clones"] = shown.clones.attribute
    if shown.holdout_token is not None and names.HOLDOUT_LOSS in row:
        notes["holdout"] = (
            f"{len(shown.holdout_token)} exemplars, at most {HOLDOUT_EXEMPLARS} per token, drawn "
            f"once by seed ({shown.seed})"
        )
    return notes


def _entry(name: str, values: np.ndarray) -> tuple[Any, ...]:
    variable = definition(name)
    words = {"units": variable.units, "long_name": variable.long_name}
    return variable.dims, values, words
