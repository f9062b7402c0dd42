"""Top exemplars: which images a unit answers to most, where, and what lies between most and least.

The place of an exemplar's largest response gives the crop: the unit's receptive field there.
A detector is judged by several different exemplars, so that of a group only the best counts, and
a crop that looks like one that is already shown is passed over. May import torch and
`ontogeny.pictures`, `hooks`, `model`.

References
----------
Borowski et al. 2021, Exemplary natural images explain CNN activations better than
state-of-the-art feature visualization.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.model import prepare
from ontogeny.pictures import album
from ontogeny.pictures.fields import Column, Window, all_units, columns, unit_index
from ontogeny.pictures.responses import each_response

DISTINCT = 8.0
"""Grey levels (root mean square) by which a crop must differ from those shown before it."""
QUANTILES = (0.9, 0.75, 0.5, 0.25, 0.0)


class Peaks:
    """Each unit's largest response to each exemplar, and its place.

    Parameters
    ----------
    model
        The network; it is left as it was.
    images
        uint8 exemplars [exemplar, y, x, channel].
    """

    def __init__(self, model: nn.Module, images: np.ndarray) -> None:
        self.images = images
        self.columns = columns(model, prepare(images[:1].copy()))
        self.response: dict[str, np.ndarray] = {}
        """By layer, [exemplar, unit], after the nonlinearity."""
        self._place: dict[str, np.ndarray] = {}
        self._windows: dict[tuple[str, int], Window] = {}
        each_response(model, images, self._take)

    def _take(self, layer: str, rows: slice, maps: Tensor) -> None:
        highest, place = maps.flatten(2).max(2)
        if layer not in self.response:
            shape = (len(self.images), maps.shape[1])
            self.response[layer], self._place[layer] = (
                np.zeros(shape, np.float32),
                np.zeros(shape, int),
            )
        self.response[layer][rows] = highest.cpu().numpy()
        self._place[layer][rows] = place.cpu().numpy()

    def window(self, layer: str, channel: int, exemplar: int) -> Window:
        """Return the receptive field at a unit's largest response to an exemplar.

        Along a side on which it is no smaller than the image, the image as a whole is taken.
        """
        at = (layer, int(self._place[layer][exemplar, channel]))
        if at not in self._windows:
            self._windows[at] = _window(self.columns[layer], at[1])
        return self._windows[at]


def top_exemplars(  # noqa: PLR0913 - whose, of which, how many and how different
    model: nn.Module,
    images: np.ndarray,
    units: Sequence[str] | None = None,
    *,
    groups: np.ndarray | None = None,
    top: int = 9,
    quantiles: Sequence[float] = QUANTILES,
    relative: bool = False,
) -> xr.Dataset:
    """Return the exemplars that units answer to most, and those along the way to the least.

    Parameters
    ----------
    model
        The network.
    images
        uint8 exemplars [exemplar, y, x, channel].
    units
        Names "layer:channel"; None: all.
    groups
        [exemplar]: of each group only the exemplar with the largest response is taken.
    top
        How many.
    quantiles
        Of the exemplars' responses, 1 = the largest: the spectrum between top and bottom.
    relative
        Rank by the response divided by the mean response of the unit's layer to the exemplar, so
        that a few busy photographs do not win for every unit.

    Returns
    -------
    xarray.Dataset
        `exemplar` (unit, rank), index into `images`, -1 where no more differ or none is answered
        to above the unit's least response (an inactive unit has none); `response`, the unit's
        activation there (not divided); `top`, `left`, `height`, `width`: the receptive field in
        pixels, which may reach beyond the image; the same with `quantile` in place of `rank` under
        names that begin with `spectrum_`. `crop` cuts the pixels.

    Raises
    ------
    InputError
        If a unit does not exist, or an argument is out of range.
    """
    _check(images, groups, top, quantiles)
    peaks = Peaks(model, images)
    names = all_units(peaks.columns.values()) if units is None else list(units)
    chosen = unit_index(names, [column.stage for column in peaks.columns.values()])
    weight = {
        layer: _level(values) if relative else 1.0 for layer, values in peaks.response.items()
    }
    picked = np.full((len(names), top), -1)
    spectrum = np.zeros((len(names), len(quantiles)), int)
    at = np.rint((1 - np.array(quantiles)) * (len(images) - 1)).astype(int)
    for k, (layer, channel) in enumerate(chosen):
        response = peaks.response[layer][:, channel]
        ranked = np.argsort(-(response / weight[layer]), kind="stable")
        answered = ranked[response[ranked] > response.min()]
        distinct = _distinct(peaks, (layer, channel), answered, groups, top)
        picked[k, : len(distinct)], spectrum[k] = distinct, ranked[at]
    data = _described(peaks, chosen, picked, "rank", "")
    data |= _described(peaks, chosen, spectrum, "quantile", "spectrum_")
    coordinates = {
        "unit": np.array(names, dtype=str),
        "layer": ("unit", np.array([layer for layer, _ in chosen], dtype=str)),
        "rank": np.arange(1, top + 1),
        "quantile": np.array(quantiles, dtype=float),
    }
    return xr.Dataset(data, coords=coordinates)


def _window(column: Column, place: int) -> Window:
    row, at = divmod(place, column.map[1])
    field, (y, x) = column.field(row, at), column.image
    top, bottom = (field.top, field.bottom) if field.height < y else (0, y)
    left, right = (field.left, field.right) if field.width < x else (0, x)
    return Window(top, bottom, left, right)


def crop(images: np.ndarray, exemplar: int, window: Window) -> np.ndarray:
    """Return the pixels of a window of an exemplar, mid-grey beyond its border.

    Parameters
    ----------
    images
        uint8 [exemplar, y, x, channel].
    exemplar
        Which.
    window
        Rows and columns in pixels; may reach beyond the image.
    """
    return album.crop(images[exemplar], window.top, window.left, window.height, window.width)


def _distinct(
    peaks: Peaks,
    unit: tuple[str, int],
    ranked: np.ndarray,
    groups: np.ndarray | None,
    top: int,
) -> list[int]:
    """Return the first `top` exemplars of a ranking that are of different groups and looks."""
    taken: list[int] = []
    seen: set[int] = set()
    shown: list[np.ndarray] = []
    for exemplar in ranked.tolist():
        if len(taken) == top:
            break
        if groups is not None and int(groups[exemplar]) in seen:
            continue
        picture = crop(peaks.images, exemplar, peaks.window(*unit, exemplar)).astype(np.float32)
        if any(np.sqrt(np.square(picture - other).mean()) < DISTINCT for other in shown):
            continue
        taken.append(exemplar)
        shown.append(picture)
        if groups is not None:
            seen.add(int(groups[exemplar]))
    return taken


def _level(response: np.ndarray) -> np.ndarray:
    """Return the mean response of a layer's units to each exemplar, [exemplar]."""
    level = np.abs(response).mean(axis=1)
    return np.where(level > 0, level, 1.0)


def _described(
    peaks: Peaks, chosen: list[tuple[str, int]], picked: np.ndarray, dim: str, prefix: str
) -> dict[str, tuple]:
    """Return the variables that tell exemplars, responses and receptive fields."""
    response = np.full(picked.shape, np.nan, np.float32)
    window = np.zeros((4, *picked.shape), int)
    for k, (layer, channel) in enumerate(chosen):
        for rank, exemplar in enumerate(picked[k].tolist()):
            if exemplar >= 0:
                field = peaks.window(layer, channel, exemplar)
                response[k, rank] = peaks.response[layer][exemplar, channel]
                window[:, k, rank] = field.top, field.left, field.height, field.width
    dims = ("unit", dim)
    words = {"top": "first row", "left": "first column", "height": "height", "width": "width"}
    fields = {
        prefix + name: (
            dims,
            values,
            {"long_name": f"{text} of the receptive field", "units": "pixel"},
        )
        for (name, text), values in zip(words.items(), window, strict=True)
    }
    told = {"long_name": "largest activation to the exemplar", "units": "1"}
    index = {"long_name": "index of the exemplar among the images", "units": "1"}
    return {
        prefix + "exemplar": (dims, picked, index),
        prefix + "response": (dims, response, told),
        **fields,
    }


def _check(
    images: np.ndarray, groups: np.ndarray | None, top: int, quantiles: Sequence[float]
) -> None:
    """Refuse what cannot be ranked, all at once."""
    wrong = [] if top >= 1 else [f"top {top}"]
    wrong += [f"quantile {q}" for q in quantiles if not 0 <= q <= 1]
    if groups is not None and len(groups) != len(images):
        wrong.append(f"{len(groups)} groups for {len(images)} exemplars")
    if wrong:
        msg = (
            "expected top >= 1, quantiles within 0 ... 1 and one group for each exemplar, got "
            f"{', '.join(wrong)}: change these"
        )
        raise InputError(msg)
