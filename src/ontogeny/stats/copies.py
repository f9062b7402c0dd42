"""Near-copies: held-out images that are nearly the same as an image that was learned.

May import numpy, ontogeny.stats.clones and ontogeny.errors only.

References
----------
Barz & Denzler 2020, Journal of Imaging 6:41 (near-duplicates between training and test images).
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from ontogeny.stats.clones import gaussian_clones

SIDE = 16
"""Images are compared as means over blocks, this many along a side or up to twice as many."""
NEAR = 0.5
"""Share of the null's smallest distance below which two images are near-copies."""
MOST_CLONES = 600
"""Gaussian clones in the place of learned images at most."""


def block_patterns(
    images: Real[np.ndarray, "exemplar y x channel"],
) -> Float[np.ndarray, "exemplar pixel"]:
    """Means over square blocks, centred and of length 1: a perceptual hash that is not rounded.

    Brightness and contrast of an image do not count. An image without any contrast is 0.

    Parameters
    ----------
    images
        In any unit.

    Returns
    -------
        Single precision; blocks as large as leave at least 16 along the shorter side, or pixels.
    """
    n, y, x, channels = images.shape
    block = max(1, min(y, x) // SIDE)
    whole = images[:, : y // block * block, : x // block * block].astype(np.float32)
    blocks = whole.reshape(n, y // block, block, x // block, block, channels).mean(axis=(2, 4))
    return _of_length_one(blocks.reshape(n, -1))


def nearest(
    images: Float[np.ndarray, "exemplar pixel"], others: Float[np.ndarray, "other pixel"]
) -> tuple[Int[np.ndarray, " exemplar"], Float[np.ndarray, " exemplar"]]:
    """Nearest other pattern of each pattern, and the distance to it.

    Parameters
    ----------
    images, others
        Patterns of length 1 (:func:`block_patterns`).

    Returns
    -------
        Index of the nearest, and sqrt(2 - 2 r) with r the correlation: 0 for copies, 1.41 for
        unrelated ones, up to 2.
    """
    correlation = images @ others.T
    index = correlation.argmax(axis=1)
    largest = correlation[np.arange(len(images)), index]
    return index, np.sqrt(np.maximum(2 - 2 * largest.astype(np.float64), 0))


def near_copies(
    held_out: Real[np.ndarray, "exemplar y x channel"],
    learned: Real[np.ndarray, "other y x channel"],
    *,
    rng: np.random.Generator,
) -> tuple[
    Bool[np.ndarray, " exemplar"], Int[np.ndarray, " exemplar"], Float[np.ndarray, " exemplar"]
]:
    """Say which held-out images of one token are nearly copies of a learned one of it.

    The null are Gaussian clones of the learned images: as many as held-out images, and as many as
    learned ones (at most 600). They share mean and covariance with the token and nothing with each
    other. Nearly a copy is an image whose nearest learned image lies nearer than half the smallest
    distance from any clone of the first kind to any of the second. So a token whose images are
    much alike is allowed for, and independent images are never counted, but for images that are
    alike by chance at twice the nearness of all clones.

    Parameters
    ----------
    held_out, learned
        Images of one token.
    rng
        Source of the clones.

    Returns
    -------
        For each held-out image: whether it is nearly a copy, the index of the nearest learned
        image, and the distance to it (:func:`nearest`) over the bound. With fewer than 2 learned
        images none is one, and the ratios are NaN.
    """
    if not len(held_out) or len(learned) < 2:
        none = np.zeros(len(held_out), dtype=np.int64)
        return none.astype(bool), none, np.full(len(held_out), np.nan)
    shown, known = block_patterns(held_out), block_patterns(learned)
    index, distance = nearest(shown, known)
    # the distances to so many clones, not all: the null costs no more than the comparison itself
    n = min(len(known), MOST_CLONES)
    same = np.zeros(len(known), dtype=np.int64), np.zeros(len(shown) + n, dtype=np.int64)
    clones = _of_length_one(gaussian_clones(known, *same, rng=rng).astype(np.float32))
    # the smallest of all distances between independent clones: a bound on the extreme, not
    # on a mean
    bound = NEAR * nearest(clones[: len(shown)], clones[len(shown) :])[1].min()
    with np.errstate(divide="ignore", invalid="ignore"):  # a token without any variation
        ratio = distance / bound
    return distance < bound, index, ratio


def _of_length_one(patterns: np.ndarray) -> np.ndarray:
    centred = patterns - patterns.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    # below this there is no contrast but rounding, whose direction means nothing
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-4)
