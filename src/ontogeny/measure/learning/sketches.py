"""A first look at a record that still grows: plain, quick, without nulls and intervals.

Nothing of it is a finding. It is drawn until the run is measured, and says so in its definitions;
its names begin with `sketch_`, so that nobody takes it for the measure of that kind. May import
numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

from collections.abc import MutableMapping

import numpy as np
import xarray as xr

from ontogeny.measure.categories.signals import answers
from ontogeny.measure.probe import Probe, held_out, require, units_of_layers
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.groups import grouped_folds
from ontogeny.stats.lives import confusion
from ontogeny.stats.rdm import crossnobis_rdm, fold_means
from ontogeny.stats.tokens import token_counts, token_means, token_residuals

MAPS = 8
"""Steps of the map."""
TOP = 6
"""Exemplars kept of each unit."""
SO_FAR = "so far, without null or interval until the run is measured"

SKETCH = {
    "sketch_confusion": Quantity(
        ("step", "token", "token_b"), "1", "share of a token's held-out exemplars that are "
        f"classified as each token ({SO_FAR})", "a token without exemplars, or NaN logits"),
    "sketch_distance": Quantity(
        ("step", "layer", "token", "token_b"), "1", "squared distance of two tokens' mean "
        "activations in a layer, cross-validated between two halves of the probe, over the layer's "
        f"variance within tokens; 0 on average where tokens do not differ ({SO_FAR})",
        "a layer that is constant within tokens, a token or a half that is absent, or NaN "
        "activations"),
    "sketch_response": Quantity(
        ("step", "unit", "token"), "1", "mean activation over the token's exemplars less that over "
        f"the others, over the standard deviation over all exemplars ({SO_FAR})",
        "a unit that is constant, or a token without exemplars"),
    "sketch_map": Quantity(
        ("map_step", "layer", "exemplar", "axis"), "a.u.", "place of an exemplar along the first "
        "two principal components of the layer's activations at the last recorded step, onto which "
        f"those of earlier steps are projected ({SO_FAR})", "NaN activations"),
    "sketch_map_share": Quantity(
        ("map_step", "layer"), "1", "share of the layer's variance over exemplars at that step "
        f"that the two axes of the map hold ({SO_FAR})", "a layer that is constant"),
    "sketch_top_exemplar": Quantity(
        ("unit", "rank"), "1", "place in the record of the exemplar that drives the unit most at "
        "the last recorded step, by rank and by maximum over positions; -1: none drives it "
        f"({SO_FAR})"),
    "sketch_top_response": Quantity(
        ("unit", "rank"), "a.u.", f"activation_maximum of sketch_top_exemplar ({SO_FAR})",
        "no exemplar drives the unit"),
}  # fmt: skip

Known = MutableMapping[str, dict[str, np.ndarray]]
"""Hash of a step's weights -> what was computed of that step."""


def sketch(record: xr.Dataset, *, known: Known | None = None) -> xr.Dataset:
    """Sketch category structure and detectors of a record as far as it goes.

    Parameters
    ----------
    record
        A record, also one that still grows.
    known
        What earlier calls on the same record computed of its steps; filled by this one.

    Returns
    -------
    xr.Dataset
        `sketch_confusion` (step, token, token_b), `sketch_distance` (step, layer, token, token_b),
        `sketch_response` (step, unit, token); `sketch_map` (map_step, layer, exemplar, axis) with
        `sketch_map_share` (map_step, layer), at up to `MAPS` steps that are even along log(1 +
        step); `sketch_top_exemplar`, `sketch_top_response` (unit, rank).

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    What a record shows before it is complete, and how much of each layer the plane shows:

    >>> found = ont.measure.sketch(record.isel(step=slice(0, 5)))
    >>> found.map_step.values.tolist()
    [0, 1, 2, 4, 7]
    >>> print(found.sketch_map_share.isel(map_step=-1).values.round(2))
    [0.74 0.88 0.93 0.99]
    """
    require(record, "activation", "activation_maximum", "logit", "layer")
    probe, layers, steps = held_out(record), units_of_layers(record), record["step"].values
    rows = _rows(record, probe, layers, {} if known is None else known)
    at = _spread(steps, MAPS)
    places, share = _maps(record, probe, layers, at)
    top, response = _top(record, probe)
    values = {
        "sketch_confusion": confusion(answers(record, probe), probe.token, len(probe.tokens)),
        "sketch_distance": rows["distance"], "sketch_response": rows["response"],
        "sketch_map": places, "sketch_map_share": share,
        "sketch_top_exemplar": top, "sketch_top_response": response,
    }  # fmt: skip
    tokens = list(probe.tokens)
    where = {
        "step": steps, "map_step": steps[at], "layer": list(layers), "token": tokens,
        "token_b": tokens, "unit": record["unit"].values,
        "exemplar": record["exemplar"].values[probe.position],
    }  # fmt: skip
    return label(values, SKETCH, where, always_missing=True)


def _rows(
    record: xr.Dataset, probe: Probe, layers: dict[str, np.ndarray], known: Known
) -> dict[str, np.ndarray]:
    """Return what is computed of each step on its own, one step in memory at a time."""
    fold = _halves(probe)
    found = []
    for k, digest in enumerate(record["weights_hash"].values.astype(str).tolist()):
        # by the hash of weights: a record that grew or was cut has the same rows where
        # nothing changed
        if digest not in known:
            patterns = record["activation"].isel(step=k).values[probe.position].astype(np.float64)
            known[digest] = {
                "distance": _distances(patterns, probe, fold, layers).astype(np.float32),
                "response": _responses(patterns, probe).astype(np.float32),
            }
        found.append(known[digest])
    return {name: np.stack([row[name] for row in found]) for name in ("distance", "response")}


def _halves(probe: Probe) -> np.ndarray:
    """Return a half of the probe for each exemplar, groups whole; all 0 with a single group."""
    if len(np.unique(probe.group)) < 2:
        return np.zeros(len(probe.token), dtype=np.int64)
    rng = np.random.default_rng(0)
    return grouped_folds(probe.token, probe.group, n_folds=2, rng=rng)


def _distances(
    patterns: np.ndarray, probe: Probe, fold: np.ndarray, layers: dict[str, np.ndarray]
) -> np.ndarray:
    """Return distances of tokens, [layer, token, token]."""
    n = len(probe.tokens)
    means = fold_means(patterns, probe.token, fold, n)
    within = token_residuals(patterns, probe.token, n).var(axis=0)
    found = []
    for units in layers.values():
        spread = within[units].mean()
        # across two halves, so that noise common to both sides of the difference has no part in it
        distance = crossnobis_rdm(means[:, :, units])
        found.append(distance / spread if spread > 0 else np.full_like(distance, np.nan))
    return np.stack(found)


def _responses(patterns: np.ndarray, probe: Probe) -> np.ndarray:
    """Return the response of each unit to each token, [unit, token]."""
    count = token_counts(probe.token, len(probe.tokens))[:, None]
    total, n = patterns.sum(axis=0), len(patterns)
    own = token_means(patterns, probe.token, len(probe.tokens))
    rest = (total - own * count) / np.maximum(n - count, 1)
    spread = patterns.std(axis=0)
    gap = np.where(count < n, own - rest, np.nan)
    return np.divide(gap, spread, where=spread > 0, out=np.full(gap.shape, np.nan)).T


def _maps(
    record: xr.Dataset, probe: Probe, layers: dict[str, np.ndarray], at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return places, [map step, layer, exemplar, axis], and the share of variance they hold."""
    read = [record["activation"].isel(step=int(k)).values[probe.position] for k in at]
    patterns = np.stack(read).astype(np.float64)
    places, shares = [], []
    for units in layers.values():
        own = patterns[:, :, units]
        axes, centre = _axes(own[-1])
        # axes of the last step for all: what moves on the map has moved in the layer
        place = (own - centre) @ axes
        total = own.var(axis=1).sum(axis=1)
        held = place.var(axis=1).sum(axis=1)
        shares.append(np.divide(held, total, where=total > 0, out=np.full(len(at), np.nan)))
        places.append(place)
    return np.stack(places, axis=1), np.stack(shares, axis=1)


def _axes(patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two directions of most variance, [unit, 2], and the centre.

    Each axis points to where its largest weight is positive, so that maps of steps that differ
    little look alike. A layer of one unit has one axis, and 0 along the other.
    """
    centre = patterns.mean(axis=0)
    if not np.isfinite(centre).all():
        return np.full((patterns.shape[1], 2), np.nan), centre
    _, vectors = np.linalg.eigh(np.cov(patterns, rowvar=False).reshape(len(centre), -1))
    axes = vectors[:, ::-1][:, :2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    return np.pad(axes, [(0, 0), (0, 2 - axes.shape[1])]), centre


def _top(record: xr.Dataset, probe: Probe) -> tuple[np.ndarray, np.ndarray]:
    """Return the exemplars that drive each unit most at the last step, and their activations."""
    values = record["activation_maximum"].isel(step=-1).values[probe.position]
    known = np.where(np.isnan(values), -np.inf, values)
    rank = np.argsort(-known, axis=0, kind="stable")[:TOP]
    response = np.take_along_axis(known, rank, axis=0)
    drives = response > np.minimum(known.min(axis=0), 0)  # a rectified unit's 0 is no response
    top = np.where(drives, probe.position[rank], -1)
    return top.T, np.where(drives, response, np.nan).T


def _spread(steps: np.ndarray, count: int) -> np.ndarray:
    """Return places of at most `count` steps, even along log(1 + step), the last among them."""
    known = np.log1p(steps.astype(float))
    # even in the logarithm, as a network changes most at its beginning
    wanted = np.linspace(known[0], known[-1], count)
    return np.unique([int(np.abs(known - w).argmin()) for w in wanted])
