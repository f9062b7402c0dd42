"""What the probe supports at the end: was anything learnt, what is confused, was it memorised.

May import numpy, scipy, xarray, ontogeny.stats and ontogeny.measure.
"""

from typing import Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from ontogeny.measure.categories.signals import answers, confusion
from ontogeny.measure.probe import Probe, held_out, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.stats.permutation import group_resamples
from ontogeny.stats.shares import Rise, confusions, rise_after_lowest, wilson_interval

N_RESAMPLES = 999
"""Resamples of groups for the rise of the loss, whatever `Chance` says of other measures."""
_BY_CHANCE = "errors spread evenly over the other tokens, or as all exemplars are"
_PAIR = "share of the held-out exemplars of two tokens"
_MISSING = "a token without held-out exemplars, two tokens in all, or NaN logits"
_OF_PAIRS = ("token", "token_b")
QUANTITIES = {
    "learnt": Quantity(
        (), "1", "share of held-out exemplars that are classified correctly at the last step",
        null="chance_high: guessing the most frequent token"),
    "learnt_low": Quantity(
        (), "1", "lower end of Wilson's 95 % interval of learnt; a group counts once"),
    "learnt_high": Quantity(
        (), "1", "upper end of Wilson's 95 % interval of learnt; a group counts once"),
    "confused": Quantity(
        _OF_PAIRS, "1", f"{_PAIR} that are classified as the other one at the last step", _MISSING,
        f"confused_bound: {_BY_CHANCE}"),
    "confused_low": Quantity(
        _OF_PAIRS, "1", "lower end of Wilson's 95 % interval of confused; a group counts once",
        _MISSING),
    "confused_high": Quantity(
        _OF_PAIRS, "1", "upper end of Wilson's 95 % interval of confused; a group counts once",
        _MISSING),
    "confused_by_chance": Quantity(
        _OF_PAIRS, "1", f"what confused would be with {_BY_CHANCE}", _MISSING),
    "confused_bound": Quantity(
        _OF_PAIRS, "1", f"what confused stays below in all pairs with 95 %, given {_BY_CHANCE} "
        "(binomial, Bonferroni; a group counts once)", _MISSING),
    "memorised_step": Quantity(
        (), "steps", "step at which half of the held-out exemplars have their lowest loss",
        _MISSING),
    "memorised": Quantity(
        (), "nat", "rise of the other half's loss from memorised_step to the end", _MISSING,
        "memorised_bound: no rise on exemplars that did not choose the step"),
    "memorised_low": Quantity(
        (), "nat", "2.5 % bound of memorised, groups of exemplars resampled", _MISSING),
    "memorised_high": Quantity(
        (), "nat", "97.5 % bound of memorised, groups of exemplars resampled", _MISSING),
    "memorised_bound": Quantity(
        (), "nat", "95 % quantile of resampled rises about their mean", _MISSING),
}  # fmt: skip


def ending(record: xr.Dataset, *, chance: Chance | None = None) -> xr.Dataset:
    """Measure what the held-out exemplars support at the last step.

    Parameters
    ----------
    record
        A record with logits.
    chance
        Its seed draws the resamples.

    Returns
    -------
    xr.Dataset
        `learnt`, the held-out accuracy, with its interval; over (token, token_b): `confused`, the
        share of the two tokens' exemplars that are classified as the other token, with its
        interval, what errors spread by chance would give and the bound that these pass in no pair;
        `memorised`, how far the held-out loss rises after its lowest step, measured on other
        groups than those that choose the step, with its interval and bound.

    Raises
    ------
    InputError
        If the record lacks logits, or held-out exemplars of two tokens.

    Examples
    --------
    What was learnt, with its interval, and how often two tokens are confused beside what errors
    spread by chance would give and would stay below:

    >>> found = ont.measure.ending(record)
    >>> [round(float(found[name]), 2) for name in ("learnt_low", "learnt", "learnt_high")]
    [0.72, 0.83, 0.91]
    >>> pair = found.sel(token="ada", token_b="bo")
    >>> [round(float(pair[f"confused{end}"]), 2) for end in ("", "_by_chance", "_bound")]
    [0.17, 0.12, 0.25]
    """
    require(record, "logit")
    probe, seed = held_out(record), (chance or Chance()).seed
    data = _learnt(record, probe) | _confused(record, probe) | _memorised(record, probe, seed)
    return label(data, QUANTITIES, {dim: list(probe.tokens) for dim in _OF_PAIRS})


def _learnt(record: xr.Dataset, probe: Probe) -> dict[str, Any]:
    right = answers(record.isel(step=[-1]), probe)[0] == probe.token
    share = right.mean(keepdims=True)
    # as many draws as groups: exemplars of one photograph are right or wrong together
    low, high = wilson_interval(share, len(np.unique(probe.group)))
    ends = {"": share, "_low": low, "_high": high}
    return {f"learnt{end}": value[0] for end, value in ends.items()}


def _confused(record: xr.Dataset, probe: Probe) -> dict[str, Any]:
    n = len(probe.tokens)
    draws = np.array([len(np.unique(probe.group[probe.token == k])) for k in range(n)])
    exemplars = np.bincount(probe.token, minlength=n)
    found = confusions(confusion(record).values, exemplars, draws)
    low, high = wilson_interval(found.share, np.add.outer(draws, draws))
    pairs = {"": found.share, "_low": low, "_high": high, "_by_chance": found.by_chance,
             "_bound": found.bound}  # fmt: skip
    return {f"confused{end}": value for end, value in pairs.items()}


def _memorised(record: xr.Dataset, probe: Probe, seed: int) -> dict[str, Any]:
    """Choose the lowest step on every other group of exemplars, measure the rise on the rest."""
    logit = record["logit"].transpose("step", "exemplar", "token").values[:, probe.position]
    own = np.take_along_axis(logit, probe.token[None, :, None], axis=2)[..., 0]
    loss = np.asarray(logsumexp(logit.astype(np.float64), axis=2)) - own
    # every other group and not every other exemplar: views of one scene must not lie on both sides
    chooses = np.isin(probe.group, np.unique(probe.group)[::2])
    found, step = Rise(-1, *[np.nan] * 4), np.nan
    if np.isfinite(loss).all() and not chooses.all():
        rest = probe.token[~chooses], probe.group[~chooses]
        rng = np.random.default_rng(seed)
        found = rise_after_lowest(
            loss, chooses, group_resamples(*rest, n_resamples=N_RESAMPLES, rng=rng)
        )
        step = float(record["step"].values[found.place])
    values = {"_step": step, "": found.rise, "_low": found.low, "_high": found.high,
              "_bound": found.bound}  # fmt: skip
    return {f"memorised{end}": value for end, value in values.items()}
