"""The report on coupling: births of edges, assemblies, and how far tokens share units.

Titles are what the rules of `ontogeny.statements.couplings` say. May import matplotlib,
ontogeny.plot, ontogeny.stats and below; no torch.
"""

from matplotlib.figure import Figure

from ontogeny.plot.assemblies import (
    assembly_quality,
    assembly_raster,
    edge_births,
    token_sharing,
)
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.stats.onset import HOLD

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
    return Section(
        "births", material.said["births"].sentence, figure,
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
        "assemblies", material.said["assemblies"].sentence, figure,
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


def sharing(material: Material) -> Section:
    """Draw how far tokens share the units of each layer."""
    data = material.graph
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    token_sharing(data, ax=figure.subplots())
    ends = data["layer_sharing"].isel(step=-1, layer=slice(0, -1))
    lowest, highest = str(ends.idxmin("layer").values), str(ends.idxmax("layer").values)
    return Section(
        "sharing", material.said["sharing"].sentence, figure,
        f"Sharing index at the end: {float(ends.min()):.2f} in {lowest} to {float(ends.max()):.2f} "
        f"in {highest}. Where it is high, what distinguishes the tokens passes through the same "
        "units, and few units belong to one token only.",
        "What distinguishes a token at its logit is followed back by contrast share; the sharing "
        "index is the entropy of the units' flow over tokens, mean of the layer's units weighed "
        "by flow: 0 where each token has units of its own, 1 where all tokens use the same units.",
        "Each token's flow shuffled over the layer's units: a dot marks cells above 97.5 % of the "
        "shuffles, a bar cells below 2.5 % (not corrected; the title's claim is, over layers, and "
        "holds at the last snapshots).",
    )  # fmt: skip


FIGURES: tuple[Shown, ...] = (
    Shown("births", "Couplings", "births of couplings", births),
    Shown("assemblies", "Couplings", "assemblies", assemblies),
    Shown("sharing", "Couplings", "sharing of units", sharing),
)
