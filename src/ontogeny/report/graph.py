"""The report on coupling: births of edges, assemblies, and how far tokens share units.

May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny.plot.assemblies import (
    assembly_quality,
    assembly_raster,
    edge_births,
    token_sharing,
)
from ontogeny.report import words
from ontogeny.report.figures import Material, Section
from ontogeny.stats.onset import HOLD, onset_interval

_COUPLING = (
    "Coupling: share of a unit's pre-activation variance over exemplars and positions that comes "
    "through one unit of the layer below (functional: it describes which units vary together)."
)


def births(material: Material) -> Section:
    """Draw births of edges beside those of edges that mean nothing."""
    data = material.graph
    figure = Figure(figsize=(9.6, 0.5 * data.sizes["layer"] + 0.8), layout="constrained")
    edge_births(data, ax=figure.subplots())
    hold = int(data.attrs.get("hold", HOLD))
    dated = data.isel(step=slice(1, data.sizes["step"] - hold + 1))
    seen, chance = float(dated["edge_births"].sum()), float(dated["births_chance"].sum())
    burst = (dated["edge_births"] > dated["burst_bound"]).any("step").values
    names = [str(n) for n in data["layer"].values]
    bursts = [n for n, is_so in zip(names, burst, strict=True) if is_so]
    title = (
        f"New couplings appear in bursts in {words.spans(bursts, names)}" if bursts
        else "New couplings appear no more often than by chance, and in no bursts"
        if seen <= chance else "New couplings appear in no bursts beyond chance"
    )  # fmt: skip
    return Section(
        "births", title, figure,
        f"{seen:,.0f} births of couplings are counted; random couplings that change as slowly "
        f"would give {chance:,.0f}. A single new coupling is therefore little evidence; the "
        "figures below show what units do together.",
        f"{_COUPLING} It is born where its size exceeds, for {hold} snapshots in a row, what 99 % "
        "of the couplings into the layer stay below when its weights are permuted.",
        "Grey line: births by chance. A burst (orange) passes two nulls, corrected over snapshots "
        "and layers: chance births of whole sources, and the births of each target shifted in "
        "time.",
    )  # fmt: skip


def assemblies(material: Material) -> Section:
    """Draw which units belong together over steps, and the quality of the grouping."""
    data = material.graph
    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[2.4, 1])
    assembly_raster(data, layer=material.record["layer"].values.astype(str).tolist(), ax=above)
    assembly_quality(data, ax=below)
    last = data.isel(step=-1)
    quality, null = float(data["quality"][-1]), data["quality_null"].values[-1]
    count = int(last["assemblies"])
    return Section(
        "assemblies", _assembly_title(data), figure,
        f"{count} assemblies have lasting names at the end, {int(data['assemblies'].max())} at "
        f"most. Their modularity ends at {quality:.2f}, that of the null between {null.min():.2f} "
        f"and {null.max():.2f}. A small difference means that the groups overlap widely.",
        "Assemblies: communities (Leiden, resolution "
        f"{float(data.attrs.get('assembly_resolution', 2)):g}) of units linked by couplings beyond "
        "permuted weights. Above: one row per unit, a colour is an assembly whose name lasts from "
        "snapshot to snapshot, grey is in none. Below: modularity less the null's mean.",
        "Grey band: 19 graphs in which the couplings of each source are shuffled over its targets, "
        "so that strong sources stay strong and layers stay in order.",
    )  # fmt: skip


def _assembly_title(data: xr.Dataset) -> str:
    """Say from when on groups are more, or less, marked than in the null."""
    null, steps = data["quality_null"].values, data["quality_step"].values
    mean, quality = null.mean(axis=1), data["quality"].values
    for excess, reach, said in (
        (
            quality - mean,
            null.max(axis=1) - mean,
            "Couplings link units into groups more than by chance",
        ),
        (
            mean - quality,
            mean - null.min(axis=1),
            "Couplings link units into groups less than by chance",
        ),
    ):
        after, by = onset_interval(excess, reach, steps)
        if np.isfinite(by):
            when = "from the first snapshot on" if np.isinf(after) else (
                f"beginning between steps {after:,.0f} and {by:,.0f}"
            )  # fmt: skip
            return f"{said} {when}"
    return "Couplings do not link units into groups beyond what strong sources alone give"


def _before(data: xr.Dataset, beyond: xr.DataArray) -> str:
    """Say whether as many layers were beyond chance at the first snapshot."""
    first = data.isel(step=0, layer=slice(0, -1))
    outside = first["layer_sharing"] > first["sharing_high"]
    outside |= first["layer_sharing"] < first["sharing_low"]
    return ", as before training" if bool((outside | ~beyond).all()) else ""


def sharing(material: Material) -> Section:
    """Draw how far tokens share the units of each layer."""
    data = material.graph
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    token_sharing(data, ax=figure.subplots())
    names = [str(n) for n in data["layer"].values]
    last = data.isel(step=-1, layer=slice(0, -1))
    own = last["layer_sharing"] < last["sharing_low"]
    common = last["layer_sharing"] > last["sharing_high"]
    parts = [
        f"{said} {words.spans([str(n) for n in at['layer'].values[at.values]], names)}"
        for said, at in (("share units in", common), ("have units of their own in", own))
        if at.any()
    ]
    ends = last["layer_sharing"]
    lowest, highest = str(ends.idxmin("layer").values), str(ends.idxmax("layer").values)
    return Section(
        "sharing",
        f"At the end tokens {' and '.join(parts)}, beyond chance{_before(data, common | own)}"
        if parts else "At the end tokens share units as much as by chance", figure,
        f"Sharing index at the end: {float(ends.min()):.2f} in {lowest} to {float(ends.max()):.2f} "
        f"in {highest}. Where it is high, what distinguishes the tokens passes through the same "
        "units, and few units belong to one token only.",
        "What distinguishes a token at its logit is followed back by contrast share; the sharing "
        "index is the entropy of the units' flow over tokens, mean of the layer's units weighed "
        "by flow: 0 where each token has units of its own, 1 where all tokens use the same units.",
        "Each token's flow shuffled over the layer's units: a dot marks cells above 97.5 % of the "
        "shuffles, a bar cells below 2.5 % (not corrected).",
    )  # fmt: skip


SECTIONS: dict[str, Callable[[Material], Section]] = {
    "births of couplings": births,
    "assemblies": assemblies,
    "sharing of units": sharing,
}
