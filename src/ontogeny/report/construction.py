"""The report on construction: where and when, what the gain is made of, what builds on what.

Titles are what the rules of `ontogeny.statements.construction` say. May import matplotlib, numpy,
xarray, ontogeny.plot and below; no torch.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny import plot
from ontogeny.errors import InputError
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.statements import construction as rules

_DEALT = (
    "A recombination of a unit has the same parents, weights and bias, with the weights shuffled "
    "over sources and positions of the kernel."
)
_CONSTRUCTED = (
    f"{_DEALT} A unit is constructed where its selectivity (eta squared over tokens, exemplars "
    "that score) is reached by none of {deals} recombinations: p = .05."
)


def constructed(material: Material) -> Section:
    """Draw the share of constructed units of each layer over snapshots."""
    data = material.gains
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    plot.constructed(data, figure.subplots())
    said = material.said["construction order"].sentence
    return Section(
        "constructed", material.said["constructed"].sentence, figure,
        f"{said}\n{_kinds(data)}".rstrip(),
        _CONSTRUCTED.format(deals=data.attrs["deals"]) + " Shares are of all units of a layer.",
        "Pale: at most the 5 % of units that chance gives; red on the colour bar: mean of the "
        "layers at step 0. A frame marks shares beyond those of every shuffle in every layer, and "
        "beyond 5 % and step 0 by 95 % intervals (folds of exemplar groups left out in turn).",
    )  # fmt: skip


def _kinds(data: xr.Dataset) -> str:
    """Say how many of the units that combine had been constructed before; "" where none does."""
    before = data["selected_before"].values
    known = before[np.isfinite(before)]
    if not len(known):
        return ""
    return (
        f"Of the {len(known)} units that combine at the end, in all layers, {int(known.sum())} "
        "were constructed, but not shown to be beyond their best parent, at the snapshot before; "
        "the others inherited then. That selection comes before combination is not shown by this: "
        "to be beyond the best parent takes more."
    )


def gain_parts(material: Material) -> Section:
    """Draw what each layer's selectivity is made of before training and at the end."""
    data = material.gains
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    steps = data["step"].values[np.isfinite(data["gain_mean"].values).any(axis=1)]
    axes = figure.subplots(1, 2, sharey=True)
    for ax, step in zip(axes, (steps[0], steps[-1]), strict=True):
        plot.gain_parts(data, int(step), ax)
        ax.set_title(f"step {step:,}", loc="right", fontsize=9)
        ax.tick_params(axis="x", labelrotation=40)
    for text in list(axes[1].texts):
        text.remove()
    axes[1].set_ylabel("")
    return Section(
        "gain_parts", material.said["rectified"].sentence, figure,
        material.said["top layer"].sentence,
        f"{_DEALT} Inherited: mean selectivity of recombinations. Gain: own selectivity less that; "
        "of pre-activations: the same of the mean before the nonlinearity; by rectification: the "
        "rest of the gain. Bars are means over units that are not inactive; lines: 95 % of the "
        "whole gain, units resampled.",
        "Recombinations of the same parents: without construction the gain is 0, as nearly at step "
        "0.",
    )  # fmt: skip


def building(material: Material) -> Section:
    """Draw how much more units add to ancestors as they are than to recombined ones."""
    data = material.gains
    figure = Figure(figsize=(9.6, 3.2), layout="constrained")
    axes = figure.subplots(1, data.sizes["depth"], squeeze=False, sharey=True)[0]
    for ax, depth in zip(axes, data["depth"].values, strict=True):
        plot.building(data, int(depth), ax)
        ax.tick_params(axis="x", labelrotation=40)
    for text in (text for ax in axes[1:] for text in list(ax.texts)):
        text.remove()
    seen = "Left: weights into the layer below shuffled; right: into the layer two below."
    return Section(
        "building", material.said["building"].sentence, figure, seen,
        "B: what units add to ancestors as they are, less what they add to ancestors whose own "
        "weights are shuffled, in eta squared over tokens, mean of units; what they add: own "
        "selectivity less that of recombinations. Lines: 95 %, folds of exemplar groups left out.",
        "Step 0: eta squared is skew, so that 0 is the null only nearly. Filled: risen since then, "
        "corrected over layers and depths, over exemplar groups and over units. B says that wiring "
        "fits these ancestors, not that these were first.",
    )  # fmt: skip


def families(material: Material) -> Section:
    """Draw what the strongest combining units and their parents discriminate."""
    findings, said = material.findings, material.said["combining"]
    data = material.gains
    rows = []
    for unit in rules.strongest(findings):
        known = [one for one in rules.parents(findings, unit) if one in data["unit"].values]
        rows.append((str(data["unit"].values[unit]), known))
    if not rows:
        raise InputError(said.sentence.rstrip("."))
    heights = [1 + len(known) for _, known in rows]
    figure = Figure(
        figsize=(9.6, 0.27 * sum(heights) + 0.3 * len(rows) + 1.4), layout="constrained"
    )
    axes = figure.subplots(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for k, (ax, (name, known)) in enumerate(zip(axes, rows, strict=True)):
        plot.detector_family(data, name, known, ax)
        if k < len(rows) - 1:
            ax.tick_params(labelbottom=False)
    return Section(
        "families", said.sentence, figure,
        "Each block: the unit that combines (first row), its best parent, and parents that add "
        "most to it where parents stand out. A column is what exemplars have or lack; other names "
        "of the same parting stand in the sentence.",
        "Eta squared of the mean activation between exemplars with and without a feature. A parent "
        "adds what the unit's selectivity loses when the parent's kernel slice is drawn anew from "
        "the other weights into the unit.",
        "Of the unit: the largest gain that any shuffle has in its layer. Of parents: the 19 "
        "parents of the same unit nearest in amplitude; chance gives 1 of 20.",
    )  # fmt: skip


FIGURES: tuple[Shown, ...] = (
    Shown("constructed", "Construction", "constructed units", constructed),
    Shown("gain_parts", "Construction", "parts of the gain", gain_parts),
    Shown("building", "Construction", "building on what was built", building),
    Shown("families", "Construction", "detectors and their parents", families),
)
