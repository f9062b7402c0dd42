"""A linear map from the units of one network's layer to those of another's. May import numpy only.

References
----------
Lenc & Vedaldi 2015; Bansal, Nakkiran & Barak 2021 (model stitching).
"""

import numpy as np
from jaxtyping import Float

Array = np.ndarray

RIDGE = 1e-3
"""Penalty relative to the mean variance of a source unit."""


def ridge_map(
    source: Float[Array, "sample source_unit"],
    target: Float[Array, "sample target_unit"],
    *,
    ridge: float = RIDGE,
) -> tuple[Float[Array, "source_unit target_unit"], Float[Array, " target_unit"]]:
    """Return weights W and constants b that make source units into target units by least squares.

    Minimises ||Y - X W - 1 b'||^2 + lambda ||W||^2, lambda = `ridge` times the sum over samples of
    the mean squared deviation of a source unit; b is not penalised. Where no source unit varies W
    is 0 and b the mean of the target.

    Examples
    --------
    A layer whose units only changed places and scale is found again:

    >>> from ontogeny.stats.stitching import ridge_map
    >>> target = np.random.default_rng(0).standard_normal((50, 3))
    >>> source = 2 * target[:, [2, 0, 1]] + 1
    >>> weights, constant = ridge_map(source, target, ridge=1e-9)
    >>> bool(np.allclose(source @ weights + constant, target))
    True
    """
    x, y = source.astype(np.float64), target.astype(np.float64)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x -= x_mean
    system = x.T @ x
    penalty = ridge * np.trace(system) / len(system)
    if not penalty > 0:
        return np.zeros((x.shape[1], y.shape[1])), y_mean
    system[np.diag_indices(len(system))] += penalty
    weights = np.linalg.solve(system, x.T @ (y - y_mean))
    return weights, y_mean - x_mean @ weights
