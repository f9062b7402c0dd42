"""The coupling graph over steps: births of edges, assemblies, sharing; against their nulls.

May import matplotlib, numpy, xarray and plot.style only.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ontogeny.plot import style

_GREY = (0.93, 0.93, 0.93)


def edge_births(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw births of edges per layer over snapshots, beside what means nothing gives.

    One row per target layer: bars are births, the grey line is what as many edges that mean
    nothing and are as like from snapshot to snapshot would have. A row's height is its largest
    value. Bursts, beyond their bound, are dark.

    Parameters
    ----------
    data
        `ontogeny.measure.edge_lives`, or the graph's measures of a run.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.edge_births(ont.measure.edge_lives(record))
    >>> [text.get_text() for text in ax.texts[:2]]
    ['0 born, 0 by chance', '6 born, 1 by chance']
    """
    layers = [str(name) for name in data["layer"].values]
    ax = style.new_axes(ax, width=8.0, height=0.5 * len(layers) + 0.8)
    last = data.sizes["step"] - int(data.attrs.get("hold", 3)) + 1
    place = np.arange(1, last)
    for row, layer in enumerate(layers):
        at = data.sel(layer=layer)
        births, chance = at["edge_births"].values[1:last], at["births_chance"].values[1:last]
        scale = 0.85 / max(births.max(initial=0), chance.max(initial=0), 1)
        is_burst = births > at["burst_bound"].values[1:last]
        colours = np.where(is_burst, style.NEGATIVE, style.POSITIVE)
        ax.bar(place, births * scale, bottom=row, width=0.9, color=colours, linewidth=0)
        ax.plot(place, row + chance * scale, color=style.FAINT, linewidth=1.1)
        words = f"{births.sum():,.0f} born, {chance.sum():,.0f} by chance"
        ax.text(1.01, row + 0.1, words, transform=ax.get_yaxis_transform(), fontsize=style.TEXT - 1,
                color=style.INK)  # fmt: skip
    ax.set_yticks(np.arange(len(layers)), layers)
    ticks, labels = style.snapshot_ticks(data["step"].values)
    ax.set_xticks(ticks, labels)
    style.name_axes(ax, x="step (one column per snapshot)", y="edges into")
    return ax


def assembly_raster(data: xr.Dataset, *, layer: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw to which assembly each unit belongs at each snapshot; a colour is a name that lasts.

    Rows are units, layers apart, in each layer ordered by the assembly at the end and before; grey
    units are in none.

    Parameters
    ----------
    data
        `ontogeny.measure.assemblies`, or the graph's measures of a run.
    layer
        Each unit's layer.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.assembly_raster(ont.measure.assemblies(record), layer=record.layer.values)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['conv1', 'conv2', 'fc1', 'logits']
    """
    ax = style.new_axes(ax, width=8.0, height=5.2)
    name, of_unit = data["assembly"].values, np.asarray(layer)
    order = _order(name, of_unit)
    ax.imshow(_colours(name)[:, order].transpose(1, 0, 2), aspect="auto", interpolation="nearest")
    layers = list(dict.fromkeys(of_unit[order].tolist()))
    first = [int(np.flatnonzero(of_unit[order] == one)[0]) for one in layers]
    count = [int((of_unit == one).sum()) for one in layers]
    for start in first[1:]:
        ax.axhline(start - 0.5, color="white", linewidth=1.2)
    middle = [f + n / 2 for f, n in zip(first, count, strict=True)]
    ax.set_yticks(middle, layers)
    ticks, labels = style.snapshot_ticks(data["step"].values)
    ax.set_xticks(ticks, labels)
    style.name_axes(ax, x="step (one column per snapshot)", y="units by layer")
    return ax


def assembly_quality(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the modularity of assemblies less that of the null, whose range is shaded.

    Above the band units are coupled in groups beyond what loud sources and the order of layers
    give; below it they are coupled less in groups than that: targets draw on the same sources.

    Examples
    --------
    >>> ax = ont.plot.assembly_quality(ont.measure.assemblies(record))
    >>> ax.get_ylabel()
    "modularity less the null's mean"
    """
    ax = style.new_axes(ax)
    steps, null = data["quality_step"].values, data["quality_null"].values
    off = null - null.mean(axis=1, keepdims=True)
    style.null_band(ax, steps, off.min(axis=1), off.max(axis=1))
    ax.plot(steps, data["quality_excess"].values, color=style.POSITIVE, linewidth=1.6)
    ax.axhline(0, color=style.FAINT, linewidth=0.7)
    style.step_axis(ax, steps)
    style.name_axes(ax, y="modularity less the null's mean")
    ax.set_xlabel(style.STEP_LABEL, fontsize=style.TEXT, color=style.INK)
    return ax


def token_sharing(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw how far tokens share units, layer by layer over snapshots, against chance.

    Colour is the mean sharing index (1: all tokens use the same units alike); a dot marks cells
    beyond chance upwards (tokens have units in common), a bar below (units of their own).

    Examples
    --------
    >>> ax = ont.plot.token_sharing(ont.measure.graph_nodes(record))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['conv1', 'conv2', 'fc1']
    """
    layers = [str(name) for name in data["layer"].values[:-1]]
    ax = style.new_axes(ax, width=8.0, height=3.4)
    inner = data.isel(layer=slice(0, -1))
    value = inner["layer_sharing"].values
    image = ax.imshow(value.T, aspect="auto", cmap=style.MAGNITUDE, origin="lower",
                      vmin=float(np.nanmin(value)), vmax=1.0)  # fmt: skip
    for marks, marker in ((value > inner["sharing_high"].values, "."),
                          (value < inner["sharing_low"].values, "_")):  # fmt: skip
        when, where = np.nonzero(marks)
        ax.scatter(when, where, marker=marker, s=9, color="white", linewidth=0.7)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.015)
    bar.set_label("sharing index", fontsize=style.TEXT)
    ax.set_yticks(np.arange(len(layers)), layers)
    ticks, labels = style.snapshot_ticks(data["step"].values)
    ax.set_xticks(ticks, labels)
    style.name_axes(ax, x="step (one column per snapshot)")
    return ax


def _order(name: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Order units by layer, within it by their assembly at the end, in the middle, at a third."""
    n = len(name)
    rank = {one: k for k, one in enumerate(dict.fromkeys(layer.tolist()))}
    of_layer = np.array([rank[one] for one in layer.tolist()])
    return np.lexsort((name[n // 3], name[n // 2], name[-1], of_layer))


def _colours(name: np.ndarray) -> np.ndarray:
    """Give the names with most unit-snapshots the token colours' hues, the others greys."""
    names, count = np.unique(name[name >= 0], return_counts=True)
    palette = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)]
                        for c in style.TOKEN_COLOURS])  # fmt: skip
    table = np.tile(_GREY, (int(name.max(initial=0)) + 2, 1))
    for k, one in enumerate(names[np.argsort(-count)].tolist()):
        lighter = 0.5 * (k // len(palette) % 2)
        table[one] = palette[k % len(palette)] * (1 - lighter) + lighter
    return table[name]
