"""Neural collapse: how compact, how regular and how self-dual the tokens of a layer are.

Every token weighs the same, whatever its number of exemplars; means are centred on the mean of
the token means. All values depend on the number of units and exemplars even where there is no
token structure: set each beside its values for shuffled tokens. May import numpy only.

References
----------
Papyan, Han & Donoho 2020, PNAS 117(40):24652-24663 (NC1 to NC4).
Galanti, György & Hutter 2022, ICLR, arXiv:2112.15121 (CDNV).
He & Su 2023, PNAS 120(36):e2221704120 (the law of separation over layers).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real

from ontogeny.stats.checks import require_tokens
from ontogeny.stats.tokens import token_counts, token_means

_ROUNDING = 1e-12
"""Share of the largest mean below which differences between means are rounding."""


class SeparationLaw(NamedTuple):
    """Least-squares line of ln(fuzziness) over the layer's index, and its correlation."""

    slope: np.ndarray
    intercept: np.ndarray
    correlation: np.ndarray


def centred_means(
    means: Real[np.ndarray, "*batch token unit"],
) -> Float[np.ndarray, "*batch token unit"]:
    """Centre token means on their mean; NaN where tokens do not differ but for rounding.

    Parameters
    ----------
    means
        Token means.

    Returns
    -------
        Means that sum to 0 over tokens. All NaN for a layer in which all tokens have the same mean
        (it is silent or constant): what rounding leaves of it has lengths and angles, which mean
        nothing.

    Examples
    --------
    >>> from ontogeny.stats.collapse import centred_means
    >>> centred_means(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    wide = means.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        centred = wide - wide.mean(axis=-2, keepdims=True)
    size = np.abs(wide).max(axis=(-1, -2), keepdims=True, initial=0)
    differ = np.abs(centred).max(axis=(-1, -2), keepdims=True, initial=0)
    return np.where(differ > _ROUNDING * size, centred, np.nan)


def _mean_within(values: np.ndarray, token: np.ndarray, n_tokens: int) -> np.ndarray:
    """Average over the exemplars of each token, then over tokens (axis -2 is the exemplar)."""
    return token_means(values, token, n_tokens).mean(axis=-2)


@np.errstate(invalid="ignore")  # infinity minus infinity: NaN, as promised
def separation_fuzziness(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch"]:
    """Within-token scatter measured in the directions, and the unit, of the between-token scatter.

    D = tr(S_W S_B^+), S_W = mean over tokens of the covariance (1 / n) of their patterns,
    S_B = sum_c m_c m_c' / n_tokens with m_c the centred token means, ^+ the pseudo-inverse of rank
    n_tokens - 1. At least 0, no unit; 0 when every token is one point.
    NC1 of Papyan et al. is D / n_tokens (:func:`variability_collapse`).

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
        D. NaN with one token; with a token of fewer than 2 exemplars; where the token means span
        fewer than n_tokens - 1 directions though the units would allow it (some tokens are not
        told apart at all, e.g. a silent layer); on NaN.

    Examples
    --------
    Two tokens around 0 and 10, their exemplars 1 and 4 away from the mean:

    >>> from ontogeny.stats.collapse import separation_fuzziness
    >>> token = np.array([0, 0, 1, 1])
    >>> tight, wide = (np.array([[-d], [d], [10 - d], [10 + d]]) for d in (1, 4))
    >>> [round(float(separation_fuzziness(x, token, 2)), 2) for x in (tight, wide)]
    [0.04, 0.64]
    """
    *batch, n_exemplars, n_units = patterns.shape
    require_tokens(token, n_tokens, n_exemplars=n_exemplars)
    if n_tokens < 2 or token_counts(token, n_tokens).min() < 2:
        return np.full(batch, np.nan)
    # a common offset goes first: squares of a large mean would swallow the small scatter
    grand = patterns.mean(axis=-2, keepdims=True, dtype=np.float64)
    x = patterns - grand
    means = token_means(x, token, n_tokens)
    centred = means - means.mean(axis=-2, keepdims=True)
    # tokens are far fewer than units: the eigenvectors of this small matrix give those of S_B
    gram = centred @ np.swapaxes(centred, -1, -2)
    bad = ~np.isfinite(gram).all(axis=(-1, -2))
    gram[bad] = 0
    value, vector = np.linalg.eigh(gram)
    # the smallest eigenvalue is 0 by centring; its inverse would be rounding blown up
    rank = min(n_tokens - 1, n_units)
    value, vector = value[..., -rank:], vector[..., -rank:]
    size = np.abs(means).max(axis=(-1, -2)) + np.abs(grand).max(axis=(-1, -2))
    # what centring leaves where all tokens have the same mean, squared as eigenvalues are
    floor = (1e-13 * size) ** 2 * n_units
    bad |= ~(value[..., 0] > np.maximum(1e-12 * value[..., -1], floor))
    value = np.where(bad[..., None], np.nan, value)
    direction = np.swapaxes(centred, -1, -2) @ vector
    # the scatter is projected first, so that no unit-by-unit covariance is ever formed
    along = x @ direction - (means @ direction)[..., token, :]
    scatter = _mean_within(along**2, token, n_tokens) / value
    return np.asarray(np.sum(n_tokens * scatter / value, axis=-1))


def variability_collapse(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch"]:
    """NC1: within-token over between-token variability, tr(S_W S_B^+) / n_tokens.

    At least 0; 0 in complete collapse. Without token structure its value falls with the number of
    units: a wide layer looks collapsed when it is not. Of independent Gaussian units, n exemplars
    of each token, it is expected to be (n - 1)(n_tokens - 1) / (n_units - n_tokens), from the mean
    of an inverse Wishart matrix; correlated units count as fewer.

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
        NC1; NaN as for :func:`separation_fuzziness`.

    Examples
    --------
    Two tokens around 0 and 10, their exemplars 1 away from the mean, and on it:

    >>> from ontogeny.stats.collapse import variability_collapse
    >>> token = np.array([0, 0, 1, 1])
    >>> tight, collapsed = (np.array([[-d], [d], [10 - d], [10 + d]]) for d in (1, 0))
    >>> [round(float(variability_collapse(x, token, 2)), 2) for x in (tight, collapsed)]
    [0.02, 0.0]
    """
    return np.asarray(separation_fuzziness(patterns, token, n_tokens) / n_tokens)


@np.errstate(invalid="ignore")  # infinity minus infinity: NaN, as promised
def cdnv(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch token token"]:
    """Class-distance normalised variance of every two tokens.

    (V_a + V_b) / (2 ||m_a - m_b||^2), V the mean squared distance of a token's patterns to their
    mean (1 / n). At least 0, no unit. Without token structure about (n - 1) / 2 whatever the number
    of units (:func:`cdnv_null`).

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
        Symmetric matrices with NaN on the diagonal; NaN for a token with fewer than 2 exemplars,
        for two tokens with the same mean, and on NaN.

    Examples
    --------
    Tokens around 0, 10 and 13, all of variance 1: the last two are closest to each other.

    >>> from ontogeny.stats.collapse import cdnv
    >>> token = np.array([0, 0, 1, 1, 2, 2])
    >>> activation = np.array([[-1], [1], [9], [11], [12], [14]])
    >>> cdnv(activation, token, 3).round(2)
    array([[ nan, 0.01, 0.01],
           [0.01,  nan, 0.11],
           [0.01, 0.11,  nan]])
    """
    require_tokens(token, n_tokens, n_exemplars=patterns.shape[-2])
    means = token_means(patterns, token, n_tokens)
    square = np.sum((patterns - means[..., token, :]) ** 2, axis=-1, keepdims=True)
    variance = token_means(square, token, n_tokens)
    variance[..., token_counts(token, n_tokens) < 2, :] = np.nan
    distance = np.sum((means[..., :, None, :] - means[..., None, :, :]) ** 2, axis=-1)
    floor = 1e-24 * np.max(means**2, axis=(-1, -2), initial=0)[..., None, None]
    distance = np.where(distance > floor, distance, np.nan)
    return (variance + np.swapaxes(variance, -1, -2)) / (2 * distance)


def cdnv_null(counts: Int[np.ndarray, " token"]) -> Float[np.ndarray, "token token"]:
    """Ratio of the expectations in CDNV when the tokens do not differ.

    (2 - 1/n_a - 1/n_b) / (2 (1/n_a + 1/n_b)), which is (n - 1) / 2 for equal counts.

    Parameters
    ----------
    counts
        Exemplars of each token.

    Returns
    -------
        A symmetric matrix with NaN on the diagonal and for tokens with fewer than 2 exemplars.

    Examples
    --------
    What two tokens of 21 exemplars have that do not differ:

    >>> from ontogeny.stats.collapse import cdnv_null
    >>> float(cdnv_null(np.array([21, 21]))[0, 1])
    10.0
    """
    inverse = 1 / np.where(counts > 1, counts, np.nan)
    both = inverse[:, None] + inverse
    null = (2 - both) / (2 * both)
    np.fill_diagonal(null, np.nan)
    return null


def equinorm(vectors: Real[np.ndarray, "*batch token unit"]) -> Float[np.ndarray, "*batch"]:
    """NC2, lengths: coefficient of variation of the lengths of the tokens' vectors.

    Population standard deviation over mean of ||v_c||; at least 0, 0 in collapse.

    Parameters
    ----------
    vectors
        Token means (:func:`centred_means`), or the rows of the read-out's weights.

    Returns
    -------
        Coefficients; NaN with fewer than 2 tokens, with vectors of length 0 only, and on NaN.

    Examples
    --------
    Vectors of one length, and of lengths 1 and 3:

    >>> from ontogeny.stats.collapse import equinorm
    >>> alike, unlike = np.array([[2, 0], [0, 2], [-2, 0]]), np.array([[1, 0], [0, 3]])
    >>> float(equinorm(alike)), float(equinorm(unlike))
    (0.0, 0.5)
    """
    if vectors.shape[-2] < 2:
        return np.full(vectors.shape[:-2], np.nan)
    length = np.linalg.norm(vectors.astype(np.float64), axis=-1)
    mean = length.mean(axis=-1)
    return np.asarray(length.std(axis=-1) / np.where(mean > 0, mean, np.nan))


def equiangularity(vectors: Real[np.ndarray, "*batch token unit"]) -> Float[np.ndarray, "*batch"]:
    """NC2, angles: mean distance of the cosines between tokens from those of a simplex.

    Mean over c != c' of |cos(v_c, v_c') + 1 / (n_tokens - 1)|; 0 for the corners of a simplex
    (cos = -1/4 with five tokens), at most 1 + 1 / (n_tokens - 1). Centred means of two tokens are
    opposite whatever they are, so that their value is 0 by construction.

    Parameters
    ----------
    vectors
        Token means (:func:`centred_means`), or the rows of the read-out's weights.

    Returns
    -------
        Mean deviations; NaN with fewer than 2 tokens, where a vector has length 0, and on NaN.

    Examples
    --------
    The corners of a triangle, and three vectors at right angles and opposite:

    >>> from ontogeny.stats.collapse import equiangularity
    >>> triangle = np.array([[1, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    >>> cross = np.array([[1, 0], [0, 1], [0, -1]])
    >>> [round(float(equiangularity(x)), 2) for x in (triangle, cross)]
    [0.0, 0.5]
    """
    n_tokens = vectors.shape[-2]
    if n_tokens < 2:
        return np.full(vectors.shape[:-2], np.nan)
    length = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    unit = vectors / np.where(length > 0, length, np.nan)
    cosine = unit @ np.swapaxes(unit, -1, -2)
    off = ~np.eye(n_tokens, dtype=bool)
    return np.asarray(np.abs(cosine[..., off] + 1 / (n_tokens - 1)).mean(axis=-1))


def self_duality(
    weight: Real[np.ndarray, "*batch token unit"],
    means: Real[np.ndarray, "*batch token unit"],
) -> Float[np.ndarray, "*batch"]:
    """NC3: distance between the read-out's weights and the centred token means, both scaled.

    ||W / ||W||_F - M / ||M||_F||_F, from 0 (the same up to scale) to 2; about sqrt(2) for
    unrelated ones.

    Parameters
    ----------
    weight
        Weights of the read-out, one row for each token.
    means
        Token means in the layer that it reads; centred here.

    Returns
    -------
        Distances; NaN where the weights are 0 throughout or the tokens' means the same, with one
        token, and on NaN.

    Examples
    --------
    >>> from ontogeny.stats.collapse import self_duality
    >>> means = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> alike, opposite = self_duality(7 * means, means), self_duality(-means, means)
    >>> round(float(alike), 2), round(float(opposite), 2)
    (0.0, 2.0)
    """
    sides = []
    # only the means are centred, as the measure was defined: a common row of weights counts
    # as distance
    for side in (weight.astype(np.float64), centred_means(means)):
        size = np.sqrt(np.sum(side**2, axis=(-1, -2), keepdims=True))
        sides.append(side / np.where(size > 0, size, np.nan))
    return np.asarray(np.sqrt(np.sum((sides[0] - sides[1]) ** 2, axis=(-1, -2))))


@np.errstate(invalid="ignore")  # infinity minus infinity: NaN, as promised
def nearest_mean_disagreement(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    means: Real[np.ndarray, "*batch token unit"],
    predicted: Int[np.ndarray, "*batch exemplar"],
) -> Float[np.ndarray, "*batch"]:
    """NC4: share of exemplars that the network names otherwise than the nearest token mean does.

    From 0 to 1; 1 - 1 / n_tokens when the two are unrelated and both spread evenly. Means taken
    from the same exemplars make the rule look better than it is: take them from others.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    means
        Token means in the same layer.
    predicted
        Index of the token that the network gives each exemplar.

    Returns
    -------
        Shares; NaN with one token, where a token is absent, where two tokens have the same mean
        (neither is nearer) and on NaN.

    Examples
    --------
    The network calls the second exemplar token 1, though the mean of token 0 is nearer:

    >>> from ontogeny.stats.collapse import nearest_mean_disagreement
    >>> patterns, means = np.array([[0], [1], [9], [10]]), np.array([[0], [10]])
    >>> float(nearest_mean_disagreement(patterns, means, np.array([0, 1, 1, 1])))
    0.25
    """
    mean = means.astype(np.float64)
    centre = mean.mean(axis=-2, keepdims=True)
    inner = (patterns - centre) @ np.swapaxes(mean - centre, -1, -2)
    distance = np.sum((mean - centre) ** 2, axis=-1)[..., None, :] - 2 * inner
    nearest = np.argmin(np.nan_to_num(distance), axis=-1)
    share = np.mean(nearest != predicted, axis=-1)
    known = np.isfinite(distance).all(axis=(-1, -2)) & (means.shape[-2] > 1)
    gaps = np.abs(mean[..., :, None, :] - mean[..., None, :, :]).max(axis=-1, initial=0)
    gaps[..., np.arange(means.shape[-2]), np.arange(means.shape[-2])] = np.inf
    size = np.abs(mean).max(axis=(-1, -2), initial=0)
    known &= gaps.min(axis=(-1, -2), initial=np.inf) > _ROUNDING * size
    return np.asarray(np.where(known, share, np.nan))


def separation_law(fuzziness: Float[np.ndarray, "*batch layer"]) -> SeparationLaw:
    """Fit the line ln D = intercept + slope * layer, layers counted from 0.

    The law says that a trained network's layers each shrink the fuzziness by about the same
    factor exp(slope): a correlation near -1.

    Parameters
    ----------
    fuzziness
        D of :func:`separation_fuzziness` in the layers in forward order, positive.

    Returns
    -------
        slope, intercept and correlation; NaN with fewer than 3 layers and where a layer's value is
        not positive or NaN; the correlation is NaN where all layers are equal.

    Examples
    --------
    Each layer halves the fuzziness:

    >>> from ontogeny.stats.collapse import separation_law
    >>> law = separation_law(np.array([8.0, 4.0, 2.0, 1.0]))
    >>> round(float(np.exp(law.slope)), 2), round(float(law.correlation), 2)
    (0.5, -1.0)
    """
    n_layers = fuzziness.shape[-1]
    layer = np.arange(n_layers) - (n_layers - 1) / 2
    known = np.all(fuzziness > 0, axis=-1) & (n_layers >= 3)
    value = np.log(np.where(known[..., None], fuzziness, 1))
    mean = value.mean(axis=-1)
    slope = value @ layer / max(layer @ layer, 1)
    size = np.sqrt(np.sum((value - mean[..., None]) ** 2, axis=-1) * (layer @ layer))
    moving = known & (size > 1e-12)
    correlation = np.where(moving, value @ layer / np.where(moving, size, 1), np.nan)
    intercept = mean - slope * (n_layers - 1) / 2
    return SeparationLaw(
        np.asarray(np.where(known, slope, np.nan)),
        np.asarray(np.where(known, intercept, np.nan)),
        np.asarray(correlation),
    )
