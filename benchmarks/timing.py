"""Paired timing: on a shared machine only ratios of runs that alternate can be trusted."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` is what `budget` speaks of."""

    name: str
    ours: float | None
    peer: float | None
    peer_version: str
    ratio: float | None
    budget: str
    met: bool
    unit: str = "s"
    reason: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the row as results.json holds it."""
        return asdict(self) | {"met": bool(self.met)}  # numpy's bool is none of JSON's


def seconds(act: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def paired(
    ours: Callable[[], object], peer: Callable[[], object], *, repeats: int = 7
) -> tuple[float, float, float]:
    """Run both in turn; return the median seconds of each and the median of peer / ours."""
    ours(), peer()  # warm-up
    pairs = [(seconds(ours), seconds(peer)) for _ in range(repeats)]
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    return (
        statistics.median(mine for mine, _ in pairs),
        statistics.median(theirs for _, theirs in pairs),
        ratio,
    )


def at_least(name: str, peer: str, times: tuple[float, float, float], budget: float) -> Row:
    """Return the row of a budget `ours is at least BUDGET times as fast as the peer`."""
    mine, theirs, ratio = times
    return Row(name, mine, theirs, peer, ratio, f">= {budget:g} x", ratio >= budget)


def at_most(name: str, peer: str, times: tuple[float, float, float], budget: float) -> Row:
    """Return the row of a budget `ours takes at most BUDGET times what the peer takes`."""
    mine, theirs, speed = times
    return Row(name, mine, theirs, peer, 1 / speed, f"<= {budget:g} x", 1 / speed <= budget)


def missing(name: str, peer: str, budget: str, reason: str) -> Row:
    """Return the row of a comparison that could not be run: not met, with the reason."""
    return Row(name, None, None, peer, None, budget, met=False, reason=reason)


def release(package: str) -> str:
    """Return "package version", or say that it is not installed."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} (not installed)"
