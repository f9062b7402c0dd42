"""Lives of exemplars: loops from the definitions, slow and plain."""

import numpy as np


def naive_life(predicted, token, steps):
    """First and last learning, forgettings and flips of one exemplar, read off in order."""
    right = [p == token for p in predicted]
    life = {"first": (np.nan, np.nan), "good": (np.nan, np.nan), "forgotten": np.nan, "flips": 0}
    for k in range(len(steps)):
        if right[k]:
            life["first"] = (steps[max(k - 1, 0)], steps[k])
            break
    for k in range(len(steps)):
        if all(right[k:]):
            life["good"] = (steps[max(k - 1, 0)], steps[k])
            break
    if any(right):
        life["forgotten"] = sum(right[k] and not right[k + 1] for k in range(len(steps) - 1))
    life["flips"] = sum(predicted[k] != predicted[k + 1] for k in range(len(steps) - 1))
    return life


def naive_centre_distance(patterns, token):
    """Distance to the mean of the token's other exemplars over its root mean square."""
    distance = []
    for i in range(len(patterns)):
        others = [patterns[j] for j in range(len(patterns)) if token[j] == token[i] and j != i]
        distance.append(np.linalg.norm(patterns[i] - sum(others) / len(others)))
    distance = np.array(distance)
    spread = [np.sqrt(np.mean(distance[token == t] ** 2)) for t in token]
    return distance / np.array(spread)
