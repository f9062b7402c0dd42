"""The first measures of a run: curves, token signals, onsets, confusion.

May import numpy, xarray and ontogeny.measure.
"""

from dataclasses import asdict

import xarray as xr

from ontogeny.measure.categories.signals import (
    Chance,
    confusion,
    label_layers,
    label_units,
    preferred_token,
    signals,
    token_margins,
)
from ontogeny.measure.learning.curves import label_onsets, learning_curves
from ontogeny.measure.learning.ending import ending
from ontogeny.progress import Progress


def measure_record(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Compute the first measures of a record: curves, token signals, onsets, confusion, ending.

    Raises
    ------
    InputError
        If the record lacks what a measure needs.
    """
    chance = chance or Chance()
    found = signals(record, chance, progress)
    layers, tokens = label_layers(record, found, chance), token_margins(record, chance=chance)
    parts = [
        learning_curves(record), label_units(record, found), layers, tokens,
        label_onsets(record, found, layers, tokens, chance=chance), confusion(record).to_dataset(),
        preferred_token(record).to_dataset(), ending(record, chance=chance),
    ]  # fmt: skip
    data = xr.merge(parts, compat="override", join="exact", combine_attrs="override")
    held = {"hold": parts[4].attrs["hold"], "measured_step": int(record["step"][-1])}
    data.attrs = asdict(chance) | held
    return data
