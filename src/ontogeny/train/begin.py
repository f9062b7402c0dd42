"""Training a network on a task: begin a run, or go on with one, after all that can be refused.

May import torch, config, model, passes, tasks, errors and the run.
"""

import copy
import os
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ontogeny.config import BATCH, Config
from ontogeny.errors import InputError
from ontogeny.model import parameters, prepare, vgg
from ontogeny.passes import refuse_uninitialised
from ontogeny.progress import Progress
from ontogeny.run import TRAINING
from ontogeny.tasks.doubts import doubts
from ontogeny.tasks.task import Task
from ontogeny.train.loop import Watcher
from ontogeny.train.place import place, settled, undisturbed
from ontogeny.train.run import Run
from ontogeny.train.training import Training, arrays


def train(  # noqa: PLR0913 - what to learn, with what, how, where to, and who looks on
    task: Task | None,
    model: nn.Module | None = None,
    config: Config | None = None,
    *,
    out: str | os.PathLike[str],
    resume: bool = False,
    watchers: Sequence[Watcher] = (),
    progress: Progress | None = None,
) -> Run:
    """Train a network on a task and record its development in a folder.

    Parameters
    ----------
    task
        What to learn; None: the task of the run that is resumed.
    model
        A network that maps `prepare`d images [exemplar, channel, y, x] to logits
        [exemplar, token]; it is copied, and stays as it is. None: `vgg` for this task and seed.
    config
        How to train; None: the defaults, or those of the run that is resumed.
    out
        A new or empty folder, or the run to go on with.
    resume
        Go on with a run that was stopped or killed, from its newest checkpoint; the weights will
        be those of an uninterrupted run, bit for bit. Without a run in `out`, begin one; with a
        complete one, do nothing.
    watchers
        Called with the step and a copy of the network in evaluation mode after each snapshot.
        Nothing that they do to it, or draw from torch's random state, reaches the training.
        After a crash they see the steps since the newest checkpoint once more.
    progress
        Called after each step, as `progress("loss 0.123", step, steps)`.

    Returns
    -------
    Run
        The trained run.

    Raises
    ------
    InputError
        If task, network, config and folder do not go together.
    RunError
        If the folder is locked, damaged, not writable or out of room.
    DivergedError
        If the loss became NaN or infinite; what was recorded until then is kept.

    Examples
    --------
    >>> task = ont.load_task("faces", tokens=3, density=20, size=16)
    >>> network = ont.vgg(task, widths=(8, 8), dense=8, depth=1)
    >>> short = ont.train(task, network, ont.Config(steps=4), out="runs/short")
    >>> short.state, short.steps
    ('complete', (0, 1, 2, 3, 4))
    """
    run = Run(out, model=model)
    if resume and run.began:
        _expect(run, task, model, config)
        return run.resume(watchers=watchers, progress=progress)
    if task is None:
        msg = f"expected a task, or a run to resume, got neither in {out}: give a task"
        raise InputError(msg)
    asked = config or Config()
    config = asked.settled(mirrors=task.mirrors, n_train=len(task.train))
    network = vgg(task, seed=config.seed) if model is None else model
    _check(network, task, config)
    notes = _notes(task, asked, config)
    with run.writing():
        _begin(run, task, network, config)
        run.amend(warnings=notes)
        run.go_on(watchers, progress)
    return run


def _expect(run: Run, task: Task | None, model: nn.Module | None, config: Config | None) -> None:
    """Refuse to go on with another task, config or network than the run was begun with."""
    description, problems = run.description, []
    if task is not None and task.hash != description["task"]["hash"]:
        problems.append(f"another task ({task.name}, {task.hash[:12]})")
    if config is not None:
        asked = config.settled(mirrors=run.task.mirrors, n_train=len(run.task.train))
        new, old = asked.to_json(), run.config.to_json()
        problems += [f"{k} {new[k]} (it has {old[k]})" for k in new if new[k] != old[k]]
    spec = getattr(model, "spec", None)
    if spec is not None and spec != description["model"]:
        problems.append(f"another network ({spec})")
    if problems:
        msg = (
            f"expected what {run.path} was begun with, got {'; '.join(problems)}: "
            "resume it as it is or train in another folder (--out)"
        )
        raise InputError(msg)


def _check(network: nn.Module, task: Task, config: Config) -> None:
    """Refuse, before anything is written, a network that cannot learn this task."""
    n = len(task.train)
    if config.batch is None or config.batch > n:
        msg = (
            f"expected a batch of at most the {n} training exemplars, got {config.batch}: ask for "
            "fewer, or leave it out"
        )
        raise InputError(msg)
    refuse_uninitialised(network)
    if {p.dtype for p in network.parameters()} != {torch.float32}:
        msg = "expected a network of float32 weights, got others: convert it with .float()"
        raise InputError(msg)
    # on a copy in evaluation mode: a pass would move running statistics before step 1
    trial = copy.deepcopy(network).eval()
    y, x = task.size
    with torch.inference_mode(), undisturbed():
        try:
            got = list(trial(prepare(task.images[task.train[:2]])).shape)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            msg = f"expected a network for images of {task.channels} x {y} x {x}, got: {reason}"
            raise InputError(msg) from error
    if got != [2, task.n_tokens]:
        msg = f"expected logits [exemplar, {task.n_tokens}] for two exemplars, got {got}"
        raise InputError(msg)


def _notes(task: Task, asked: Config, config: Config) -> list[str]:
    """Return what the user must know of a run that begins, and say it once."""
    notes = doubts(task)
    if asked.batch is None and config.batch != BATCH:
        notes.append(
            f"The batch is {config.batch}, not {BATCH}, because there are no more training "
            "exemplars."
        )
    for note in notes:
        warnings.warn(note, stacklevel=3)
    return notes


def _begin(run: Run, task: Task, network: nn.Module, config: Config) -> None:
    """Lay out the folder with all that a resume needs: task, description, checkpoint 0."""
    threads = config.threads or torch.get_num_threads()
    run.begin(_description(task, network, config, threads), task.tokens)
    # the task before the checkpoint: a folder that can be resumed holds what it learns from
    task.save(run.task_path)
    run.task, run.config = task, config
    with settled(threads, seed=config.seed):
        training = Training(copy.deepcopy(network), task, config)
        run.write_checkpoint(0, arrays(training.state()))
    # the state last: until here a killed run has not begun and may be begun again
    run.amend(state=TRAINING)


def _description(task: Task, network: nn.Module, config: Config, threads: int) -> dict[str, Any]:
    """Return what run.json says of a run that begins."""
    kind = type(network)
    unknown = {"factory": f"{kind.__module__}:{kind.__qualname__}", "arguments": None}
    return {
        "config": config.to_json(),
        "task": {
            "name": task.name,
            "hash": task.hash,
            "tokens": list(task.tokens),
            "density": task.density,
            "size": list(task.size),
            "channels": task.channels,
            "origin": task.origin,
        },
        "model": getattr(network, "spec", unknown),
        "parameters": parameters(network),
        "threads": threads,
        **place(),
        "parent": None,
        "failure": None,
        "warnings": [],
    }
