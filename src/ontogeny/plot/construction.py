"""Construction: where and when units are constructed, parts of their gain, what builds on what.

May import matplotlib, numpy, xarray, ontogeny.errors and plot.style only.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize, to_rgb
from matplotlib.patches import Rectangle

from ontogeny.errors import InputError
from ontogeny.plot import style
from ontogeny.record.layers import hidden

CHANCE = 0.05
"""Share of units that are constructed by chance."""
_PALE, _PARTS = "#f1f1ee", ("#d9d9d4", "#56b4e9", "#0072b2")


def constructed(data: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the share of constructed units, layer by layer over snapshots with recombinations.

    Cells at or below chance are pale. A frame marks cells whose share is beyond what any hidden
    layer has by chance, and whose 95 % interval is beyond 5 % and beyond step 0. The colour bar has
    chance and the mean of the layers at step 0.

    Parameters
    ----------
    data
        `ontogeny.measure.construction_gain`.
    ax
        Where to draw.

    Raises
    ------
    InputError
        If recombinations were observed at no snapshot.

    Examples
    --------
    >>> ax = ont.plot.constructed(ont.measure.construction_gain(record))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['conv1', 'conv2', 'fc1']
    """
    ax = style.new_axes(ax, height=3.6)
    at = _seen(_hidden(data), "constructed_share")
    share = at["constructed_share"].transpose("layer", "step").values
    cmap, norm = _pale_to_dark(max(float(np.nanmax(share)), 2 * CHANCE))
    edges = np.arange(share.shape[1] + 1) - 0.5, np.arange(share.shape[0] + 1) - 0.5
    ax.pcolormesh(*edges, share, cmap=cmap, norm=norm, edgecolor="white", linewidth=0.6)
    for y, x in np.argwhere(_is_beyond(at)):
        for size, colour in ((0.9, style.INK), (0.86, "white")):
            ax.add_patch(Rectangle((x - size / 2, y - size / 2), size, size, fill=False,
                                   linewidth=1.2, edgecolor=colour))  # fmt: skip
    ax.set_yticks(range(len(share)), at["layer"].values.astype(str).tolist())
    ax.set_xticks(*style.snapshot_ticks(at["step"].values, 7))
    style.name_axes(ax, x="step (one column per snapshot with recombinations)")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    first = float(np.nanmean(share[:, 0])) if at["step"].values[0] == 0 else np.nan
    _share_bar(ax, cmap, norm, first)
    return ax


def _is_beyond(at: xr.Dataset) -> np.ndarray:
    """Say of which cells the share is beyond chance, and since step 0, [layer, step]."""
    beyond = (
        (at["constructed_share"] > at["constructed_bound"])
        & (at["constructed_share_low"] > CHANCE)
        & (at["constructed_rise_low"] > 0)
    )
    return beyond.transpose("layer", "step").values


def _pale_to_dark(top: float) -> tuple[Colormap, Normalize]:
    """Return colours that are pale up to chance, and grow darker evenly beyond it."""
    bounds = np.concatenate([[0, CHANCE], np.linspace(CHANCE, top, 129)[1:]])
    return ListedColormap([_PALE, *_shades(128)]), BoundaryNorm(bounds, len(bounds) - 1)


def _shades(count: int) -> np.ndarray:
    """Return colours from pale to dark, even to the eye: the usual ones, their bright end pale."""
    place = np.linspace(0, 1, count)
    shades = colormaps[style.MAGNITUDE](1 - (0.2 + 0.8 * place))[:, :3]
    pale = np.maximum(0, 1 - place / 0.3)[:, None]
    return pale * np.array(to_rgb(_PALE)) + (1 - pale) * shades


def _share_bar(ax: Axes, cmap: Colormap, norm: Normalize, first: float) -> None:
    bar = ax.figure.colorbar(ScalarMappable(norm, cmap), ax=ax, pad=0.02, aspect=26, fraction=0.06,
                             spacing="proportional")  # fmt: skip
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    top = float(norm.vmax or 1.0)
    ticks = [0.0, *(t for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9) if t < top)]
    bar.ax.yaxis.set_ticks(ticks, [f"{t:.1f}" for t in ticks], minor=False)
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=style.TEXT - 1, colors=style.INK)
    bar.set_label("share of constructed units", fontsize=style.TEXT, color=style.INK)
    for value, colour in ((CHANCE, style.INK), (first, style.NEGATIVE)):
        if np.isfinite(value):
            bar.ax.axhline(value, color=colour, linewidth=1.4)
    bar.ax.annotate("chance", (0, CHANCE), (-4, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", ha="right", va="center", rotation=90,
                    fontsize=style.TEXT - 2, color=style.INK)  # fmt: skip


def gain_parts(data: xr.Dataset, step: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw what the mean selectivity of each layer is made of at a step.

    From below: what recombinations of the same parents have too (inherited), what pre-activations
    gain, what rectification gains; a line spans the 95 % interval of the whole gain.

    Parameters
    ----------
    data
        `ontogeny.measure.construction_gain`.
    step
        A step with recombinations; None: the last one.
    ax
        Where to draw.

    Raises
    ------
    InputError
        If recombinations were not observed at the step.

    Examples
    --------
    >>> ax = ont.plot.gain_parts(ont.measure.construction_gain(record))
    >>> [text.get_text() for text in ax.texts]
    ['inherited', 'gain of pre-activations', 'gain by rectification']
    """
    ax = style.new_axes(ax, height=3.2)
    at = _at(_seen(_hidden(data), "gain_mean"), step)
    place = np.arange(at.sizes["layer"])
    inherited, whole = at["inherited_mean"].values, at["selectivity_mean"].values
    linear = np.where(np.isfinite(at["gain_rectified_mean"].values),
                      at["gain_linear_mean"].values, whole - inherited)  # fmt: skip
    for low, high, colour in zip((0 * inherited, inherited, inherited + linear),
                                 (inherited, inherited + linear, whole), _PARTS,
                                 strict=True):  # fmt: skip
        ax.bar(place, high - low, bottom=low, width=0.72, color=colour)
    ends = np.stack([at["gain_mean"] - at["gain_mean_low"], at["gain_mean_high"] - at["gain_mean"]])
    ax.errorbar(place, whole, np.maximum(ends, 0), fmt="none", ecolor=style.INK, elinewidth=0.9)
    ax.set_xticks(place, at["layer"].values.astype(str).tolist())
    style.name_axes(ax, y="selectivity (eta squared, mean of units)")
    names = ("inherited", "gain of pre-activations", "gain by rectification")
    for k, (name, colour) in enumerate(zip(names, (style.FAINT, *_PARTS[1:]), strict=True)):
        ax.text(0.02, 0.96 - 0.08 * k, name, transform=ax.transAxes, va="top", color=colour,
                fontsize=style.TEXT, weight="bold")  # fmt: skip
    return ax


def building(data: xr.Dataset, depth: int = 1, ax: Axes | None = None) -> Axes:
    """Draw how much more units add to ancestors as they are than to recombined ones.

    For each layer the steps follow each other from light to dark, with 95 % intervals; a filled
    dot has risen since step 0, corrected over layers and depths.

    Parameters
    ----------
    data
        `ontogeny.measure.building_on`.
    depth
        1: the layer below, 2: the layer two below.
    ax
        Where to draw.

    Raises
    ------
    InputError
        If dealt ancestors were observed at no step.

    Examples
    --------
    >>> ax = ont.plot.building(ont.measure.building_on(record))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['conv2', 'fc1']
    """
    ax = style.new_axes(ax, height=3.0)
    at = _seen(_hidden(data).sel(depth=depth), "building_mean")
    at = at.isel(layer=np.isfinite(at["building_mean"].values).any(axis=0))
    n_steps = at.sizes["step"]
    colours = colormaps[style.MAGNITUDE](np.linspace(0.88, 0.05, n_steps))
    for k, colour in enumerate(colours):
        row = at.isel(step=k)
        place = np.arange(row.sizes["layer"]) + (k - (n_steps - 1) / 2) * 0.8 / n_steps
        mean, risen = row["building_mean"].values, row["building_rise_low_together"].values > 0
        ends = np.stack([row[f"building_mean_{end}"].values for end in ("low", "high")])
        ax.vlines(place, *ends, color=colour, linewidth=1.1)
        for shown, fill in ((risen, colour), (~risen, "white")):
            ax.plot(place[shown], mean[shown], "o", color=colour, markersize=5,
                    markerfacecolor=fill)  # fmt: skip
        ax.text(0.01, 0.97 - 0.085 * k, f"step {int(row['step']):,}", color=colour, va="top",
                transform=ax.transAxes, fontsize=style.TEXT - 1, weight="bold")  # fmt: skip
    ax.axhline(0, color=style.FAINT, linewidth=0.7, zorder=0)
    ax.set_xticks(range(at.sizes["layer"]), at["layer"].values.astype(str).tolist())
    words = {1: "the layer below", 2: "the layer two below"}
    style.name_axes(ax, y=f"B on {words.get(depth, f'the layer {depth} below')}")
    return ax


def detector_family(
    data: xr.Dataset, unit: str, parents: Sequence[str], ax: Axes | None = None
) -> Axes:
    """Draw what a unit and some of its parents discriminate, at the last step with recombinations.

    Parameters
    ----------
    data
        `ontogeny.measure.construction_gain`.
    unit
        Its name, in the first row.
    parents
        Their names, a row each.
    ax
        Where to draw.

    Raises
    ------
    InputError
        If recombinations were observed at no step, or there is no such unit.

    Examples
    --------
    >>> found = ont.measure.construction_gain(record)
    >>> ax = ont.plot.detector_family(found, "fc1:0", ["conv2:3", "conv2:5"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['fc1:0', 'conv2:3', 'conv2:5']
    """
    ax = style.new_axes(ax, height=0.3 * len(parents) + 1.6)
    rows, known = [unit, *parents], data["unit"].values.astype(str).tolist()
    unknown = [name for name in rows if name not in known]
    if unknown:
        msg = f"expected units such as {known[0]}, got {', '.join(unknown)}: choose some of these"
        raise InputError(msg)
    at = _at(_seen(data, "selectivity_feature"), None).isel(unit=[known.index(n) for n in rows])
    values = at["selectivity_feature"].transpose("unit", "feature").values
    ax.set_facecolor(style.NULL)
    image = ax.imshow(values, cmap=ListedColormap(_shades(256)), aspect="auto", vmin=0, vmax=1)
    ax.axhline(0.5, color="white", linewidth=3)
    ax.set_yticks(range(len(rows)), rows)
    names = [style.name(one, 24) for one in at["feature"].values.astype(str)]
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.015, fraction=0.05)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    bar.ax.tick_params(labelsize=style.TEXT - 1)
    bar.set_label("eta squared", fontsize=style.TEXT - 2)
    return ax


def _hidden(data: xr.Dataset) -> xr.Dataset:
    return data.sel(layer=hidden(data["layer"].values))


def _seen(data: xr.Dataset, name: str) -> xr.Dataset:
    """Return the steps at which something is known."""
    values = data[name].transpose("step", ...).values
    seen = np.isfinite(values.reshape(len(values), -1)).any(axis=1)
    if not seen.any():
        msg = f"expected {name} at some step, got none: observe the run again"
        raise InputError(msg)
    return data.isel(step=seen)


def _at(data: xr.Dataset, step: int | None) -> xr.Dataset:
    """Return one of the steps; None: the last one."""
    steps = data["step"].values.tolist()
    if step is not None and step not in steps:
        msg = f"expected one of the steps {', '.join(map(str, steps))}, got {step}: choose one"
        raise InputError(msg)
    return data.isel(step=-1 if step is None else steps.index(step))
