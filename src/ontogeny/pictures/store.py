"""pictures.zarr: the pictures of a run's units, kept by the same rule as measures.

May import torch, xarray, `ontogeny.pictures`, `measure`, `train`, `record`.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
import xarray as xr

from ontogeny.errors import InputError, RunError
from ontogeny.measure.couplings.ancestry import serving_units, shown_units
from ontogeny.measure.keeping import PICTURES, Making, Save, keep
from ontogeny.measure.probe import layer_names
from ontogeny.measure.units.discriminating import discriminating_units
from ontogeny.pictures.dissection import dissect
from ontogeny.pictures.exemplars import top_exemplars
from ontogeny.pictures.filters import first_filters
from ontogeny.pictures.preferred import PreferredImages, Recipe
from ontogeny.pictures.shown import Shown
from ontogeny.progress import Parts, Progress, silent
from ontogeny.record import COUPLING, COUPLING_CONTRAST
from ontogeny.run import RunFolder
from ontogeny.train import Run, with_network

_EXEMPLARS, _REST = "exemplars", "other units"
TOP = 6
QUANTILES = (0.9, 0.5, 0.1)
BREADTH = 2
"""Units of each layer that are followed from a token, or from all, to choose those with a film."""
IN_TREES = 3
"""Units of each layer that the trees of tokens show: none of them may lack its picture."""
_UNPICTURED = {"picture": 0, "height": 0, "width": 0, "row": -1, "column": -1,
               "achieved": np.nan, "best_exemplar": np.nan, "has_picture": False,
               "pictured": False}  # fmt: skip
_SEEN = 120
"""At most about twice so many exemplars give the colours, and the place where a unit responds."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is pictured of a run. Raises InputError where a number is impossible."""

    recipe: Recipe = field(default_factory=Recipe)
    frames: int = 8
    """Snapshots of a film."""
    filmed: int = 80
    """At most so many units have a film: the strongest ancestors of each token in each layer."""
    pictured: int | None = 32
    """Units of each layer that have a preferred image at the last step, beside the filmed ones
    and those in trees of tokens: those through which most of what distinguishes a token passes.
    None: all units."""

    def __post_init__(self) -> None:
        counts = {n: getattr(self, n) for n in ("frames", "filmed", "pictured")}
        wrong = [f"{n} {value}" for n, value in counts.items() if value is not None and value < 1]
        if wrong:
            msg = f"expected frames, filmed and pictured of at least 1, got {', '.join(wrong)}"
            raise InputError(msg)


QUICK = Choice(frames=3, filmed=16, pictured=4)
"""What is pictured of a quick run."""


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
        A run with a record, or its folder. Where the network is of a class of your own, the run
        opened with it: `ontogeny.Run.open(folder, model=MyNetwork)`.
    choice
        What is pictured, and how; None: the default, and less of a quick run.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xarray.Dataset
        Of all units at the last recorded step: `picture`, `height`, `width`, `row`, `column`,
        `achieved`, `best_exemplar`, `has_picture` (see `PreferredImages`); `pictured`, whether a
        preferred image was looked for at all; `top_exemplar` (unit, rank) and `quantile_exemplar`
        (unit, quantile), the record's names of exemplars, -1 for none, with `top_response`,
        `top_top`, `top_left`, `top_height`, `top_width` (see `top_exemplars`). Of the units with a
        film, over (film_step, film_unit), what `PreferredImages` returns, under names that begin
        with `film_`. `filter` (film_step, filter_unit, filter_y, filter_x, channel) of a first
        layer that is a convolution; `part_iou` (conv_unit, part) and `unit_part` (conv_unit) where
        the task has part maps.

    Raises
    ------
    RunError
        If there is no run, no record, no snapshot of a recorded step, or no room.
    InputError
        If the network cannot be made, or was shown what is no image.

    Examples
    --------
    Of fewer units and steps than by default, to be quick:

    >>> from ontogeny.pictures.store import Choice
    >>> pictures = ont.picture_run(run, choice=Choice(pictured=4, filmed=1, frames=2))
    >>> pictures.picture.dims, pictures.picture.sel(unit="conv2:0").shape
    (('unit', 'y', 'x', 'channel'), (16, 16, 3))
    >>> pictures.film_step.values.tolist()
    [0, 300]
    """
    folder, say = with_network(run), progress or silent
    settled = choice or (QUICK if folder.is_quick else Choice())
    about = asdict(settled.recipe)

    def make(record: xr.Dataset, save: Save) -> xr.Dataset:
        sitting = _Sitting(folder, record, settled, say)
        for data in sitting.first():
            save(data.assign_attrs(about))
        return sitting.all().assign_attrs(about)

    enough = asdict(replace(settled, pictured=None))
    return keep(folder, Making(PICTURES, asdict(settled), make, enough=(enough,)), say)


class _Sitting:
    """One making of all pictures of a run."""

    def __init__(self, run: Run, record: xr.Dataset, choice: Choice, say: Progress) -> None:
        self.run, self.choice = run, choice
        shown = Shown.of(record)
        self.probe, self.images, self.groups = shown.exemplars, shown.images, shown.groups
        recorded = _with_snapshot(run, record)
        self.last, self.frames = recorded[-1], film_steps(recorded, choice.frames)
        self.filmed = _filmed(record, choice.filmed)
        wanted = _pictured(record, choice.pictured)
        self.others = [n for n in wanted if n not in set(self.filmed)]
        self.parts = Parts(say, self._costs())

    def _costs(self) -> dict[str, float]:
        """Return what each part is expected to cost, in steps of climbing to one image."""
        recipe, frames = self.choice.recipe, list(map(str, self.frames))
        costs = {frame: float(recipe.warm_steps * len(self.filmed)) for frame in frames}
        costs[frames[0]] = float(recipe.steps * len(self.filmed))
        costs[_REST] = float(recipe.steps * len(self.others))
        return {_EXEMPLARS: sum(costs.values()) / 20, **costs}

    def first(self) -> Iterator[xr.Dataset]:
        """Return what is quickly made, then what views show first, to be looked at meanwhile."""
        model = self.run.network(self.last)
        say = self.parts.of(_EXEMPLARS)
        say(f"top exemplars at step {self.last:,}", 0, 3)
        parts = [self._exemplars(model), self._filters()]
        say("parts of exemplars", 2, 3)
        parts.append(self._parts(model))
        say("parts of exemplars", 3, 3)
        self._made = xr.merge(parts, join="exact", combine_attrs="drop")
        yield self._made
        film = PreferredImages(self._seen(), self.filmed, recipe=self.choice.recipe)
        frames = [self._frame(film, step) for step in self.frames]
        self._made = self._made.merge(_film(frames, self.frames))
        self._last_frame = frames[-1]
        yield self._with_pictures(self._last_frame)

    def all(self) -> xr.Dataset:
        """Return all pictures."""
        if not self.others:
            return self._with_pictures(self._last_frame)
        rest = PreferredImages(self._seen(), self.others, recipe=self.choice.recipe)
        made = rest(self.run.network(self.last), progress=self.parts.of(_REST))
        return self._with_pictures(
            xr.concat([made, self._last_frame], "unit", combine_attrs="drop")
        )

    def _seen(self) -> np.ndarray:
        return self.images[:: max(1, len(self.images) // _SEEN)]

    def _frame(self, film: PreferredImages, step: int) -> xr.Dataset:
        return film(self.run.network(step), progress=self.parts.of(str(step)))

    def _with_pictures(self, made: xr.Dataset) -> xr.Dataset:
        """Return what was made before with preferred images of the last step, of all units."""
        all_of = self._made["unit"].values.tolist()
        known = {"long_name": "a preferred image was looked for", "units": "1"}
        made = made.assign(pictured=("unit", np.ones(made.sizes["unit"], bool), known))
        made = made.drop_vars("layer").reindex(unit=all_of, fill_value=_UNPICTURED)
        best = self._made["top_response"].isel(rank=0, drop=True).fillna(made["best_exemplar"])
        made["best_exemplar"] = made["best_exemplar"].copy(data=best.values)
        return self._made.merge(made, combine_attrs="drop")

    def _exemplars(self, model: torch.nn.Module) -> xr.Dataset:
        """Return the top exemplars of all units by the record's names of them."""
        found = top_exemplars(model, self.images, groups=self.groups, top=TOP, quantiles=QUANTILES)
        found = found.rename({str(n): _renamed(str(n)) for n in found.data_vars})
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
        if not self.run.task_path.exists():
            return xr.Dataset()
        task = self.run.task
        if task.part_map is None:
            return xr.Dataset()
        found = dissect(model, self.images, task.part_map[self.probe], list(task.parts))
        part = np.where(found["detector"].values, found["best_part"].values, "")
        data = {"part_iou": found["iou"], "unit_part": ("unit", part, {"long_name":
                "part that the unit's strongest places overlap by more than .04"})}  # fmt: skip
        return (
            found.assign(data)[["part_iou", "unit_part"]]
            .drop_vars("layer")
            .rename({"unit": "conv_unit"})
        )


def _with_snapshot(run: Run, record: xr.Dataset) -> list[int]:
    """Return the recorded steps of which weights are kept."""
    steps = [int(step) for step in record["step"].values if int(step) in run.steps]
    if not steps:
        msg = (
            f"expected snapshots of the recorded steps in {run.path}, got none: pictures need the "
            "weights; record with weights=True"
        )
        raise RunError(msg)
    return steps


def _filmed(record: xr.Dataset, limit: int) -> list[str]:
    """Return the units with a film: ancestors of tokens, or those that discriminate them most."""
    if _is_wired(record):
        return shown_units(record, breadth=BREADTH, limit=limit)
    return discriminating_units(record, limit=max(1, limit // len(layer_names(record))))[:limit]


def _pictured(record: xr.Dataset, limit: int | None) -> list[str]:
    """Return the units that have a preferred image at the last step."""
    if limit is None:
        return record["unit"].values.astype(str).tolist()
    if not _is_wired(record):
        return discriminating_units(record, limit=limit)
    of_trees = shown_units(record, breadth=IN_TREES, limit=record.sizes["unit"])
    return list(dict.fromkeys([*serving_units(record, limit=limit), *of_trees]))


def _is_wired(record: xr.Dataset) -> bool:
    return COUPLING in record and COUPLING_CONTRAST in record


def film_steps(steps: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the steps, evenly spaced along log(1 + step), ends included."""
    wanted = np.expm1(np.linspace(np.log1p(steps[0]), np.log1p(steps[-1]), count))
    known = np.log1p(np.asarray(steps, dtype=float))
    return sorted({int(steps[int(np.abs(known - w).argmin())]) for w in np.log1p(wanted)})


def _film(frames: list[xr.Dataset], steps: list[int]) -> xr.Dataset:
    """Return frames as one film, under names of its own."""
    film = xr.concat(frames, xr.DataArray(steps, dims="step", name="step"), combine_attrs="drop")
    names = {str(n): f"film_{n}" for n in (*film.data_vars, "unit", "step", "layer")}
    return film.rename(names)


def _renamed(name: str) -> str:
    return name.replace("spectrum_", "quantile_") if name.startswith("spectrum_") else f"top_{name}"
