"""Which token each unit answers, how well it tells it from the rest, and is that real.

The preferred token of a unit is chosen on one half of the probe and scored on the other, so that
choosing costs nothing; nulls shuffle the tokens over groups of exemplars and take the largest value
of all units of a layer at all steps. May import numpy, scipy, xarray, ontogeny.stats and
ontogeny.measure.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import chdtri

from ontogeny.measure.probe import Probe, held_out, layer_names, require, units_of_layers
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.progress import Progress
from ontogeny.stats.groups import grouped_folds
from ontogeny.stats.permutation import (
    group_blocks,
    group_resamples,
    shuffled_tokens,
    upper_quantile,
)
from ontogeny.stats.selectivity import CONSTANT
from ontogeny.stats.tokens import token_means
from ontogeny.stats.tuning import (
    N_BINS,
    auroc,
    d_prime,
    lifetime_sparseness,
    mean_selectivity,
    placements,
    ranks,
    resampled_auroc,
    token_information,
)

CHANCE = Chance(n_shuffles=199, n_resamples=100)
"""How nulls and intervals of tuning are drawn if nothing else is asked for."""
DORMANT = 0.025
"""A unit whose mean |response| is at most this share of its layer's mean is dormant."""

_SPLIT = "chosen as the largest mean response on half 0 of the probe"
_CELL, _BY_TOKEN = ("step", "unit"), ("step", "unit", "token")
_UNDECIDED, _DEALT = "a unit without a preferred token", "tokens shuffled over groups of exemplars"
TUNING = {
    "auroc": Quantity(
        _BY_TOKEN, "1", "probability that an exemplar of the token drives the unit more than one "
        "of another token; .5 tells nothing; all held-out exemplars",
        null=f"auroc_threshold: {_DEALT}"),
    "d_prime": Quantity(
        _BY_TOKEN, "1", "distance of the token's mean response from that of the rest over the root "
        "mean of their variances", "a unit that does not vary on either side"),
    "information": Quantity(
        _CELL, "bits", f"information of the unit's response ({N_BINS} bins of equal occupancy) "
        "about the token, less Miller's bias", null="information_threshold: the G test"),
    "sparseness": Quantity(
        _CELL, "1", "lifetime sparseness (Treves and Rolls): 0 driven alike by all exemplars, 1 by "
        "one alone", "an inactive unit, or one with negative responses"),
    "preferred": Quantity(_CELL, "1", f"index of the token {_SPLIT}; -1: none"),
    "score": Quantity(
        _CELL, "1", f"AUROC of the preferred token on half 1 of the probe ({_SPLIT})", _UNDECIDED,
        f"score_threshold: {_DEALT}"),
    "score_low": Quantity(
        _CELL, "1", "2.5 % bound of score, groups of exemplars resampled", _UNDECIDED),
    "score_high": Quantity(
        _CELL, "1", "97.5 % bound of score, groups of exemplars resampled", _UNDECIDED),
    "class_selectivity": Quantity(
        _CELL, "1", f"(m_p - m) / (m_p + m) on half 1, p the token {_SPLIT}",
        "a unit without a preferred token, or with negative means"),
    "dormancy": Quantity(
        _CELL, "1", "mean over exemplars of |response| over the mean of this over the layer",
        "a layer that is silent"),
}  # fmt: skip


@dataclass(frozen=True)
class Tunings:
    """Tuning of all units of a record as plain arrays."""

    values: dict[str, np.ndarray]
    """Name -> [step, unit] or [step, unit, token]"""
    auroc_null: np.ndarray
    """[shuffle, step, layer] largest AUROC of any unit and token"""
    score_null: np.ndarray
    """[shuffle, step, layer] largest score of any unit"""
    score_again: np.ndarray
    """[resample, step, unit] score, exemplars of half 1 resampled"""
    preferred_again: np.ndarray
    """[resample, step, unit] preferred token, exemplars of half 0 resampled"""
    dormant_again: np.ndarray
    """[resample, step, unit] whether the unit is dormant, all exemplars resampled"""


class Half(NamedTuple):
    """One half of the held-out exemplars."""

    at: np.ndarray
    """[exemplar of the half] index into the probe"""
    token: np.ndarray
    dealt: np.ndarray
    """[shuffle, exemplar of the half]"""
    weights: np.ndarray
    """[resample, exemplar of the half]"""


@dataclass(frozen=True)
class TuningDraws:
    """What is drawn once and serves all steps."""

    probe: Probe
    members: np.ndarray
    """[shuffle * token, exemplar] who is dealt each token"""
    weights: np.ndarray
    """[resample, exemplar]"""
    halves: tuple[Half, Half]
    units: list[np.ndarray]
    """Positions of each layer's units"""

    @property
    def n_tokens(self) -> int:
        """How many tokens there are."""
        return len(self.probe.tokens)


def tuning(
    record: xr.Dataset,
    *,
    everything: bool = False,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Measure how every unit is tuned to tokens at every step.

    Parameters
    ----------
    record
        With activations.
    everything
        Whether to add what nothing of the report or the page shows: see Returns.
    chance
        How nulls and intervals are drawn.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xr.Dataset
        `auroc` and `d_prime` (step, unit, token) on all held-out exemplars, `auroc_threshold`
        (layer), which no unit's AUROC of any token passes at any step without token structure,
        with 95 %; `preferred`, `score` (step, unit), the AUROC on half 1 of the token chosen on
        half 0, `score_low`, `score_high`, `score_threshold` (layer), likewise over units x steps;
        `dormancy` (step, unit). With `everything` also `information`, `information_threshold`
        (layer), `sparseness` and `class_selectivity` (CCMAS, chosen and scored on different
        halves).

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    How well the logits tell each token from the rest (.5: not at all), and the bound of chance:

    >>> found = ont.measure.tuning(record).isel(step=-1)
    >>> found.auroc.sel(unit=["logits:0", "logits:1", "logits:2"]).to_pandas().round(2)
    token      ada    bo  cleo
    unit
    logits:0  0.84  0.65  0.02
    logits:1  0.53  0.92  0.05
    logits:2  0.31  0.19  1.00
    >>> round(float(found.auroc_threshold.sel(layer="logits")), 2)
    0.74
    """
    chance = chance or CHANCE
    return label_tuning(record, tunings(record, chance, progress, everything=everything), chance)


def tunings(
    record: xr.Dataset,
    chance: Chance,
    progress: Progress | None = None,
    *,
    everything: bool = False,
) -> Tunings:
    """Compute tuning, nulls and resamples in one pass, one step in memory at a time.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.
    """
    require(record, "activation", "layer")
    draws = tuning_draws(record, chance)
    n_steps, columns = record.sizes["step"], []
    for k in range(n_steps):
        response = record["activation"][k].values[draws.probe.position]
        columns.append(_one_step(response, draws))
        if everything:
            columns[-1][0].update(_on_request(response, columns[-1][0]["preferred"], draws))
        if progress is not None:
            progress("tuning of units", k + 1, n_steps)
    values = {name: np.stack([c[0][name] for c in columns]) for name in columns[0][0]}
    return Tunings(values, *(np.stack([c[j] for c in columns], axis=1) for j in range(1, 6)))


def tuning_draws(record: xr.Dataset, chance: Chance) -> TuningDraws:
    """Draw shuffles and resamples of the held-out exemplars and of both halves.

    Halves are those of the record, groups kept whole; a record without them is halved by seed.
    """
    probe, rng = held_out(record), np.random.default_rng(chance.seed)
    dealt = _dealt(probe.token, probe.group, chance, rng)
    n_tokens = len(probe.tokens)
    # all shuffles and tokens as rows of one matrix: their AUROC is one product with the ranks
    members = (dealt[:, None] == np.arange(n_tokens)[:, None]).reshape(-1, len(probe.token))
    weights = _weights(probe.token, probe.group, chance, rng)
    of_half = _halves(record, probe, rng)
    halves = []
    for side in (0, 1):
        at = np.flatnonzero(of_half == side)
        token, group = probe.token[at], probe.group[at]
        dealt, drawn = _dealt(token, group, chance, rng), _weights(token, group, chance, rng)
        halves.append(Half(at, token, dealt, drawn))
    units = list(units_of_layers(record).values())
    return TuningDraws(probe, members, weights, (halves[0], halves[1]), units)


def _dealt(
    token: np.ndarray, group: np.ndarray, chance: Chance, rng: np.random.Generator
) -> np.ndarray:
    return shuffled_tokens(token, group, n_shuffles=chance.n_shuffles, rng=rng)


def _weights(
    token: np.ndarray, group: np.ndarray, chance: Chance, rng: np.random.Generator
) -> np.ndarray:
    weights = group_resamples(token, group, n_resamples=chance.n_resamples, rng=rng)
    return weights.astype(np.float32)


def _halves(record: xr.Dataset, probe: Probe, rng: np.random.Generator) -> np.ndarray:
    """Return 0 or 1 per exemplar: the record's halves, or others where these divide a group.

    Exemplars of one group and token are one block (`group_blocks`) and lie in one half.
    """
    block, _ = group_blocks(probe.token, probe.group)
    _, first, code = np.unique(block, return_index=True, return_inverse=True)
    if "exemplar_half" in record.coords:
        half = record["exemplar_half"].values[probe.position]
        # halves that cut through a group would let choice and score see the same scene
        if np.array_equal(half[first][code], half):
            return half
    return grouped_folds(probe.token, block, n_folds=2, rng=rng)


def _one_step(response: np.ndarray, draws: TuningDraws) -> tuple:
    """Return the values and, in the order of `Tunings`, the draws of one step."""
    rank, token, n_tokens = ranks(response), draws.probe.token, draws.n_tokens
    first, second = draws.halves
    # chosen on one half and scored on the other: the best of several tokens is above chance
    # by choice
    means = token_means(response[first.at], first.token, n_tokens)
    preferred = best_token(means)
    score, null, again = _score(response[second.at], preferred, second)
    low, high = interval(again)
    dormancy, dormant_again = _dormancy(response, draws)
    values = {
        "auroc": auroc(rank, token == np.arange(n_tokens)[:, None]).T,
        "d_prime": d_prime(response, token, n_tokens).astype(np.float32),
        "preferred": preferred, "score": score, "score_low": low, "score_high": high,
        "dormancy": dormancy,
    }  # fmt: skip
    largest = auroc(rank, draws.members).reshape(-1, n_tokens, rank.shape[1])
    # over tokens first, since a unit may be named for any of them
    auroc_null = _layer_maxima(np.fmax.reduce(largest, axis=1), draws.units)
    score_null = _layer_maxima(null, draws.units)
    preferred_again = _preferred_again(response[first.at], first, n_tokens)
    return values, auroc_null, score_null, again, preferred_again, dormant_again


def _on_request(
    response: np.ndarray, preferred: np.ndarray, draws: TuningDraws
) -> dict[str, np.ndarray]:
    """Return what is added to the values of one step if everything is asked for."""
    half, n_tokens = draws.halves[1], draws.n_tokens
    held = token_means(response[half.at].astype(np.float64), half.token, n_tokens)
    return {
        "information": token_information(ranks(response), draws.probe.token, n_tokens),
        "sparseness": lifetime_sparseness(response),
        "class_selectivity": mean_selectivity(held, preferred),
    }


def best_token(means: np.ndarray) -> np.ndarray:
    """Return per unit the token of the largest mean [token, unit]; -1 where they agree or NaN."""
    there = means[np.isfinite(means).any(axis=1)]
    apart = np.ptp(there, axis=0) > CONSTANT * np.abs(there).max(axis=0)
    fine = np.isfinite(there).all(axis=0) & apart
    lowest = np.where(np.isfinite(means), means, -np.inf)
    return np.where(fine, lowest.argmax(axis=0), -1).astype(np.int8)


def _score(
    response: np.ndarray, preferred: np.ndarray, half: Half
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the AUROC of each unit's preferred token, its null and its resamples."""
    n_units = response.shape[1]
    score = np.full(n_units, np.nan, dtype=np.float32)
    null = np.full((len(half.dealt), n_units), np.nan, dtype=np.float32)
    again = np.full((len(half.weights), n_units), np.nan, dtype=np.float32)
    rank = ranks(response)
    for name in np.unique(preferred[preferred >= 0]):
        units, member = np.flatnonzero(preferred == name), half.token == name
        if not member.any():
            continue
        score[units] = auroc(rank[:, units], member[None])[0]
        null[:, units] = auroc(rank[:, units], half.dealt == name)
        placed = placements(response[:, units], member)
        again[:, units] = resampled_auroc(placed, member, half.weights)
    return score, null, again


def _preferred_again(response: np.ndarray, half: Half, n_tokens: int) -> np.ndarray:
    means = np.full((n_tokens, len(half.weights), response.shape[1]), -np.inf, dtype=np.float32)
    for name in np.unique(half.token):
        own = half.token == name
        weight = half.weights[:, own]
        count = weight.sum(axis=1, keepdims=True)
        means[name] = weight @ response[own] / count
    varies = np.ptp(response, axis=0) > CONSTANT * np.abs(response).max(axis=0)
    return np.where(varies, means.argmax(axis=0), -1).astype(np.int8)


def _dormancy(response: np.ndarray, draws: TuningDraws) -> tuple[np.ndarray, np.ndarray]:
    """Return the dormant score of each unit, and whether each resample finds it dormant."""
    # magnitudes, so that a unit that is pushed below 0 does not count as silent
    size = np.abs(response)
    drawn = draws.weights @ size / draws.weights.sum(axis=1, keepdims=True)
    level = np.concatenate([size.mean(axis=0)[None], drawn])
    score = np.full(level.shape, np.nan)
    for units in draws.units:
        mean = level[:, units].mean(axis=1, keepdims=True)
        share = score[:, units]
        score[:, units] = np.divide(level[:, units], mean, where=mean > 0, out=share)
    return score[0], is_dormant(score[1:])


def is_dormant(score: np.ndarray) -> np.ndarray:
    """Tell whether a unit is dormant; one of a silent layer (NaN) is."""
    return ~(score > DORMANT)


def _layer_maxima(values: np.ndarray, units: list[np.ndarray]) -> np.ndarray:
    """Return the largest of each layer's units [draw, layer]; NaN where all are."""
    return np.stack([np.fmax.reduce(values[:, members], axis=1) for members in units], axis=1)


def interval(draws: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Return the bounds [2, ...] of the middle `level` of draws, NaN where any draw is."""
    tail = (1 - level) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0)


def over_steps(null: np.ndarray, level: float) -> np.ndarray:
    """Return the threshold [layer] that the largest value at any step does not pass."""
    # the largest over steps: a unit has as many chances to pass as there are snapshots
    return upper_quantile(np.fmax.reduce(null, axis=1), level)


def label_tuning(record: xr.Dataset, found: Tunings, chance: Chance) -> xr.Dataset:
    """Name the tunings and add their thresholds."""
    tokens, layers = list(held_out(record).tokens), layer_names(record)
    values = {name: v if v.dtype.kind == "i" else v.astype(np.float32)
              for name, v in found.values.items()}  # fmt: skip
    values |= {
        "auroc_threshold": over_steps(found.auroc_null, chance.level),
        "score_threshold": over_steps(found.score_null, chance.level),
    }
    if "information" in values:
        values["information_threshold"] = _information_threshold(record, chance)
    where = {
        "step": record["step"].values, "unit": record["unit"].values,
        "layer_of_unit": ("unit", record["layer"].values.astype(str)), "token": tokens,
        "layer": layers,
    }  # fmt: skip
    data = label(values, TUNING | _threshold_quantities(record, chance), where)
    data["dormancy"].attrs["dormant_at"] = DORMANT
    return data


def _threshold_quantities(record: xr.Dataset, chance: Chance) -> dict[str, Quantity]:
    passed = f"by chance no unit of the layer passes it at any step, with {chance.level:.0%}"
    dealt = (
        f"{passed} (tokens shuffled over groups {chance.n_shuffles} times, largest over units x "
        "steps)"
    )
    tested = (
        f"information: {passed} (G test, {_freedom(record)} degrees of freedom, Bonferroni over "
        "units x steps; groups ignored)"
    )
    return {
        "auroc_threshold": Quantity(("layer",), "1", f"auroc of any token: {dealt}"),
        "score_threshold": Quantity(("layer",), "1", f"score: {dealt}"),
        "information_threshold": Quantity(("layer",), "bits", tested),
    }


def _freedom(record: xr.Dataset) -> int:
    return (N_BINS - 1) * (len(np.unique(held_out(record).token)) - 1)


def _information_threshold(record: xr.Dataset, chance: Chance) -> np.ndarray:
    """Return per layer what information without token structure passes nowhere: the G test."""
    freedom, n = _freedom(record), len(held_out(record).token)
    sizes = np.array([len(units) for units in units_of_layers(record).values()])
    tail = (1 - chance.level) / (sizes * record.sizes["step"])
    return (chdtri(freedom, tail) - freedom) / (2 * n * np.log(2))
