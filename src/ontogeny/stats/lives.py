"""The lives of exemplars: when each is learnt, forgotten and how typical it is of its token.

Steps are snapshots: what happens between two of them is not seen, so that events are intervals
and counts are lower bounds. May import numpy only.

References
----------
Toneva et al. 2019, ICLR, arXiv:1812.05159 (forgetting events).
"""

import numpy as np
from jaxtyping import Float, Int, Real

from ontogeny.stats.checks import require_tokens
from ontogeny.stats.tokens import token_counts, token_means

UNKNOWN = -1
"""Prediction of a snapshot whose logits are NaN or infinite."""


def _correct(predicted: np.ndarray, token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each snapshot names each exemplar rightly, and which exemplars have a gap."""
    return predicted == token, (predicted == UNKNOWN).any(axis=-2)


def _interval(first: np.ndarray, found: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Give the steps of the snapshot `first` and of the one before; NaN where nothing was found."""
    first = np.minimum(first, len(steps) - 1)
    interval = np.stack([steps[np.maximum(first - 1, 0)], steps[first]], axis=-1)
    return np.where(found[..., None], interval.astype(np.float64), np.nan)


def first_learnt(
    predicted: Int[np.ndarray, "*batch step exemplar"],
    token: Int[np.ndarray, " exemplar"],
    steps: Int[np.ndarray, " step"],
) -> Float[np.ndarray, "*batch exemplar 2"]:
    """Interval between snapshots in which each exemplar is named rightly for the first time.

    Parameters
    ----------
    predicted
        The token that each snapshot gives each exemplar; -1: unknown.
    token
        Index of each exemplar's token.
    steps
        The step of each snapshot, ascending.

    Returns
    -------
        (after, by): learnt after the first and by the second of the two steps; both the first
        snapshot's where it was right from the start. NaN for an exemplar that never is right, or
        with an unknown prediction.

    Examples
    --------
    Two exemplars at four snapshots; the first is learnt between steps 1 and 2, the second never.

    >>> from ontogeny.stats.lives import first_learnt
    >>> predicted = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    >>> first_learnt(predicted, np.array([0, 1]), np.array([0, 1, 2, 4])).tolist()
    [[1.0, 2.0], [nan, nan]]
    """
    right, gap = _correct(predicted, token)
    return _interval(right.argmax(axis=-2), right.any(axis=-2) & ~gap, steps)


def learnt_for_good(
    predicted: Int[np.ndarray, "*batch step exemplar"],
    token: Int[np.ndarray, " exemplar"],
    steps: Int[np.ndarray, " step"],
) -> Float[np.ndarray, "*batch exemplar 2"]:
    """Interval between snapshots from which on each exemplar is always named rightly.

    Parameters
    ----------
    predicted
        The token that each snapshot gives each exemplar; -1: unknown.
    token
        Index of each exemplar's token.
    steps
        The step of each snapshot, ascending.

    Returns
    -------
        (after, by) as for :func:`first_learnt`. NaN for an exemplar that is not right at the
        last snapshot, or with an unknown prediction.

    Examples
    --------
    Learnt at step 1, forgotten at step 2, and learnt for good between 2 and 4:

    >>> from ontogeny.stats.lives import learnt_for_good
    >>> predicted = np.array([[1], [0], [1], [0]])
    >>> learnt_for_good(predicted, np.array([0]), np.array([0, 1, 2, 4])).tolist()
    [[2.0, 4.0]]
    """
    right, gap = _correct(predicted, token)
    after_last_wrong = len(steps) - (~right)[..., ::-1, :].argmax(axis=-2)
    first = np.where(right.all(axis=-2), 0, after_last_wrong)
    return _interval(first, right[..., -1, :] & ~gap, steps)


def forgetting_events(
    predicted: Int[np.ndarray, "*batch step exemplar"],
    token: Int[np.ndarray, " exemplar"],
) -> Float[np.ndarray, "*batch exemplar"]:
    """How often each exemplar goes from named rightly to named wrongly.

    Counted from snapshot to snapshot; Toneva et al. count at every presentation in training.

    Parameters
    ----------
    predicted
        The token that each snapshot gives each exemplar; -1: unknown.
    token
        Index of each exemplar's token.

    Returns
    -------
        Counts, at least 0. NaN for an exemplar that never was right (it had nothing to forget),
        or with an unknown prediction.

    Examples
    --------
    >>> from ontogeny.stats.lives import forgetting_events
    >>> predicted = np.array([[1, 0], [0, 0], [1, 0], [0, 0]])
    >>> forgetting_events(predicted, np.array([0, 0])).tolist()
    [1.0, 0.0]
    """
    right, gap = _correct(predicted, token)
    events = np.sum(right[..., :-1, :] & ~right[..., 1:, :], axis=-2)
    return np.where(right.any(axis=-2) & ~gap, events.astype(np.float64), np.nan)


def flips(
    predicted: Int[np.ndarray, "*batch step exemplar"],
) -> Float[np.ndarray, "*batch exemplar"]:
    """How often the token that the network gives an exemplar changes, right or wrong.

    Parameters
    ----------
    predicted
        The token that each snapshot gives each exemplar; -1: unknown.

    Returns
    -------
        Counts from 0 to the number of snapshots less 1; NaN with an unknown prediction.
    """
    changes = np.sum(predicted[..., 1:, :] != predicted[..., :-1, :], axis=-2)
    unknown = (predicted == UNKNOWN).any(axis=-2)
    return np.where(unknown, np.nan, changes.astype(np.float64))


@np.errstate(invalid="ignore")  # infinity minus infinity: NaN, as promised
def centre_distance(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch exemplar"]:
    """Typicality: distance of each exemplar from its token's centre, in the token's own spread.

    ||x_i - m_(-i)|| / sqrt(mean_j ||x_j - m_(-j)||^2), the mean m_(-i) being that of the token's
    other exemplars and the average running over the token. At least 0, about 1 for a usual
    exemplar; small is typical.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    token
        Index of each exemplar's token.
    n_tokens
        How many tokens there are.

    Returns
    -------
        Distances. NaN in a token with fewer than 3 exemplars or whose exemplars are all the same,
        and on NaN.

    Examples
    --------
    The last exemplar is not typical of its token:

    >>> from ontogeny.stats.lives import centre_distance
    >>> activation = np.array([[0.0], [1.0], [2.0], [9.0]])
    >>> centre_distance(activation, np.zeros(4, int), 1).round(1).tolist()
    [0.8, 0.6, 0.3, 1.7]
    """
    require_tokens(token, n_tokens, n_exemplars=patterns.shape[-2])
    counts = token_counts(token, n_tokens)
    means = token_means(patterns, token, n_tokens)
    # leaving an exemplar out of the mean scales its distance by n / (n - 1), which cancels
    square = np.sum((patterns - means[..., token, :]) ** 2, axis=-1)
    size = np.mean(means**2, axis=-1)
    spread = token_means(square[..., None], token, n_tokens)[..., 0]
    spread = np.where((counts > 2) & (spread > 1e-26 * size * patterns.shape[-1]), spread, np.nan)
    return np.asarray(np.sqrt(square / spread[..., token]))


def confusion(
    predicted: Int[np.ndarray, "*batch exemplar"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch token token"]:
    """Share of each token's exemplars (rows) that are given each token (columns).

    Rows sum to 1; the diagonal is the accuracy of each token.

    Parameters
    ----------
    predicted
        The token that the network gives each exemplar, e.g. at every step; -1: unknown.
    token
        Index of each exemplar's token.
    n_tokens
        How many tokens there are.

    Returns
    -------
        Shares from 0 to 1; NaN in the row of a token that is absent or has an unknown prediction.

    Examples
    --------
    >>> from ontogeny.stats.lives import confusion
    >>> token, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    >>> confusion(predicted, token, 2).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    require_tokens(token, n_tokens, n_exemplars=predicted.shape[-1])
    given = (predicted[..., None] == np.arange(n_tokens)).astype(np.float64)
    given[predicted == UNKNOWN] = np.nan
    shares = np.full((*predicted.shape[:-1], n_tokens, n_tokens), np.nan)
    for c in np.unique(token):
        shares[..., c, :] = given[..., token == c, :].mean(axis=-2)
    return shares
