"""All of a run's detectors: tuning, lives and directions, kept with its measures.

May import numpy, xarray, ontogeny.measure only.
"""

import xarray as xr

from ontogeny.measure.directions import directions
from ontogeny.measure.quantity import Chance
from ontogeny.measure.tuning import CHANCE, label_tuning, tunings
from ontogeny.measure.unitlives import label_lives
from ontogeny.progress import Parts, Progress


def detectors(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure detectors: the union of `tuning`, `unit_lives` and `directions`.

    Nothing shows `complexity`; it is a call of its own.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.
    """
    chance = chance or CHANCE
    stages = Parts(progress, {"tuning": 1, "directions": 1})
    found = tunings(record, chance, stages.of("tuning"))
    parts = [
        label_tuning(record, found, chance), label_lives(record, found, chance),
        directions(record, chance=chance, progress=stages.of("directions")),
    ]  # fmt: skip
    return xr.merge(parts, compat="override", join="exact", combine_attrs="drop_conflicts")
