"""What images a task takes, and what to do with others so that no value is lost on the way.

Imports numpy only.
"""

import numpy as np

_WHITE = (255, 1023, 4095, 16383, 65535)
"""Largest values that cameras and scanners of 8, 10, 12, 14 and 16 bits store."""


def image_problems(images: np.ndarray) -> list[str]:
    """Say why images are none that a task takes, and how to make some of them; [] if they are."""
    problems = []
    if images.dtype != np.uint8:
        problems.append(f"images: expected uint8, got {images.dtype} ({advice(images)})")
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        shape = list(images.shape)
        problems.append(
            f"images: expected [exemplar, y, x, channel] with 1 or 3 channels, got {shape}"
            f"{_shape_advice(images)}"
        )
    return problems


def advice(images: np.ndarray) -> str:
    """Return how images of another type become uint8: in order, from black to white, unwrapped.

    What white is depends on the values that are there: 1 or 255 for fractions, the least full
    range of 8, 10, 12, 14 or 16 bits for whole numbers, and else the largest value itself.
    """
    kind = images.dtype.kind
    if kind == "b":
        return "give images.astype(np.uint8) * 255"
    if kind not in "iuf" or not images.size:
        return "give numbers from 0 to 255"
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        return "some values are NaN or infinite: replace these first, then scale to 0 ... 255"
    if low < 0 or high > _WHITE[-1]:
        span = f"((images - {low!r}) / {high - low!r} * 255)" if high > low else "(images * 0.0)"
        return f"they lie in [{low:g}, {high:g}]: give {span}.round().astype(np.uint8)"
    if kind == "f" and high <= 1:
        return "give (images * 255).round().astype(np.uint8), if 1 is white"
    if high <= 255:
        return f"give images{'.round()' if kind == 'f' else ''}.astype(np.uint8)"
    white = next(white for white in _WHITE if high <= white)
    return f"give (images / {white} * 255).round().astype(np.uint8), if {white} is white"


def _shape_advice(images: np.ndarray) -> str:
    if images.ndim == 4 and images.shape[1] in (1, 3):
        return " (channels come last: images.transpose(0, 2, 3, 1))"
    if images.ndim == 4 and images.shape[-1] == 4:
        return " (drop the transparency: images[..., :3])"
    return ""
