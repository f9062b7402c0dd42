"""Numbers and names in plain words. May import numpy, xarray and ontogeny.statements.onsets."""

import math
from collections.abc import Sequence

from ontogeny.statements.onsets import Onset, span

MOST_PAIRS = 4
"""Pairs of tokens that a sentence names; the others it counts."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def listed(names: Sequence[str]) -> str:
    """Join names as prose does."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def listed_pairs(names: list[str]) -> str:
    """Join names that hold an "and" themselves: ada and bo; ada and cy; and 3 more pairs."""
    if len(names) <= MOST_PAIRS:
        return "; ".join(names)
    return f"{'; '.join(names[: MOST_PAIRS - 1])}; and {len(names) - MOST_PAIRS + 1} more pairs"


def spans(layers: Sequence[str], all_layers: Sequence[str]) -> str:
    """Name layers, neighbours as a span: conv1 to conv4 and fc1."""
    groups: list[list[str]] = []
    for layer in layers:
        place = all_layers.index(layer)
        if groups and all_layers.index(groups[-1][-1]) == place - 1:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    spans = ([f"{g[0]} to {g[-1]}"] if len(g) > 2 else g for g in groups)
    return listed([name for span in spans for name in span])


def spans_of(found: list[Onset], all_layers: list[str]) -> str:
    """Say layers and their common span: conv7 and conv8 between steps 24 and 31 (95 %: ...)."""
    return f"{spans([o.name for o in found], all_layers)} {span(found)}"


def percent(share: float) -> str:
    """Return a share in percent, one digit after the point; what is missing is said to be so."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "unknown"


def count(number: int) -> str:
    """Write a small number as a word."""
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"
