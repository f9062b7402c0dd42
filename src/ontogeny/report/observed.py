"""What was observed, by subject: effect, interval, null, and the figure that shows it.

May import ontogeny.statements only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ontogeny.statements import Statement

SUBJECTS = {
    "Learning": {
        "a token is classified": "tokens",
        "one token before another": "tokens",
        "memorising": "learning",
        "a phase begins": "likeness",
        "more than means and covariances": "clones",
    },
    "Category structure": {
        "all tokens are separated": "separation",
        "one branch before another": "differentiation",
        "two tokens stay confused": "exemplars",
        "a layer stands out": "onsets",
        "distances resemble": "models",
    },
    "Detectors": {
        "units become tuned": "scores",
        "units change their role": "unit_lives",
        "a unit changes its role": "unit_lives",
        "units become inactive": "unit_lives",
        "a tuned unit becomes inactive": "unit_lives",
        "units revive": "unit_lives",
        "a unit revives": "unit_lives",
        "channels discriminate better than mixtures": "bases",
        "mixtures discriminate better than channels": "bases",
        "conjunctions come before a token is classified": "carriers",
        "units come to carry tokens": "carriers",
        "detectors carry several tokens": "carriers",
        "detectors carry one token": "carriers",
    },
    "Couplings": {
        "couplings stand out": "births",
        "no single coupling stands out": "births",
        "a burst of new couplings": "births",
        "couplings form assemblies": "assemblies",
        "couplings form no assemblies of their own": "assemblies",
        "sharing rises and falls": "sharing",
        "sharing falls and rises": "sharing",
        "tokens have units of their own": "sharing",
        "tokens share units": "sharing",
    },
}
"""Subject -> kind of observation -> key of the figure in which it can be seen."""
FIGURES = {kind: key for kinds in SUBJECTS.values() for kind, key in kinds.items()}


@dataclass(frozen=True)
class Line:
    """One observation as the report shows it."""

    kind: str
    text: str
    evidence: str
    """Effect, interval and null."""
    figure: str
    """Key of the figure below; empty where it is not drawn."""


def lines(found: Sequence[Statement], keys: Sequence[str]) -> list[Line]:
    """Put observations into lines, in their order.

    Parameters
    ----------
    found
        Ranked.
    keys
        Of the figures that are drawn.
    """
    return [Line(one.kind, one.text, evidence(one), _key(one.kind, keys)) for one in found]


def by_subject(found: Sequence[Line]) -> dict[str, list[Line]]:
    """Return the lines of each subject, in their order; subjects without lines are left out."""
    sorted_out = {
        subject: [line for line in found if line.kind in kinds]
        for subject, kinds in SUBJECTS.items()
    }
    other = [line for line in found if line.kind not in FIGURES]
    return {name: lines for name, lines in (sorted_out | {"Other": other}).items() if lines}


def evidence(one: Statement) -> str:
    """Say effect, interval and null in a line."""
    low, high = number(one.low), number(one.high)
    return (
        f"Effect: {number(one.effect)} {one.units}; {low} to {high} ({one.interval}). "
        f"Null: {number(one.bound)}, {one.null}."
    )


def number(value: float) -> str:
    """Write a number as short as can be read; an open end is said to be so."""
    if math.isinf(value):
        return "open"
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}" if abs(value) < 1 else (
        f"{value:.1f}"
    )  # fmt: skip


def _key(kind: str, keys: Sequence[str]) -> str:
    key = FIGURES.get(kind, "")
    return key if key in keys else ""
