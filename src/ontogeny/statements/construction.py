"""Rules on construction: where, when, by what part and out of which parents units add something.

What is constructed is held against recombinations: the same parents, weights and bias, the weights
shuffled. Rules select what is stored, compare it with its bound and put it into words. May import
numpy, xarray and ontogeny.measure.
"""

import math
from typing import cast

import numpy as np
import xarray as xr

from ontogeny.measure.gains.kinds import COMBINES, SELECTS
from ontogeny.measure.gains.parents import AT, MATCHED
from ontogeny.record.layers import hidden
from ontogeny.statements.findings import Findings
from ontogeny.statements.onsets import Onset, first_and_last
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where
from ontogeny.statements.words import listed, percent, spans, spans_of

FOLDS = "95 %, folds of exemplar groups left out in turn"
UNITS = "95 %, units resampled"
DETECTORS, PARENTS = 3, 3
"""Detectors that are named, one of a layer, and parents of each."""
HALF = 0.5
_WHY = "the record holds recombinations at fewer than three snapshots"


def constructed(findings: Findings) -> Said | Unsaid:
    """Say in which layers more units are constructed than chance and step 0 give."""
    data = _hidden(findings)
    last, names = _last(data, "constructed_share"), data["layer"].values.tolist()
    if last is None or not np.isfinite(data["layer_construction_by"].values).any():
        known = last is not None and not np.isnan(data["layer_construction_by"].values).all()
        return Unsaid(
            "In no layer are more units constructed to the end than chance gives."
            if known
            else f"Where units are constructed is not known: {_WHY}."
        )
    constructing = _constructing(data)
    if not constructing:
        return Unsaid("In no layer are more units constructed at the end than chance gives in any "
                      "layer.")  # fmt: skip
    share = last["constructed_share"]
    most = max(constructing, key=lambda name: float(share.sel(layer=name)))
    low, high = (float(last[f"constructed_share_{end}"].sel(layer=most)) for end in ("low", "high"))
    rest = [name for name in names if name not in constructing]
    before = float(_first(data, "constructed_share")["constructed_share"].sel(layer=most))
    text = (
        f"{spans(constructing, names)} construct{'s' if len(constructing) == 1 else ''}: at the "
        f"end {percent(float(share.sel(layer=most)))} of the units of {most} (95 %: {percent(low)} "
        f"to {percent(high)}) discriminate the tokens better than each of {data.attrs['deals']} "
        "recombinations of the same parents; chance gives 5 %, and before training it was "
        f"{percent(before)}."
    )
    if rest:
        text += f" {spans(rest, names)} {'is' if len(rest) == 1 else 'are'} not shown to."
    return Said(text, tuple(_constructs(last.sel(layer=name), name) for name in constructing))


def _constructs(at: xr.Dataset, layer: str) -> Statement:
    share, low, high = (float(at[f"constructed_share{end}"]) for end in ("", "_low", "_high"))
    return Statement(
        "a layer constructs", layer,
        f"{percent(share)} of the units of {layer} discriminate the tokens better at the end than "
        "any recombination of the same parents; so do "
        f"{percent(share - float(at['constructed_rise']))} before training.",
        share, "share of units", low, high, FOLDS,
        "each shuffle taken as the own wiring, corrected over layers; and beyond 5 % and step 0 "
        "for three snapshots with recombinations",
        float(at["constructed_bound"]), Where("construction", int(at["step"]), layer),
    )  # fmt: skip


def order(findings: Findings) -> Said | Unsaid:
    """Say in which layers construction begins first and last, and whether it goes up or down."""
    data = _hidden(findings)
    names, constructing = data["layer"].values.tolist(), _constructing(data)
    if len(constructing) < 2:
        return Unsaid("In which order layers begin to construct is not known: "
                      f"{'one layer does' if constructing else 'none is shown to'}.")  # fmt: skip
    onsets = [_onset(data, name) for name in constructing]
    first, last = first_and_last(onsets)
    when = "the intervals of all layers overlap, so that none is shown to begin before another."
    if first:
        when = f"it begins in {spans_of(first, names)}, and last in {spans_of(last, names)}."
    goes = _direction(data)
    if goes is None:
        when = when.removeprefix("it begins")
        return Said(f"Construction begins{when}") if first else Unsaid(f"T{when[1:]}")
    value, low, high, bound = (float(data[f"construction_order{end}"]) for end in _ORDER)
    kind, words = goes
    if not first:
        when = (
            f"Kendall's tau of depth and onset is {value:.2f} (95 %: {low:.2f} to {high:.2f}; in "
            f"random order at most {bound:.2f} in size). The intervals of single layers overlap, "
            "so that no two of them can be ordered."
        )
    return Said(f"{words}: {when}", (Statement(
        kind, "layers", f"{words}: Kendall's rank correlation of depth and onset over the layers "
        f"that have one is {value:.2f}.",
        abs(value), "Kendall's tau", *((low, high) if value > 0 else (-high, -low)),
        "95 %, shares drawn again over exemplar groups", "layers in random order", bound,
        Where("construction", int(onsets[0].by)),
    ),))  # fmt: skip


_ORDER = ("", "_low", "_high", "_bound")


def _direction(data: xr.Dataset) -> tuple[str, str] | None:
    """Return kind and words where onsets follow depth surely, and beyond layers in random order."""
    value, low, high, bound = (float(data[f"construction_order{end}"]) for end in _ORDER)
    if not abs(value) > bound or not low * high > 0:
        return None
    if value < 0:
        return "construction goes down", "Construction begins in upper layers and goes down"
    return "construction goes up", "Construction begins in lower layers and goes up"


def _onset(data: xr.Dataset, layer: str) -> Onset:
    at = data.sel(layer=layer)
    return Onset(layer, *(float(at[f"layer_construction_{end}"]) for end in (
        "after", "by", "confidence_after", "confidence_by")))  # fmt: skip


def rectified(findings: Findings) -> Said | Unsaid:
    """Say what share of the gain rectification makes in the layers that construct."""
    data = _hidden(findings)
    names, constructing = data["layer"].values.tolist(), _constructing(data)
    last = _last(data, "rectified_share_constructed")
    if not constructing or last is None:
        return Unsaid("What rectification adds to the gain is not known: no layer is shown to "
                      "construct.")  # fmt: skip
    share, low, high = (float(last[f"rectified_share_constructed{end}"])
                        for end in ("", "_low", "_high"))  # fmt: skip
    each = last["rectified_share"].sel(layer=constructing)
    ends = [
        str(each[getattr(each, find)("layer")]["layer"].values) for find in ("argmin", "argmax")
    ]
    between = "" if len(constructing) < 2 else (
        f", from {percent(float(each.sel(layer=ends[0])))} in {ends[0]} to "
        f"{percent(float(each.sel(layer=ends[1])))} in {ends[1]}")  # fmt: skip
    text = (
        f"Rectification makes {percent(share)} (95 %: {percent(low)} to {percent(high)}) of the "
        f"gain of {spans(constructing, names)}{between}; pre-activations have the rest."
    )
    if low <= HALF <= high:
        return Said(text)
    is_most = low > HALF
    effect, ends_of = (share, (low, high)) if is_most else (1 - share, (1 - high, 1 - low))
    return Said(text, (Statement(
        "rectification makes most of the gain" if is_most else
        "pre-activations have most of the gain", "layers", text,
        effect, "share of the gain", *ends_of, UNITS, "half of the gain each", HALF,
        Where("construction", int(last["step"])),
    ),))  # fmt: skip


def top(findings: Findings) -> Said | Unsaid:
    """Say whether the top hidden layer inherits more than every layer that constructs."""
    data = _hidden(findings)
    last, name = _last(data, "inherited_share"), str(data["layer"].values[-1])
    below = [layer for layer in _constructing(data) if layer != name]
    if last is None or not below:
        return Unsaid(f"How much of what {name} discriminates is inherited cannot be compared: no "
                      "layer below is shown to construct.")  # fmt: skip
    share, low, high = (float(last[f"inherited_share{end}"].sel(layer=name))
                        for end in ("", "_low", "_high"))  # fmt: skip
    most = last["inherited_share_high"].sel(layer=below)
    text = (
        f"{name}, the top hidden layer, inherits {percent(share)} (95 %: {percent(low)} to "
        f"{percent(high)}) of its units' mean selectivity: as much as recombinations of the same "
        "parents have"
    )
    bound = float(most.max())
    if not low > bound:
        return Unsaid(
            f"{text}; that is not shown to be more than in the layers below that construct."
        )
    text += f"; the layers below that construct inherit at most {percent(bound)}."
    return Said(text, (Statement(
        "the top hidden layer inherits", name, text, share, "share of the selectivity", low, high,
        UNITS, "the layers below that construct: the highest upper end of their intervals", bound,
        Where("construction", int(last["step"]), name),
    ),))  # fmt: skip


def building(findings: Findings) -> Said | Unsaid:
    """Say which layers add more to ancestors as they are than to recombined ones, since step 0."""
    data = _hidden(findings)
    last, names = _last(data, "building_rise_low_together"), data["layer"].values.tolist()
    if last is None:
        return Unsaid("Whether layers build on what was built is not known: there is no snapshot "
                      "with shuffled ancestors besides step 0.")  # fmt: skip
    said = [
        _builds(at, name, int(depth))
        for depth in last["depth"].values
        for name in names
        for at in [last.sel(layer=name, depth=depth)]
        if float(at["building_rise_low_together"]) > 0
    ]
    if not said:
        return Unsaid("In no layer do units add more to ancestors as they are than to recombined "
                      "ones, beyond what they did before training.")  # fmt: skip
    on_parents = [one.where.layer or "" for one in said if one.kind == _BUILDS[1]]
    subject = on_parents or [one.where.layer or "" for one in said]
    best = max(said, key=lambda one: one.effect)
    value = f"{best.effect:.2f} in eta squared (95 %: {best.low:.2f} at least; {best.where.layer})"
    return Said(
        f"{spans(sorted(set(subject), key=names.index), names)} build"
        f"{'s' if len(set(subject)) == 1 else ''} on what the layer"
        f"{'' if on_parents else 's'} below had added: units add up to {value} more to ancestors "
        "as they are than to recombined ones. Their wiring fits these ancestors; whether these "
        "were first is another question.", tuple(said),
    )  # fmt: skip


_BUILDS = {1: "a layer builds on the layer below", 2: "a layer builds on the layer two below"}
_BELOW = {1: "the layer below", 2: "the layer two below"}


def _builds(at: xr.Dataset, layer: str, depth: int) -> Statement:
    rise, low = float(at["building_rise"]), float(at["building_rise_low_together"])
    mean, before = float(at["building_mean"]), float(at["building_mean"]) - rise
    return Statement(
        _BUILDS[depth], layer,
        f"Units of {layer} add {mean:.2f} more to their selectivity (eta squared, mean) with "
        f"{_BELOW[depth]} as it is than with weights into it shuffled, and "
        f"{round(before, 2) + 0:.2f} more at step 0: their wiring fits it.",
        rise, "eta squared since step 0", low, 2 * rise - low,
        "95 % over exemplar groups and units, corrected over layers and depths",
        "no more than before training", max(rise - low, 1e-6),
        Where("construction", int(at["step"]), layer),
    )  # fmt: skip


def detectors(findings: Findings) -> Said | Unsaid:
    """Name the units that combine most, what they discriminate and which parents add to it."""
    data = _hidden(findings)
    last = _last(data, "constructed_share")
    if last is None or not _constructing(data):
        return Unsaid("Whether units combine their parents is not known: no layer is shown to "
                      "construct.")  # fmt: skip
    layers, names = _constructing(data), data["layer"].values.tolist()
    kind = last["kind"].values[np.isin(last["layer_of_unit"].values, layers)]
    n, both = int((kind >= SELECTS).sum()), int((kind == COMBINES).sum())
    chosen = strongest(findings)
    lead = (
        f"Of the {n:,} constructed units of {spans(layers, names)}, {both:,} "
        "combine: they are beyond their best parent (of units that are as good as it, one in 40 "
        "would be)"
    )
    if not chosen:
        return Unsaid(f"{lead}; none gains more than the best of a layer's units does by chance.")
    each = [f"{last['unit'].values[unit]} discriminates {_feature(last, unit)}" for unit in chosen]
    return Said(
        f"{lead}; the others are not shown to, they select. The strongest: {'; '.join(each)}. "
        + _parents(findings, last, chosen[0]),
        tuple(_detector(findings, last, unit) for unit in chosen),
    )  # fmt: skip


def strongest(findings: Findings) -> list[int]:
    """Return units that combine and gain more than the best of their layer by chance.

    One of a layer that constructs, the largest difference to the best parent first.
    """
    data = _hidden(findings)
    last = _last(data, "constructed_share")
    if last is None:
        return []
    layer, best = last["layer_of_unit"].values.astype(str), {}
    bound = {name: float(last["gain_bound"].sel(layer=name)) for name in _constructing(data)}
    beyond = last["gain"].values > np.array([bound.get(name, math.nan) for name in layer])
    found = np.flatnonzero(beyond & (last["kind"].values == COMBINES))
    for unit in found[np.argsort(-last["emergent"].values[found], kind="stable")].tolist():
        best.setdefault(layer[unit], unit)
    return list(best.values())[:DETECTORS]


def parents(findings: Findings, unit: int) -> list[str]:
    """Return the unit's best parent, and those that add most where parents stand out."""
    data, record = _gains(findings), findings.record
    at, last = data.isel({AT: -1}), cast(xr.Dataset, _last(data, "constructed_share"))
    mine = np.flatnonzero(record["target"].values == str(data["unit"].values[unit]))
    source, best = record["source"].values[mine].astype(str), int(last["best_parent"].values[unit])
    found = [name for name in source if name.endswith(f":{best}")]
    if float(at["parents_beyond"].values[unit]) > float(at["parents_bound"].values[unit]):
        found += _adding(at, mine, source)
    return list(dict.fromkeys(found))


def _adding(at: xr.Dataset, mine: np.ndarray, source: np.ndarray) -> list[str]:
    """Return the parents that add most, of those beyond others of their amplitude."""
    gain, p = at["edge_gain"].values[mine], at["edge_gain_p"].values[mine]
    sure = np.flatnonzero(p <= 1 / (1 + MATCHED) + 1e-6)
    return source[sure[np.argsort(-gain[sure], kind="stable")]][:PARENTS].tolist()


def _detector(findings: Findings, last: xr.Dataset, unit: int) -> Statement:
    at = last.isel(unit=unit)
    name, layer = str(at["unit"].values), str(at["layer_of_unit"].values)
    words, gain = _feature(last, unit), float(at["gain"])
    score, emergent = float(at["selectivity"]), float(at["emergent"])
    low, high = (float(at[f"emergent_{end}"]) for end in ("low", "high"))
    return Statement(
        "a detector combines its parents", f"{layer}: {words}",
        f"{name} combines its parents: its selectivity (eta squared over tokens) is {score:.2f}, "
        f"that of its recombinations {float(at['inherited']):.2f} and that of its best parent "
        f"{score - emergent:.2f} (difference, 95 %: {low:.2f} to {high:.2f}). It adds most to "
        f"discriminating {words}. {_parents(findings, last, unit)}",
        gain, "eta squared beyond recombinations", gain + low - emergent, gain + high - emergent,
        f"{FOLDS}: of the difference to the best parent",
        "the best of the layer's units, each shuffle taken as the own wiring",
        float(last["gain_bound"].sel(layer=layer)),
        Where("construction", int(last["step"]), layer, name),
    )  # fmt: skip


def _feature(last: xr.Dataset, unit: int, of: str = "gain_feature") -> str:
    """Say what a unit discriminates most, of what exemplars have or lack."""
    values = last[of].values[unit]
    if not np.isfinite(values).any():
        return "the tokens"
    k = int(np.nanargmax(values))
    also = str(last["feature_also"].values[k])
    return f"{last['feature'].values[k]}{f' ({also})' if also else ''}"


def _parents(findings: Findings, last: xr.Dataset, unit: int) -> str:
    """Say how many parents add more than others of their amplitude, and name the first of them."""
    name, at = str(last["unit"].values[unit]), _gains(findings).isel({AT: -1})
    beyond, chance, bound = (float(at[f"parents_{which}"].values[unit])
                             for which in ("beyond", "chance", "bound"))  # fmt: skip
    if not math.isfinite(chance):
        return f"Which parents of {name} add most is not known: they are too few to compare."
    mine = np.flatnonzero(findings.record["target"].values == name)
    words = (
        f"Of the {len(mine)} parents of {name}, {beyond:.0f} add more than {MATCHED} others of the "
        f"same amplitude do, where chance gives {chance:.0f}"
    )
    if not beyond > bound:
        return f"{words}: no parent stands out."
    units = last["unit"].values.astype(str).tolist()
    named = [f"{one} ({_feature(last, units.index(one), 'selectivity_feature')})"
             if one in units else one
             for one in _adding(at, mine, findings.record["source"].values[mine].astype(str))
             ]  # fmt: skip
    return f"{words}; most is added by {listed(named)}."


def _gains(findings: Findings) -> xr.Dataset:
    return cast(xr.Dataset, findings.gains)


def _hidden(findings: Findings) -> xr.Dataset:
    """Return the measures of hidden layers, which every rule here needs."""
    data = _gains(findings)
    return data.sel(layer=hidden(data["layer"].values))


def _constructing(data: xr.Dataset) -> list[str]:
    return [str(name) for name in data["layer"].values[data["constructs"].values == 1]]


def _known(data: xr.Dataset, name: str) -> np.ndarray:
    """Return the places of the steps at which something is known."""
    values = data[name].transpose("step", ...).values
    return np.flatnonzero(np.isfinite(values.reshape(len(values), -1)).any(axis=1))


def _last(data: xr.Dataset, name: str) -> xr.Dataset | None:
    """Return the last step at which something is known; None where none is."""
    places = _known(data, name)
    return data.isel(step=int(places[-1])) if len(places) else None


def _first(data: xr.Dataset, name: str) -> xr.Dataset:
    return data.isel(step=int(_known(data, name)[0]))


_NEEDS = {"gains": ("constructed_share", "constructed_bound", "layer_construction_by")}
RULES: tuple[Rule, ...] = (
    Rule("constructed", "where units are constructed", constructed, ("a layer constructs",),
         needs=_NEEDS),
    Rule("construction order", "in which order layers begin to construct", order,
         ("construction goes down", "construction goes up"), "constructed", needs=_NEEDS),
    Rule("combining", "which detectors combine their parents", detectors,
         ("a detector combines its parents",), "families", needs=_NEEDS),
    Rule("building", "whether layers build on what was built", building,
         tuple(_BUILDS.values()), needs={"gains": ("building_rise_low_together",)}),
    Rule("rectified", "what rectification adds to the gain", rectified,
         ("rectification makes most of the gain", "pre-activations have most of the gain"),
         "gain_parts", needs=_NEEDS),
    Rule("top layer", "what the top hidden layer adds", top, ("the top hidden layer inherits",),
         "gain_parts", needs=_NEEDS),
)  # fmt: skip
