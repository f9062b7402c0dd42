"""Near-copies: loops over images and pixels, slow and plain."""

import numpy as np


def naive_pattern(image):
    """Block means of one image, less their mean, over their length."""
    y, x, channels = image.shape
    block = max(1, min(y, x) // 16)
    values = [
        np.mean([float(image[i * block + a, j * block + b, c])
                 for a in range(block) for b in range(block)])
        for i in range(y // block) for j in range(x // block) for c in range(channels)
    ]  # fmt: skip
    centred = np.array(values) - np.mean(values)
    length = np.sqrt(np.sum(centred**2))
    return centred / length if length > 1e-4 else 0 * centred


def naive_nearest(pattern, others):
    """Index of and Euclidean distance to the nearest other pattern of length 1."""
    distances = [np.sqrt(np.sum((pattern - other) ** 2)) for other in others]
    return int(np.argmin(distances)), min(distances)
