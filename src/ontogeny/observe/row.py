"""One network at one step, as a row of the record.

May import hooks, record and the exemplars.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp
from torch import Tensor, nn

from ontogeny import record as names
from ontogeny.hooks import (
    ABOVE_DEALT,
    EFFECTS,
    LINEAR,
    NULLS,
    RECTIFIED,
    Blueprint,
    Observation,
    network_logits,
    observe_network,
)
from ontogeny.observe.exemplars import Exemplars
from ontogeny.schedule import Detail

_WANTED = {
    Detail.LITTLE: (NULLS, LINEAR),
    Detail.EFFECTS: (NULLS, EFFECTS, LINEAR),
    Detail.RECOMBINED: (NULLS, EFFECTS, LINEAR, RECTIFIED),
    Detail.MOST: (NULLS, EFFECTS, LINEAR, RECTIFIED, ABOVE_DEALT),
}


def observed(
    model: nn.Module, shown: Exemplars, *, couplings: bool, extras: bool, detail: Detail
) -> tuple[dict[str, Any], Blueprint]:
    """Return what a row says of the network itself, by the record's names, and its blueprint.

    Parameters
    ----------
    model
        The network.
    shown
        What it is shown.
    couplings, extras
        Whether these are observed; they are in all rows of a record or in none.
    detail
        How much of what costs more is observed at this snapshot; the rest is NaN.
    """
    observation = observe_network(
        model, shown.probe, couplings=couplings, extras=_WANTED[detail] if extras else (),
        seed=shown.seed, recombination=None if shown.scored is None else shown.scored.recombination,
    )  # fmt: skip
    row = _scores(model, shown, observation) | _holdout_scores(model, shown)
    row |= _variables(observation)
    if extras:
        row |= _clone_scores(model, shown)
        if names.COUPLING_NULL in row and detail is Detail.LITTLE:
            row |= _unobserved_effects(observation)
    return row, observation.blueprint


def weights_hash(weights: Mapping[str, Tensor | np.ndarray]) -> str:
    """Return the SHA-256 (hex) of weights by name, type, shape and content."""
    digest = hashlib.sha256()
    # sorted, so that the hash does not depend on the order in which modules were made
    for name in sorted(weights):
        value = weights[name]
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value.detach().cpu()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def score(logit: np.ndarray, token: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Return mean cross-entropy in nat, accuracy, and accuracy by token (NaN without exemplars)."""
    # in double precision: a loss near 0 is a difference of two numbers that are nearly the same
    logit = logit.astype(np.float64)
    own = logit[np.arange(len(token)), token]
    is_right = logit.argmax(axis=1) == token
    by_token = [is_right[token == c] for c in range(logit.shape[1])]
    per_token = np.array([right.mean() if len(right) else np.nan for right in by_token])
    return float(np.mean(logsumexp(logit, axis=1) - own)), float(is_right.mean()), per_token


def _unobserved_effects(observation: Observation) -> dict[str, np.ndarray]:
    """Return what stands for effects at a snapshot at which they are not observed."""
    assert observation.coupling is not None
    n_edges, n_units = len(observation.coupling), observation.activation.shape[1]
    n_tokens, nothing = observation.logit.shape[1], np.nan
    return {
        names.EDGE_ATTRIBUTION: np.full((n_edges, n_tokens), nothing, np.float16),
        names.INTERACTION: np.full((n_units, len(names.PAIRS)), nothing, np.float32),
        names.INTERACTION_FIRST: np.full((n_units, len(names.PAIRS)), -1, np.int16),
        names.INTERACTION_SECOND: np.full((n_units, len(names.PAIRS)), -1, np.int16),
    }


def _variables(observation: Observation) -> dict[str, np.ndarray]:
    """Return what was observed by the record's names."""
    found = {name: getattr(observation, name, None) for name in names.VARIABLES}
    known = {name: values for name, values in found.items() if isinstance(values, np.ndarray)}
    return known | dict(observation.recombined)


def _scores(model: nn.Module, shown: Exemplars, observation: Observation) -> dict[str, np.ndarray]:
    """Return loss, accuracy and token accuracy on both splits; NaN where unknown."""
    loss = np.full(2, np.nan)
    if shown.token is None:
        return {names.LOSS: loss}
    n_tokens = observation.logit.shape[1]
    accuracy, per_token = np.full(2, np.nan), np.full((2, n_tokens), np.nan)
    loss[1], accuracy[1], per_token[1] = score(observation.logit, shown.token)
    if shown.train is not None and shown.train_token is not None:
        logit = network_logits(model, shown.train)
        loss[0], accuracy[0], per_token[0] = score(logit, shown.train_token)
    return {names.LOSS: loss, names.ACCURACY: accuracy, names.TOKEN_ACCURACY: per_token}


def _holdout_scores(model: nn.Module, shown: Exemplars) -> dict[str, np.ndarray]:
    """Return loss, accuracy and token accuracy on the second probe; nothing where there is none."""
    if shown.holdout is None or shown.holdout_token is None:
        return {}
    loss, accuracy, per_token = score(network_logits(model, shown.holdout), shown.holdout_token)
    return {
        names.HOLDOUT_LOSS: np.asarray(loss),
        names.HOLDOUT_ACCURACY: np.asarray(accuracy),
        names.HOLDOUT_TOKEN_ACCURACY: per_token,
    }


def _clone_scores(model: nn.Module, shown: Exemplars) -> dict[str, np.ndarray]:
    """Return loss, accuracy and token accuracy on Gaussian clones; nothing where none are known."""
    if shown.clones is None or shown.tokens is None:
        return {}
    loss, accuracy, per_token = np.nan, np.nan, np.full(len(shown.tokens), np.nan)
    if len(shown.clones.token):
        logit = network_logits(model, shown.clones.probe)
        loss, accuracy, per_token = score(logit, shown.clones.token)
    return {
        names.CLONE_LOSS: np.asarray(loss),
        names.CLONE_ACCURACY: np.asarray(accuracy),
        names.CLONE_TOKEN_ACCURACY: per_token,
    }
