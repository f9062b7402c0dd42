"""One detector's life on a page: its pictures, its course, its roll-back, its relatives.

May import matplotlib, numpy, xarray, plot.style and plot.ancestry only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ontogeny.plot import style
from ontogeny.plot.ancestry import tile

KINDS = ("inherits", "selects", "combines")
_MARKERS = ("o", "o", "D")
_OWN, _PARENT, _GIVEN = style.POSITIVE, style.NEGATIVE, style.FAINT
_SIDES = {"parent": "parents that add most", "child": "built on it",
          "detector": "hidden units that tell it"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures of a life, as uint8 [y, x, channel]."""

    steps: list[int]
    """Of the pictures along the way."""
    preferred: list[np.ndarray]
    """What the unit prefers at each of these steps; empty where it has no film."""
    best: list[np.ndarray]
    """The exemplar to which it responds most at each of these steps; empty without images."""
    words: str
    """What `preferred` shows."""
    relatives: Mapping[str, np.ndarray]
    """Of parents and children that have a picture."""


def biography_page(data: xr.Dataset, gallery: Gallery) -> Figure:
    """Draw one detector's life on one page.

    Above, what it prefers and the exemplar to which it responds most, along the steps. Below, its
    selectivity (blue), that of its recombinations on average (grey) and of its best parent
    (orange); a marker tells what it does at the step, a grey field when construction begins. Below
    that, what the network loses when the unit alone is rolled back, with its interval, and the
    range of units of like amplitude (grey). Left its parents, right what is built on it; a circle
    before the name: beyond its like in amplitude. Of a token, right the hidden units that add
    most to telling it.

    Parameters
    ----------
    data
        `ontogeny.biography(...).data`.
    gallery
        Its pictures.

    Examples
    --------
    Selectivity alone, where nothing else is known:

    >>> import xarray as xr
    >>> from ontogeny.plot.biography import Gallery, biography_page
    >>> steps = record.step.values
    >>> course = {"selectivity": ("step", np.linspace(0, 1, len(steps)))}
    >>> data = xr.Dataset(course, {"step": steps}, {"unit": "conv2:3"})
    >>> figure = biography_page(data, Gallery([0, 300], [], [], "preferred", {}))
    >>> [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()]
    ['selectivity']
    """
    has_rollback = "margin_change" in data
    pictures = 2.0 if gallery.preferred and gallery.best else 1.15
    heights = [pictures, 2.7, *([2.1] if has_rollback else [])]
    figure = Figure(figsize=(13.5, 1.7 + sum(heights)))
    grid = figure.add_gridspec(
        len(heights), 3, height_ratios=heights, width_ratios=[1.25, 6.0, 1.25],
        left=0.015, right=0.985, top=0.9, bottom=0.075, wspace=0.3, hspace=0.2,
    )  # fmt: skip
    figure.text(0.015, 0.95, _title(data), fontsize=style.TEXT + 6, fontweight="bold",
                color=style.INK)  # fmt: skip
    _along(figure.add_subplot(grid[0, 1]), data, gallery)
    _course(figure.add_subplot(grid[1, 1]), data, label=not has_rollback)
    if has_rollback:
        _rollback(figure.add_subplot(grid[2, 1]), data)
    for side, column in (("parent", 0), ("child" if data.sizes.get("child") else "detector", 2)):
        _relatives(figure.add_subplot(grid[:, column]), data, side, gallery)
    return style.legible(figure)


def _title(data: xr.Dataset) -> str:
    token = data.attrs.get("token", "")
    unit = str(data.attrs["unit"])
    return style.plain(f"{unit}, the logit of {token}" if token else unit)


def _along(ax: Axes, data: xr.Dataset, gallery: Gallery) -> None:
    """Draw the pictures at their steps, pushed apart where they would meet."""
    style.step_axis(ax, data["step"].values, label=False)
    rows = [(words, pictures, smooth) for words, pictures, smooth in (
        (gallery.words, gallery.preferred, gallery.words == "preferred"),
        ("best exemplar", gallery.best, False)) if pictures]  # fmt: skip
    ax.set_ylim(0, 1)
    places = _places(ax, gallery.steps)
    box = ax.get_position()
    page = ax.get_figure(root=True)
    assert page is not None
    width, height = page.get_size_inches()
    side = min(0.112, (0.43 if len(rows) > 1 else 0.78) * box.height * height / (box.width * width))
    tall = side * box.width * width / (box.height * height)
    for row, (words, pictures, smooth) in enumerate(rows):
        bottom = 1 - (row + 1) * (tall + 0.03)
        left = places[0] - side / 2 - 0.012
        ax.text(left, bottom + tall / 2, words.replace(" ", "\n"), transform=ax.transAxes,
                ha="right", va="center", fontsize=style.TEXT - 1, color=style.INK)  # fmt: skip
        for x, picture in zip(places, pictures, strict=False):
            _inset(ax, (x - side / 2, bottom, side, tall), picture, smooth=smooth)
    low = 1 - len(rows) * (tall + 0.03)
    for x, at, step in zip(places, _positions(ax, gallery.steps), gallery.steps, strict=True):
        if rows:
            ax.plot([x, at], [low, -0.06], color=style.FAINT, linewidth=0.6, clip_on=False,
                    transform=ax.transAxes)  # fmt: skip
            ax.text(x, 1.01, f"{step:,}", transform=ax.transAxes, ha="center", va="bottom",
                    fontsize=style.TEXT - 1, color=style.FAINT)  # fmt: skip
    style.bare(ax)


def _inset(
    ax: Axes, bounds: tuple[float, float, float, float], picture: np.ndarray, *, smooth: bool
) -> None:
    inner = ax.inset_axes(bounds)
    tile(inner, picture, (0, 0), smooth=smooth)
    inner.set_xlim(-0.5, 0.5)
    inner.set_ylim(-0.5, 0.5)
    style.bare(inner)


def _positions(ax: Axes, steps: list[int]) -> list[float]:
    """Return where steps lie along the axes, 0 to 1."""
    to_axes = ax.transData + ax.transAxes.inverted()
    return [float(to_axes.transform((step, 0.0))[0]) for step in steps]


def _places(ax: Axes, steps: list[int]) -> list[float]:
    """Return the same, moved apart, and within the axes as a whole."""
    wanted = np.clip(_positions(ax, steps), 0.056, 0.97).tolist()
    return style.spread(wanted, 0.118)


def _course(ax: Axes, data: xr.Dataset, *, label: bool) -> None:
    """Draw selectivity over steps with what is inherited, the best parent and the kinds."""
    style.new_axes(ax)
    steps, own = data["step"].values, data["selectivity"].values
    style.step_axis(ax, steps, label=label)
    _begins(ax, data)
    ends = []
    for name, words, colour, width in (
        ("best_parent_selectivity", "best parent", _PARENT, 1.1),
        ("inherited", "recombined", _GIVEN, 1.3),
        ("selectivity", "its own", _OWN, 2.0),
    ):
        if name not in data:
            continue
        # where it was not observed the line goes on; where it was, and is not known, it breaks
        there = _seen(data) if name == "inherited" else np.ones(len(steps), bool)
        values = data[name].values[there]
        ax.plot(steps[there], values, color=colour, linewidth=width)
        if np.isfinite(values).any():
            ends.append((float(values[np.isfinite(values)][-1]), words, colour))
    highest = max((np.nanmax(line.get_ydata(), initial=0.0) for line in ax.lines), default=0.0)
    ax.set_ylim(0, max(0.1, 1.1 * float(highest)))
    if "kind" in data:
        _kinds(ax, steps, own, data["kind"].values)
    _inactive(ax, steps, own)
    style.name_axes(ax, x=style.STEP_LABEL if label else "", y="selectivity")
    style.label_ends(ax, ends, gap=0.085)


def _inactive(ax: Axes, steps: np.ndarray, own: np.ndarray) -> None:
    """Mark where the unit has no selectivity."""
    asleep = np.isnan(own)
    if not asleep.any():
        return
    ax.plot(steps, np.where(asleep, 0.0, np.nan), color=_OWN, linestyle=(0, (1, 1.6)), linewidth=2,
            clip_on=False)  # fmt: skip
    ax.annotate("inactive", (float(steps[np.flatnonzero(asleep)[asleep.sum() // 2]]), 0),
                xytext=(0, 4), textcoords="offset points", ha="center", color=_OWN,
                fontsize=style.TEXT - 2)  # fmt: skip


def _seen(data: xr.Dataset) -> np.ndarray:
    """Say at which steps recombinations were observed."""
    return np.isin(data["step"].values, data["observed_step"].values)


def _begins(ax: Axes, data: xr.Dataset) -> None:
    """Shade the interval in which construction begins."""
    if "construction_by" not in data or not math.isfinite(float(data["construction_by"])):
        return
    by, after = float(data["construction_by"]), float(data["construction_after"])
    ax.axvspan(after if math.isfinite(after) else ax.get_xlim()[0], by, color=style.NULL,
               linewidth=0, zorder=0)  # fmt: skip
    ax.annotate("constructed from here", (by, 1.0), xytext=(4, -3), textcoords="offset points",
                xycoords=("data", "axes fraction"), ha="left", va="top",
                fontsize=style.TEXT - 2, color=style.FAINT)  # fmt: skip


def _kinds(ax: Axes, steps: np.ndarray, own: np.ndarray, kind: np.ndarray) -> None:
    """Mark what the unit does at each observed step."""
    for k, (words, marker) in enumerate(zip(KINDS, _MARKERS, strict=True)):
        mine = kind == k
        ax.plot(steps[mine], own[mine], linestyle="none", marker=marker, markersize=6.5,
                markerfacecolor="white" if k == 0 else _OWN, markeredgecolor=_OWN, label=words,
                zorder=5, clip_on=False)  # fmt: skip
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, labels, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0),
              frameon=False, fontsize=style.TEXT - 1, handletextpad=0.2, borderpad=0,
              columnspacing=1.2)  # fmt: skip


def _rollback(ax: Axes, data: xr.Dataset) -> None:
    """Draw the change of the margin with its interval, and the range of the controls."""
    style.new_axes(ax)
    steps, change = data["rolled_step"].values, data["margin_change"].values
    style.step_axis(ax, data["step"].values)
    controls = data["control_margin_change"].values
    if len(controls):
        ax.fill_between(steps, controls.min(axis=0), controls.max(axis=0), color=style.NULL,
                        linewidth=0, zorder=0)  # fmt: skip
    ax.axhline(0, color=style.FAINT, linewidth=0.7)
    low, high = data["margin_change_low"].values, data["margin_change_high"].values
    ax.vlines(steps, low, high, color=_OWN, linewidth=1.2)
    ax.plot(steps, change, color=_OWN, linewidth=1.6, marker="o", markersize=4)
    bounds = [low, high, *controls, np.zeros(1)]
    bottom, top = (float(f(np.concatenate(bounds))) for f in (np.nanmin, np.nanmax))
    margin = 0.12 * max(top - bottom, 0.01)
    ax.set_ylim(bottom - margin, top + margin)
    style.name_axes(ax, x=f"rolled back alone to {style.STEP_LABEL}", y="change of margin (logits)")
    style.label_ends(ax, [(float(change[-1]), "it alone", _OWN)])
    if len(controls):
        ax.text(1.015, 0.08, f"grey: {len(controls)} units\nof like amplitude", color=_GIVEN,
                transform=ax.transAxes, fontsize=style.TEXT - 1, va="bottom")  # fmt: skip


def _relatives(ax: Axes, data: xr.Dataset, side: str, gallery: Gallery) -> None:
    """Draw parents or children from above to below, each with what it is."""
    style.bare(ax)
    if not data.sizes.get(side, 0):
        return
    ax.text(0, 0.83, _SIDES[side], ha="center", va="top", fontsize=style.TEXT, color=style.INK)
    for k, name in enumerate(data[side].values.astype(str).tolist()):
        y = -1.62 * k
        tile(ax, gallery.relatives.get(name, np.zeros((0, 0, 3), np.uint8)), (0, y),
             smooth=False)  # fmt: skip
        ax.text(0, y - 0.55, _about(data, side, k), ha="center", va="top", linespacing=1.15,
                fontsize=style.TEXT - 1.5, color=style.INK)  # fmt: skip
    # pictures set the aspect and the limits to their own
    ax.set_xlim(-0.6, 0.6)
    ax.set_ylim(-1.62 * 4 + 0.75, 0.85)
    ax.set_aspect("equal", anchor="N")


def _about(data: xr.Dataset, side: str, k: int) -> str:
    """Say a relative's name, what its edge is worth, what it tells and does."""
    if side == "detector":
        own, dealt = (float(data[f"detector_{name}_feature"][k])
                      for name in ("selectivity", "inherited"))  # fmt: skip
        return style.plain(f"{data[side].values[k]} {own:.2f}\nrecombined {dealt:.2f}")
    at = data.isel(edge_step=-1)
    name, gain = str(at[side].values[k]), float(at[f"{side}_edge_gain"][k])
    p, kind = float(at[f"{side}_edge_gain_p"][k]), int(at[f"{side}_kind"][k])
    head = f"{'● ' if p <= 0.05 + 1e-9 else ''}{name} {gain:+.3f}"
    rest = [str(at[f"{side}_feature"].values[k]), KINDS[kind] if kind >= 0 else ""]
    return style.plain("\n".join([head, *(words for words in rest if words)]))
