"""Similarity of representations: debiased centred kernel alignment and Procrustes distance.

May import numpy only.

References
----------
Kornblith et al. 2019, ICML, arXiv:1905.00414 (linear CKA).
Song et al. 2012, Journal of Machine Learning Research 13:1393-1434 (the unbiased HSIC_1).
Williams et al. 2021, NeurIPS, arXiv:2110.14739 (Procrustes shape distance).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Real

from ontogeny.stats.checks import require_same_exemplars, require_tokens, rounding

_BLOCK_BYTES = 2**25


def _normalised(x: np.ndarray) -> np.ndarray:
    """Centre over exemplars and scale to unit Frobenius norm; NaN where nothing varies."""
    with np.errstate(invalid="ignore"):  # infinity minus infinity: NaN, as promised
        mean = x.mean(axis=0, dtype=np.float64)
        centred = x - mean
    size = np.linalg.norm(centred)
    # unit norm changes no CKA (the scale cancels) but lets one threshold serve layers of any size
    centred /= size if size > rounding(float(np.linalg.norm(mean)), len(x)) else np.nan
    return centred


def _off_diagonal_products(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Sum over i != j of K_ij L_ij for all pairs of Gram matrices, in one product per block.

    Only the upper triangle is formed, a block of exemplars at a time, so that memory stays at
    `_BLOCK_BYTES` whatever the number of exemplars.
    """
    n, n_parts = len(parts[0]), len(parts)
    rows = max(1, min(n, _BLOCK_BYTES // (8 * n * n_parts)))
    products = np.zeros((n_parts, n_parts))
    buffer = np.empty(n_parts * rows * n)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        block = buffer[: n_parts * (stop - start) * (n - start)]
        block = block.reshape(n_parts, stop - start, n - start)
        for x, gram in zip(parts, block, strict=True):
            np.matmul(x[start:stop], x[start:].T, out=gram)
        # the first columns are the block's own exemplars: there alone lie the diagonal and
        # pairs met twice
        corner = block[:, :, : stop - start]
        corner *= np.triu(np.ones(corner.shape[1:]), k=1)
        # inner products of all pairs of Gram matrices at once, as one product that BLAS does well
        flat = block.reshape(n_parts, -1)
        products += flat @ flat.T
    return 2 * products


def _hsic(parts: Sequence[np.ndarray], *, debiased: bool) -> np.ndarray:
    """HSIC of all pairs of centred representations."""
    n = len(parts[0])
    diagonal = np.stack([np.einsum("eu,eu->e", x, x) for x in parts])
    products = _off_diagonal_products(parts)
    if not debiased:
        return products + diagonal @ diagonal.T
    # centred patterns: the rows of a full Gram matrix sum to 0, those without the diagonal to -K_ii
    total = diagonal.sum(axis=1)
    products += np.outer(total, total) / ((n - 1) * (n - 2))
    products -= 2 / (n - 2) * (diagonal @ diagonal.T)
    own = np.diagonal(products).copy()
    # a self-term of 0 comes out as rounding of either sign, and its root would be divided by
    rounding = 1e-12 * np.sum(diagonal**2, axis=1)
    np.fill_diagonal(products, np.where(own <= rounding, 0, own))
    return products / (n * (n - 3))


def _alignment(hsic: np.ndarray) -> np.ndarray:
    """HSIC over the root of the product of the self-terms; NaN where one is not positive."""
    own = np.diagonal(hsic)
    size = np.sqrt(np.where(own > 0, own, np.nan))
    return hsic / np.outer(size, size)


def cka_matrix(
    representations: Sequence[Real[np.ndarray, "exemplar _"]],
    *,
    debiased: bool = True,
) -> Float[np.ndarray, "representation representation"]:
    """Linear CKA of every representation with every other: steps, layers or runs in one list.

    CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with K = X X', L = Y Y'. Debiased:
    HSIC_1 = [tr(K~ L~) + 1'K~1 1'L~1 / ((n-1)(n-2)) - 2/(n-2) 1'K~ L~1] / (n(n-3)), where K~ and
    L~ have a zero diagonal (Song 2012); its expectation is 0 for independent representations, so
    it may be negative, and at most 1. Biased (``debiased=False``): HSIC_0 = tr(K H L H), from 0 to
    1, and far above 0 for independent representations that are wide (.91 at 50 exemplars of 512
    units).

    Parameters
    ----------
    representations
        One array (exemplar, unit) each; widths may differ.
    debiased
        Use HSIC_1 (the default) or HSIC_0.

    Returns
    -------
        A symmetric matrix with 1 on its diagonal. NaN in the row and column of a representation
        that is constant over exemplars, holds NaN, or whose debiased self-term is 0 (all exemplars
        equally far from each other); all NaN with fewer than 4 exemplars.

    Raises
    ------
    InputError
        When the representations differ in their number of exemplars.

    Examples
    --------
    A representation and its rotation are alike; a wide one that has nothing to do with it is not,
    though without the correction it looks as if it were.

    >>> from ontogeny.stats.cka import cka_matrix
    >>> rng = np.random.default_rng(0)
    >>> x, wide = rng.standard_normal((50, 3)), rng.standard_normal((50, 512))
    >>> turned = x @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    >>> cka_matrix([x, turned, wide])[0].round(2).tolist()
    [1.0, 1.0, -0.04]
    >>> cka_matrix([x, turned, wide], debiased=False)[0].round(2).tolist()
    [1.0, 1.0, 0.21]
    """
    n_exemplars = require_same_exemplars(representations)
    if n_exemplars < 4:
        return np.full((len(representations),) * 2, np.nan)
    return _alignment(_hsic([_normalised(x) for x in representations], debiased=debiased))


def within_token_cka(
    representations: Sequence[Real[np.ndarray, "exemplar _"]],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "representation representation"]:
    """Debiased CKA of what distinguishes the exemplars of one and the same token.

    sum_c HSIC_1^c(K, L) / sqrt(sum_c HSIC_1^c(K, K) sum_c HSIC_1^c(L, L)), where HSIC_1^c sees
    the exemplars of token c only. It cannot be raised by tokens that lie apart in both
    representations, which dominates the plain CKA of a trained network. Expectation 0 where, in
    every token, the representations are independent; at most 1.

    Parameters
    ----------
    representations
        One array (exemplar, unit) each; widths may differ.
    token
        Index of each exemplar's token.
    n_tokens
        How many tokens there are.

    Returns
    -------
        A symmetric matrix with 1 on its diagonal; NaN as for :func:`cka_matrix`, and all NaN when
        a token has fewer than 4 exemplars.

    Raises
    ------
    InputError
        When the representations differ in their number of exemplars, or a token index is out of
        range.

    Examples
    --------
    Two representations that tell the tokens apart and have nothing else in common:

    >>> from ontogeny.stats.cka import cka_matrix, within_token_cka
    >>> rng = np.random.default_rng(0)
    >>> token = np.repeat([0, 1], 30)
    >>> x, y = (20 * token[:, None] + rng.standard_normal((60, 4)) for _ in range(2))
    >>> cka_matrix([x, y])[0].round(2).tolist()
    [1.0, 1.0]
    >>> within_token_cka([x, y], token, 2)[0].round(2).tolist()
    [1.0, -0.04]
    """
    require_tokens(token, n_tokens, n_exemplars=require_same_exemplars(representations))
    if np.bincount(token, minlength=n_tokens).min() < 4:
        return np.full((len(representations),) * 2, np.nan)
    scaled = [_normalised(x) for x in representations]
    hsic = np.zeros((len(representations),) * 2)
    for c in range(n_tokens):
        own = [x[token == c] for x in scaled]
        # centred anew on each token, or the distance between tokens would come back through
        # the means
        hsic += _hsic([x - x.mean(axis=0) for x in own], debiased=True)
    return _alignment(hsic)


def procrustes_distance(
    x: Real[np.ndarray, "*batch exemplar unit_x"],
    y: Real[np.ndarray, "*batch exemplar unit_y"],
) -> Float[np.ndarray, "*batch"]:
    """How far two representations are apart after the best rotation of one onto the other.

    d = min_Q ||X Q - Y||_F = sqrt(2 - 2 ||X'Y||_*) with X and Y centred over exemplars and scaled
    to ||.||_F = 1, from 0 to sqrt(2). Netrep's shape distance is the angle arccos ||X'Y||_*;
    Ding et al. 2021 report d^2. Independent wide representations of few exemplars lie close
    together (it is not debiased): compare with shuffled exemplars.

    Parameters
    ----------
    x, y
        Representations of the same exemplars; widths may differ (the narrower is padded with
        zeros).

    Returns
    -------
        Distances; values below 1e-7 are rounding. NaN where a side is constant over exemplars or
        holds NaN.

    Examples
    --------
    A square and the same turned and enlarged; a square and a line:

    >>> from ontogeny.stats.cka import procrustes_distance
    >>> square, line = np.array([[0, 0], [0, 1], [1, 1], [1, 0]]), np.array([[0], [1], [2], [3]])
    >>> turned = 5 * square @ np.array([[0, 1], [-1, 0]])
    >>> [round(float(procrustes_distance(square, x)), 2) for x in (turned, line)]
    [0.0, 0.86]
    """
    distance = np.full(x.shape[:-2], np.nan)
    for index in np.ndindex(*x.shape[:-2]):
        overlap = _normalised(x[index]).T @ _normalised(y[index])
        if np.isfinite(overlap).all():
            nuclear = np.linalg.svd(overlap, compute_uv=False).sum()
            distance[index] = np.sqrt(max(0.0, 2 - 2 * nuclear))
    return distance
