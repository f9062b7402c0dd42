"""The report on learning: curves, onsets, exemplars and the first filters.

May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny import plot
from ontogeny.errors import InputError
from ontogeny.measure.probe import require
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.run import RunFolder
from ontogeny.statements.onsets import onsets_of
from ontogeny.statements.words import listed, percent


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
    seen = f"Held-out loss is lowest at step {lowest:,}, {float(best.min()):.2g}"
    seen += "." if lowest == final else f", and {float(best[-1]):.2g} at the end."
    low, high = float(curves["chance_low"]), float(curves["chance_high"])
    return Section(
        "learning", material.said["learning"].sentence, figure, seen,
        f"Loss: {curves['loss'].attrs['long_name']}. Accuracy: "
        f"{curves['accuracy'].attrs['long_name']}. No weight saw the probe.",
        f"Chance is the accuracy of always guessing the most frequent token; the grey band, "
        f"{percent(low)} to {percent(high)}, holds 95 % of such accuracies (binomial).",
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
    seen = "; ".join(f"{o.name} {o.words()}" for o in onsets_of(material.measures, "token"))
    if one.sizes["step"]:
        seen += (
            f". At {one.sizes['step']} snapshots the network classifies more than 90 % of all "
            "exemplars as one token: the high accuracy of that token is then no sign of learning, "
            "and the grey band rises with it"
        )
    return Section(
        "tokens", material.said["tokens"].sentence, figure, f"Onsets: {seen}.",
        "Accuracy on a token's held-out exemplars. The onset (stripe) is the interval between two "
        "snapshots from which accuracy less the share of exemplars classified as it stays beyond "
        f"its null to the end, for at least {material.measures.attrs['hold']} snapshots; its "
        "confidence interval resamples groups of exemplars. Steps: linear to 1, then logarithmic.",
        _shuffles(material, "tokens x steps")
        + " The grey line is the share of all exemplars that are classified as the token, which is "
        "the accuracy of random classifications; the band ends at the threshold.",
    )  # fmt: skip


def onsets(material: Material) -> Section:
    """Draw onsets of layers and tokens as intervals."""
    measures = material.measures
    n_rows = measures.sizes["layer"] + len(material.tokens)
    figure = Figure(figsize=(9.6, 0.27 * n_rows + 1.0), layout="constrained")
    plot.onset_intervals(measures, figure.subplots())
    rises = onsets_of(measures, "layer rise")
    seen = "; ".join(f"{o.name} {o.words()}" for o in rises)
    again = measures["excursions"].values
    order, before = (material.said[name].sentence for name in ("rising order", "untrained"))
    seen = f"{order} {seen}. {before}"
    if again.any():
        names = [str(n) for n in measures["name"].values[again > 0]]
        seen += f" Before, {listed(names)} passed their null for a while and fell back."
    return Section(
        "onsets", material.said["onsets"].sentence, figure, seen,
        "Thick: the interval between the last snapshot that is not beyond the null and the next; "
        "thin: its 95 % confidence interval (groups of exemplars resampled "
        f"{measures.attrs['n_resamples']} times). Open: beyond shuffled tokens; filled: also "
        "beyond untrained weights; coloured: tokens. An arrow to the left: from the first snapshot "
        "on. Onsets whose intervals overlap are not ordered.",
        _shuffles(material, "layers x steps, tokens x steps")
        + " Untrained weights: the bound that the mean signal of newly drawn units of the layer "
        "passes with 5 % (Student's t over its units at step 0, Bonferroni over layers); it is "
        "wide where units are few or differ much, so that a late or missing rise may be due to a "
        "lack of power.",
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
    kept = "First-layer filters change little"
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
        "exemplars", material.said["exemplars"].sentence, figure,
        f"Left: the first exemplars of each token in the probe, {counts.min()} to {counts.max()} "
        f"of each. Right: how the network classifies them at step "
        f"{material.measures.attrs['measured_step']:,}.",
        "Share of a token's held-out exemplars (row) that are classified as each token (column); "
        "rows sum to 1.",
        f"If the network did not discriminate the tokens, all rows would be equal; chance is "
        f"{percent(float(material.measures['chance']))}.",
    )  # fmt: skip


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


FIGURES: tuple[Shown, ...] = (
    Shown("learning", "Learning", "learning curves", learning),
    Shown("tokens", "Learning", "tokens' learning curves", tokens),
    Shown("onsets", "Category structure", "onsets", onsets),
    Shown("exemplars", "Category structure", "exemplars and confusions", exemplars),
    Shown("filters", "Detectors", "first-layer filters", filters),
)
