"""What the distances between exemplars resemble: tokens, parts, factors, pixels, the trained layer.

Ranks of all layers' distances are kept (150 exemplars: 45 kB a step and layer), so that a model and
its permutations are compared with all of them at once. May import numpy, xarray, ontogeny.stats and
ontogeny.measure.
"""

from copy import copy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import (
    FACTOR,
    Kernel,
    Layer,
    over_layers,
)
from ontogeny.measure.categories.readout import factor_names
from ontogeny.measure.quantity import Chance, Draws, Quantity, label
from ontogeny.progress import Progress
from ontogeny.record.layers import PIXELS, last_hidden
from ontogeny.stats.modelfit import (
    centred_ranks,
    control_basis,
    exchanges,
    fit,
    moved_pairs,
    resampled_fit,
    standardised,
    token_exchanges,
)
from ontogeny.stats.onset import onset_interval
from ontogeny.stats.permutation import group_resamples, p_value, upper_quantile
from ontogeny.stats.rdm import (
    difference_rdm,
    identity_rdm,
    partial_rank_correlation,
    rank_correlation,
    squared_euclidean_rdm,
    upper_triangle,
)

PER_TOKEN, MOST = 30, 150
"""Exemplars of each token, and of all, in exemplar-level RDMs: enough for two digits."""
FACTOR_SHUFFLES = 99
"""Permutations of each known factor at most: there may be a hundred factors."""
PART = "part_"
"""How the names of those factors begin that say which variant of a part an exemplar has."""
CONTROLS = ("token", "parts", PIXELS)
"""Models that are held constant where another one is looked at beyond them."""
_RHO = f"of squared Euclidean distances of exemplars, {PER_TOKEN} of each token at most"
RSA = {
    "rsa_token": Quantity(("step",), "1", "Spearman correlation with the model in which exemplars "
                          f"of different tokens are equally far apart, {_RHO}", "a silent layer"),
    "rsa_pixels": Quantity(("step",), "1", f"Spearman correlation with pixel distances, {_RHO}",
                           "a silent layer, or no images in the record"),
}  # fmt: skip
BEYOND_PIXELS = {
    "rsa_token_beyond_pixels": Quantity(
        ("step",), "1", f"partial Spearman correlation with the token model, pixel distances "
        f"regressed out, {_RHO}", "a silent layer, pixels themselves, or no images"),
}  # fmt: skip
MODELS = {
    "token": "exemplars of different tokens are equally far apart",
    "parts": "exemplars are as far apart as the share of parts of which they have other variants",
    PIXELS: "exemplars are as far apart as their images",
    "last_step": "exemplars are as far apart as in the same layer at the last step",
    "last_layer": "exemplars are as far apart as in the last hidden layer at the last step",
}
"""Names of models and what they predict; a record without factors or images has not all."""


def pixel_models(*, everything: bool = False) -> Kernel:
    """Return the kernel that compares exemplar distances with tokens and the pixels, seen first.

    With `everything` also with tokens beyond the pixels (`BEYOND_PIXELS`).
    """
    pixels: dict[str, np.ndarray] = {}

    def kernel(layer: Layer) -> dict[str, np.ndarray]:
        chosen = chosen_exemplars(layer.draws)
        model = upper_triangle(identity_rdm(layer.draws.probe.token[chosen]))
        pairs = layer_pairs(layer, chosen)
        if layer.is_pixels:
            pixels["pairs"] = pairs[0]
        found = {"rsa_token": rank_correlation(pairs, model[None])[:, 0]}
        if "pairs" in pixels and np.isfinite(pixels["pairs"]).all():
            own = pixels["pairs"]
            found["rsa_pixels"] = rank_correlation(pairs, own[None])[:, 0]
            if everything and not layer.is_pixels:
                beyond = partial_rank_correlation(pairs, model, own[None])
                found["rsa_token_beyond_pixels"] = beyond
        return found

    return kernel


def chosen_exemplars(draws: Draws) -> np.ndarray:
    """Return the exemplars of exemplar-level RDMs: the first of each token, in their order."""
    token = draws.probe.token
    each = max(2, min(PER_TOKEN, MOST // len(draws.present)))
    return np.sort(np.concatenate([np.flatnonzero(token == c)[:each] for c in draws.present]))


def layer_pairs(layer: Layer, chosen: np.ndarray) -> np.ndarray:
    """Return squared distances [step, pair] of chosen exemplars; NaN where all are the same."""
    pairs = np.stack([upper_triangle(squared_euclidean_rdm(x[chosen])) for x in layer.patterns])
    pairs[~(np.ptp(pairs, axis=1) > 0)] = np.nan
    return pairs


class _Test(NamedTuple):
    """How well one model fits, beside what exchanging exemplars gives."""

    value: np.ndarray
    """[row]"""
    threshold: np.ndarray
    """[layer]"""
    p: np.ndarray
    """[layer]"""


@dataclass
class Comparison:
    """Collects the ranks of distances, layer after layer, and compares them with models at last."""

    record: xr.Dataset
    chance: Chance = field(default_factory=Chance)
    everything: bool = False
    """Whether to add what `model_comparison` adds on request"""
    _draws: Draws | None = field(default=None, repr=False)
    _ranks: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def collect(self, layer: Layer) -> dict[str, np.ndarray]:
        """Keep the ranks of one layer's distances; a kernel that returns nothing yet."""
        self._draws = layer.draws
        pairs = layer_pairs(layer, chosen_exemplars(layer.draws))
        self._ranks[layer.name] = centred_ranks(pairs).astype(np.float32)
        return {}

    def result(self) -> xr.Dataset:
        """Compare all layers collected with all models; see :func:`model_comparison`."""
        if self._draws is None:
            return xr.Dataset()
        rows = _Rows(self.record, self.chance, self._draws, self._ranks)
        rows.everything = self.everything
        data = _compare_models(rows)
        factors = factor_names(self.record)
        return data.merge(_compare_factors(rows, factors)) if factors else data


class _Rows:
    """Ranks of distances of all layers and steps, and what models and permutations need."""

    def __init__(
        self, record: xr.Dataset, chance: Chance, draws: Draws, ranks: dict[str, np.ndarray]
    ) -> None:
        self.record, self.chance, self.draws = record, chance, draws
        self.layers, self.n_steps = list(ranks), len(draws.steps)
        self.ranks = np.concatenate(list(ranks.values()))
        ends = np.cumsum([len(each) for each in ranks.values()])
        self.spans = [slice(end - len(each), end)
                      for end, each in zip(ends, ranks.values(), strict=True)]  # fmt: skip
        self.chosen = chosen_exemplars(draws)
        self.position = draws.probe.position[self.chosen]
        self.token, self.group = draws.probe.token[self.chosen], draws.probe.group[self.chosen]
        self.fixed = self._fixed()
        """Ranks of the models that are the same for every layer."""
        self.last = last_hidden(self.layers)
        self.everything = False

    @property
    def table(self) -> dict[str, Quantity]:
        """What is said of each model."""
        return _TABLE if self.everything else {k: q for k, q in _TABLE.items() if k != "rho_a"}

    def _fixed(self) -> dict[str, np.ndarray]:
        found = {"token": _model_ranks(identity_rdm(self.token))}
        names = [n for n in factor_names(self.record) if n.startswith(PART)]
        if names:
            parts = np.stack([self.factor(n).astype(str) for n in names], axis=1)
            found["parts"] = _model_ranks((parts[:, None] != parts).mean(axis=-1))
        if PIXELS in self.layers:
            found[PIXELS] = self.of_layer(PIXELS)[0]
        return {name: ranks for name, ranks in found.items() if _varies(ranks)}

    def factor(self, name: str) -> np.ndarray:
        """Return a factor's values of the chosen exemplars."""
        return self.record[FACTOR + name].values[self.position]

    def of_layer(self, name: str) -> np.ndarray:
        """Return the ranks [step, pair] of a layer."""
        return self.ranks[self.spans[self.layers.index(name)]]

    def alone(self, layer: str) -> "_Rows":
        """Return the rows of one layer."""
        one = copy(self)
        one.ranks = self.of_layer(layer)
        one.layers, one.spans = [layer], [slice(0, len(one.ranks))]
        return one

    def own(self, name: str) -> np.ndarray:
        """Return which rows a model was made of: compared with themselves they say nothing."""
        found = np.zeros(len(self.ranks), dtype=bool)
        for layer, span in zip(self.layers, self.spans, strict=True):
            still = layer == PIXELS and name in {PIXELS, "last_step"}
            ends = name == "last_step" or (name == "last_layer" and layer == self.last)
            found[span if still else slice(span.stop - int(ends), span.stop)] = True
        return found

    def controls(self, name: str) -> np.ndarray:
        """Return directions to regress out where a model is looked at beyond the others."""
        others = [ranks for key, ranks in self.fixed.items() if key in CONTROLS and key != name]
        return control_basis(np.stack(others)) if others else np.zeros((len(self.ranks[0]), 0))

    def permutations(self, ranks: np.ndarray, *, within: bool, count: int) -> np.ndarray:
        """Exchange groups of exemplars: within tokens, or whole tokens where these are uniform."""
        rng = np.random.default_rng(self.chance.seed)
        if within and _uniform(ranks, self.token):
            return token_exchanges(self.token, n_permutations=count, rng=rng)
        stratum = self.token if within else np.zeros_like(self.token)
        return exchanges(stratum, self.group, n_permutations=count, rng=rng)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Lay rows out as [step, layer, ...], pixels repeated over steps."""
        full = [np.broadcast_to(values[span], (self.n_steps, *values.shape[1:]))
                for span in self.spans]  # fmt: skip
        return np.stack(full, axis=1)

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Return the largest value over the steps of each layer; NaN where there is none."""
        each = [np.where(np.isnan(values[span]), -np.inf, values[span]).max(axis=0)
                for span in self.spans]  # fmt: skip
        return np.where(np.isneginf(each), np.nan, each)


def _model_ranks(rdm: np.ndarray) -> np.ndarray:
    return centred_ranks(upper_triangle(rdm)[None])[0].astype(np.float32)


def _varies(ranks: np.ndarray) -> bool:
    """Whether a model predicts anything."""
    return bool(np.ptp(ranks) > 0) if np.isfinite(ranks).all() else False


def _uniform(ranks: np.ndarray, token: np.ndarray) -> bool:
    """Whether a model tells no exemplars of one token apart."""
    one, other = np.triu_indices(len(token), k=1)
    return bool(np.all(ranks[token[one] == token[other]] == ranks.min()))


def _tested(
    rows: _Rows, left: np.ndarray, model: np.ndarray, moved: np.ndarray, basis: np.ndarray
) -> _Test:
    """Fit one model [pair] and its permutations to standardised rows; maxima over steps."""
    value = fit(left, model[None], basis)[:, 0]
    if not (moved != model).any():
        nowhere = np.full(len(rows.layers), np.nan)
        return _Test(value, nowhere, nowhere)
    null = fit(left, moved, basis)
    null[np.isnan(value)] = np.nan
    null = rows.largest(null).T
    threshold = upper_quantile(null, rows.chance.level)
    return _Test(value, threshold, p_value(rows.largest(value[:, None])[:, 0] - 1e-6, null))


def _rho_a(ranks: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Return rho-a of rows [row, pair] with one model, from centred ranks."""
    n = ranks.shape[1]
    return ranks @ model.astype(np.float64) * (12 / (float(n) ** 3 - n))


def _compare_models(rows: _Rows) -> xr.Dataset:
    """Compare all rows with the token, parts, pixels, last step and last layer."""
    fixed = dict(rows.fixed)
    last = rows.of_layer(rows.last)[-1]
    if _varies(last):
        fixed["last_layer"] = last
    tables = {name: _fits(rows, name, model) for name, model in fixed.items()}
    parts = [_fits(one, "last_step", one.ranks[-1]) for one in map(rows.alone, rows.layers)]
    axis = {key: quantity.dims.index("layer") for key, quantity in rows.table.items()}
    tables["last_step"] = {
        key: np.concatenate([part[key] for part in parts], axis=axis[key]) for key in axis
    }
    names = [name for name in MODELS if name in tables]
    values = {key: np.stack([tables[name][key] for name in names], axis=-1) for key in axis}
    return with_onsets(_labelled(rows, "model", names, values))


def with_onsets(data: xr.Dataset) -> xr.Dataset:
    """Add from when on each partial correlation (`model_beyond`) stays beyond its null."""
    values = data["model_beyond"].transpose("layer", "model", "step").values.astype(np.float64)
    limit = data["model_beyond_threshold"].values.astype(np.float64)
    found = np.full((*limit.shape, 2), np.nan)
    for cell in np.ndindex(limit.shape):
        if np.isfinite(values[cell]).all() and np.isfinite(limit[cell]):
            flat = np.full(values.shape[-1], limit[cell])
            found[cell] = onset_interval(values[cell], flat, data["step"].values)
    ends = {f"model_beyond_{end}": found[..., k] for k, end in enumerate(("after", "by"))}
    where = {name: data[name] for name in ("layer", "model")}
    return data.assign(label(ends, _SINCE, where).data_vars)


def _fits(rows: _Rows, name: str, model: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is said of one model, rows laid out as [step, layer]."""
    if not _varies(model):
        sizes = {"step": rows.n_steps, "layer": len(rows.layers)}
        return {key: np.full([sizes[d] for d in q.dims], np.nan) for key, q in rows.table.items()}
    basis, nothing = rows.controls(name), np.zeros((len(model), 0))
    moved = moved_pairs(model, rows.permutations(
        model, within=name == "parts", count=rows.chance.n_shuffles))  # fmt: skip
    own = rows.own(name)[:, None]
    left, rest = (np.where(own, np.nan, standardised(rows.ranks, b)) for b in (None, basis))
    plain = _tested(rows, left, model, moved, nothing)
    beyond = _tested(rows, rest, model, moved, basis)
    ranks = np.where(own, np.nan, rows.ranks)
    low, high = _bounds(rows, ranks, model)
    values = {"rsa": plain.value, "low": low, "high": high, "beyond": beyond.value}
    values |= {"rho_a": _rho_a(ranks, model)} if rows.everything else {}
    return {key: rows.spread(v) for key, v in values.items()} | {
        "threshold": plain.threshold, "p": plain.p,
        "beyond_threshold": beyond.threshold, "beyond_p": beyond.p,
    }  # fmt: skip


def _bounds(rows: _Rows, ranks: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Return the 2.5 % and 97.5 % bounds [2, row] of the fit, groups of exemplars resampled."""
    rng = np.random.default_rng(rows.chance.seed)
    weights = group_resamples(
        rows.token, rows.group, n_resamples=rows.chance.n_resamples, rng=rng)  # fmt: skip
    again = resampled_fit(ranks, model[None], weights)[..., 0]
    return np.quantile(again, [0.025, 0.975], axis=0)


def _compare_factors(rows: _Rows, names: list[str]) -> xr.Dataset:
    """Compare all rows with each known factor beyond tokens, parts and pixels, or alone, too."""
    basis, nothing = rows.controls("factor"), np.zeros((rows.ranks.shape[1], 0))
    sides = {"beyond": (standardised(rows.ranks, basis), basis)}
    if rows.everything:
        sides = {"rsa": (standardised(rows.ranks), nothing)} | sides
    count = min(rows.chance.n_shuffles, FACTOR_SHUFFLES)
    columns = []
    for name in names:
        model = _factor_ranks(rows.factor(name), nominal=name.startswith(PART))
        if not _varies(model):
            model[:] = np.nan
            tests = [_nothing(rows)] * len(sides)
        else:
            moved = moved_pairs(model, rows.permutations(model, within=True, count=count))
            tests = [_tested(rows, left, model, moved, side) for left, side in sides.values()]
        columns.append([x for test in tests for x in (rows.spread(test.value), *test[1:])])
    of_side = {"rsa": ("rsa", "threshold", "p"),
               "beyond": ("beyond", "beyond_threshold", "beyond_p")}  # fmt: skip
    keys = [key for side in sides for key in of_side[side]]
    values = {key: np.stack([c[k] for c in columns], -1) for k, key in enumerate(keys)}
    return _labelled(rows, "factor", names, values)


def _nothing(rows: _Rows) -> _Test:
    nowhere = np.full(len(rows.layers), np.nan)
    return _Test(np.full(len(rows.ranks), np.nan), nowhere, nowhere)


def _factor_ranks(values: np.ndarray, *, nominal: bool) -> np.ndarray:
    """Return the ranks that a factor predicts: by difference, or by being the same or not."""
    if nominal or values.dtype.kind not in "iufb":
        return _model_ranks(identity_rdm(values.astype(str)))
    return _model_ranks(difference_rdm(values))


_CELL, _LAYER = ("step", "layer"), ("layer",)
_LIMIT = "that no step passes where the model does not matter, with the confidence level"
_EXCHANGED = (
    "groups of exemplars exchanged (token, pixels, last_step, last_layer: all; others: within "
    "tokens, or whole tokens where these do not differ within), largest over steps"
)
_MISSING = (
    "a layer compared with itself, a silent layer, NaN activations, a model that does not vary, or "
    "nothing that could be exchanged"
)
_TABLE = {
    "rsa": Quantity(_CELL, "1", f"Spearman correlation with a model, {_RHO}", _MISSING,
                    f"its threshold and p: {_EXCHANGED}"),
    "rho_a": Quantity(_CELL, "1", "rho-a (Spearman's with ties broken at random) with a model, "
                      f"{_RHO}", _MISSING),
    "low": Quantity(_CELL, "1", "2.5 % bound of the Spearman correlation, groups of exemplars "
                    "resampled", _MISSING),
    "high": Quantity(_CELL, "1", "97.5 % bound of the Spearman correlation, groups of exemplars "
                     "resampled", _MISSING),
    "beyond": Quantity(_CELL, "1", "partial Spearman correlation with a model, those of token, "
                       f"parts and {PIXELS} that are known and other than it regressed out",
                       _MISSING, f"its own threshold and p: {_EXCHANGED}"),
    "threshold": Quantity(_LAYER, "1", f"correlation {_LIMIT}: {_EXCHANGED}", _MISSING),
    "p": Quantity(_LAYER, "1", "share of permutations whose largest correlation over steps reaches "
                  f"the observed largest one: {_EXCHANGED}", _MISSING),
    "beyond_threshold": Quantity(_LAYER, "1", f"partial correlation {_LIMIT}: {_EXCHANGED}",
                                 _MISSING),
    "beyond_p": Quantity(_LAYER, "1", "as p, of the partial correlation", _MISSING),
}  # fmt: skip

_SINCE = {
    "model_beyond_after": Quantity(
        ("layer", "model"), "steps", "step of the last snapshot at which model_beyond is not "
        "beyond its threshold; -inf: beyond from the first", _MISSING),
    "model_beyond_by": Quantity(
        ("layer", "model"), "steps", "step of the next snapshot; inf: not beyond for 3 snapshots "
        "by the end", _MISSING),
}  # fmt: skip


def _labelled(
    rows: _Rows, axis: str, names: list[str], values: dict[str, np.ndarray]
) -> xr.Dataset:
    """Label the comparison with models or factors, the last axis of all values."""
    table = {f"{axis}_{k}": replace(q, dims=(*q.dims, axis)) for k, q in _TABLE.items()}
    single = {f"{axis}_{k}": each.astype(np.float32) for k, each in values.items()}
    where = {"step": rows.draws.steps, "layer": rows.layers, axis: names}
    return label(single, table, where)


def model_comparison(
    record: xr.Dataset,
    *,
    everything: bool = False,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure what the distances between exemplars resemble, in every layer and at every step.

    Models are those of `MODELS` and each known factor: numbers by their difference, words and
    variants of parts by being the same or not. A model whose exemplars of one token are all alike
    is tested by exchanging whole tokens: of n tokens there are n! arrangements, so that three
    tokens cannot pass a threshold of 95 %.

    Parameters
    ----------
    record
        A record with activations and logits.
    everything
        Whether to add what nothing of the report or the page shows: see Returns.
    chance
        How nulls and intervals are drawn; of a factor at most 99 permutations.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xr.Dataset
        Over (step, layer, model): `model_rsa` with `model_low` and `model_high`, and
        `model_beyond` what the token, parts and pixels explain; over (layer, model) and
        corrected over steps: `model_threshold`, `model_p`, `model_beyond_threshold`,
        `model_beyond_p`. Where factors are known over `factor`: `factor_beyond` with threshold and
        p. A layer compared with itself is NaN. With `everything` also `model_rho_a`, and
        `factor_rsa` with `factor_threshold` and `factor_p`.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    How far distances of exemplars in each layer are those of tokens, of parts and of pixels:

    >>> found = ont.measure.model_comparison(record).isel(step=-1)
    >>> found.model_rsa.sel(model=["token", "parts", "pixels"]).to_pandas().T.round(2)
    layer   pixels  conv1  conv2   fc1  logits
    model
    token     0.11   0.09   0.24  0.39    0.53
    parts     0.09   0.07   0.27  0.52    0.73
    pixels     NaN   0.63   0.43  0.34    0.17
    """
    comparison = Comparison(record, chance or Chance(), everything)
    over_layers(record, [(comparison.collect, {})], chance=chance, progress=progress)
    return comparison.result()
