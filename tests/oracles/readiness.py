"""Readiness from its definition, one pair of steps and one resample at a time."""

import math

import numpy as np


def naive_ready(as_good, steps, t):
    """The interval of one step: walk back from t while grafts are as good."""
    s = t
    while s > 0 and as_good[s - 1][t]:
        s -= 1
    return (steps[s - 1] if s > 0 else -math.inf), steps[s]


def naive_difference(right, other, weights, level):
    """Mean of right - other over exemplars, and the quantiles of resampled means."""
    n = len(right)
    mean = sum(int(right[k]) - int(other[k]) for k in range(n)) / n
    again = []
    for row in weights:
        total = sum(row[k] * (int(right[k]) - int(other[k])) for k in range(n))
        again.append(total / sum(row))
    return mean, *np.quantile(again, [(1 - level) / 2, (1 + level) / 2])


def naive_loss_time(loss):
    """Share of the fall to the lowest loss that is done by each step."""
    lowest = min(loss)
    return [(loss[0] - min(loss[: k + 1])) / (loss[0] - lowest) for k in range(len(loss))]


def naive_ridge_map(source, target, ridge):
    """Weights and constants as least squares on samples to which the penalty's rows are added."""
    n, units = source.shape
    variance = sum(np.var(source[:, k]) for k in range(units)) / units
    penalty = math.sqrt(ridge * n * variance) * np.eye(units)
    rows = np.vstack([
        np.column_stack([source, np.ones(n)]),
        np.column_stack([penalty, np.zeros(units)]),
    ])  # fmt: skip
    aims = np.vstack([target, np.zeros((units, target.shape[1]))])
    found = np.linalg.lstsq(rows, aims, rcond=None)[0]
    return found[:-1], found[-1]
