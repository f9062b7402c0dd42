"""Recording a network in one's own training loop.

May import schedule, tasks, record, errors and the parts of this package.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from torch import Tensor, nn

from ontogeny import record as names
from ontogeny.errors import RunError
from ontogeny.observe.exemplars import Exemplars, own_exemplars, with_outputs
from ontogeny.observe.layout import template
from ontogeny.observe.row import observed, weights_hash
from ontogeny.observe.snapshots import PATIENCE
from ontogeny.record import NAME, RecordWriter, find_record
from ontogeny.schedule import snapshot_steps
from ontogeny.tasks.task import Task

GROWTH = 1.08
"""Each next step that a `Recorder` of unknown length observes is about this times the last."""

DETAIL = 5
"""Each so many snapshots the effects of edges and parents are observed too."""


class Recorder:
    """Records the development of a network in one's own training loop.

    ::

        with Recorder(model, "runs/mine", probe=images, tokens=tokens) as recorder:
            for x, y in batches:
                ...
                recorder.step(loss)

    Step 0 is observed on entering, the last step on leaving. Observing disturbs nothing: weights,
    gradients, batch norm and random state stay as they are.

    Parameters
    ----------
    model
        The network; its Conv2d and Linear layers form a chain, or `couplings` is False.
    out
        A folder, which gets `record.zarr`.
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
        Observe couplings.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.

    Raises
    ------
    InputError
        If probe, tokens and network do not go together.
    RunError
        If `out` holds a record already, or cannot be written.
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
        couplings: bool = True,
        extras: bool = True,
    ) -> None:
        self.model, self.couplings, self.extras = model, couplings, extras
        self.path = Path(out).absolute() / NAME
        self.exemplars = (
            Exemplars.of(probe, clones=extras)
            if isinstance(probe, Task)
            else own_exemplars(probe, tokens)
        )
        self.exemplars = with_outputs(self.exemplars, model)
        self.task = probe if isinstance(probe, Task) else None
        self.done, self._last, self._next, self._rows = 0, -1, 1, 0
        self._loss: float | Tensor | None = None
        self._is_due = self._schedule(snapshots, steps)
        if find_record(self.path).exists():
            msg = f"expected a folder without a record, got {self.path}: give another one as out"
            raise RunError(msg)

    def step(self, loss: float | Tensor | None = None) -> None:
        """Count one optimiser update, and observe if this step is due.

        Parameters
        ----------
        loss
            The training's loss at this step, for the record.
        """
        self.done += 1
        self._loss = loss.detach() if isinstance(loss, Tensor) else loss
        if self._is_due(self.done):
            self.observe()

    def observe(self) -> None:
        """Observe the network now, whether this step is due or not."""
        if self._last == self.done:
            return
        shown = self.exemplars
        found, wiring = observed(
            self.model, shown, couplings=self.couplings, extras=self.extras,
            detailed=self._rows % DETAIL == 0,
        )  # fmt: skip
        self._rows += 1
        digest = weights_hash(self.model.state_dict())
        row = {names.STEP: self.done, names.WEIGHTS: digest, **found}
        if shown.train is None:
            row[names.LOSS][0] = np.nan if self._loss is None else float(self._loss)
        attributes = {"data_hash": None if self.task is None else self.task.hash}
        if self._last < 0:
            blank = template(shown, wiring, row, attributes)
            opened = RecordWriter.create(self.path, blank)
        else:
            opened = RecordWriter(self.path, patience=PATIENCE)
        with opened as writer:
            writer.append(row)
        self._last = self.done

    def __enter__(self) -> Self:
        self.observe()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.observe()

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
        self._next = max(step + 1, round(step * GROWTH))
        return True
