"""Rules on learning curves and on the development as a whole.

May import numpy, xarray, ontogeny.measure and ontogeny.statements.
"""

import math
from itertools import permutations

import numpy as np

from ontogeny.measure.categories.layers import last_hidden
from ontogeny.measure.learning.curves import TOKEN
from ontogeny.statements.findings import Findings
from ontogeny.statements.onsets import ENDS, Onset, first_and_last, onsets_of, span
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where
from ontogeny.statements.words import count, listed, percent

RARELY = 0.05
"""Chance with which a null passes a bound, over all that is tested of one kind."""


def learnt(findings: Findings) -> Said | Unsaid:
    """Say how well held-out exemplars are classified at the end, against guessing."""
    data, last = findings["measures"], int(findings.record["step"][-1])
    share, low, high = (float(data[f"learnt{end}"]) for end in ("", "_low", "_high"))
    bound, n = float(data["chance_high"]), count(data.sizes["token"])
    train = float(data["accuracy"].isel(step=-1).sel(split="train"))
    text = (
        f"it classifies {percent(share)} of the held-out exemplars correctly (95 %: {percent(low)} "
        f"to {percent(high)}), where guessing gives {percent(float(data['chance']))}, and "
        f"{percent(train)} of the training exemplars"
    )
    if "holdout_accuracy" in data:
        second = percent(float(data["holdout_accuracy"][-1]))
        text += f"; it classifies {second} of the second probe correctly"
    if not low > bound:
        return Unsaid(
            f"The network did not learn to classify the {n} tokens beyond chance: {text}."
        )
    sentence = f"The network learnt to classify the {n} tokens: {text}."
    return Said(sentence, (Statement(
        "the tokens are learnt", "all tokens", sentence, share, "share of exemplars", low, high,
        "95 %, Wilson; a group of exemplars counts once",
        "guessing the most frequent token, 97.5 % of such accuracies", bound,
        Where("timeline", last),
    ),))  # fmt: skip


def classified(findings: Findings) -> Said | Unsaid:
    """Say from when on each token is classified better than chance, and which before which."""
    found = onsets_of(findings["measures"], TOKEN)
    there, (first, last) = [o for o in found if o.is_found], first_and_last(found)
    start = [o.name for o in found if o.from_start]
    never = [o.name for o in found if o.is_missing]
    if not start and not there:
        return Unsaid("The network is not shown to classify any token better than chance by the "
                      "end.")  # fmt: skip
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
    each = [_classified(findings, onset) for onset in there]
    ordered = [_before(a, b) for a, b in permutations(there, 2) if a.precedes(b)]
    return Said(f"The network {'; it '.join(parts)}.", (*each, *ordered))


def _classified(findings: Findings, onset: Onset) -> Statement:
    at = findings["measures"].sel(token=onset.name).isel(step=-1)
    accuracy = percent(float(at["token_accuracy"].sel(split="probe")))
    return Statement(
        "a token is classified", onset.name,
        f"The network begins to classify {onset.name} better than chance {onset.when()}; at the "
        f"end it classifies {accuracy} of the held-out exemplars of {onset.name} correctly.",
        float(at["token_margin"]), "accuracy less the token's share of all classifications",
        onset.confidence_after, onset.confidence_by,
        "steps of the onset, 95 %, groups of exemplars resampled",
        "shuffled tokens, corrected over tokens and steps", float(at["margin_threshold"]),
        Where("timeline", int(onset.by), token=onset.name),
    )  # fmt: skip


def _before(first: Onset, second: Onset) -> Statement:
    late, low, high = first.times_before(second)
    return Statement(
        "one token before another", f"{first.name} before {second.name}",
        f"The network begins to classify {first.name} better than chance {first.when()}, and "
        f"{second.name} {second.when()}, after {late:.1f} times as many steps.",
        late, "ratio of steps", low, high, "from the ends of both 95 % intervals",
        "intervals that overlap are not ordered", 1.0,
        Where("timeline", int(second.by), token=second.name),
    )  # fmt: skip


def memorised(findings: Findings) -> Said | Unsaid:
    """Say whether held-out loss rises again after its lowest step."""
    data = findings["measures"]
    rise, low, high, bound, at = (
        float(data[f"memorised{end}"]) for end in ("", "_low", "_high", "_bound", "_step")
    )
    if not low > 0:
        return Unsaid("The loss of held-out exemplars is not shown to rise after its lowest step.")
    sentence = (
        f"The network memorises its training exemplars from step {at:,.0f} on: the loss of "
        f"held-out exemplars rises by {rise:.2f} nat per exemplar until the end."
    )
    return Said(sentence, (Statement(
        "memorising", "held-out loss", sentence, rise, "nat", low, high,
        "95 %, groups of exemplars resampled", "no rise on exemplars that did not choose the step",
        bound, Where("timeline", int(at)),
    ),))  # fmt: skip


def phases(findings: Findings) -> Said | Unsaid:
    """Say where phases of the whole development begin, if it has phases at all."""
    data = findings["structure"]
    begins, p = np.flatnonzero(data["phase"].values == 1), float(data["phase_p"])
    names = f"loss and measures of {last_hidden(data)}"
    if not len(begins) or not p <= RARELY:
        return Unsaid(f"The {names} show no phases beyond those of a steady drift.")
    steps, n = data["step"].values, data.sizes["phase_measure"]
    ends = [(float(data["phase_first"][k]), float(data["phase_last"][k])) for k in begins]
    places = [f"{steps[k]:,}" + (f" ({low:,.0f} to {high:,.0f})" if low < high else "")
              for k, (low, high) in zip(begins, ends, strict=True)]  # fmt: skip
    return Said(
        f"The {names} change their course together at step{'s' if len(places) > 1 else ''} "
        f"{listed(places)} (in brackets: the steps found when one of them is left out; p = {p:.2g} "
        "for phases).",
        tuple(Statement(
            "a phase begins", f"phase {place + 2}",
            f"A phase of the development begins at about step {int(steps[k]):,}: {n} measures "
            "change their course together there.",
            RARELY / p, "times below a p value of 5 %", *ends[place],
            "steps to which the beginning moves when one measure is left out",
            "the increments of all measures together, shuffled over the snapshots", 1.0,
            Where("timeline", int(steps[k])),
        ) for place, k in enumerate(begins)),
    )  # fmt: skip


def clones(findings: Findings) -> Said | Unsaid:
    """Say from when on more than means and covariances of the images is used."""
    data = findings["structure"]
    onset = Onset("gap", *(float(data[f"clone_gap_{end}"]) for end in ENDS))
    last = data.isel(step=-1)
    gap, low, high = (float(last[f"clone_gap{end}"]) for end in ("", "_low", "_high"))
    if math.isnan(gap):
        return Unsaid("Whether the network uses more than means and covariances of pixels is "
                      "unknown: there is no accuracy on Gaussian clones.")  # fmt: skip
    real, clone = (percent(float(last[n])) for n in ("real_accuracy", "clone_accuracy"))
    ends = (
        f"at the end {real} and {clone}, 95 % of the difference: {100 * low:+.1f} to "
        f"{100 * high:+.1f} points"
    )
    if onset.is_missing or not low > 0:
        return Unsaid(
            "The network does not surely classify real exemplars better than their Gaussian clones "
            f"({ends}): means and covariances of pixels may be all that it uses."
        )
    begins = "classifies" if onset.from_start else "begins to classify"
    when = onset.when() if onset.from_start else span([onset])
    sentence = (
        f"The network {begins} real exemplars better than their Gaussian clones {when}: it uses "
        f"more than means and covariances of pixels ({ends})."
    )
    return Said(sentence, (Statement(
        "more than means and covariances", "Gaussian clones", sentence, gap, "share of exemplars",
        low, high, "95 % (Newcombe)", "no difference: it stays above 0 to the end", gap - low,
        Where("timeline", int(onset.by)),
    ),))  # fmt: skip


RULES: tuple[Rule, ...] = (
    Rule("learning", "how well tokens are classified", learnt, ("the tokens are learnt",),
         needs={"measures": ("learnt", "chance_high")}),
    Rule("tokens", "from when on tokens are classified", classified,
         ("a token is classified", "one token before another"), needs={"measures": ("kind",)}),
    Rule("memorising", "whether training exemplars are memorised", memorised, ("memorising",),
         figure="learning", needs={"measures": ("memorised",)}),
    Rule("phases", "whether the development has phases", phases, ("a phase begins",),
         figure="likeness", needs={"structure": ("phase_p",)}),
    Rule("clones", "whether more than means and covariances is used", clones,
         ("more than means and covariances",), needs={"structure": ("clone_gap_by",)}),
)  # fmt: skip
