"""A run whose network comes back to life: at a snapshot, between two, in a fork, to go on.

The order of exemplars is a pure function of the seed, and everything else that the next step
depends on is in a checkpoint. May import torch, config, model, run, tasks, errors and the loop.
"""

import copy
import os
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Self

from torch import nn

from ontogeny.config import Config
from ontogeny.errors import DivergedError, InputError, RunError
from ontogeny.model import FACTORIES
from ontogeny.progress import Progress
from ontogeny.run import COMPLETE, FAILED, TRAINING, RunFolder
from ontogeny.tasks.task import Task
from ontogeny.train.loop import Watcher, go_on
from ontogeny.train.place import moves, place, settled
from ontogeny.train.training import Training, arrays, load


class Run(RunFolder):
    """A run whose network can be brought back to life at any step.

    Parameters
    ----------
    path
        The folder.
    model
        The network, or a function that makes it, where the run's own was not made by `vgg`: a
        run folder is never allowed to name code that is run.

    Examples
    --------
    The network between two snapshots and at one, and a twin that shares what came before:

    >>> run = ont.Run.open("runs/tiny")
    >>> network = run.replay(137)
    >>> logits = run.network(300)(ont.prepare(run.task.images[run.task.probe]))
    >>> tuple(logits.shape)
    (60, 3)
    >>> run.fork(84, "runs/twin").steps
    (0, 1, 2, 4, 7, 13, 24, 45, 84)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        model: nn.Module | Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__(path)
        self._model = model

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        model: nn.Module | Callable[[], nn.Module] | None = None,
    ) -> Self:
        """Open a run for reading; it may be in training at the same time.

        Raises
        ------
        RunError
            If there is no run, its description is damaged, or it is of a newer schema.
        """
        run = super().open(path)
        run._model = model
        return run

    @cached_property
    def config(self) -> Config:
        """How it is trained.

        Raises
        ------
        InputError
            If somebody's own loop trained it.
        """
        if self.is_own_loop:
            msg = (
                f"expected a run that Ontogeny trained, got {self.path}, recorded in a training "
                "loop of its own: it can be measured, pictured, reported and viewed, but not "
                "resumed, replayed between its snapshots or forked"
            )
            raise InputError(msg)
        return Config.from_json(self.description["config"])

    @cached_property
    def task(self) -> Task:
        """What it learns, from the run's own copy.

        Raises
        ------
        RunError
            If the copy is not the task that the run was begun with.
        """
        task = Task.load(self.task_path)
        expected = self.description["task"]["hash"]
        if task.hash != expected:
            msg = (
                f"expected the task {expected[:12]} in {self.task_path}, got {task.hash[:12]}: "
                "restore it from a copy"
            )
            raise RunError(msg)
        return task

    def network(self, step: int | None = None) -> nn.Module:
        """Return the network at a snapshot, in evaluation mode.

        Parameters
        ----------
        step
            Step of a snapshot; None: the last there is.

        Raises
        ------
        InputError
            If there is no snapshot at this step, or the network cannot be made.
        RunError
            If the snapshot is damaged or of another network.
        """
        weights = self.weights(max(self.steps, default=0) if step is None else step)
        network = self._architecture()
        load(network, weights, str(self.path))
        return network.eval()

    def replay(self, step: int) -> nn.Module:
        """Return the network at any step that was trained, in evaluation mode, bit for bit.

        Between snapshots it is trained again from the nearest checkpoint before; nothing is
        written. A warning tells if a loss on the way is not the recorded one: then this machine,
        or its versions, cannot reproduce the bits.

        Raises
        ------
        InputError
            If the step was not trained.
        RunError
            If no checkpoint before it is whole.
        """
        if step in self.steps:
            return self.network(step)
        with settled(self.description["threads"]):
            return self._training(self._trained(step)).model.eval()

    def fork(self, at: int, out: str | os.PathLike[str]) -> "Run":
        """Begin a child that shares this run's history up to a step; `resume` trains it on.

        Without an intervention it reproduces this run bit for bit. The parent is only read;
        snapshots are hard-linked where the disk can.

        Parameters
        ----------
        at
            Any step that was trained.
        out
            A new or empty folder.

        Raises
        ------
        InputError
            If the step was not trained.
        RunError
            If `out` holds something, or the parent is damaged.
        """
        _ = self.config
        at, child = self._trained(at), Run(out, model=self._model)
        parent = {"path": str(self.path), "step": at}
        with child.writing():
            child.begin(
                {**self.description, "parent": parent, "failure": None, "stages": {}},
                self.description["task"]["tokens"],
            )
            self.share(child, at)
            # the parent may have none at this step: it is trained again from the one before
            if at not in child.checkpoints:
                with settled(self.description["threads"]):
                    child.write_checkpoint(at, arrays(self._training(at).state()))
            # the state last: a child that is killed before this has not begun
            child.amend(state=TRAINING)
        return child

    def resume(
        self, *, watchers: Sequence[Watcher] = (), progress: Progress | None = None
    ) -> "Run":
        """Go on from the newest checkpoint to the last step; see `train`.

        Raises
        ------
        RunError
            If the run diverged, or somebody else writes it.
        """
        _ = self.config  # refuses what cannot be trained
        if self.state == FAILED:
            msg = (
                f"expected a run that can go on, got {self.path}, which failed "
                f"({self.description['failure']}): train another, or fork it at an earlier step"
            )
            raise RunError(msg)
        if self.state != COMPLETE:
            with self.writing():
                self._note_other_machine()
                self.go_on(watchers, progress)
        return self

    def go_on(self, watchers: Sequence[Watcher], progress: Progress | None) -> None:
        """Train from the newest checkpoint to the last step, and note how it ended.

        The caller holds the run's lock: `train` and `resume` do.

        Raises
        ------
        DivergedError
            If the loss became NaN or infinite; what was recorded until then is kept.
        """
        try:
            with settled(self.description["threads"]):
                go_on(self, self._restored(self.config.steps), watchers, progress)
        except DivergedError as error:
            self.amend(state=FAILED, failure=str(error))
            raise
        self.amend(state=COMPLETE)

    def _architecture(self) -> nn.Module:
        """Make the network, with whatever weights."""
        spec = self.description["model"]
        if isinstance(self._model, nn.Module):
            network = copy.deepcopy(self._model)
        elif self._model is not None:
            network = self._model()
        elif spec["factory"] in FACTORIES:
            network = FACTORIES[spec["factory"]](**spec["arguments"])
        else:
            name = spec["factory"].partition(":")[2]
            msg = (
                f"expected a network made by {' or '.join(FACTORIES)}, got {spec['factory']}, "
                f"which is not run unasked: give it in Python, run = ontogeny.Run.open("
                f"{str(self.path)!r}, model={name}), and call ontogeny.picture_run(run) or "
                "ontogeny.observe(run)"
            )
            raise InputError(msg)
        return network

    def _restored(self, at_most: int) -> Training:
        """Return the training as it was at the newest whole checkpoint up to a step."""
        steps = [step for step in self.checkpoints if step <= at_most]
        training = Training(self._architecture(), self.task, self.config)
        while steps:
            try:
                training.restore(steps[-1], self.checkpoint(steps[-1]), str(self.path))
            # a checkpoint that was damaged costs the steps since the one before, not the run
            except RunError as error:
                if len(steps) == 1:
                    raise
                warnings.warn(f"{error}; going on from the checkpoint before", stacklevel=2)
                steps.pop()
            else:
                return training
        msg = f"expected a checkpoint at or before step {at_most} in {self.path}, got none"
        raise RunError(msg)

    def _training(self, step: int) -> Training:
        """Return the training as it was at a step, by repeating it from the checkpoint before."""
        training, losses = self._restored(step), self.curve().loss
        is_same = True
        while training.step < step:
            row = training.advance()
            # told once: after one other bit all later losses differ as well
            if is_same and row.loss != losses[row.step - 1]:
                is_same = False
                warnings.warn(
                    f"expected the loss {losses[row.step - 1]} at step {row.step} of {self.path}, "
                    f"got {row.loss}: this machine or its versions do not reproduce the bits",
                    stacklevel=2,
                )
        return training

    def _trained(self, step: int) -> int:
        """Return a step if it was trained."""
        last = len(self.curve().step)
        if not 0 <= step <= last:
            msg = f"expected a step from 0 to {last}, which were trained, got {step}"
            raise InputError(msg)
        return int(step)

    def _note_other_machine(self) -> None:
        """Warn, and keep in run.json, that bits may differ where a run moves between machines."""
        description, here = self.description, place()
        changes = moves(description, here)
        if not changes:
            return
        warning = (
            f"from step {max(self.checkpoints, default=0)} on, bits may differ from an "
            f"uninterrupted run: {', '.join(changes)}"
        )
        self.amend(**here, warnings=[*description["warnings"], warning])
        warnings.warn(warning, stacklevel=4)


def with_network(run: RunFolder | str | os.PathLike[str]) -> Run:
    """Return a run whose network can be brought back; one that has a network handed over keeps it.

    Raises
    ------
    RunError
        If there is no run, its description is damaged, or it is of a newer schema.
    """
    if isinstance(run, Run):
        return run
    return Run.open(run.path if isinstance(run, RunFolder) else run)
