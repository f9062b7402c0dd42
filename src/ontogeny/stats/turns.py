"""Whether a course rises and falls again, or falls and rises, beyond what its errors give.

May import numpy and scipy only.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array
from scipy.special import ndtri

from ontogeny.stats.onset import HOLD


class Turn(NamedTuple):
    """Where a course turns most."""

    place: int
    """Snapshot of the peak (`sign` 1) or of the trough (-1)."""
    sign: int
    effect: float
    """The smaller of the changes before and after it, both held for several snapshots."""
    reach: float
    """Half width of the effect's 95 % interval."""
    bound: float
    """Effect that no course without a turn passes in all tests, with 95 %."""


def corrected_width(n_tests: int, *, rarely: float = 0.05) -> float:
    """Return by how much a two-sided 95 % band of a normal widens when n tests share its error."""
    return float(ndtri(1 - rarely / 2 / n_tests) / ndtri(1 - rarely / 2))


def largest_turn(
    value: Float[Array, " snapshot"],
    half: Float[Array, " snapshot"],
    *,
    n_tests: int,
    hold: int = HOLD,
) -> Turn:
    """Return the turn that is farthest beyond its bound, a peak or a trough.

    Parameters
    ----------
    value
        The course, of more than `hold` snapshots.
    half
        Half width of the 95 % band of each value without a turn.
    n_tests
        Snapshots, signs and courses among which a turn is sought.
    hold
        What is compared has held for so many snapshots: the least of the peak's, the largest of
        those at either end.
    """
    wide = corrected_width(n_tests)
    turns = [_peak(sign * value, half, hold, wide, sign) for sign in (1, -1)]
    return max(turns, key=lambda turn: turn.effect - turn.bound)


def _peak(value: Array, half: Array, hold: int, wide: float, sign: int) -> Turn:
    # the smallest value in a window: a peak of one snapshot is noise, one that lasts is not
    held = np.lib.stride_tricks.sliding_window_view(value, hold).min(axis=1)
    # above the higher of the two ends: a course that only rises or only falls gets nothing
    above = held - max(value[:hold].max(), value[-hold:].max())
    k = int(above.argmax())
    # a difference of two values, each with its own error; in the window the widest is taken
    reach = float(np.hypot(half[k : k + hold].max(), max(half[0], half[-1])))
    place = k + int(value[k : k + hold].argmax())
    return Turn(place, sign, float(above[k]), reach, reach * wide)
