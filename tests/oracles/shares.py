"""Shares of draws, one pair and one exemplar at a time."""

import numpy as np
from scipy.stats import binom


def confusion_of(table, exemplars, draws, first, second, level=0.95):
    """Share, evenly spread share and bound of one pair of tokens."""
    n = len(exemplars)
    wrong = evenly = 0.0
    for one, other in ((first, second), (second, first)):
        wrong += table[one][other] * exemplars[one]
        all_errors = sum(table[one][k] * exemplars[one] for k in range(n) if k != one)
        evenly += all_errors / (n - 1)
    of, independent = exemplars[first] + exemplars[second], draws[first] + draws[second]
    pairs = n * (n - 1) // 2
    k = 0
    while binom.cdf(k, independent, evenly / of) < 1 - (1 - level) / pairs:
        k += 1
    return wrong / of, evenly / of, k / independent


def rise(loss, chooses):
    """Mean rise from the lowest snapshot of those that choose it, of the others."""
    means = [np.mean([row[k] for k in range(len(row)) if chooses[k]]) for row in loss]
    place = means.index(min(means))
    return place, np.mean([loss[-1][k] - loss[place][k]
                           for k in range(len(loss[0])) if not chooses[k]])  # fmt: skip
