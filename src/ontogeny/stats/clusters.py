"""Where on a map of layers by steps a statistic is larger than chance, all cells considered.

Neighbouring cells carry the same effect: they are joined into clusters, and a cluster is compared
with the largest that chance makes anywhere on the map. May import numpy and scipy only.

References
----------
Maris & Oostenveld 2007, Journal of Neuroscience Methods 164:177-190.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.ndimage import label

from ontogeny.errors import InputError


class Clusters(NamedTuple):
    """Map of cluster numbers (0: none), and mass and p value of clusters 1, 2, ..."""

    label: np.ndarray
    mass: np.ndarray
    p: np.ndarray


def cluster_permutation(
    statistic: Float[np.ndarray, "layer step"],
    null: Float[np.ndarray, "permutation layer step"],
    *,
    threshold: float = 0.05,
    two_sided: bool = False,
) -> Clusters:
    """Find clusters of cells whose statistic exceeds its null, corrected for the whole map.

    Every cell is standardised by the mean and standard deviation of its values, observed and
    permuted. Cells above the (1 - threshold) quantile of these form clusters with their neighbours
    in step and layer. A cluster's mass is the sum of its standardised values;
    p = (1 + number of permutations whose largest mass anywhere reaches it) / (1 + permutations).
    The chance that any cluster of a map without effect has p <= 0.05 is at most 0.05. The p value
    is the cluster's: it says that there is an effect, not that each of its cells has one, nor
    exactly when it begins.

    Parameters
    ----------
    statistic
        Observed values, large where there is an effect.
    null
        The same map under permutation.
    threshold
        Share of a cell's values above which it may join a cluster, between 0 and 0.5; it shapes
        clusters (large and weak, or small and strong) and leaves the error rate as it is.
    two_sided
        Look for clusters of small values too; these have negative mass.

    Returns
    -------
        Clusters in order of their mass, largest first. Cells with a NaN, or that never vary, are
        in no cluster.

    Raises
    ------
    InputError
        With fewer than 19 permutations, from which no p of 0.05 can come.

    Examples
    --------
    Two layers at eight snapshots; the second layer shows something at four of them.

    >>> from ontogeny.stats.clusters import cluster_permutation
    >>> null = np.random.default_rng(0).standard_normal((199, 2, 8))
    >>> observed = np.zeros((2, 8))
    >>> observed[1, 3:7] = 3
    >>> found = cluster_permutation(observed, null)
    >>> found.label
    array([[0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 1, 1, 1, 1, 0]])
    >>> found.p.tolist()
    [0.005]
    """
    # with fewer no p value can be as small as .05
    if len(null) < 19:
        message = f"expected at least 19 permutations, got {len(null)}; draw 1,000 or more"
        raise InputError(message)
    # the observed map is standardised with the permuted ones as one of them: all are exchangeable
    values = np.concatenate([statistic[None], null])
    known = np.isfinite(values).all(axis=0)
    values = np.where(known, values, 0)
    spread = values.std(axis=0)
    known &= spread > 1e-12 * np.abs(values).max(axis=0)
    # in deviations, so that a cell with a wide null does not make every permutation's
    # largest cluster
    score = (values - values.mean(axis=0)) / np.where(known, spread, 1)
    signs = (1, -1) if two_sided else (1,)
    signed = [sign * score for sign in signs]
    above = [known & (side > np.quantile(side, 1 - threshold, axis=0)) for side in signed]
    heaviest = np.zeros(len(null))
    for side, cells in zip(signed, above, strict=True):
        for k in range(len(null)):
            mass = _masses(side[k + 1], cells[k + 1])[1]
            # the largest over the whole map and both sides: this is what corrects for
            # looking everywhere
            heaviest[k] = max(heaviest[k], mass.max(initial=0))
    return _ranked([side[0] for side in signed], [cells[0] for cells in above], heaviest)


def _masses(score: np.ndarray, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give neighbouring cells one number, from 1 on, and add up the scores of each."""
    numbers = np.zeros(above.shape, dtype=np.int32)
    label(above, output=numbers)
    return numbers, np.bincount(numbers.ravel(), score.ravel())[1:]


def _ranked(signed: list[np.ndarray], above: list[np.ndarray], heaviest: np.ndarray) -> Clusters:
    """Collect the clusters of both sides, the heaviest first; those of small values weigh < 0."""
    cells, masses = [], []
    for sign, score, side in zip((1, -1), signed, above, strict=False):
        numbers, mass = _masses(score, side)
        cells += [numbers == k + 1 for k in range(len(mass))]
        masses += list(sign * mass)
    order = np.argsort(-np.abs(masses), kind="stable")
    mapped = np.zeros(above[0].shape, dtype=np.int64)
    for rank, k in enumerate(order):
        mapped[cells[k]] = rank + 1
    mass = np.array(masses)[order]
    # sums of the same cells in another order differ by rounding; a tie counts against the find
    reached = np.sum(heaviest[:, None] >= np.abs(mass) - 1e-12, axis=0)
    return Clusters(mapped, mass, (1 + reached) / (1 + len(heaviest)))
