"""Which unit of one network corresponds to which of another. May import numpy and scipy only.

References
----------
Kuhn 1955 (assignment); Li et al. 2016, arXiv:1511.07543 (convergent learning).
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

Array = np.ndarray

CONSTANT = 1e-6
"""A unit whose deviation is below this fraction of its largest magnitude does not vary."""


def standard_scores(response: Float[Array, "exemplar unit"]) -> Float[Array, "exemplar unit"]:
    """Return responses of mean 0 and sum of squares 1 over exemplars; a constant unit's are 0."""
    largest = np.abs(response).max(axis=0, initial=0)
    centred = response.astype(np.float64) - response.mean(axis=0, dtype=np.float64)
    norm = np.sqrt((centred**2).sum(axis=0))
    varies = norm > CONSTANT * largest * np.sqrt(len(response))
    return np.where(varies, centred, 0) / np.where(varies, norm, 1)


def best_pairs(
    score: Float[Array, "exemplar unit"], score_b: Float[Array, "exemplar unit_b"]
) -> tuple[Int[Array, " pair"], Int[Array, " pair"], Float[Array, " pair"]]:
    """Return the one-to-one pairs of units with the largest sum of |correlation|, and that.

    Parameters
    ----------
    score, score_b
        From :func:`standard_scores`, of the same exemplars in the same order.

    Returns
    -------
        Indices of units, indices of their partners, correlations, each within -1 ... 1.

    Examples
    --------
    Another run has the same two units in another order, one with its sign turned.

    >>> from ontogeny.stats.matching import best_pairs, standard_scores
    >>> x = np.random.default_rng(0).standard_normal((50, 2))
    >>> units, partners, correlation = best_pairs(
    ...     standard_scores(x), standard_scores(x[:, ::-1] * [-1, 3])
    ... )
    >>> partners.tolist(), correlation.round(2).tolist()
    ([1, 0], [1.0, -1.0])
    """
    correlation = score.T @ score_b
    # one-to-one and of the largest sum: taking each unit's best would let many share one partner
    first, second = linear_sum_assignment(-np.abs(correlation))
    return first, second, correlation[first, second]


def shuffled_matches(
    score: Float[Array, "exemplar unit"],
    score_b: Float[Array, "exemplar unit_b"],
    orders: Int[Array, "shuffle exemplar"],
) -> Float[Array, "shuffle unit"]:
    """Return each unit's |correlation| in the best pairs after shuffles of the second's exemplars.

    Shuffled within tokens, what is left is what two units share by answering tokens alike. NaN for
    a unit that a shuffle leaves without a partner.
    """
    values = np.full((len(orders), score.shape[1]), np.nan)
    for row, order in zip(values, orders, strict=True):
        # matched anew after every shuffle: the null has to be as free to search as the data was
        first, _, correlation = best_pairs(score, score_b[order])
        row[first] = np.abs(correlation)
    return values
