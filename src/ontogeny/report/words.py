"""What the report says in plain words, computed from measures. No drawing, no HTML."""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

MOST_PAIRS = 4
"""Pairs of tokens that a sentence names; the others it counts."""


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

    def words(self) -> str:
        """Say the interval and its confidence interval."""
        if self.from_start:
            return "from the first snapshot on"
        if not self.is_found:
            return "not by the end" if math.isfinite(self.after) else "not known: too few snapshots"
        same = (self.after, self.by) == (self.confidence_after, self.confidence_by)
        return f"between steps {self.after:,.0f} and {self.by:,.0f} ({self._confidence(same)})"

    def _confidence(self, same: bool) -> str:
        if same:
            return "95 %: the same"
        low = self.confidence_after
        start = f"{low:,.0f}" if math.isfinite(low) else "from the start"
        high = self.confidence_by
        return f"95 %: {start} to " + (f"{high:,.0f}" if math.isfinite(high) else "past the end")


def onsets_of(measures: xr.Dataset, kind: str) -> list[Onset]:
    """Return the onsets of one kind, in the order of layers or tokens."""
    chosen = np.flatnonzero(measures["kind"].values.astype(str) == kind)
    columns = ("after", "by", "confidence_after", "confidence_by")
    return [
        Onset(str(measures["name"].values[k]), *(float(measures[c].values[k]) for c in columns))
        for k in chosen
    ]


def earliest(found: list[Onset]) -> list[Onset]:
    """Return those of the found onsets that no other one precedes: intervals that overlap tie."""
    there = [onset for onset in found if onset.is_found]
    limit = min((onset.by for onset in there), default=math.inf)
    return [onset for onset in there if onset.after < limit]


def latest(found: list[Onset]) -> list[Onset]:
    """Return those of the found onsets that precede no other one."""
    there = [onset for onset in found if onset.is_found]
    limit = max((onset.after for onset in there), default=-math.inf)
    return [onset for onset in there if onset.by > limit]


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


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    z, share = 1.959964, count / of
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


def join(found: list[Onset]) -> str:
    """Say names and their common span: conv7 and conv8, between steps 24 and 31."""
    after, by = min(o.after for o in found), max(o.by for o in found)
    return f"{listed([o.name for o in found])}, between steps {after:,.0f} and {by:,.0f}"


def layers_rise(measures: xr.Dataset) -> str:
    """Say where and when token signal first rises beyond shuffled tokens and untrained weights."""
    found = onsets_of(measures, "layer rise")
    names = [str(name) for name in measures["layer"].values]
    if not found:
        return "Untrained weights were not recorded, so no rise beyond them can be dated"
    first, last = earliest(found), latest(found)
    if not first:
        return "In no layer does token signal rise for good beyond what untrained weights give"
    never = [o.name for o in found if not o.is_found and not o.from_start]
    rest = f"; never in {spans(never, names)}" if never else ""
    words = f"Token signal rises first in {join(first)}"
    if {o.name for o in last} != {o.name for o in first}:
        words += f", last in {join(last)}"
    return words + rest


def rising_order(measures: xr.Dataset) -> str:
    """Say whether upper or lower layers rise first, by pairs of layers that can be ordered."""
    found = onsets_of(measures, "layer rise")
    dated = [(o.after, o.by) for o in found if not o.from_start]
    pairs = [(low, high) for k, low in enumerate(dated) for high in dated[k + 1 :]]
    lower = sum(low[1] <= high[0] for low, high in pairs)
    upper = sum(high[1] <= low[0] for low, high in pairs)
    if not lower + upper:
        return "No two layers' rises of token signal can be ordered"
    words = "Upper layers rise before lower ones" if upper > lower else (
        "Lower layers rise before upper ones" if lower > upper else "Layers rise in no order"
    )  # fmt: skip
    return f"{words}, in {max(lower, upper)} of {lower + upper} pairs of layers that are ordered"


def untrained_signal(measures: xr.Dataset) -> str:
    """Say which layers tell tokens apart before any training."""
    found = onsets_of(measures, "layer signal")
    names = [str(name) for name in measures["layer"].values]
    before = [o.name for o in found if o.from_start]
    if not before:
        return "Before training no layer carries more token signal than shuffled tokens give."
    return (
        f"Already at step {int(measures['step'][0])}, {spans(before, names)} "
        f"carr{'ies' if len(before) == 1 else 'y'} more token signal than shuffled tokens give: "
        "random filters of images that differ in colour or layout tell tokens apart a little."
    )


def tokens_told(measures: xr.Dataset) -> str:
    """Say which token is named first and last beyond chance, ties as ties."""
    found = onsets_of(measures, "token")
    first, last = earliest(found), latest(found)
    start = [o.name for o in found if o.from_start]
    never = [o.name for o in found if not o.is_found and not o.from_start]
    if not start and not first:
        return "No token is named rightly beyond chance by the end"
    parts = [f"{listed(start)} from the first snapshot on"] if start else []
    if first and {o.name for o in first} == {o.name for o in last}:
        parts.append(f"{'' if start or len(first) == 1 else 'at once '}{join(first)}")
    elif first:
        parts += [f"{'then' if start else 'first'} {join(first)}", f"last {join(last)}"]
    if never:
        parts.append(f"{listed(never)} not by the end")
    return f"Named rightly beyond chance: {'; '.join(parts)}"


def most_confused(measures: xr.Dataset) -> str:
    """Say the most frequent error."""
    table = measures["confusion"].values.copy()
    names = [str(name) for name in measures["token"].values]
    np.fill_diagonal(table, 0)
    table = np.nan_to_num(table)
    if table.max() == 0:
        return "No held-out exemplar is taken for another token"
    row, column = np.unravel_index(table.argmax(), table.shape)
    return (
        f"{names[row]} is most often taken for another token: "
        f"for {names[column]}, {percent(table[row, column])} of the time"
    )


def ending(measures: xr.Dataset) -> str:
    """Say the held-out accuracy at the end, beside chance, training and a second probe."""
    last = measures["accuracy"].isel(step=-1)
    probe, train = (float(last.sel(split=s)) for s in ("probe", "train"))
    beside = [
        f"chance {percent(float(measures['chance']))}",
        f"training exemplars {percent(train)}",
    ]
    if "holdout_accuracy" in measures:
        beside.append(f"holdout {percent(float(measures['holdout_accuracy'][-1]))}")
    return f"Held-out accuracy ends at {percent(probe)} ({'; '.join(beside)})"


def strongest_layer(measures: xr.Dataset) -> str:
    """Say which layer carries most token signal at the end."""
    last = measures["layer_token_signal"].isel(step=-1)
    if not np.isfinite(last).any():
        return "No layer's units vary at the end"
    k = int(np.nanargmax(last.values))
    return f"{last['layer'].values[k]} carries most token signal at the end, {last.values[k]:.2f}"
