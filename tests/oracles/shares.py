"""Shares of draws, one pair and one exemplar at a time."""

import numpy as np
from scipy.stats import binom


def confusion_of(table, exemplars, draws, first, second, level=0.95):
    """Share, share by chance and bound of one pair of tokens."""
    n = len(exemplars)
    wrong = evenly = leaning = 0.0
    answered = [sum(table[i][j] * exemplars[i] for i in range(n)) for j in range(n)]
    for one, other in ((first, second), (second, first)):
        wrong += table[one][other] * exemplars[one]
        all_errors = sum(table[one][k] * exemplars[one] for k in range(n) if k != one)
        evenly += all_errors / (n - 1)
        elsewhere = sum(answered[k] for k in range(n) if k != one)
        leaning += all_errors * answered[other] / elsewhere if all_errors else 0.0
    of, independent = exemplars[first] + exemplars[second], draws[first] + draws[second]
    pairs = n * (n - 1) // 2
    k, by_chance = 0, max(evenly, leaning) / of
    while binom.cdf(k, independent, by_chance) < 1 - (1 - level) / pairs:
        k += 1
    return wrong / of, by_chance, k / independent


def rise(loss, chooses):
    """Mean rise from the lowest snapshot of those that choose it, of the others."""
    means = [np.mean([row[k] for k in range(len(row)) if chooses[k]]) for row in loss]
    place = means.index(min(means))
    return place, np.mean([loss[-1][k] - loss[place][k]
                           for k in range(len(loss[0])) if not chooses[k]])  # fmt: skip
