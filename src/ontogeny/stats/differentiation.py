"""Progressive differentiation: the tree of tokens, when its branches part, and the linear baseline.

A deep linear network already learns strong (coarse) distinctions before weak (fine) ones: its
closed form is the baseline against which an order of splits has to be read. May import numpy and
scipy only.

References
----------
Saxe, McClelland & Ganguli 2014, ICLR, arXiv:1312.6120 (the dynamics of a mode).
Saxe, McClelland & Ganguli 2019, PNAS 116(23):11537-11546 (differentiation of categories).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real
from scipy.cluster.hierarchy import linkage
from scipy.optimize import least_squares
from scipy.special import expit

from ontogeny.errors import InputError
from ontogeny.stats.rdm import upper_triangle
from ontogeny.stats.tokens import token_counts, token_means


class Modes(NamedTuple):
    """Singular values, token vectors and unit vectors of a token-by-unit matrix."""

    strength: np.ndarray
    token: np.ndarray
    unit: np.ndarray


class LinearFit(NamedTuple):
    """A mode's closed-form curve fitted to data: final strength, start, time constant, R^2."""

    strength: float
    initial: float
    tau: float
    r2: float


def token_tree(
    distances: Float[np.ndarray, "*batch token token"],
) -> Float[np.ndarray, "*batch merge 4"]:
    """Average-linkage tree of the tokens.

    Each row merges two clusters (columns 0 and 1; token c is cluster c, row k makes cluster
    n_tokens + k) at their mean distance (column 2) into one of so many tokens (column 3): the form
    of scipy.cluster.hierarchy. With cross-validated distances, heights can be negative where
    tokens do not differ.

    Parameters
    ----------
    distances
        Distances between tokens, e.g. :func:`ontogeny.stats.rdm.crossnobis_rdm`.

    Returns
    -------
        n_tokens - 1 merges; all NaN where a distance is NaN (absent token).

    Examples
    --------
    Tokens 0 and 1 lie close together, token 2 far off: merged at 1, and these two at 9.

    >>> from ontogeny.stats.differentiation import token_tree
    >>> token_tree(np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 9.0], [9.0, 9.0, 0.0]])).tolist()
    [[0.0, 1.0, 1.0, 2.0], [2.0, 3.0, 9.0, 3.0]]
    """
    n_tokens = distances.shape[-1]
    tree = np.full((*distances.shape[:-2], n_tokens - 1, 4), np.nan)
    if n_tokens < 2:
        return tree
    pairs = upper_triangle(distances)
    for index in np.ndindex(*distances.shape[:-2]):
        if np.isfinite(pairs[index]).all():
            # average linkage takes any distances; those of centroids or of Ward would have
            # to be Euclidean
            tree[index] = linkage(pairs[index], method="average")
    return tree


def tree_splits(tree: Float[np.ndarray, "merge 4"]) -> Int[np.ndarray, "split token"]:
    """List the splits of a tree from its root down: which tokens part from which.

    Parameters
    ----------
    tree
        From :func:`token_tree`.

    Returns
    -------
        1 and -1 for the tokens on the two sides of a split, 0 for tokens not below it.

    Raises
    ------
    InputError
        When the tree is NaN.
    """
    if np.isnan(tree).any():
        message = "expected a tree of all tokens, got NaN; take a step at which every token occurs"
        raise InputError(message)
    n_tokens = len(tree) + 1
    members = list(np.eye(n_tokens, dtype=np.int64))
    splits = []
    for left, right in tree[:, :2].astype(np.int64):
        splits.append(members[left] - members[right])
        members.append(members[left] + members[right])
    return np.array(splits[::-1], dtype=np.int64).reshape(-1, n_tokens)


def split_separation(
    distances: Float[np.ndarray, "*batch token token"],
    splits: Int[np.ndarray, "split token"],
) -> Float[np.ndarray, "*batch split"]:
    """Squared distance between the centres of the two sides of each split.

    -1/2 w' D w with w = 1/|A| on one side and -1/|B| on the other, which for squared Euclidean
    or Mahalanobis distances D equals the squared distance of the sides' mean patterns. It is
    linear in D: unbiased, with expectation 0 where the sides do not differ, if D is
    cross-validated. In the unit of D.

    Parameters
    ----------
    distances
        Squared distances between tokens, e.g. at every step.
    splits
        From :func:`tree_splits`, e.g. of the last step.

    Returns
    -------
        Separations; NaN where a token below the split is.
    """
    weight = (splits > 0) / np.maximum(np.sum(splits > 0, axis=1, keepdims=True), 1)
    weight -= (splits < 0) / np.maximum(np.sum(splits < 0, axis=1, keepdims=True), 1)
    separation = []
    for w in weight:
        below = np.flatnonzero(w)
        part = distances[..., below[:, None], below]
        # only tokens below the split take part: 0 times a NaN elsewhere would still be NaN
        separation.append(-0.5 * np.einsum("a,...ab,b->...", w[below], part, w[below]))
    return np.stack(separation, axis=-1)


def split_steps(
    separation: Float[np.ndarray, "step split"],
    steps: Int[np.ndarray, " step"],
    *,
    fraction: float = 0.5,
) -> Float[np.ndarray, "split 2"]:
    """Interval between snapshots in which each split comes to stay.

    The first snapshot from which the separation never again falls below `fraction` of its last
    value, and the snapshot before it.

    Parameters
    ----------
    separation
        From :func:`split_separation`.
    steps
        The step of each snapshot, ascending.
    fraction
        Share of the last value, between 0 and 1.

    Returns
    -------
        (after, by): the split happened after the first and by the second of the two steps; both
        are the first snapshot's where it was there from the start. NaN for a split that is not
        there at the end (last value not positive) or has a NaN on the way.
    """
    final = separation[-1]
    # not "<": a NaN counts as below, and so never as a split that has come to stay
    below = ~(separation >= fraction * final)
    # snapshots up to and including the last one that is below
    first = len(steps) - np.argmax(below[::-1], axis=0)
    first = np.where(below.any(axis=0), first, 0)
    by = np.minimum(first, len(steps) - 1)
    interval = np.stack([steps[np.maximum(by - 1, 0)], steps[by]], axis=-1).astype(np.float64)
    interval[~(final > 0) | np.isnan(separation).any(axis=0)] = np.nan
    return interval


def cross_covariance(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch token unit"]:
    """Covariance of the tokens' indicator variables with the units.

    (1 / n) sum_i (y_ic - mean y_c)(x_iu - mean x_u) = share of token c times the deviation of
    its mean from the mean of all; in units of activation. The rows sum to 0.

    Parameters
    ----------
    patterns
        Responses, or pixels (the input-output covariance of Saxe et al.); leading axes are a
        batch.
    token
        Index of each exemplar's token.
    n_tokens
        How many tokens there are.

    Returns
    -------
        Covariances; NaN for an absent token, and on NaN.
    """
    share = token_counts(token, n_tokens) / len(token)
    means = token_means(patterns, token, n_tokens)
    grand = patterns.mean(axis=-2, dtype=np.float64)
    return share[:, None] * (means - grand[..., None, :])


def covariance_modes(cross: Float[np.ndarray, "*batch token unit"]) -> Modes:
    """Singular modes of the token-by-unit covariance: the distinctions, strongest first.

    C = sum_s strength_s token_s unit_s'. At most n_tokens - 1 modes have strength. The sign is
    chosen so that a mode's largest token weight is positive.

    Parameters
    ----------
    cross
        From :func:`cross_covariance`.

    Returns
    -------
        strength (mode) descending and at least 0, token (mode, token) and unit (mode, unit), each
        of length 1; NaN where the covariance is.
    """
    bad = np.asarray(~np.isfinite(cross).all(axis=(-1, -2)))
    u, strength, vt = np.linalg.svd(np.where(bad[..., None, None], 0, cross), full_matrices=False)
    token = np.swapaxes(u, -1, -2)
    # the sign of a singular vector is the library's choice; fixed here, or curves would
    # flip with steps
    peak = np.take_along_axis(token, np.abs(token).argmax(axis=-1)[..., None], axis=-1)
    sign = np.where(bad[..., None, None], np.nan, np.where(peak < 0, -1.0, 1.0))
    return Modes(np.where(bad[..., None], np.nan, strength), token * sign, vt * sign)


def deep_linear_mode(
    time: Real[np.ndarray, " time"], *, strength: float, initial: float, tau: float
) -> Float[np.ndarray, " time"]:
    """Strength over time of a mode of a two-layer linear network under gradient descent.

    a(t) = s e^(2 s t / tau) / (e^(2 s t / tau) - 1 + s / a0), a logistic curve from a0 to s
    (small balanced start, whitened inputs; tau = 1 / learning rate, t in steps).

    Parameters
    ----------
    time
        Times, 0 at the start.
    strength
        s, the mode's singular value in the data, above 0.
    initial
        a0, its strength at time 0, above 0.
    tau
        Time constant in the unit of time.

    Returns
    -------
        a(t).
    """
    return strength / (1 + (strength / initial - 1) * np.exp(-2 * strength * time / tau))


def deep_linear_time(reached: float, *, strength: float, initial: float, tau: float) -> float:
    """Time at which a mode of a deep linear network reaches a given strength.

    t = tau / (2 s) ln[a (s - a0) / (a0 (s - a))]: strong modes come first, in proportion to
    1 / s.

    Parameters
    ----------
    reached
        a, between `initial` and `strength`.
    strength, initial, tau
        As for :func:`deep_linear_mode`.

    Returns
    -------
        The time; NaN for a strength that is never reached.

    Examples
    --------
    A distinction twice as strong comes in about half the time:

    >>> from ontogeny.stats.differentiation import deep_linear_time
    >>> weak = deep_linear_time(0.5, strength=1.0, initial=1e-3, tau=100.0)
    >>> strong = deep_linear_time(1.0, strength=2.0, initial=1e-3, tau=100.0)
    >>> round(weak), round(strong)
    (345, 190)
    """
    if not (0 < initial < strength and 0 < reached < strength):
        return float("nan")
    odds = reached * (strength - initial) / (initial * (strength - reached))
    return float(tau / (2 * strength) * np.log(odds))


def fit_deep_linear_mode(
    time: Real[np.ndarray, " time"], curve: Float[np.ndarray, " time"]
) -> LinearFit:
    """Fit the closed form of a deep linear network to a mode's measured strength.

    Least squares over final strength, start and time constant, from the time at which half of the
    largest strength is passed.

    Parameters
    ----------
    time
        Times, 0 at the start.
    curve
        Measured strengths.

    Returns
    -------
        The parameters and R^2 (at most 1). NaN with fewer than 5 times, on NaN, and where the
        curve does not rise above 0 or never passes half of its maximum after the start.
    """
    nothing = LinearFit(*[float("nan")] * 4)
    if len(time) < 5 or not np.isfinite(curve).all() or not curve.max() > 0:
        return nothing
    top, scale = float(curve.max()), float(time.max())
    half = float(time[np.argmax(curve >= top / 2)]) / scale
    if half <= 0:
        return nothing

    def model(parameter: np.ndarray) -> np.ndarray:
        # logarithms as parameters: strength, rate and time stay positive without a constraint
        rate, middle = np.exp(parameter[1]), np.exp(parameter[2])
        return np.exp(parameter[0]) * expit(rate * (x - middle))

    x, y = time / scale, curve / top
    # a logistic has flat valleys: gradual, usual and steep starts, of which the best fit is kept
    starts = [np.log([1.0, slope / half, half]) for slope in (2.0, 6.0, 20.0)]
    limits = ([-5.0, -7.0, -20.0], [3.0, 25.0, 3.0])  # of the logarithms, against overflow
    fits = [least_squares(lambda p: model(p) - y, start, bounds=limits) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    strength, rate = top * float(np.exp(best.x[0])), float(np.exp(best.x[1]))
    initial = strength * float(expit(-rate * np.exp(best.x[2])))
    spread = float(np.sum((y - y.mean()) ** 2))
    r2 = 1 - 2 * float(best.cost) / spread if spread > 0 else float("nan")
    return LinearFit(strength, initial, 2 * strength * scale / rate, r2)
