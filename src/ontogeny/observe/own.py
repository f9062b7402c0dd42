"""The run folder that somebody's own training loop writes.

It holds what a run of Ontogeny's own holds, as far as it is known: description, curve, snapshots,
record; so that all that reads a run reads it. What only a training knows (the order of exemplars,
the optimiser) is not there: such a run cannot be resumed, replayed or forked.
May import train, run, model, tasks, errors and the exemplars.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.errors import InputError, RunError
from ontogeny.model import parameters
from ontogeny.observe.exemplars import Exemplars
from ontogeny.run import LOOP, OWN_LOOP, TRAINING, Row, RunFolder
from ontogeny.tasks.task import Task
from ontogeny.train.place import place


class OwnRun:
    """A run folder that grows with a training that Ontogeny does not do itself.

    Parameters
    ----------
    folder
        Where it lies.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._rows = 0

    def refuse_if_used(self) -> None:
        """Refuse a folder that holds anything: a record there would be mixed with another one.

        Raises
        ------
        RunError
            If it does.
        """
        path = self.folder.path
        if self.folder.began or (path.is_dir() and _strangers(self.folder)):
            held = self.folder.state if self.folder.began else ", ".join(_strangers(self.folder))
            msg = (
                f"expected a folder without a record, got {path}, which holds a run or other files "
                f"({held}): give another one as out, or remove it"
            )
            raise RunError(msg)

    def begin(
        self, model: nn.Module, shown: Exemplars, task: Task | None, known: Mapping[str, Any]
    ) -> None:
        """Lay out the folder.

        Parameters
        ----------
        model
            The bare network.
        shown
            What it is shown.
        task
            Where these are a task's.
        known
            More entries of run.json.
        """
        with self.folder.writing():
            tokens = shown.tokens or ()
            said = _description(self.folder.path.name, model, shown, task)
            self.folder.begin({**said, **known}, tokens)
            if task is not None:
                task.save(self.folder.task_path)
            self.folder.amend(state=TRAINING)

    def snapshot(
        self, step: int, network: nn.Module | None, losses: Sequence[float | Tensor]
    ) -> None:
        """Write the weights at a step, if given, and the losses of the steps since the last one."""
        with self.folder.writing():
            # weights, then the curve, the description last: what run.json promises is there
            if network is not None:
                self.folder.write_snapshot(step, _arrays(network))
            self._append(losses)
            config = self.folder.description["config"]
            self.folder.amend(config={**config, "steps": max(step, config["steps"])})

    def end(self, state: str, losses: Sequence[float | Tensor], failure: str | None) -> None:
        """Write what is left, and how it ended."""
        with self.folder.writing():
            self._append(losses)
            config = {**self.folder.description["config"], "steps": self._rows}
            self.folder.amend(state=state, failure=failure, config=config)

    def _append(self, losses: Sequence[float | Tensor]) -> None:
        """Write a row a step; what a loop does not hand over is NaN, or 0 exemplars shown."""
        none = [0] * len(self.folder.description["task"]["tokens"])
        with self.folder.append_curve() as curve:
            for loss in losses:
                self._rows += 1
                curve.append(Row(self._rows, float(loss), math.nan, math.nan, none, none))
            curve.synchronise()


def _strangers(folder: RunFolder) -> list[str]:
    """Return what is in a folder, but for a lock and a run that never began."""
    if folder.exists:
        return []
    return sorted(file.name for file in folder.path.iterdir() if not file.name.startswith("."))[:5]


def _description(
    name: str, model: nn.Module, shown: Exemplars, task: Task | None
) -> dict[str, Any]:
    kind = type(model)
    unknown = {"factory": f"{kind.__module__}:{kind.__qualname__}", "arguments": None}
    return {
        LOOP: OWN_LOOP,
        "config": {"steps": 0, "seed": None},
        "task": _known_task(name, shown) if task is None else _whole_task(task),
        "model": getattr(model, "spec", unknown),
        "parameters": parameters(model),
        "threads": torch.get_num_threads(),
        **place(),
        "parent": None,
        "failure": None,
        "warnings": [],
    }


def _known_task(name: str, shown: Exemplars) -> dict[str, Any]:
    """Return what is known of a task by its probe alone."""
    images = shown.images
    are_images = isinstance(images, np.ndarray) and images.dtype == np.uint8
    return {
        "name": name,
        "hash": exemplars_hash(shown),
        "tokens": list(shown.tokens or ()),
        "density": {},
        "size": list(images.shape[1:3]) if are_images else [],
        "channels": int(shown.probe.x.shape[1]),
        "origin": {"source": "own loop"},
    }


def _whole_task(task: Task) -> dict[str, Any]:
    return {
        "name": task.name, "hash": task.hash, "tokens": list(task.tokens),
        "density": task.density, "size": list(task.size), "channels": task.channels,
        "origin": task.origin,
    }  # fmt: skip


def exemplars_hash(shown: Exemplars) -> str:
    """Return the SHA-256 (hex) of somebody's own exemplars and their tokens."""
    digest = hashlib.sha256(repr(shown.tokens).encode())
    for values in (shown.images, shown.token):
        if values is not None:
            array = values if isinstance(values, np.ndarray) else values.cpu().numpy()
            array = np.ascontiguousarray(array)
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.data)
    return digest.hexdigest()


def _arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """Return a network's weights as a snapshot holds them.

    Raises
    ------
    InputError
        If the network's state holds what is no tensor, or one of a type that files do not know.
    """
    try:
        return {
            name: np.asarray(tensor.detach().cpu().numpy(), order="C")
            for name, tensor in network.state_dict().items()
        }
    except (AttributeError, TypeError) as error:
        msg = (
            f"expected a network whose state is numbers, got {error}: record it with weights=False"
        )
        raise InputError(msg) from error
