"""All measures of a run, kinds side by side on the machine's cores.

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
from ontogeny.measure.kinds import APART, COUPLINGS
from ontogeny.measure.store import measure_run
from ontogeny.progress import Parts, Progress
from ontogeny.record import COUPLING, open_record
from ontogeny.record import NAME as RECORD
from ontogeny.run import RunFolder

Heard = SimpleQueue[tuple[str, dict[str, Any] | Exception | None]]
"""Kinds with what their processes say: how far they are, last None or what was raised."""


def measure_all(
    run: RunFolder | str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Bring all of a run's measures up to its record: measures, structure, detectors, graph.

    Each kind that is not fresh is measured by a process of its own, that reads the record and
    writes one file of the run's folder; nothing but words is sent between them. Measures of
    couplings are left out where the record has none (its attribute `without_couplings` says why).
    It can be called from a script, a notebook, standard input or another process's worker; where
    no process can be started, kinds are measured one by one in this one. If this process ends,
    however, so do they.

    Parameters
    ----------
    run
        A run, or its folder.
    workers
        Kinds at a time; None: as many as there are cores, 3 at most. Each takes up to 0.9 GB.
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
    kinds = kinds_of(folder)
    parts = Parts(progress, {"measures": 1, **dict.fromkeys(kinds, 3)})
    stale = [kind for kind in kinds if not _is_fresh(folder, kind)]
    for kind in set(kinds) - set(stale):
        parts.of(kind)(f"{kind}: fresh", 1, 1)
    heard: Heard = SimpleQueue()
    waiting, at_a_time = iter(stale), workers or min(len(APART), cores())
    with ExitStack() as running:
        for kind in islice(waiting, at_a_time - 1):  # this process is at work, too
            _start(kind, folder.path, heard, running)
        measure_run(folder, progress=parts.of("measures"))
        for kind in islice(waiting, 1):
            _start(kind, folder.path, heard, running)
        for _ in stale:
            _await_one(folder.path, heard, parts)
            for kind in islice(waiting, 1):
                _start(kind, folder.path, heard, running)


def kinds_of(run: RunFolder) -> list[str]:
    """Return the kinds that a run's record has; one without couplings lacks theirs."""
    with open_record(run.path / RECORD) as record:
        return [kind for kind in APART if kind != COUPLINGS or COUPLING in record]


def measure_apart(kind: str, path: str, send: Send) -> None:
    """Measure one kind in a process of its own, and send how far it is."""

    def tell(what: str, done: float, total: float) -> None:
        send({"what": what, "done": done, "total": total})

    APART[kind].measure(path, progress=tell)


def _is_fresh(run: RunFolder, kind: str) -> bool:
    return is_kept(run, APART[kind].name, asdict(APART[kind].chance))


def _start(kind: str, path: Path, heard: Heard, running: ExitStack) -> None:
    """Start the process of a kind; it ends with `running` at the latest."""
    companion = running.enter_context(Companion(f"{__name__}:measure_apart", kind, str(path)))
    threading.Thread(target=_listen, args=(kind, companion, heard), daemon=True).start()


def _listen(kind: str, companion: Companion, heard: Heard) -> None:
    """Pass on what the process of a kind says, and last None or what it raised."""
    try:
        for event in companion.events():
            heard.put((kind, event))
        heard.put((kind, None))
    except (OntogenyError, RuntimeError, ChildProcessError) as error:
        heard.put((kind, error))


def _await_one(path: Path, heard: Heard, parts: Parts) -> None:
    """Wait until one kind is measured; raise what its process raised."""
    while True:
        kind, said = heard.get()
        tell = parts.of(kind)
        if isinstance(said, ChildProcessError):  # no process could be started
            APART[kind].measure(path, progress=_prefixed(kind, tell))
            said = None
        if said is None:
            tell(f"{kind}: done", 1, 1)
            return
        if isinstance(said, Exception):
            raise said
        _prefixed(kind, tell)(**said)


def _prefixed(kind: str, tell: Progress) -> Callable[..., object]:
    return lambda what, done, total: tell(f"{kind}: {what}", done, total)
