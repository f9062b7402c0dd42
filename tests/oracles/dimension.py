"""Dimension: loops from the definitions, slow and plain."""

import numpy as np


def naive_participation_ratio(patterns):
    """Squared sum over sum of squares of the covariance's eigenvalues (Gao 2017)."""
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(patterns.T)))
    return values.sum() ** 2 / np.sum(values**2)


def naive_unbiased_participation_ratio(patterns):
    """Both traces averaged over all ordered quadruples of distinct exemplars."""
    n = len(patterns)
    top, bottom, count = 0.0, 0.0, 0
    for i in range(n):
        for j in range(n):
            for k in range(n):
                for m in range(n):
                    if len({i, j, k, m}) == 4:
                        one, other = patterns[i] - patterns[j], patterns[k] - patterns[m]
                        top += (one @ one) * (other @ other) / 4
                        bottom += (one @ other) ** 2 / 4
                        count += 1
    return top / bottom


def naive_two_nn(patterns):
    """(N - 1) over the sum of log ratios of the two nearest distances (Denti 2022)."""
    total = 0.0
    for a in range(len(patterns)):
        others = [patterns[b] for b in range(len(patterns)) if b != a]
        distance = sorted(np.sqrt(np.sum((patterns[a] - other) ** 2)) for other in others)
        total += np.log(distance[1] / distance[0])
    return (len(patterns) - 1) / total


def naive_distinct(patterns):
    """Leave out what lies within 32 units of rounding of the longest pattern from a kept one."""
    wide = patterns.astype(np.float64)
    longest = max(np.sqrt(np.mean(pattern**2)) for pattern in wide)
    same = 32 * np.finfo(patterns.dtype).eps * longest
    kept = []
    for pattern in wide:
        if all(np.sqrt(np.mean((pattern - other) ** 2)) > same for other in kept):
            kept.append(pattern)
    return np.array(kept)


def naive_gride_log_likelihood(patterns, k, d):
    """Log-likelihood of Denti 2022 at d, with N - 1 in place of N for ln d."""
    total = -np.log(d)
    for a in range(len(patterns)):
        others = [patterns[b] for b in range(len(patterns)) if b != a]
        distance = sorted(np.sqrt(np.sum((patterns[a] - other) ** 2)) for other in others)
        mu = distance[2 * k - 1] / distance[k - 1]
        total += np.log(d) + (k - 1) * np.log(mu**d - 1) - ((2 * k - 1) * d + 1) * np.log(mu)
    return total
