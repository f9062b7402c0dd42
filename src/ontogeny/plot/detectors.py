"""Tuning of units and their life lines.

May import matplotlib, numpy, xarray, ontogeny.errors, record.layers and plot.style
only.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ontogeny.errors import InputError
from ontogeny.plot import style
from ontogeny.record.layers import hidden

_CERTAIN = 0.95


def life_lines(
    detectors: xr.Dataset, ax: Axes | None = None, *, layers: list[str] | None = None
) -> Axes:
    """Draw when the units of each layer are tuned to a token, and to which.

    One row is one unit, one column one snapshot; the colour is the token that the unit prefers
    while its score is beyond chance, white where it is not, grey where the unit is dormant. Within
    a layer, units that are tuned first lie on top; those that never are lie below. A black dot
    marks a change of the preferred token that 95 % of resamples show.

    Parameters
    ----------
    detectors
        `ontogeny.measure.detectors`, or the union of `tuning` and `unit_lives`.
    ax
        Where to draw.
    layers
        Which, from top to bottom; None: all but the logits.

    Examples
    --------
    >>> ax = ont.plot.life_lines(ont.measure.detectors(record))
    >>> [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]
    ['conv1 0 of 8 tuned', 'conv2 3 of 16 tuned', 'fc1 3 of 16 tuned']
    """
    every = list(dict.fromkeys(detectors["layer_of_unit"].values.astype(str).tolist()))
    chosen = layers or hidden(every) or every
    ax = style.new_axes(ax, width=8.4, height=1.2 + 0.6 * len(chosen))
    heights = {name: _height(detectors, name) for name in chosen}
    top, ticks = 0.0, []
    for name in chosen:
        _layer_raster(ax, detectors, name, top, heights[name])
        ticks.append(top + heights[name] / 2)
        top += heights[name] + 0.14
    ax.set_ylim(top - 0.1, -0.06)
    ax.set_yticks(ticks, [_layer_words(detectors, name) for name in chosen])
    ax.tick_params(axis="y", length=0)
    steps = detectors["step"].values
    ax.set_xlim(-0.5, len(steps) - 0.5)
    ax.set_xticks(*style.snapshot_ticks(steps))
    style.name_axes(ax, x="step (one column per snapshot)")
    ax.spines["left"].set_visible(False)
    _token_key(ax, detectors)
    return ax


def _height(detectors: xr.Dataset, layer: str) -> float:
    """Return a height that grows slowly with the number of units."""
    n_units = int(np.sum(detectors["layer_of_unit"].values.astype(str) == layer))
    return 0.4 + 0.15 * np.log2(max(n_units, 1))


def _layer_words(detectors: xr.Dataset, layer: str) -> str:
    of_layer = detectors["layer_of_unit"].values.astype(str) == layer
    at_end = np.isposinf(detectors["untuned_by"].values[of_layer]).sum()
    return f"{layer}\n{at_end} of {of_layer.sum()} tuned"


def _layer_raster(ax: Axes, detectors: xr.Dataset, layer: str, top: float, height: float) -> None:
    of_layer = np.flatnonzero(detectors["layer_of_unit"].values.astype(str) == layer)
    by = detectors["tuned_by"].values[of_layer]
    dormant = np.isfinite(detectors["dormant_by"].values[of_layer])
    final = detectors["preferred"].values[-1, of_layer]
    order = of_layer[np.lexsort((final, by, dormant & np.isposinf(by)))]
    image = _colours(detectors, order, layer)
    extent = (-0.5, image.shape[1] - 0.5, top + height, top)
    ax.imshow(image, extent=extent, aspect="auto", interpolation="nearest")
    edges = [[(-0.5, y), (image.shape[1] - 0.5, y)] for y in (top, top + height)]
    ax.add_collection(LineCollection(edges, colors=style.FAINT, linewidths=0.5))
    _mark_changes(ax, detectors, order, top, height)


def _colours(detectors: xr.Dataset, units: np.ndarray, layer: str) -> np.ndarray:
    """Return one colour per unit and snapshot [unit, snapshot, 3]."""
    threshold = float(detectors["score_threshold"].sel(layer=layer))
    score = detectors["score"].values[:, units].T
    preferred = detectors["preferred"].values[:, units].T
    dormant = ~(_dormant_at(detectors) < detectors["dormancy"].values[:, units].T)
    names = [style.token_colour(k) for k in range(detectors.sizes["token"])]
    palette = np.array([_rgb(colour) for colour in names])
    tuned = (score > threshold) & (preferred >= 0)
    image = np.ones((*score.shape, 3))
    image[dormant] = _rgb(style.NULL)
    image[tuned] = palette[preferred[tuned]]
    return image


def _dormant_at(detectors: xr.Dataset) -> float:
    return float(detectors["dormancy"].attrs.get("dormant_at", 0.025))


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])


def _mark_changes(
    ax: Axes, detectors: xr.Dataset, order: np.ndarray, top: float, height: float
) -> None:
    if not detectors.sizes.get("role_change", 0):
        return
    row = {int(u): k for k, u in enumerate(order)}
    steps = detectors["step"].values
    sure = detectors["change_share"].values >= _CERTAIN
    units = detectors["changed_unit"].values.tolist()
    places = [(np.searchsorted(steps, by) - 0.5, top + (row[unit] + 0.5) / len(order) * height)
              for unit, by, is_sure in zip(units, detectors["changed_by"].values, sure, strict=True)
              if is_sure and unit in row]  # fmt: skip
    if places:
        ax.scatter(*np.array(places).T, s=3, color="black", linewidths=0, zorder=3)


def _token_key(ax: Axes, detectors: xr.Dataset) -> None:
    names = [str(name) for name in detectors["token"].values]
    handles: list = [Patch(color=style.token_colour(k), label=style.name(name))
                     for k, name in enumerate(names)]  # fmt: skip
    handles += [
        Patch(facecolor="white", edgecolor=style.FAINT, linewidth=0.6, label="not tuned"),
        Patch(facecolor=style.NULL, label="inactive"),
        Line2D([], [], marker="o", markersize=3, color="black", linestyle="",
               label="prefers another token from here"),
    ]  # fmt: skip
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, ncols=4,
        fontsize=style.TEXT - 1, title="a unit's row has the colour of the token that it answers",
        title_fontsize=style.TEXT, alignment="left", handlelength=1.2, columnspacing=1.4,
    )  # fmt: skip


def tuning_curves(detectors: xr.Dataset, unit: str, ax: Axes | None = None) -> Axes:
    """Draw how well one unit tells each token from the rest, over steps.

    The grey band is what chance gives: no unit of the layer leaves it upwards for any token at any
    step, with 95 %.

    Parameters
    ----------
    detectors
        `ontogeny.measure.tuning`.
    unit
        Its name, such as conv3:17.
    ax
        Where to draw.

    Raises
    ------
    InputError
        If there is no such unit.

    Examples
    --------
    Names at the ends of the curves, from the lowest up, and of the band:

    >>> ax = ont.plot.tuning_curves(ont.measure.tuning(record), "logits:2")
    >>> [text.get_text() for text in ax.texts]
    ['bo', 'ada', 'cleo', 'chance']
    """
    names = detectors["unit"].values.astype(str)
    if unit not in names:
        layer = unit.partition(":")[0]
        there = [name for name in names if name.partition(":")[0] == layer] or list(names)
        msg = f"expected a unit from {there[0]} to {there[-1]}, got {unit}: name one of these"
        raise InputError(msg)
    ax = style.new_axes(ax, width=7.2, height=3.2)
    steps, at = detectors["step"].values, int(np.flatnonzero(names == unit)[0])
    layer = str(detectors["layer_of_unit"].values[at])
    bound = float(detectors["auroc_threshold"].sel(layer=layer))
    style.step_axis(ax, steps)
    ax.set_ylim(-0.02, 1.02)
    style.null_band(ax, steps, 1 - bound, bound)
    ax.axhline(0.5, color=style.FAINT, linewidth=0.6)
    ends = []
    for k, token in enumerate(detectors["token"].values.astype(str)):
        values = detectors["auroc"].values[:, at, k]
        ax.plot(steps, values, color=style.token_colour(k), linewidth=1.6)
        ax.plot(steps[-1:], values[-1:], color=style.token_colour(k), marker=style.token_marker(k),
                markersize=5)  # fmt: skip
        ends.append((float(values[-1]), style.shortened(token), style.token_colour(k)))
    style.label_ends(ax, ends)
    ax.set_yticks(
        [0, 0.5, 1],
        ["0: answers it\nleast of all", "0.5: cannot\ntell", "1: answers it\nmost of all"],
    )
    ax.text(0.01, 0.5, "chance", transform=ax.get_yaxis_transform(), va="bottom",
            fontsize=style.TEXT - 1, color=style.FAINT)  # fmt: skip
    ax.set_title(f"{unit}: each token against the rest (AUROC)", fontsize=style.TEXT + 1,
                 loc="left", color=style.INK)  # fmt: skip
    return ax


def score_distribution(
    detectors: xr.Dataset, *, steps: list[int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how the units of each layer score for the token that they prefer, beside chance.

    One dot is one unit; grey: not beyond chance. The black line is the score that no unit of
    the layer passes by chance at any step, with 95 %; above it stands the share of units that do.

    Parameters
    ----------
    detectors
        `ontogeny.measure.tuning`.
    steps
        Two recorded steps; None: the first and the last.
    ax
        Where to draw.

    Examples
    --------
    The share of conv2's units that are beyond chance, at step 0 and at step 300:

    >>> ax = ont.plot.score_distribution(ont.measure.tuning(record))
    >>> [text.get_text() for text in ax.texts[4:8]]
    ['0%', '0', '31%', '300']
    """
    recorded = detectors["step"].values
    chosen = [int(recorded[0]), int(recorded[-1])] if steps is None else steps
    ax = style.new_axes(ax, width=8.4, height=3.8)
    layers = [str(name) for name in detectors["layer"].values]
    of_unit = detectors["layer_of_unit"].values.astype(str)
    rng = np.random.default_rng(0)
    for j, layer in enumerate(layers):
        bound = float(detectors["score_threshold"].sel(layer=layer))
        units = np.flatnonzero(of_unit == layer)
        for k, step in enumerate(chosen):
            place = j + (k - (len(chosen) - 1) / 2) * 0.42
            score = detectors["score"].sel(step=step).values[units]
            _dots(ax, place, score, bound, rng)
            share = np.mean(score[np.isfinite(score)] > bound) if np.isfinite(score).any() else 0
            ax.text(place, 1.03, f"{share:.0%}", ha="center", fontsize=style.TEXT - 2.5,
                    color=style.POSITIVE)  # fmt: skip
            ax.text(place, -0.01, f"{step:,}", ha="center", va="bottom", rotation=90,
                    fontsize=style.TEXT - 2.5, color=style.FAINT)  # fmt: skip
        ax.plot([j - 0.42, j + 0.42], [bound, bound], color="black", linewidth=1.2, zorder=3)
    ax.set_xticks(range(len(layers)), layers)
    ax.set_ylim(-0.02, 1.09)
    style.name_axes(ax, y="score (AUROC, held-out half)")
    ax.set_title(f"blue: units beyond chance (black line) at steps "
                 f"{' and '.join(f'{s:,}' for s in chosen)}", fontsize=style.TEXT, loc="left",
                 color=style.INK)  # fmt: skip
    return ax


def _dots(
    ax: Axes, place: float, score: np.ndarray, bound: float, rng: np.random.Generator
) -> None:
    score = score[np.isfinite(score)]
    x = place + rng.uniform(-0.13, 0.13, len(score))
    colours = np.where(score > bound, style.POSITIVE, style.FAINT)
    ax.scatter(x, score, s=4, c=colours.tolist(), linewidths=0, alpha=0.6)
