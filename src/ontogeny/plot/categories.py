"""Category structure over layers and steps: separation, read-out, distances, maps, late exemplars.

May import matplotlib, numpy, xarray, record.layers and plot.style only.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ontogeny.plot import style
from ontogeny.record.layers import PIXELS, last_hidden


def layer_lines(
    values: xr.DataArray,
    ax: Axes | None = None,
    *,
    y: str = "",
    null: tuple[float, float] | None = None,
    null_label: str = "chance",
) -> Axes:
    """Draw one line over steps for each layer, from dark (first) to light (last); pixels dashed.

    Parameters
    ----------
    values
        (step, layer).
    ax
        Where to draw.
    y
        Label of the y axis.
    null
        Where a grey band lies: what the null gives.
    null_label
        Word beside the band.
    """
    ax = style.new_axes(ax, height=3.4)
    steps, layers = values["step"].values, [str(name) for name in values["layer"].values]
    style.step_axis(ax, steps)
    ends = []
    if null is not None:
        style.null_band(ax, ax.get_xlim(), *null)
        ends.append((float(np.mean(null)), null_label, style.FAINT))
    colours = layer_colours(layers)
    for name in layers:
        line = values.sel(layer=name).values
        ax.plot(steps, line, color=colours[name], linewidth=1.3,
                linestyle=(0, (4, 2)) if name == PIXELS else "-")  # fmt: skip
        ends.append((_last_finite(line), name, colours[name]))
    style.name_axes(ax, x=style.STEP_LABEL, y=y)
    style.label_ends(ax, ends, gap=0.06)
    return ax


def layer_colours(layers: Sequence[str]) -> dict[str, str]:
    """Return a colour for each layer, dark to light by depth; pixels are grey."""
    learning = [name for name in layers if name != PIXELS]
    places = np.linspace(0, 0.86, max(len(learning), 1))
    shades = colormaps[style.MAGNITUDE](places)
    colours = {n: to_hex(shade) for n, shade in zip(learning, shades, strict=True)}
    return {PIXELS: style.FAINT, **colours}


def _last_finite(line: np.ndarray) -> float:
    there = line[np.isfinite(line)]
    return float(there[-1]) if len(there) else float("nan")


def separation(found: xr.Dataset, ax: Axes | None = None, *, null: float = np.nan) -> Axes:
    """Draw the smallest separation of any two tokens in each layer; from 1 on all are apart.

    Parameters
    ----------
    found
        `ontogeny.measure.neural_collapse`.
    ax
        Where to draw.
    null
        Separation of tokens that do not differ.
    """
    band = (1e-3, null) if np.isfinite(null) else None
    ax = layer_lines(found["separation_worst"], ax, y="separation of the closest two tokens",
                     null=band, null_label="")  # fmt: skip
    ax.set_yscale("log")
    values = found["separation_worst"].values
    low = np.nanmin(values, initial=null if np.isfinite(null) else 0.1)
    ax.set_ylim(0.8 * max(low, 1e-3), 1.3 * np.nanmax(values, initial=1.5))
    for text in list(ax.texts):
        text.remove()
    ax.axhline(1, color=style.INK, linewidth=0.8, linestyle=(0, (1, 2)))
    name = last_hidden(found["layer"].values)
    at, colours = found.sel(layer=name), layer_colours(found["layer"].values.tolist())
    ax.fill_between(found["step"].values, at["separation_low"].values, at["separation_high"].values,
                    color=colours[name], alpha=0.25, linewidth=0)  # fmt: skip
    ends = [(_last_finite(found["separation_worst"].sel(layer=n).values), str(n), colours[n])
            for n in found["layer"].values.tolist()]  # fmt: skip
    ticks = [t for t in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30) if np.prod(np.sign(
        np.subtract(ax.get_ylim(), t))) < 0]  # fmt: skip
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    style.label_ends(ax, ends, gap=0.06)
    return ax


def step_intervals(rows: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw intervals of steps, one row each: thick between snapshots, thin the 95 % confidence.

    Parameters
    ----------
    rows
        Over `row` (names): `after`, `by`, `confidence_after`, `confidence_by`; the coordinate
        `step` sets the axis. NaN rows say so.
    ax
        Where to draw.
    """
    names = [str(name) for name in rows["row"].values]
    ax = style.new_axes(ax, height=0.28 * len(names) + 1)
    style.step_axis(ax, rows["step"].values)
    left, right = ax.get_xlim()
    for k in range(len(names)):
        ends = [float(rows[key].values[k])
                for key in ("after", "by", "confidence_after", "confidence_by")]  # fmt: skip
        after, by, low, high = np.clip(ends, left, right)
        if np.isnan(ends[1]) or np.isinf(ends[1]):
            words = "unknown" if np.isnan(ends[1]) else "not by the end"
            ax.text(right, k, words, ha="right", va="center", fontsize=style.TEXT - 1,
                    color=style.FAINT)  # fmt: skip
            continue
        ax.plot([low, high], [k, k], color=style.INK, linewidth=0.9, alpha=0.6)
        ax.plot([after, by], [k, k], color=style.INK, linewidth=6, solid_capstyle="round")
    ax.set_yticks(range(len(names)), [style.names(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def cluster_map(
    values: xr.DataArray, inside: xr.DataArray, ax: Axes | None = None, *, two_sided: bool = False
) -> Axes:
    """Draw a statistic over layers and snapshots, cells in clusters beyond chance outlined.

    Parameters
    ----------
    values
        (step, layer).
    inside
        (step, layer), True for cells of clusters beyond chance; what is outside is drawn pale.
    ax
        Where to draw.
    two_sided
        Colour by sign, white at 0.
    """
    ax = style.new_axes(ax, height=3)
    table, within = (a.transpose("layer", "step").values for a in (values, inside))
    top = np.nanmax(np.abs(table), initial=1e-12)
    colours, low = (style.SIGNED, -top) if two_sided else (style.MAGNITUDE, 0.0)
    image = ax.imshow(table, cmap=colours, vmin=low, vmax=top, aspect="auto",
                      alpha=np.where(within, 1.0, 0.25))  # fmt: skip
    for (row, column), is_in in np.ndenumerate(within):
        if is_in:
            _outline(ax, within, row, column)
    place, labels = style.snapshot_ticks(values["step"].values)
    ax.set_xticks(place, labels)
    ax.set_yticks(range(len(table)), [style.plain(str(n)) for n in values["layer"].values])
    ax.spines[:].set_visible(False)
    style.name_axes(ax, x="step of the snapshot")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.01, fraction=0.03)
    bar.ax.tick_params(labelsize=style.TEXT - 2)
    return ax


def _outline(ax: Axes, within: np.ndarray, row: int, column: int) -> None:
    """Draw the sides of a cell beyond which its cluster does not go on."""
    edges = {(-1, 0): ((0, 1), (0, 0)), (1, 0): ((0, 1), (1, 1)),
             (0, -1): ((0, 0), (0, 1)), (0, 1): ((1, 1), (0, 1))}  # fmt: skip
    for (down, right), (x, y) in edges.items():
        i, j = row + down, column + right
        inside = 0 <= i < within.shape[0] and 0 <= j < within.shape[1]
        if not (inside and within[i, j]):
            ax.plot(np.add(x, column - 0.5), np.add(y, row - 0.5), color=style.INK, linewidth=1.1)


def token_trees(distances: xr.DataArray, order: Sequence[int], axes: Sequence[Axes]) -> None:
    """Draw the tokens' trees at a few steps, leaves in one order, heights on one scale.

    Parameters
    ----------
    distances
        (step, token, token_b), squared distances; branches below 0 are drawn at 0.
    order
        Indices of the tokens from left to right, the same in all trees.
    axes
        One for each step.
    """
    names = [str(name) for name in distances["token"].values]
    top = np.sqrt(max(float(distances.max()), 1e-12))
    for ax, step, table in zip(axes, distances["step"].values, distances.values, strict=True):
        style.new_axes(ax)
        if np.isfinite(table).all():
            for x, y in _branches(table, order):
                ax.plot(x, np.sqrt(np.maximum(y, 0)), color=style.INK, linewidth=1.2)
        ax.set_ylim(0, 1.02 * top)
        ax.set_xlim(-0.5, len(names) - 0.5)
        ax.set_xticks(range(len(names)), [style.name(names[k]) for k in order], rotation=90)
        for label, k in zip(ax.get_xticklabels(), order, strict=True):
            label.set_color(style.token_colour(int(k)))
        if ax is not axes[0]:
            ax.set_yticklabels([])
        ax.set_title(f"step {int(step):,}", fontsize=style.TEXT, color=style.INK)
    style.name_axes(axes[0], y="distance")


def _branches(table: np.ndarray, order: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the lines of the average-linkage tree of a distance table."""
    place = {int(k): float(x) for x, k in enumerate(order)}
    members = {k: [k] for k in place}
    height = dict.fromkeys(place, 0.0)
    lines, new = [], len(place)
    while len(members) > 1:
        pairs = [(float(table[np.ix_(members[a], members[b])].mean()), a, b)
                 for a in members for b in members if a < b]  # fmt: skip
        high, a, b = min(pairs)
        left, right = place[a], place[b]
        lines.append((np.array([left, left, right, right]),
                      np.array([height[a], high, high, height[b]])))  # fmt: skip
        place[new], height[new] = (left + right) / 2, high
        members[new] = members.pop(a) + members.pop(b)
        new += 1
    return lines


def mode_lines(found: xr.Dataset, ax: Axes | None = None, *, names: Sequence[str] = ()) -> Axes:
    """Draw strengths of distinctions over steps, thin the closed form of a deep linear network.

    Parameters
    ----------
    found
        `ontogeny.measure.modes` of one layer, with `mode_curve` (step, mode), the baseline.
    ax
        Where to draw.
    names
        A name for each mode.
    """
    ax = style.new_axes(ax, height=3.4)
    steps, ends = found["step"].values, []
    style.step_axis(ax, steps)
    shades = colormaps[style.MAGNITUDE](np.linspace(0, 0.8, max(found.sizes["mode"], 1)))
    for k in range(found.sizes["mode"]):
        line, colour = found["mode_strength"].isel(mode=k).values, to_hex(shades[k])
        ax.plot(steps, line, color=colour, linewidth=1.6)
        ax.plot(steps, found["mode_curve"].isel(mode=k).values, color=colour, linewidth=0.9,
                linestyle=(0, (3, 2)))  # fmt: skip
        ends.append((_last_finite(line), names[k] if names else f"{k + 1}", colour))
    ax.set_ylim(bottom=0)
    style.name_axes(ax, x=style.STEP_LABEL, y="strength of a distinction")
    style.label_ends(ax, ends, gap=0.07)
    return ax


def clone_gap(found: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the accuracy on real exemplars and on Gaussian clones, and the gap's interval.

    Parameters
    ----------
    found
        `ontogeny.measure.clones`.
    ax
        Where to draw.
    """
    ax = style.new_axes(ax, height=3)
    steps = found["step"].values
    style.step_axis(ax, steps)
    ends = []
    for name, words, colour in (("real_accuracy", "real exemplars", style.INK),
                                ("clone_accuracy", "Gaussian clones", style.FAINT),
                                ("clone_gap", "gap", style.POSITIVE)):  # fmt: skip
        line = found[name].values
        ax.plot(steps, line, color=colour, linewidth=1.4)
        ends.append((_last_finite(line), words, colour))
    ax.fill_between(steps, found["clone_gap_low"].values, found["clone_gap_high"].values,
                    color=style.POSITIVE, alpha=0.2, linewidth=0)  # fmt: skip
    ax.axhline(0, color=style.FAINT, linewidth=0.8)
    after, by = (float(found[f"clone_gap_{end}"]) for end in ("after", "by"))
    if np.isfinite(by):
        ax.axvspan(max(after, ax.get_xlim()[0]), by, color=style.POSITIVE, alpha=0.15, linewidth=0)
    style.name_axes(ax, x=style.STEP_LABEL, y="accuracy")
    style.label_ends(ax, ends)
    return ax


def rdm_grid(distances: xr.DataArray, axes: np.ndarray) -> np.ndarray:
    """Draw token-by-token distances, a row per layer and a column per step, one scale per layer.

    Parameters
    ----------
    distances
        (layer, step, token, token_b), squared distances; those below 0 are drawn as 0.
    axes
        [layer, step] axes.
    """
    distances = distances.transpose("layer", "step", "token", "token_b")
    names = [str(name) for name in distances["token"].values]
    for row, layer in zip(axes, distances, strict=True):
        root = np.sqrt(np.maximum(layer.values, 0))
        top = np.nanmax(root, initial=1e-12)
        for ax, table in zip(row, root, strict=True):
            ax.imshow(table, cmap=style.MAGNITUDE, vmin=0, vmax=top)
            _bare_grid(ax)
        row[0].set_ylabel(str(layer["layer"].values), fontsize=style.TEXT, rotation=0,
                          ha="right", va="center", color=style.INK)  # fmt: skip
        row[-1].text(1.06, 0.5, f"{top:.2g}", transform=row[-1].transAxes, va="center",
                     fontsize=style.TEXT - 1, color=style.FAINT)  # fmt: skip
    for ax, step in zip(axes[0], distances["step"].values, strict=True):
        ax.set_title(f"step {int(step):,}", fontsize=style.TEXT, color=style.INK)
    last = axes[-1, 0]
    last.set_xticks(range(len(names)), [style.name(n) for n in names], rotation=90,
                    fontsize=style.TEXT - 2)  # fmt: skip
    for k, label in enumerate(last.get_xticklabels()):
        label.set_color(style.token_colour(k))
    return axes


def cka_grid(values: xr.DataArray, axes: np.ndarray) -> np.ndarray:
    """Draw the likeness of a layer to itself between snapshots, one square per layer.

    Parameters
    ----------
    values
        (layer, step, step_b), from 0 (blank) to 1; below 0 is drawn as 0.
    axes
        One for each layer.
    """
    place, labels = style.snapshot_ticks(values["step"].values, count=5)
    for ax, layer in zip(axes, values, strict=True):
        ax.imshow(layer.values, cmap=style.MAGNITUDE, norm=Normalize(0, 1), origin="lower")
        ax.set_xticks(place, labels, fontsize=style.TEXT - 2, rotation=90)
        ax.set_yticks(place, labels if ax is axes[0] else [], fontsize=style.TEXT - 2)
        ax.set_title(str(layer["layer"].values), fontsize=style.TEXT, color=style.INK)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=2, colors=style.INK)
    style.name_axes(axes[0], y="step")
    return axes


def map_grid(found: xr.Dataset, token: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Draw maps of the exemplars, a row per layer and a column per step, in the tokens' colours.

    Axes of a row share one scale; the number is the map's trustworthiness.

    Parameters
    ----------
    found
        `ontogeny.measure.maps`, of the layers and steps to draw.
    token
        Index of each exemplar's token.
    axes
        [layer, step] axes.
    """
    frames = found["map"].transpose("layer", "map_step", "exemplar", "axis")
    trust = found["trustworthiness"].transpose("layer", "map_step").values
    order = np.random.default_rng(0).permutation(len(token))  # no token lies on top
    colours = np.array([style.token_colour(int(c)) for c in token])
    for row, layer, kept in zip(axes, frames, trust, strict=True):
        reach = 1.05 * np.nanmax(np.abs(layer.values), initial=1e-12)
        for ax, frame, share in zip(row, layer.values, kept, strict=True):
            ax.scatter(*frame[order].T, c=colours[order], s=2.2, linewidths=0, rasterized=True)
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
            _bare_grid(ax)
            words = f"{share:.2f}" if np.isfinite(share) else "no map"
            ax.text(0.98, 0.02, words, transform=ax.transAxes, ha="right", color=style.FAINT,
                    fontsize=style.TEXT - 2)  # fmt: skip
        row[0].set_ylabel(str(layer["layer"].values), fontsize=style.TEXT, rotation=0,
                          ha="right", va="center", color=style.INK)  # fmt: skip
    for ax, step in zip(axes[0], frames["map_step"].values, strict=True):
        ax.set_title(f"step {int(step):,}", fontsize=style.TEXT, color=style.INK)
    return axes


def token_key(figure: Figure, tokens: Sequence[str]) -> Figure:
    """Write the tokens' names in their colours above the figure's axes."""
    handles = [Line2D([], [], color=style.token_colour(k), marker="o", linestyle="", markersize=5)
               for k in range(len(tokens))]  # fmt: skip
    names = [style.name(name) for name in tokens]
    figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 8),
                  frameon=False, fontsize=style.TEXT, handletextpad=0.1)  # fmt: skip
    return figure


def captioned_images(
    images: np.ndarray, captions: Sequence[str], token: np.ndarray, axes: Sequence[Axes]
) -> Sequence[Axes]:
    """Draw images with words below, framed in their token's colour; spare axes stay empty.

    Parameters
    ----------
    images
        uint8 [exemplar, y, x, channel].
    captions
        One for each.
    token
        Index of each one's token.
    axes
        At least as many.
    """
    for ax in axes:
        _bare_grid(ax)
        ax.spines[:].set_visible(False)
    for ax, image, words, index in zip(axes, images, captions, token, strict=False):
        shown = image if image.shape[-1] == 3 else image[..., :1].repeat(3, axis=-1)
        ax.imshow(shown, interpolation="nearest")
        ax.spines[:].set_visible(True)
        for side in ax.spines.values():
            side.set_color(style.token_colour(int(index)))
            side.set_linewidth(1.6)
        ax.set_xlabel(style.plain(words), fontsize=style.TEXT - 2, color=style.INK, labelpad=3)
    return axes


def _bare_grid(ax: Axes) -> None:
    """Leave a thin frame and no ticks."""
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_color(style.NULL)
        side.set_linewidth(0.7)
