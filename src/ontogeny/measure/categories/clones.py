"""Gaussian clones: from when on a network uses more of its images than means and covariances.

May import numpy, scipy, xarray, ontogeny.stats and ontogeny.measure.

References
----------
Refinetti, Ingrosso & Goldt 2023, ICML, arXiv:2211.11567 (distributions of increasing complexity).
Wilson 1927, JASA 22:209-212; Newcombe 1998, Statistics in Medicine 17:873-890 (difference of two
shares).
"""

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.signals import answers
from ontogeny.measure.probe import held_out, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.stats.onset import HOLD, confidence_interval, onset_index, onset_interval
from ontogeny.stats.permutation import group_blocks, group_resamples
from ontogeny.stats.shares import wilson_interval

_MISSING = "no clones, since a token has fewer than 2 exemplars, or NaN logits"
_NULL = "0: clones are named as often; beyond it where the whole 95 % interval is above 0"
CLONES = {
    "real_accuracy": Quantity(("step",), "1", "share of the held-out exemplars that are classified "
                              "correctly", _MISSING, "clone_accuracy"),
    "clone_accuracy": Quantity(("step",), "1", "share of their Gaussian clones that are named as "
                               "their token", _MISSING),
    "clone_gap": Quantity(("step",), "1", "real_accuracy less clone_accuracy: what is known beyond "
                          "the means and covariances of the tokens' pixels", _MISSING, _NULL),
    "clone_gap_low": Quantity(("step",), "1", "lower bound of clone_gap, 95 % (Newcombe), groups "
                              "of exemplars counted as one each", _MISSING),
    "clone_gap_high": Quantity(("step",), "1", "upper bound of clone_gap, 95 %", _MISSING),
    "clone_gap_after": Quantity((), "steps", "step of the last snapshot whose gap is not surely "
                                "above 0 (lower bound); -inf: above from the first snapshot on",
                                _MISSING, _NULL),
    "clone_gap_by": Quantity((), "steps", "step of the next snapshot, from which on the gap stays "
                             "above 0; inf: not by the end", _MISSING, _NULL),
    "clone_gap_confidence_after": Quantity((), "steps", "lower end of the 95 % confidence interval "
                                           "of the onset, groups of exemplars and clones resampled",
                                           _MISSING, _NULL),
    "clone_gap_confidence_by": Quantity((), "steps", "upper end of this interval", _MISSING, _NULL),
}  # fmt: skip


def clones(record: xr.Dataset, *, chance: Chance | None = None) -> xr.Dataset:
    """Compare the accuracy on held-out exemplars with that on their Gaussian clones.

    Clones have the mean and covariance of their token's pixels and nothing else. While the gap is
    0 the network uses no more than these; that it is above 0 says that it uses more. A step
    counts where the lower bound of the gap is above 0, so that
    without a gap an onset is found in at most 2.5 % of runs: it has to hold at the last snapshot.

    Returns
    -------
    xr.Dataset
        Over step: `real_accuracy`, `clone_accuracy`, `clone_gap` with `clone_gap_low` and
        `clone_gap_high`; and the interval of steps `clone_gap_after`, `clone_gap_by` from which
        the gap stays above 0, with its confidence interval.

    Raises
    ------
    InputError
        If the record lacks clones, logits or held-out exemplars of two tokens.

    Examples
    --------
    That the network does better on exemplars than on clones of their means and covariances is not
    certain here: the lower bound of the gap is below 0.

    >>> found = ont.measure.clones(record).sel(step=[0, 300])
    >>> found[["real_accuracy", "clone_accuracy", "clone_gap_low"]].to_dataframe().round(2)
          real_accuracy  clone_accuracy  clone_gap_low
    step
    0              0.35            0.32          -0.13
    300            0.83            0.77          -0.08
    """
    chance = chance or Chance()
    if "clone_accuracy" not in record:
        msg = (
            "expected a record with the accuracy on Gaussian clones, got one without: observe the "
            "run anew (clones need the training exemplars and the network)"
        )
        raise InputError(msg)
    require(record, "logit")
    probe, steps = held_out(record), record["step"].values
    answer = answers(record, probe)
    right = (answer == probe.token[None]).astype(np.float64)
    right[(answer < 0).any(axis=1)] = np.nan
    real, clone = right.mean(axis=1), record["clone_accuracy"].values.astype(np.float64)
    n_blocks = len(group_blocks(probe.token, probe.group)[1])
    n = int(record.attrs.get("clones", {}).get("exemplars", len(probe.token)))
    low, high = gap_interval(real, n_blocks, clone, n, level=chance.level)
    gap = real - clone
    rng = np.random.default_rng(chance.seed)
    weight = group_resamples(probe.token, probe.group, n_resamples=chance.n_resamples, rng=rng)
    again = weight @ right.T / weight.sum(axis=1)[:, None]
    again -= clone + rng.standard_normal((len(again), 1)) * _deviation(clone, n)
    bounds = _onset(gap, gap - low, again, steps)
    ends = ("after", "by", "confidence_after", "confidence_by")
    values = {
        "real_accuracy": real, "clone_accuracy": clone, "clone_gap": gap,
        "clone_gap_low": low, "clone_gap_high": high,
        **{f"clone_gap_{end}": bound for end, bound in zip(ends, bounds, strict=True)},
    }  # fmt: skip
    return label(values, CLONES, {"step": steps}, always_missing=True)


def gap_interval(
    share: np.ndarray, n: int, other: np.ndarray, n_other: int, *, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return Newcombe's interval of the difference of two independent shares.

    With d = p - q and Wilson's intervals (l, u) of each:
    d - sqrt((p - l_p)^2 + (u_q - q)^2), d + sqrt((u_p - p)^2 + (q - l_q)^2).
    """
    low, high = wilson_interval(share, n, level=level)
    low_b, high_b = wilson_interval(other, n_other, level=level)
    gap = share - other
    return (
        gap - np.hypot(share - low, high_b - other),
        gap + np.hypot(high - share, other - low_b),
    )


def _deviation(share: np.ndarray, n: int) -> np.ndarray:
    """Return the standard deviation of a share of n, above 0 at shares of 0 and 1 too."""
    middle = (n * share + 2) / (n + 4)
    return np.sqrt(middle * (1 - middle) / (n + 4))


def _onset(
    gap: np.ndarray, reach: np.ndarray, again: np.ndarray, steps: np.ndarray
) -> tuple[float, float, float, float]:
    """Return after, by and their confidence interval; NaN where a gap is."""
    if np.isnan(gap).any():
        nan = float("nan")
        return nan, nan, nan, nan
    after, by = onset_interval(gap, reach, steps)
    index = onset_index(again[:, None], reach, hold=HOLD)
    low, high = confidence_interval(index, steps)
    return after, by, min(float(low[0]), after), max(float(high[0]), by)
