"""Recording a network in one's own training loop.

May import hooks, schedule, tasks, run, record, errors and the parts of this package.
"""

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny import record as names
from ontogeny.hooks import Blueprint, coupling_faults, observable
from ontogeny.observe.exemplars import Exemplars, own_exemplars, with_outputs
from ontogeny.observe.layout import template
from ontogeny.observe.own import OwnRun
from ontogeny.observe.row import observed, weights_hash
from ontogeny.observe.snapshots import COUPLINGS, LEFT_OUT, PATIENCE, without_couplings
from ontogeny.passes import bare
from ontogeny.record import NAME, RecordWriter
from ontogeny.run import COMPLETE, FAILED, RunFolder
from ontogeny.schedule import Detail, snapshot_steps
from ontogeny.tasks.task import Task

GROWTH = 1.08
"""Each next step that a `Recorder` of unknown length observes is about this times the last."""

DETAIL = 5
"""Each so many snapshots the effects of edges and parents are observed too, and recombinations."""
TURNS = 3
"""And each so many of these recombinations above dealt layers."""


class Recorder:
    """Records the development of a network in one's own training loop, as a run.

    ::

        with Recorder(model, "runs/mine", probe=images, tokens=tokens) as recorder:
            for x, y in batches:
                ...
                recorder.step(loss)

    Step 0 is observed on entering, the last step on leaving. What is written is a run: measures,
    pictures, report and page are made of it as of any other. Observing disturbs nothing: weights,
    gradients, batch norm and random state stay as they are, and the network is seen in evaluation
    mode, in float32, without what wraps it and without autocast.

    Parameters
    ----------
    model
        The network; see the page on one's own networks for what is taken.
    out
        A new or empty folder, which becomes the run.
    probe
        What each snapshot is shown: a `Task`, uint8 images [exemplar, y, x, channel], or the
        network's own input.
    tokens
        With images: each exemplar's token, by name or number; numbers are the outputs' indices.
        None: no token signal, contrast or accuracy.
    snapshots
        Which steps are observed: as in `snapshot_steps`.
    steps
        Length of the training. None: unknown; a count of snapshots then means each step at first,
        later steps 8 % apart.
    couplings
        Observe couplings; the Conv2d and Linear layers then have to form a chain. None: where they
        do; where they do not, a warning says why.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.
    weights
        Keep the weights of observed steps, which pictures are made from.

    Raises
    ------
    InputError
        If probe, tokens and network do not go together, or the network cannot be observed.
    RunError
        If `out` holds anything already, or cannot be written.

    Examples
    --------
    >>> import torch
    >>> task = ont.load_task("faces", tokens=3, density=20, size=16, probe=5)
    >>> images, token = ont.prepare(task.images[task.train]), torch.tensor(task.token[task.train])
    >>> network = ont.vgg(task, widths=(4, 4), dense=4, depth=1)
    >>> optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    >>> with ont.Recorder(network, out="runs/mine", probe=task) as recorder:
    ...     for _ in range(2):
    ...         optimiser.zero_grad()
    ...         loss = torch.nn.functional.cross_entropy(network(images), token)
    ...         loss.backward()
    ...         optimiser.step()
    ...         recorder.step(loss)
    ...
    >>> ont.open_record("runs/mine").step.values.tolist()
    [0, 1, 2]
    """

    def __init__(  # noqa: PLR0913 - all but the first three are choices with a default
        self,
        model: nn.Module,
        out: str | os.PathLike[str],
        probe: Task | np.ndarray | Tensor,
        *,
        tokens: Sequence[Any] | np.ndarray | None = None,
        snapshots: int | str | Sequence[int] = 60,
        steps: int | None = None,
        couplings: bool | None = None,
        extras: bool = True,
        weights: bool = True,
    ) -> None:
        self.model, self.couplings, self.extras, self.weights = (
            bare(model),
            couplings,
            extras,
            weights,
        )
        self.run = RunFolder(out)
        self.path = self.run.path / NAME
        self.task = probe if isinstance(probe, Task) else None
        self.exemplars = with_outputs(
            Exemplars.of(probe, clones=extras)
            if isinstance(probe, Task)
            else own_exemplars(probe, tokens),
            self.model,
        )
        self.done, self._last, self._next, self._rows = 0, -1, 1, 0
        self._losses: list[float | Tensor] = []
        self._is_due = self._schedule(snapshots, steps)
        self._own = OwnRun(self.run)
        self._is_idle = _is_other_rank()
        if not self._is_idle:
            self._own.refuse_if_used()

    def step(self, loss: float | Tensor | None = None) -> None:
        """Count one optimiser update, and observe if this step is due.

        Parameters
        ----------
        loss
            The training's loss at this step, for the record.
        """
        self.done += 1
        if self._is_idle:
            return
        loss = math.nan if loss is None else loss
        # kept on its device: reading it here would wait for the step to finish
        self._losses.append(loss.detach() if isinstance(loss, Tensor) else loss)
        if self._is_due(self.done):
            self.observe()

    def observe(self) -> None:
        """Observe the network now, whether this step is due or not."""
        if self._last == self.done or self._is_idle:
            return
        shown = self.exemplars
        network = observable(self.model, shown.probe)
        faults = self._settle(network)
        found, blueprint = observed(
            network, shown, couplings=bool(self.couplings), extras=self.extras,
            detail=self._detail,
        )  # fmt: skip
        self._rows += 1
        digest = weights_hash(network.state_dict())
        row = {names.STEP: self.done, names.WEIGHTS: digest, **found}
        if shown.train is None:
            row[names.LOSS][0] = float(self._losses[-1]) if self._losses else np.nan
        # laid out after the first observation, so that a network that is refused leaves no folder
        if self._last < 0:
            self._begin(network, row, blueprint, faults)
        # weights before the row that names their hash
        self._own.snapshot(self.done, network if self.weights else None, self._losses)
        self._losses = []
        with RecordWriter(self.path, patience=PATIENCE) as writer:
            writer.append(row)
        self._last = self.done

    @property
    def _detail(self) -> Detail:
        """How much is observed now; the loop's length may be unknown, so by turns."""
        if self._rows % DETAIL:
            return Detail.LITTLE
        return Detail.RECOMBINED if self._rows % (DETAIL * TURNS) else Detail.MOST

    def __enter__(self) -> Self:
        self.observe()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._is_idle or self._last < 0:
            return
        if kind is None:
            self.observe()
        failure = None if kind is None else f"{kind.__name__} after step {self.done}"
        self._own.end(COMPLETE if kind is None else FAILED, self._losses, failure)
        self._losses = []

    def _settle(self, network: nn.Module) -> list[str]:
        """Find out, once, whether the network has couplings; warn where it has none."""
        if self.couplings is not None:
            return []
        faults = coupling_faults(network, self.exemplars.probe)
        self.couplings = not faults
        if faults:
            warnings.warn(without_couplings(faults), stacklevel=4)
        return faults

    def _begin(
        self,
        network: nn.Module,
        row: Mapping[str, Any],
        blueprint: Blueprint,
        faults: Sequence[str],
    ) -> None:
        """Lay out the run and its record."""
        said = [without_couplings(faults)] if faults else []
        known = {COUPLINGS: self.couplings, "warnings": said}
        self._own.begin(self.model, self.exemplars, self.task, known)
        task = self.run.description["task"]
        attributes = {
            "data_hash": task["hash"],
            "task": task["name"],
            "parameters": self.run.description["parameters"],
        }
        if network is not self.model:
            kinds = {str(p.dtype).removeprefix("torch.") for p in self.model.parameters()}
            attributes["precision"] = f"a float32 copy of the {'/'.join(sorted(kinds))} network"
        if not self.couplings:
            attributes[names.WITHOUT_COUPLINGS] = said[0] if said else LEFT_OUT
        RecordWriter.create(self.path, template(self.exemplars, blueprint, row, attributes)).close()

    def _schedule(
        self, snapshots: int | str | Sequence[int], steps: int | None
    ) -> Callable[[int], bool]:
        if steps is not None:
            return frozenset(snapshot_steps(steps, snapshots)).__contains__
        if isinstance(snapshots, str):
            snapshot_steps(0, snapshots)  # refuses what it cannot read
            interval = int(snapshots.partition(":")[2])
            return lambda step: step % interval == 0
        if isinstance(snapshots, Sequence):
            return frozenset(snapshots).__contains__
        return self._is_next

    def _is_next(self, step: int) -> bool:
        if step < self._next:
            return False
        # even steps on a logarithmic axis, as networks change: early fast, later slowly
        self._next = max(step + 1, round(step * GROWTH))
        return True


def _is_other_rank() -> bool:
    """Say whether another process of a distributed training is the one that records."""
    parts = torch.distributed
    return parts.is_available() and parts.is_initialized() and parts.get_rank() != 0
