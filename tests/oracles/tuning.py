"""Naive twins of tuning, spans, complexity and matching: loops, from the definitions."""

from itertools import permutations

import numpy as np


def ranks_twin(values):
    """1 + how many are smaller + half of how many others are equal."""
    return [1 + sum(w < v for w in values) + (sum(w == v for w in values) - 1) / 2 for v in values]


def auroc_twin(own, rest):
    """Share of pairs (own, rest) in which own is larger; equal ones count half."""
    won = sum((a > b) + (a == b) / 2 for a in own for b in rest)
    return won / (len(own) * len(rest))


def placements_twin(values, member):
    """Per member the share of others below it, per other that of members above it."""
    own = [v for v, m in zip(values, member, strict=True) if m]
    rest = [v for v, m in zip(values, member, strict=True) if not m]
    return [
        auroc_twin([v], rest) if m else auroc_twin(own, [v])
        for v, m in zip(values, member, strict=True)
    ]


def d_prime_twin(own, rest):
    """Difference of means over the root mean of the two unbiased variances."""
    means = [sum(x) / len(x) for x in (own, rest)]
    variances = [
        sum((v - m) ** 2 for v in x) / (len(x) - 1) for x, m in zip((own, rest), means, strict=True)
    ]
    return (means[0] - means[1]) / (sum(variances) / 2) ** 0.5


def sparseness_twin(values):
    """Vinje & Gallant 2000, equation 1."""
    n = len(values)
    ratio = (sum(v / n for v in values)) ** 2 / sum(v * v / n for v in values)
    return (1 - ratio) / (1 - 1 / n)


def information_twin(values, token, n_bins):
    """Plug-in mutual information of binned ranks and token, less Miller's term, in bits."""
    n = len(values)
    bins = [min(int((r - 0.5) / n * n_bins), n_bins - 1) for r in ranks_twin(values)]
    joint, total = {}, 0.0
    for cell in zip(bins, token, strict=True):
        joint[cell] = joint.get(cell, 0) + 1
    for (b, c), count in joint.items():
        expected = sum(x == b for x in bins) * sum(t == c for t in token) / n
        total += count / n * np.log2(count / expected)
    cells = len(joint) - len(set(bins)) - len(set(token)) + 1
    return total - cells / (2 * n * np.log(2))


def held_twin(beyond, hold):
    """Keep the flags of spans that are long enough."""
    kept = []
    for k, flag in enumerate(beyond):
        left = right = k
        while flag and left > 0 and beyond[left - 1]:
            left -= 1
        while flag and right + 1 < len(beyond) and beyond[right + 1]:
            right += 1
        kept.append(bool(flag) and right - left + 1 >= hold)
    return kept


def assignment_twin(correlation):
    """The best sum of |correlation| over all one-to-one pairings."""
    n = len(correlation)
    return max(sum(abs(correlation[i][p[i]]) for i in range(n)) for p in permutations(range(n)))


def factor_share_twin(values, columns):
    """R^2 of a least-squares fit with a constant."""
    design = np.column_stack([np.ones(len(values)), columns])
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return 1 - sum((values - fitted) ** 2) / sum((values - np.mean(values)) ** 2)


def interaction_twin(values, columns, fold, n_factors, ridge):
    """Squared errors of main effects, and with products: one response, fold by fold."""
    main, full = np.zeros(len(values)), np.zeros(len(values))
    for f in sorted(set(fold.tolist())):
        rest = [g for g in sorted(set(fold.tolist())) if g != f]
        middle = (len(rest) + 1) // 2
        found, fitted = np.isin(fold, rest[:middle]), np.isin(fold, rest[middle:])
        curves = _curves(values, columns, found, n_factors)
        scaled = [c / np.sqrt(np.mean(c[fitted] ** 2)) for c in curves]
        pairs = [a * b for i, a in enumerate(scaled) for b in scaled[i + 1 :]]
        left, *x = (_without(v, curves, fitted) for v in (values, *pairs))
        x = np.column_stack(x)
        system = x[fitted].T @ x[fitted]
        penalty = ridge * np.trace(system) / len(system)
        weight = np.linalg.solve(system + penalty * np.eye(len(system)), x[fitted].T @ left[fitted])
        test = fold == f
        main[test] = left[test] ** 2
        full[test] = (left - x @ weight)[test] ** 2
    return main, full


def _curves(values, columns, found, n_factors):
    """One factor after the other, with the curve that leaves least of one half."""
    left, curves, free = values - values[found].mean(), [], list(range(len(columns)))
    for _ in range(min(n_factors, len(columns))):
        fits = []
        for i in free:
            centred = columns[i] - columns[i][found].mean(axis=0)
            weight = np.linalg.lstsq(centred[found], left[found], rcond=None)[0]
            fits.append((np.sum((left - centred @ weight)[found] ** 2), i, centred @ weight))
        _, best, curve = min(fits, key=lambda fit: fit[0])
        free.remove(best)
        curves.append(curve)
        left = left - curve
    return curves


def _without(values, curves, fitted):
    """Least squares on the curves and a constant, fitted on the other half."""
    design = np.column_stack([np.ones(len(values)), *curves])
    weight = np.linalg.lstsq(design[fitted], values[fitted], rcond=None)[0]
    return values - design @ weight
