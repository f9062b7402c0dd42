"""A run's bundle while the run grows: made when somebody looks, and seldom enough to cost little.

What a bundle is made with takes seconds to import, so that is done when the first one is asked for
(or before, on another thread: `warm`). May import ontogeny.run and ontogeny.errors; imports
ontogeny.page.bundle when it is needed.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ontogeny.errors import OntogenyError
from ontogeny.run import BEGINNING, COMPLETE, FAILED, RunFolder

if TYPE_CHECKING:
    from ontogeny.page.bundle import Bundle

PAUSE = 1.0
"""Seconds between two looks at a run that grows."""
REST, LEAST_REST = 5.0, 2.0
"""After a bundle of a run that grows none is made for so many times what it took, or seconds."""
KEPT = 3
"""Bundles kept: a page that was given one may still fetch its blobs when the next is made."""


@dataclass
class Feed:
    """What the command that works on a run says of its work."""

    said: dict[str, Any] = field(default_factory=dict)
    """`stage` in words; `what`, `done` and `total` where the stage counts."""
    has_ended: bool = False


@dataclass
class _Made:
    """One bundle, and the state of the run that it was made of."""

    stamp: object
    bundle: "Bundle"
    blobs: dict[str, tuple[str, bytes]]
    """Name -> hash, data."""


class Live:
    """A run's bundle, made anew when somebody asks and the run has grown.

    Parameters
    ----------
    run
        The run's folder; None: not known yet, `show` names it later.
    beside
        The folder of another run that it is compared with; None: no other.
    feed
        What the command that makes the run says; None: nobody says anything.
    """

    def __init__(
        self,
        run: RunFolder | None,
        *,
        beside: RunFolder | None = None,
        feed: Feed | None = None,
    ) -> None:
        self.run, self.beside, self.feed = run, beside, feed
        self.listeners = 0
        self.has_made = threading.Event()
        self._made: list[_Made] = []
        self._known: dict[str, Any] = {}
        self._rested = 0.0
        self._lock = asyncio.Lock()

    def stamp(self) -> object:
        """Return what changes when there is something new to show; None before the run begins."""
        runs = [run for run in (self.run, self.beside) if run is not None]
        if self.run is None or not self.run.began:
            return None
        # the seal is written last, so that a new time means that a whole row is there
        files = sorted(file for run in runs for file in run.path.glob("*.zarr/zarr.json"))
        files += [file for run in runs if (file := run.path / "observations.json").exists()]
        return (
            tuple(run.state for run in runs),
            tuple((str(file), file.stat().st_mtime_ns) for file in files),
        )

    @property
    def is_working(self) -> bool:
        """Whether more is to come."""
        if self.feed is not None:
            return not self.feed.has_ended
        return self.run is None or self.run.state not in {COMPLETE, FAILED}

    async def bundle(self) -> "Bundle | None":
        """Return the newest bundle, made anew if it is due; None before the run begins.

        Raises
        ------
        RunError
            If the run's description is damaged or of a newer schema.
        """
        async with self._lock:
            stamp = self.stamp()
            if stamp is None:
                return None
            if not self._made or (self._made[0].stamp != stamp and self._is_rested()):
                began = time.monotonic()
                # on a thread, or events and other pages would wait for it
                made = await asyncio.to_thread(self._make, stamp)
                took = time.monotonic() - began
                # in proportion to what it cost, so that looking takes a bounded share of the
                # training's cores
                self._rested = time.monotonic() + max(LEAST_REST, REST * took)
                self._made = [made, *self._made][:KEPT]
                self.has_made.set()
            return self._made[0].bundle

    async def blob(self, name: str, digest: str | None) -> bytes | None:
        """Return a blob of the newest bundle, or of the one whose blob has this hash."""
        if not self._made:
            await self.bundle()
        for made in self._made[: 1 if digest is None else None]:
            found = made.blobs.get(name)
            if found is not None and digest in {None, found[0]}:
                return found[1]
        return None

    def _make(self, stamp: object) -> _Made:
        assert self.run is not None
        bundle_run = import_module("ontogeny.page.bundle").bundle_run
        made = bundle_run(self.run, beside=self.beside, known=self._known)
        return _Made(stamp, made, {n: (made.hash_of(n), data) for n, data in made.blobs.items()})

    def _is_rested(self) -> bool:
        return time.monotonic() >= self._rested or not self.is_working

    async def events(self) -> AsyncIterator[str]:
        """Tell of growth and progress until nothing more is to come.

        `grown`: a new bundle may be fetched; `state`: how far the work is; `end`: the last event.
        """
        self.listeners += 1
        told: object = self  # unlike every stamp
        try:
            while True:
                is_working, stamp = self.is_working, self.stamp()
                if stamp != told and stamp is not None and self._is_due(stamp):
                    told = stamp
                    yield _event("grown", {"steps": len(self.run.steps) if self.run else 0})
                # even when nothing grew: it keeps the connection alive and tells of a lost one
                yield _event("state", self.progress())
                if not is_working:
                    break
                await asyncio.sleep(PAUSE)
            yield _event("end", {})
            while self.feed is not None:  # the listener hangs up when it has fetched the rest
                await asyncio.sleep(PAUSE)
        except OntogenyError as error:
            yield _event("state", {"state": FAILED, "stage": str(error), "step": 0, "of": 0})
            yield _event("end", {})
        finally:
            self.listeners -= 1

    def _is_due(self, stamp: object) -> bool:
        """Whether who asks for a bundle now gets one that is as new as the stamp."""
        return self._is_rested() or (bool(self._made) and self._made[0].stamp == stamp)

    def progress(self) -> dict[str, Any]:
        """Say how far the work is: `state`, `step`, `of`, `loss`, and what the feed says."""
        said: dict[str, Any] = {"state": BEGINNING, "step": 0, "of": 0, "loss": None}
        if self.run is not None and self.run.began:
            said |= {"state": self.run.state, "of": self.run.description["config"]["steps"]}
            step, loss = self.run.last_row() or (0, None)
            said |= {"step": step, "loss": loss}
        return said | (self.feed.said if self.feed is not None else {})


def warm() -> None:
    """Import what bundles are made with, so that the first one need not wait for it."""
    import_module("ontogeny.page.bundle")


def _event(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
