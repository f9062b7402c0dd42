"""The report on what layers represent: maps, read-out, compactness, distances, late exemplars.

Figures of `ontogeny.measure.structure`. May import matplotlib, numpy, xarray, ontogeny.plot,
ontogeny.measure and below; no torch.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ontogeny import plot
from ontogeny.measure.categories.layers import PIXELS, last_hidden
from ontogeny.measure.probe import require
from ontogeny.plot import categories as draw
from ontogeny.plot import style
from ontogeny.report.figures import Material, Section
from ontogeny.statements.words import percent


def collapse(material: Material) -> Section:
    """Draw NC1 to NC4, each beside its null."""
    found = material.structure
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    layer = last_hidden(found)
    ratios = (found["nc1"] / found["nc1_null"]).transpose("step", "layer")
    draw.layer_lines(ratios.copy(data=np.log10(ratios.values)), left,
                     y="log10 of NC1 over its null")  # fmt: skip
    left.axhline(0, color=style.FAINT, linewidth=0.8)
    _others(found.sel(layer=layer), right)
    at = found.sel(layer=layer).isel(step=-1)
    ratio = float(at["nc1"] / at["nc1_null"])
    law = found.isel(step=-1)
    seen = (
        f"At the end NC1 of {layer} is {float(at['nc1']):.3g}, {ratio:.2g} of what shuffled tokens "
        f"give. Over the layers ln D falls by {-float(law['law_slope']):.2f} a layer (correlation "
        f"{float(law['law_correlation']):.2f}; at step 0 {float(found['law_correlation'][0]):.2f})."
    )
    return Section(
        "collapse", material.said["collapse"].sentence, figure, seen,
        "NC1 is the within-token over the between-token variability, tr(S_W S_B^+) / tokens. "
        f"Right, for {layer}: NC2, how far cosines between token means are from a simplex; NC3, "
        "distance of the read-out's weights from the token means (1.41 is unrelated); NC4, share "
        "of held-out exemplars that the network classifies unlike the nearest token mean. All "
        "are 0 in complete collapse (Papyan, Han & Donoho 2020). The law of separation (He & Su "
        "2023) says that ln D, D = tr(S_W S_B^+), falls along a line over layers: correlation -1.",
        "Left: 0 is the mean of 4 shuffles of tokens over groups at that layer and step, since NC1 "
        "falls with a layer's width alone. Right: grey is NC2 of shuffled tokens.",
    )  # fmt: skip


def _others(at: xr.Dataset, ax: Axes) -> None:
    """Draw NC2, NC3 and NC4 of one layer."""
    style.new_axes(ax)
    steps = at["step"].values
    style.step_axis(ax, steps)
    style.null_band(ax, steps, 0.0, at["nc2_angle_null"].values)
    ends = []
    for k, name in enumerate(("nc2_angle", "nc3", "nc4")):
        if name in at and np.isfinite(at[name].values).any():
            ax.plot(steps, at[name].values, color=plot.token_colour(k), linewidth=1.3)
            ends.append((float(at[name].values[-1]), name.partition("_")[0].upper(),
                         plot.token_colour(k)))  # fmt: skip
    ax.set_ylim(bottom=0)
    style.label_ends(ax, ends, gap=0.08)


def readout(material: Material) -> Section:
    """Draw how well a linear read-out classifies from every layer, full and few-shot."""
    found = material.structure
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    control = found["readout_control"]
    band = float(control.min()), float(found["readout_control_high"].max())
    draw.layer_lines(found["readout"], left, y="held-out accuracy", null=band, null_label="control")
    draw.layer_lines(found["readout_few"], right, null=band, null_label="control")
    for ax, title in ((left, "all other exemplars"), (right, "5 exemplars of each token")):
        ax.set_title(title, loc="left", fontsize=style.TEXT)
        ax.set_xlabel("step")
    end = found["readout_few"].isel(step=-1)
    best = str(end["layer"].values[int(np.nan_to_num(end.values, nan=-1).argmax())])
    seen = f"With 5 exemplars of each token, the read-out from {best} is the best at the end, "
    seen += f"{percent(float(end.max()))}."
    if "readout_factor" in found:
        seen += f" {material.said['kept factors'].sentence}"
    return Section(
        "readout", material.said["readout"].sentence, figure, seen,
        "Accuracy of a ridge regression from a layer's responses to the tokens on exemplars it has "
        "not seen (5 folds, groups whole), each token weighing the same; right, one that has seen "
        "5 exemplars of each token, mean of 20 draws. What can be read out need not be used.",
        "Grey: the same read-out of tokens that were shuffled over groups of exemplars (10 "
        "shuffles, lowest mean to highest). Step 0 is the untrained network, dashed the pixels.",
    )  # fmt: skip


def distances(material: Material) -> Section:
    """Draw token-by-token distances of a few layers and steps."""
    found = material.structure
    layers, steps = some_layers(found), some_of(found["step"].values, 6)
    shown = found["crossnobis"].sel(layer=layers, step=steps)
    figure = Figure(figsize=(9.6, 1.3 * len(layers) + 0.6), layout="constrained")
    draw.rdm_grid(shown, figure.subplots(len(layers), len(steps), squeeze=False))
    rank = found["rsa_token"].isel(step=-1)
    hidden = [n for n in found["layer"].values.tolist() if n not in {PIXELS, "logits"}]
    best = str(rank.sel(layer=hidden).idxmax("layer").values)
    before = found["rsa_token"].sel(layer=best)[0]
    seen = (
        f"The correlation with tokens is highest in {best}: {float(rank.sel(layer=best)):.2f} at "
        f"the end, {float(before):.2f} before training."
    )
    return Section(
        "distances", material.said["distances"].sentence, figure, seen,
        "Root of the cross-validated squared Mahalanobis distance of two tokens per unit "
        "(crossnobis), in standard deviations within tokens; dark is 0, the number on the right is "
        "a row's brightest. Rank correlations: Spearman, squared Euclidean distances of at most 30 "
        "exemplars of each token with the model in which different tokens are equally far apart.",
        "Cross-validated distances are 0 on average where tokens do not differ; what is below 0 is "
        "drawn as 0.",
    )  # fmt: skip


def maps(material: Material) -> Section:
    """Draw maps of the exemplars, layers by steps."""
    found = material.structure
    layers, steps = some_layers(found), some_of(found["map_step"].values, 6)
    shown = found[["map", "trustworthiness", "jitter"]].sel(layer=layers, map_step=steps)
    names = material.tokens
    figure = Figure(figsize=(9.6, 1.5 * len(layers) + 0.8), layout="constrained", dpi=150)
    draw.token_key(figure, names)
    axes = figure.subplots(len(layers), len(steps), squeeze=False)
    draw.map_grid(shown, tokens_of(material, found), axes)
    trust, floor = found["trustworthiness"], found["trustworthiness_pca"]
    return Section(
        "maps", material.said["maps"].sentence, figure,
        f"Neighbourhoods are kept with a trustworthiness of {float(trust.min()):.2f} to "
        f"{float(trust.max()):.2f} (the number in each map); a plain linear map keeps "
        f"{float(floor.min()):.2f} to {float(floor.max()):.2f}. Beyond what moves in the layer an "
        f"exemplar moves by {float(found['jitter'].median()):.2f} radii from frame to frame "
        "(median).",
        "Each point is a held-out exemplar; neighbours in the layer are neighbours on the map "
        "(t-SNE, the frames of a layer fitted together so that they can be compared). Closeness "
        "means neighbourhood; distances between groups and their sizes mean little.",
        "Trustworthiness is about 0.5 for a random map. The method makes small clumps of two to "
        "five exemplars from noise as well.",
    )  # fmt: skip


def dimension(material: Material) -> Section:
    """Draw how many dimensions exemplars fill."""
    found = material.structure
    figure = Figure(figsize=(9.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw.layer_lines(found["participation_ratio"], left, y="participation ratio")
    draw.layer_lines(found["two_nn"], right, y="intrinsic dimension (TwoNN)")
    for ax in (left, right):
        ax.set_yscale("log")
        ticks = [
            t for t in (1, 2, 3, 5, 10, 20, 50, 100) if ax.get_ylim()[0] <= t <= ax.get_ylim()[1]
        ]
        ax.set_yticks(ticks, [str(t) for t in ticks])
        ax.minorticks_off()
        ax.set_xlabel("step")
        _relabel(ax, found["layer"].values.tolist())
    layer = last_hidden(found)
    within = found["participation_ratio_within"].sel(layer=layer)
    return Section(
        "dimension", material.said["dimension"].sentence, figure,
        f"Within tokens {layer} has {float(within[0]):.1f} dimensions at the start and "
        f"{float(within[-1]):.1f} at the end.",
        "Participation ratio: tr(S)^2 / tr(S^2) of the covariance S of held-out exemplars, both "
        "without small-sample bias: how many directions share the variance. TwoNN: dimension from "
        "the ratio of the distances to the two nearest neighbours of other groups, biased "
        "downwards where it is high.",
        "The dashed line is that of the images themselves, step 0 that of untrained weights. So "
        "many tokens at the corners of a simplex fill one dimension less than there are.",
    )  # fmt: skip


def _relabel(ax: Axes, layers: list[str]) -> None:
    """Write the layers' names again where the axis has changed."""
    colours = draw.layer_colours(layers)
    ends = [(float(np.asarray(line.get_ydata())[-1]), name, colours[name])
            for line, name in zip(ax.lines, layers, strict=False)]  # fmt: skip
    for text in list(ax.texts):
        text.remove()
    style.label_ends(ax, ends, gap=0.08)


def likeness(material: Material) -> Section:
    """Draw how alike a layer's responses are at any two snapshots."""
    found = material.structure
    layers = [n for n in some_layers(found) if n != PIXELS]
    figure = Figure(figsize=(9.6, 2.6), layout="constrained")
    axes = figure.subplots(1, len(layers), squeeze=False)[0]
    draw.cka_grid(found["cka"].sel(layer=layers).transpose("layer", "step", "step_b"), axes)
    return Section(
        "likeness", material.said["likeness"].sentence, figure, material.said["phases"].sentence,
        "Debiased linear CKA of a layer's responses to the held-out exemplars between any two "
        "snapshots: from 0 (dark, unrelated) to 1 (bright, the same up to rotation and scale). "
        "Bright squares along the diagonal are times of little change.",
        "Its expectation is 0 for unrelated responses, whatever the layer's width. Phases: the "
        "increments of all measures together, less a steady drift, are shuffled over the snapshots "
        "99 times; a smooth bend is a change of course as well.",
    )  # fmt: skip


def late_exemplars(material: Material) -> Section:
    """Draw the exemplars that are learnt last and forgotten most."""
    record = material.record
    require(record, "image")
    found, count = material.structure, 9
    by = found["kept_by"].values
    last = np.argsort(-np.nan_to_num(by, nan=np.inf), kind="stable")[:count]
    often = np.argsort(-np.nan_to_num(found["forgotten"].values, nan=-1), kind="stable")[:count]
    index = {int(e): k for k, e in enumerate(record["exemplar"].values)}
    place = [index[int(e)] for e in found["exemplar"].values]
    images = record["image"].values[place]
    token = tokens_of(material, found)
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    axes = figure.subplots(2, count)
    late = [f"{by[k]:,.0f}" if np.isfinite(by[k]) else "never" for k in last]
    times = [f"{found['forgotten'].values[k]:.0f} times" for k in often]
    draw.captioned_images(images[last], late, token[last], axes[0])
    draw.captioned_images(images[often], times, token[often], axes[1])
    for row, title in zip(axes, ("classified correctly from step", "forgotten"), strict=True):
        row[0].set_title(title, loc="left", fontsize=style.TEXT)
    typical = found["typicality"].isel(step=-1).values
    seen = f"Typicality of those drawn above: {np.nanmean(typical[last]):.2f}, of all: "
    seen += f"{np.nanmean(typical):.2f} (distance from the token's centre, large is untypical)."
    return Section(
        "lives", material.said["lives"].sentence, figure, seen,
        "Above: the held-out exemplars that were the last to be classified correctly until the "
        "end, and the snapshot from which on they were (never: wrong at the last). Below: those "
        "that most often go from right to wrong between snapshots, a lower bound. Frames have the "
        "colours of the tokens.",
        "None. While the network classifies all exemplars as one token, exemplars of that token "
        "count as learnt, and later as forgotten.",
    )  # fmt: skip


def tokens_of(material: Material, found: xr.Dataset) -> np.ndarray:
    """Return the token's index of each held-out exemplar."""
    record, names = material.record, material.tokens
    of = dict(zip(record["exemplar"].values.tolist(), record["exemplar_token"].values.tolist(),
                  strict=True))  # fmt: skip
    return np.array([names.index(str(of[int(e)])) for e in found["exemplar"].values])


def some_of(values: np.ndarray, count: int) -> list[int]:
    """Return a few of the values, evenly spaced along their order, the ends among them."""
    places = np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int))
    return [int(values[k]) for k in places]


def some_layers(found: xr.Dataset, count: int = 5) -> list[str]:
    """Return pixels and a few layers up to the last hidden one, evenly spaced."""
    names = found["layer"].values.tolist()
    hidden = [n for n in names if n not in {PIXELS, "logits"}] or names
    places = np.unique(np.linspace(0, len(hidden) - 1, min(count, len(hidden))).round().astype(int))
    return [hidden[k] for k in places]
