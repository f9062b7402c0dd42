"""At which steps a snapshot is taken, and which of them are looked at where not all are.

May import `ontogeny.errors` only, and numpy where a grid is made: the help of the command line
reads the defaults of a training without it.
"""

from collections.abc import Sequence
from enum import Enum
from numbers import Integral
from typing import TYPE_CHECKING

from ontogeny.errors import InputError

if TYPE_CHECKING:
    import numpy as np

EVERY = "every:"


class Detail(Enum):
    """How much is observed at a snapshot."""

    LITTLE, EFFECTS, RECOMBINED, MOST = range(4)


DETAILED = 13
"""Snapshots of a run at which the costlier part of the record is observed."""
STEPS_EACH = {"recombined": 100, "most": 240}
"""Training steps for each snapshot with recombinations, and for each with dealt ancestors, so that
these cost about a quarter of the training, or less."""
FEWEST, FEWEST_MOST, MOST = 3, 2, 5
"""Snapshots with recombinations at least, and with most detail at least and at most."""


def snapshot_steps(steps: int, snapshots: int | str | Sequence[int] = 60) -> tuple[int, ...]:
    """Return the ascending steps at which weights are stored; 0 and the last are among them.

    Parameters
    ----------
    steps
        Length of the training in optimiser updates, >= 0.
    snapshots
        An int: so many snapshots after step 0 on a quasi-logarithmic grid (each step at first,
        then steps in a geometric series), fewer only where there are fewer steps.
        `"every:N"`: each N-th step. A sequence of steps: these.

    Raises
    ------
    InputError
        If a count is negative, N is not a positive int, or a step lies outside 0 ... `steps`.

    Examples
    --------
    Every step at first, then ever fewer; or as many everywhere:

    >>> ont.snapshot_steps(1000, 10)
    (0, 1, 2, 5, 10, 22, 46, 100, 215, 464, 1000)
    >>> ont.snapshot_steps(1000, "every:250")
    (0, 250, 500, 750, 1000)
    """
    if steps < 0:
        msg = f"expected steps >= 0, got {steps}"
        raise InputError(msg)
    if isinstance(snapshots, str):
        chosen = list(range(0, steps + 1, _interval(snapshots)))
    elif isinstance(snapshots, int | Integral):
        chosen = _quasi_logarithmic(steps, int(snapshots))
    else:
        chosen = [int(step) for step in snapshots]
    outside = sorted({step for step in chosen if not 0 <= step <= steps})
    if outside:
        msg = f"expected snapshot steps within 0 ... {steps}, got {outside}"
        raise InputError(msg)
    return tuple(sorted({0, *chosen, steps}))


def detailed_steps(steps: Sequence[int]) -> frozenset[int]:
    """Return at most `DETAILED` of the snapshots' steps, evenly spaced, first and last included.

    At these the costlier part of the record is observed: see `ontogeny.record`.

    Examples
    --------
    Not all snapshots where there are many:

    >>> from ontogeny.schedule import detailed_steps
    >>> len(detailed_steps(range(1000))), sorted(detailed_steps([0, 5, 7]))
    (13, [0, 5, 7])
    """
    return frozenset(_some(steps, DETAILED))


def detail_at(step: int, steps: Sequence[int]) -> Detail:
    """Return how much of what costs more is observed at one of the snapshots' steps.

    Effects at `detailed_steps`; recombinations at some of these, one for each 100 steps of the
    training, but at least 3; most at some of these, one for each 240 steps, from 2 to 5. All are
    evenly spaced, first and last included.

    Examples
    --------
    >>> from ontogeny.schedule import detail_at
    >>> [detail_at(step, [0, 1, 3, 10, 30, 100]).name for step in (0, 1, 3, 10, 30, 100)]
    ['MOST', 'EFFECTS', 'RECOMBINED', 'EFFECTS', 'EFFECTS', 'MOST']
    """
    detailed = sorted(detailed_steps(steps))
    length = steps[-1] if len(steps) else 0
    recombined = _some(detailed, max(FEWEST, length // STEPS_EACH["recombined"]))
    most = _some(recombined, min(MOST, max(FEWEST_MOST, length // STEPS_EACH["most"])))
    for chosen, detail in ((most, Detail.MOST), (recombined, Detail.RECOMBINED)):
        if step in chosen:
            return detail
    return Detail.EFFECTS if step in detailed else Detail.LITTLE


def _some(steps: Sequence[int], count: int) -> list[int]:
    """Return so many of the steps, evenly spaced, first and last included; all if there are few."""
    count = min(count, len(steps))
    places = {round(k * (len(steps) - 1) / max(1, count - 1)) for k in range(count)}
    return [steps[place] for place in sorted(places)]


def evenly_spaced(length: int, count: int) -> "np.ndarray":
    """Return at most `count` of the places 0 ... `length` - 1, int [place], evenly spaced.

    The first and the last are among them where `count` is at least 2.
    """
    import numpy as np

    places = np.linspace(0, length - 1, min(count, length)).round().astype(int)
    return np.unique(places)


def _interval(text: str) -> int:
    number = text.removeprefix(EVERY)
    if not text.startswith(EVERY) or not number.isdigit() or int(number) < 1:
        msg = f'expected snapshots as a count, a list of steps or "every:N" (N >= 1), got "{text}"'
        raise InputError(msg)
    return int(number)


def _quasi_logarithmic(steps: int, count: int) -> list[int]:
    """Return `count` distinct steps in 1 ... `steps`, as near to a geometric series as ints allow.

    Rounding a geometric series makes its first members coincide; so the series is laid through
    more points until `count` of them differ.
    """
    if count < 1:
        msg = f"expected at least 1 snapshot, got {count}"
        raise InputError(msg)
    if count == 1:
        return [steps]
    if count >= steps:
        return list(range(1, steps + 1))
    import numpy as np  # see the module's head

    points = count
    while True:
        grid = np.unique(np.rint(np.geomspace(1, steps, points)).astype(int))
        extra = len(grid) - count
        if extra >= 0:  # late inner members go where one more point gave more than one new step
            drop = np.linspace(len(grid) // 2, len(grid) - 2, extra).astype(int) if extra else []
            return [int(step) for step in np.delete(grid, drop)]
        points += 1
