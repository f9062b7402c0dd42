"""What a linear read-out can tell from each layer: tokens and factors, with control labels.

Decodable does not mean used. The untrained network is the record's step 0, in the same array. May
import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import FACTOR, Kernel, Layer, Part, over_layers
from ontogeny.measure.quantity import Chance, Draws, Quantity
from ontogeny.progress import Progress
from ontogeny.stats.probes import (
    few_shot_accuracy,
    few_shot_sets,
    one_hot,
    readout_accuracy,
    readout_r2,
    ridge_readout,
)

RIDGE = 0.01
SHOTS, N_SETS = 5, 20
N_CONTROLS = 10
_MISSING = "too few groups for folds, a silent layer, or NaN activations"
READOUT = {
    "readout": Quantity(
        ("step",), "1", "held-out accuracy of a linear read-out (ridge regression, 5 folds, whole "
        "groups), each token weighing the same", _MISSING,
        "readout_control, readout_control_high: control labels"),
    "readout_low": Quantity(("step",), "1", "2.5 % bound of readout, groups of exemplars "
                            "resampled", _MISSING),
    "readout_high": Quantity(("step",), "1", "97.5 % bound of readout, groups of exemplars "
                             "resampled", _MISSING),
    "readout_control": Quantity(
        ("step",), "1", f"the same for control labels: tokens shuffled over groups, mean of "
        f"{N_CONTROLS} shuffles", _MISSING),
    "readout_control_high": Quantity(("step",), "1", f"largest of these {N_CONTROLS}", _MISSING),
    "readout_few": Quantity(
        ("step",), "1", f"accuracy of a linear read-out that has seen {SHOTS} exemplars of each "
        f"token, mean of {N_SETS} draws, tested on all others", _MISSING),
    "readout_few_sd": Quantity(("step",), "1", "standard deviation over these draws", _MISSING),
}  # fmt: skip
FACTORS = {
    "readout_factor": Quantity(
        ("step", "factor"), "1", "share of a known factor's variance that a linear read-out "
        "predicts on held-out exemplars (R^2); about 0 or below where it cannot be read out; "
        "of a factor without order, mean over its values", f"a constant factor; {_MISSING}",
        "about 0 or below"),
}  # fmt: skip


def readout(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure what a linear read-out can tell from every layer at every step.

    Returns
    -------
    xr.Dataset
        Over (step, layer): `readout` with its 95 % bounds, `readout_control`, the same of control
        labels, `readout_few`, a read-out from 5 exemplars of each token; `readout_factor`
        (factor) where factors are known. Step 0 is the untrained network.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    What a linear read-out tells of the tokens; of labels without meaning it tells a third.

    >>> found = ont.measure.readout(record).isel(step=[0, -1])
    >>> found.readout.to_pandas().round(2)
    layer  pixels  conv1  conv2   fc1  logits
    step
    0        0.63   0.43   0.48  0.37    0.38
    300      0.63   0.68   0.77  0.83    0.82
    >>> found.readout_control.to_pandas().round(2)
    layer  pixels  conv1  conv2   fc1  logits
    step
    0        0.27   0.30   0.34  0.31    0.26
    300      0.27   0.26   0.28  0.28    0.29
    """
    kernels: list[Part] = [(readout_of, READOUT)]
    if factor_names(record):
        kernels.append((factors_of(record), FACTORS))
    data = over_layers(record, kernels, chance=chance, progress=progress)
    data = data.drop_vars(["step_b", "token", "token_b", "exemplar"])
    return label_factors(data, record)


def label_factors(data: xr.Dataset, record: xr.Dataset) -> xr.Dataset:
    """Name the factors, where there are any."""
    names = factor_names(record)
    return data.assign_coords(factor=names) if names else data


def factor_names(record: xr.Dataset) -> list[str]:
    """Return the names of the known factors that vary over the held-out exemplars."""
    held = record["exemplar_split"].values.astype(str) == "probe"
    names = [str(n) for n in record.coords if str(n).startswith(FACTOR)]
    there = [n for n in names if len(np.unique(record[n].values[held])) > 1]
    return [n.removeprefix(FACTOR) for n in there]


def readout_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return the accuracies of full and few-shot read-outs and of control labels."""
    draws = layer.draws
    if draws.fold.max() == 0:
        return {}
    n, labels = draws.n_tokens, [draws.probe.token, *draws.dealt[:N_CONTROLS]]
    targets = np.concatenate([one_hot(t, n) for t in labels], axis=1)
    predicted = ridge_readout(layer.patterns, targets, draws.fold, ridge=RIDGE)
    blocks = np.split(predicted, len(labels), axis=-1)
    control = np.stack([readout_accuracy(b, t) for b, t in zip(blocks, labels, strict=True)][1:])
    low, high = _bounds(blocks[0], draws)
    few = _few_shot(layer)
    return {
        "readout": readout_accuracy(blocks[0], draws.probe.token),
        "readout_low": low, "readout_high": high,
        "readout_control": control.mean(axis=0), "readout_control_high": control.max(axis=0),
        "readout_few": few.mean(axis=-1), "readout_few_sd": few.std(axis=-1),
    }  # fmt: skip


def _bounds(predicted: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the 2.5 % and 97.5 % bounds [2, step] of the accuracy, groups resampled."""
    right = (predicted.argmax(axis=-1) == draws.probe.token).astype(np.float64)
    shares = []
    for c in draws.present:
        own = draws.probe.token == c
        weight = draws.weights[:, own]
        shares.append(weight @ right[:, own].T / weight.sum(axis=1)[:, None])
    accuracy = np.where(np.isnan(predicted).any(axis=(1, 2)), np.nan, np.mean(shares, axis=0))
    return np.quantile(accuracy, [0.025, 0.975], axis=0)


def _few_shot(layer: Layer) -> np.ndarray:
    """Return the accuracy of each few-shot draw [step, draw]; NaN where groups are too few."""
    probe = layer.draws.probe
    group = np.unique(probe.group, return_inverse=True)[1]
    fewest = min(len(np.unique(group[probe.token == c])) for c in layer.draws.present)
    if fewest <= SHOTS:
        return np.full((len(layer.patterns), 1), np.nan)
    rng = np.random.default_rng(layer.draws.seed)
    sets = few_shot_sets(probe.token, group, SHOTS, n_repeats=N_SETS, rng=rng)
    return few_shot_accuracy(layer.patterns, probe.token, group, sets, ridge=RIDGE)


def factors_of(record: xr.Dataset) -> Kernel:
    """Return the kernel that reads out all known factors at once."""
    names = factor_names(record)

    def kernel(layer: Layer) -> dict[str, np.ndarray]:
        draws = layer.draws
        if draws.fold.max() == 0:
            return {"readout_factor": np.full((1, len(names)), np.nan)}
        columns = [_targets(record[FACTOR + n].values[draws.probe.position]) for n in names]
        targets = np.concatenate(columns, axis=1)
        predicted = ridge_readout(layer.patterns, targets, draws.fold, ridge=RIDGE)
        r2 = readout_r2(predicted, targets)
        ends = np.cumsum([c.shape[1] for c in columns])[:-1]
        return {"readout_factor": np.stack([p.mean(axis=-1) for p in np.split(r2, ends, axis=-1)],
                                           axis=-1)}  # fmt: skip

    return kernel


def _targets(values: np.ndarray) -> np.ndarray:
    """Return a factor as columns to predict: itself if it is a number, else one for each value."""
    if values.dtype.kind in "iufb":
        return values.astype(np.float64)[:, None]
    codes = np.unique(values.astype(str), return_inverse=True)[1]
    return one_hot(codes, int(codes.max()) + 1)
