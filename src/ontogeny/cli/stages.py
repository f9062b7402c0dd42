"""What a command costs, stage by stage, and how far each is.

May import ontogeny.run, tqdm and the standard library.
"""

import argparse
import contextlib
import os
import resource
import signal
import statistics
import sys
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

from tqdm import tqdm

from ontogeny.errors import RunError
from ontogeny.progress import Progress
from ontogeny.run import RunFolder

WALL, PROCESSOR = "wall_seconds", "processor_seconds"
_LAYOUT = "{desc}: {percentage:3.0f}%|{bar:20}| {elapsed}{postfix}"


class Work:
    """A command at work: its options, and what its stages have cost.

    Parameters
    ----------
    options
        What was typed; `quiet` shows no progress.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stages: dict[str, dict[str, float]] = {}
        """Of each stage: seconds on the clock, and seconds of processors, its children's too."""
        self._started = time.perf_counter()

    @contextlib.contextmanager
    def stage(self, name: str, title: str = "") -> Iterator["Bar"]:
        """Do a stage, or another piece of it: show how far it is, and note what it cost."""
        wall, processor = time.perf_counter(), _processor_seconds()
        page = getattr(self.options, "page", None)
        with Bar(title or name, quiet=self.options.quiet, page=page) as bar:
            yield bar
        known = self.stages.get(name, {WALL: 0.0, PROCESSOR: 0.0})
        self.stages[name] = {
            WALL: round(known[WALL] + time.perf_counter() - wall, 2),
            PROCESSOR: round(known[PROCESSOR] + _processor_seconds() - processor, 2),
        }

    def costs(self) -> dict[str, Any]:
        """Return what the whole command has cost until now."""
        return {
            "seconds": round(time.perf_counter() - self._started, 1),
            "stages": self.stages,
            "peak_memory_mb": _peak_memory(),
        }


def note_costs(run: RunFolder, stages: dict[str, dict[str, float]]) -> None:
    """Keep in run.json what stages cost, of each the time it took longest: then it did the most.

    While somebody else trains the run, its folder is theirs, and the costs stand in the summary
    only.
    """
    with contextlib.suppress(RunError), run.writing():
        known = run.description.get("stages", {})
        longest = {
            name: max((known.get(name, cost), cost), key=lambda each: each[WALL])
            for name, cost in stages.items()
        }
        run.amend(stages={**known, **longest})


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until what is imported is whole.

    A module whose import was broken off stays half there, and the page that a stopped run leaves
    could not be written with it.
    """
    waiting: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, _: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        raise KeyboardInterrupt


class Bar(contextlib.AbstractContextManager["Bar"]):
    """One line on standard error: a share done, the time it took, the time left, what is done.

    It is a `Progress`; the page that is served beside the command, if there is one, is given the
    same. The time left follows from the mean speed since its first call, before which things are
    set up, and what was done by then is no work of this stage; `total` may change from call to
    call.
    """

    def __init__(self, title: str, *, quiet: bool, page: Any = None) -> None:
        self._title, self._page = title, page
        self._begun: tuple[float, float] | None = None
        self._bar = tqdm(
            total=1.0, desc=title, disable=quiet, bar_format=_LAYOUT, postfix="? left"
        )  # fmt: skip
        if page is not None:
            page.tell(title)

    def __call__(self, what: str, done: float = 0.0, total: float = 0.0) -> None:
        """Show how far the stage is; without a total, only what is being done."""
        self._show(min(1.0, done / total) if total else self._bar.n, what)

    def _show(self, share: float, what: str) -> None:
        self._bar.n = share
        if self._page is not None:
            self._page.tell(self._title, what="%", done=round(100 * share), total=100)
        self._bar.set_postfix_str(f"{self._left(share)} left{', ' if what else ''}{what}", False)
        self._bar.update(0)

    def _left(self, share: float) -> str:
        """Return the time left as minutes and seconds, or "?" while it is not known."""
        now = time.perf_counter()
        if share >= 1:
            return tqdm.format_interval(0)
        if self._begun is None and share > 0:
            self._begun = now, share
        if self._begun is None or share <= self._begun[1]:
            return "?"
        begun, before = self._begun
        return tqdm.format_interval((now - begun) * (1 - share) / (share - before))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._show(1.0, "")
        self._bar.refresh()
        self._bar.close()


class TrainingCost:
    """Turns steps done into cost done: a step with a snapshot costs more, and many come early.

    A step costs what the median step without a snapshot has cost until now, a snapshot what the
    median step with one has cost beyond that. So the time left is right although snapshots are
    dense at first.

    Parameters
    ----------
    snapshots
        Steps at which a snapshot is taken.
    progress
        Told the cost done and the whole cost, in seconds.
    """

    def __init__(self, snapshots: Collection[int], progress: Progress) -> None:
        self._snapshots, self._progress = frozenset(snapshots), progress
        self._plain: list[float] = []
        self._kept: list[float] = []
        self._last: float | None = None

    def __call__(self, what: str, step: float, steps: float) -> None:
        """Take in that a step has just been done, of so many."""
        now = time.perf_counter()
        if self._last is not None:
            (self._kept if step in self._snapshots else self._plain).append(now - self._last)
        self._last = now
        each, extra = self._costs()
        kept = sum(s <= step for s in self._snapshots if s)
        whole = sum(s <= steps for s in self._snapshots if s)
        words = f"step {step:,.0f} of {steps:,.0f}, {what}"
        self._progress(words, step * each + kept * extra, steps * each + whole * extra)

    def _costs(self) -> tuple[float, float]:
        """Return the cost of a step, and what a snapshot costs beyond it."""
        if not self._plain:
            return 1.0, 0.0
        each = statistics.median(self._plain)
        return each, max(0.0, statistics.median(self._kept) - each) if self._kept else 0.0


def _processor_seconds() -> float:
    """Return the user and system time of this process and of the children that have ended."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def _peak_memory() -> float:
    """Return the largest memory that this process or one of its children held, in MB (10^6 B)."""
    unit = 1 if sys.platform == "darwin" else 1024
    sizes = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return round(max(sizes) * unit / 1e6, 1)
