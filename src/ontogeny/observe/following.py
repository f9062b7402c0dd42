"""Observing a run while another process trains it: each snapshot as it appears.

May import companion, train, run, errors and the parts of this package.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ontogeny.companion import Companion, Send
from ontogeny.errors import OntogenyError
from ontogeny.observe.snapshots import Observer
from ontogeny.progress import Progress
from ontogeny.run import COMPLETE, FAILED, RunFolder
from ontogeny.train import Run

PAUSE = 0.2
"""Seconds between two looks for a new snapshot."""


def follow(
    path: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    until: Callable[[], bool] | None = None,
) -> None:
    """Observe a run's snapshots as another process writes them, until the run has ended.

    What is observed is what `observe` would observe afterwards, to the last bit: it depends on the
    weights, and on the run's own number of threads.

    Parameters
    ----------
    path
        The run's folder; it need not be there yet.
    progress
        Called as `progress("snapshots", done, total)` after each one.
    until
        Called between two looks; True ends the following before the run has ended.

    Raises
    ------
    RunError
        If a snapshot is damaged, somebody else writes the record, or the disk is full.
    """
    folder, observer, seen = RunFolder(Path(path)), Observer(path), set[int]()
    while not (until is not None and until()):
        if not folder.began:
            time.sleep(PAUSE)
            continue
        has_ended = folder.state in {COMPLETE, FAILED}  # read before its snapshots are listed
        new = [step for step in folder.steps if step not in seen]
        # one at a time: the list is read again after each, since a training may take snapshots away
        for step in new[:1]:
            _observe(observer, folder, step)
            seen.add(step)
            if progress is not None:
                total = len(folder.steps) if has_ended else len(_planned(folder))
                progress("snapshots", len(seen), total)
        if not new and has_ended:
            return
        if not new:
            time.sleep(PAUSE)


def _observe(observer: Observer, folder: RunFolder, step: int) -> None:
    """Observe one snapshot, unless a training that goes on from before it has taken it away."""
    try:
        observer(step, Run.open(folder.path).network(step))
    # a snapshot that is gone by now was withdrawn by a resumed training, and is no error
    except OntogenyError:
        if step in folder.steps:
            raise


def _planned(folder: RunFolder) -> tuple[int, ...]:
    return Run.open(folder.path).config.snapshot_steps


@contextmanager
def following(path: str | os.PathLike[str]) -> Iterator[Companion]:
    """Follow a run in a process of its own, from before it begins; it ends with the context.

    Its events are {"done": snapshots observed, "total": of how many}.
    """
    target = f"{__name__}:{_follow_beside.__name__}"
    with Companion(target, str(Path(path).absolute())) as companion:
        yield companion


def _follow_beside(path: str, send: Send) -> None:
    follow(path, progress=lambda _, done, total: send({"done": done, "total": total}))
