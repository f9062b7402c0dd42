"""What the report says in plain words, computed from measures. No drawing, no HTML."""

import math

import numpy as np
import xarray as xr

from ontogeny.statements.onsets import Onset, first_and_last, onsets_of, span

MOST_PAIRS = 4
"""Pairs of tokens that a sentence names; the others it counts."""


def listed(names: list[str]) -> str:
    """Join names as prose does."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def listed_pairs(names: list[str]) -> str:
    """Join names that hold an "and" themselves: ada and bo; ada and cy; and 3 more pairs."""
    if len(names) <= MOST_PAIRS:
        return "; ".join(names)
    return f"{'; '.join(names[: MOST_PAIRS - 1])}; and {len(names) - MOST_PAIRS + 1} more pairs"


def share_interval(share: float, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of a number of draws."""
    z = 1.959964
    centre = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    reach = z / (1 + z**2 / of) * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def spans(layers: list[str], all_layers: list[str]) -> str:
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


def percent(share: float) -> str:
    """Return a share in percent, one digit after the point; what is missing is said to be so."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "unknown"


def layers_rise(measures: xr.Dataset) -> str:
    """Say where and when token signal first rises beyond shuffled tokens and untrained weights."""
    found = onsets_of(measures, "layer rise")
    names = [str(name) for name in measures["layer"].values]
    if not found:
        return "Untrained weights were not recorded, so no rise beyond them can be dated"
    there, (first, last) = [o for o in found if o.is_found], first_and_last(found)
    if not there:
        return "Token signal rises beyond that of untrained weights in no layer"
    never = [o.name for o in found if o.is_missing]
    rest = f"; it does not rise in {spans(never, names)}" if never else ""
    if not first:
        return f"Token signal rises in {spans_of(there, names)}{rest}"
    return (
        f"Token signal rises first in {spans_of(first, names)}, and last in "
        f"{spans_of(last, names)}{rest}"
    )


def spans_of(found: list[Onset], all_layers: list[str]) -> str:
    """Say layers and their common span: conv7 and conv8 between steps 24 and 31 (95 %: ...)."""
    return f"{spans([o.name for o in found], all_layers)} {span(found)}"


def rising_order(measures: xr.Dataset) -> str:
    """Say whether upper or lower layers rise first, by pairs of layers that can be ordered."""
    dated = [o for o in onsets_of(measures, "layer rise") if not o.from_start]
    pairs = [(low, high) for k, low in enumerate(dated) for high in dated[k + 1 :]]
    lower = sum(low.precedes(high) for low, high in pairs)
    upper = sum(high.precedes(low) for low, high in pairs)
    if not lower + upper:
        return "The intervals of all layers overlap, so that their order is not known"
    words = "Upper layers rise before lower ones" if upper > lower else (
        "Lower layers rise before upper ones" if lower > upper else "Layers rise in no order"
    )  # fmt: skip
    return f"{words} in {max(lower, upper)} of {lower + upper} pairs of layers that are ordered"


def untrained_signal(measures: xr.Dataset) -> str:
    """Say which layers discriminate tokens before any training."""
    found = onsets_of(measures, "layer signal")
    names = [str(name) for name in measures["layer"].values]
    before = [o.name for o in found if o.from_start]
    if not before:
        return "Before training no layer carries more token signal than shuffled tokens give."
    return (
        f"Already at step {int(measures['step'][0])}, {spans(before, names)} "
        f"carr{'ies' if len(before) == 1 else 'y'} more token signal than shuffled tokens give: "
        "random filters discriminate tokens a little where these differ in colour or layout."
    )


def tokens_classified(measures: xr.Dataset) -> str:
    """Say which tokens are classified better than chance first and last, ties as ties."""
    found = onsets_of(measures, "token")
    there, (first, last) = [o for o in found if o.is_found], first_and_last(found)
    start = [o.name for o in found if o.from_start]
    never = [o.name for o in found if o.is_missing]
    if not start and not there:
        return "The network is not shown to classify any token better than chance by the end"
    parts = []
    if start:
        parts.append(f"classifies {listed(start)} better than chance from the first snapshot on")
    if first:
        parts.append(f"begins to classify {listed([o.name for o in first])} better than chance "
                     f"{'next' if start else 'first'}, {span(first)}, and "
                     f"{listed([o.name for o in last])} last, {span(last)}")  # fmt: skip
    elif there:
        every = len(there) == len(found) > 1
        who = f"all {count(len(found))} tokens" if every else listed([o.name for o in there])
        parts.append(f"begins to classify {who} better than chance {span(there)}"
                     + (", in no order that is certain" if len(there) > 1 else ""))  # fmt: skip
    if never:
        parts.append(f"is not shown to classify {listed(never)} better than chance by the end")
    return f"The network {'; it '.join(parts)}"


NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def count(number: int) -> str:
    """Write a small number as a word."""
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"


def most_confused(measures: xr.Dataset) -> str:
    """Say the most frequent error."""
    table = measures["confusion"].values.copy()
    names = [str(name) for name in measures["token"].values]
    np.fill_diagonal(table, 0)
    table = np.nan_to_num(table)
    if table.max() == 0:
        return "The network classifies every exemplar of the probe correctly at the end"
    row, column = np.unravel_index(table.argmax(), table.shape)
    return (
        f"The largest share of errors is that of {names[row]}: the network classifies "
        f"{percent(table[row, column])} of its held-out exemplars as {names[column]}"
    )


def ending(measures: xr.Dataset) -> str:
    """Say the held-out accuracy at the end, beside chance, training and a second probe."""
    last = measures["accuracy"].isel(step=-1)
    probe, train = (float(last.sel(split=s)) for s in ("probe", "train"))
    text = (
        f"The network classifies {percent(probe)} of the held-out exemplars correctly at the end "
        f"(chance {percent(float(measures['chance']))}), and {percent(train)} of the training "
        "exemplars"
    )
    if "holdout_accuracy" in measures:
        text += f"; of the holdout {percent(float(measures['holdout_accuracy'][-1]))}"
    return text
