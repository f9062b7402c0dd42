"""The album of a run: pictures.zarr as pictures that can be drawn. Needs no network, no torch.

May import numpy, xarray, ontogeny.measure.keeping, ontogeny.run and ontogeny.errors only.
"""

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from ontogeny.errors import InputError, RunError, command
from ontogeny.measure.keeping import PICTURES, open_kept
from ontogeny.run import RunFolder

FILE = "pictures.zarr"
MID_GREY = 128
"""What a crop shows beyond the image's border: it is 0 for the network, as the padding is."""
_NAMED = 6


@dataclass(frozen=True)
class Album:
    """The pictures of a run's units.

    Everything is returned as uint8 [..., y, x, channel]; of no size where there is no picture.
    """

    pictures: xr.Dataset
    """What `ontogeny.pictures.store.picture_run` wrote."""
    images: np.ndarray
    """uint8 exemplars of the record, [exemplar, y, x, channel]."""
    exemplars: np.ndarray
    """The record's names of these exemplars."""

    @property
    def steps(self) -> list[int]:
        """Snapshots of the films."""
        return self.pictures["film_step"].values.tolist()

    @property
    def filmed(self) -> list[str]:
        """Units that have a film."""
        return self.pictures["film_unit"].values.astype(str).tolist()

    def preferred(self, unit: str) -> np.ndarray:
        """Return the preferred image of a unit at the last snapshot."""
        k = self._place(unit)
        return _cut(*(self.pictures[name].values[k] for name in ("picture", "height", "width")))

    def strip(self, unit: str) -> list[np.ndarray]:
        """Return a unit's preferred images at the film's snapshots."""
        if unit not in self.filmed:
            some = ", ".join(self.filmed[:_NAMED])
            msg = f"expected a unit with a film, got {unit}: there are {some}, ..."
            raise InputError(msg)
        k, names = self.filmed.index(unit), ("film_picture", "film_height", "film_width")
        frames = zip(*(self.pictures[name].values[:, k] for name in names), strict=True)
        return [_cut(*frame) for frame in frames]

    def best(self, unit: str) -> list[np.ndarray]:
        """Return the crops of a unit's top exemplars at the last snapshot, best first."""
        return self._crops(self._place(unit), "top_")

    def spectrum(self, unit: str) -> list[np.ndarray]:
        """Return crops of exemplars between a unit's largest and least response."""
        return self._crops(self._place(unit), "quantile_")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {str(unit): k for k, unit in enumerate(self.pictures["unit"].values)}

    def _place(self, unit: str) -> int:
        """Return where a unit lies among all."""
        if unit not in self._places:
            layers = ", ".join(dict.fromkeys(self.pictures["layer"].values.astype(str).tolist()))
            msg = f"expected a unit with pictures, got {unit}: units are of {layers}, as layer:0"
            raise InputError(msg)
        return self._places[unit]

    def _crops(self, unit: int, prefix: str) -> list[np.ndarray]:
        places = {name: k for k, name in enumerate(self.exemplars.tolist())}
        names = ("exemplar", "top", "left", "height", "width")
        rows = np.stack([self.pictures[prefix + name].values[unit] for name in names], 1).tolist()
        return [crop(self.images[places[row[0]]], *row[1:]) for row in rows if row[0] in places]


def open_album(run: RunFolder | str | os.PathLike[str], record: xr.Dataset) -> Album:
    """Return the pictures of a run, with the exemplars of its record.

    Raises
    ------
    RunError
        If the run has no pictures, no more than the first of them, or those of another state of
        the record.
    DamagedError
        If they are damaged.
    InputError
        If the record holds no images.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    pictures = open_kept(folder, PICTURES)
    if "film_picture" not in pictures:
        msg = (
            f"expected all pictures in {folder.path / FILE}, got the first of them, by a making "
            f"that was stopped: run {command('pictures', folder.path)}"
        )
        raise RunError(msg)
    if "image" not in record:
        msg = "expected a record with the images of its exemplars, got one without: no crops"
        raise InputError(msg)
    return Album(pictures, record["image"].values, record["exemplar"].values)


def crop(image: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Return the pixels of a window of an image [y, x, channel], mid-grey beyond its border."""
    result = np.full((height, width, image.shape[2]), MID_GREY, image.dtype)
    rows = slice(max(top, 0), min(top + height, image.shape[0]))
    columns = slice(max(left, 0), min(left + width, image.shape[1]))
    there = image[rows, columns]
    y, x = rows.start - top, columns.start - left
    result[y : y + there.shape[0], x : x + there.shape[1]] = there
    return result


def _cut(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    return picture[: int(height), : int(width)]
