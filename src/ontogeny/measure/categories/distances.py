"""The geometry of tokens in each layer: how far they are apart, and when their branches part.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.dimension import DIMENSION, dimension, dimension_of
from ontogeny.measure.categories.layers import Layer, Part, over_layers
from ontogeny.measure.categories.likeness import CKA, cka, layer_similarity, similarity_of
from ontogeny.measure.categories.likeness_models import BEYOND_PIXELS, RSA, pixel_models
from ontogeny.measure.quantity import Chance, Draws, Quantity
from ontogeny.progress import Progress
from ontogeny.stats.differentiation import (
    split_separation,
    split_steps,
    token_tree,
    tree_splits,
)
from ontogeny.stats.rdm import crossnobis_rdm, fold_means, noise_precision

__all__ = [
    "CKA",
    "DIMENSION",
    "RDM",
    "RSA",
    "cka",
    "differentiation",
    "dimension",
    "dimension_of",
    "distances_of",
    "layer_similarity",
    "pixel_models",
    "rdm",
    "similarity_of",
]

_BOUND = "split_bound, where it was measured: tokens shuffled over the deviations of exemplars"
RDM = {
    "crossnobis": Quantity(
        ("step", "token", "token_b"), "1", "cross-validated squared Mahalanobis distance of two "
        "tokens per unit, the noise being that within tokens at that layer and step; 0 on average "
        "where tokens do not differ, so it may be negative",
        "too few groups for folds, a token that is absent, a silent layer, a unit that is constant "
        "within every token but not between them, or NaN activations",
        "0 on average where tokens do not differ"),
    "split_separation": Quantity(
        ("step", "split_node"), "1", "squared distance (crossnobis) between the centres of the two "
        "sides of each split of the last step's token tree", "as crossnobis", _BOUND),
    "split_side": Quantity(
        ("split_node", "token"), "1", "side on which a token lies of each split, from the root of "
        "the last step's tree down: 1 and -1, 0 where it is not below the split", "as crossnobis"),
    "split_height": Quantity(
        ("split_node",), "1", "mean distance (crossnobis) between the two sides of each split at "
        "the last step", "as crossnobis", _BOUND),
    "split_after": Quantity(
        ("split_node",), "steps", "step of the last snapshot at which the two sides are less than "
        "half as far apart (squared) as at the last step", "as crossnobis; a split that is gone"),
    "split_by": Quantity(
        ("split_node",), "steps", "step of the next snapshot, from which the two sides stay more "
        "than half as far apart as at the last step", "as split_after"),
    "split_confidence_after": Quantity(
        ("split_node",), "steps", "lower end of the split's 95 % confidence interval, groups of "
        "exemplars resampled within folds", "as split_after"),
    "split_confidence_by": Quantity(
        ("split_node",), "steps", "upper end of the split's 95 % confidence interval",
        "as split_after"),
}  # fmt: skip


def rdm(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure distances between tokens in every layer and at every step, and what they resemble.

    Returns
    -------
    xr.Dataset
        `crossnobis` (step, layer, token, token_b), unbiased; `rsa_token`, `rsa_pixels` and
        `rsa_token_beyond_pixels` (step, layer), rank correlations of exemplar-level distances.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    Distances in the last hidden layer: cleo is far from the two with the same hair.

    >>> found = ont.measure.rdm(record).isel(step=-1).sel(layer="fc1")
    >>> found.crossnobis.to_pandas().round(2)
    token_b   ada    bo  cleo
    token
    ada      0.00  0.37  1.14
    bo       0.37  0.00  1.31
    cleo     1.14  1.31  0.00
    """
    models = RSA | BEYOND_PIXELS
    kernels: list[Part] = [(distances_of, RDM), (pixel_models(everything=True), models)]
    data = over_layers(record, kernels, chance=chance, progress=progress)
    return data[["crossnobis", *models]]


def differentiation(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure when the branches of each layer's token tree part.

    The tree is that of the last step (average linkage of crossnobis distances), followed back.

    Returns
    -------
    xr.Dataset
        Over (layer, split_node), splits from the root down: `split_side` (token),
        `split_separation` (step), `split_height`, and the interval of steps in which each split
        came to stay, `split_after`, `split_by`, with its 95 % confidence interval.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    The first split is that of cleo from ada and bo, the second that of these two:

    >>> found = ont.measure.differentiation(record).sel(layer="fc1")
    >>> found.split_side.to_pandas()
    token       ada   bo  cleo
    split_node
    0          -1.0 -1.0   1.0
    1           1.0 -1.0   0.0
    >>> print(found.split_after.values, found.split_by.values)
    [45. 84.] [ 84. 159.]
    """
    data = over_layers(record, [(distances_of, RDM)], chance=chance, progress=progress)
    return data[["crossnobis", *(name for name in RDM if name.startswith("split"))]]


def distances_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return crossnobis distances at every step and the splits of the last step's tree."""
    draws, n = layer.draws, layer.draws.n_tokens
    shape = (len(layer.patterns), n, n)
    if draws.fold.max() == 0 or len(draws.present) < n:
        return {"crossnobis": np.full(shape, np.nan)}
    found = np.full(shape, np.nan)
    again = np.full((len(draws.weights), *shape), np.nan, dtype=np.float32)
    for k, x in enumerate(layer.patterns):
        precision = noise_precision(x, draws.probe.token, n)
        if np.isfinite(precision).all():
            means = fold_means(x, draws.probe.token, draws.fold, n)
            found[k] = crossnobis_rdm(means, precision)
            if not layer.is_pixels:
                again[:, k] = _resampled_distances(x, precision, draws)
    return {"crossnobis": found} | ({} if layer.is_pixels else _splits(found, again, draws))


def _resampled_distances(x: np.ndarray, precision: np.ndarray, draws: Draws) -> np.ndarray:
    """Return crossnobis distances [resample, token, token], groups resampled within folds.

    Folds and precision stay; with S_f the token means of fold f and S their sum over F folds,
    the mean over pairs of different folds is (S'PS - sum_f S_f'PS_f) / (F (F - 1)).
    """
    n_units, n_folds = x.shape[1], int(draws.fold.max()) + 1
    x = x - x.mean(axis=0, dtype=np.float64)
    root = np.linalg.cholesky(precision + 1e-12 * np.trace(precision) / n_units * np.eye(n_units))
    white = (x @ root).astype(np.float32)
    shape = (len(draws.weights), draws.n_tokens, n_units)
    total, own = np.zeros(shape, dtype=np.float32), np.zeros((*shape[:2], shape[1]))
    for fold in range(n_folds):
        means = np.zeros(shape, dtype=np.float32)
        for c in draws.present:
            chosen = (draws.fold == fold) & (draws.probe.token == c)
            weight = draws.weights[:, chosen] + 1e-9  # a cell that no draw hit: all alike
            means[:, c] = (weight / weight.sum(axis=1)[:, None]).astype("f4") @ white[chosen]
        own += means @ np.swapaxes(means, 1, 2)
        total += means
    inner = (total @ np.swapaxes(total, 1, 2) - own) / (n_folds * (n_folds - 1) * n_units)
    square = np.diagonal(inner, axis1=1, axis2=2)
    return square[:, :, None] + square[:, None] - 2 * inner


def _splits(found: np.ndarray, again: np.ndarray, draws: Draws) -> dict[str, np.ndarray]:
    """Follow the splits of the last step's tree back, with intervals over resamples."""
    if not np.isfinite(found[-1]).all() or draws.n_tokens < 2:
        return {}
    tree = token_tree(found[-1])
    splits = tree_splits(tree)
    separation, resampled = split_separation(found, splits), split_separation(again, splits)
    interval = split_steps(separation, draws.steps)
    each = np.stack([split_steps(r.astype(np.float64), draws.steps) for r in resampled])
    low, high = _bounds(each[..., 0], 0.025), _bounds(each[..., 1], 0.975)
    return {
        "split_separation": separation, "split_side": splits, "split_height": tree[::-1, 2],
        "split_after": interval[:, 0], "split_by": interval[:, 1],
        "split_confidence_after": np.fmin(low, interval[:, 0]),
        "split_confidence_by": np.fmax(high, interval[:, 1]),
    }  # fmt: skip


def _bounds(values: np.ndarray, share: float) -> np.ndarray:
    """Return a quantile over resamples; NaN where more than 5 % of them have no such split."""
    gone = np.isnan(values).mean(axis=0) > 0.05
    filled = np.where(np.isnan(values), np.inf if share > 0.5 else -np.inf, values)
    return np.where(gone, np.nan, np.quantile(filled, share, axis=0, method="nearest"))
