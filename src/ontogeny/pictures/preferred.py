"""Preferred images: what a unit answers to most, found by climbing its response.

Erhan et al.'s activation maximisation, made so that pictures of many units over a whole
development are affordable and comparable: an image is only as large as the unit's receptive field
plus jitter, only what the unit depends on is computed, all units meet the same seed, the same
jitter and the same number of steps, and each snapshot starts from the picture of the one before.
May import torch and `ontogeny.pictures`, `hooks`, `model`.

References
----------
Erhan, Bengio, Courville & Vincent 2009; Olah, Mordvintsev & Schubert 2017.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ontogeny.model import prepare
from ontogeny.pictures.canvas import Palette
from ontogeny.pictures.climb import Climb, Recipe
from ontogeny.pictures.cone import Cone
from ontogeny.pictures.fields import SEPARATOR, Column, all_units, columns, unit_index
from ontogeny.pictures.responses import Best, best_responses
from ontogeny.pictures.side import side_by_side
from ontogeny.progress import Progress

__all__ = ["PreferredImages", "Recipe", "cut", "preferred_images"]


class PreferredImages:
    """Preferred images of units at one snapshot after another.

    Each call takes the next snapshot's network and starts from the pictures of the last call, half
    faded, so that a change between two pictures is a change of the unit. A unit that had no picture
    begins anew from the seed.

    Parameters
    ----------
    images
        uint8 exemplars [exemplar, y, x, channel], at most a few hundred: their colours are the
        palette, their size is that of the input, and the best response to them is told beside.
    units
        Names "layer:channel"; None: all units of the network.
    recipe
        How the pictures are made.
    """

    def __init__(
        self,
        images: np.ndarray,
        units: Sequence[str] | None = None,
        *,
        recipe: Recipe | None = None,
    ) -> None:
        self.images, self.units, self.recipe = images, units, recipe or Recipe()
        self._palette = Palette.of(images)
        self._last: dict[str, Tensor] = {}

    def __call__(self, model: nn.Module, *, progress: Progress | None = None) -> xr.Dataset:
        """Return the pictures at this snapshot.

        Returns
        -------
        xarray.Dataset
            `picture` (unit, y, x, channel), uint8: the unit's picture in the upper left corner,
            `height` x `width` (unit) pixels, 0 beyond (`cut` returns the picture alone);
            `row`, `column` (unit): place of the map, its middle but for units that never answer
            there; `achieved` (unit): the unit's activation on the picture as stored;
            `best_exemplar` (unit): its largest activation over exemplars and places;
            `has_picture` (unit): False where no image with a positive activation was found.

        Raises
        ------
        InputError
            If a unit does not exist.
        """
        found = columns(model, prepare(self.images[:1].copy()))
        stages = [column.stage for column in found.values()]
        names = all_units(found.values()) if self.units is None else list(self.units)
        chosen = unit_index(names, stages)
        sheets = _Sheets(names, self.images.shape)
        sheets.note(chosen, best_responses(model, self.images))
        batches = self._batches(model, found, sheets)

        def climb(batch: _Batch) -> _Climbed:
            channels = [chosen[row][1] for row in batch.rows]
            return _climbed(batch, channels, sheets.best[batch.rows])

        is_chain = all(column.ops is not None for column in found.values())
        made = side_by_side(climb, batches) if is_chain else map(climb, batches)
        for batch, climbed in zip(batches, made, strict=True):
            self._keep(sheets, batch, climbed)
            sheets.add(batch.rows, climbed)
            if progress is not None:
                progress("preferred images", sheets.done, len(names))
        return sheets.dataset(self.recipe)

    def _batches(
        self, model: nn.Module, found: dict[str, Column], sheets: "_Sheets"
    ) -> list["_Batch"]:
        """Return batches of units of one layer and place that all go on, or all begin anew."""
        batches = []
        for (layer, row, column), rows in sheets.groups(found).items():
            climb = Climb(Cone(model, found[layer], (row, column)), self._palette, self.recipe)
            shape = climb.start(1).shape[1:]
            last = {k: self._last.get(sheets.names[k]) for k in rows}
            known = {k: one for k, one in last.items() if one is not None and one.shape == shape}
            for some in _cut_up([k for k in rows if k in known], self.recipe.batch):
                begun = torch.stack([known[k] for k in some]) * self.recipe.warm_share
                batches.append(_Batch(climb, some, begun, self.recipe.warm_steps))
            for some in _cut_up([k for k in rows if k not in known], self.recipe.batch):
                batches.append(_Batch(climb, some, climb.start(len(some)), self.recipe.steps))
        return batches

    def _keep(self, sheets: "_Sheets", batch: "_Batch", climbed: "_Climbed") -> None:
        """Keep what the next snapshot goes on from; a unit without a picture begins anew."""
        for k, row in enumerate(batch.rows):
            self._last.pop(sheets.names[row], None)
            if climbed.shown[k]:
                self._last[sheets.names[row]] = climbed.spectrum[k]


@dataclass(frozen=True)
class _Batch:
    """Units of one layer and place whose pictures are climbed together."""

    climb: Climb
    rows: list[int]
    """Of the result."""
    start: Tensor
    steps: int


@dataclass(frozen=True)
class _Climbed:
    """What became of a batch, [unit, ...]."""

    spectrum: Tensor
    pictures: np.ndarray
    achieved: np.ndarray
    shown: np.ndarray


def _climbed(batch: _Batch, channels: list[int], best: np.ndarray) -> _Climbed:
    """Return the pictures of some units of a layer that look at the same place."""
    climb, units = batch.climb, torch.tensor(channels)
    spectrum = climb.run(batch.start, units, torch.from_numpy(best), steps=batch.steps)
    pictures, achieved = climb.develop(spectrum, units)
    responds = torch.ones(len(channels), dtype=torch.bool)
    if climb.cone.column.stage.activation is not None:
        responds = achieved > 0
    shown = (torch.isfinite(achieved) & responds).numpy()
    return _Climbed(spectrum, pictures, achieved.numpy(), shown)


def _cut_up(rows: list[int], count: int) -> Iterator[list[int]]:
    for first in range(0, len(rows), count):
        yield rows[first : first + count]


class _Sheets:
    """The arrays of a result while it is being filled."""

    def __init__(self, names: Sequence[str], shape: Sequence[int]) -> None:
        _, y, x, channel = shape
        n = len(names)
        self.names, self.done = list(names), 0
        self.picture = np.zeros((n, y, x, channel), np.uint8)
        self.size = np.zeros((n, 2), np.int64)
        self.achieved, self.best = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
        self.place, self.shown = np.zeros((n, 2), np.int64), np.zeros(n, bool)

    def note(self, chosen: list[tuple[str, int]], best: dict[str, Best]) -> None:
        """Fill in the best response to exemplars and the place that is looked at."""
        for row, (layer, channel) in enumerate(chosen):
            self.best[row] = best[layer].response[channel]
            self.place[row] = best[layer].place[channel]

    def groups(self, layers: Iterable[str]) -> dict[tuple[str, int, int], list[int]]:
        """Return the rows of units of one layer that look at one place, upper layers first.

        These take longest: what is short fills up the end, when threads run out of work.
        """
        groups: dict[tuple[str, int, int], list[int]] = {}
        for row, name in enumerate(self.names):
            key = (name.rpartition(SEPARATOR)[0], int(self.place[row, 0]), int(self.place[row, 1]))
            groups.setdefault(key, []).append(row)
        depth = {layer: k for k, layer in enumerate(layers)}
        return dict(sorted(groups.items(), key=lambda group: -depth[group[0][0]]))

    def add(self, rows: list[int], climbed: "_Climbed") -> None:
        """Fill in some units; those that have no picture stay black and of no size."""
        _, y, x, _ = climbed.pictures.shape
        self.achieved[rows], self.shown[rows] = climbed.achieved, climbed.shown
        for row, picture in zip(rows, climbed.pictures, strict=True):
            if self.shown[row]:
                self.picture[row, :y, :x], self.size[row] = picture, (y, x)
        self.done += len(rows)

    def dataset(self, recipe: Recipe) -> xr.Dataset:
        """Return the arrays with their names."""
        layer = [name.rpartition(SEPARATOR)[0] for name in self.names]
        described = {
            "picture": (("unit", "y", "x", "channel"), self.picture, "preferred image"),
            "height": ("unit", self.size[:, 0], "height of the picture"),
            "width": ("unit", self.size[:, 1], "width of the picture"),
            "row": ("unit", self.place[:, 0], "row of the map whose unit is pictured"),
            "column": ("unit", self.place[:, 1], "column of the map whose unit is pictured"),
            "achieved": ("unit", self.achieved, "activation on the preferred image"),
            "best_exemplar": ("unit", self.best, "largest activation over exemplars and places"),
            "has_picture": ("unit", self.shown, "an image with a positive activation was found"),
        }
        units = {"height": "pixel", "width": "pixel", "picture": "0 ... 255"}
        data = {
            name: (dims, values, {"long_name": words, "units": units.get(name, "1")})
            for name, (dims, values, words) in described.items()
        }
        names = {
            "unit": np.array(self.names, dtype=str),
            "layer": ("unit", np.array(layer, dtype=str)),
        }
        return xr.Dataset(data, coords=names, attrs=asdict(recipe))


def preferred_images(
    model: nn.Module,
    images: np.ndarray,
    units: Sequence[str] | None = None,
    *,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Return the preferred images of one network's units; see `PreferredImages`.

    x* = argmax E[log a(jitter(x))] - penalties, a the unit's pre-activation in the middle of its
    map. The network, its flags and torch's random state are left as they were.

    Parameters
    ----------
    model
        The network.
    images
        uint8 exemplars [exemplar, y, x, channel].
    units
        Names "layer:channel"; None: all.
    recipe
        How the pictures are made.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).
    """
    return PreferredImages(images, units, recipe=recipe)(model, progress=progress)


def cut(pictures: xr.Dataset, unit: str) -> np.ndarray:
    """Return one unit's picture alone, uint8 [y, x, channel]; of no size where there is none."""
    one = pictures.sel(unit=unit)
    return one["picture"].values[: int(one["height"]), : int(one["width"])]
