"""Directions instead of units: principal components, rotations, and the directions of factors.

A direction is a weighted sum of a layer's units. Its sign means nothing, so that here the token and
the sign are chosen on half 0 of the probe and scored on half 1, for units as for any other
direction; only so can they be compared. May import numpy, xarray, ontogeny.stats and
ontogeny.measure.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import FACTOR
from ontogeny.measure.categories.readout import factor_names
from ontogeny.measure.probe import layer_names, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.measure.units.complexity import N_STEPS
from ontogeny.measure.units.tuning import CHANCE, TuningDraws, tuning_draws
from ontogeny.progress import Progress
from ontogeny.schedule import evenly_spaced
from ontogeny.stats.permutation import upper_quantile
from ontogeny.stats.tuning import auroc, ranks

AT = "direction_step"
N_ROTATIONS = 19
N_COMPONENTS = 32
RIDGE = 0.01
BASES = ("units", "components")
SHOWN = "tuned_share"
"""The statistic that is made unless everything is asked for."""
_STATISTICS = {
    "tuned_share": "share of the layer's varying directions whose score is beyond chance",
    "score_mean": "mean score of the layer's varying directions",
    "score_upper": "90 % quantile of the scores of the layer's varying directions",
    "kurtosis": "median excess kurtosis of directions over exemplars: 0 for a Gaussian, high where "
    "few exemplars drive a direction",
}
_SCORE = (
    "AUROC on half 1 of the probe of the token, and the sign, that half 0 singles out; .5 tells "
    "nothing"
)
_MISSING = "directions that do not vary, or beyond the layer's width"


def _of_statistic(name: str, words: str) -> dict[str, Quantity]:
    """Define a statistic of units and components, and that of rotations."""
    ends = {"rotated": "mean", "rotated_low": "least", "rotated_high": "largest"}
    own = Quantity((AT, "basis", "layer"), "1", words, _MISSING,
                   f"{name}_p: {N_ROTATIONS} random rotations of the layer's units")  # fmt: skip
    turned = {
        f"{name}_{end}": Quantity(
            (AT, "layer"), "1", f"{word} over {N_ROTATIONS} random rotations: {words}", _MISSING)
        for end, word in ends.items()
    }  # fmt: skip
    reached = f"(1 + rotations that reach the units) / {1 + N_ROTATIONS}: {words}"
    return {name: own, **turned, f"{name}_p": Quantity((AT, "layer"), "1", reached, _MISSING)}


DIRECTIONS = {
    name: quantity
    for statistic, words in _STATISTICS.items()
    for name, quantity in _of_statistic(statistic, words).items()
} | {
    "direction_threshold": Quantity(("layer",), "1", f"chance threshold of: {_SCORE}", _MISSING),
    "component_score": Quantity(
        (AT, "component", "layer"), "1", _SCORE, _MISSING,
        "direction_threshold: tokens shuffled over groups of exemplars"),
    "component_token": Quantity(
        (AT, "component", "layer"), "1", "index of that token; NaN: none", _MISSING),
    "factor_direction": Quantity(
        (AT, "factor", "layer"), "1", "squared correlation on half 1 of a factor with the "
        "direction that reads it out of half 0 at the last snapshot (ridge)", _MISSING),
    "factor_unit": Quantity(
        (AT, "factor", "layer"), "1", "the same of the single unit that half 0 singles out at each "
        "snapshot", _MISSING),
}  # fmt: skip


class _Scored(NamedTuple):
    score: np.ndarray
    """[direction]"""
    token: np.ndarray
    """[direction]"""


def directions(
    record: xr.Dataset,
    *,
    everything: bool = False,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Compare units, principal components and rotations of a layer as detectors of tokens.

    Components are those of the last snapshot, at most 32, and fixed: earlier responses are
    projected on them. A rotation is a random orthogonal mixture of all units of a layer: the same
    space, with nothing special about its axes.

    Parameters
    ----------
    record
        With activations.
    everything
        Whether to add what nothing of the report or the page shows: see Returns.
    chance
        How nulls are drawn.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xr.Dataset
        Over (direction_step, layer, basis), bases "units" and "components": `tuned_share`, with
        `_rotated` (the mean of 19 rotations), `_rotated_low`, `_rotated_high` (their range) and
        `_p` (direction_step, layer), the share of rotations, and the units themselves, that reach
        the units' value: 1 / 20 at best; `direction_threshold` (layer), a score passed by none of
        the layer's units by chance, with 95 %. With `everything` likewise `score_mean`,
        `score_upper` and `kurtosis`; `component_score` and `component_token` (direction_step,
        layer, component); where factors are known also `factor_direction` (direction_step, layer,
        factor), the squared correlation on half 1 of each factor with the direction that reads it
        out of half 0 at the last snapshot, and `factor_unit`, that of the best single unit, chosen
        on half 0.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    The share of units that are tuned to a token, and the range of random mixtures of them:

    >>> found = ont.measure.directions(record).isel(direction_step=-1)
    >>> low, high = found.tuned_share_rotated_low, found.tuned_share_rotated_high
    >>> print(found.layer.values, found.tuned_share.sel(basis="units").values.round(2))
    ['conv1' 'conv2' 'fc1' 'logits'] [0.   0.19 0.54 1.  ]
    >>> print(low.values.round(2), high.values.round(2))
    [0.   0.06 0.31 0.67] [0.12 0.31 0.62 1.  ]
    """
    require(record, "activation", "layer")
    draws, at = tuning_draws(record, chance or CHANCE), evenly_spaced(record.sizes["step"], N_STEPS)
    rng = np.random.default_rng((chance or CHANCE).seed)
    stack = record["activation"][at].values[:, draws.probe.position]
    known = factor_names(record) if everything and "exemplar_split" in record.coords else []
    factors = [_numbers(record[FACTOR + n].values[draws.probe.position]) for n in known]
    rows: list[dict[str, np.ndarray]] = []
    for name, units in zip(layer_names(record), draws.units, strict=True):
        rows.append(_layer(stack[:, :, units], draws, (chance or CHANCE).level, rng, everything))
        if everything:
            rows[-1] |= _component_scores(stack[:, :, units], draws)
        if known:
            rows[-1] |= _factor_directions(stack[:, :, units], factors, draws)
        if progress is not None:
            progress(f"directions in {name}", len(rows), len(draws.units))
    found = {name: np.stack([row[name] for row in rows], axis=-1) for name in rows[0]}
    return _labelled(record, record["step"].values[at], found, known)


def _layer(
    responses: np.ndarray, draws: TuningDraws, level: float, rng: np.random.Generator,
    everything: bool,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return the statistics of one layer [step, ...]."""
    n_units = responses.shape[2]
    axes = _components(responses[-1])
    # drawn once a layer: all steps are seen in the same rotations
    turns = [_rotation(n_units, rng) for _ in range(N_ROTATIONS)]
    threshold = _threshold(responses[-1], draws, level)
    wanted, rows = list(_STATISTICS) if everything else [SHOWN], []
    for response in responses:
        own, parts, *others = (
            _statistics(x, draws, threshold, wanted)
            for x in (response, response @ axes, *(response @ turn for turn in turns))
        )
        turned = np.stack(others)
        reached = (1 + np.sum(turned >= own, axis=0)) / (1 + N_ROTATIONS)
        rows.append(np.stack([own, parts, turned.mean(axis=0), turned.min(axis=0),
                              turned.max(axis=0), reached]))  # fmt: skip
    table = np.stack(rows)
    out = {"direction_threshold": np.array(threshold)}
    for k, name in enumerate(wanted):
        out[name] = table[:, :2, k]
        for j, suffix in enumerate(("rotated", "rotated_low", "rotated_high", "p")):
            out[f"{name}_{suffix}"] = table[:, 2 + j, k]
    return out


def _component_scores(responses: np.ndarray, draws: TuningDraws) -> dict[str, np.ndarray]:
    """Return the score and the token of each component [step, component]."""
    axes = _components(responses[-1])
    found = [_scores(response @ axes, draws) for response in responses]
    return {
        "component_score": np.stack([_padded(each.score) for each in found]),
        "component_token": np.stack([_padded(each.token) for each in found]),
    }


def _components(response: np.ndarray) -> np.ndarray:
    """Return the leading principal axes [unit, component]."""
    centred = response.astype(np.float64) - response.mean(axis=0, dtype=np.float64)
    return np.linalg.svd(centred, full_matrices=False)[2][:N_COMPONENTS].T.astype(np.float32)


def _rotation(n_units: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random orthogonal matrix, all alike likely (Mezzadri 2007)."""
    q, r = np.linalg.qr(rng.standard_normal((n_units, n_units)))
    # the signs make the law uniform; plain QR favours some rotations
    return (q * np.sign(np.diag(r))).astype(np.float32)


def _scores(response: np.ndarray, draws: TuningDraws) -> _Scored:
    """Choose token and sign of each direction on half 0, score them on half 1."""
    tables = []
    for half in draws.halves:
        member = half.token == np.arange(draws.n_tokens)[:, None]
        tables.append(auroc(ranks(response[half.at]), member))
    apart = np.nan_to_num(np.abs(tables[0] - 0.5), nan=-1)
    token, column = apart.argmax(axis=0), np.arange(response.shape[1])
    sign = np.sign(tables[0][token, column] - 0.5)
    score = 0.5 + sign * (tables[1][token, column] - 0.5)
    # a projected direction of a dead layer is rounding with a rank order
    varies = np.ptp(response, axis=0) > 1e-6 * np.abs(response).max(axis=0)
    return _Scored(np.where(varies, score, np.nan), np.where(varies, token, -1))


def _statistics(
    response: np.ndarray, draws: TuningDraws, threshold: float, wanted: Sequence[str]
) -> np.ndarray:
    """Return the values of those of `_STATISTICS` that are wanted."""
    score = _scores(response, draws).score
    fine = np.isfinite(score)
    if not fine.any():
        return np.full(len(wanted), np.nan)
    score = score[fine]
    kinds: dict[str, Callable[[], float]] = {
        "tuned_share": lambda: float(np.mean(score > threshold)),
        "score_mean": lambda: float(score.mean()),
        "score_upper": lambda: float(np.quantile(score, 0.9)),
        "kurtosis": lambda: _kurtosis(response[:, fine].astype(np.float64)),
    }
    return np.array([kinds[name]() for name in wanted])


def _kurtosis(x: np.ndarray) -> float:
    """Return the median over directions of their excess kurtosis."""
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return float(np.median(np.mean(z**4, axis=0) - 3))


def _threshold(response: np.ndarray, draws: TuningDraws, level: float) -> float:
    """Return the score that no unit passes by chance at the last snapshot, whatever its token."""
    half = draws.halves[1]
    ranked, counts = ranks(response[half.at]), np.bincount(half.token)
    # tokens of one number of exemplars have one null; a rare token's scores spread more
    each = {int(counts[token]): int(token) for token in half.token[::-1]}
    bounds = []
    for token in each.values():
        null = np.abs(auroc(ranked, half.dealt == token) - 0.5)
        # the largest of all units, as any of them may be singled out
        bounds.append(float(upper_quantile(np.fmax.reduce(null, axis=1), level)))
    return 0.5 + max(bounds)


def _padded(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values, np.full(N_COMPONENTS - len(values), np.nan)])


def _numbers(values: np.ndarray) -> np.ndarray:
    """Return a factor as a number: itself, or the codes of its names."""
    if values.dtype.kind in "iufb":
        return values.astype(np.float64)
    return np.unique(values, return_inverse=True)[1].astype(np.float64)


def _factor_directions(
    responses: np.ndarray, factors: list[np.ndarray], draws: TuningDraws
) -> dict[str, np.ndarray]:
    """Return what the read-out direction of half 0 at the end tells of half 1 at every step."""
    target = np.stack(factors, axis=1)
    first, second = draws.halves
    x = responses[-1][first.at].astype(np.float64)
    x, y = x - x.mean(axis=0), target[first.at] - target[first.at].mean(axis=0)
    penalty = RIDGE * max(float(np.sum(x**2)) / x.shape[1], 1e-300)
    # fixed at the last step, then read at all: how early the final direction is there
    weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    along, alone = [], []
    for response in responses:
        read = response[second.at] @ weight
        along.append(_squared_correlation(read, target[second.at], paired=True))
        chosen = _squared_correlation(response[first.at], target[first.at], paired=False).argmax(0)
        best = response[second.at][:, chosen]
        alone.append(_squared_correlation(best, target[second.at], paired=True))
    return {"factor_direction": np.stack(along), "factor_unit": np.stack(alone)}


def _squared_correlation(x: np.ndarray, y: np.ndarray, *, paired: bool) -> np.ndarray:
    """Return r^2 of columns, pair by pair or all with all [of x, of y]; 0 if constant."""
    x, y = (v - v.mean(axis=0, dtype=np.float64) for v in (x, y))
    power = np.sum(x**2, axis=0), np.sum(y**2, axis=0)
    if paired:
        both, product = np.sum(x * y, axis=0), power[0] * power[1]
    else:
        both, product = x.T @ y, np.outer(*power)
    return np.divide(both**2, product, where=product > 1e-20, out=np.zeros_like(product))


def _labelled(
    record: xr.Dataset, steps: np.ndarray, found: dict[str, np.ndarray], factors: list[str]
) -> xr.Dataset:
    where = {AT: steps, "layer": layer_names(record), "basis": list(BASES)}
    if "component_score" in found:
        where["component"] = np.arange(N_COMPONENTS)
    if factors:
        where["factor"] = factors
    return label({name: v.astype(np.float32) for name, v in found.items()}, DIRECTIONS, where)
