"""Observing a run: its snapshots, live or afterwards, into its record.

May import train, run, tasks, record, errors and the parts of this package.
"""

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr
from torch import nn

from ontogeny import record as names
from ontogeny.errors import DamagedError, RunError
from ontogeny.hooks import Blueprint, coupling_faults
from ontogeny.hooks.chains import refuse
from ontogeny.observe.exemplars import TRAIN_EXEMPLARS, Exemplars
from ontogeny.observe.layout import template
from ontogeny.observe.row import observed, weights_hash
from ontogeny.progress import Progress
from ontogeny.record import NAME, RecordWriter, open_record
from ontogeny.run import RunFolder
from ontogeny.schedule import detail_at, snapshot_steps
from ontogeny.tasks.task import Task
from ontogeny.train import Run, settled, with_network

PATIENCE = 60.0
"""Seconds to wait for another observer of the same run."""

COUPLINGS = "couplings"
"""The entry of run.json that remembers whether couplings are observed."""
WITHOUT = "no couplings are observed: "
LEFT_OUT = "no couplings were asked for"

_WIRED_EXTRAS = {
    names.COUPLING_NULL, names.COUPLING_CONTRAST_NULL, names.EDGE_ATTRIBUTION, names.INTERACTION,
    names.INTERACTION_FIRST, names.INTERACTION_SECOND,
}  # fmt: skip
_CHOSEN = frozenset({names.COUPLING, names.CLONE_LOSS} | _WIRED_EXTRAS | set(names.RECOMBINATIONS))
"""Variables that an observer may leave out; so whether they are there tells records apart."""


def observe(
    run: Run | RunFolder | str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    out: str | os.PathLike[str] | None = None,
    couplings: bool | None = None,
    extras: bool = True,
) -> xr.Dataset:
    """Bring a run's record up to its snapshots, and open it.

    Steps that are in the record, whole and fresh are skipped; from the first that is missing,
    damaged or stale on, all are observed anew, so that steps stay in order.

    Parameters
    ----------
    run
        The run or its folder; it may be in training. One that a `Recorder` wrote was observed in
        the loop that trained it: its record is opened as it is.
    progress
        Called as `progress("snapshots", done, total)`.
    out
        Where the record lies; None: `record.zarr` in the run's folder.
    couplings
        Observe couplings; False: do without. None: as the run was observed before, else couplings
        where the network is a chain of layers; where it is none, a warning says why, the run
        remembers it (run.json), and all that needs no couplings is observed.
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
    InputError
        If couplings are asked for and the network is no chain of layers, or the network cannot be
        observed.

    Examples
    --------
    >>> record = ont.observe(run)
    >>> record.step.values.tolist() == list(run.steps)
    True
    """
    run = with_network(run)
    if run.is_own_loop:  # its recorder alone could observe it
        return open_record(run.path if out is None else out)
    steps = run.steps
    if not steps:
        msg = f"expected a run with snapshots, got none in {run.path}: train it first"
        raise RunError(msg)
    observer = Observer(run.path, out=out, couplings=couplings, extras=extras)
    observer.is_watcher = False
    if couplings is not None:  # refuse before anything is dropped
        observer.settle(run.network(steps[0]))
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
        As of `observe`.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.
        A record that has them keeps getting them.

    Examples
    --------
    >>> task = ont.load_task("faces", tokens=3, density=20, size=16, probe=5)
    >>> network = ont.vgg(task, widths=(4, 4), dense=4, depth=1)
    >>> watcher = ont.Observer("runs/short", extras=False)
    >>> run = ont.train(task, network, ont.Config(steps=2), out="runs/short", watchers=[watcher])
    >>> ont.open_record("runs/short").step.values.tolist()
    [0, 1, 2]
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        out: str | os.PathLike[str] | None = None,
        couplings: bool | None = None,
        extras: bool = True,
    ) -> None:
        self.run = RunFolder(run)
        self.path = Path(out).absolute() if out is not None else self.run.path / NAME
        self._asked, self.extras = couplings, extras
        self.is_watcher = True
        self._faults: list[str] | None = None

    @property
    def couplings(self) -> bool:
        """Whether couplings are observed: as asked for, as the run remembers, if there are any."""
        if self._asked is not None:
            return self._asked
        return not self._faults and self.run.description.get(COUPLINGS, True)

    def __call__(self, step: int, model: nn.Module) -> None:
        """Observe the network at a step, unless that is done."""
        digest = weights_hash(model.state_dict())
        self.settle(model)
        self._drop_unlike()
        if self.path.exists() and self._appended(step, model, digest):
            return
        row, blueprint = self._row(step, model, digest)
        with RecordWriter.create(self.path, self._template(blueprint, row)) as writer:
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

    def settle(self, model: nn.Module) -> None:
        """Find out, once, whether the network has couplings, and let the run remember it.

        Raises
        ------
        InputError
            If couplings are asked for and the network is no chain of layers.
        """
        if self._faults is not None:
            return
        faults = coupling_faults(model, self._exemplars.probe) if self.couplings else []
        if self._asked:
            refuse(faults)
        self._faults, is_own = faults, self.path == self.run.path / NAME
        if faults:
            warning = without_couplings(faults)
            warnings.warn(warning, stacklevel=3)
            self._remember(False, [warning])
        # a record elsewhere is a trial and says nothing of the run
        elif is_own and self._asked is not None:
            self._remember(self._asked, [])

    def _remember(self, couplings: bool, words: Sequence[str]) -> None:
        """Note in run.json whether couplings are observed.

        A training in this process has locked the run for its watchers. Where somebody else writes
        it, nothing is noted, and found out again the next time.
        """
        said = self.run.description
        if said.get(COUPLINGS) is couplings:
            return
        change = {COUPLINGS: couplings, "warnings": [*said["warnings"], *words]}
        if self.is_watcher:
            self.run.amend(**change)
            return
        with suppress(RunError), self.run.writing():
            self.run.amend(**change)

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
        if self.couplings and self.extras:
            wanted |= _WIRED_EXTRAS
            wanted |= set() if self._exemplars.scored is None else set(names.RECOMBINATIONS)
        return frozenset(wanted)

    @cached_property
    def _description(self) -> dict[str, Any]:
        return self.run.description

    @cached_property
    def _scheduled(self) -> tuple[int, ...]:
        """Steps of snapshots, by which rows are the same, observed live or afterwards."""
        config = self._description["config"]
        return snapshot_steps(config["steps"], config["snapshots"])

    @cached_property
    def _exemplars(self) -> Exemplars:
        task = Task.load(self.run.task_path)
        seed = self._description["config"]["seed"]
        return Exemplars.of(task, seed=seed, clones=self.extras)

    def _row(self, step: int, model: nn.Module, digest: str) -> tuple[dict[str, Any], Blueprint]:
        shown, config = self._exemplars, self._description["config"]
        with settled(self._description["threads"]):  # last bits depend on the number of threads
            row, blueprint = observed(
                model, shown, couplings=self.couplings, extras=self.extras,
                detail=detail_at(step, self._scheduled),
            )  # fmt: skip
        seen = step * config["batch"]
        where = {
            names.STEP: step,
            names.WEIGHTS: digest,
            names.EXAMPLES_SEEN: seen,
            names.EPOCH: seen / sum(self._description["task"]["density"].values()),
        }
        return where | row, blueprint

    def _template(self, blueprint: Blueprint, row: Mapping[str, Any]) -> xr.Dataset:
        description = self._description
        attributes = {
            "config": description["config"],
            "seed": description["config"]["seed"],
            "data_hash": description["task"]["hash"],
            "task": description["task"]["name"],
            "parameters": description["parameters"],
            "train_exemplars": f"{TRAIN_EXEMPLARS} per token, drawn by seed",
            **self._left_out(),
        }
        return template(self._exemplars, blueprint, row, attributes)

    def _left_out(self) -> dict[str, str]:
        """Say why there are no couplings, where there are none."""
        if self.couplings:
            return {}
        said = [w for w in self.run.description["warnings"] if w.startswith(WITHOUT)]
        return {names.WITHOUT_COUPLINGS: said[-1] if said else LEFT_OUT}


def without_couplings(faults: Sequence[str]) -> str:
    """Return the sentence that says why a network is observed without couplings."""
    return (
        f"{WITHOUT}they need each layer's input to be the units of the layer before it, got "
        f"{'; '.join(faults)}"
    )


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
