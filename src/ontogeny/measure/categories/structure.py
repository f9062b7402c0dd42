"""All of category structure in one pass over the layers, kept beside the other measures.

May import numpy, xarray, ontogeny.stats, ontogeny.measure, ontogeny.record and ontogeny.run.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.clones import clones
from ontogeny.measure.categories.collapse import COLLAPSE, collapse_extras, collapse_of
from ontogeny.measure.categories.dimension import DIMENSION, dimension_of
from ontogeny.measure.categories.distances import RDM, distances_of
from ontogeny.measure.categories.exemplars import lives
from ontogeny.measure.categories.layers import Layer, Part, last_hidden, over_layers
from ontogeny.measure.categories.likeness import CKA, similarity_of
from ontogeny.measure.categories.likeness_models import RSA, Comparison, pixel_models
from ontogeny.measure.categories.maps import maps
from ontogeny.measure.categories.modes import MODES, modes_of
from ontogeny.measure.categories.readout import (
    FACTORS,
    READOUT,
    factor_names,
    factors_of,
    label_factors,
    readout_of,
)
from ontogeny.measure.categories.signals import FEWEST_DRAWS
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.progress import Parts, Progress
from ontogeny.run import RunFolder
from ontogeny.stats.changepoints import change_points, phase_test
from ontogeny.stats.differentiation import split_separation, token_tree, tree_splits
from ontogeny.stats.permutation import upper_quantile
from ontogeny.stats.rdm import crossnobis_rdm, fold_means, noise_precision
from ontogeny.stats.tokens import token_residuals

N_DEALT = 99
"""Dealings of tokens behind the bound of splits, and of increments behind p of phases."""
BOUNDS = {
    "split_bound": Quantity((), "1", "separation that no branch of the last step's tree passes "
                            "where tokens do not differ, with 95 % (largest branch of the trees of "
                            "tokens shuffled over the deviations of exemplars from their token's "
                            "mean)", "pixels, too few groups for folds, NaN activations"),
}  # fmt: skip
_NOWHERE = "snapshots at which no phase begins"
_MOVED = "snapshot to which the beginning of the phase moves when one measure is left out"
PHASES = {
    "change": Quantity(("phase_measure", "step"), "1", "1 at the first snapshot of a new phase of "
                       "a measure, fitted by lines over log(1 + step)"),
    "phase": Quantity(("step",), "1", "1 at the first snapshot of a new phase of all measures "
                      "together, fitted by lines over log(1 + step)",
                      null="phase_p: increments of all measures shuffled over the snapshots"),
    "phase_first": Quantity(("step",), "steps", f"earliest {_MOVED}", _NOWHERE),
    "phase_last": Quantity(("step",), "steps", f"latest {_MOVED}", _NOWHERE),
    "phase_p": Quantity((), "1", "share of shuffles of the increments, all measures together, "
                        "whose phases fit as much better than one line", "no measure without NaN"),
}  # fmt: skip


def structure(
    record: xr.Dataset,
    *,
    run: RunFolder | None = None,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure category structure: when and where tokens come apart, how compact, how certain.

    The union of `neural_collapse`, `rdm`, `model_comparison`, `differentiation`, `modes`,
    `readout`, `dimension`, `cka` (of each layer over steps), `lives`, `maps` (of neighbours, and
    how much of them the linear floor keeps), `phases` and, where the record has clones, `clones`,
    each layer being read once; and `split_bound` (layer), beyond which a branch of the token tree
    is more than chance. What nothing shows is left to a call of its own: lengths of token means
    (`neural_collapse`), tokens beyond pixels (`rdm`), dimension over scales (`dimension_scales`),
    layers compared with each other and responses within tokens (`cka`), maps by distances (`maps`).

    Parameters
    ----------
    record
        A record with activations and logits.
    run
        Its run, for NC3 (the read-out's weights are not in the record).
    chance
        How nulls and intervals are drawn.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    Every measure of category structure, such as the separation of the closest two tokens:

    >>> found = ont.measure.structure(record.isel(step=[0, -1]))
    >>> found.separation_worst.to_pandas().round(2)
    layer  pixels  conv1  conv2   fc1  logits
    step
    0        0.51   0.32   0.30  0.29    0.18
    300      0.51   0.32   0.81  1.02    1.18
    """
    comparison = Comparison(record, chance or Chance())
    kernels: list[Part] = [
        (collapse_of, COLLAPSE), (distances_of, RDM), (pixel_models(), RSA),
        (readout_of, READOUT), (dimension_of, DIMENSION), (similarity_of, CKA),
        (modes_of, MODES), (split_bound_of, BOUNDS), (comparison.collect, {}),
    ]  # fmt: skip
    if factor_names(record):
        kernels.append((factors_of(record), FACTORS))
    stages = Parts(progress, {"layers": 4, "maps": 1})
    data = over_layers(record, kernels, chance=chance, progress=stages.of("layers"))
    data = label_factors(data, record)
    rest = stages.of("maps")
    rest("maps and lives of exemplars", 0, 1)
    parts = [
        data, collapse_extras(record, data, run=run),
        lives(record), maps(record, chance=chance), phases(record, data),
        comparison.result(),
    ]  # fmt: skip
    if "clone_accuracy" in record:
        parts.append(clones(record, chance=chance))
    rest("maps and lives of exemplars", 1, 1)
    return xr.merge(parts, compat="override", join="exact", combine_attrs="drop_conflicts")


def split_bound_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return how far the sides of a branch lie apart by chance at the last step.

    Tokens are shuffled over the exemplars' deviations from their token's mean: these have no
    token structure and the noise that the tree was made of.
    """
    draws, n = layer.draws, layer.draws.n_tokens
    if layer.is_pixels or draws.fold.max() == 0 or len(draws.present) < n:
        return {}
    rest, largest = token_residuals(layer.patterns[-1], draws.probe.token, n), []
    for dealt in draws.dealt[:N_DEALT]:
        precision = noise_precision(rest, dealt, n)
        means = fold_means(rest, dealt, draws.fold, n)
        if np.isfinite(precision).all() and np.isfinite(means).all():
            found = crossnobis_rdm(means, precision)
            largest.append(split_separation(found, tree_splits(token_tree(found))).max())
    if len(largest) < FEWEST_DRAWS:
        return {}
    return {"split_bound": upper_quantile(np.array(largest), 0.95)}


def phases(record: xr.Dataset, data: xr.Dataset | None = None, *, seed: int = 0) -> xr.Dataset:
    """Find the snapshots at which measures of a network change their course together.

    Lines over log(1 + step) are fitted to all measures at once, each scaled to its standard
    deviation; the loss and the last hidden layer's separation, read-out, dimension and likeness to
    its end are taken. All come from one network and the same exemplars and are no independent
    witnesses: that several change at a step is therefore no test. The null keeps what they share:
    the increments of all measures together are shuffled over the snapshots (see
    :func:`ontogeny.stats.changepoints.phase_test`). It tells phases from a wandering with one
    drift, not a phase with an edge from a smooth bend.

    Parameters
    ----------
    record
        A record.
    data
        What `structure` measured of it, if it is at hand.
    seed
        Of the dealings.

    Returns
    -------
    xr.Dataset
        `phase` (step), 1 at the first snapshot of a new phase of all measures, and `phase_p`, the
        p value of there being phases; `phase_first`, `phase_last` (step), the earliest and the
        latest snapshot to which this change moves when one measure is left out (NaN elsewhere);
        `change` (phase_measure, step), the same as `phase` of each measure alone.

    Examples
    --------
    11 snapshots show no common change of course:

    >>> found = ont.measure.phases(record)
    >>> int(found.phase.sum()), float(found.phase_p)
    (0, 1.0)
    """
    data = structure(record) if data is None else data
    curves, steps = _curves(record, data), record["step"].values
    names = [name for name, curve in curves.items() if np.isfinite(curve).all()]
    series = np.stack([curves[n] for n in names], axis=1) if names else np.empty((len(steps), 0))
    time = np.log1p(steps)
    marks = np.array([_marks(series[:, [k]], time) for k in range(len(names))])
    together = _marks(series, time)
    first, last = _moved(series, time, steps, together)
    rng = np.random.default_rng(seed)
    p = phase_test(series, time, n_permutations=N_DEALT, rng=rng) if names else float("nan")
    values = {
        "change": marks.reshape(len(names), len(steps)), "phase": together,
        "phase_first": first, "phase_last": last, "phase_p": p,
    }  # fmt: skip
    return label(values, PHASES, {"phase_measure": names, "step": steps}, always_missing=True)


def _marks(series: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return 1 at the snapshots at which a new phase begins, 0 elsewhere."""
    marks = np.zeros(len(time))
    if series.shape[1]:
        marks[change_points(series, time)] = 1
    return marks


def _moved(
    series: np.ndarray, time: np.ndarray, steps: np.ndarray, marks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how early and how late each change comes when one measure is left out."""
    first, last = np.full(len(steps), np.nan), np.full(len(steps), np.nan)
    without = [np.flatnonzero(_marks(np.delete(series, k, axis=1), time))
               for k in range(series.shape[1])] if series.shape[1] > 1 else []  # fmt: skip
    for place in np.flatnonzero(marks):
        near = [c[np.abs(c - place).argmin()] for c in without if len(c)] + [place]
        first[place], last[place] = steps[min(near)], steps[max(near)]
    return first, last


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
