"""What was observed, by subject: effect, interval, null, and the figure that shows it.

May import ontogeny.statements only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ontogeny.statements import RULES, Statement

FIGURES = {kind: rule.seen_in for rule in RULES for kind in rule.kinds}
"""Kind of statement -> key of the figure in which it can be seen."""


@dataclass(frozen=True)
class Line:
    """One observation as the report shows it."""

    kind: str
    text: str
    evidence: str
    """Effect, interval and null."""
    figure: str
    """Key of the figure below; empty where it is not drawn."""


def lines(found: Sequence[Statement], drawn: Sequence[str]) -> list[Line]:
    """Put observations into lines, in their order.

    Parameters
    ----------
    found
        Ranked.
    drawn
        Keys of the figures that are drawn.
    """
    return [
        Line(one.kind, one.text, evidence(one), key if key in drawn else "")
        for one in found
        for key in [FIGURES.get(one.kind, "")]
    ]


def by_chapter(found: Sequence[Line], chapters: Mapping[str, str]) -> dict[str, list[Line]]:
    """Return the lines of each chapter, in their order; chapters without lines are left out.

    Parameters
    ----------
    found
        The lines.
    chapters
        Key of each figure -> its chapter, in the order of the report.
    """
    rows: dict[str, list[Line]] = {name: [] for name in (*chapters.values(), "Other")}
    for line in found:
        rows[chapters.get(FIGURES.get(line.kind, ""), "Other")].append(line)
    return {name: lines for name, lines in rows.items() if lines}


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
