"""How far a unit's response is a sum over known factors, or needs two of them together.

Main effects are found by pursuit: one factor after the other, each with the curve that explains
most of what is left. Products of two curves are then asked to explain what is left of other
exemplars, and judged on yet others. May import numpy only.

References
----------
Sobol 1993 (variance by subsets of factors); Mallat & Zhang 1993 (pursuit); Mandel 1961 (products
of main effects); Freedman & Lane 1983 (permuting residuals).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

Array = np.ndarray

N_FACTORS = 5
"""Factors whose main effects, and whose products, a unit's response is fitted by."""
FEW = 8
"""A factor with at most so many values counts as categories, else as a number."""
RIDGE = 0.3
"""Penalty of products, relative to their mean sum of squares."""
_CHUNK = 32  # units whose products are in memory at once


class Errors(NamedTuple):
    """Squared errors of held-out predictions of every exemplar, one response after another."""

    main: Float[Array, "exemplar unit"]
    """By main effects."""
    full: Float[Array, "exemplar unit"]
    """By main effects and products."""
    null: Float[Array, "shuffle unit"]
    """Sums over exemplars of full - main, what main effects leave being shuffled."""


def factor_columns(values: Shaped[Array, " exemplar"]) -> Float[Array, "exemplar column"]:
    """Return the columns that span a factor's main effect, centred.

    Categories have one column each; a number has its powers 1 to 3. No column for a constant.
    """
    names, code = np.unique(values, return_inverse=True)
    if len(names) == 1:
        return np.zeros((len(values), 0))
    if len(names) <= FEW or values.dtype.kind not in "iufb":
        # one category is left out: with all of them the centred columns would be dependent
        raw = (code[:, None] == np.arange(len(names) - 1)).astype(np.float64)
    else:
        # standardised before it is raised to powers, or the cube alone would set the conditioning
        x = (values - values.mean()) / values.std()
        raw = np.stack([x, x**2, x**3], axis=1)
    return raw - raw.mean(axis=0)


def interaction_errors(
    response: Float[Array, "exemplar unit"],
    columns: Sequence[Float[Array, "exemplar _"]],
    fold: Int[Array, " exemplar"],
    *,
    n_shuffles: int,
    rng: np.random.Generator,
    n_factors: int = N_FACTORS,
) -> Errors:
    """Predict each exemplar's response from other folds by main effects, and by products as well.

    The other folds fall into two halves. The curves of main effects come from the first, their
    weights and those of their products from the second, where both are fixed regressors. Shuffling
    what main effects leave is then close to a fair null: of pure noise, 7 in 100 responses pass
    what 5 should.

    Parameters
    ----------
    response
        Responses; their precision is that of the fits.
    columns
        Of every factor, from :func:`factor_columns`.
    fold
        Fold of each exemplar, at least 3 in all.
    n_shuffles
        How often what main effects leave is shuffled, as a null for products.
    rng
        Source of randomness.
    n_factors
        Factors that a response is fitted by, at most.

    Returns
    -------
        Squared errors, to be summed, resampled and set in relation to the response's spread.
    """
    main, full = np.empty_like(response), np.empty_like(response)
    null = np.zeros((n_shuffles, response.shape[1]))
    for f in np.unique(fold):
        # curves are chosen on one half and weighed on the other: chosen and weighed on the same,
        # they would fit its noise, and the remainder would not be exchangeable
        first, second = np.array_split(np.unique(fold[fold != f]), 2)
        found, fitted = (np.flatnonzero(np.isin(fold, half)) for half in (first, second))
        test = np.flatnonzero(fold == f)
        # one set of orders for all units: what is shuffled keeps its dependence between units
        orders = [_orders(len(rows), n_shuffles, rng) for rows in (fitted, test)]
        basis, blocks = _orthonormal(columns, found)
        basis = basis.astype(response.dtype)
        for start in range(0, response.shape[1], _CHUNK):
            units = slice(start, start + _CHUNK)
            y = response[:, units]
            curves = _pursuit(y - y[found].mean(axis=0), basis, blocks, found, n_factors)
            left, products = _main_fit(y, curves, fitted)
            added = _fitted(products, left[fitted][orders[0]], fitted, test)
            main[test, units] = left[test] ** 2
            error = (left[test][orders[1]] - added) ** 2
            full[test, units] = error[0]
            # a shuffle leaves the sum of squared main-effect errors as it is, so that it is
            # taken off once
            null[:, units] += error[1:].sum(axis=1) - main[test, units].sum(axis=0)
    return Errors(main, full, null)


def _orders(n: int, n_shuffles: int, rng: np.random.Generator) -> Array:
    """Return the order as it is, and shuffles [1 + shuffle, n]."""
    return np.stack([np.arange(n), *(rng.permutation(n) for _ in range(n_shuffles))])


def _main_fit(y: Array, curves: Array, rows: Array) -> tuple[Array, Array]:
    """Return what the curves, weighted on some rows, leave of all, and their products' remainder.

    The products [unit, exemplar, pair] are free of the curves on these rows, as what is left is.
    """
    x = _centred(np.moveaxis(curves, (0, 1, 2), (2, 1, 0)), rows)
    target = _centred(y.T[..., None], rows)
    products = _centred(_products(curves, rows), rows)
    both = np.concatenate([target, products], axis=2)
    inner = np.swapaxes(x[:, rows], 1, 2)
    system = inner @ x[:, rows]
    size = np.trace(system, axis1=1, axis2=2)[:, None, None]
    # two chosen curves may be the same on these rows (factors that are confounded); eps
    # keeps it solvable
    floor = np.where(size > 0, 10 * np.finfo(y.dtype).eps * size, 1).astype(y.dtype)
    system = system + floor * np.eye(system.shape[-1], dtype=y.dtype)
    # response and products are freed of the curves by one solve (Frisch-Waugh), not a fit
    # per product
    both = both - x @ np.linalg.solve(system, inner @ both[:, rows])
    return both[..., 0].T, both[..., 1:]


def _centred(values: Array, rows: Array) -> Array:
    """Take the mean over some rows off [unit, exemplar, column]."""
    return values - values[:, rows].mean(axis=1, keepdims=True)


def explained_share(
    errors: Float[Array, "exemplar unit"],
    response: Float[Array, "exemplar unit"],
    weights: Float[Array, "draw exemplar"],
) -> Float[Array, "draw unit"]:
    """Return 1 - sum w error / sum w (y - mean)^2 of every row of weights; NaN if y is constant."""
    y = response - response.mean(axis=0)
    spread = weights @ y**2 - (weights @ y) ** 2 / weights.sum(axis=1)[:, None]
    largest = np.abs(response).max(axis=0, initial=0)
    fine = spread > 1e-12 * weights.sum(axis=1)[:, None] * largest**2
    return np.where(fine, 1 - weights @ errors / np.where(fine, spread, 1), np.nan)


def _orthonormal(columns: Sequence[Array], train: Array) -> tuple[Array, list[slice]]:
    """Return all factors' columns, orthonormal within a factor over the training rows."""
    parts, blocks, start = [], [], 0
    for c in columns:
        centred = c - c[train].mean(axis=0)
        _, size, axes = np.linalg.svd(centred[train], full_matrices=False)
        there = size > 1e-8 * max(size.max(initial=0), 1e-300)
        if there.any():
            parts.append(centred @ (axes[there].T / size[there]))
            blocks.append(slice(start, start + int(there.sum())))
            start = blocks[-1].stop
    return np.concatenate(parts, axis=1), blocks


def _pursuit(y: Array, basis: Array, blocks: list[slice], rows: Array, n_factors: int) -> Array:
    """Return the curves of the chosen factors [factor, exemplar, unit], found on some rows."""
    left, columns = y.copy(), np.arange(y.shape[1])
    block_of = np.concatenate([np.full(b.stop - b.start, i) for i, b in enumerate(blocks)])
    free = np.ones((len(blocks), y.shape[1]), dtype=bool)
    curves = np.zeros((min(n_factors, len(blocks)), *y.shape), dtype=y.dtype)
    for curve in curves:
        weight = basis[rows].T @ left[rows]
        gain = np.add.reduceat(weight**2, [b.start for b in blocks], axis=0)
        # a factor is taken once: its curve is the best already, and another one is to be asked
        best = np.where(free, gain, -1).argmax(axis=0)
        free[best, columns] = False
        curve[:] = basis @ np.where(block_of[:, None] == best, weight, 0)
        left -= curve
    return curves


def _products(curves: Array, rows: Array) -> Array:
    """Return the products of two curves, each scaled to 1 on some rows [unit, exemplar, pair]."""
    first, second = np.triu_indices(len(curves), 1)
    size = np.sqrt(np.mean(curves[:, rows] ** 2, axis=1))[:, None]
    scaled = np.divide(curves, size, where=size > 0, out=np.zeros_like(curves))
    return np.moveaxis(scaled[first] * scaled[second], (0, 1, 2), (2, 1, 0))


def _fitted(products: Array, targets: Array, train: Array, test: Array) -> Array:
    """Return what ridge regressions of targets [target, exemplar, unit] on the products predict."""
    x = products[:, train]
    y = np.moveaxis(targets - targets.mean(axis=1, keepdims=True), 2, 0)
    system = np.swapaxes(x, 1, 2) @ x
    n_pairs = system.shape[-1]
    if n_pairs == 0:
        return np.zeros((len(targets), len(test), targets.shape[2]))
    size = np.trace(system, axis1=1, axis2=2) / n_pairs
    system = system + np.where(size > 0, RIDGE * size, 1).astype(size.dtype)[
        :, None, None
    ] * np.eye(n_pairs, dtype=size.dtype)
    weight = np.linalg.solve(system, np.swapaxes(y @ x, 1, 2))
    return np.moveaxis(products[:, test] @ weight, (2, 1, 0), (0, 1, 2))


def factor_shares(
    response: Float[Array, "exemplar unit"],
    columns: Sequence[Float[Array, "exemplar _"]],
    permutations: Int[Array, "draw exemplar"],
) -> Float[Array, "draw factor unit"]:
    """Return the share of each unit's variance that each factor's main effect explains alone.

    ||Q_f' (y - mean)||^2 / ||y - mean||^2, Q_f an orthonormal basis of the factor's columns, for
    every permutation of the exemplars; within 0 ... 1, about columns / n without relation. In
    single precision. NaN where a unit does not vary, 0 for a constant factor.
    """
    y = response - response.mean(axis=0)
    norm = np.sqrt((y**2).sum(axis=0))
    largest = np.abs(response).max(axis=0, initial=0)
    # the bound is set for single precision, in which recorded responses come
    fine = norm > 1e-6 * largest * np.sqrt(len(y))
    y = (y / np.where(fine, norm, np.inf)).astype(np.float32)
    shares = np.zeros((len(permutations), len(columns), y.shape[1]), dtype=np.float32)
    there = [i for i, c in enumerate(columns) if c.shape[1] and np.any(c)]
    if there:
        everyone = np.arange(len(y))
        basis, blocks = _orthonormal([columns[i] for i in there], everyone)
        starts, turned = [b.start for b in blocks], basis.T.astype(np.float32)
        for share, p in zip(shares, permutations, strict=True):
            share[there] = np.add.reduceat((turned @ y[p]) ** 2, starts, axis=0)
    shares[..., ~fine] = np.nan
    return shares
