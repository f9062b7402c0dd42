"""Naive twins of what tells phases, modes and clone gaps: loops, from the definition."""

import itertools
import math

import numpy as np


def naive_line_error(y, x):
    """Residual sum of squares of the least-squares line."""
    design = np.stack([np.ones(len(x)), x], axis=1)
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(residual @ residual)


def naive_gain(series, position, min_size=4, most=5):
    """Score of one line less the best score of all segmentations, by trying each."""
    n, m = series.shape
    scaled = (series - series.mean(axis=0)) / series.std(axis=0)
    scores = []
    for k in range(most + 1):
        for cuts in itertools.combinations(range(1, n), k):
            ends = [0, *cuts, n]
            parts = list(itertools.pairwise(ends))
            if min(b - a for a, b in parts) < min_size:
                continue
            error = sum(naive_line_error(scaled[a:b, j], position[a:b])
                        for a, b in parts for j in range(m))  # fmt: skip
            scores.append(n * m * math.log(error / (n * m))
                          + (k + 1) * (2 * m + 1) * math.log(n * m))  # fmt: skip
    return scores[0] - min(scores)


def naive_phase_test(series, position, n_permutations, rng):
    """p of the gain by phases among walks whose increments were dealt anew, all measures alike."""
    gain = naive_gain(series, position)
    n, m = series.shape
    if gain == 0:
        return 1.0
    reached = 0
    for _ in range(n_permutations):
        order = rng.permutation(n - 1)
        walk = np.zeros((n, m))
        for j in range(m):
            drift = (series[-1, j] - series[0, j]) / (position[-1] - position[0])
            walk[0, j] = series[0, j]
            for t in range(1, n):
                k = order[t - 1]
                took = position[k + 1] - position[k]
                rate = (series[k + 1, j] - series[k, j] - drift * took) / math.sqrt(took)
                time = position[t] - position[t - 1]
                walk[t, j] = walk[t - 1, j] + drift * time + rate * math.sqrt(time)
        reached += naive_gain(walk, position) >= gain - 1e-9
    return (1 + reached) / (1 + n_permutations)


def naive_mode_strength(x, token, fold, vectors):
    """Root of the mean over pairs of different folds of the product of a mode's two rows."""
    n_units = x.shape[1]
    n_folds, n_tokens = fold.max() + 1, vectors.shape[1]
    share = [np.mean(token == c) for c in range(n_tokens)]
    found = []
    for vector in vectors:
        rows = []
        for f in range(n_folds):
            means = [x[(fold == f) & (token == c)].mean(axis=0) for c in range(n_tokens)]
            grand = sum(s * m for s, m in zip(share, means, strict=True))
            rows.append([sum(vector[c] * share[c] * (means[c][u] - grand[u])
                             for c in range(n_tokens)) for u in range(n_units)])  # fmt: skip
        total = 0.0
        for f in range(n_folds):
            for g in range(n_folds):
                if f != g:
                    total += sum(a * b for a, b in zip(rows[f], rows[g], strict=True))
        found.append(math.sqrt(max(total / (n_folds * (n_folds - 1)), 0)))
    return found


def naive_gap_interval(p, n, q, n_other):
    """Newcombe at 95 %; Wilson bounds are the roots of (x - p)^2 = z^2 x (1 - x) / n."""
    z = 1.959963984540054

    def bounds(share, count):
        a, b, c = 1 + z * z / count, -(2 * share + z * z / count), share * share
        root = math.sqrt(max(b * b - 4 * a * c, 0))
        return (-b - root) / (2 * a), (-b + root) / (2 * a)

    (low, high), (low_b, high_b) = bounds(p, n), bounds(q, n_other)
    return (p - q - math.sqrt((p - low) ** 2 + (high_b - q) ** 2),
            p - q + math.sqrt((high - p) ** 2 + (q - low_b) ** 2))  # fmt: skip
