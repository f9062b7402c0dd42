"""How many finds among many tests are chance, and how chance deals finds out.

May import numpy and scipy only.

References
----------
Benjamini & Hochberg 1995 (the share of false finds); Phipson & Smyth 2010 (a p is never 0).
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from numpy import ndarray as Array
from scipy.stats import binom, binomtest, false_discovery_control


def chance_finds(values: Real[Array, "*shape"], null: Real[Array, "*null"]) -> Float[Array, "..."]:
    """Return the share of chance finds among the values that are at least as large as each one.

    p = (1 + how many of the null are as large) / (1 + their number).

    Parameters
    ----------
    values
        What is tested, all against the same null.
    null
        What chance gives.
    """
    ordered = np.sort(null, axis=None)
    # searched from the left, so that equals count as reached: a find must beat its null, not tie it
    above = ordered.size - np.searchsorted(ordered, values.ravel(), side="left")
    p = (1 + above) / (1 + ordered.size)
    return np.asarray(false_discovery_control(p)).reshape(values.shape)


def dealt_counts(
    finds: Bool[Array, "unit token"], *, n_draws: int, rng: np.random.Generator
) -> tuple[Int[Array, " draw"], Int[Array, " draw"]]:
    """Return how many units have several tokens, and how many one, when finds change owners.

    Each token keeps how many units it has; which these are is drawn at random, token by token.
    """
    drawn = rng.permuted(np.tile(finds, (n_draws, 1, 1)), axis=1).sum(axis=2)
    return (drawn > 1).sum(axis=1), (drawn == 1).sum(axis=1)


def fewest_beyond_chance(of: int, chance: float, *, level: float = 0.95) -> int:
    """Return the least count of successes in `of` trials that chance reaches with 1 - level."""
    return int(binom.ppf(level, of, chance)) + 1


def count_interval(count: int, of: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a count of successes in `of` trials (Clopper & Pearson 1934)."""
    ends = binomtest(count, of).proportion_ci(level)
    return of * float(ends.low), of * float(ends.high)
