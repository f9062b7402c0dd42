"""Maps of the exemplars that can be compared between steps, with what they keep and what they add.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.layers import Layer, over_layers
from ontogeny.measure.quantity import Chance, Quantity
from ontogeny.progress import Progress
from ontogeny.schedule import evenly_spaced
from ontogeny.stats.embedding import mds_map, neighbour_map, pca_map
from ontogeny.stats.mapquality import data_motion, map_motion, map_quality
from ontogeny.stats.rdm import squared_euclidean_rdm

FRAMES = 13
"""Snapshots that are mapped by default, evenly spaced along the record, first and last included."""
KINDS = {"neighbour": neighbour_map, "mds": mds_map, "pca": pca_map}
SHOWN = ("map", "trustworthiness", "jitter", "own_neighbours", "trustworthiness_pca")
"""What is made unless everything is asked for."""
_MISSING = "a silent layer, NaN activations, or too few exemplars for the map"
_TRUSTWORTHINESS = ("share kept of neighbourhoods: are the 10 nearest on the map neighbours in the "
                    "layer? 1 all, about 0.5 chance")  # fmt: skip
_CONTINUITY = "are the 10 nearest in the layer neighbours on the map? 1 all, about 0.5 chance"
_JITTER = ("mean motion of an exemplar on the map since the frame before, beyond its own motion in "
           "the layer")  # fmt: skip
_NO_JITTER = f"the first frame, pixels, {_MISSING}"
_CHANCE = "about 0.5 by chance"
MAPS = {
    "map": Quantity(("step", "exemplar", "axis"), "radii", "", _MISSING),
    "trustworthiness": Quantity(("step",), "1", _TRUSTWORTHINESS, _MISSING, _CHANCE),
    "continuity": Quantity(("step",), "1", _CONTINUITY, _MISSING, _CHANCE),
    "jitter": Quantity(("step",), "radii", _JITTER, _NO_JITTER),
    "own_neighbours": Quantity(("step",), "1", "share of an exemplar's 10 nearest in the layer "
                               "(not on the map) that are of its own token, mean over exemplars; "
                               "its share of the probe by chance", _MISSING,
                               "the token's share of the probe"),
}  # fmt: skip
_WORDS = {
    "neighbour": "neighbourhoods kept (t-SNE, all frames of a layer fitted together)",
    "mds": "distances kept as well as a plane can (metric scaling, all frames fitted together)",
    "pca": "the first two principal axes of all frames together",
}


BESIDE = {
    "mds": "distances kept as well as a plane can: metric scaling",
    "pca": "the floor: two principal axes for all steps",
}
"""Maps that are given beside the one asked for, so that what all show can be told from what the
method makes: distances from the one, and what a linear camera sees from the other."""
for _kind, _words in BESIDE.items():
    MAPS |= {
        f"map_{_kind}": Quantity(("step", "exemplar", "axis"), "radii", "", _MISSING),
        f"trustworthiness_{_kind}": Quantity(
            ("step",),
            "1",
            f"trustworthiness of map_{_kind} ({_words}): {_TRUSTWORTHINESS}",
            _MISSING,
            _CHANCE,
        ),
        f"continuity_{_kind}": Quantity(
            ("step",),
            "1",
            f"continuity of map_{_kind} ({_words}): {_CONTINUITY}",
            _MISSING,
            _CHANCE,
        ),
        f"jitter_{_kind}": Quantity(
            ("step",), "radii", f"jitter of map_{_kind} ({_words}): {_JITTER}", _NO_JITTER
        ),
    }


def maps(
    record: xr.Dataset,
    *,
    kind: str = "neighbour",
    frames: int = FRAMES,
    everything: bool = False,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Map the held-out exemplars of every layer at a few steps, so that frames can be compared.

    Parameters
    ----------
    record
        A record with activations and logits.
    kind
        Of `map`: neighbour, mds or pca.
    frames
        Snapshots that are mapped.
    everything
        Whether to draw maps by distances beside it, too, and to give what nothing of the report
        or the page shows: see Returns.
    chance, progress
        Seed; told what is being done and how far it is.

    Returns
    -------
    xr.Dataset
        `map` (map_step, layer, exemplar, axis) of that kind; over (map_step, layer), what it keeps
        and adds, `trustworthiness` and `jitter`; `trustworthiness_pca`, what the linear floor
        keeps; and `own_neighbours`, how many of an exemplar's nearest in the layer are of its
        token. With `everything` also `continuity`, and all four of maps by distances (`map_mds`
        ...) and of the linear floor (`map_pca` ...).
        One layer at a time is in memory, and for it one float32 matrix [exemplar, exemplar] for
        each frame: 13 MB for 13 frames of 500 exemplars (see `ontogeny.stats.embedding`).

    Raises
    ------
    InputError
        If `kind` is not neighbour, mds or pca, fewer than 1 frame is asked for, or the record lacks
        activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    How many of the nearest of an exemplar are of its token, in each layer before and after:

    >>> found = ont.measure.maps(record, kind="pca", frames=2)
    >>> found["map"].dims
    ('map_step', 'layer', 'exemplar', 'axis')
    >>> found.own_neighbours.to_pandas().round(2)
    layer     pixels  conv1  conv2   fc1  logits
    map_step
    0           0.42   0.34   0.34  0.35    0.32
    300         0.42   0.41   0.56  0.67    0.72
    """
    if kind not in KINDS or frames < 1:
        msg = (
            f"expected a map of kind {', '.join(KINDS)} and at least 1 frame, got {kind}, {frames}"
        )
        raise InputError(msg)
    few = record.isel(step=evenly_spaced(record.sizes["step"], frames))
    wanted = _wanted(kind, everything)
    data = over_layers(few, [(lambda layer: _mapped(layer, kind, wanted), wanted)],
                       chance=chance, progress=progress)  # fmt: skip
    return data.drop_vars(["step_b", "token", "token_b"]).rename(step="map_step")


def _wanted(kind: str, everything: bool) -> dict[str, Quantity]:
    """Return what is made, with the words of the maps asked for."""
    wanted = dict(MAPS)
    for name, shown in (("map", kind), *((f"map_{each}", each) for each in BESIDE)):
        words = f"map of the held-out exemplars: {_WORDS[shown]}"
        wanted[name] = replace(MAPS[name], long_name=words)
    return wanted if everything else {name: wanted[name] for name in SHOWN}


def _own(layer: Layer) -> np.ndarray:
    """Return the share of the 10 nearest exemplars that are of the exemplar's token."""
    token, share = layer.draws.probe.token, np.full(len(layer.patterns), np.nan)
    for k, x in enumerate(layer.patterns):
        if np.isfinite(x).all() and np.ptp(x, axis=0).any():
            square = squared_euclidean_rdm(x)
            np.fill_diagonal(square, np.inf)
            count = min(10, len(x) - 1)
            nearest = np.argpartition(square, count - 1, axis=1)[:, :count]
            share[k] = np.mean(token[nearest] == token[:, None])
    return share


def _mapped(layer: Layer, kind: str, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Return what is wanted of one layer's maps and their quality."""
    x = layer.patterns
    n = x.shape[1]
    if n < 12:
        names = [name for name in wanted if name.split("_")[0] == "map"]
        return dict.fromkeys(names, np.full((len(x), n, 2), np.nan))
    found = {"own_neighbours": _own(layer)}
    beside = [each for each in BESIDE if f"trustworthiness_{each}" in wanted]
    in_data = data_motion(x)
    drawn = {each: _drawn(x, each, in_data) for each in {kind, *beside}}
    for suffix, each in (("", kind), *((f"_{each}", each) for each in beside)):
        found |= {name + suffix: values for name, values in drawn[each].items()}
    still = ("jitter",) if layer.is_pixels else ()
    return {name: values for name, values in found.items()
            if name in wanted and not name.startswith(still)}  # fmt: skip


def _drawn(x: np.ndarray, kind: str, in_data: np.ndarray) -> dict[str, np.ndarray]:
    """Return the map of that kind of one layer, what it keeps and what it adds."""
    n = x.shape[1]
    options = {"neighbours": min(15, n - 2)} if kind == "neighbour" else {}
    frames = KINDS[kind](x, **options)
    quality = map_quality(x, frames, neighbours=min(10, n // 2 - 1))
    motion = map_motion(x, frames, in_data=in_data).jitter
    return {
        "map": frames,
        "trustworthiness": quality.trustworthiness,
        "continuity": quality.continuity,
        "jitter": np.concatenate([[np.nan], motion]),
    }
