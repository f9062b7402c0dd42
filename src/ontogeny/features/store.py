"""pictures.zarr: the pictures of a run's units, with the key of what they were made from.

The key is a hash of the weights at every recorded step, of the task, of the recipe and of the
source text that makes the pictures; so pictures of a run that went on, or of another version, are
known to be stale. May import torch, xarray, `ontogeny.features`, `measure`, `train`, `record`.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources

import numpy as np
import torch
import xarray as xr

from ontogeny.datasets import replace_dataset, stored_dataset
from ontogeny.errors import InputError
from ontogeny.features.album import FILE
from ontogeny.features.dissection import dissect
from ontogeny.features.exemplars import top_exemplars
from ontogeny.features.fields import all_units, columns
from ontogeny.features.filters import first_filters
from ontogeny.features.preferred import PreferredImages, Recipe
from ontogeny.measure.ancestry import shown_units
from ontogeny.measure.store import KEY
from ontogeny.model import prepare
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder
from ontogeny.train import Run

Progress = Callable[[str], None]
FRAMES = 8
"""Snapshots of a film."""
TOP, TOP_OF_FRAME = 6, 3
QUANTILES = (0.9, 0.5, 0.1)
_SEEN = 500
"""At most about twice so many exemplars give the colours and the best response."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is pictured of a run."""

    recipe: Recipe = field(default_factory=Recipe)
    frames: int = FRAMES
    filmed: int = 120
    """At most so many units have a film."""


def picture_run(
    run: RunFolder | str | os.PathLike[str],
    *,
    choice: Choice | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Picture a run's units into its pictures.zarr, or return what is there and fresh.

    Parameters
    ----------
    run
        A run with a record, or its folder.
    choice
        What is pictured, and how.
    progress
        Called with a few words.

    Returns
    -------
    xarray.Dataset
        Of all units at the last recorded step: `picture`, `height`, `width`, `row`, `column`,
        `achieved`, `best_exemplar`, `has_picture` (see `PreferredImages`); `top_exemplar` (unit,
        rank) and `quantile_exemplar` (unit, quantile), the record's names of exemplars, -1 for
        none, with `top_response`, `top_top`, `top_left`, `top_height`, `top_width` (see
        `top_exemplars`). Of the units with a film the same over (film_step, film_unit) under names
        that begin with `film_`. `filter` (film_step, filter_unit, filter_y, filter_x, channel) of
        a first layer that is a convolution; `part_iou` (conv_unit, part) and `unit_part`
        (conv_unit) where the task has part maps.

    Raises
    ------
    RunError
        If there is no run, no record, or no room.
    InputError
        If the record has no couplings, by which the units with a film are chosen.
    """
    folder, settled, say = Run.open(_path(run)), choice or Choice(), progress or _silent
    with open_record(folder.path / RECORD) as record:
        key = _key(folder, record, settled)
        found = stored_dataset(folder.path / FILE)
        if found is not None and found.attrs.get(KEY) == key:
            say("pictures: fresh")
            return found
        say("pictures: stale, made anew" if found is not None else "pictures: none yet")
        data = _Sitting(folder, record, settled, say).dataset()
    data.attrs = {**asdict(settled.recipe), KEY: key}
    replace_dataset(data, folder.path / FILE)
    return data


class _Sitting:
    """One making of all pictures of a run."""

    def __init__(self, run: Run, record: xr.Dataset, choice: Choice, say: Progress) -> None:
        self.run, self.choice, self.say = run, choice, say
        task = run.task
        self.probe = np.asarray(task.probe)
        self.images = task.images[self.probe]
        self.groups = None if task.group is None else np.asarray(task.group)[self.probe]
        recorded = [int(step) for step in record["step"].values if int(step) in run.steps]
        self.last, self.frames = recorded[-1], film_steps(recorded, choice.frames)
        self.filmed = shown_units(record, limit=choice.filmed)

    def dataset(self) -> xr.Dataset:
        """Make all pictures: films first, which end in the pictures of the last step."""
        seen = self.images[:: max(1, len(self.images) // _SEEN)]
        filmed = PreferredImages(seen, self.filmed, recipe=self.choice.recipe)
        frames = [self._frame(filmed, step) for step in self.frames]
        film = xr.concat(frames, xr.DataArray(self.frames, dims="step", name="step"))
        model = self.run.network(self.last)
        rest = PreferredImages(seen, self._others(model), recipe=self.choice.recipe)
        self.say(f"pictures: the other units at step {self.last:,}")
        pictures = _ordered(rest(model), frames[-1], model, self.images)
        parts = [
            pictures, self._exemplars(model, None, TOP, QUANTILES),
            film.rename({**{str(n): f"film_{n}" for n in film.data_vars},
                         "unit": "film_unit", "step": "film_step", "layer": "film_layer",
                         "rank": "film_rank"}),
            self._filters(), self._parts(model),
        ]  # fmt: skip
        return xr.merge(parts, compat="override", join="exact", combine_attrs="drop")

    def _others(self, model: torch.nn.Module) -> list[str]:
        done = set(self.filmed)
        return [unit for unit in _units(model, self.images) if unit not in done]

    def _frame(self, film: PreferredImages, step: int) -> xr.Dataset:
        self.say(f"pictures: film of {len(self.filmed)} units, step {step:,}")
        model = self.run.network(step)
        crops = self._exemplars(model, self.filmed, TOP_OF_FRAME, ())
        kept = [n for n in crops.data_vars if str(n).startswith("top_")]
        parts = [film(model), crops[kept].drop_vars("quantile", errors="ignore")]
        return xr.merge(parts, compat="override", join="exact", combine_attrs="drop")

    def _exemplars(
        self, model: torch.nn.Module, units: Sequence[str] | None, top: int, at: Sequence[float]
    ) -> xr.Dataset:
        """Return the top exemplars by the record's names of them."""
        found = top_exemplars(
            model, self.images, units, groups=self.groups, top=top, quantiles=at or (1.0,)
        )
        prefixes = {str(n): _renamed(str(n)) for n in found.data_vars}
        found = found.rename(prefixes)
        for name in ("top_exemplar", "quantile_exemplar"):
            index = found[name].values
            found[name] = found[name].copy(data=np.where(index >= 0, self.probe[index], -1))
        return found

    def _filters(self) -> xr.Dataset:
        """Return the first layer's filters at the film's steps, where they are a picture."""
        try:
            each = [first_filters(self.run.network(s), self.images.shape[1:3]) for s in self.frames]
        except InputError:
            return xr.Dataset()
        strip = xr.concat(each, xr.DataArray(self.frames, dims="film_step", name="film_step"))
        names = {"unit": "filter_unit", "y": "filter_y", "x": "filter_x"}
        return strip.rename(names).to_dataset(name="filter")

    def _parts(self, model: torch.nn.Module) -> xr.Dataset:
        """Return how well the places of convolutional units mark parts, where these are known."""
        task = self.run.task
        if task.part_map is None:
            return xr.Dataset()
        self.say("pictures: parts")
        found = dissect(model, self.images, task.part_map[self.probe], list(task.parts))
        part = np.where(found["detector"].values, found["best_part"].values, "")
        data = {"part_iou": found["iou"], "unit_part": ("unit", part, {"long_name":
                "part that the unit's strongest places overlap by more than .04"})}  # fmt: skip
        return (
            found.assign(data)[["part_iou", "unit_part"]]
            .drop_vars("layer")
            .rename({"unit": "conv_unit"})
        )


def film_steps(steps: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the steps, evenly spaced along log(1 + step), ends included."""
    wanted = np.expm1(np.linspace(np.log1p(steps[0]), np.log1p(steps[-1]), count))
    known = np.log1p(np.asarray(steps, dtype=float))
    return sorted({int(steps[int(np.abs(known - w).argmin())]) for w in np.log1p(wanted)})


def _units(model: torch.nn.Module, images: np.ndarray) -> list[str]:
    return all_units(columns(model, prepare(images[:1].copy())).values())


def _ordered(
    rest: xr.Dataset, filmed: xr.Dataset, model: torch.nn.Module, images: np.ndarray
) -> xr.Dataset:
    """Return the pictures of all units in the network's order."""
    both = xr.concat([rest, filmed[list(rest.data_vars)]], "unit", combine_attrs="drop")
    return both.sel(unit=_units(model, images))


def _renamed(name: str) -> str:
    return name.replace("spectrum_", "quantile_") if name.startswith("spectrum_") else f"top_{name}"


def _path(run: RunFolder | str | os.PathLike[str]) -> str | os.PathLike[str]:
    return run.path if isinstance(run, RunFolder) else run


def _key(run: Run, record: xr.Dataset, choice: Choice) -> str:
    digest = hashlib.sha256(_source().encode())
    digest.update(json.dumps(asdict(choice), sort_keys=True).encode())
    digest.update(json.dumps(record["weights_hash"].values.astype(str).tolist()).encode())
    digest.update(str(run.description["task"]["hash"]).encode())
    return digest.hexdigest()


@cache
def _source() -> str:
    """Return the hash of the source text that pictures are made by."""
    digest = hashlib.sha256()
    files = [*resources.files("ontogeny.features").iterdir(),
             resources.files("ontogeny.measure") / "ancestry.py",
             resources.files("ontogeny") / "model.py"]  # fmt: skip
    for file in sorted(files, key=lambda f: f.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _silent(_words: str) -> None:
    """Say nothing."""
