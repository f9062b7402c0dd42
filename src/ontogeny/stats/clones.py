"""Gaussian clones: images that share a token's mean and covariance and nothing else.

A network that names clones as well as real exemplars uses means and covariances only; the gap
between the two marks when structure beyond them is used. May import numpy only.

References
----------
Refinetti, Ingrosso & Goldt 2023, ICML, arXiv:2211.11567 (distributions of increasing complexity).
"""

import numpy as np
from jaxtyping import Float, Int, Real

from ontogeny.errors import InputError

_COLUMNS = 4096


def gaussian_clones(
    images: Real[np.ndarray, "exemplar ..."],
    token: Int[np.ndarray, " exemplar"],
    clone_token: Int[np.ndarray, " clone"],
    *,
    rng: np.random.Generator,
    limits: tuple[float | int, float | int] | None = None,
) -> Float[np.ndarray, "clone ..."]:
    """Draw images from the normal distribution with the mean and covariance of each token.

    x = m_c + Z (X_c - m_c) / sqrt(n_c - 1) with Z standard normal, one row for each clone: its
    covariance is the token's sample covariance (n - 1), never formed. With no more exemplars than
    pixels that covariance is singular, of rank n_c - 1, and clones lie in the span of the
    exemplars: give as many exemplars as there are (the training ones), and compare with real
    exemplars that were not among them.

    Parameters
    ----------
    images
        Exemplars that the moments are taken from, any unit.
    token
        Index of each exemplar's token.
    clone_token
        The token that each clone shall have.
    rng
        Source of randomness.
    limits
        Clip to this range, e.g. (0, 255). Clipping keeps images valid but shrinks the variance
        and shifts the mean where pixels are near a limit; :func:`share_clipped` tells how many.
        Default: not clipped, which keeps both moments; networks take the values as they are.

    Returns
    -------
        Clones in double precision, not rounded; NaN for a token with fewer than 2 exemplars, and
        for one with NaN.

    Raises
    ------
    InputError
        When the limits are not ascending.

    Examples
    --------
    Clones of 1,000 exemplars have their mean and deviation, whatever their form was:

    >>> from ontogeny.stats.clones import gaussian_clones
    >>> rng = np.random.default_rng(0)
    >>> images, token = rng.choice([-1.0, 1.0], (1000, 1)), np.zeros(1000, int)
    >>> clones = gaussian_clones(images, token, token, rng=rng)
    >>> round(abs(float(clones.mean())), 1), round(float(clones.std()), 1), len(np.unique(clones))
    (0.0, 1.0, 1000)
    """
    if limits is not None and not limits[0] < limits[1]:
        message = f"expected ascending limits, got {limits}; give e.g. (0, 255)"
        raise InputError(message)
    shape = images.shape[1:]
    flat = images.reshape(len(images), -1)
    clones = np.full((len(clone_token), flat.shape[1]), np.nan)
    for c in np.unique(clone_token):
        own, wanted = np.flatnonzero(token == c), np.flatnonzero(clone_token == c)
        if len(own) < 2:
            continue
        # drawn once for all columns: the same weights must mix every pixel, or covariances
        # would be lost
        mixing = rng.standard_normal((len(wanted), len(own))) / np.sqrt(len(own) - 1)
        for start in range(0, flat.shape[1], _COLUMNS):  # doubles of a few columns at a time
            columns = slice(start, start + _COLUMNS)
            x = flat[own, columns].astype(np.float64)
            mean = x.mean(axis=0)
            clones[wanted, columns] = mean + mixing @ (x - mean)
    if limits is not None:
        np.clip(clones, *limits, out=clones)
    return clones.reshape(len(clones), *shape)


def share_clipped(
    clones: Float[np.ndarray, "clone ..."], limits: tuple[float | int, float | int]
) -> Float[np.ndarray, " clone"]:
    """Share of each clone's pixels that a range would change.

    Parameters
    ----------
    clones
        Clones that were not clipped.
    limits
        The range.

    Returns
    -------
        Shares from 0 to 1; NaN for a clone that is.
    """
    flat = clones.reshape(len(clones), -1)
    share = np.mean((flat < limits[0]) | (flat > limits[1]), axis=1)
    return np.where(np.isnan(flat).any(axis=1), np.nan, share)
