"""Which observations hold in how many of several runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ontogeny.statements.statement import Statement


@dataclass(frozen=True)
class Holding:
    """One statement over several runs."""

    kind: str
    subject: str
    text: str
    """Of the run in which it is strongest."""
    runs: tuple[str, ...]
    """Names of the runs in which it holds."""
    n_runs: int
    low: float
    """Smallest effect over the runs in which it holds."""
    high: float
    """Largest effect."""


def holding(found: Mapping[str, Sequence[Statement]]) -> list[Holding]:
    """Return the statements of several runs, those that hold in most runs first.

    Two runs make the same statement if kind and subject agree; units are matched by what they do
    (layer and token), never by index.

    Parameters
    ----------
    found
        Name of each run -> its observations.
    """
    by_statement: dict[tuple[str, str], dict[str, Statement]] = {}
    for run, observations in found.items():
        for one in observations:
            held = by_statement.setdefault((one.kind, one.subject), {})
            if run not in held or one.strength > held[run].strength:
                held[run] = one
    rows = []
    for (kind, subject), held in by_statement.items():
        effects = [one.effect for one in held.values()]
        best = max(held.values(), key=lambda one: one.strength)
        rows.append(Holding(
            kind, subject, best.text, tuple(held), len(found), min(effects), max(effects)
        ))  # fmt: skip
    return sorted(rows, key=lambda row: (-len(row.runs), row.kind, row.subject))
