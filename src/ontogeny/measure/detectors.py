"""All of a run's detectors: tuning, lives and directions, kept with its measures.

May import numpy, xarray, ontogeny.stats, ontogeny.measure, ontogeny.record, ontogeny.run only.
"""

import os

import xarray as xr

from ontogeny.measure.categories import Chance
from ontogeny.measure.directions import directions
from ontogeny.measure.store import kept
from ontogeny.measure.tuning import CHANCE, label_tuning, tunings
from ontogeny.measure.unitlives import label_lives
from ontogeny.progress import Parts, Progress
from ontogeny.run import RunFolder

FILE = "detectors.zarr"


def detectors(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure detectors: the union of `tuning`, `unit_lives` and `directions`.

    Nothing shows `complexity`; it is a call of its own.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    All measures of detectors at once, such as how many units of each layer are tuned at the end:

    >>> found = ont.measure.detectors(record)
    >>> tuned = np.isfinite(found.tuned_by) & np.isinf(found.untuned_by)
    >>> tuned.groupby(record.layer).sum().to_series().to_dict()
    {'conv1': 0, 'conv2': 3, 'fc1': 3, 'logits': 2}
    """
    chance = chance or CHANCE
    stages = Parts(progress, {"tuning": 1, "directions": 1})
    found = tunings(record, chance, stages.of("tuning"))
    parts = [
        label_tuning(record, found, chance), label_lives(record, found, chance),
        directions(record, chance=chance, progress=stages.of("directions")),
    ]  # fmt: skip
    return xr.merge(parts, compat="override", join="exact", combine_attrs="drop_conflicts")


def detectors_run(
    run: RunFolder | str | os.PathLike[str],
    *,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure a run's detectors into its detectors.zarr, or return what is there and fresh.

    Raises
    ------
    RunError
        If there is no record, or no room for the measures.
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.
    """
    settled = chance or CHANCE

    def measure(record: xr.Dataset, _: RunFolder) -> xr.Dataset:
        return detectors(record, chance=settled, progress=progress)

    return kept(run, FILE, measure, chance=settled, progress=progress)
