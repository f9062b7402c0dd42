"""Several runs on one probe: how alike their layers become, and the ceiling that their noise sets.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.layers import Layer, draws_of, layers_of
from ontogeny.measure.categories.likeness_models import PER_TOKEN, chosen_exemplars, layer_pairs
from ontogeny.measure.probe import layer_names, require
from ontogeny.measure.quantity import Chance, Draws, Quantity, label
from ontogeny.progress import Progress
from ontogeny.stats import rdm
from ontogeny.stats.cka import cka_matrix, procrustes_distance, within_token_cka
from ontogeny.stats.modelfit import exchanges

N_SHUFFLES = 19
"""Shuffles of exemplars beside the Procrustes distance: the smallest is its 5 % bound."""
Records = Mapping[str, xr.Dataset]
_END = "at the last step of each run"


def run_similarity(
    records: Records, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure how alike the layers of several runs are, at the steps that all have and at the end.

    Parameters
    ----------
    records
        Records of at least two runs by name: the same probe and layers; widths may differ.
    chance
        How exemplars are shuffled for the null of the Procrustes distance.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xr.Dataset
        Over (step, layer, run, run_b), the steps that all runs have: `run_cka`, debiased linear
        CKA, `run_cka_within` tokens. Over (layer, run, run_b), each run's last step:
        `run_cka_end`, `run_procrustes_end` and `run_procrustes_null`, below which unrelated
        responses lie with at most 5 %.

    Raises
    ------
    InputError
        If runs are too few, or differ in probe, layers or all of their steps, or a record lacks
        activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    A record beside itself with noise on its responses; logits are large enough to outdo it.

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal(record.activation.shape).astype(np.float32)
    >>> noisy = record.assign(activation=record.activation + noise)
    >>> found = ont.measure.run_similarity({"clear": record, "noisy": noisy})
    >>> print(found.layer.values, found.run_cka_end.sel(run="clear", run_b="noisy").values.round(2))
    ['conv1' 'conv2' 'fc1' 'logits'] [0.02 0.26 0.76 0.97]
    """
    steps = _matched_steps(records)
    names = layer_names(next(iter(records.values())))
    draws = {name: draws_of(record, chance or Chance()) for name, record in records.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in _SIMILARITY}
    for done, layers in enumerate(_side_by_side(records, draws)):
        if progress is not None:
            progress(f"runs side by side in {layers[0].name}", done, 1 + len(names))
        for name, values in _likeness(layers, steps).items():
            found[name].append(values)
    runs = list(records)
    axis = {name: quantity.dims.index("layer") for name, quantity in _SIMILARITY.items()}
    values = {name: np.stack(each, axis=axis[name]).astype("f4") for name, each in found.items()}
    where = {"step": steps, "layer": names, "run": runs, "run_b": runs}
    return label(values, _SIMILARITY, where)


def _likeness(layers: list[Layer], steps: np.ndarray) -> dict[str, np.ndarray]:
    """Return how alike one layer is in all runs."""
    probe, n = layers[0].draws.probe, layers[0].draws.n_tokens
    at = [[layer.patterns[k] for layer, k in zip(layers, places, strict=True)]
          for places in _places(layers, steps)]  # fmt: skip
    ends = [layer.patterns[-1] for layer in layers]
    return {
        "run_cka": np.stack([cka_matrix(x) for x in at]),
        "run_cka_within": np.stack([within_token_cka(x, probe.token, n) for x in at]),
        "run_cka_end": cka_matrix(ends),
        "run_procrustes_end": _procrustes(ends, np.arange(len(probe.token))),
        "run_procrustes_null": _procrustes_null(ends, layers[0].draws),
    }


def _places(layers: list[Layer], steps: np.ndarray) -> np.ndarray:
    """Return the positions [step, run] of the common steps."""
    return np.stack([np.searchsorted(layer.draws.steps, steps) for layer in layers], axis=1)


def _procrustes(ends: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Return the distances [run, run], exemplars of the second one taken in another order."""
    distance = np.zeros((len(ends),) * 2)
    for i, x in enumerate(ends):
        for j, y in enumerate(ends[:i]):
            distance[i, j] = distance[j, i] = float(procrustes_distance(x, y[order]))
    return distance


def _procrustes_null(ends: list[np.ndarray], draws: Draws) -> np.ndarray:
    """Return the smallest distance over shuffles of exemplars, groups whole."""
    group, rng = draws.probe.group, np.random.default_rng(draws.seed)
    orders = exchanges(np.zeros(len(group), int), group, n_permutations=N_SHUFFLES, rng=rng)
    least = np.min([_procrustes(ends, order) for order in orders], axis=0)
    np.fill_diagonal(least, np.nan)
    if not (orders != np.arange(len(group))).any():
        least[:] = np.nan
    return least


def noise_ceiling(
    records: Records, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure how well the best model of distances could do, given how much runs differ.

    Runs (seeds) stand where subjects do in Nili et al. 2014: the correlation of each run's
    distances with the mean of ranks over all runs (upper), and over the other ones (lower), mean
    over runs. rsatoolbox's `boot_noise_ceiling` has the same convention.

    Parameters
    ----------
    records
        Records of at least two runs by name: the same probe and layers; widths may differ.
    chance
        As for all measures; the exemplars are those of `model_comparison`.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xr.Dataset
        `ceiling_low` and `ceiling_high` (step, layer), Spearman correlations, at the steps that
        all runs have: a model whose `model_rsa` lies between them explains what can be explained.

    Raises
    ------
    InputError
        As for :func:`run_similarity`.

    Examples
    --------
    A record beside itself with noise on its responses, from conv1 to the logits:

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal(record.activation.shape).astype(np.float32)
    >>> noisy = record.assign(activation=record.activation + noise)
    >>> found = ont.measure.noise_ceiling({"clear": record, "noisy": noisy}).isel(step=-1)
    >>> print(found.ceiling_low.values.round(2), found.ceiling_high.values.round(2))
    [0.02 0.17 0.69 0.94] [0.71 0.76 0.92 0.99]
    """
    steps = _matched_steps(records)
    draws = {name: draws_of(record, chance or Chance()) for name, record in records.items()}
    names, low, high = [], [], []
    total = 1 + len(layer_names(next(iter(records.values()))))
    for done, layers in enumerate(_side_by_side(records, draws)):
        if progress is not None:
            progress(f"noise ceiling of {layers[0].name}", done, total)
        chosen = chosen_exemplars(layers[0].draws)
        pairs = [layer_pairs(layer, chosen)[np.searchsorted(layer.draws.steps, steps)]
                 for layer in layers]  # fmt: skip
        bounds = rdm.noise_ceiling(np.stack(pairs, axis=1))
        low.append(bounds[0])
        high.append(bounds[1])
        names.append(layers[0].name)
    values = {"ceiling_low": np.stack(low, axis=1), "ceiling_high": np.stack(high, axis=1)}
    single = {name: each.astype(np.float32) for name, each in values.items()}
    return label(single, _CEILING, {"step": steps, "layer": names})


def _matched_steps(records: Records) -> np.ndarray:
    """Return the steps that all runs have; refuse runs that cannot be compared."""
    _require_same_probe(records)
    steps = None
    for record in records.values():
        own = record["step"].values
        steps = own if steps is None else np.intersect1d(steps, own)
    if steps is None or not len(steps):
        each = "; ".join(f"{n}: {r['step'].values[0]} to {r['step'].values[-1]}"
                         for n, r in records.items())  # fmt: skip
        msg = (
            f"expected runs with snapshots at some common steps, got none ({each}): train them "
            "with the same snapshots"
        )
        raise InputError(msg)
    return steps


def _require_same_probe(records: Records) -> None:
    """Refuse fewer than two runs, and runs that do not share tasks, exemplars or layers."""
    if len(records) < 2:
        msg = f"expected records of at least 2 runs, got {len(records)}: add a run"
        raise InputError(msg)
    kinds = (
        ("the same task", lambda record: record.attrs.get("data_hash")),
        ("the same exemplars", lambda record: record["exemplar"].values.tolist()),
        ("the same layers", layer_names),
    )
    first, *others = records.items()
    for record in records.values():
        require(record, "activation", "exemplar", "layer", "step")
    for what, value in kinds:
        differ = [name for name, record in others if value(record) != value(first[1])]
        if differ:
            msg = (
                f"expected runs observed on {what}, got another in {', '.join(differ)} than in "
                f"{first[0]}: compare runs of one task and architecture, observed on one probe"
            )
            raise InputError(msg)


def _side_by_side(records: Records, draws: dict[str, Draws]) -> Iterator[list[Layer]]:
    """Yield each layer of the network in all runs."""
    each = [layers_of(record.drop_vars("image", errors="ignore"), draws[name])
            for name, record in records.items()]  # fmt: skip
    yield from map(list, zip(*each, strict=True))


_CELL, _PAIR = ("step", "layer", "run", "run_b"), ("layer", "run", "run_b")
_MISSING = (
    "a silent layer, NaN activations, a run with itself, or too few exemplars of a token"
)  # fmt: skip
_UNRELATED = "0 on average for unrelated responses"
_SIMILARITY = {
    "run_cka": Quantity(
        _CELL, "1", "debiased linear CKA of a layer in two runs at the same step; 0 on average for "
        "unrelated responses, 1 for the same up to rotation and scale", _MISSING, _UNRELATED),
    "run_cka_within": Quantity(
        _CELL, "1", "debiased linear CKA, in two runs, of what distinguishes exemplars of one and "
        "the same token", _MISSING, _UNRELATED),
    "run_cka_end": Quantity(
        _PAIR, "1", f"debiased linear CKA of a layer in two runs {_END}", _MISSING, _UNRELATED),
    "run_procrustes_end": Quantity(
        _PAIR, "1", f"Procrustes distance of a layer in two runs {_END}: what is left after the "
        "best rotation of one onto the other, 0 to 1.41", _MISSING,
        "run_procrustes_null: exemplars shuffled, groups whole"),
    "run_procrustes_null": Quantity(
        _PAIR, "1", "smallest Procrustes distance of the same responses with exemplars shuffled, "
        f"groups whole, {N_SHUFFLES} times: unrelated responses are nearer with at most 5 %",
        _MISSING),
}  # fmt: skip
_CEILING = {
    f"ceiling_{end}": Quantity(
        ("step", "layer"), "1", f"{words} of the noise ceiling: mean Spearman correlation of each "
        f"run's distances with the mean of ranks over {which}; squared Euclidean, {PER_TOKEN} "
        "exemplars of each token at most", _MISSING)
    for end, words, which in (("low", "lower bound", "the other runs"),
                              ("high", "upper bound", "all runs, its own among them"))
}  # fmt: skip
