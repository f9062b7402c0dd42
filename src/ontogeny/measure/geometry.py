"""The geometry of exemplars and tokens in each layer: distances, models, alignment, dimension.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.layers and below only.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories import Chance, Progress
from ontogeny.measure.layers import Draws, Kernel, Layer, Quantity, draws_of, layers_of, over_layers
from ontogeny.stats.cka import cka_matrix, within_token_cka
from ontogeny.stats.differentiation import (
    split_separation,
    split_steps,
    token_tree,
    tree_splits,
)
from ontogeny.stats.dimension import participation_ratio, two_nn
from ontogeny.stats.rdm import (
    crossnobis_rdm,
    fold_means,
    identity_rdm,
    noise_precision,
    partial_rank_correlation,
    rank_correlation,
    squared_euclidean_rdm,
    upper_triangle,
)
from ontogeny.stats.tokens import token_residuals

PER_TOKEN = 30
"""Exemplars of each token in exemplar-level RDMs: their pairs are enough for two digits."""
SIMILARITY_STEPS = 3
"""Snapshots at which layers are compared with each other."""

RDM = {
    "crossnobis": Quantity(
        ("step", "token", "token_b"), "1", "cross-validated squared Mahalanobis distance of two "
        "tokens per unit, the noise being that within tokens at that layer and step; 0 on average "
        "where tokens do not differ, so it may be negative",
        "too few groups for folds, a token that is absent, a silent layer, a unit that is constant "
        "within every token but not between them, or NaN activations"),
    "split_separation": Quantity(
        ("step", "split_node"), "1", "squared distance (crossnobis) between the centres of the two "
        "sides of each split of the last step's token tree", "as crossnobis"),
    "split_side": Quantity(
        ("split_node", "token"), "1", "side on which a token lies of each split, from the root of "
        "the last step's tree down: 1 and -1, 0 where it is not below the split", "as crossnobis"),
    "split_height": Quantity(
        ("split_node",), "1", "mean distance (crossnobis) between the two sides of each split at "
        "the last step", "as crossnobis"),
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
_RHO = f"of squared Euclidean distances of exemplars, {PER_TOKEN} of each token at most"
RSA = {
    "rsa_token": Quantity(("step",), "1", "Spearman correlation with the model in which exemplars "
                          f"of different tokens are equally far apart, {_RHO}", "a silent layer"),
    "rsa_pixels": Quantity(("step",), "1", f"Spearman correlation with pixel distances, {_RHO}",
                           "a silent layer, or no images in the record"),
    "rsa_token_beyond_pixels": Quantity(
        ("step",), "1", f"partial Spearman correlation with the token model, pixel distances "
        f"regressed out, {_RHO}", "a silent layer, pixels themselves, or no images"),
}  # fmt: skip
DIMENSION = {
    "participation_ratio": Quantity(
        ("step",), "dimensions", "participation ratio tr(S)^2 / tr(S^2) of the covariance of "
        "held-out exemplars, without small-sample bias", "a silent layer or NaN activations"),
    "participation_ratio_within": Quantity(
        ("step",), "dimensions", "participation ratio of what distinguishes exemplars of one and "
        "the same token (residuals from token means)", "a silent layer or NaN activations"),
    "two_nn": Quantity(
        ("step",), "dimensions", "intrinsic dimension from the ratio of the distances to the two "
        "nearest neighbours of other groups (TwoNN)",
        "fewer than 10 distinct patterns, a silent layer, or NaN activations"),
}  # fmt: skip
CKA = {
    "cka": Quantity(("step", "step_b"), "1", "debiased linear CKA of the layer with itself at "
                    "another step; 0 on average for unrelated responses, 1 for the same",
                    "a silent layer, fewer than 4 exemplars, or pixels, which do not change"),
    "cka_within": Quantity(("step", "step_b"), "1", "debiased linear CKA of what distinguishes "
                           "exemplars of one and the same token", "as cka"),
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
    """
    data = over_layers(
        record, [(distances_of, RDM), (pixel_models(), RSA)], chance=chance, progress=progress
    )
    return data[["crossnobis", *RSA]]


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
    """
    data = over_layers(record, [(distances_of, RDM)], chance=chance, progress=progress)
    return data[["crossnobis", *(name for name in RDM if name.startswith("split"))]]


def dimension(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure how many dimensions the exemplars fill in every layer and at every step.

    Returns
    -------
    xr.Dataset
        Over (step, layer): `participation_ratio`, `participation_ratio_within` tokens, `two_nn`.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.
    """
    data = over_layers(record, [(dimension_of, DIMENSION)], chance=chance, progress=progress)
    return data[list(DIMENSION)]


def cka(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure how alike each layer's responses are at any two steps, and layers at a few steps.

    Returns
    -------
    xr.Dataset
        `cka`, `cka_within` (layer, step, step_b); `layer_cka` (similarity_step, layer, layer_b).

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.
    """
    data = over_layers(record, [(similarity_of, CKA)], chance=chance, progress=progress)
    return data[list(CKA)].merge(layer_similarity(record, chance=chance))


def distances_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return crossnobis distances at every step and the splits of the last step's tree."""
    draws, n = layer.draws, layer.draws.n_tokens
    shape = (len(layer.patterns), n, n)
    if draws.fold.max() == 0 or len(draws.present) < n:
        return {"crossnobis": np.full(shape, np.nan)}
    found, again = np.full(shape, np.nan), np.full((len(shape), *shape), np.nan)
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


def pixel_models() -> Kernel:
    """Return the kernel that compares exemplar distances with tokens and the pixels, seen first."""
    pixels: dict[str, np.ndarray] = {}

    def kernel(layer: Layer) -> dict[str, np.ndarray]:
        token = layer.draws.probe.token
        chosen = np.sort(np.concatenate([np.flatnonzero(token == c)[:PER_TOKEN]
                                         for c in layer.draws.present]))  # fmt: skip
        model = upper_triangle(identity_rdm(token[chosen]))
        pairs = np.stack([upper_triangle(squared_euclidean_rdm(x[chosen])) for x in layer.patterns])
        silent = ~(np.ptp(pairs, axis=1) > 0)
        pairs[silent] = np.nan
        if layer.is_pixels:
            pixels["pairs"] = pairs[0]
        found = {"rsa_token": rank_correlation(pairs, model[None])[:, 0]}
        if "pairs" in pixels and np.isfinite(pixels["pairs"]).all():
            own = pixels["pairs"]
            found["rsa_pixels"] = rank_correlation(pairs, own[None])[:, 0]
            if not layer.is_pixels:
                beyond = partial_rank_correlation(pairs, model, own[None])
                found["rsa_token_beyond_pixels"] = beyond
        return found

    return kernel


def dimension_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return participation ratios and TwoNN at every step."""
    draws, x = layer.draws, layer.patterns
    group = np.unique(draws.probe.group, return_inverse=True)[1]
    within = token_residuals(x, draws.probe.token, draws.n_tokens)
    return {
        "participation_ratio": participation_ratio(x),
        "participation_ratio_within": participation_ratio(within),
        "two_nn": two_nn(x, group=group),
    }


def similarity_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return debiased CKA between all steps, plain and within tokens."""
    if layer.is_pixels:
        return {}
    draws = layer.draws
    steps = list(layer.patterns)
    within = within_token_cka(steps, draws.probe.token, draws.n_tokens)
    return {"cka": cka_matrix(steps), "cka_within": within}


def layer_similarity(
    record: xr.Dataset, *, count: int = SIMILARITY_STEPS, chance: Chance | None = None
) -> xr.Dataset:
    """Return debiased CKA between layers at a few snapshots, first and last among them."""
    n_steps = record.sizes["step"]
    places = np.unique(np.linspace(0, n_steps - 1, count).round().astype(int))
    few = record.isel(step=places)
    layers = list(layers_of(few, draws_of(few, chance or Chance())))
    tables = [cka_matrix([x.patterns[min(k, len(x.patterns) - 1)] for x in layers])
              for k in range(len(places))]  # fmt: skip
    names = [layer.name for layer in layers]
    coordinates = {"similarity_step": few["step"].values, "layer": names, "layer_b": names}
    attributes = {"units": "1", "long_name": "debiased linear CKA of two layers at one step"}
    table = (("similarity_step", "layer", "layer_b"), np.stack(tables), attributes)
    return xr.Dataset({"layer_cka": table}, coordinates)
