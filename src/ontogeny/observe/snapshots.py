"""Observing a run: its snapshots, live or afterwards, into its record.

May import train, run, tasks, record, errors and the parts of this package.
"""

import os
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr
from torch import nn

from ontogeny import record as names
from ontogeny.errors import DamagedError, RunError
from ontogeny.hooks import Wiring
from ontogeny.observe.exemplars import TRAIN_EXEMPLARS, Exemplars
from ontogeny.observe.layout import template
from ontogeny.observe.row import observed, weights_hash
from ontogeny.progress import Progress
from ontogeny.record import NAME, RecordWriter, open_record
from ontogeny.run import RunFolder
from ontogeny.schedule import detailed_steps, snapshot_steps
from ontogeny.tasks.task import Task
from ontogeny.train import Run, settled

PATIENCE = 60.0
"""Seconds to wait for another observer of the same run."""

_WIRED_EXTRAS = {
    names.COUPLING_NULL, names.COUPLING_CONTRAST_NULL, names.EDGE_ATTRIBUTION, names.INTERACTION,
    names.INTERACTION_FIRST, names.INTERACTION_SECOND,
}  # fmt: skip
_CHOSEN = frozenset({names.COUPLING, names.CLONE_LOSS} | _WIRED_EXTRAS)
"""Variables that an observer may leave out; so whether they are there tells records apart."""


def observe(
    run: Run | RunFolder | str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    out: str | os.PathLike[str] | None = None,
    extras: bool = True,
) -> xr.Dataset:
    """Bring a run's record up to its snapshots, and open it.

    Steps that are in the record, whole and fresh are skipped; from the first that is missing,
    damaged or stale on, all are observed anew, so that steps stay in order.

    Parameters
    ----------
    run
        The run or its folder; it may be in training.
    progress
        Called as `progress("snapshots", done, total)`.
    out
        Where the record lies; None: `record.zarr` in the run's folder.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.
        A record that has them keeps getting them.

    Returns
    -------
    xr.Dataset
        The record.

    Raises
    ------
    RunError
        If the run has no snapshots, one is damaged, the record is of a newer schema or somebody
        else writes it, or the disk is full.
    """
    if not isinstance(run, Run):
        run = Run.open(run.path if isinstance(run, RunFolder) else run)
    steps = run.steps
    if not steps:
        msg = f"expected a run with snapshots, got none in {run.path}: train it first"
        raise RunError(msg)
    observer = Observer(run.path, out=out, extras=extras)
    done = observer.keep_fresh(run)
    for k, step in enumerate(steps[done:], start=done):
        if progress is not None:
            progress("snapshots", k, len(steps))
        observer(step, run.network(step))
    if progress is not None:
        progress("snapshots", len(steps), len(steps))
    return open_record(observer.path)


class Observer:
    """Observes a run's snapshots into its record; a watcher of the training.

    `ontogeny.train(..., out="runs/first", watchers=[Observer("runs/first")])`. A step that the
    record holds already is skipped; one whose weights have changed takes the place of it and of
    all later ones.

    Parameters
    ----------
    run
        The run's folder; it need not be there before the first snapshot.
    out
        Where the record lies; None: `record.zarr` in the run's folder.
    couplings
        Observe couplings; without them, networks that are not chains can be observed.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.
        A record that has them keeps getting them.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        out: str | os.PathLike[str] | None = None,
        couplings: bool = True,
        extras: bool = True,
    ) -> None:
        self.run = RunFolder(run)
        self.path = Path(out).absolute() if out is not None else self.run.path / NAME
        self.couplings, self.extras = couplings, extras

    def __call__(self, step: int, model: nn.Module) -> None:
        """Observe the network at a step, unless that is done."""
        digest = weights_hash(model.state_dict())
        self._drop_unlike()
        if self.path.exists() and self._appended(step, model, digest):
            return
        row, wiring = self._row(step, model, digest)
        with RecordWriter.create(self.path, self._template(wiring, row)) as writer:
            writer.append(row)

    def _appended(self, step: int, model: nn.Module, digest: str) -> bool:
        """Append a step that is not in the record yet; False if damage took the record away."""
        try:
            with RecordWriter(self.path, patience=PATIENCE) as writer:
                if not _is_done(writer, step, digest):
                    writer.append(self._row(step, model, digest)[0])
        except DamagedError as error:
            self._drop_damaged(error)
            return False
        return True

    def keep_fresh(self, run: Run) -> int:
        """Cut the record where it first differs from the run's snapshots; return what is left.

        A row that is damaged differs.
        """
        self._drop_unlike()
        if not self.path.exists():
            return 0
        try:
            with RecordWriter(self.path, patience=PATIENCE) as writer:
                writer.drop_damaged()
                fresh = _fresh(writer, run)
                writer.truncate(fresh)
                return fresh
        except DamagedError as error:
            self._drop_damaged(error)
            return 0

    def _drop_unlike(self) -> None:
        """Delete a record that no row of this observer would fit: it is observed anew."""
        if not self.path.exists():
            return
        try:
            with RecordWriter(self.path, patience=PATIENCE) as writer:
                kept, variables = writer.attributes, writer.variables
                self.extras |= names.CLONE_LOSS in variables
                if (
                    kept["data_hash"] == self._description["task"]["hash"]
                    and kept["schema"] == names.SCHEMA
                    and self._wanted == variables & _CHOSEN
                ):
                    return
        except DamagedError as error:
            self._drop_damaged(error)
        else:
            shutil.rmtree(self.path)

    def _drop_damaged(self, error: DamagedError) -> None:
        """Delete the run's own record, of which too much is damaged.

        Elsewhere the folder may be anything: there the damage is told.
        """
        if self.path != self.run.path / NAME:
            raise error
        shutil.rmtree(self.path)

    @property
    def _wanted(self) -> frozenset[str]:
        """What this observer observes of what may be left out."""
        wanted = {names.COUPLING} if self.couplings else set()
        wanted |= {names.CLONE_LOSS} if self.extras else set()
        return frozenset(wanted | (_WIRED_EXTRAS if self.couplings and self.extras else set()))

    @cached_property
    def _description(self) -> dict[str, Any]:
        return self.run.description

    @cached_property
    def _detailed(self) -> frozenset[int]:
        """Steps whose rows are the same whether they are observed live or afterwards."""
        config = self._description["config"]
        return detailed_steps(snapshot_steps(config["steps"], config["snapshots"]))

    @cached_property
    def _exemplars(self) -> Exemplars:
        task = Task.load(self.run.task_path)
        seed = self._description["config"]["seed"]
        return Exemplars.of(task, seed=seed, clones=self.extras)

    def _row(self, step: int, model: nn.Module, digest: str) -> tuple[dict[str, Any], Wiring]:
        shown, config = self._exemplars, self._description["config"]
        with settled(self._description["threads"]):  # last bits depend on the number of threads
            row, wiring = observed(
                model, shown, couplings=self.couplings, extras=self.extras,
                detailed=step in self._detailed,
            )  # fmt: skip
        seen = step * config["batch"]
        where = {
            names.STEP: step,
            names.WEIGHTS: digest,
            names.EXAMPLES_SEEN: seen,
            names.EPOCH: seen / sum(self._description["task"]["density"].values()),
        }
        return where | row, wiring

    def _template(self, wiring: Wiring, row: Mapping[str, Any]) -> xr.Dataset:
        description = self._description
        attributes = {
            "config": description["config"],
            "seed": description["config"]["seed"],
            "data_hash": description["task"]["hash"],
            "task": description["task"]["name"],
            "parameters": description["parameters"],
            "train_exemplars": f"{TRAIN_EXEMPLARS} per token, drawn by seed",
        }
        return template(self._exemplars, wiring, row, attributes)


def _fresh(writer: RecordWriter, run: Run) -> int:
    """Count the record's steps that agree with the run's snapshots, from the first on."""
    recorded = zip(
        writer.column(names.STEP).tolist(), writer.column(names.WEIGHTS).tolist(), strict=True
    )
    fresh = 0
    for (step, digest), snapshot in zip(recorded, run.steps, strict=False):
        if step != snapshot or weights_hash(run.weights(step)) != digest:
            break
        fresh += 1
    return fresh


def _is_done(writer: RecordWriter, step: int, digest: str) -> bool:
    """Say whether a record holds this step of these weights; cut off what it is to replace."""
    steps = writer.column(names.STEP).tolist()
    if step in steps and writer.column(names.WEIGHTS)[steps.index(step)] == digest:
        return True
    writer.truncate(sum(earlier < step for earlier in steps))
    return False
