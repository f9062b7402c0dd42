"""Sentences on category structure: where and when tokens are separated, in which order.

Plain words of `ontogeny.measure.structure`, by the rules of `ontogeny.statements.claims`. No
drawing, no HTML. May import numpy, xarray, ontogeny.measure.compactness and .layers,
ontogeny.statements and ontogeny.report.words.
"""

import math

import numpy as np
import xarray as xr

from ontogeny.measure.compactness import APART
from ontogeny.measure.layers import PIXELS, last_hidden
from ontogeny.report import words
from ontogeny.statements.claims import (
    confused_pairs,
    has_phases,
    layers_of,
    separated_pairs,
    separating_layers,
)
from ontogeny.statements.onsets import ENDS, Onset, earliest, first_and_last, span

SURE = 0.05
"""p value up to which clusters are reported."""


def answers(found: xr.Dataset) -> list[str]:
    """Say where and when tokens are separated, which first, which stay close, how certain."""
    return [
        separated_in(found), separated_first(found), stay_close(found), read_out(found),
        beyond_clones(found), phases(found),
    ]  # fmt: skip


def splits(found: xr.Dataset, layer: str) -> list[Onset]:
    """Return the branches of a layer's token tree that split beyond chance, from the root down."""
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
        rows.append(Onset(label, *(float(at[f"split_{end}"].values[k]) for end in ENDS)))
    return rows


def hidden_layers(found: xr.Dataset) -> list[str]:
    """Return the layers below the logits."""
    return [name for name in layers_of(found) if name != "logits"]


def separated_in(found: xr.Dataset) -> str:
    """Answer in which layers, and from which step on, all tokens are separated."""
    onsets, n = separating_layers(found), words.count(found.sizes["token"])
    order = [o.name for o in onsets]
    start = [o.name for o in onsets if o.from_start]
    there = [o for o in onsets if o.is_found]
    never = [o.name for o in onsets if o.is_missing]
    if not start and not there:
        return f"In no layer are all {n} tokens separated by the end: {_how_far(found)}."
    parts = []
    if start:
        where = words.spans(start, order)
        parts.append(f"All {n} tokens are separated from the first snapshot on in {where}")
        if there:
            parts.append(f"they come to be separated in {words.spans_of(there, order)}")
    else:
        first = earliest(there)
        rest = [o for o in there if o not in first]
        parts.append(f"All {n} tokens are separated{' first' if rest else ''} in "
                     f"{words.spans_of(first, order)}")  # fmt: skip
        if rest:
            parts.append(f"later in {words.spans_of(rest, order)}")
    if never:
        parts.append(f"not by the end in {words.spans(never, order)}")
    return "; ".join(parts) + "."


def _how_far(found: xr.Dataset) -> str:
    """Say how near the last hidden layer comes to separating all tokens."""
    layer = last_hidden(found)
    at = found.sel(layer=layer).isel(step=-1)
    worst = float(at["separation_worst"])
    if not math.isfinite(worst):
        return f"the separation of tokens in {layer} is unknown"
    low, high = float(at["separation_low"]), float(at["separation_high"])
    each = separated_pairs(found, layer)
    apart = sum(not o.is_missing for o in each)
    return (
        f"in {layer} the centres of the closest two are {worst:.2f} spreads apart (95 %: {low:.2f} "
        f"to {high:.2f}) where {APART:g} is needed, and {apart} of {len(each)} pairs are separated"
    )


def separated_first(found: xr.Dataset) -> str:
    """Answer which tokens are separated first and last, in the last hidden layer."""
    layer = last_hidden(found)
    onsets = separated_pairs(found, layer)
    start = [o.name for o in onsets if o.from_start]
    there, (first, last) = [o for o in onsets if o.is_found], first_and_last(onsets)
    never = [o.name for o in onsets if o.is_missing]
    if not start and not there:
        return f"No two tokens are separated in {layer} by the end."
    parts = []
    if start:
        parts.append(f"{words.listed_pairs(start)} are separated from the first snapshot on")
    if first:
        lead = "next" if start else "first"
        parts += [f"{words.listed_pairs([o.name for o in first])} are separated {lead}, "
                  f"{span(first)}",
                  f"{words.listed_pairs([o.name for o in last])} last, {span(last)}"]  # fmt: skip
    elif there:
        which = words.listed_pairs([o.name for o in there])
        if len(there) == len(onsets) > 1:
            which = "all pairs of tokens"
        parts.append(f"{which} are separated {span(there)}"
                     + (", in no order that is certain" if len(there) > 1 else ""))  # fmt: skip
    if never:
        parts.append(f"{words.listed_pairs(never)} are not separated by the end")
    return f"In {layer}, the last hidden layer, {'; '.join(parts)}."


def stay_close(found: xr.Dataset) -> str:
    """Answer which tokens stay closest and which are still confused, at the last step."""
    return f"{_closest(found)}. {confused(found)}."


def _closest(found: xr.Dataset) -> str:
    """Say which two tokens lie closest in the last hidden layer."""
    layer, names = last_hidden(found), [str(name) for name in found["token"].values]
    cdnv = found["cdnv"].sel(layer=layer).isel(step=-1).values
    if not np.isfinite(cdnv).any():
        return f"How close tokens are in {layer} is unknown, since its responses do not vary"
    a, b = sorted(np.unravel_index(np.nanargmax(cdnv), cdnv.shape))
    at = found.sel(layer=layer).isel(step=-1)
    low, high = float(at["separation_low"]), float(at["separation_high"])
    return (
        f"The centres of {names[a]} and {names[b]} are the closest in {layer} at the end, "
        f"{cdnv[a, b] ** -0.5:.2f} spreads apart (95 %: {low:.2f} to {high:.2f})"
    )


def confused(found: xr.Dataset) -> str:
    """Say which two tokens are confused most at the end, if more than evenly spread errors are."""
    table = found["confusion_over_steps"].isel(step=-1).values
    if not np.isfinite(table).all():
        return "Which tokens the network confuses is unknown"
    if not (table * (1 - np.eye(len(table)))).any():
        return "The network classifies every exemplar of the probe correctly at the end"
    pairs, names = confused_pairs(found), [str(name) for name in found["token"].values]
    if not pairs:
        return "The network confuses no two tokens more often than evenly spread errors would"
    most = pairs[0]
    low, high = words.share_interval(most.share, most.of)
    more = len(pairs) - 1
    rest = f" (and {words.count(more)} more pair{'s' if more > 1 else ''})" if more else ""
    return (
        f"The network still confuses {names[most.first]} with {names[most.second]}{rest}: "
        f"{words.percent(most.share)} of their held-out exemplars (95 %: {words.percent(low)} to "
        f"{words.percent(high)}), where evenly spread errors would give "
        f"{words.percent(most.evenly)}"
    )


def read_out(found: xr.Dataset) -> str:
    """Answer from which layer a linear read-out classifies tokens best, and its controls."""
    hidden = hidden_layers(found)
    at = found["readout"].sel(layer=hidden)
    last = at.isel(step=-1).values
    if not np.isfinite(last).any():
        return "No layer can be read out, since its responses do not vary."
    k = int(np.nanargmax(last))
    if not above_controls(found):
        return (
            f"From no layer does a linear read-out classify the tokens better than shuffled labels "
            f"({words.percent(control_bound(found))} at most): the best at the end is "
            f"{words.percent(last[k])}, from {hidden[k]}."
        )
    cell = found.sel(layer=hidden[k]).isel(step=-1)
    text = (
        f"A linear read-out from {hidden[k]} has the highest accuracy at the end, "
        f"{words.percent(last[k])} (95 %: {words.percent(float(cell['readout_low']))} to "
        f"{words.percent(float(cell['readout_high']))}); it has "
        f"{words.percent(float(at.isel(step=0, layer=k)))} at step {int(found['step'][0])}"
    )
    if PIXELS in found["layer"].values:
        text += (
            f", one from the pixels {words.percent(float(found['readout'].sel(layer=PIXELS)[-1]))}"
        )
    return f"{text}, and one of shuffled labels {words.percent(control_bound(found))} at most."


def above_controls(found: xr.Dataset) -> bool:
    """Whether the best read-out at the end is better than every one of shuffled labels.

    The best of several layers is compared with the best of all layers, steps and shuffles: a layer
    alone is better than its ten shuffles in one case of eleven.
    """
    last = found["readout"].sel(layer=hidden_layers(found)).isel(step=-1).values
    return bool(np.nanmax(last, initial=-np.inf) > control_bound(found))


def control_bound(found: xr.Dataset) -> float:
    """Return the highest accuracy of shuffled labels, in any layer and at any step."""
    highest = found["readout_control_high"].sel(layer=hidden_layers(found)).values
    return float(np.nanmax(highest)) if np.isfinite(highest).any() else math.inf


def beyond_clones(found: xr.Dataset) -> str:
    """Answer from when on the network uses more than the tokens' means and covariances."""
    if "clone_gap" not in found:
        return (
            "Whether the network uses more than means and covariances of pixels is not known: the "
            "record has no Gaussian clones."
        )
    onset = Onset("gap", *(float(found[f"clone_gap_{end}"]) for end in ENDS))
    last = found.isel(step=-1)
    real, clone = (words.percent(float(last[n])) for n in ("real_accuracy", "clone_accuracy"))
    low, high = (f"{100 * float(last[f'clone_gap_{n}']):+.1f}" for n in ("low", "high"))
    ends = f"at the end {real} and {clone}, 95 % of the difference: {low} to {high} points"
    if math.isnan(float(last["clone_gap"])):
        return (
            "Whether the network uses more than means and covariances of pixels is unknown: there "
            "is no accuracy on Gaussian clones."
        )
    if not onset.is_missing and float(last["clone_gap_low"]) > 0:
        begins = "classifies" if onset.from_start else "begins to classify"
        when = "from the first snapshot on" if onset.from_start else span([onset])
        return (
            f"The network {begins} real exemplars better than their Gaussian clones {when}: it "
            f"uses more than means and covariances of pixels ({ends})."
        )
    return (
        f"The network does not surely classify real exemplars better than their Gaussian clones "
        f"({ends}): means and covariances of pixels may be all that it uses."
    )


def phases(found: xr.Dataset) -> str:
    """Answer at which steps the measures of the network changed their course together."""
    begins = np.flatnonzero(found["phase"].values)
    names = f"loss and measures of {last_hidden(found)}"
    if not len(begins) or not has_phases(found):
        return f"The {names} show no phases beyond those of a steady drift."
    steps = found["step"].values
    places = []
    for k in begins:
        low, high = float(found["phase_first"][k]), float(found["phase_last"][k])
        places.append(f"{steps[k]:,}" + (f" ({low:,.0f} to {high:,.0f})" if low < high else ""))
    return (
        f"The {names} change their course together at step{'s' if len(places) > 1 else ''} "
        f"{words.listed(places)} (in brackets: the steps found when one of them is left out; "
        f"p = {float(found['phase_p']):.2g} for phases)."
    )
