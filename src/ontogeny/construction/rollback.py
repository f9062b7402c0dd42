"""What happens when one unit alone is rolled back to an earlier step inside the trained network.

The weights into the unit, its bias and its channel of a batch norm are those of the step, all else
is of the last snapshot: a graft of one unit. Causal for this network and these exemplars; it says
what the unit's later wiring is worth to the layers that have learned to read it, not what training
without it would give. May import torch, xarray, hooks, measure, model,
pictures, record, stats and train.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ontogeny.errors import InputError, RunError
from ontogeny.hooks import Probe, listening, undisturbed
from ontogeny.hooks.network import observable
from ontogeny.hooks.responding import respond
from ontogeny.measure.gains.reading import recombined_of
from ontogeny.measure.quantity import Quantity, label
from ontogeny.model import Stage, stages
from ontogeny.pictures.store import film_steps
from ontogeny.record import NAME, open_record
from ontogeny.run import RunFolder
from ontogeny.stats.gains import left_out_interval
from ontogeny.train import Run, with_network

__all__ = ["CONTROLS", "roll_back"]

CONTROLS = 5
"""Units of the same layer that are rolled back for comparison, each alone."""
EXEMPLARS = 100
"""The first folds of the exemplars that score are shown, as many as hold so many."""
EQUAL = 1e-12
"""A control whose change exceeds the unit's by no more is as low."""
STEPS = 8
"""Steps that are rolled back to where none are asked for."""
BLOCK = 400
"""Exemplars of all variants together that pass the network at once; it bounds the memory."""
_ALONE = "the unit alone is rolled back to the step"
_MARGIN = "an exemplar's logit of its token less its largest other logit"
_FOLDS = "end of the 95 % interval, folds of exemplar groups left out in turn, of"
_NULL = "control_{}: as many other units of the layer, nearest in amplitude"
_DIMS = {"": ("step",), "token_": ("step", "token")}
ROLLED = {
    "accuracy": Quantity((), "1", "share of the exemplars that the network classifies correctly"),
    "margin": Quantity((), "1", f"mean of {_MARGIN}, in the network as it is"),
    "amplitude": Quantity((), "activation", "root mean square of the unit's mean activation at "
                          "the last step"),
    "control_amplitude": Quantity(("control",), "activation", "that of the controls"),
    **{
        f"{of}{name}_change{end}": Quantity(
            dims, "1", f"{which}change of {what}{each} when {_ALONE}",
            "fewer than two folds" if end else "",
            "" if end else _NULL.format(f"{of}{name}_change"))
        for of, dims in _DIMS.items()
        for each in (" over each token's exemplars" if of else "",)
        for name, what in (("accuracy", "the accuracy"), ("margin", f"the mean of {_MARGIN}"))
        for end, which in (("", ""), ("_low", f"lower {_FOLDS} the "),
                           ("_high", f"upper {_FOLDS} the "))
    },
    **{
        f"control_{of}{name}_change": Quantity(
            ("control", *dims), "1", f"{of}{name}_change of a control, rolled back alone")
        for of, dims in _DIMS.items() for name in ("accuracy", "margin")
    },
    **{
        f"{name}_p": Quantity(
            ("step",), "1", f"(1 + controls whose {name}_change is as low or lower) / (1 + "
            "controls)", "no controls", "units of like amplitude are alike")
        for name in ("accuracy", "margin")
    },
    "harmless_after": Quantity((), "steps", "last step rolled back to at which margin_change_high "
                               "is below 0; -inf: none", "fewer than two folds"),
    "harmless_by": Quantity((), "steps", "first step rolled back to from which on it is not, to "
                            "the last step", "fewer than two folds"),
}  # fmt: skip


def roll_back(
    run: RunFolder | str | os.PathLike[str],
    unit: str,
    *,
    steps: Sequence[int] | None = None,
    controls: int = CONTROLS,
) -> xr.Dataset:
    """Measure what the trained network loses when one unit alone is rolled back to earlier steps.

    The weights into the unit, its bias and its batch-norm channel are those of the step, all else
    is of the last recorded snapshot. Shown are about 100 held-out exemplars that score, of the
    first folds, so that groups of exemplars are whole.

    Parameters
    ----------
    run
        A run with a record, or its folder; opened with its network where that is your own class.
    unit
        "layer:channel".
    steps
        Snapshots to roll back to; None: 8 of those at which recombinations were observed, spaced
        as the films of pictures are.
    controls
        How many other units of the layer, nearest in amplitude (root mean square of the mean
        activation at the last step), are rolled back for comparison, each alone.

    Returns
    -------
    xr.Dataset
        Over `step`: `accuracy_change`, `margin_change`; over (step, token): `token_accuracy_change`
        and `token_margin_change`, of each token's exemplars; all with the ends `_low`, `_high` of a
        95 % interval over exemplar groups. The margin is an exemplar's logit of its token less its
        largest other one, in logits. Of the controls the same, `control_...` (control, ...), and
        `accuracy_p`, `margin_p` (step), 1 / (1 + controls) at least. `accuracy` and `margin` of the
        network as it is, `amplitude`, `control_amplitude`; `harmless_after`, `harmless_by`, the
        interval of steps from which on rolling back costs no margin. NaN where attribute `missing`
        says.

    Raises
    ------
    InputError
        If the network has no such unit, the run no such snapshot, the record no recombinations
        (why is told) or no images, or `controls` is negative.
    RunError
        If there is no run, no record or no snapshot of a recorded step.

    Examples
    --------
    At the last step nothing is changed:

    >>> found = ont.roll_back(run, "conv2:3", steps=[0, 300], controls=2)
    >>> found.margin_change.dims, float(found.margin_change.sel(step=300))
    (('step',), 0.0)
    """
    folder = with_network(run)
    if controls < 0:
        msg = f"expected controls of at least 0, got {controls}: give how many units to compare"
        raise InputError(msg)
    with open_record(folder.path / NAME) as record:
        shown = _Shown.of(record, folder)
        units, amplitude = _with_controls(record, unit, shown.last, controls)
        wanted = shown.steps(steps)
    graft = _Graft.of(folder, unit.rpartition(":")[0], units, shown)
    earlier = [step for step in wanted if step != shown.last]
    plain, changed = graft.logits([folder.network(step) for step in earlier])
    if shown.last in wanted:  # its weights are the network's own: nothing is changed, to the bit
        own = np.broadcast_to(plain, (len(units), 1, *plain.shape))
        changed = np.concatenate([changed, own], axis=1)
    values = _scored(plain, changed, shown)
    values |= _harmless(values["margin_change_high"], wanted)
    values |= {"amplitude": amplitude[0], "control_amplitude": amplitude[1:]}
    where = {"step": wanted, "token": shown.tokens, "control": units[1:]}
    about = {"unit": unit, "last": shown.last, "exemplars": len(shown.fold)}
    return label(values, ROLLED, where, attributes=about)


@dataclass(frozen=True, eq=False)
class _Shown:
    """What the network is shown, and the snapshots there are."""

    probe: Probe
    fold: np.ndarray
    """[exemplar], in the probe's order."""
    tokens: list[str]
    last: int
    recorded: list[int]
    """Recorded steps of which weights are kept."""
    observed: list[int]
    """Those of them at which recombinations were observed."""

    @classmethod
    def of(cls, record: xr.Dataset, run: Run) -> Self:
        """Choose exemplars of the first folds, and find the steps."""
        read = recombined_of(record)
        if "image" not in record:
            msg = (
                "expected a record with the images of its exemplars, got one without: they are "
                "shown to the network again; give uint8 images as the probe"
            )
            raise InputError(msg)
        kept = set(run.steps)
        recorded = [int(step) for step in read.steps if int(step) in kept]
        if not recorded:
            msg = f"expected snapshots of the recorded steps in {run.path}, got none: record them"
            raise RunError(msg)
        counts = np.bincount(read.fold[read.fold >= 0])
        n_folds = int(np.searchsorted(np.cumsum(counts), min(EXEMPLARS, counts.sum()))) + 1
        mine = np.flatnonzero((read.fold >= 0) & (read.fold < n_folds))
        tokens = record["token"].values.astype(str).tolist()
        images = record["image"].isel(exemplar=mine).values
        probe = Probe(images, read.token[mine], n_tokens=len(tokens))
        observed = [int(s) for s in read.steps[read.observed] if int(s) in kept]
        return cls(probe, read.fold[mine][probe.order], tokens, recorded[-1], recorded, observed)

    def steps(self, asked: Sequence[int] | None) -> list[int]:
        """Return the steps to roll back to, ascending."""
        if asked is None:
            return film_steps(sorted({*self.observed, self.last}), STEPS)
        wrong = sorted({int(step) for step in asked} - set(self.recorded))
        if wrong or not len(asked):
            got, some = (", ".join(map(str, part)) for part in (wrong, self.recorded))
            msg = f"expected recorded snapshots, got {got or 'none'}: there are {some}"
            raise InputError(msg)
        return sorted({int(step) for step in asked})


@dataclass(frozen=True, eq=False)
class _Graft:
    """The last network, the layer of the unit and of its controls, and the exemplars."""

    model: nn.Module
    found: list[Stage]
    layer: int
    channels: list[int]
    probe: Probe

    @classmethod
    def of(cls, run: Run, layer: str, units: Sequence[str], shown: _Shown) -> Self:
        """Bring back the last network; that its layers form a chain the record has shown."""
        model = observable(run.network(shown.last), shown.probe)
        with undisturbed(model):
            found = stages(model, shown.probe.example)
        place = [stage.name for stage in found].index(layer)
        channels = [int(unit.rpartition(":")[2]) for unit in units]
        return cls(model, found, place, channels, shown.probe)

    def logits(self, earlier: Sequence[nn.Module]) -> tuple[np.ndarray, np.ndarray]:
        """Return logits [exemplar, token], and of each unit's variants [unit, step, ...]."""
        grafts, axis = self._grafts(earlier), self._axis
        n_variants, kept = 1 + grafts.shape[0] * grafts.shape[1], []
        rows = slice(0, 0)

        def at_response(k: int, a: Tensor) -> Tensor | None:
            if k != self.layer:
                return None
            # cat keeps the order of the axes in memory, as repeat does not
            stacked = torch.cat([a] * n_variants).unflatten(0, (n_variants, -1))
            for place, graft in enumerate(grafts[..., rows].flatten(0, 1)):
                channel = self.channels[place % len(self.channels)]
                stacked[1 + place].select(axis, channel)[:] = graft.movedim(-1, 0)
            return stacked.flatten(0, 1)

        # the layers below run once; behind the unit's layer all variants are stacked
        with undisturbed(self.model), listening(self.found, lambda *_: None, at_response):
            for first in range(0, len(self.probe), max(1, BLOCK // n_variants)):
                rows = slice(first, first + max(1, BLOCK // n_variants))
                given = self.model(self.probe.x[rows].clone())
                kept.append(given.double().unflatten(0, (n_variants, -1)))
        every = torch.cat(kept, dim=1).numpy()
        shape = (*grafts.shape[:2], *every.shape[1:])
        return every[0], every[1:].reshape(shape).swapaxes(0, 1)

    def _grafts(self, earlier: Sequence[nn.Module]) -> Tensor:
        """Return what the units of earlier networks give, [step, unit, ..., exemplar]."""
        inputs: list[Tensor] = []
        if not earlier:
            return torch.zeros(0, len(self.channels))

        def at_layer(k: int, x: Tensor, _: Tensor) -> None:
            if k == self.layer:
                inputs.append(x)

        with undisturbed(self.model), listening(self.found, at_layer, lambda *_: None):
            for rows, _ in self.probe.chunks():
                self.model(self.probe.x[rows].clone())
        found = [[self._given(self._stage(model), x) for x in inputs] for model in earlier]
        return torch.stack([torch.cat(parts, dim=-1) for parts in found])

    def _given(self, donor: Stage, x: Tensor) -> Tensor:
        """Return the responses of the donor's units, [unit, ..., exemplar]."""
        with undisturbed(donor.module):
            given = respond(donor, donor.module(x))
        return given.movedim(self._axis, 0)[self.channels].movedim(1, -1)

    @property
    def _axis(self) -> int:
        """The axis of units in a response."""
        stage = self.found[self.layer]
        return 1 if stage.kind == "conv" else -1

    def _stage(self, model: nn.Module) -> Stage:
        """Return the layer of an earlier network."""
        earlier = observable(model, self.probe)
        return stages(earlier, self.probe.example)[self.layer]


def _with_controls(
    record: xr.Dataset, unit: str, step: int, count: int
) -> tuple[list[str], np.ndarray]:
    """Return the unit and the units of its layer that are nearest in amplitude, and these."""
    names = record["unit"].values.astype(str)
    if unit not in set(names.tolist()):
        layers = ", ".join(f"{name}:0" for name in record.attrs["layers"])
        msg = f"expected a unit of this network, got {unit}: its layers begin with {layers}"
        raise InputError(msg)
    place = int(np.flatnonzero(names == unit)[0])
    layer = record["layer"].values.astype(str)
    peers = np.flatnonzero((layer == layer[place]) & (names != unit))
    response = record["activation"].sel(step=step).isel(unit=[place, *peers.tolist()]).values
    amplitude = np.sqrt((response.astype(np.float64) ** 2).mean(axis=0))
    nearest = np.argsort(np.abs(amplitude[1:] - amplitude[0]), kind="stable")[:count]
    return [unit, *names[peers[nearest]].tolist()], amplitude[[0, *(1 + nearest)]]


def _scored(plain: np.ndarray, changed: np.ndarray, shown: _Shown) -> dict[str, np.ndarray]:
    """Return accuracy and margin of the network, and how they change, by their names.

    Parameters
    ----------
    plain
        Logits [exemplar, token] of the network as it is.
    changed
        Logits [unit, step, exemplar, token]; the first unit is followed by its controls.
    shown
        What was shown.
    """
    token, fold = shown.probe.groups, shown.fold
    values: dict[str, np.ndarray] = {}
    for name, score in (("accuracy", _hits), ("margin", _margins)):
        values[name] = score(plain, token).mean()
        change = score(changed, token) - score(plain, token)
        values |= _named(f"{name}_change", *_mean_and_ends(change, fold))
        each = [_mean_and_ends(change[..., token == c], fold[token == c])
                for c in range(len(shown.tokens))]  # fmt: skip
        of_tokens = (np.stack(parts, axis=-1) for parts in zip(*each, strict=True))
        values |= _named(f"token_{name}_change", *of_tokens)
        values[f"{name}_p"] = _p(values[f"{name}_change"], values[f"control_{name}_change"])
    return values


def _named(name: str, mean: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict[str, np.ndarray]:
    """Return what was measured of the first unit, and of its controls, [unit, ...], by name."""
    own = {name: mean[0], f"{name}_low": low[0], f"{name}_high": high[0]}
    return own | {f"control_{name}": mean[1:]}


def _p(own: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Return the share of the unit and its controls that change as low as the unit, [step]."""
    if not len(controls):
        return np.full(own.shape, np.nan)
    return (1 + (controls <= own + EQUAL).sum(axis=0)) / (1 + len(controls))


def _hits(logits: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Return 1 where an exemplar is classified correctly, 0 elsewhere, [..., exemplar]."""
    return (logits.argmax(axis=-1) == token).astype(np.float64)


def _margins(logits: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Return the logit of the token less the largest other one, [..., exemplar]."""
    is_own = np.arange(logits.shape[-1]) == token[:, None]
    own = logits[..., np.arange(len(token)), token]
    return own - np.where(is_own, -np.inf, logits).max(axis=-1)


def _mean_and_ends(
    values: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean over exemplars, the last axis, and the interval over folds; NaN: none."""
    if not len(fold):
        missing = np.full(values.shape[:-1], np.nan)
        return missing, missing, missing
    kinds = np.unique(fold)
    mean = values.mean(axis=-1)
    if len(kinds) < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    left_out = np.stack([values[..., fold != k].mean(axis=-1) for k in kinds])
    return mean, *left_out_interval(mean, left_out)


def _harmless(high: np.ndarray, steps: Sequence[int]) -> dict[str, float]:
    """Return the interval of steps from which on rolling back costs no margin."""
    if np.isnan(high).all():
        return {"harmless_after": np.nan, "harmless_by": np.nan}
    costly = np.flatnonzero(high < 0)
    first = int(costly[-1]) + 1 if len(costly) else 0
    return {
        "harmless_after": float(steps[first - 1]) if first else -np.inf,
        "harmless_by": float(steps[first]) if first < len(steps) else np.inf,
    }
