"""All of category structure in one pass over the layers, kept beside the other measures.

May import numpy, xarray, ontogeny.stats, ontogeny.measure, ontogeny.record, ontogeny.run only.
"""

import os

import numpy as np
import xarray as xr

from ontogeny.measure.categories import Chance, Progress
from ontogeny.measure.compactness import COLLAPSE, collapse_extras, collapse_of
from ontogeny.measure.geometry import (
    CKA,
    DIMENSION,
    RDM,
    RSA,
    dimension_of,
    distances_of,
    layer_similarity,
    pixel_models,
    similarity_of,
)
from ontogeny.measure.layers import Part, last_hidden, over_layers
from ontogeny.measure.lives import lives
from ontogeny.measure.maps import maps
from ontogeny.measure.readout import (
    FACTORS,
    READOUT,
    factor_names,
    factors_of,
    label_factors,
    readout_of,
)
from ontogeny.measure.store import kept
from ontogeny.run import RunFolder
from ontogeny.stats.changepoints import change_agreement, change_points

FILE = "structure.zarr"
N_SHIFTS = 999


def structure(
    record: xr.Dataset,
    *,
    run: RunFolder | None = None,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure category structure: when and where tokens come apart, how compact, how certain.

    The union of `neural_collapse`, `rdm`, `differentiation`, `readout`, `dimension`, `cka`,
    `lives`, `maps` and `phases`, each layer being read once.

    Parameters
    ----------
    record
        A record with activations and logits.
    run
        Its run, for NC3 (the read-out's weights are not in the record).
    chance
        How nulls and intervals are drawn.
    progress
        Called with a few words for each layer.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.
    """
    kernels: list[Part] = [
        (collapse_of, COLLAPSE), (distances_of, RDM), (pixel_models(), RSA),
        (readout_of, READOUT), (dimension_of, DIMENSION), (similarity_of, CKA),
    ]  # fmt: skip
    if factor_names(record):
        kernels.append((factors_of(record), FACTORS))
    data = over_layers(record, kernels, chance=chance, progress=progress)
    data = label_factors(data, record)
    if progress is not None:
        progress("maps and lives of exemplars")
    parts = [
        data, collapse_extras(record, data, run=run), layer_similarity(record, chance=chance),
        lives(record), maps(record, chance=chance), phases(record, data),
    ]  # fmt: skip
    return xr.merge(parts, compat="override", join="exact", combine_attrs="drop_conflicts")


def phases(record: xr.Dataset, data: xr.Dataset | None = None, *, seed: int = 0) -> xr.Dataset:
    """Find the snapshots at which measures change their course, and where several agree.

    Lines over log(1 + step) are fitted to each measure; agreement is tested by shifting each
    measure's changes along the snapshots.

    Parameters
    ----------
    record
        A record.
    data
        What `structure` measured of it, if it is at hand.
    seed
        Of the shifts.

    Returns
    -------
    xr.Dataset
        `change` (phase_measure, step), 1 at the first snapshot of a new phase; `agreeing` (step),
        how many measures change within a snapshot of a peak of agreement, and `agreeing_p` (step),
        corrected over snapshots; NaN elsewhere.
    """
    data = structure(record) if data is None else data
    curves, steps = _curves(record, data), record["step"].values
    names = [name for name, curve in curves.items() if np.isfinite(curve).all()]
    found = [change_points(curves[n][:, None], np.log1p(steps)) for n in names]
    marks = np.zeros((len(names), len(steps)))
    for row, changes in zip(marks, found, strict=True):
        row[changes] = 1
    count, p = np.full(len(steps), np.nan), np.full(len(steps), np.nan)
    if names:
        rng = np.random.default_rng(seed)
        agreed = change_agreement(found, len(steps), n_permutations=N_SHIFTS, rng=rng)
        count[agreed.snapshot], p[agreed.snapshot] = agreed.n_measures, agreed.p
    nowhere = {"missing": "NaN at snapshots that are no peak of agreement"}
    table = {
        "change": (("phase_measure", "step"), marks, {"units": "1", "long_name": "1 at the first "
                   "snapshot of a new phase of a measure, fitted by lines over log(1 + step)"}),
        "agreeing": ("step", count, {"units": "measures", "long_name": "measures that change "
                     "within one snapshot of a peak of agreement", **nowhere}),
        "agreeing_p": ("step", p, {"units": "1", "long_name": "share of random shifts of each "
                       "measure's changes in which as many agree anywhere", **nowhere}),
    }  # fmt: skip
    return xr.Dataset(table, {"phase_measure": names, "step": steps})


def _curves(record: xr.Dataset, data: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the curves whose changes are looked for: the network's and the last hidden layer's."""
    name = last_hidden(data)
    at = data.sel(layer=name)
    return {
        "held-out loss": record["loss"].sel(split="probe").values.astype(np.float64),
        f"separation of {name}": np.log(at["separation_worst"].values.astype(np.float64)),
        f"read-out of {name}": at["readout"].values.astype(np.float64),
        f"dimension of {name}": at["participation_ratio"].values.astype(np.float64),
        f"likeness of {name} to its end": at["cka"].isel(step_b=-1).values.astype(np.float64),
    }


def structure_run(
    run: RunFolder | str | os.PathLike[str],
    *,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure a run's category structure into its structure.zarr, or return what is there fresh.

    Raises
    ------
    RunError
        If there is no record, or no room for the measures.
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.
    """
    settled = chance or Chance()

    def measure(record: xr.Dataset, folder: RunFolder) -> xr.Dataset:
        return structure(record, run=folder, chance=settled, progress=progress)

    return kept(run, FILE, measure, chance=settled, progress=progress)
