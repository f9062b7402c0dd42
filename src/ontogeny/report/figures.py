"""The report's figures: each drawn from measures, with what is seen, its definition, its null."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny import plot
from ontogeny.errors import InputError
from ontogeny.measure import strongest_couplings, structure_run
from ontogeny.measure.probe import require
from ontogeny.report import words
from ontogeny.run import RunFolder

TUNED = 0.5
"""Token signal from which a unit is drawn in the colour of its token."""


@dataclass(frozen=True)
class Material:
    """What figures are made of."""

    run: RunFolder
    record: xr.Dataset
    measures: xr.Dataset

    @cached_property
    def structure(self) -> xr.Dataset:
        """Category structure, measured anew if stale."""
        return structure_run(self.run)

    @property
    def tokens(self) -> list[str]:
        """Names of the tokens."""
        return [str(name) for name in self.record["token"].values]


@dataclass(frozen=True)
class Section:
    """One figure and its caption."""

    key: str
    title: str
    """What is seen."""
    figure: Figure
    seen: str
    """What is seen, in full."""
    definition: str
    null: str


def learning(material: Material) -> Section:
    """Draw loss and accuracy."""
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot.loss(material.measures, left)
    plot.accuracy(material.measures, right)
    curves = material.measures
    best = curves["loss"].sel(split="probe")
    lowest = int(curves["step"].values[np.nanargmin(best.values)])
    final = int(curves["step"][-1])
    seen = f"Held-out loss is lowest at step {lowest:,}"
    seen += "." if lowest == final else f" and {float(best[-1]):.2f} at the end: it rises again."
    low, high = float(curves["chance_low"]), float(curves["chance_high"])
    return Section(
        "learning", words.ending(curves), figure, seen,
        f"Loss: {curves['loss'].attrs['long_name']}. Accuracy: "
        f"{curves['accuracy'].attrs['long_name']}. No weight saw the probe.",
        f"Chance is the accuracy of always naming the most frequent token; the grey band, "
        f"{words.percent(low)} to {words.percent(high)}, holds 95 % of such accuracies (binomial).",
    )  # fmt: skip


def tokens(material: Material) -> Section:
    """Draw each token's accuracy against its own null."""
    names = material.tokens
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(9.6, 1.9 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for name, ax in zip(names, axes, strict=False):
        plot.token_accuracy(material.measures, name, ax)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for k, ax in enumerate(axes[: len(names)]):
        is_lowest = k >= len(names) - columns
        ax.set_xlabel("step" if is_lowest else "")
        ax.tick_params(labelbottom=is_lowest)
    share = material.measures["answer_share"]
    one = share.where(share > 0.9, drop=True)
    seen = "; ".join(f"{o.name} {o.words()}" for o in words.onsets_of(material.measures, "token"))
    if one.sizes["step"]:
        seen += (
            f". At {one.sizes['step']} snapshots more than 90 % of the answers name one token: "
            "its high accuracy there is no knowledge, and the band rises with it"
        )
    return Section(
        "tokens", words.tokens_told(material.measures), figure, f"Onsets: {seen}.",
        "Accuracy on a token's held-out exemplars. The onset (stripe) is the interval between two "
        "snapshots from which accuracy less the share of answers that name the token stays beyond "
        f"its null to the end, for at least {material.measures.attrs['hold']} snapshots; its "
        "confidence interval resamples groups of exemplars. Steps: linear to 1, then logarithmic.",
        _shuffles(material, "tokens x steps")
        + " The grey line is the share of all answers that name the token, the accuracy of "
        "answers that know nothing; the band ends at the threshold.",
    )  # fmt: skip


def signal_map(material: Material) -> Section:
    """Draw the token signal of layers over snapshots."""
    figure = Figure(figsize=(9.6, 3.7), layout="constrained")
    plot.token_signal_map(material.measures, figure.subplots())
    measures = material.measures
    signal = measures["layer_token_signal"]
    beyond = float((signal > measures["layer_threshold"]).mean())
    peak = signal.idxmax("step")
    early = [str(n) for n, s in zip(peak["layer"].values, peak.values, strict=True)
             if np.isfinite(s) and s < float(measures["step"][-1])]  # fmt: skip
    seen = f"{words.percent(beyond)} of the cells are beyond shuffled tokens. "
    seen += f"{words.strongest_layer(measures)}. "
    if early:
        order = [str(name) for name in measures["layer"].values]
        seen += f"In {words.spans(early, order)} it was higher before the end."
    return Section(
        "signal", words.rising_order(measures), figure, seen,
        f"Mean over the layer's varying units of the {measures['token_signal'].attrs['long_name']}."
        " White marks: from here on the signal stays beyond shuffled tokens and untrained weights.",
        _shuffles(material, "layers x steps") + " Grey cells are not beyond it.",
    )  # fmt: skip


def onsets(material: Material) -> Section:
    """Draw onsets of layers and tokens as intervals."""
    measures = material.measures
    n_rows = measures.sizes["layer"] + len(material.tokens)
    figure = Figure(figsize=(9.6, 0.27 * n_rows + 1.0), layout="constrained")
    plot.onset_intervals(measures, figure.subplots())
    rises = words.onsets_of(measures, "layer rise")
    seen = "; ".join(f"{o.name} {o.words()}" for o in rises)
    again = measures["excursions"].values
    seen = f"Layers rise: {seen}. {words.untrained_signal(measures)}"
    if again.any():
        names = [str(n) for n in measures["name"].values[again > 0]]
        seen += f" Beyond their null for a while before, and back: {words.listed(names)}."
    return Section(
        "onsets", words.layers_rise(measures), figure, seen,
        "Thick: the interval between the last snapshot that is not beyond the null and the next; "
        "thin: its 95 % confidence interval (groups of exemplars resampled "
        f"{measures.attrs['n_resamples']} times). Open: beyond shuffled tokens; filled: also "
        "beyond untrained weights; coloured: tokens. An arrow to the left: from the first snapshot "
        "on. Onsets whose intervals overlap are not ordered.",
        _shuffles(material, "layers x steps, tokens x steps")
        + " Untrained weights: the bound that the mean signal of newly drawn units of the layer "
        "passes with 5 % (Student's t over its units at step 0, Bonferroni over layers); it is "
        "wide where units are few or differ much: a late or missing rise may be lack of power.",
    )  # fmt: skip


def units(material: Material) -> Section:
    """Draw how token signal spreads over units."""
    figure = Figure(figsize=(9.6, 3.3), layout="constrained")
    plot.unit_signals(material.measures, ax=figure.subplots())
    last = material.measures.isel(step=-1)
    share, layers = last["share_beyond"].values, last["layer"].values
    low, high = int(np.nanargmin(share)), int(np.nanargmax(share))
    title = (
        f"At the end {words.percent(share[high])} of the units of {layers[high]} carry token "
        f"signal, {words.percent(share[low])} of those of {layers[low]}"
    )
    varying = int(last["units_varying"].sum())
    seen = f"{varying} of {last.sizes['unit']} units vary over the held-out exemplars at the end; "
    seen += "the others answer all of them alike and have no token signal."
    return Section(
        "units", title, figure, seen,
        f"The {material.measures['token_signal'].attrs['long_name']}. Dot: median of the layer's "
        "varying units; thick: middle half; thin: middle 90 %.",
        "Grey: up to the median unit's 1 % bound under shuffled tokens (not corrected: 1 % of "
        "units without token structure are above their own).",
    )  # fmt: skip


def couplings(material: Material) -> Section:
    """Draw the strongest couplings of the last snapshot."""
    found = strongest_couplings(material.record)
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    last = material.measures.isel(step=-1)
    tuned = last["token_signal"].values > TUNED
    unit_token = dict(zip(last["unit"].values[tuned].tolist(),
                          last["preferred_token"].values[tuned].tolist(), strict=True))  # fmt: skip
    plot.coupling_graph(found, tokens=material.tokens, unit_token=unit_token, ax=figure.subplots())
    return Section(
        "couplings", _coupling_title(found), figure, _coupling_words(found),
        "Coupling: share of a unit's pre-activation variance over exemplars and positions that "
        "comes through one source; the shares of a unit sum to 1, blue adds, orange takes away. "
        "Width is relative to the strongest one drawn into the layer. From the logits downwards "
        "each unit passes its flow to its sources by the magnitude of their couplings; per layer "
        "the units with most flow are drawn, and the strongest couplings between them. A unit "
        f"with a token signal above {TUNED} has the colour of the token it answers most.",
        _untrained_words(found),
    )  # fmt: skip


def ancestry(material: Material) -> Section:
    """Draw what distinguishes each token, by contrast share, in one graph."""
    names = material.tokens
    found = {
        name: strongest_couplings(material.record, token=name, units=2, edges=3) for name in names
    }
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    plot.ancestry_graph(found, tokens=names, ax=figure.subplots())
    layers = [str(name) for name in material.measures["layer"].values]
    members = [set(each["node"].values.astype(str).tolist()) for each in found.values()]
    shown = sum(each.attrs["shown"] for each in found.values())
    hidden = sum(each.attrs["hidden"] for each in found.values())
    return Section(
        "ancestry", _parting(members, layers), figure,
        f"Step {material.measures.attrs['measured_step']:,}: for each token the 2 units per layer "
        f"and 3 contrast shares between layers that carry most of what distinguishes it; {shown} "
        f"are drawn, {hidden:,} hidden. A unit with curves of several colours serves several "
        "tokens.",
        "Contrast share: part of the difference between a unit's mean response to the token and to "
        "all others that comes through one source; solid adds to the difference, dashed takes from "
        "it; width is relative to the token's strongest into the layer. Flow is followed back from "
        "the token's logit as above.",
        "None: contrast shares have no null here. Read it as a comparison of tokens.",
    )  # fmt: skip


def filters(material: Material) -> Section:
    """Draw the first layer's filters over steps, and what training added to them."""
    found = first_filters(material.run, material.record)
    rows = found.sizes["step"]
    figure = Figure(figsize=(9.6, 0.3 * rows + 1.5), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[rows, 1.2])
    plot.filter_strip(found, above)
    start, end = found[0].values, found[-1].values
    plot.filter_strip(found[-1:] - start, below)
    below.set_yticks(below.get_yticks()[:1], ["change"])
    cosine = _cosines(start, end)
    moved = 100 * float(np.linalg.norm(end - start) / max(np.linalg.norm(start), 1e-12))
    median = f"median cosine with step {int(found['step'][0])} is {np.median(cosine):.2f}"
    kept = "First-layer filters keep their untrained look"
    return Section(
        "filters", f"{kept if np.median(cosine) > 0.9 else 'First-layer filters change'}: {median}",
        figure,
        f"From first to last snapshot the filters move by {moved:.0f} % of their length; "
        f"unit {int(cosine.argmin())} turns most (cosine {cosine.min():.2f}).",
        "Weights of the first layer as colour pictures, red, green and blue being the weights on "
        "these channels; mid-grey is 0. Contrasts are printed below: one for all steps, and one "
        "for the last row, the change from the first snapshot to the last.",
        "Step 0 shows untrained weights.",
    )  # fmt: skip


def exemplars(material: Material) -> Section:
    """Draw held-out exemplars and the confusion table."""
    record, names = material.record, material.tokens
    require(record, "image")
    figure = Figure(figsize=(9.6, 0.52 * len(names) + 1.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2.4, 1])
    token = np.array([names.index(str(n)) for n in record["exemplar_token"].values])
    plot.contact_sheet(record["image"].values, token, names, ax=left)
    plot.confusion(material.measures["confusion"], right)
    counts = np.bincount(token, minlength=len(names))
    return Section(
        "exemplars", words.most_confused(material.measures), figure,
        f"Left: the first exemplars of each token in the probe, {counts.min()} to {counts.max()} "
        f"of each. Right: what is answered at step {material.measures.attrs['measured_step']:,}.",
        "Share of a token's held-out exemplars (row) that are taken for each token (column); rows "
        "sum to 1.",
        f"Answers that know nothing would have equal rows; chance is "
        f"{words.percent(float(material.measures['chance']))}.",
    )  # fmt: skip


SECTIONS: dict[str, Callable[[Material], Section]] = {
    "learning curves": learning,
    "tokens' learning curves": tokens,
    "token signal of layers": signal_map,
    "onsets": onsets,
    "token signal of units": units,
    "strongest couplings": couplings,
    "what distinguishes each token": ancestry,
    "first-layer filters": filters,
    "exemplars and confusions": exemplars,
}


def first_filters(run: RunFolder, record: xr.Dataset, count: int = 8) -> xr.DataArray:
    """Read the first layer's weights at a few snapshots, evenly spaced along the record.

    Raises
    ------
    InputError
        If the first layer is not a convolution over 1 or 3 image channels.
    """
    layer, steps = str(record["layer"].values[0]), record["step"].values
    steps = [int(step) for step in steps if step in run.steps]
    places = np.unique(np.linspace(0, len(steps) - 1, min(count, len(steps))).round().astype(int))
    name = f"{layer}.weight"
    weights = []
    for step in (steps[k] for k in places):
        stored = run.weights(step)
        if name not in stored or stored[name].ndim != 4 or stored[name].shape[1] not in (1, 3):
            msg = (
                f"expected {name} as filters over 1 or 3 image channels, got "
                f"{stored[name].shape if name in stored else 'no such weights'}: nothing to draw"
            )
            raise InputError(msg)
        weights.append(stored[name].transpose(0, 2, 3, 1))
    return xr.DataArray(
        np.stack(weights), {"step": [steps[k] for k in places]},
        ("step", "unit", "y", "x", "channel"),
    )  # fmt: skip


def _cosines(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the cosine between each filter and itself later."""
    a, b = (part.reshape(len(part), -1).astype(np.float64) for part in (start, end))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(norms, 1e-12)


def _shuffles(material: Material, family: str) -> str:
    attributes = material.measures.attrs
    return (
        f"Tokens shuffled {attributes['n_shuffles']} times over groups of held-out exemplars; the "
        f"threshold is passed anywhere in {family} with {100 * (1 - attributes['level']):.0f} % "
        "(studentised maximum)."
    )


def _coupling_title(found: xr.Dataset) -> str:
    strength = np.abs(found["strength"].values)
    ends = {found.attrs["layers"][1], found.attrs["layers"][-1]}
    targets = [str(name).rpartition(":")[0] for name in found["target"].values]
    inner = [k for k, layer in enumerate(targets) if layer not in ends]
    chosen = inner or list(range(len(strength)))
    k = max(chosen, key=lambda k: strength[k])
    source, target = str(found["source"].values[k]), str(found["target"].values[k])
    return (
        f"The strongest coupling between hidden layers is {source} into {target}: "
        f"{words.percent(float(found['strength'].values[k]))} of its variance"
    )


def _coupling_words(found: xr.Dataset) -> str:
    takes = int((found["strength"].values < 0).sum())
    return (
        f"Step {found.attrs['step']:,}: {found.attrs['shown']} of "
        f"{found.attrs['shown'] + found.attrs['hidden']:,} couplings are drawn, "
        f"{found.attrs['hidden']:,} are hidden; {takes} of those drawn take variance away."
    )


def _untrained_words(found: xr.Dataset) -> str:
    beyond = int(found["beyond_untrained"].values.sum())
    return (
        f"Untrained weights: {beyond} of the {found.attrs['shown']} couplings drawn are stronger "
        "than every coupling into their layer at step 0. No weight permutation null is recorded."
    )


def _parting(members: list[set[str]], layers: list[str]) -> str:
    """Say in which layers most units that are drawn serve one token only."""
    private = []
    for layer in layers[:-1]:
        sets = [{n for n in m if n.rpartition(":")[0] == layer} for m in members]
        times = [sum(n in s for s in sets) for n in set.union(*sets)]
        if times and np.mean([t == 1 for t in times]) > 0.5:
            private.append(layer)
    if not private:
        return "What distinguishes tokens runs through the same few units in all layers"
    return f"Tokens go through units of their own in {words.spans(private, layers)}"
