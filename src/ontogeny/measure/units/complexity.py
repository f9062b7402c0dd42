"""What known factors drive each unit, and does it need several of them, or several parts, at once.

At a few snapshots, since a regression per unit is dear. May import numpy, xarray, ontogeny.stats
and ontogeny.measure.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.layers import FACTOR
from ontogeny.measure.categories.readout import factor_names
from ontogeny.measure.probe import Probe, held_out, layer_names, require, units_of_layers
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.measure.units.tuning import CHANCE, interval
from ontogeny.progress import Progress
from ontogeny.schedule import evenly_spaced
from ontogeny.stats.complexity import (
    explained_share,
    factor_columns,
    factor_shares,
    interaction_errors,
)
from ontogeny.stats.groups import group_permutations, grouped_folds
from ontogeny.stats.permutation import group_resamples, upper_quantile
from ontogeny.stats.probes import ridge_readout

AT = "complexity_step"
N_STEPS, N_SHUFFLES, N_FOLDS = 5, 19, 5
RIDGE = 0.01
_CELL = (AT, "unit")
_SILENT = "a unit that does not vary, or exemplars in too few groups"
_BOTTOM = f"{_SILENT}; units of the first layer, which has no layer below"
COMPLEXITY = {
    "main_effects": Quantity(
        _CELL, "1", "held-out share of the unit's variance that the main effects of the token and "
        "of known factors explain (pursuit); 1 less this is an upper bound of kappa, the share due "
        "to interactions", _SILENT),
    "kappa": Quantity(
        _CELL, "1", "held-out share of the unit's variance that products of two main effects add: "
        "a lower bound of kappa; negative where they only add noise", _SILENT,
        "kappa_threshold: what main effects leave is shuffled"),
    "kappa_low": Quantity(
        _CELL, "1", "2.5 % bound of kappa, groups of exemplars resampled", _SILENT),
    "kappa_high": Quantity(
        _CELL, "1", "97.5 % bound of kappa, groups of exemplars resampled", _SILENT),
    "additive": Quantity(
        _CELL, "1", "held-out share of the unit's variance that a sum over the units of the layer "
        "below explains (ridge regression on spatial means); 1 less this is kappa', which holds "
        "conjunctions, the layer's own non-linearity and where in the image the parts are",
        _BOTTOM),
    "additive_low": Quantity(
        _CELL, "1", "2.5 % bound of additive, groups of exemplars resampled", _BOTTOM),
    "additive_high": Quantity(
        _CELL, "1", "97.5 % bound of additive, groups of exemplars resampled", _BOTTOM),
    "factor_share": Quantity(
        (AT, "unit", "factor"), "1", "share of the unit's variance that the factor's main effect "
        "explains alone", _SILENT, "factor_share_threshold: groups of exemplars shuffled"),
    "factor_share_within": Quantity(
        (AT, "unit", "factor"), "1", "the same of variances within tokens", _SILENT,
        "factor_share_within_threshold: groups of exemplars shuffled within tokens"),
}  # fmt: skip
_NULLS = {
    "kappa": ("kappa_null", "what main effects leave is shuffled"),
    "factor_share": ("factor_null", "groups of exemplars are shuffled"),
    "factor_share_within": ("factor_within_null", "the same within tokens"),
}
"""Name -> its null, [step, shuffle, layer], and how it is drawn."""


class _Drawn(NamedTuple):
    probe: Probe
    fold: np.ndarray
    weights: np.ndarray
    """[1 + resample, exemplar]; the first row is 1"""
    units: dict[str, np.ndarray]
    chance: Chance


def complexity(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure what drives each unit, and how far it is more than a sum, at a few snapshots.

    Returns
    -------
    xr.Dataset
        Over (complexity_step, unit): `additive` with bounds; where factors are known also
        `main_effects`, `kappa` with bounds and `kappa_threshold` (layer), and `factor_share`,
        `factor_share_within` (factor) with thresholds (layer).
        Thresholds are passed by no unit of the layer at any of these steps by chance, with 95 %.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    Which of the known factors moves two units most, and by how much of their variance:

    >>> found = ont.measure.complexity(record).isel(complexity_step=-1)
    >>> share = found.factor_share.sel(unit=["conv1:0", "logits:2"])
    >>> print(share.idxmax("factor").values, share.max("factor").values.round(2))
    ['background_blue' 'skin_red'] [0.53 0.82]
    >>> print(found.factor_share_threshold.sel(layer=["conv1", "logits"]).values.round(2))
    [0.39 0.3 ]
    """
    require(record, "activation", "layer")
    drawn, at = _drawn(record, chance or CHANCE), evenly_spaced(record.sizes["step"], N_STEPS)
    where = {AT: record["step"].values[at], "unit": record["unit"].values,
             "layer": layer_names(record)}  # fmt: skip
    known = "exemplar_split" in record.coords and factor_names(record)
    parts = [_additive, *([_interactions(record), _factors(record)] if known else [])]
    rows: list[dict[str, np.ndarray]] = []
    for done, k in enumerate(at, start=1):
        response = record["activation"][k].values[drawn.probe.position].astype(np.float64)
        row: dict[str, np.ndarray] = {}
        for part in parts:
            row |= part(response, drawn)
        rows.append(row)
        if progress is not None:
            progress("complexity of units", done, len(at))
    found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    if known:
        where["factor"] = factor_names(record)
    level = drawn.chance.level
    values = {name: found[name] for name in COMPLEXITY if name in found}
    for name, (null, _) in _NULLS.items():
        if null in found:
            largest = np.fmax.reduce(found[null], axis=0)
            values[f"{name}_threshold"] = upper_quantile(largest, level)
    single = {name: v.astype(np.float32) for name, v in values.items()}
    return label(single, COMPLEXITY | _threshold_quantities(level), where)


def _threshold_quantities(level: float) -> dict[str, Quantity]:
    return {
        f"{name}_threshold": Quantity(
            ("layer",), "1", f"{name} that no unit of the layer passes at any of these steps by "
            f"chance, with {level:.0%}: {what} {N_SHUFFLES} times", _SILENT)
        for name, (_, what) in _NULLS.items()
    }  # fmt: skip


def _drawn(record: xr.Dataset, chance: Chance) -> _Drawn:
    probe, rng = held_out(record), np.random.default_rng(chance.seed)
    group = np.unique(probe.group, return_inverse=True)[1]
    n_folds = min(N_FOLDS, len(np.unique(group)))
    fold = grouped_folds(probe.token, group, n_folds=n_folds, rng=rng)
    weights = group_resamples(probe.token, group, n_resamples=chance.n_resamples, rng=rng)
    weights = np.concatenate([np.ones((1, len(fold))), weights])
    return _Drawn(probe, fold, weights, units_of_layers(record), chance)


def _additive(response: np.ndarray, drawn: _Drawn) -> dict[str, np.ndarray]:
    """Predict each layer from the one below."""
    shares = np.full((len(drawn.weights), response.shape[1]), np.nan)
    members = list(drawn.units.values())
    for below, units in pairwise(members):
        y = response[:, units]
        predicted = ridge_readout(response[:, below], y, drawn.fold, ridge=RIDGE)
        shares[:, units] = explained_share((y - predicted) ** 2, y, drawn.weights)
    low, high = interval(shares[1:])
    return {"additive": shares[0], "additive_low": low, "additive_high": high}


Kernel = Callable[[np.ndarray, _Drawn], dict[str, np.ndarray]]


def _columns(record: xr.Dataset, probe: Probe) -> list[np.ndarray]:
    names = factor_names(record)
    return [factor_columns(record[FACTOR + n].values[probe.position]) for n in names]


def _interactions(record: xr.Dataset) -> Kernel:
    """Return the kernel of main effects and products."""
    probe = held_out(record)
    columns = [factor_columns(np.array(probe.tokens)[probe.token]), *_columns(record, probe)]

    def kernel(response: np.ndarray, drawn: _Drawn) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(drawn.chance.seed)
        errors = interaction_errors(
            response.astype(np.float32), columns, drawn.fold, n_shuffles=N_SHUFFLES, rng=rng
        )
        main = explained_share(errors.main, response, drawn.weights)
        gain = explained_share(errors.full, response, drawn.weights) - main
        low, high = interval(gain[1:])
        spread = np.sum((response - response.mean(axis=0)) ** 2, axis=0)
        # a gain is a fall of the error; scaled like the observed one, by the spread of all
        # exemplars
        null = np.where(np.isnan(main[0]), np.nan, -errors.null / np.where(spread > 0, spread, 1))
        return {
            "main_effects": main[0], "kappa": gain[0], "kappa_low": low, "kappa_high": high,
            "kappa_null": _maxima(null, drawn),
        }  # fmt: skip

    return kernel


def _factors(record: xr.Dataset) -> Kernel:
    """Return the kernel of the main effect of each factor, over all exemplars and within tokens."""
    probe = held_out(record)
    columns = _columns(record, probe)
    # the factor as well as the response: what of it goes with the token is not within it
    inside = [within_tokens(c, probe.token) for c in columns]

    def kernel(response: np.ndarray, drawn: _Drawn) -> dict[str, np.ndarray]:
        rng, group = np.random.default_rng(drawn.chance.seed), drawn.probe.group
        anywhere = token_orders(np.zeros_like(probe.token), group, N_SHUFFLES, rng)
        within = token_orders(probe.token, group, N_SHUFFLES, rng)
        everyone = factor_shares(response, columns, anywhere)
        of_token = factor_shares(within_tokens(response, probe.token), inside, within)
        return {
            "factor_share": everyone[0].T, "factor_share_within": of_token[0].T,
            "factor_null": _maxima(everyone[1:].max(axis=1), drawn),
            "factor_within_null": _maxima(of_token[1:].max(axis=1), drawn),
        }  # fmt: skip

    return kernel


def within_tokens(values: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Take each token's mean off [exemplar, ...]."""
    out = values.astype(np.float64)
    for name in np.unique(token):
        out[token == name] -= out[token == name].mean(axis=0)
    return out


def token_orders(
    token: np.ndarray, group: np.ndarray, n_shuffles: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the order as it is and shuffles within tokens [1 + shuffle, exemplar].

    Groups stay whole; a token whose groups cannot change places keeps its order.
    """
    orders = np.tile(np.arange(len(token)), (1 + n_shuffles, 1))
    for name in np.unique(token):
        own = np.flatnonzero(token == name)
        code = np.unique(group[own], return_inverse=True)[1]
        try:
            shuffled = group_permutations(code, n_permutations=n_shuffles, rng=rng)
        except InputError:
            continue
        orders[1:, own] = own[shuffled]
    return orders


def _maxima(null: np.ndarray, drawn: _Drawn) -> np.ndarray:
    return np.stack([np.fmax.reduce(null[:, u], axis=1) for u in drawn.units.values()], axis=1)
