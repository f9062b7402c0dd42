"""Onsets of a run as intervals of steps, and which of them can be ordered. May import xarray."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

ENDS = ("after", "by", "confidence_after", "confidence_by")


@dataclass(frozen=True)
class Onset:
    """One onset as an interval (after, by] of steps, with its 95 % confidence interval."""

    name: str
    after: float
    by: float
    confidence_after: float
    confidence_by: float

    @property
    def is_found(self) -> bool:
        """Whether it lies between two snapshots."""
        return math.isfinite(self.after) and math.isfinite(self.by)

    @property
    def from_start(self) -> bool:
        """Whether the quantity was beyond its null from the first snapshot on."""
        return math.isinf(self.after) and math.isfinite(self.by)

    @property
    def is_missing(self) -> bool:
        """Whether it was not found by the end."""
        return not self.is_found and not self.from_start

    def precedes(self, other: "Onset") -> bool:
        """Whether it surely came earlier: the two confidence intervals do not overlap."""
        return self.confidence_by <= other.confidence_after

    def times_before(self, other: "Onset") -> tuple[float, float, float]:
        """Return how many times as many steps the other one took, and the interval of that.

        Steps count from 1, so that the first has a ratio too. The ends are those of both
        confidence intervals; where an interval is open to the left it begins at step 0.
        """
        ratio = (1 + other.by) / (1 + self.by)
        low = (1 + other.confidence_after) / (1 + self.confidence_by)
        high = (1 + other.confidence_by) / (1 + max(0.0, self.confidence_after))
        return ratio, low, high

    def when(self) -> str:
        """Say the interval between two snapshots, without its confidence."""
        if self.from_start:
            return "from the first snapshot on"
        return between(self.after, self.by)

    def words(self) -> str:
        """Say the interval and its confidence interval."""
        if self.from_start:
            return "from the first snapshot on"
        if not self.is_found:
            return "not by the end" if math.isfinite(self.after) else "not known: too few snapshots"
        if (self.after, self.by) == (self.confidence_after, self.confidence_by):
            return f"{self.when()} (95 %: the same)"
        return span([self])


def between(after: float | xr.DataArray, by: float | xr.DataArray) -> str:
    """Say the interval between two snapshots."""
    return f"between steps {float(after):,.0f} and {float(by):,.0f}"


def onsets_of(measures: xr.Dataset, kind: str) -> list[Onset]:
    """Return the onsets of one kind, in the order of layers or tokens."""
    chosen = np.flatnonzero(measures["kind"].values.astype(str) == kind)
    return [
        Onset(str(measures["name"].values[k]), *(float(measures[c].values[k]) for c in ENDS))
        for k in chosen
    ]


def earliest(found: Sequence[Onset]) -> list[Onset]:
    """Return those of the found onsets that no other one surely precedes: overlapping ones tie."""
    there = [onset for onset in found if onset.is_found]
    return [one for one in there if not any(other.precedes(one) for other in there)]


def latest(found: Sequence[Onset]) -> list[Onset]:
    """Return those of the found onsets that surely precede no other one."""
    there = [onset for onset in found if onset.is_found]
    return [one for one in there if not any(one.precedes(other) for other in there)]


def first_and_last(found: Sequence[Onset]) -> tuple[list[Onset], list[Onset]]:
    """Return those of the found onsets that are surely among the first, and among the last.

    One that neither surely follows nor surely precedes any other is in neither list; both are
    empty where no two can be ordered.
    """
    first, last = earliest(found), latest(found)
    return [o for o in first if o not in last], [o for o in last if o not in first]


def span(onsets: Sequence[Onset]) -> str:
    """Say from the first to the last step of some onsets, and the same of their confidence."""
    after, by = min(o.after for o in onsets), max(o.by for o in onsets)
    low, high = min(o.confidence_after for o in onsets), max(o.confidence_by for o in onsets)
    start = f"{low:,.0f}" if math.isfinite(low) else "the start"
    end = f"{high:,.0f}" if math.isfinite(high) else "past the end"
    return f"{between(after, by)} (95 %: {start} to {end})"
