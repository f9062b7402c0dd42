"""Naive twins of models and of runs: loops from the definitions, slow and plain."""

import numpy as np


def rank_twin(values):
    """Average ranks from 1 by counting what is smaller and what is equal."""
    return [sum(v < w for v in values) + (1 + sum(v == w for v in values)) / 2 for w in values]


def pearson_twin(x, y, weight=None):
    """Weighted product-moment correlation by sums."""
    weight = [1.0] * len(x) if weight is None else weight
    total = sum(weight)
    mx = sum(w * a for w, a in zip(weight, x, strict=True)) / total
    my = sum(w * b for w, b in zip(weight, y, strict=True)) / total
    pairs = list(zip(weight, x, y, strict=True))
    both = sum(w * (a - mx) * (b - my) for w, a, b in pairs)
    vx, vy = (
        sum(w * (a - mx) ** 2 for w, a, _ in pairs),
        sum(w * (b - my) ** 2 for w, _, b in pairs),
    )
    return both / (vx * vy) ** 0.5


def partial_twin(x, y, controls):
    """Correlation of residuals of least squares on controls and a constant."""
    design = np.array([[1.0, *row] for row in zip(*controls, strict=True)])
    sides = [np.array(v) - design @ np.linalg.lstsq(design, np.array(v), rcond=None)[0]
             for v in (x, y)]  # fmt: skip
    return pearson_twin(sides[0].tolist(), sides[1].tolist())


def condensed_twin(table):
    """Entries above the diagonal, row by row."""
    return [table[i][j] for i in range(len(table)) for j in range(i + 1, len(table))]


def parts_twin(variants):
    """Share of parts of which two exemplars have other variants."""
    return [[sum(a != b for a, b in zip(x, y, strict=True)) / len(x) for y in variants]
            for x in variants]  # fmt: skip


def ceiling_twin(rdms):
    """Nili et al. 2014: mean Spearman with the mean of ranks, without and with a run's own."""
    ranks = [rank_twin(rdm) for rdm in rdms]
    low, high = [], []
    for k, own in enumerate(ranks):
        others = [r for m, r in enumerate(ranks) if m != k]
        pooled = [[round(sum(v) / len(v), 6) for v in zip(*some, strict=True)]
                  for some in (others, ranks)]  # fmt: skip
        low.append(pearson_twin(own, rank_twin(pooled[0])))
        high.append(pearson_twin(own, rank_twin(pooled[1])))
    return sum(low) / len(low), sum(high) / len(high)
