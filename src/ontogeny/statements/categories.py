"""Rules on categories: where and when tokens are separated, and what is confused.

May import numpy, xarray, ontogeny.measure and ontogeny.statements.
"""

import math
from itertools import combinations, permutations

import numpy as np
import xarray as xr

from ontogeny.measure.categories.collapse import APART
from ontogeny.measure.categories.layers import PIXELS, last_hidden
from ontogeny.measure.learning.curves import LAYER_RISE, LAYER_SIGNAL
from ontogeny.statements.findings import Findings
from ontogeny.statements.onsets import ENDS, Onset, earliest, first_and_last, onsets_of, span
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where
from ontogeny.statements.words import count, listed_pairs, percent, spans, spans_of

SURE = 0.05
"""p value up to which clusters are reported."""


def layers_of(structure: xr.Dataset) -> list[str]:
    """Return the network's layers in forward order."""
    return [str(name) for name in structure["layer"].values if name != PIXELS]


def hidden_layers(structure: xr.Dataset) -> list[str]:
    """Return the layers below the logits."""
    return [name for name in layers_of(structure) if name != "logits"]


def separating_layers(structure: xr.Dataset) -> list[Onset]:
    """Return, for each layer, from when on every two tokens are separated in it.

    A layer in which the closest two tokens are not surely separated at the end has none: the lower
    end of their 95 % interval has to be above `APART`.
    """
    found, last = [], structure.isel(step=-1)
    for name in layers_of(structure):
        ends = [float(structure[f"things_{end}"].sel(layer=name)) for end in ENDS]
        if math.isfinite(ends[1]) and not float(last["separation_low"].sel(layer=name)) > APART:
            step = float(structure["step"].values[-1])
            ends = [step, math.inf, step, math.inf]
        found.append(Onset(name, *ends))
    return found


def separated_pairs(structure: xr.Dataset, layer: str) -> list[Onset]:
    """Return, for every two tokens, from when on they are separated in a layer."""
    names, at = [str(name) for name in structure["token"].values], structure.sel(layer=layer)
    return [
        Onset(f"{names[i]} and {names[j]}", *(float(at[f"apart_{e}"].values[i, j]) for e in ENDS))
        for i, j in combinations(range(len(names)), 2)
    ]


def splits(structure: xr.Dataset, layer: str) -> list[Onset]:
    """Return the branches of a layer's token tree that split beyond chance, from the root down."""
    names, at = [str(name) for name in structure["token"].values], structure.sel(layer=layer)
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


def separated(findings: Findings) -> Said | Unsaid:
    """Say in which layers, and from which step on, all tokens are separated."""
    data = findings["structure"]
    onsets, n = separating_layers(data), count(data.sizes["token"])
    order = [o.name for o in onsets]
    start = [o.name for o in onsets if o.from_start]
    there = [o for o in onsets if o.is_found]
    never = [o.name for o in onsets if o.is_missing]
    if not start and not there:
        return Unsaid(f"In no layer are all {n} tokens separated by the end: {_how_far(data)}.")
    parts = []
    if start:
        parts.append(f"All {n} tokens are separated from the first snapshot on in "
                     f"{spans(start, order)}")  # fmt: skip
        if there:
            parts.append(f"they come to be separated in {spans_of(there, order)}")
    else:
        first = earliest(there)
        rest = [o for o in there if o not in first]
        parts.append(f"All {n} tokens are separated{' first' if rest else ''} in "
                     f"{spans_of(first, order)}")  # fmt: skip
        if rest:
            parts.append(f"later in {spans_of(rest, order)}")
    if never:
        parts.append(f"not by the end in {spans(never, order)}")
    one = min((o for o in onsets if not o.is_missing), key=lambda onset: onset.by)
    sentence = "; ".join(parts) + "."
    return Said(sentence, (_separated(data, one, sentence),))


def _separated(data: xr.Dataset, one: Onset, sentence: str) -> Statement:
    """Return what is said of all layers, with the size and the interval of the first of them."""
    at = data.sel(layer=one.name).isel(step=-1)
    return Statement(
        "all tokens are separated", one.name, sentence,
        float(at["separation_worst"]), "spreads between the closest two tokens at the end",
        float(at["separation_low"]), float(at["separation_high"]),
        "95 %, groups of exemplars resampled", "a separation of one spread", APART,
        Where("categories", int(one.by), one.name),
    )  # fmt: skip


def _how_far(data: xr.Dataset) -> str:
    """Say how near the last hidden layer comes to separating all tokens."""
    layer = last_hidden(data)
    at = data.sel(layer=layer).isel(step=-1)
    worst = float(at["separation_worst"])
    if not math.isfinite(worst):
        return f"the separation of tokens in {layer} is unknown"
    low, high = float(at["separation_low"]), float(at["separation_high"])
    each = separated_pairs(data, layer)
    apart = sum(not o.is_missing for o in each)
    return (
        f"in {layer} the centres of the closest two are {worst:.2f} spreads apart (95 %: {low:.2f} "
        f"to {high:.2f}) where {APART:g} is needed, and {apart} of {len(each)} pairs are separated"
    )


def pairs(findings: Findings) -> Said | Unsaid:
    """Say which tokens are separated first and last, in the last hidden layer."""
    layer = last_hidden(findings["structure"])
    onsets = separated_pairs(findings["structure"], layer)
    start = [o.name for o in onsets if o.from_start]
    there, (first, last) = [o for o in onsets if o.is_found], first_and_last(onsets)
    never = [o.name for o in onsets if o.is_missing]
    if not start and not there:
        return Unsaid(f"No two tokens are separated in {layer} by the end.")
    parts = []
    if start:
        parts.append(f"{listed_pairs(start)} are separated from the first snapshot on")
    if first:
        lead = "next" if start else "first"
        parts += [f"{listed_pairs([o.name for o in first])} are separated {lead}, {span(first)}",
                  f"{listed_pairs([o.name for o in last])} last, {span(last)}"]  # fmt: skip
    elif there:
        which = listed_pairs([o.name for o in there])
        if len(there) == len(onsets) > 1:
            which = "all pairs of tokens"
        parts.append(f"{which} are separated {span(there)}"
                     + (", in no order that is certain" if len(there) > 1 else ""))  # fmt: skip
    if never:
        parts.append(f"{listed_pairs(never)} are not separated by the end")
    return Said(f"In {layer}, the last hidden layer, {'; '.join(parts)}.")


def branches(findings: Findings) -> Said | Unsaid:
    """Say which branches of the tokens' tree split before which, in the last hidden layer."""
    layer, n = last_hidden(findings["structure"]), len(findings.tokens)
    found = splits(findings["structure"], layer)
    if not found:
        return Unsaid(f"Of the token tree of {layer} no branch splits beyond chance.")
    first = earliest(found)
    when = f", first {'; '.join(o.name for o in first)}, {span(first)}" if first else ""
    ordered = [_branch_before(findings, a, b) for a, b in permutations(found, 2)
               if math.isfinite(a.by + b.by) and a.precedes(b)]  # fmt: skip
    return Said(
        f"Of the token tree of {layer} {len(found)} of {n - 1} branches split beyond chance{when}.",
        tuple(ordered),
    )


def _branch_before(findings: Findings, first: Onset, second: Onset) -> Statement:
    layer, n = last_hidden(findings["structure"]), len(findings.tokens)
    ratio, low, high = first.times_before(second)
    one, other = (_sides(onset, n) for onset in (first, second))
    return Statement(
        "one branch before another", f"{one} before {other}",
        f"The tree of the tokens in {layer} separates {one} {first.when()}, before it separates "
        f"{other} ({second.when()}).",
        ratio, "ratio of steps", low, high, "from the ends of both 95 % intervals",
        "branches within chance are left out; branches whose intervals overlap are not ordered",
        1.0, Where("categories", int(second.by), layer),
    )  # fmt: skip


def _sides(branch: Onset, n_tokens: int) -> str:
    """Say what a branch separates: ada from bo, cy; or ada from the rest."""
    few, many = branch.name.split(" | ")
    whole = len(few.split(", ")) + len(many.split(", ")) == n_tokens > 2
    return f"{few} from {'the rest' if whole else many}"


def confused(findings: Findings) -> Said | Unsaid:
    """Say which two tokens are confused more often than errors spread by chance would have it."""
    data, names = findings["measures"], findings.tokens
    share, bound = data["confused"].values, data["confused_bound"].values
    table = data["confusion"].values
    if not np.isfinite(table).all():
        return Unsaid("Which tokens the network confuses is unknown.")
    if not (table * (1 - np.eye(len(table)))).any():
        return Unsaid("The network classifies every exemplar of the probe correctly at the end.")
    there = [(i, j) for i, j in combinations(range(len(names)), 2)
             if share[i, j] > bound[i, j] > 0]  # fmt: skip
    if not there:
        return Unsaid("The network confuses no two tokens more often than errors spread by chance "
                      "would.")  # fmt: skip
    said = [_confused(findings, i, j) for i, j in sorted(there, key=lambda p: -share[p])]
    more = len(said) - 1
    rest = f" {count(more).capitalize()} more pair{'s are' if more > 1 else ' is'} confused." * (
        more > 0)  # fmt: skip
    return Said(said[0].text + rest, tuple(said))


def _confused(findings: Findings, first: int, second: int) -> Statement:
    at = findings["measures"].isel(token=first, token_b=second)
    share, low, high, by_chance, bound = (
        float(at[f"confused{end}"]) for end in ("", "_low", "_high", "_by_chance", "_bound")
    )
    a, b = findings.tokens[first], findings.tokens[second]
    return Statement(
        "two tokens stay confused", f"{a} and {b}",
        f"The network still confuses {a} with {b} at the end: {percent(share)} of their held-out "
        f"exemplars are classified as the other token (95 %: {percent(low)} to {percent(high)}), "
        f"where errors spread by chance would give {percent(by_chance)}.",
        share, "share of exemplars", low, high, "95 %, Wilson; a group of exemplars counts once",
        "errors spread evenly over the other tokens, or as all exemplars are, whichever is more, "
        "corrected over pairs", bound,
        Where("categories", int(findings.record["step"][-1]), token=a),
    )  # fmt: skip


def read_out(findings: Findings) -> Said | Unsaid:
    """Say from which layer a linear read-out classifies tokens best, and its controls.

    The best of several layers is compared with the best of all layers, steps and shuffles: a layer
    alone is better than its ten shuffles in one case of eleven.
    """
    data = findings["structure"]
    hidden = hidden_layers(data)
    at = data.sel(layer=hidden)
    last = at["readout"].isel(step=-1).values
    if not np.isfinite(last).any():
        return Unsaid("No layer can be read out, since its responses do not vary.")
    k, highest = int(np.nanargmax(last)), at["readout_control_high"].values
    bound = float(np.nanmax(highest)) if np.isfinite(highest).any() else math.inf
    if not last[k] > bound:
        return Unsaid(
            f"From no layer does a linear read-out classify the tokens better than shuffled labels "
            f"({percent(bound)} at most): the best at the end is {percent(last[k])}, from "
            f"{hidden[k]}."
        )
    return _read_out(data, hidden[k], bound)


def _read_out(data: xr.Dataset, layer: str, bound: float) -> Said:
    cell = data.sel(layer=layer).isel(step=-1)
    best, low, high = (float(cell[f"readout{end}"]) for end in ("", "_low", "_high"))
    before = percent(float(data["readout"].sel(layer=layer)[0]))
    text = (
        f"A linear read-out from {layer} has the highest accuracy at the end, {percent(best)} "
        f"(95 %: {percent(low)} to {percent(high)}); it has {before} at step {int(data['step'][0])}"
    )
    if PIXELS in data["layer"].values:
        text += f", one from the pixels {percent(float(data['readout'].sel(layer=PIXELS)[-1]))}"
    sentence = f"{text}, and one of shuffled labels {percent(bound)} at most."
    return Said(sentence, (Statement(
        "tokens can be read out", layer, sentence, best, "share of exemplars", low, high,
        "95 %, groups of exemplars resampled", "the highest accuracy of shuffled labels, in any "
        "layer and at any step", bound, Where("categories", int(data["step"][-1]), layer),
    ),))  # fmt: skip


def layers_rise(findings: Findings) -> Said | Unsaid:
    """Say where and when token signal rises beyond shuffled tokens and untrained weights."""
    data = findings["measures"]
    found, names = onsets_of(data, LAYER_RISE), [str(name) for name in data["layer"].values]
    if not found:
        return Unsaid("Untrained weights were not recorded, so no rise beyond them can be dated.")
    there, (first, last) = [o for o in found if o.is_found], first_and_last(found)
    if not there:
        return Unsaid("Token signal rises beyond that of untrained weights in no layer.")
    never = [o.name for o in found if o.is_missing]
    rest = f"; it does not rise in {spans(never, names)}" if never else ""
    if first:
        text = f"first in {spans_of(first, names)}, and last in {spans_of(last, names)}"
    else:
        text = f"in {spans_of(there, names)}"
    return Said(f"Token signal rises {text}{rest}.", tuple(_rises(data, o) for o in there))


def _rises(data: xr.Dataset, onset: Onset) -> Statement:
    at = data.sel(layer=onset.name).isel(step=-1)
    bound = max(float(at["layer_threshold"]), float(at["untrained_threshold"]))
    effect = float(at["layer_token_signal"])
    return Statement(
        "a layer stands out", onset.name,
        f"The units of {onset.name} begin to discriminate tokens {onset.when()}: the token signal "
        f"rises beyond that of shuffled tokens and of untrained weights, to {effect:.2f} at the "
        "end.",
        effect, "token signal", onset.confidence_after, onset.confidence_by,
        "steps of the onset, 95 %, groups of exemplars resampled",
        "shuffled tokens, corrected over layers and steps, and untrained weights", bound,
        Where("timeline", int(onset.by), onset.name),
    )  # fmt: skip


def rising_order(findings: Findings) -> Said | Unsaid:
    """Say whether upper or lower layers rise first, by pairs of layers that can be ordered."""
    dated = [o for o in onsets_of(findings["measures"], LAYER_RISE) if not o.from_start]
    both = [(low, high) for k, low in enumerate(dated) for high in dated[k + 1 :]]
    lower = sum(low.precedes(high) for low, high in both)
    upper = sum(high.precedes(low) for low, high in both)
    if not lower + upper:
        return Unsaid("The intervals of all layers overlap, so that their order is not known.")
    which = "Upper layers rise before lower ones" if upper > lower else (
        "Lower layers rise before upper ones" if lower > upper else "Layers rise in no order"
    )  # fmt: skip
    return Said(f"{which} in {max(lower, upper)} of {lower + upper} pairs of layers that are "
                "ordered.")  # fmt: skip


def untrained(findings: Findings) -> Said | Unsaid:
    """Say which layers discriminate tokens before any training."""
    data = findings["measures"]
    names = [str(name) for name in data["layer"].values]
    before = [o.name for o in onsets_of(data, LAYER_SIGNAL) if o.from_start]
    if not before:
        return Unsaid("Before training no layer carries more token signal than shuffled tokens "
                      "give.")  # fmt: skip
    return Said(
        f"Already at step {int(data['step'][0])}, {spans(before, names)} "
        f"carr{'ies' if len(before) == 1 else 'y'} more token signal than shuffled tokens give: "
        "random filters discriminate tokens a little where these differ in colour or layout."
    )


def clusters(findings: Findings) -> Said | Unsaid:
    """Say in which layers training changes token signal beyond chance."""
    data = findings["measures"]
    changed = (data["cluster_p"].sel(cluster_map="change") <= SURE).any("step")
    order = [str(n) for n in data["layer"].values]
    layers = [n for n in order if bool(changed.sel(layer=n))]
    if not layers:
        return Unsaid("Nowhere does training change token signal beyond chance.")
    return Said(f"Training changes token signal beyond chance in {spans(layers, order)}.")


RULES: tuple[Rule, ...] = (
    Rule("separation", "where tokens are separated", separated, ("all tokens are separated",),
         needs={"structure": ("things_by", "separation_low")}),
    Rule("differentiation", "which tokens are separated first", pairs,
         needs={"structure": ("apart_by",)}),
    Rule("trees", "the order of the branches of the token tree", branches,
         ("one branch before another",), needs={"structure": ("split_by", "split_bound")}),
    Rule("exemplars", "which tokens are confused", confused, ("two tokens stay confused",),
         needs={"measures": ("confused",)}),
    Rule("readout", "how well tokens can be read out", read_out, ("tokens can be read out",),
         needs={"structure": ("readout_control_high",)}),
    Rule("onsets", "when layers come to discriminate tokens", layers_rise,
         ("a layer stands out",), needs={"measures": ("kind", "untrained_threshold")}),
    Rule("rising order", "which layers rise first", rising_order, figure="onsets",
         needs={"measures": ("kind",)}),
    Rule("untrained", "what untrained layers discriminate", untrained, figure="onsets",
         needs={"measures": ("kind",)}),
    Rule("clusters", "where training changes token signal", clusters,
         needs={"measures": ("cluster_p",)}),
)  # fmt: skip
