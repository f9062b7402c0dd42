"""How much of a unit's variance over exemplars lies between tokens. May import numpy only.

References
----------
Fisher 1925 (correlation ratio); Kelley 1935 (its unbiased form, epsilon squared).
"""

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray

CONSTANT = 1e-6
"""A unit whose deviation is below this fraction of its largest magnitude does not vary."""


def eta_squared(
    activation: Float[Array, "*batch exemplar unit"], token: Int[Array, " exemplar"]
) -> Float[Array, "*batch unit"]:
    """Return the share of each unit's variance over exemplars that lies between tokens.

    eta^2 = sum_c n_c (mean_c - mean)^2 / sum_i (x_i - mean)^2, within 0 ... 1.
    Without any token structure its mean is (C - 1) / (n - 1), not 0: see `excess`.
    NaN where a unit does not vary.

    Examples
    --------
    Three units: the token is all that moves the first, half of what moves the second, and nothing
    to the third.

    >>> from ontogeny.stats.selectivity import eta_squared
    >>> activation = np.array([[1, 1, 1], [1, 3, 3], [3, 3, 1], [3, 5, 3]], float)
    >>> eta_squared(activation, np.array([0, 0, 1, 1])).round(2).tolist()
    [1.0, 0.5, 0.0]
    """
    response, varies = _standardised(activation)
    return np.where(varies, _between(response, token[None])[..., 0, :], np.nan)


def feature_selectivity(
    activation: Float[Array, "exemplar unit"], member: Bool[Array, "feature exemplar"]
) -> Float[Array, "feature unit"]:
    """Return `eta_squared` between the exemplars with and without each feature.

    It is the squared correlation of the response with membership; NaN for constant units.

    Examples
    --------
    >>> from ontogeny.stats.selectivity import feature_selectivity
    >>> activation = np.array([[1.0, 1.0], [1.0, 3.0], [3.0, 1.0], [3.0, 3.0]])
    >>> feature_selectivity(activation, np.array([[False, False, True, True]])).tolist()
    [[1.0, 0.0]]
    """
    about = activation - activation.mean(axis=0)
    which = member - member.mean(axis=1, keepdims=True)
    total = (which**2).sum(axis=1)[:, None] * (about**2).sum(axis=0)
    return np.divide((which @ about) ** 2, total, where=total > 0, out=np.full_like(total, np.nan))


def shuffled_eta_squared(
    activation: Float[Array, "*batch exemplar unit"], tokens: Int[Array, "shuffle exemplar"]
) -> Float[Array, "*batch shuffle unit"]:
    """Return `eta_squared` under each row of `tokens`, as one matrix product in single precision.

    All units (and batches) meet the same shuffles, so that maxima and means over units have a
    null as well. Rounding is below 1e-5.

    Examples
    --------
    >>> from ontogeny.stats.selectivity import shuffled_eta_squared
    >>> activation = np.array([[1.0], [1.0], [3.0], [3.0]])
    >>> tokens = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    >>> shuffled_eta_squared(activation, tokens).round(2).tolist()
    [[1.0], [0.0]]
    """
    response, varies = _standardised(activation)
    between = _between(response.astype(np.float32), tokens)
    return np.where(varies[..., None, :], between, np.float32(np.nan))


def resampled_eta_squared(
    activation: Float[Array, "*batch exemplar unit"],
    token: Int[Array, " exemplar"],
    weights: Float[Array, "resample exemplar"],
) -> Float[Array, "*batch resample unit"]:
    """Return `eta_squared` of resamples in which exemplar i occurs `weights[:, i]` times.

    Repeated exemplars raise eta^2: take deviations from the mean over resamples, not levels.
    NaN where a unit does not vary in a resample.
    """
    response, varies = _standardised(activation)
    response, weights = response.astype(np.float32), weights.astype(np.float32)
    total = weights.sum(axis=1)[:, None]
    correction = (weights @ response) ** 2 / total
    between = -correction
    for name in np.unique(token):
        of_token = token == name
        count = weights[:, of_token].sum(axis=1)[:, None]
        sums = weights[:, of_token] @ response[..., of_token, :]
        between = between + np.divide(sums**2, count, where=count > 0, out=np.zeros_like(sums))
    spread = weights @ response**2 - correction
    # the whole sample's spread is 1: with less than this a resample repeats equal responses
    fine = varies[..., None, :] & (spread > CONSTANT)
    return np.divide(between, spread, where=fine, out=np.full_like(spread, np.nan))


def excess(
    value: Float[Array, " *any"], null_mean: Float[Array, " *#any"]
) -> Float[Array, " *any"]:
    """Return (value - null mean) / (1 - null mean): 0 at the null's mean, 1 at most.

    With the mean (C - 1) / (n - 1) of ungrouped exemplars this is epsilon squared, the unbiased
    form of eta squared; the mean of a shuffled null extends it to exemplars in groups.

    Examples
    --------
    .2 is what chance gives:

    >>> from ontogeny.stats.selectivity import excess
    >>> excess(np.array([0.2, 0.6, 1.0]), np.array([0.2])).round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    return (value - null_mean) / (1 - null_mean)


def token_margin(
    answer: Int[Array, "*batch exemplar"],
    tokens: Int[Array, "#draw exemplar"],
    weights: Float[Array, "#draw exemplar"],
    n_tokens: int,
) -> Float[Array, "*batch draw token"]:
    """Return how much more often a token is named where it is right than overall.

    margin_c = P(answer = c | token = c) - P(answer = c), within -1 ... 1 and with mean 0 without
    token structure, also for a network that always gives the same answer (margin 0, though its
    accuracy on that token is 1). A draw is a row of `tokens` (shuffled) or of `weights` (how often
    each exemplar is drawn). NaN for a token that a draw lacks.

    Examples
    --------
    To name one token always is no knowledge of it.

    >>> from ontogeny.stats.selectivity import token_margin
    >>> token, once = np.array([[0, 0, 1, 1]]), np.ones((1, 4))
    >>> token_margin(np.array([0, 0, 0, 0]), token, once, 2).tolist()
    [[0.0, 0.0]]
    >>> token_margin(np.array([0, 0, 1, 1]), token, once, 2).tolist()
    [[0.5, 0.5]]
    """
    margins = []
    for name in range(n_tokens):
        named = (answer == name).astype(np.float64)[..., None]
        member = (tokens == name) * weights
        count = member.sum(axis=1)[:, None]
        right = np.divide(
            member @ named,
            count,
            where=count > 0,
            out=np.full((*named.shape[:-2], *count.shape), np.nan),
        )
        overall = weights @ named / weights.sum(axis=1)[:, None]
        margins.append((right - overall)[..., 0])
    return np.stack(margins, axis=-1)


def _standardised(activation: Array) -> tuple[Array, Array]:
    """Return responses of mean 0 and sum of squares 1 over exemplars, and which units vary."""
    response = activation.astype(np.float64)
    largest = np.abs(response).max(axis=-2, initial=0.0)
    response = response - response.mean(axis=-2, keepdims=True)
    norm = np.sqrt((response**2).sum(axis=-2))
    varies = norm > CONSTANT * largest * np.sqrt(response.shape[-2])
    scale = np.where(varies, norm, np.inf)
    return np.where(varies[..., None, :], response, 0.0) / scale[..., None, :], varies


def _between(response: Array, tokens: Array) -> Array:
    """Return sum_c (sum of responses of c)^2 / n_c for every row of tokens."""
    n_tokens = int(tokens.max()) + 1
    member = tokens[:, None, :] == np.arange(n_tokens)[:, None]
    count = np.maximum(member.sum(axis=2, keepdims=True), 1)
    # over the root of the count, so that squares of sums are already divided by it
    weights = (member / np.sqrt(count)).astype(response.dtype)
    n_shuffles, _, n_exemplars = member.shape
    sums = weights.reshape(n_shuffles * n_tokens, n_exemplars) @ response
    shape = (*sums.shape[:-2], n_shuffles, n_tokens, sums.shape[-1])
    return np.square(sums, out=sums).reshape(shape).sum(axis=-2)
