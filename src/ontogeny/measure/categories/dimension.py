"""How many dimensions exemplars fill: all, those of each token, and at several scales.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import Layer, draws_of, layers_of, over_layers
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.progress import Progress
from ontogeny.schedule import evenly_spaced
from ontogeny.stats.dimension import gride, participation_ratio, two_nn
from ontogeny.stats.tokens import token_residuals

SCALES = (1, 2, 4, 8, 16)
"""Neighbours k of Gride: the distances to the k-th and 2k-th are compared."""
SCALE_STEPS = 5
"""Snapshots at which scales are compared."""
_SILENT = "a silent layer or NaN activations"
_FEW = "fewer than 10 distinct patterns, a silent layer, or NaN activations"
DIMENSION = {
    "participation_ratio": Quantity(
        ("step",), "dimensions", "participation ratio tr(S)^2 / tr(S^2) of the covariance of "
        "held-out exemplars, without small-sample bias", _SILENT),
    "participation_ratio_within": Quantity(
        ("step",), "dimensions", "participation ratio of what distinguishes exemplars of one and "
        "the same token (residuals from token means)", _SILENT),
    "two_nn": Quantity(
        ("step",), "dimensions", "intrinsic dimension from the ratio of the distances to the two "
        "nearest neighbours of other groups (TwoNN)", _FEW),
    "token_participation_ratio": Quantity(
        ("step", "token"), "dimensions", "participation ratio of the covariance of one token's "
        "held-out exemplars, without small-sample bias",
        "a token with fewer than 4 held-out exemplars or whose exemplars are all the same, or NaN "
        "activations"),
    "token_two_nn": Quantity(
        ("step", "token"), "dimensions", "intrinsic dimension of one token's held-out exemplars "
        "(TwoNN, neighbours of other groups)",
        "fewer than 10 distinct patterns of the token, too few groups, or NaN activations"),
}  # fmt: skip
GRIDE = {
    "gride": Quantity(
        ("scale_step", "layer", "scale"), "dimensions", "intrinsic dimension of held-out exemplars "
        "from the distances to their k-th and 2k-th neighbours of other groups (Gride); k = 1 is "
        "TwoNN", f"fewer than 2k + 1 patterns, {_FEW}"),
}  # fmt: skip


def dimension(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure how many dimensions the exemplars fill in every layer and at every step.

    Returns
    -------
    xr.Dataset
        Over (step, layer): `participation_ratio`, `participation_ratio_within` tokens, `two_nn`;
        over (step, layer, token), exemplars of one token only: `token_participation_ratio`,
        `token_two_nn`; `gride` of :func:`dimension_scales`.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    What there is of dimensions in the pixels, and what the layers leave of them:

    >>> found = ont.measure.dimension(record).isel(step=[0, -1])
    >>> found.participation_ratio.to_pandas().round(1)
    layer  pixels  conv1  conv2  fc1  logits
    step
    0        10.3    3.0    3.1  2.2     1.7
    300      10.3    3.2    3.5  2.9     1.3
    """
    data = over_layers(record, [(dimension_of, DIMENSION)], chance=chance, progress=progress)
    return data[list(DIMENSION)].merge(dimension_scales(record, chance=chance))


def dimension_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return participation ratios and TwoNN at every step, of all exemplars and of each token's."""
    draws, x = layer.draws, layer.patterns
    token, group = draws.probe.token, _groups(draws.probe.group)
    within = token_residuals(x, token, draws.n_tokens)
    shape = (len(x), draws.n_tokens)
    linear, intrinsic = np.full(shape, np.nan), np.full(shape, np.nan)
    for c in draws.present:
        own = np.flatnonzero(token == c)
        linear[:, c] = participation_ratio(x[:, own])
        if len(own) > 2:
            intrinsic[:, c] = two_nn(x[:, own], group=group[own])
    return {
        "participation_ratio": participation_ratio(x),
        "participation_ratio_within": participation_ratio(within),
        "two_nn": two_nn(x, group=group),
        "token_participation_ratio": linear,
        "token_two_nn": intrinsic,
    }


def dimension_scales(
    record: xr.Dataset, *, count: int = SCALE_STEPS, chance: Chance | None = None
) -> xr.Dataset:
    """Measure the intrinsic dimension at several scales (Gride), at a few snapshots.

    Where near-duplicates or noise govern the nearest neighbours, the smallest scales lie far off
    the others. Exemplars of one group are not neighbours of each other.

    Parameters
    ----------
    record
        A record.
    count
        How many snapshots, evenly spaced, the first and the last among them.
    chance
        How folds are drawn (not used by this measure).

    Returns
    -------
    xr.Dataset
        `gride` (scale_step, layer, scale), dimensions; scale k compares the distances to the k-th
        and 2k-th neighbour, k = 1 being TwoNN.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    Seen from further away, the exemplars lie along fewer dimensions:

    >>> found = ont.measure.dimension_scales(record, count=2)
    >>> found.gride.sel(layer="fc1").to_pandas().round(1)
    scale        1    2    4    8    16
    scale_step
    0           4.6  4.3  3.2  2.6  2.1
    300         4.1  3.3  3.3  2.4  2.0
    """
    places = evenly_spaced(record.sizes["step"], count)
    few = record.isel(step=places)
    names, found = [], []
    for layer in layers_of(few, draws_of(few, chance or Chance())):
        group = _groups(layer.draws.probe.group)
        values = gride(layer.patterns, _possible(len(group)), group=group)
        full = np.full((len(values), len(SCALES)), np.nan)
        full[:, : values.shape[1]] = values
        found.append(np.broadcast_to(full, (len(places), len(SCALES))))
        names.append(layer.name)
    where = {"scale_step": few["step"].values, "layer": names, "scale": list(SCALES)}
    return label({"gride": np.stack(found, axis=1).astype(np.float32)}, GRIDE, where)


def _possible(n_exemplars: int) -> tuple[int, ...]:
    """Return the scales that have so many neighbours, the smallest among them in any case."""
    return tuple(k for k in SCALES if k == 1 or 2 * k < n_exemplars)


def _groups(group: np.ndarray) -> np.ndarray:
    """Return groups as integers."""
    return np.unique(group, return_inverse=True)[1]
