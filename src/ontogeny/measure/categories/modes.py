"""The distinctions between tokens that each layer carries, and the order a linear network gives.

A deep linear network learns strong distinctions before weak ones, each along a logistic curve, with
no coupling of detectors at all: its closed form is the baseline of every order of distinctions. May
import numpy, xarray, ontogeny.stats and ontogeny.measure.

References
----------
Saxe, McClelland & Ganguli 2014, ICLR, arXiv:1312.6120 (the dynamics of a mode).
Saxe, McClelland & Ganguli 2019, PNAS 116(23):11537-11546 (differentiation of categories).
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import Layer, over_layers
from ontogeny.measure.quantity import Chance, Quantity
from ontogeny.progress import Progress
from ontogeny.stats.differentiation import (
    LinearFit,
    covariance_modes,
    cross_covariance,
    deep_linear_time,
    fit_deep_linear_mode,
    split_steps,
)
from ontogeny.stats.rdm import fold_means
from ontogeny.stats.tokens import token_counts

_MISSING = "too few groups for folds, an absent token, a silent layer, NaN activations, or pixels"
_NO_FIT = f"a mode that does not rise, fewer than 5 snapshots, {_MISSING}"
MODES = {
    "mode_token": Quantity(("mode", "token"), "1", "a distinction between tokens: left singular "
                           "vector of the token by unit covariance at the last step, length 1",
                           _MISSING),
    "mode_strength": Quantity(("step", "mode"), "activation", "strength of the last step's "
                              "distinctions: length of mode_token' C, C the token by unit "
                              "covariance, its square cross-validated over folds of exemplars, so "
                              "that it is 0 on average (drawn as 0 below) where tokens do not "
                              "differ", _MISSING, "0 where tokens do not differ"),
    "mode_after": Quantity(("mode",), "steps", "step of the last snapshot at which the strength is "
                           "below half of its last value", _NO_FIT),
    "mode_by": Quantity(("mode",), "steps", "step of the next snapshot", _NO_FIT),
    "mode_initial": Quantity(("mode",), "activation", "strength at step 0 of the fitted curve of a "
                             "deep linear network", _NO_FIT),
    "mode_final": Quantity(("mode",), "activation", "final strength of this curve", _NO_FIT),
    "mode_tau": Quantity(("mode",), "activation steps", "time constant of this curve: "
                         "a(t) = s / (1 + (s / a0 - 1) exp(-2 s t / tau))", _NO_FIT),
    "mode_r2": Quantity(("mode",), "1", "share of the strength's variance over steps that this "
                        "curve explains", _NO_FIT),
    "mode_linear": Quantity(("mode",), "steps", "step at which a deep linear network would reach "
                            "half of the mode's final strength, with the start and the time "
                            "constant of the strongest mode", _NO_FIT),
}  # fmt: skip


def modes(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Follow the distinctions between tokens in every layer, beside a deep linear network's.

    Strengths are those of held-out exemplars along the distinctions of the last step; choosing
    these from the same exemplars favours the strongest one a little.

    Returns
    -------
    xr.Dataset
        Over (layer, mode), the strongest first: `mode_token` (token), `mode_strength` (step),
        `mode_after`, `mode_by`, between which half of it is passed; `mode_initial`, `mode_final`,
        `mode_tau` and `mode_r2` of each mode's own fit; `mode_linear`, when it would be passed if
        all modes shared start and time constant, as in a deep linear network.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    The strongest distinction is cleo from the others, and half of it is there first:

    >>> found = ont.measure.modes(record).sel(layer="fc1")
    >>> found.mode_token.to_pandas().round(2)
    token   ada    bo  cleo
    mode
    0     -0.20 -0.59  0.79
    1      0.79 -0.57 -0.22
    >>> print(found.mode_after.values, found.mode_by.values)
    [ 4. 45.] [ 7. 84.]
    """
    data = over_layers(record, [(modes_of, MODES)], chance=chance, progress=progress)
    return data.drop_vars(["step_b", "token_b", "exemplar"])


def modes_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return the strengths of one layer's distinctions over steps, and their fits."""
    draws, n = layer.draws, layer.draws.n_tokens
    if layer.is_pixels:
        return {}
    last = cross_covariance(layer.patterns[-1], draws.probe.token, n)
    if draws.fold.max() == 0 or not np.isfinite(last).all():
        return _nothing(layer)
    token = covariance_modes(last).token[: n - 1]
    if len(token) < n - 1:  # fewer units than distinctions
        token = np.concatenate([token, np.full((n - 1 - len(token), n), np.nan)])
    strength = np.stack([_strength(x, token, layer) for x in layer.patterns])
    interval = split_steps(strength, draws.steps)
    fits = [fit_deep_linear_mode(draws.steps, curve) for curve in strength.T]
    columns = dict(zip(("final", "initial", "tau", "r2"), np.array(fits).T, strict=True))
    return {
        "mode_token": token, "mode_strength": strength,
        "mode_after": interval[:, 0], "mode_by": interval[:, 1],
        "mode_linear": _linear_times(fits),
        **{f"mode_{name}": values for name, values in columns.items()},
    }  # fmt: skip


def _nothing(layer: Layer) -> dict[str, np.ndarray]:
    """Return NaN for what cannot be followed."""
    n = layer.draws.n_tokens
    sizes = {"step": len(layer.patterns), "mode": n - 1, "token": n}
    return {k: np.full([sizes[d] for d in q.dims], np.nan) for k, q in MODES.items()}


def _strength(x: np.ndarray, token: np.ndarray, layer: Layer) -> np.ndarray:
    """Return the cross-validated strength of each mode at one step.

    With P_f the mode's row token' C_f from fold f alone and F folds, its square is
    (|sum_f P_f|^2 - sum_f |P_f|^2) / (F (F - 1)).
    """
    draws = layer.draws
    share = token_counts(draws.probe.token, draws.n_tokens) / len(draws.probe.token)
    means = fold_means(x, draws.probe.token, draws.fold, draws.n_tokens)
    grand = np.einsum("t,ftu->fu", share, means)
    rows = np.einsum("mt,ftu->fmu", token * share, means - grand[:, None])
    n_folds = len(rows)
    square = np.sum(rows.sum(axis=0) ** 2, axis=-1) - np.sum(rows**2, axis=(0, 2))
    return np.sqrt(np.maximum(square / (n_folds * (n_folds - 1)), 0))


def _linear_times(fits: list[LinearFit]) -> np.ndarray:
    """Return when each mode would be half as strong as in the end, were all as the first one."""
    first = fits[0]
    return np.array([
        deep_linear_time(f.strength / 2, strength=f.strength, initial=first.initial, tau=first.tau)
        for f in fits
    ])  # fmt: skip
