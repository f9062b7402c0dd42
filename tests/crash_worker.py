"""Trains tiny runs in processes that are killed: one warm process forks them all.

`python crash_worker.py FOLDER SEED` kills runs at random moments;
`python crash_worker.py FOLDER SEED OPERATION...` kills one run at each of these file operations.
It imports torch but never computes, so that each forked process starts fresh and at once.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch._dynamo  # noqa: F401 - else each forked process waits for torch.optim to import it

from ontogeny.config import Config
from ontogeny.model import vgg
from ontogeny.observe import Observer
from ontogeny.tasks.task import Task
from ontogeny.train import train

CONFIG = Config(
    steps=36, batch=8, snapshots="every:3", checkpoint_every=4, rungs=2, flips=True, threads=1
)
KILLS = 50


def make_task():
    generator = np.random.default_rng(0)
    token = np.repeat(np.arange(3), 20)
    noise = generator.integers(0, 100, (60, 8, 8, 3))
    images = (noise + 60 * token[:, None, None, None]).astype(np.uint8)
    return Task.from_arrays(images, token, names=["ada", "bo", "cy"], probe=8)


def develop(folder: Path, is_observed: bool) -> None:
    """Train, or go on; nothing tells the process whether it is the first."""
    task = make_task()
    watchers = [Observer(folder)] if is_observed else []
    network = vgg(task, widths=(4, 6), dense=8)
    train(task, network, CONFIG, out=folder, resume=True, watchers=watchers)


def forked(act, *arguments) -> int:
    """Run an act in a process of its own and return its id."""
    process = os.fork()
    if process:
        return process
    try:
        act(*arguments)
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)


def ended(process: int) -> bool:
    """Wait for a process; return whether it was killed."""
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "a process failed: see its message above"
    return False


def kill_at_random_moments(folder: Path, seed: int) -> dict:
    """Train run after run, killing each again and again until it is complete."""
    started = time.perf_counter()
    ended(forked(develop, folder / "whole", True))
    duration = time.perf_counter() - started
    chance, kills, runs = random.Random(seed), 0, 0
    while kills < KILLS:
        run = folder / f"run{runs}"
        is_complete = False
        while not is_complete:
            process = forked(develop, run, True)
            if kills < KILLS:
                time.sleep(chance.uniform(0, 0.5 * duration))
                os.kill(process, signal.SIGKILL)
            was_killed = ended(process)
            kills += was_killed
            is_complete = not was_killed
        runs += 1
    return {"kills": kills, "runs": runs, "seconds": duration}


def kill_at_operations(folder: Path, operations: list[int]) -> dict:
    """Kill one run at each of these calls to the file system, then let it go on."""
    ended(forked(develop, folder / "whole", False))
    kills = []
    for operation in operations:
        run = folder / f"at{operation}"
        if ended(forked(develop_until, run, operation)):
            kills.append(operation)
            ended(forked(develop, run, False))
    return {"kills": len(kills), "last": max(kills, default=0), "runs": len(operations)}


def develop_until(folder: Path, operation: int) -> None:
    """Die at the n-th call that changes a file; a write dies when half of it is done."""
    calls = 0

    def counting(name):
        real = getattr(os, name)

        def call(*arguments, **choices):
            nonlocal calls
            calls += 1
            if calls == operation:
                if name == "write":
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **choices)

        return call

    for name in ("write", "fsync", "replace", "unlink", "truncate", "ftruncate", "mkdir"):
        setattr(os, name, counting(name))
    develop(folder, False)


if __name__ == "__main__":
    target, first, *rest = sys.argv[1:]
    if rest:
        outcome = kill_at_operations(Path(target), [int(first), *map(int, rest)])
    else:
        outcome = kill_at_random_moments(Path(target), int(first))
    sys.stdout.write(json.dumps(outcome))
