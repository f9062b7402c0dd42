"""The images that a run's snapshots were shown, which pictures are made from.

May import numpy, xarray and errors only.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr

from ontogeny.errors import InputError


@dataclass(frozen=True, eq=False)
class Shown:
    """The exemplars of a record."""

    images: np.ndarray
    """uint8 [exemplar, y, x, channel]."""
    exemplars: np.ndarray
    """The record's names of them."""
    groups: np.ndarray
    """int [exemplar]: exemplars that belong together."""

    @classmethod
    def of(cls, record: xr.Dataset) -> Self:
        """Read the images of a record.

        Raises
        ------
        InputError
            If it holds none: the network was shown numbers that are no images.
        """
        if "image" not in record:
            msg = (
                "expected a record with the images of its exemplars, got one whose network was "
                "shown other input: pictures need a probe of uint8 images "
                "[exemplar, y, x, channel]"
            )
            raise InputError(msg)
        exemplars = record["exemplar"].values
        groups = record["group"].values if "group" in record else np.arange(len(exemplars))
        return cls(record["image"].values, exemplars, groups)

    def image(self, exemplar: int) -> np.ndarray:
        """Return the image of an exemplar, uint8 [1, y, x, channel].

        Raises
        ------
        InputError
            If the record has no such exemplar.
        """
        place = np.flatnonzero(self.exemplars == exemplar)
        if len(place) == 0:
            msg = (
                f"expected an exemplar of the record ({len(self.exemplars)}, from "
                f"{self.exemplars.min()} to {self.exemplars.max()}), got {exemplar}"
            )
            raise InputError(msg)
        return self.images[place[:1]]
