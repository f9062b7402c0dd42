"""How compact tokens are in each layer and at each step, and when every two lie apart.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

from dataclasses import replace

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import Layer, Part, over_layers
from ontogeny.measure.quantity import Chance, Draws, Quantity, label
from ontogeny.progress import Progress
from ontogeny.record.layers import PIXELS
from ontogeny.run import RunFolder
from ontogeny.stats.collapse import (
    cdnv,
    cdnv_null,
    equiangularity,
    equinorm,
    nearest_mean_disagreement,
    self_duality,
    separation_fuzziness,
    separation_law,
    variability_collapse,
)
from ontogeny.stats.onset import HOLD, confidence_interval, onset_index, onset_interval
from ontogeny.stats.tokens import token_counts, token_means

N_SHUFFLES = 4
"""Shuffles behind the mean null of NC1 and NC2 at every step: their spread is a few per cent."""
APART = 1.0
"""Separation from which two tokens are called apart."""

SEPARATION = (
    "separation of two tokens: distance between their centres over the root mean square distance "
    "of their exemplars from their centre, CDNV^(-1/2)"
)
_TOO_FEW = "a token with fewer than 2 held-out exemplars, a silent layer, or NaN activations"
COLLAPSE = {
    "nc1": Quantity(("step",), "1", "NC1: within-token over between-token variability, "
                    "tr(S_W S_B^+) / tokens; 0 when every token is one point", _TOO_FEW,
                    "nc1_null: shuffled tokens"),
    "nc1_null": Quantity(("step",), "1", f"NC1 with shuffled tokens, mean of {N_SHUFFLES} "
                         "shuffles over groups: it falls with the layer's width", _TOO_FEW),
    "nc2_angle": Quantity(("step",), "1", "NC2, angles: mean distance of cosines between token "
                          "means from those of a simplex; 0 in collapse", _TOO_FEW,
                          "nc2_angle_null: shuffled tokens"),
    "nc2_angle_null": Quantity(("step",), "1", f"NC2, angles, with shuffled tokens, mean of "
                               f"{N_SHUFFLES}: wide layers are near a simplex by chance", _TOO_FEW),
    "nc4": Quantity(("step",), "1", "NC4: share of held-out exemplars that the network names "
                    "otherwise than the nearest token mean does, means from other exemplars",
                    "too few groups for folds, NaN activations or logits"),
    "cdnv": Quantity(("step", "token", "token_b"), "1", "CDNV: mean of two tokens' variances over "
                     "the squared distance of their means; 0 when each is one point",
                     f"a token with itself; {_TOO_FEW}", "cdnv_null: no token structure"),
    "separation_worst": Quantity(("step",), "1", "smallest over pairs of tokens of the "
                                 f"{SEPARATION}", _TOO_FEW,
                                 "cdnv_null^(-1/2): no token structure"),
    "separation_low": Quantity(("step",), "1", "2.5 % bound of separation_worst, groups of "
                               "exemplars resampled", _TOO_FEW),
    "separation_high": Quantity(("step",), "1", "97.5 % bound of separation_worst, groups of "
                                "exemplars resampled", _TOO_FEW),
    "fuzziness": Quantity(("step",), "1", "D = tr(S_W S_B^+), of which the law of separation says "
                          "that ln D falls along a line over layers", _TOO_FEW),
    "apart_after": Quantity(("token", "token_b"), "steps", "step of the last snapshot at which the "
                            f"pair's separation is not above {APART:g}; -inf: above from the first "
                            "snapshot on", f"a token with itself; {_TOO_FEW}"),
    "apart_by": Quantity(("token", "token_b"), "steps", "step of the next snapshot, from which the "
                         f"separation stays above {APART:g}; inf: not by the end",
                         f"a token with itself; {_TOO_FEW}"),
    "apart_confidence_after": Quantity(("token", "token_b"), "steps", "lower end of the 95 % "
                                       "confidence interval, groups of exemplars resampled",
                                       "as apart_after"),
    "apart_confidence_by": Quantity(("token", "token_b"), "steps", "upper end of the pair's 95 % "
                                    "confidence interval", "as apart_by"),
    "things_after": Quantity((), "steps", "step of the last snapshot at which the smallest "
                             f"separation of any two tokens is not above {APART:g}", _TOO_FEW),
    "things_by": Quantity((), "steps", "step of the next snapshot, from which every two tokens "
                          "stay apart; inf: not by the end", _TOO_FEW),
    "things_confidence_after": Quantity((), "steps", "lower end of the 95 % confidence interval, "
                                        "groups of exemplars resampled", _TOO_FEW),
    "things_confidence_by": Quantity((), "steps", "upper end of the 95 % confidence interval",
                                     _TOO_FEW),
}  # fmt: skip
LENGTHS = {
    "nc2_norm": Quantity(("step",), "1", "NC2, lengths: coefficient of variation of the distances "
                         "of token means from their mean; 0 in collapse", _TOO_FEW,
                         "nc2_norm_null: shuffled tokens"),
    "nc2_norm_null": Quantity(("step",), "1", f"NC2, lengths, with shuffled tokens, mean of "
                              f"{N_SHUFFLES}", _TOO_FEW),
}  # fmt: skip
_LINE = "of the line of ln D over layers, D the separation fuzziness"
_NO_RUN = "no run was given, and the read-out's weights are not in the record: pass run"
EXTRAS = {
    "law_slope": Quantity(("step",), "1", f"slope {_LINE}", _TOO_FEW),
    "law_correlation": Quantity(("step",), "1", f"correlation {_LINE}", _TOO_FEW),
    "cdnv_null": Quantity(("token", "token_b"), "1", "CDNV without token structure: (n - 1) / 2 "
                          "for equal counts", "a token with fewer than 2 held-out exemplars"),
    "nc3": Quantity(("step",), "1", "NC3: distance of the read-out's weights from the token means "
                    "below it, both centred or scaled; 0 the same, 1.41 unrelated, 2 opposite",
                    "no snapshot holds the step, or shapes do not fit", "1.41: unrelated"),
}  # fmt: skip


def neural_collapse(
    record: xr.Dataset,
    *,
    run: RunFolder | None = None,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure how compact tokens are in every layer and at every step: NC1 to NC4, CDNV, onsets.

    Held-out exemplars, spatial means of conv layers. The null of CDNV without token structure is
    (n - 1) / 2 for n exemplars of each token, whatever the layer's width (`cdnv_null`).

    Parameters
    ----------
    record
        A record with activations and logits.
    run
        Its run: NC3 compares the read-out's weights with the token means below, and the weights
        are not in the record; without them it is NaN.
    chance
        How nulls and intervals are drawn.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xr.Dataset
        Over (step, layer), layers being "pixels" and those of the record: `nc1`, `nc2_norm`,
        `nc2_angle` beside their nulls, `nc4`, `cdnv` (token, token_b), `separation_worst` with
        its 95 % bounds, `fuzziness`; over layer: from when on two tokens (`apart_*`) and all
        tokens (`things_*`) lie apart, as intervals of steps; over step: `law_slope`,
        `law_correlation` of the law of separation, and `nc3`, NaN where no `run` is given.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    The tokens become compact, the more so the higher the layer; the weights of the read-out come
    to lie along their means (0: exactly).

    >>> found = ont.measure.neural_collapse(record, run=run).isel(step=[0, -1])
    >>> found.nc1.sel(layer=["pixels", "conv1", "fc1"]).to_pandas().round(1)
    layer  pixels  conv1   fc1
    step
    0         1.2    6.4  26.4
    300       1.2    2.5   1.1
    >>> print(found.nc3.values.round(2))
    [1.45 0.65]
    """
    kernels: list[Part] = [(collapse_of, COLLAPSE), (lengths_of, LENGTHS)]
    data = over_layers(record, kernels, chance=chance, progress=progress)
    return data.merge(collapse_extras(record, data, run=run)).drop_vars(["step_b", "exemplar"])


def collapse_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return NC1, NC2, NC4, CDNV with their nulls at every step, and when tokens come apart."""
    x, draws, n = layer.patterns, layer.draws, layer.draws.n_tokens
    dealt = draws.dealt[:N_SHUFFLES]
    centred, null_means = _centred_means(layer)
    fuzziness = separation_fuzziness(x, draws.probe.token, n)
    pairs = _cdnv_of_present(x, draws)
    again = resampled_cdnv(layer, pairs)
    worst = _separation(pairs), _separation(again)
    low, high = np.quantile(worst[1], [0.025, 0.975], axis=0)
    onsets = {} if layer.is_pixels else _apartness(pairs, again, worst, draws)
    return onsets | {
        "nc1": fuzziness / n,
        "fuzziness": fuzziness,
        "nc1_null": np.mean([variability_collapse(x, t, n) for t in dealt], axis=0),
        "nc2_angle": equiangularity(centred),
        "nc2_angle_null": equiangularity(null_means).mean(axis=0),
        "nc4": _disagreement(layer),
        "cdnv": pairs,
        "separation_worst": worst[0],
        "separation_low": low,
        "separation_high": high,
    }


def lengths_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return how unlike the lengths of token means are (NC2), and of those of shuffled tokens."""
    own, null = _centred_means(layer)
    return {"nc2_norm": equinorm(own), "nc2_norm_null": equinorm(null).mean(axis=0)}


def _centred_means(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return token means less their mean [step, token, unit], and [shuffle, ...] of shuffles."""
    x, draws, n = layer.patterns, layer.draws, layer.draws.n_tokens
    own = token_means(x, draws.probe.token, n)
    null = np.stack([token_means(x, t, n) for t in draws.dealt[:N_SHUFFLES]])
    null -= null.mean(axis=-2, keepdims=True)
    return own - own.mean(axis=-2, keepdims=True), null


def _cdnv_of_present(x: np.ndarray, draws: Draws) -> np.ndarray:
    """Return CDNV [step, token, token]; only pairs with a token that is absent are NaN for it."""
    present, n = draws.present, draws.n_tokens
    pairs = np.full((len(x), n, n), np.nan)
    code = np.searchsorted(present, draws.probe.token)
    pairs[:, present[:, None], present] = cdnv(x, code, len(present))
    return pairs


def _separation(pairs: np.ndarray) -> np.ndarray:
    """Return the smallest separation of any two tokens of [..., token, token] CDNV."""
    above = pairs[(..., *np.triu_indices(pairs.shape[-1], k=1))]
    return np.asarray(np.where(np.isnan(above).any(axis=-1), np.nan, above.max(axis=-1))) ** -0.5


def _disagreement(layer: Layer) -> np.ndarray:
    """Return NC4 with each fold's token means taken from the other folds."""
    draws, x = layer.draws, layer.patterns
    share = np.full(len(draws.steps), np.nan)
    if draws.fold.max() == 0 or (draws.answer < 0).any():
        return share
    for k in range(len(share)):
        at, wrong = x[min(k, len(x) - 1)], 0.0
        for fold in range(draws.fold.max() + 1):
            own = draws.fold == fold
            means = token_means(at[~own], draws.probe.token[~own], draws.n_tokens)
            rate = nearest_mean_disagreement(at[own], means, draws.answer[k, own])
            wrong += float(rate) * own.mean()
        share[k] = wrong
    return share


def resampled_cdnv(layer: Layer, pairs: np.ndarray) -> np.ndarray:
    """Return CDNV of resampled groups [resample, step, token, token], float32.

    Resampling adds noise to means that already hold some; the logarithm is therefore moved so
    that its mean over resamples is that of the estimate.
    """
    draws = layer.draws
    again = [_weighted_cdnv(x, draws) for x in layer.patterns]
    logs = np.log(np.stack(again, axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.exp(logs - logs.mean(axis=0) + np.log(pairs)).astype(np.float32)


def _weighted_cdnv(x: np.ndarray, draws: Draws) -> np.ndarray:
    """Return CDNV [resample, token, token] of one step, exemplars counted by weights."""
    x = (x - x.mean(axis=0, dtype=np.float64)).astype(np.float32)
    square = np.einsum("eu,eu->e", x, x)
    shape = (len(draws.weights), draws.n_tokens)
    means = np.full((*shape, x.shape[1]), np.nan, dtype=np.float32)
    variance = np.full(shape, np.nan)
    for c in draws.present:
        own = draws.probe.token == c
        weight = (draws.weights[:, own] / draws.weights[:, own].sum(axis=1)[:, None]).astype("f4")
        means[:, c] = weight @ x[own]
        variance[:, c] = weight @ square[own] - np.einsum("ru,ru->r", means[:, c], means[:, c])
    inner = means @ np.swapaxes(means, 1, 2)
    own_square = np.diagonal(inner, axis1=1, axis2=2)
    distance = own_square[:, :, None] + own_square[:, None] - 2 * inner
    largest = np.abs(own_square[:, draws.present]).max()
    distance = np.where(distance > 1e-6 * largest, distance, np.nan)
    variance = np.where(variance > 0, variance, np.nan)
    return (variance[:, :, None] + variance[:, None]) / (2 * distance)


def _apartness(
    pairs: np.ndarray, again: np.ndarray, worst: tuple[np.ndarray, np.ndarray], draws: Draws
) -> dict[str, np.ndarray]:
    """Return from when on tokens lie apart, each pair and all together, as intervals."""
    flat = (pairs**-0.5).reshape(len(pairs), -1), (again**-0.5).reshape(*again.shape[:2], -1)
    table = _onsets(*flat, draws)
    things = _onsets(worst[0][:, None], worst[1][..., None], draws)
    names, shape = ("after", "by", "confidence_after", "confidence_by"), pairs.shape[1:]
    found = {f"apart_{name}": t.reshape(shape) for name, t in zip(names, table, strict=True)}
    return found | {f"things_{name}": t[0] for name, t in zip(names, things, strict=True)}


def _onsets(values: np.ndarray, again: np.ndarray, draws: Draws) -> np.ndarray:
    """Return after, by and their confidence interval [4, quantity] for [step, quantity] values."""
    steps, threshold = draws.steps, np.full(len(draws.steps), APART)
    found = np.array([onset_interval(v, threshold, steps) for v in values.T]).reshape(-1, 2).T
    index = onset_index(np.moveaxis(again, 1, -1).astype(np.float64), threshold, hold=HOLD)
    low, high = confidence_interval(index, steps)
    table = np.stack([*found, np.minimum(low, found[0]), np.maximum(high, found[1])])
    return np.where(np.isnan(values).any(axis=0), np.nan, table)


def collapse_extras(
    record: xr.Dataset, data: xr.Dataset, *, run: RunFolder | None = None
) -> xr.Dataset:
    """Return what needs all layers or the weights: the law of separation, CDNV's null, NC3."""
    layers = [name for name in data["layer"].values if name != PIXELS]
    law = separation_law(data["fuzziness"].sel(layer=layers).values.astype(np.float64))
    names = [str(name) for name in record["exemplar_token"].values]
    held = record["exemplar_split"].values.astype(str) == "probe"
    index = [list(data["token"].values).index(n) for n, h in zip(names, held, strict=True) if h]
    null = cdnv_null(token_counts(np.array(index), data.sizes["token"]))
    nc3 = np.full(len(data["step"]), np.nan) if run is None else _duality(record, run, layers)
    values = {
        "law_slope": law.slope, "law_correlation": law.correlation, "cdnv_null": null, "nc3": nc3,
    }  # fmt: skip
    table = EXTRAS if run is not None else EXTRAS | {"nc3": replace(EXTRAS["nc3"], missing=_NO_RUN)}
    return label(values, table, {"step": data["step"], "token": data["token"]})


def _duality(record: xr.Dataset, run: RunFolder, layers: list[str]) -> np.ndarray:
    """Return NC3 at every step: the last layer's weights beside the means of the one below."""
    found = np.full(record.sizes["step"], np.nan)
    if len(layers) < 2:
        return found
    below, top = layers[-2], layers[-1]
    columns = np.flatnonzero(record["layer"].values.astype(str) == below)
    held = np.flatnonzero(record["exemplar_split"].values.astype(str) == "probe")
    tokens = [str(name) for name in record["token"].values]
    token = np.array([tokens.index(str(n)) for n in record["exemplar_token"].values[held]])
    for k, step in enumerate(record["step"].values):
        if step not in run.steps:
            continue
        weight = run.weights(int(step)).get(f"{top}.weight")
        if weight is None or weight.shape != (len(tokens), len(columns)):
            continue
        block = record["activation"][k, :, columns[0] : columns[-1] + 1].values[held]
        means = token_means(block, token, len(tokens))
        found[k] = self_duality(weight - weight.mean(axis=0), means)
    return found
