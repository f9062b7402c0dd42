"""Linear read-out: loops from the definitions, slow and plain."""

import numpy as np


def naive_ridge(patterns, targets, new, penalty):
    """Ridge regression with a free constant, by the normal equations of centred data."""
    mean, base = patterns.mean(axis=0), targets.mean(axis=0)
    x, y = patterns - mean, targets - base
    weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return (new - mean) @ weight + base


def naive_ridge_readout(patterns, targets, fold, ridge):
    """One fit for each fold, on the exemplars outside it."""
    penalty = ridge * np.sum((patterns - patterns.mean(axis=0)) ** 2) / patterns.shape[1]
    predicted = np.zeros(targets.shape)
    for f in sorted(set(fold.tolist())):
        out = fold == f
        predicted[out] = naive_ridge(patterns[~out], targets[~out], patterns[out], penalty)
    return predicted


def naive_few_shot(patterns, token, group, rows, ridge):
    """Fit on the rows, test on all exemplars of other groups, mean over tokens."""
    names = sorted(set(token.tolist()))
    targets = np.array([[float(token[i] == c) for c in names] for i in rows])
    x = patterns[rows]
    penalty = ridge * np.sum((x - x.mean(axis=0)) ** 2) / x.shape[1]
    seen = set(group[rows].tolist())
    shares = []
    for c in names:
        tested = [i for i in range(len(token)) if token[i] == c and group[i] not in seen]
        score = naive_ridge(x, targets, patterns[tested], penalty)
        shares.append(np.mean([names[k] == c for k in score.argmax(axis=1)]))
    return np.mean(shares)
