"""Ratios of two sums over the same rows, with their intervals. May import numpy only."""

import numpy as np
from jaxtyping import Real
from numpy import ndarray as Array


def ratio_interval(
    part: Real[Array, " row"],
    whole: Real[Array, " row"],
    *,
    n_resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the middle `level` of sum(part) / sum(whole) when rows are drawn with replacement.

    Rows, not what they sum up, are the independent draws: all couplings into one target are drawn
    or left out together. A sum of `whole` below 1 counts as 1.
    """
    even = np.full(len(part), 1 / len(part))
    weight = rng.multinomial(len(part), even, n_resamples)
    again = (weight @ part) / np.maximum(weight @ whole, 1)
    tail = (1 - level) / 2
    low, high = np.quantile(again, [tail, 1 - tail])
    return float(low), float(high)
