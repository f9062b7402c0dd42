"""All that is measured of construction, kept with a run's measures.

May import numpy, xarray and ontogeny.measure.
"""

from functools import partial

import xarray as xr

from ontogeny.measure.gains.building import building_on
from ontogeny.measure.gains.gain import construction_gain
from ontogeny.measure.gains.parents import edge_gains
from ontogeny.measure.gains.readouts import readout_gain
from ontogeny.measure.quantity import Chance
from ontogeny.progress import Progress, silent


def gains(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure `construction_gain`, `readout_gain`, `building_on` and `edge_gains` in one.

    Parameters
    ----------
    record
        A record with recombinations.
    chance
        How shares are drawn again and units resampled; deals and folds are the record's.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    InputError
        If the record has no recombinations: why is told.

    Examples
    --------
    >>> found = ont.measure.gains(record)
    >>> {"gain", "building", "edge_gain"} <= set(found)
    True
    """
    say, parts = progress or silent, []
    gained = partial(construction_gain, chance=chance)
    made = (gained, readout_gain, building_on, edge_gains)
    for k, one in enumerate(made):
        say("construction gain", k, len(made))
        parts.append(one(record))
    found = xr.Dataset(attrs={"deals": record.sizes["deal"]})
    for part in parts:
        found = found.merge(part, compat="no_conflicts", join="exact")
    return found
