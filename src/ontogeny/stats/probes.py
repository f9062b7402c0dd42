"""What a linear read-out can tell from a layer: cross-validated, few-shot, with control labels.

Decodable does not mean used, and with few dense tokens even pixels read out well: set each value
beside the same read-out of control labels and of the untrained network. May import numpy and scipy
only.

References
----------
Alain & Bengio 2016, arXiv:1610.01644 (linear probes).
Hewitt & Liang 2019, EMNLP, arXiv:1909.03368 (control labels).
"""

import numpy as np
from jaxtyping import Float, Int, Real
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from ontogeny.errors import InputError


def one_hot(
    token: Int[np.ndarray, "*batch exemplar"], n_tokens: int
) -> Float[np.ndarray, "*batch exemplar token"]:
    """Write each exemplar's token as a row with a single 1.

    Parameters
    ----------
    token
        Index of each exemplar's token; several labellings (controls) along leading axes.
    n_tokens
        How many tokens there are.

    Returns
    -------
        Rows of 0 and 1; all 0 for a token outside 0 to `n_tokens` - 1.
    """
    return (token[..., None] == np.arange(n_tokens)).astype(np.float64)


def _smoother(centred: np.ndarray, penalty: float) -> np.ndarray:
    """Rows Z with Z'Z the ridge regression's hat matrix (without the constant)."""
    n, n_units = centred.shape
    if n_units <= n:
        system = centred.T @ centred
        system[np.diag_indices(n_units)] += penalty
        return solve_triangular(cholesky(system, lower=True), centred.T, lower=True)
    value, vector = np.linalg.eigh(centred @ centred.T)
    value = np.maximum(value, 0)
    return np.sqrt(value / (value + penalty))[:, None] * vector.T


def ridge_readout(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    targets: Real[np.ndarray, "exemplar target"],
    fold: Int[np.ndarray, " exemplar"],
    *,
    ridge: float = 0.01,
) -> Float[np.ndarray, "*batch exemplar target"]:
    """Predict targets linearly from patterns, each exemplar by a fit that has not seen its fold.

    Minimises ||Y - 1 b' - X W||^2 + lambda ||W||^2 on the other folds, lambda = `ridge` times the
    sum over exemplars of the mean squared deviation of a unit (all exemplars, no target enters).
    Computed in closed form from one fit to all exemplars: with H its hat matrix, the held-out
    residuals of fold f are (1 - H_ff)^-1 (y - H y)_f. Many targets (factors, control labels) cost
    hardly more than one.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    targets
        Tokens as :func:`one_hot`, or factors; several side by side.
    fold
        Fold of each exemplar, groups whole (:func:`ontogeny.stats.groups.grouped_folds`).
    ridge
        Strength of the penalty relative to a unit's variance, above 0.

    Returns
    -------
        Held-out predictions. NaN where no unit varies, on NaN in the patterns (the batch
        element) or in a target (its column).

    Raises
    ------
    InputError
        With a penalty that is not positive, or a single fold.

    Examples
    --------
    Held-out predictions of a target that lies in the first unit, and of one that lies in none:

    >>> from ontogeny.stats.probes import readout_r2, ridge_readout
    >>> rng = np.random.default_rng(0)
    >>> patterns, fold = rng.standard_normal((60, 4)), np.arange(60) % 5
    >>> targets = np.stack([patterns[:, 0], rng.standard_normal(60)], axis=1)
    >>> found = readout_r2(ridge_readout(patterns, targets, fold), targets)
    >>> found.round(1).tolist()
    [1.0, -0.2]
    """
    folds = [np.flatnonzero(fold == f) for f in np.unique(fold)]
    if len(folds) < 2:
        message = "expected at least 2 folds, got 1; deal the exemplars into more folds"
        raise InputError(message)
    _check_ridge(ridge)
    *batch, n, n_units = patterns.shape
    y = targets.astype(np.float64)
    predicted = np.full((int(np.prod(batch)), *y.shape), np.nan)
    for x, out in zip(patterns.reshape(-1, n, n_units), predicted, strict=True):
        centred = x - x.mean(axis=0, dtype=np.float64)
        if _varies(x, centred):
            penalty = ridge * float(np.sum(centred**2)) / n_units
            out[:] = _held_out(_smoother(centred, penalty), y, folds)
    return predicted.reshape(*batch, *y.shape)


def _check_ridge(ridge: float) -> None:
    if not ridge > 0:
        message = f"expected a penalty `ridge` above 0, got {ridge}; give e.g. 0.01"
        raise InputError(message)


def _varies(x: np.ndarray, centred: np.ndarray) -> bool:
    """Whether the patterns vary by more than rounding; False on NaN."""
    return bool(np.mean(centred**2) > (1e-13 * np.abs(x).max(initial=0)) ** 2)


def _held_out(smoother: np.ndarray, y: np.ndarray, folds: list[np.ndarray]) -> np.ndarray:
    n = len(y)
    fitted = smoother.T @ (smoother @ y) + y.mean(axis=0)
    predicted = np.empty_like(y)
    for rows in folds:
        part = smoother[:, rows]
        # the constant is not penalised: its hat matrix is 1 / n throughout
        left = -(part.T @ part) - 1 / n
        left[np.diag_indices(len(rows))] += 1
        predicted[rows] = y[rows] - cho_solve(
            cho_factor(left, check_finite=False), (y - fitted)[rows], check_finite=False
        )
    return predicted


def readout_accuracy(
    predicted: Float[np.ndarray, "*batch exemplar token"],
    token: Int[np.ndarray, " exemplar"],
) -> Float[np.ndarray, "*batch"]:
    """Share of exemplars whose token has the highest prediction, each token weighing the same.

    From 0 to 1; 1 / n_tokens by chance.

    Parameters
    ----------
    predicted
        Predictions for each token.
    token
        Index of each exemplar's token.

    Returns
    -------
        Shares: the mean over the tokens that occur of the share within the token; NaN on NaN.
    """
    right = predicted.argmax(axis=-1) == token
    share = np.mean([right[..., token == c].mean(axis=-1) for c in np.unique(token)], axis=0)
    return np.asarray(np.where(np.isnan(predicted).any(axis=(-1, -2)), np.nan, share))


def readout_r2(
    predicted: Float[np.ndarray, "*batch exemplar target"],
    targets: Real[np.ndarray, "exemplar target"],
) -> Float[np.ndarray, "*batch target"]:
    """Share of each target's variance that held-out predictions explain.

    1 - sum (y - p)^2 / sum (y - mean y)^2, at most 1; about 0 or below where nothing can be read
    out.

    Parameters
    ----------
    predicted
        Held-out predictions.
    targets
        What was to be predicted.

    Returns
    -------
        Shares; NaN for a target that is constant, and on NaN.
    """
    total = np.sum((targets - targets.mean(axis=0)) ** 2, axis=0)
    error = np.sum((targets - predicted) ** 2, axis=-2)
    varies = total > 1e-20 * np.sum(np.square(targets, dtype=np.float64), axis=0)
    return np.asarray(1 - error / np.where(varies, total, np.nan))


def few_shot_sets(
    token: Int[np.ndarray, " exemplar"],
    group: Int[np.ndarray, " exemplar"],
    shots: int,
    *,
    n_repeats: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, "repeat shot"]:
    """Draw training sets of `shots` exemplars of every token, each from a group of its own.

    Parameters
    ----------
    token
        Index of each exemplar's token.
    group
        Index of each exemplar's group.
    shots
        Exemplars of each token.
    n_repeats
        How many sets.
    rng
        Source of randomness.

    Returns
    -------
        Indices of the exemplars of each set.

    Raises
    ------
    InputError
        When a token has not more groups than shots, so that nothing would be left to test.
    """
    names = np.unique(token)
    fewest = min(len(np.unique(group[token == c])) for c in names)
    if fewest <= shots:
        message = (
            f"expected more than {shots} groups of exemplars of every token, got {fewest}; "
            "ask for fewer shots"
        )
        raise InputError(message)
    sets = np.empty((n_repeats, len(names), shots), dtype=np.int64)
    for row in sets:
        order = rng.permutation(len(token))
        for c, out in zip(names, row, strict=True):
            own = order[token[order] == c]
            _, first = np.unique(group[own], return_index=True)
            # in drawn order, not in order of group: the first occurrence of each group is a
            # random one
            out[:] = own[np.sort(first)[:shots]]
    return sets.reshape(n_repeats, -1)


def few_shot_accuracy(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
    token: Int[np.ndarray, " exemplar"],
    group: Int[np.ndarray, " exemplar"],
    sets: Int[np.ndarray, "repeat shot"],
    *,
    ridge: float = 0.01,
) -> Float[np.ndarray, "*batch repeat"]:
    """Accuracy of a linear read-out that has seen a few exemplars of each token.

    For every training set, the ridge regression of :func:`ridge_readout` from its exemplars (the
    penalty scaled on them) to their tokens, tested on all exemplars outside the groups it has
    seen; tokens weigh the same. From 0 to 1; 1 / n_tokens by chance. All sets are solved in the
    space of exemplars from one Gram matrix.

    Parameters
    ----------
    patterns
        Responses; leading axes are a batch.
    token
        Index of each exemplar's token (or a control labelling).
    group
        Index of each exemplar's group.
    sets
        From :func:`few_shot_sets`.
    ridge
        Strength of the penalty relative to a unit's variance, above 0.

    Returns
    -------
        Accuracy of every set. NaN where the exemplars of a set do not vary, where no exemplar of
        a token is left to test, and on NaN.

    Raises
    ------
    InputError
        With a penalty that is not positive.
    """
    _check_ridge(ridge)
    *batch, n, n_units = patterns.shape
    names, index = np.unique(token, return_inverse=True)
    weights = np.stack([_test_weights(index, ~np.isin(group, group[s])) for s in sets])
    labels = one_hot(index, len(names))[sets]
    accuracy = np.full((int(np.prod(batch)), len(sets)), np.nan)
    for x, out in zip(patterns.reshape(-1, n, n_units), accuracy, strict=True):
        centred = x - x.mean(axis=0, dtype=np.float64)
        if not _varies(x, centred):
            continue
        score = _few_shot_scores(centred @ centred.T, sets, labels, ridge / n_units)
        right = score.argmax(axis=-1) == index
        known = np.isfinite(score).all(axis=(-1, -2))
        out[:] = np.where(known, np.sum(right * weights, axis=-1), np.nan)
    return accuracy.reshape(*batch, len(sets))


def _test_weights(index: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Weights of test exemplars that sum to 1 within and then over tokens; NaN if one has none."""
    counts = np.bincount(index[tested], minlength=index.max() + 1)
    if counts.min() == 0:
        return np.full(len(index), np.nan)
    return tested / counts[index] / len(counts)


def _few_shot_scores(
    gram: np.ndarray, sets: np.ndarray, labels: np.ndarray, ridge: float
) -> np.ndarray:
    """Predictions (repeat, exemplar, token) of ridge regressions with a constant, dual form."""
    rows = gram[sets]
    inner = np.take_along_axis(rows, sets[:, None, :], axis=2)
    # double centring of the set's own Gram matrix is centring of its patterns, which are not formed
    shift = inner.mean(axis=1, keepdims=True)
    inner = inner - shift - np.swapaxes(shift, 1, 2) + shift.mean(axis=2, keepdims=True)
    size = np.trace(inner, axis1=1, axis2=2)
    varies = size > 1e-12 * np.trace(gram) / len(gram)
    penalty = np.where(varies, ridge * size, 1)
    system = inner + penalty[:, None, None] * np.eye(inner.shape[1])
    base = labels.mean(axis=1, keepdims=True)
    weight = np.linalg.solve(system, labels - base)
    score = np.swapaxes(rows, 1, 2) @ weight
    # the constant: the Gram matrix is centred on all exemplars, the fit on those of its set
    score += base - np.take_along_axis(score, sets[:, :, None], axis=1).mean(axis=1, keepdims=True)
    return np.where(varies[:, None, None], score, np.nan)
