"""Pictures of a detector's life: its own along the way, and those of its parents and children.

May import numpy, xarray, ontogeny.measure, ontogeny.pictures and
ontogeny.plot.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ontogeny.measure.probe import layer_names
from ontogeny.pictures.album import Album
from ontogeny.pictures.store import film_steps
from ontogeny.plot.biography import Gallery

FRAMES = 8
_SWATCH = 8
"""Side of the patch of colour that stands for a channel of the image."""


def gallery(record: xr.Dataset, album: Album | None, data: xr.Dataset) -> Gallery:
    """Choose the pictures of a life.

    Parameters
    ----------
    record
        With the images of its exemplars, or without: then there are fewer pictures.
    album
        The run's pictures; None: there are none.
    data
        The life of the unit.
    """
    unit = str(data.attrs["unit"])
    recorded = record["step"].values.tolist()
    steps = album.steps if album else film_steps(recorded, FRAMES)
    filters = _filters(album, unit) if album else []
    preferred = album.strip(unit) if album and unit in album.filmed and not filters else filters
    names = [
        str(n)
        for side in ("parent", "child", "detector")
        if side in data
        for n in data[side].values
    ]
    pictures = {name: _picture(record, album, name) for name in names}
    return Gallery(
        steps, preferred, _best_at(record, unit, steps), "filter" if filters else "preferred",
        {name: picture for name, picture in pictures.items() if picture.size},
    )  # fmt: skip


def _filters(album: Album, unit: str) -> list[np.ndarray]:
    """Return a first convolution's filter at the film's steps, one scale for all, grey for 0."""
    data = album.pictures
    if "filter" not in data or unit not in data["filter_unit"].values.astype(str):
        return []
    place = data["filter_unit"].values.astype(str).tolist().index(unit)
    values = data["filter"].isel(filter_unit=place).values
    largest = np.abs(values).max() or 1.0
    return list((128 + 127 * values / largest).round().astype(np.uint8))


def _best_at(record: xr.Dataset, unit: str, steps: Sequence[int]) -> list[np.ndarray]:
    """Return the exemplar with the largest mean activation at each step."""
    if "image" not in record:
        return []
    names = record["unit"].values.astype(str).tolist()
    one = record["activation"].isel(unit=names.index(unit)).sel(step=list(steps)).values
    return [record["image"].isel(exemplar=int(k)).values for k in one.argmax(axis=1)]


def _picture(record: xr.Dataset, album: Album | None, name: str) -> np.ndarray:
    """Return what stands for a relative: its preferred picture, its best crop, or a colour."""
    none = np.zeros((0, 0, 3), np.uint8)
    if name.rpartition(":")[0] not in layer_names(record):
        colour = np.zeros((_SWATCH, _SWATCH, 3), np.uint8)
        colour[..., min(int(name.rpartition(":")[2]), 2)] = 255
        return colour
    if album is None:
        last = [int(record["step"].values[-1])]
        return next(iter(_best_at(record, name, last)), none)
    preferred = album.preferred(name)
    return preferred if preferred.size else next(iter(album.best(name)), none)
