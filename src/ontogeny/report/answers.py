"""What the report says first: where and when tokens become things, which first, how certain.

Plain words of `ontogeny.measure.structure`. No drawing, no HTML. May import numpy, xarray,
ontogeny.measure.compactness and .layers, and ontogeny.report.words only.
"""

import math

import numpy as np
import xarray as xr

from ontogeny.measure.compactness import APART
from ontogeny.measure.layers import PIXELS, last_hidden
from ontogeny.report import words
from ontogeny.report.words import Onset

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SURE = 0.05
"""p value up to which phases and clusters are told."""
_ENDS = ("after", "by", "confidence_after", "confidence_by")


def answers(found: xr.Dataset) -> list[str]:
    """Say where and when tokens become things, which first, which stay close, how certain."""
    return [
        became_things(found), came_apart_first(found), stay_close(found), read_out(found),
        beyond_clones(found), phases(found),
    ]  # fmt: skip


def things(found: xr.Dataset) -> list[Onset]:
    """Return, for each layer, when every two tokens lie apart in it."""
    return [Onset(name, *(float(found[f"things_{end}"].sel(layer=name)) for end in _ENDS))
            for name in layers_of(found)]  # fmt: skip


def pairs(found: xr.Dataset, layer: str) -> list[Onset]:
    """Return, for every two tokens, when they lie apart in a layer."""
    names, at = [str(name) for name in found["token"].values], found.sel(layer=layer)
    return [
        Onset(f"{a} and {b}", *(float(at[f"apart_{end}"].values[i, j]) for end in _ENDS))
        for i, a in enumerate(names) for j, b in enumerate(names) if i < j
    ]  # fmt: skip


def splits(found: xr.Dataset, layer: str) -> list[Onset]:
    """Return the branches of a layer's token tree that parted beyond chance, from the root down."""
    names, at = [str(name) for name in found["token"].values], found.sel(layer=layer)
    last, bound = at["split_separation"].values[-1], float(at["split_bound"])
    rows = []
    for k, side in enumerate(at["split_side"].values):
        if not np.isfinite(side).all() or not last[k] > bound:
            continue
        here, there = ([n for n, s in zip(names, side, strict=True) if s == sign]
                       for sign in (1, -1))  # fmt: skip
        few, many = sorted((here, there), key=len)
        label = f"{', '.join(few)} | {', '.join(many)}"
        rows.append(Onset(label, *(float(at[f"split_{end}"].values[k]) for end in _ENDS)))
    return rows


def layers_of(found: xr.Dataset) -> list[str]:
    """Return the network's layers in forward order."""
    return [str(name) for name in found["layer"].values if name != PIXELS]


def hidden_layers(found: xr.Dataset) -> list[str]:
    """Return the layers below the logits."""
    return [name for name in layers_of(found) if name != "logits"]


def became_things(found: xr.Dataset) -> str:
    """Answer in which layer and at which step the tokens became so many things."""
    onsets, n = things(found), found.sizes["token"]
    count = NUMBERS[n] if n < len(NUMBERS) else str(n)
    order = [o.name for o in onsets]
    start = [o.name for o in onsets if o.from_start]
    there = [o for o in onsets if o.is_found]
    never = [o.name for o in onsets if not o.is_found and not o.from_start]
    if not start and not there:
        return f"In no layer do the {count} tokens become {count} things: {_how_far(found)}."
    parts = []
    if start:
        where = words.spans(start, order)
        parts.append(f"The {count} tokens are {count} things from the first snapshot on in {where}")
        if there:
            parts.append(f"they become so in {words.spans([o.name for o in there], order)}, "
                         f"{span(there)}")  # fmt: skip
    else:
        first = words.earliest(there)
        where = words.spans([o.name for o in first], order)
        parts.append(f"The {count} tokens become {count} things first in {where}, {span(first)}")
        rest = [o for o in there if o not in first]
        if rest:
            parts.append(f"later in {words.spans([o.name for o in rest], order)}, {span(rest)}")
    if never:
        parts.append(f"not by the end in {words.spans(never, order)}")
    return "; ".join(parts) + "."


def _how_far(found: xr.Dataset) -> str:
    """Say how near the last hidden layer comes to things."""
    layer = last_hidden(found)
    at = found.sel(layer=layer).isel(step=-1)
    worst = float(at["separation_worst"])
    if not math.isfinite(worst):
        return f"the separation of tokens in {layer} is unknown"
    low, high = float(at["separation_low"]), float(at["separation_high"])
    each = pairs(found, layer)
    apart = sum(o.is_found or o.from_start for o in each)
    return (
        f"in {layer} the closest two end {worst:.2f} spreads apart (95 %: {low:.2f} to "
        f"{high:.2f}), {APART:g} is needed, and {apart} of {len(each)} pairs are that far apart"
    )


def span(onsets: list[Onset]) -> str:
    """Say the span of intervals that overlap, with that of their confidence intervals."""
    after, by = min(o.after for o in onsets), max(o.by for o in onsets)
    low, high = min(o.confidence_after for o in onsets), max(o.confidence_by for o in onsets)
    start = f"{low:,.0f}" if math.isfinite(low) else "the start"
    end = f"{high:,.0f}" if math.isfinite(high) else "past the end"
    return f"between steps {after:,.0f} and {by:,.0f} (95 %: {start} to {end})"


def came_apart_first(found: xr.Dataset) -> str:
    """Answer which tokens came apart first and last, in the last hidden layer."""
    layer = last_hidden(found)
    onsets = pairs(found, layer)
    start = [o.name for o in onsets if o.from_start]
    first, last = words.earliest(onsets), words.latest(onsets)
    never = [o.name for o in onsets if not o.is_found and not o.from_start]
    if not start and not first:
        return f"In {layer} no two tokens come apart by the end."
    parts = [f"{words.listed_pairs(start)} are apart from the first snapshot on"] if start else []
    if first and len(first) == len(onsets):
        which = "the two tokens" if len(onsets) == 1 else "all pairs of tokens"
        parts.append(f"{which} come apart {'' if len(onsets) == 1 else 'at once, '}{span(first)}")
    elif first:
        lead = "the next" if start else "the first"
        parts.append(f"{lead} to come apart are {words.listed_pairs([o.name for o in first])}, "
                     f"{span(first)}")  # fmt: skip
        if {o.name for o in last} != {o.name for o in first}:
            parts.append(f"the last are {words.listed_pairs([o.name for o in last])}, {span(last)}")
    if never:
        parts.append(f"not by the end: {words.listed_pairs(never)}")
    return f"In {layer} {'; '.join(parts)}."


def stay_close(found: xr.Dataset) -> str:
    """Answer which tokens stay closest and which are confused most, at the last step."""
    layer, names = last_hidden(found), [str(name) for name in found["token"].values]
    cdnv = found["cdnv"].sel(layer=layer).isel(step=-1).values
    if not np.isfinite(cdnv).any():
        return f"How close tokens are in {layer} is unknown: its responses do not vary."
    close = tuple(sorted(np.unravel_index(np.nanargmax(cdnv), cdnv.shape)))
    at = found.sel(layer=layer).isel(step=-1)
    low, high = float(at["separation_low"]), float(at["separation_high"])
    text = (
        f"{names[close[0]]} and {names[close[1]]} end closest: in {layer} their centres are "
        f"{cdnv[close] ** -0.5:.2f} spreads apart (95 %: {low:.2f} to {high:.2f})"
    )
    table, count = found["confusion_over_steps"].isel(step=-1).values, found["exemplars"].values
    wrong = np.nan_to_num(table * count[:, None])
    mixed = np.triu(wrong + wrong.T, k=1)
    if not mixed.any():
        return f"{text}; no held-out exemplar is taken for another token."
    most = np.unravel_index(mixed.argmax(), mixed.shape)
    number, of = round(float(mixed[most])), int(count[most[0]] + count[most[1]])
    low, high = words.share_interval(number, of)
    whom = "they are" if most == close else f"{names[most[0]]} and {names[most[1]]} are"
    return (
        f"{text}; {whom} confused most, {words.percent(number / of)} of their held-out exemplars "
        f"(95 %: {words.percent(low)} to {words.percent(high)})."
    )


def read_out(found: xr.Dataset) -> str:
    """Answer in which layer a linear read-out tells the tokens best, beside its controls."""
    hidden = hidden_layers(found)
    at = found["readout"].sel(layer=hidden)
    last = at.isel(step=-1).values
    if not np.isfinite(last).any():
        return "No layer can be read out."
    k = int(np.nanargmax(last))
    if not above_controls(found):
        return (
            f"No layer's linear read-out tells tokens better than control labels "
            f"({words.percent(control_bound(found))} at most): the best at the end is "
            f"{words.percent(last[k])}, from {hidden[k]}."
        )
    cell = found.sel(layer=hidden[k]).isel(step=-1)
    text = (
        f"A linear read-out tells tokens best from {hidden[k]}, {words.percent(last[k])} at the "
        f"end (95 %: {words.percent(float(cell['readout_low']))} to "
        f"{words.percent(float(cell['readout_high']))}); "
        f"{words.percent(float(at.isel(step=0, layer=k)))} at step {int(found['step'][0])}"
    )
    if PIXELS in found["layer"].values:
        text += f", {words.percent(float(found['readout'].sel(layer=PIXELS)[-1]))} from pixels"
    return f"{text}, {words.percent(control_bound(found))} at most of control labels."


def above_controls(found: xr.Dataset) -> bool:
    """Tell whether the best read-out at the end beats that of every dealing anywhere.

    The best of several layers is compared with the best of all layers, steps and dealings: a layer
    alone beats its ten dealings in one case of eleven.
    """
    last = found["readout"].sel(layer=hidden_layers(found)).isel(step=-1).values
    return bool(np.nanmax(last, initial=-np.inf) > control_bound(found))


def control_bound(found: xr.Dataset) -> float:
    """Return the best that control labels were read out, in any layer and step."""
    highest = found["readout_control_high"].sel(layer=hidden_layers(found)).values
    return float(np.nanmax(highest)) if np.isfinite(highest).any() else math.inf


def beyond_clones(found: xr.Dataset) -> str:
    """Answer from when on the network uses more than the tokens' means and covariances."""
    if "clone_gap" not in found:
        return (
            "Whether more than means and covariances of pixels is used is not known: the record "
            "has no Gaussian clones."
        )
    onset = Onset("gap", *(float(found[f"clone_gap_{end}"]) for end in _ENDS))
    last = found.isel(step=-1)
    real, clone = (words.percent(float(last[n])) for n in ("real_accuracy", "clone_accuracy"))
    low, high = (f"{100 * float(last[f'clone_gap_{n}']):+.1f}" for n in ("low", "high"))
    ends = f"at the end {real} and {clone}, 95 % of the difference: {low} to {high} points"
    if math.isnan(float(last["clone_gap"])):
        return (
            "Whether more than means and covariances of pixels is used is unknown: there is no "
            "accuracy on Gaussian clones."
        )
    if onset.from_start or onset.is_found:
        when = (
            "From the first snapshot on real exemplars are" if onset.from_start
            else f"Real exemplars begin, {span([onset])}, to be"
        )  # fmt: skip
        return (
            f"{when} named better than their Gaussian clones: more than means and covariances of "
            f"pixels is used ({ends})."
        )
    return (
        f"By the end real exemplars are not surely named better than their Gaussian clones "
        f"({ends}): means and covariances of pixels may be all that is used."
    )


def phases(found: xr.Dataset) -> str:
    """Answer at which steps the measures of the network changed their course together."""
    begins = np.flatnonzero(found["phase"].values)
    names = f"loss and measures of {last_hidden(found)}"
    if not len(begins) or not float(found["phase_p"]) <= SURE:
        return f"The {names} show no phases beyond what one drift would."
    steps = found["step"].values
    told = []
    for k in begins:
        low, high = float(found["phase_first"][k]), float(found["phase_last"][k])
        told.append(f"{steps[k]:,}" + (f" ({low:,.0f} to {high:,.0f})" if low < high else ""))
    return (
        f"The {names} change course together at step{'s' if len(told) > 1 else ''} "
        f"{words.listed(told)} (in brackets: without any one of them; "
        f"p = {float(found['phase_p']):.2g} for there being phases)."
    )
