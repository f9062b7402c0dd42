"""CKA and Procrustes: loops from the definitions, slow and plain."""

import numpy as np


def naive_hsic1(x, y):
    """Song 2012, equation 5, written with matrices of zero diagonal."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    value = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return (value - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))


def naive_debiased_cka(x, y):
    """HSIC_1 over the root of the product of the self-terms."""
    return naive_hsic1(x, y) / np.sqrt(naive_hsic1(x, x) * naive_hsic1(y, y))


def naive_linear_cka(x, y):
    """||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) on centred columns (Kornblith 2019)."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.sum((y.T @ x) ** 2) / np.sqrt(np.sum((x.T @ x) ** 2) * np.sum((y.T @ y) ** 2))


def naive_within_token_cka(x, y, token):
    """Sum over tokens of HSIC_1 among the token's exemplars, normalised."""
    values = [0.0, 0.0, 0.0]
    for c in sorted(set(token.tolist())):
        a, b = x[token == c], y[token == c]
        for k, (p, q) in enumerate(((a, b), (a, a), (b, b))):
            values[k] += naive_hsic1(p, q)
    return values[0] / np.sqrt(values[1] * values[2])


def naive_procrustes(x, y):
    """Rotate y onto x with the optimal rotation, then measure the distance."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    u, _, vt = np.linalg.svd(y.T @ x)
    return np.linalg.norm(y @ (u @ vt) - x)
