"""What kernels ask of their input before they compute: labels that fit, values that are finite.

May import numpy and `ontogeny.errors` only.
"""

from collections.abc import Sequence, Sized

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from ontogeny.errors import InputError


def require_tokens(
    token: Int[np.ndarray, " exemplar"], n_tokens: int, *, n_exemplars: int | None = None
) -> None:
    """Refuse token indices that name no token, or that are not one for each exemplar.

    Parameters
    ----------
    token
        Index of each exemplar's token.
    n_tokens
        How many tokens there are, those without an exemplar included.
    n_exemplars
        How many exemplars the patterns hold.

    Raises
    ------
    InputError
        If an index is not from 0 to `n_tokens` - 1, or there are more or fewer than exemplars.
    """
    if n_exemplars is not None and len(token) != n_exemplars:
        msg = (
            f"expected the token of each of {n_exemplars} exemplars, got {len(token)}: "
            "give every exemplar one"
        )
        raise InputError(msg)
    if len(token) and not 0 <= token.min() <= token.max() < n_tokens:
        msg = (
            f"expected token indices from 0 to {n_tokens - 1}, got {token.min()} to {token.max()}: "
            "number the tokens in the order of their names"
        )
        raise InputError(msg)


def require_same_exemplars(representations: Sequence[Sized]) -> int:
    """Return how many exemplars all representations have.

    Raises
    ------
    InputError
        When there is none, or they differ in their number of exemplars.
    """
    counts = sorted({len(x) for x in representations})
    if len(counts) != 1:
        message = (
            f"expected representations of the same exemplars, got {counts or 'no'} exemplars; "
            "give every representation one row for each exemplar of the probe"
        )
        raise InputError(message)
    return counts[0]


def finite_members(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
) -> Bool[np.ndarray, "*batch"]:
    """Mark the members of a batch (steps) that hold neither NaN nor infinity.

    One pass over the values, without a temporary of their size: a sum is finite where all are.
    """
    with np.errstate(invalid="ignore"):  # infinity minus infinity: NaN, as wanted
        return np.asarray(np.isfinite(np.sum(patterns, axis=(-1, -2), dtype=np.float64)))


def rounding(size: Float[np.ndarray, "*batch"] | float, count: int) -> Float[np.ndarray, "*batch"]:
    """Return the length up to which `count` values of that size differ by rounding alone.

    4 eps sqrt(count) size, eps that of double precision: what is not longer is taken to be
    constant, so that 0.1 in all units has no correlation and no direction.
    """
    return np.asarray(4 * np.finfo(np.float64).eps * np.sqrt(count) * size)
