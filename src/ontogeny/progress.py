"""How far a piece of work is: one way to say it, for every stage.

May import the standard library only.
"""

from collections.abc import Callable, Mapping

Progress = Callable[[str, float, float], object]
"""Called as `progress(what, done, total)`: what is being done, in a few words, and how much of the
whole is done, both in the same unit of expected cost."""


def silent(_what: str, _done: float, _total: float) -> None:
    """Say nothing."""


class Parts:
    """The parts of a piece of work, each of which tells its own progress, as that of the whole.

    Parameters
    ----------
    progress
        Told of the whole; None: nobody.
    cost
        What each part is expected to cost, in any unit.
    """

    def __init__(self, progress: Progress | None, cost: Mapping[str, float]) -> None:
        self._progress = progress or silent
        self._cost = dict(cost)
        self._done = dict.fromkeys(cost, 0.0)

    def of(self, name: str) -> Progress:
        """Return what a part tells its progress to; parts may run side by side."""

        def tell(what: str, done: float, total: float) -> None:
            self._done[name] = self._cost[name] * (done / total if total else 1.0)
            self._progress(what, sum(self._done.values()), sum(self._cost.values()))

        return tell
