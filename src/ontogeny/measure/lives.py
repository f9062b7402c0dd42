"""The lives of exemplars: when each is learnt, what it is taken for, how typical it is.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.layers and below only.
"""

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories import answers
from ontogeny.measure.probe import held_out, layer_names, require, units_of_layers
from ontogeny.stats.lives import (
    centre_distance,
    confusion,
    first_learnt,
    flips,
    forgetting_events,
    learnt_for_good,
)

_UNKNOWN = "NaN: an exemplar whose logits are NaN at some step"
_WORDS = {
    "learnt_after": ("steps", "step of the last snapshot before the exemplar is first classified "
                     "correctly", f"{_UNKNOWN}, or that never is"),
    "learnt_by": ("steps", "step of the first snapshot that classifies the exemplar correctly; "
                  "the first recorded one if it was right from the start",
                  f"{_UNKNOWN}, or that never is"),
    "kept_after": ("steps", "step of the last snapshot that classifies the exemplar wrongly",
                   f"{_UNKNOWN}, or that is wrong at the end"),
    "kept_by": ("steps", "step of the snapshot from which on the exemplar is always classified "
                "correctly", f"{_UNKNOWN}, or that is wrong at the end"),
    "forgotten": ("1", "how often the exemplar goes from right to wrong between snapshots: a "
                  "lower bound", f"{_UNKNOWN}, or that never was right"),
    "flips": ("1", "how often the exemplar's answer changes between snapshots: a lower bound",
              _UNKNOWN),
    "typicality": ("1", "distance of the exemplar from the centre of its token's others over the "
                   "root mean square of these distances, in the last hidden layer; about 1 for a "
                   "usual exemplar, small is typical",
                   "NaN: a token with fewer than 3 exemplars, a silent layer, NaN activations"),
    "exemplars": ("exemplars", "how many held-out exemplars each token has", ""),
    "confusion_over_steps": ("1", "share of a token's held-out exemplars that are taken for each "
                             "token", "NaN: a token without exemplars, or NaN logits"),
}  # fmt: skip


def lives(record: xr.Dataset) -> xr.Dataset:
    """Follow every held-out exemplar through training.

    Returns
    -------
    xr.Dataset
        Over exemplar: `learnt_after`, `learnt_by`, `kept_after`, `kept_by` (intervals of steps),
        `forgotten`, `flips`; `typicality` (step, exemplar) in the last hidden layer;
        `confusion_over_steps` (step, token, token_b) with `exemplars` (token), how many there are.

    Raises
    ------
    InputError
        If the record lacks logits, activations or held-out exemplars of two tokens.

    Examples
    --------
    One exemplar of each token: when it was named rightly first, when for good, how often forgotten.

    >>> found = ont.measure.lives(record).isel(exemplar=[0, 1, 2])
    >>> names = ["learnt_after", "learnt_by", "kept_after", "kept_by", "forgotten"]
    >>> found[names].to_dataframe()
              learnt_after  learnt_by  kept_after  kept_by  forgotten
    exemplar
    0                  0.0        1.0       159.0    300.0        2.0
    1                  4.0        7.0       159.0    300.0        2.0
    2                  0.0        0.0         0.0      0.0        0.0
    """
    require(record, "logit", "activation", "layer")
    probe, steps = held_out(record), record["step"].values
    answer, n = answers(record, probe), len(probe.tokens)
    learnt = first_learnt(answer, probe.token, steps)
    kept = learnt_for_good(answer, probe.token, steps)
    units = units_of_layers(record)[_last_hidden(record)]
    columns = slice(int(units[0]), int(units[-1]) + 1)
    patterns = record["activation"][:, :, columns].values[:, probe.position]
    values = {
        "learnt_after": (("exemplar",), learnt[:, 0]),
        "learnt_by": (("exemplar",), learnt[:, 1]),
        "kept_after": (("exemplar",), kept[:, 0]),
        "kept_by": (("exemplar",), kept[:, 1]),
        "forgotten": (("exemplar",), forgetting_events(answer, probe.token)),
        "flips": (("exemplar",), flips(answer)),
        "typicality": (("step", "exemplar"), centre_distance(patterns, probe.token, n)),
        "exemplars": (("token",), np.bincount(probe.token, minlength=n)),
        "confusion_over_steps": (("step", "token", "token_b"), confusion(answer, probe.token, n)),
    }
    tokens = list(probe.tokens)
    data = xr.Dataset(coords={"step": steps, "exemplar": record["exemplar"].values[probe.position],
                              "token": tokens, "token_b": tokens})  # fmt: skip
    for name, (dims, array) in values.items():
        units_, words, missing = _WORDS[name]
        attributes = {"units": units_, "long_name": words}
        if np.isnan(array).any():
            attributes["missing"] = missing
        data[name] = (dims, array.astype(np.float32), attributes)
    return data


def _last_hidden(record: xr.Dataset) -> str:
    names = [name for name in layer_names(record) if name != "logits"]
    if not names:
        msg = "expected a layer besides logits, got none: observe the run with its hidden layers"
        raise InputError(msg)
    return names[-1]
