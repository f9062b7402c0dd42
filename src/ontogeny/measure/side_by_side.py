"""All measures of a run, sets side by side on the machine's cores.

May import ontogeny.measure, ontogeny.companion and ontogeny.run.
"""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ontogeny.companion import Companion, Send, cores
from ontogeny.errors import OntogenyError
from ontogeny.measure.keeping import is_kept
from ontogeny.measure.sets import FIRST, SETS, measure_run
from ontogeny.progress import Parts, Progress
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder

Heard = SimpleQueue[tuple[str, dict[str, Any] | Exception | None]]
"""Sets with what their processes say: how far they are, last None or what was raised."""


def measure_all(
    run: RunFolder | str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Bring all of a run's measures up to its record: each set of `ontogeny.measure.SETS`.

    The first is measured by this process, each other one that is not fresh by a process of its
    own, that reads the record and writes one file of the run's folder; nothing but words is sent
    between them. Measures of couplings are left out where the record has none (its attribute
    `without_couplings` says why). It can be called from a script, a notebook, standard input or
    another process's worker; where no process can be started, sets are measured one by one in
    this one. If this process ends, however, so do they.

    Parameters
    ----------
    run
        A run, or its folder.
    workers
        Sets at a time; None: as many as there are cores, but no more than sets besides the first.
        Each takes up to 0.9 GB.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    RunError
        If there is no record, or no room.
    InputError
        If the record lacks what a measure needs.
    RuntimeError
        If a process failed otherwise, with its traceback if there is one.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    names = sets_apart(folder)
    parts = Parts(progress, {FIRST: 1, **dict.fromkeys(names, 3)})
    stale = [name for name in names if not _is_fresh(folder, name)]
    for name in set(names) - set(stale):
        parts.of(name)(f"{SETS[name].words}: fresh", 1, 1)
    heard: Heard = SimpleQueue()
    waiting, at_a_time = iter(stale), workers or min(len(SETS) - 1, cores())
    with ExitStack() as running:
        for name in islice(waiting, at_a_time - 1):  # this process is at work, too
            _start(name, folder.path, heard, running)
        measure_run(folder, progress=parts.of(FIRST))
        for name in islice(waiting, 1):
            _start(name, folder.path, heard, running)
        for _ in stale:
            _await_one(folder.path, heard, parts)
            for name in islice(waiting, 1):
                _start(name, folder.path, heard, running)


def sets_apart(run: RunFolder) -> list[str]:
    """Return the sets besides the first that a run's record has; they need nothing of each other.

    One without couplings lacks theirs.
    """
    with open_record(run.path / RECORD) as record:
        return [name for name, one in SETS.items()
                if name != FIRST and all(needed in record for needed in one.needs)]  # fmt: skip


def measure_apart(name: str, path: str, send: Send) -> None:
    """Measure one set in a process of its own, and send how far it is."""

    def tell(what: str, done: float, total: float) -> None:
        send({"what": what, "done": done, "total": total})

    measure_run(path, name, progress=tell)


def _is_fresh(run: RunFolder, name: str) -> bool:
    return is_kept(run, SETS[name].kind, asdict(SETS[name].chance))


def _start(name: str, path: Path, heard: Heard, running: ExitStack) -> None:
    """Start the process of a set; it ends with `running` at the latest."""
    companion = running.enter_context(Companion(f"{__name__}:measure_apart", name, str(path)))
    threading.Thread(target=_listen, args=(name, companion, heard), daemon=True).start()


def _listen(name: str, companion: Companion, heard: Heard) -> None:
    """Pass on what the process of a set says, and last None or what it raised."""
    try:
        for event in companion.events():
            heard.put((name, event))
        heard.put((name, None))
    except (OntogenyError, RuntimeError, ChildProcessError) as error:
        heard.put((name, error))


def _await_one(path: Path, heard: Heard, parts: Parts) -> None:
    """Wait until one set is measured; raise what its process raised."""
    while True:
        name, said = heard.get()
        tell, words = parts.of(name), SETS[name].words
        if isinstance(said, ChildProcessError):  # no process could be started
            measure_run(path, name, progress=_prefixed(words, tell))
            said = None
        if said is None:
            tell(f"{words}: done", 1, 1)
            return
        if isinstance(said, Exception):
            raise said
        _prefixed(words, tell)(**said)


def _prefixed(words: str, tell: Progress) -> Callable[..., object]:
    return lambda what, done, total: tell(f"{words}: {what}", done, total)
