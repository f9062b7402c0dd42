"""Clusters and change points: loops from the definitions, slow and plain."""

import numpy as np


def naive_clusters(above):
    """Cells joined over shared edges, by flood fill."""
    numbers, count = np.zeros(above.shape, dtype=int), 0
    for start in zip(*np.nonzero(above), strict=True):
        if numbers[start]:
            continue
        count += 1
        todo = [start]
        while todo:
            r, c = todo.pop()
            inside = 0 <= r < above.shape[0] and 0 <= c < above.shape[1]
            if inside and above[r, c] and not numbers[r, c]:
                numbers[r, c] = count
                todo += [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
    return numbers


def naive_two_phases(series, position, min_size):
    """The one change with the least squared error of a line on either side."""
    errors = {}
    for k in range(min_size, len(series) - min_size + 1):
        errors[k] = 0.0
        for part in (slice(None, k), slice(k, None)):
            line = np.polyfit(position[part], series[part], 1)
            errors[k] += np.sum((series[part] - np.polyval(line, position[part])) ** 2)
    return min(errors, key=errors.get)
