"""One observation, and how observations are ranked and told."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

CLEAR = 2.0
"""Effect over bound from which an observation is as clear as any."""


@dataclass(frozen=True)
class Where:
    """Where an observation can be seen."""

    view: str
    """A view of the page: "timeline", "categories", "detectors" or "construction"."""
    step: int | None = None
    layer: str | None = None
    unit: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class Statement:
    """A statement about one run that survives its null."""

    kind: str
    """What it is about, the same word in every run."""
    subject: str
    """Which of its kind: tokens or layers; with the kind it names the statement across runs."""
    text: str
    """In plain words."""
    effect: float
    """In `units`."""
    units: str
    low: float
    """Lower end of the effect's interval; its confidence is in `interval`."""
    high: float
    interval: str
    """What the interval is, such as "95 %, groups of exemplars resampled"."""
    null: str
    """What it survives."""
    bound: float
    """Effect that the null passes rarely, as `null` says."""
    where: Where = field(default_factory=lambda: Where("timeline"))

    @property
    def strength(self) -> float:
        """Effect over the null's bound, 1 or more; infinite where the bound is 0."""
        if self.bound == 0:
            return math.inf
        return self.effect / self.bound

    def entry(self) -> dict[str, Any]:
        """Return it for a JSON file; an interval's open end, and what is unknown, is None."""
        found = asdict(self) | {"strength": self.strength}
        return {name: _plain(value) for name, value in found.items()}


def ranked(found: Sequence[Statement]) -> list[Statement]:
    """Return the observations that survive, strongest first, kinds taking turns.

    The strongest of every kind come before the second of any: a run has hundreds of units, and
    what they say would otherwise hide everything else. Effects of different kinds are hardly to be
    compared: those of `CLEAR` times their bound and more count alike, in the order they are given.
    """
    alive = [o for o in found if math.isfinite(o.effect) and o.strength >= 1]
    by_kind: dict[str, list[Statement]] = {one.kind: [] for one in alive}
    for one in sorted(alive, key=lambda o: -o.strength):
        by_kind[one.kind].append(one)
    order = sorted(
        ((place, -min(one.strength, CLEAR), k), one)
        for k, kind in enumerate(by_kind.values())
        for place, one in enumerate(kind)
    )  # fmt: skip
    return [one for _, one in order]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
