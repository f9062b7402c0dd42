"""All of a run's detectors: tuning, lives and directions, kept with its measures.

May import numpy, xarray and ontogeny.measure.
"""

import xarray as xr

from ontogeny.measure.quantity import Chance
from ontogeny.measure.units.conjunctions import conjunctions
from ontogeny.measure.units.directions import directions
from ontogeny.measure.units.lives import label_lives
from ontogeny.measure.units.mixtures import beside_rotations
from ontogeny.measure.units.tuning import CHANCE, label_tuning, tunings
from ontogeny.progress import Parts, Progress


def detectors(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure detectors: the union of `tuning`, `unit_lives` and `directions`.

    Beside them: in how many layers channels are tuned more, or less, often than mixtures
    (`layers_outside`), and by when units combine parents (`conjoined`). Nothing shows `complexity`;
    it is a call of its own.

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
    parts += [beside_rotations(parts[2]), conjunctions(record, parts[0], chance)]
    return xr.merge(parts, compat="override", join="exact", combine_attrs="drop_conflicts")
