"""Differentiation: loops from the definitions, slow and plain."""

import numpy as np


def naive_cross_covariance(patterns, token, n_tokens):
    """Covariance of each token's indicator with each unit, exemplar by exemplar."""
    n, units = patterns.shape
    cross = np.zeros((n_tokens, units))
    for c in range(n_tokens):
        indicator = np.array([float(t == c) for t in token])
        for u in range(units):
            for i in range(n):
                cross[c, u] += (indicator[i] - indicator.mean()) * (
                    patterns[i, u] - patterns[:, u].mean()
                )
    return cross / n


def naive_deep_linear_descent(strength, initial, rate, steps):
    """Gradient descent on (s - w2 w1)^2 / 2 of one mode from a balanced start (Saxe 2014)."""
    first = second = np.sqrt(initial)
    product = []
    for _ in range(steps + 1):
        product.append(first * second)
        error = strength - first * second
        first, second = first + rate * second * error, second + rate * first * error
    return np.array(product)
