"""The lives of exemplars: when each is learnt, what it is taken for, how typical it is.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.signals import answers
from ontogeny.measure.probe import held_out, layer_names, require, units_of_layers
from ontogeny.measure.quantity import Quantity, label
from ontogeny.record.layers import hidden
from ontogeny.stats.lives import (
    centre_distance,
    confusion,
    first_learnt,
    flips,
    forgetting_events,
    learnt_for_good,
)

_UNKNOWN = "an exemplar whose logits are NaN at some step"
_NEVER, _WRONG = f"{_UNKNOWN}, or that never is", f"{_UNKNOWN}, or that is wrong at the end"
LIVES = {
    "learnt_after": Quantity(
        ("exemplar",), "steps", "step of the last snapshot before the exemplar is first classified "
        "correctly", _NEVER),
    "learnt_by": Quantity(
        ("exemplar",), "steps", "step of the first snapshot that classifies the exemplar "
        "correctly; the first recorded one if it was right from the start", _NEVER),
    "kept_after": Quantity(
        ("exemplar",), "steps", "step of the last snapshot that classifies the exemplar wrongly",
        _WRONG),
    "kept_by": Quantity(
        ("exemplar",), "steps", "step of the snapshot from which on the exemplar is always "
        "classified correctly", _WRONG),
    "forgotten": Quantity(
        ("exemplar",), "1", "how often the exemplar goes from right to wrong between snapshots: a "
        "lower bound", f"{_UNKNOWN}, or that never was right"),
    "flips": Quantity(
        ("exemplar",), "1", "how often the exemplar's answer changes between snapshots: a lower "
        "bound", _UNKNOWN),
    "typicality": Quantity(
        ("step", "exemplar"), "1", "distance of the exemplar from the centre of its token's others "
        "over the root mean square of these distances, in the last hidden layer; about 1 for a "
        "usual exemplar, small is typical",
        "a token with fewer than 3 exemplars, a silent layer, NaN activations"),
    "exemplars": Quantity(
        ("token",), "exemplars", "how many held-out exemplars each token has"),
    "confusion_over_steps": Quantity(
        ("step", "token", "token_b"), "1", "share of a token's held-out exemplars that are taken "
        "for each token", "a token without exemplars, or NaN logits"),
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
        "learnt_after": learnt[:, 0], "learnt_by": learnt[:, 1],
        "kept_after": kept[:, 0], "kept_by": kept[:, 1],
        "forgotten": forgetting_events(answer, probe.token), "flips": flips(answer),
        "typicality": centre_distance(patterns, probe.token, n),
        "exemplars": np.bincount(probe.token, minlength=n),
        "confusion_over_steps": confusion(answer, probe.token, n),
    }  # fmt: skip
    tokens, exemplar = list(probe.tokens), record["exemplar"].values[probe.position]
    where = {"step": steps, "exemplar": exemplar, "token": tokens, "token_b": tokens}
    return label({name: v.astype(np.float32) for name, v in values.items()}, LIVES, where)


def _last_hidden(record: xr.Dataset) -> str:
    names = hidden(layer_names(record))
    if not names:
        msg = "expected a layer besides logits, got none: observe the run with its hidden layers"
        raise InputError(msg)
    return names[-1]
