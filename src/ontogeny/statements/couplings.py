"""Rules on the coupling graph: single couplings, bursts of births, groups, sharing of units.

No single coupling is named, only how many there are beyond permuted weights. Rules select what is
stored, compare it with its bound and put it into words. May import numpy, xarray and
ontogeny.measure.
"""

import math
from typing import cast

import numpy as np
import xarray as xr

from ontogeny.measure.couplings.carrying import LATEST
from ontogeny.statements.findings import Findings
from ontogeny.statements.onsets import between
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where
from ontogeny.statements.words import percent, spans

_UNTESTED = "fewer than two units are coupled to a hidden layer below"


def births(findings: Findings) -> Said | Unsaid:
    """Say of each layer at which snapshot more edges into it are born than chance gives."""
    data = _of(findings)
    hold = int(data.attrs.get("hold", LATEST))
    if data.sizes["step"] < hold + 2:
        return Unsaid("Whether new couplings appear in bursts is not known: the record holds "
                      f"fewer than {hold + 2} snapshots.")  # fmt: skip
    names, step = data["layer"].values.astype(str).tolist(), data["burst_step"].values
    bursts = [name for name, at in zip(names, step, strict=True) if np.isfinite(at)]
    if not bursts:
        return Unsaid("New couplings appear in no bursts beyond chance.")
    return Said(
        f"New couplings appear in bursts in {spans(bursts, names)}.",
        tuple(_burst(data.sel(layer=name), name) for name in bursts),
    )


def _burst(at: xr.Dataset, layer: str) -> Statement:
    step = int(at["burst_step"])
    then = at.sel(step=step)
    count = int(then["edge_births"])
    return Statement(
        "a burst of new couplings", layer,
        f"At step {step:,} {count:,} couplings into {layer} exceed those of permuted "
        f"weights for the first time, where chance gives {float(then['births_chance']):,.0f}.",
        float(count), "couplings", float(at["burst_low"]), float(at["burst_high"]),
        "95 %, target units resampled",
        "chance births of whole sources, and the births of each target shifted in "
        "time", float(then["burst_bound"]),
        Where("construction", step, layer),
    )  # fmt: skip


def single_couplings(findings: Findings) -> Said | Unsaid:
    """Say whether more edges, or no more, stand out from permuted weights than chance gives."""
    data = _of(findings)
    share, low, high, chance = (float(data[f"beyond{end}"])
                                for end in ("", "_low", "_high", "_chance"))  # fmt: skip
    if not math.isfinite(share):
        return Unsaid(f"Whether single couplings stand out is not known: {_UNTESTED}.")
    start = (
        f"Of the couplings between hidden layers {100 * share:.2g} % exceed a bound that "
        f"{percent(chance)} exceed when weights are permuted:"
    )
    null = f"each layer's weights permuted: {percent(chance)} of couplings exceed the bound"
    how, where = "95 %, target units resampled", Where("construction", int(data["step"][-1]))
    if low > chance:
        one = Statement(
            "couplings stand out", "couplings",
            f"{start} some units depend on single units below them.",
            share, "share of couplings", low, high, how, null, chance, where,
        )  # fmt: skip
    elif high <= chance and share > 0:
        one = Statement(
            "no single coupling stands out", "couplings", f"{start} no single coupling stands "
            "out, so that any structure lies in many weak couplings together.",
            chance / share, "times fewer than by chance", chance / high,
            chance / low if low > 0 else math.inf, how, null, 1.0, where,
        )  # fmt: skip
    else:
        return Unsaid(f"{start} single couplings are not shown to stand out, nor to stand back.")
    return Said(one.text, (one,))


def assemblies(findings: Findings) -> Said | Unsaid:
    """Say from when on couplings form more groups than strong sources alone give.

    That they form fewer is no statement: where every target divides one variance among its sources
    it has more even couplings than shuffled ones, and in a quarter of records of noise the quality
    lies below all graphs of the null.
    """
    at = _of(findings).sel(side="above")
    after, by = float(at["grouping_after"]), float(at["grouping_by"])
    if not np.isfinite(by):
        return Unsaid("Couplings are not shown to link units into groups more than strong sources "
                      "alone do.")  # fmt: skip
    since, lead = f"beginning {between(after, by)}", f"Beginning {between(after, by)},"
    if np.isinf(after):
        since, lead = "from the first snapshot on", "From the first snapshot on"
    said = f"{lead} couplings link units into groups (assemblies) more than strong sources alone"
    return Said(
        f"Couplings link units into groups more than by chance {since}.",
        (_grouped(at, "couplings form assemblies", f"{said} do"),),
    )


def _grouped(at: xr.Dataset, kind: str, start: str) -> Statement:
    quality = float(at["quality"][-1])
    null = quality - float(at["quality_excess"][-1])
    return Statement(
        kind, "assemblies",
        f"{start}; the modularity at the end is {quality:.2f}, and that of the null {null:.2f}.",
        float(at["grouping"]), "modularity", float(at["grouping_low"]),
        float(at["grouping_high"]),
        f"from the nearest to the farthest of {at.sizes['shuffle']} graphs of the null",
        "each source's couplings shuffled over its targets: outside all such graphs at every "
        "snapshot to the end", float(at["grouping_bound"]),
        Where("construction", int(at["grouping_by"])),
    )  # fmt: skip


def sharing(findings: Findings) -> Said | Unsaid:
    """Say in which layers tokens share units at the end, and where sharing turns."""
    data = _of(findings)
    names = data["layer"].values.astype(str)[:-1].tolist()
    ends = [one for name in names for one in _shared_at_end(data.sel(layer=name), name)]
    turns = [one for name in names for one in _turn(data.sel(layer=name), name)]
    parts = [_at_the_end(data, ends)] if ends else []
    for ways in ("rises and falls", "falls and rises"):
        mine = [one.subject for one in turns if one.kind == f"sharing {ways}"]
        parts += [f"The sharing index {ways} in {spans(mine, names)}."] if mine else []
    if parts:
        return Said(" ".join(parts), (*ends, *turns))
    return Unsaid(
        "At the end tokens are not shown to share units more, or less, than by chance in any layer."
    )


_SHARED = {
    "tokens share units": (1, "the same units", "share units in"),
    "tokens have units of their own": (-1, "units of their own", "have units of their own in"),
}
"""Kind of statement -> side of the null, words of the statement, words of the sentence."""


def _shared_at_end(at: xr.Dataset, layer: str) -> list[Statement]:
    """Say whether a layer's sharing index is beyond its bound at each of the last snapshots."""
    value, chance, bound = (at[name].values for name in
                            ("layer_sharing", "sharing_chance", "sharing_bound"))  # fmt: skip
    half = float(at["sharing_high"][-1] - at["sharing_low"][-1]) / 2
    found = []
    for kind, (sign, words, _) in _SHARED.items():
        off = sign * (value - chance)
        if not (off > bound)[-LATEST:].all():
            continue
        found.append(Statement(
            kind, layer,
            f"What distinguishes the tokens passes through {words} in {layer}: the sharing "
            f"index is {value[-1]:.2f}, where shuffled units give {chance[-1]:.2f}; it was "
            f"{value[0]:.2f} at step {int(at['step'][0])}.",
            float(off[-1]), "sharing index", float(off[-1]) - half, float(off[-1]) + half,
            "95 % of shuffles", "each token's flow shuffled over units, corrected over "
            f"layers, at the last {LATEST} snapshots", float(bound[-1]),
            Where("construction", int(at["step"][-1]), layer),
        ))  # fmt: skip
    return found


def _at_the_end(data: xr.Dataset, ends: list[Statement]) -> str:
    """Say in which layers tokens share units, and whether they did before training."""
    names, parts, first = data["layer"].values.astype(str).tolist(), [], data.isel(step=0)
    as_before = int(first["step"]) == 0
    for kind, (sign, _, words) in _SHARED.items():
        mine = [one.subject for one in ends if one.kind == kind]
        if mine:
            parts.append(f"{words} {spans(mine, names)}")
            at = first.sel(layer=mine)
            off = sign * (at["layer_sharing"] - at["sharing_chance"])
            as_before &= bool((off > at["sharing_bound"]).all())
    before = ", as before training" if as_before else ""
    return f"At the end tokens {' and '.join(parts)}, beyond chance{before}."


def _turn(at: xr.Dataset, layer: str) -> list[Statement]:
    """Say whether a layer's sharing index rises and falls, or falls and rises, beyond chance."""
    effect, reach, bound = (float(at[f"turn{end}"]) for end in ("", "_reach", "_bound"))
    if not effect > bound:
        return []
    ways = ("rises", "falls") if float(at["turn_sign"]) > 0 else ("falls", "rises")
    value, step = at["layer_sharing"], int(at["turn_step"])
    return [Statement(
        f"sharing {ways[0]} and {ways[1]}", layer,
        f"The sharing index of {layer} {ways[0]} from {float(value[0]):.2f} to "
        f"{float(value.sel(step=step)):.2f} at step {step:,} and {ways[1]} to "
        f"{float(value[-1]):.2f} by the end (0: every token has units of its own; 1: all tokens "
        "use the same units).",
        effect, "sharing index, the smaller of both changes", effect - reach, effect + reach,
        "95 % of shuffles of each token's flow over units",
        "each token's flow shuffled over units, corrected over layers and snapshots",
        bound, Where("construction", step, layer),
    )]  # fmt: skip


def _of(findings: Findings) -> xr.Dataset:
    """Return the graph's measures, which every rule here needs."""
    return cast(xr.Dataset, findings.graph)


RULES: tuple[Rule, ...] = (
    Rule(
        "births", "whether new couplings appear in bursts", births,
        ("a burst of new couplings",),
        needs={"graph": ("edge_births", "births_chance", "burst_bound", "burst_step")},
    ),
    Rule(
        "single_couplings", "whether single couplings stand out", single_couplings,
        ("couplings stand out", "no single coupling stands out"), "births",
        needs={"graph": ("beyond", "beyond_chance")},
    ),
    Rule(
        "assemblies", "whether couplings link units into groups", assemblies,
        ("couplings form assemblies",),
        needs={"graph": ("quality", "quality_null", "grouping_by")},
    ),
    Rule(
        "sharing", "how far tokens share units", sharing,
        ("sharing rises and falls", "sharing falls and rises", *_SHARED),
        needs={"graph": ("layer_sharing", "sharing_bound", "turn")},
    ),
)  # fmt: skip
