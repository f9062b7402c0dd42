"""Tokens, groups and RDMs of patterns: loops from the definitions, slow and plain."""

import numpy as np


def naive_token_means(patterns, token, n_tokens):
    """Mean pattern of each token, one exemplar at a time."""
    means = np.full((n_tokens, patterns.shape[1]), np.nan)
    for c in range(n_tokens):
        rows = [patterns[i] for i in range(len(patterns)) if token[i] == c]
        if rows:
            means[c] = sum(rows) / len(rows)
    return means


def naive_squared_euclidean(patterns):
    """sum_u (x_au - x_bu)^2 / n_units (Walther 2016)."""
    n, units = patterns.shape
    rdm = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            rdm[a, b] = sum((patterns[a, u] - patterns[b, u]) ** 2 for u in range(units)) / units
    return rdm


def naive_correlation_distance(patterns):
    """1 - Pearson correlation across units (Kriegeskorte 2008)."""
    n = len(patterns)
    rdm = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            if a != b:
                x, y = patterns[a] - patterns[a].mean(), patterns[b] - patterns[b].mean()
                rdm[a, b] = 1 - sum(x * y) / np.sqrt(sum(x * x) * sum(y * y))
    return rdm


def naive_shrunk_covariance(patterns, token):
    """Schäfer & Strimmer 2005, target D (diagonal, unequal variances), on token residuals."""
    residuals = patterns - np.stack([patterns[token == c].mean(axis=0) for c in token])
    n, units = residuals.shape
    dof = n - len(set(token.tolist()))
    standard = residuals / np.sqrt((residuals**2).mean(axis=0))
    variance_of_r = strength = 0.0
    for i in range(units):
        for j in range(units):
            if i != j:
                w = standard[:, i] * standard[:, j]
                variance_of_r += n / (n - 1) ** 3 * sum((w - w.mean()) ** 2)
                strength += (n / (n - 1) * w.mean()) ** 2
    shrink = min(1.0, variance_of_r / strength)
    covariance = residuals.T @ residuals / dof
    for i in range(units):
        for j in range(units):
            if i != j:
                covariance[i, j] *= 1 - shrink
    return covariance


def naive_crossnobis(patterns, token, fold, n_tokens, precision):
    """Mean over ordered pairs of folds of the cross product of mean differences (Walther 2016)."""
    folds = sorted(set(fold.tolist()))
    units = patterns.shape[1]
    rdm = np.zeros((n_tokens, n_tokens))
    for a in range(n_tokens):
        for b in range(n_tokens):
            products = []
            for f in folds:
                for g in folds:
                    if f != g:
                        one, other = (
                            patterns[(token == a) & (fold == k)].mean(axis=0)
                            - patterns[(token == b) & (fold == k)].mean(axis=0)
                            for k in (f, g)
                        )
                        products.append(one @ precision @ other / units)
            rdm[a, b] = np.mean(products)
    return rdm


def naive_rho_a(x, y, rng, repeats=4000):
    """Spearman correlation with ties broken at random, averaged over many draws."""
    values = []
    for _ in range(repeats):
        ranks = []
        for v in (x, y):
            order = np.lexsort((rng.random(len(v)), v))
            rank = np.empty(len(v))
            rank[order] = np.arange(len(v))
            ranks.append(rank)
        values.append(np.corrcoef(*ranks)[0, 1])
    return np.mean(values)


def naive_clone_moments(images, token, c):
    """Mean and sample covariance of a token's flattened images, pair by pair of pixels."""
    own = np.array([images[i].ravel() for i in range(len(images)) if token[i] == c], dtype=float)
    mean = sum(own) / len(own)
    covariance = sum(np.outer(row - mean, row - mean) for row in own) / (len(own) - 1)
    return mean, covariance


def separation_twin(patterns, token, n_tokens):
    """Distance of two tokens' centres over the root of their mean variance, for every pair."""
    centre, variance = [], []
    for c in range(n_tokens):
        own = [x for x, t in zip(patterns, token, strict=True) if t == c]
        mean = [sum(column) / len(own) for column in zip(*own, strict=True)]
        centre.append(mean)
        variance.append(
            sum(sum((a - b) ** 2 for a, b in zip(x, mean, strict=True)) for x in own) / len(own)
        )
    table = [[0.0] * n_tokens for _ in range(n_tokens)]
    for a in range(n_tokens):
        for b in range(n_tokens):
            square = sum((p - q) ** 2 for p, q in zip(centre[a], centre[b], strict=True))
            table[a][b] = (square / ((variance[a] + variance[b]) / 2)) ** 0.5
    return table
