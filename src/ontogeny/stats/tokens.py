"""Means and residuals of patterns by token, which most measures of category structure start from.

May import numpy only.
"""

import numpy as np
from jaxtyping import Float, Int, Real


def token_counts(token: Int[np.ndarray, " exemplar"], n_tokens: int) -> Int[np.ndarray, " token"]:
    """Count the exemplars of each token.

    Parameters
    ----------
    token
        Index of each exemplar's token, 0 to `n_tokens` - 1.
    n_tokens
        How many tokens there are, those without an exemplar included.

    Returns
    -------
        Counts, 0 for a token that is absent.

    Examples
    --------
    >>> from ontogeny.stats.tokens import token_counts
    >>> token_counts(np.array([0, 0, 2]), 3).tolist()
    [2, 0, 1]
    """
    return np.bincount(token, minlength=n_tokens)


def token_means(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch token unit"]:
    """Average the patterns of each token.

    The mean pattern of token c is the sum of its patterns over their number.

    Parameters
    ----------
    patterns
        Responses, leading axes are a batch (steps, seeds).
    token
        Index of each exemplar's token, 0 to `n_tokens` - 1.
    n_tokens
        How many tokens there are.

    Returns
    -------
        Means in double precision. NaN for a token that is absent; NaN in a unit of every token
        when any exemplar is NaN there.

    Examples
    --------
    >>> from ontogeny.stats.tokens import token_means
    >>> token_means(np.array([[1.0], [3.0], [10.0]]), np.array([0, 0, 1]), 2).tolist()
    [[2.0], [10.0]]
    """
    counts = token_counts(token, n_tokens)
    weights = (token == np.arange(n_tokens)[:, None]) / np.maximum(counts, 1)[:, None]
    means = weights @ patterns.astype(np.float64)
    means[..., counts == 0, :] = np.nan
    return means


def token_residuals(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    n_tokens: int,
) -> Float[np.ndarray, "*batch exemplar unit"]:
    """Subtract from each pattern the mean of its token: what is left is within-token structure.

    Parameters
    ----------
    patterns
        Responses, leading axes are a batch.
    token
        Index of each exemplar's token.
    n_tokens
        How many tokens there are.

    Returns
    -------
        Residuals in double precision; they sum to 0 over the exemplars of each token.

    Examples
    --------
    >>> from ontogeny.stats.tokens import token_residuals
    >>> token_residuals(np.array([[1.0], [3.0], [10.0]]), np.array([0, 0, 1]), 2).tolist()
    [[-1.0], [1.0], [0.0]]
    """
    means = token_means(patterns, token, n_tokens)
    return patterns.astype(np.float64) - means[..., token, :]
