"""Neural collapse: loops from the definitions, slow and plain."""

import numpy as np


def naive_nc1(patterns, token, n_tokens):
    """Tr(S_W pinv(S_B)) / C with the matrices written out (Papyan 2020)."""
    units = patterns.shape[1]
    means = np.stack([patterns[token == c].mean(axis=0) for c in range(n_tokens)])
    within, between = np.zeros((units, units)), np.zeros((units, units))
    for c in range(n_tokens):
        rows = patterns[token == c]
        for row in rows:
            within += np.outer(row - means[c], row - means[c]) / len(rows) / n_tokens
        shift = means[c] - means.mean(axis=0)
        between += np.outer(shift, shift) / n_tokens
    values, vectors = np.linalg.eigh(between)
    inverse = np.zeros((units, units))
    for k in np.argsort(values)[::-1][: n_tokens - 1]:
        inverse += np.outer(vectors[:, k], vectors[:, k]) / values[k]
    return np.trace(within @ inverse) / n_tokens


def naive_cdnv(patterns, token, a, b):
    """(Var_a + Var_b) / (2 ||mu_a - mu_b||^2) (Galanti 2022)."""
    one, other = patterns[token == a], patterns[token == b]
    spread = [
        np.mean([np.sum((r - rows.mean(axis=0)) ** 2) for r in rows]) for rows in (one, other)
    ]
    return sum(spread) / (2 * np.sum((one.mean(axis=0) - other.mean(axis=0)) ** 2))


def naive_equiangularity(vectors):
    """Average over c != c' of |cos + 1 / (C - 1)|."""
    total, count = 0.0, len(vectors)
    for c in range(count):
        for d in range(count):
            if c != d:
                cosine = vectors[c] @ vectors[d]
                cosine /= np.linalg.norm(vectors[c]) * np.linalg.norm(vectors[d])
                total += abs(cosine + 1 / (count - 1)) / (count * (count - 1))
    return total


def naive_self_duality(weight, means):
    """||W / ||W|| - M / ||M|| || with M the centred means."""
    centred = means - means.mean(axis=0)
    return np.linalg.norm(weight / np.linalg.norm(weight) - centred / np.linalg.norm(centred))
