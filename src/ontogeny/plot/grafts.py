"""Grafts across time: accuracies by the steps of both parts, and when lower layers were ready.

May import matplotlib, numpy, xarray, errors, plot.style and plot.categories only.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patheffects import Normal, Stroke

from ontogeny.errors import InputError
from ontogeny.plot import style
from ontogeny.plot.categories import layer_colours

_READY = "#ffffff"
_READY_LABEL = "step from which the lower layers were ready"
_OUTLINE = (Stroke(linewidth=3.4, foreground=style.INK), Normal())


def graft_map(data: xr.Dataset, cut: str, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of grafts by the step of the lower layers and that of the upper ones.

    Grey: not shown to be above chance. Dots on the diagonal are the networks themselves. Above the
    white line, as far up as the dots, no graft is shown to be worse than the network of the upper
    layers: its lower layers were ready.

    Parameters
    ----------
    data
        `ontogeny.grafts`.
    cut
        Topmost layer that is of the earlier or later step.
    ax
        Where to draw.

    Raises
    ------
    InputError
        If nothing is cut at this layer.

    Examples
    --------
    Here of random answers; of a run, `data` is `ont.grafts(run)`.

    >>> from ontogeny.construction.readiness import Shown, described, labelled
    >>> steps, shown = np.array([0, 24, 300]), Shown(np.arange(40) % 2, np.arange(40), ("a", "b"))
    >>> right = np.random.default_rng(0).random((1, 3, 3, 40)) < 0.8
    >>> data = labelled(described(right, steps, shown), ["conv1"], steps, shown)
    >>> ont.plot.graft_map(data, "conv1").get_ylabel()
    'step of the layers up to conv1'
    """
    if cut not in data["cut"].values:
        there = ", ".join(data["cut"].values.astype(str))
        msg = f"expected a layer at which networks were cut ({there}), got {cut}"
        raise InputError(msg)
    ax = style.new_axes(ax, width=5.6, height=4.6)
    at, steps = data.sel(cut=cut), data["step"].values
    above = at["graft_accuracy_low"] > data["chance"]
    table = at["graft_accuracy"].where(above).transpose("step", "step_b")
    edges = np.arange(len(steps) + 1) - 0.5
    ax.set_facecolor(style.NULL)
    ax.pcolormesh(edges, edges, table.values, cmap=style.MAGNITUDE, norm=Normalize(0, 1))
    place = np.arange(len(steps))
    ax.plot(place, place, "o", color=style.INK, markersize=3.2, markeredgecolor=_READY,
            markeredgewidth=0.6)  # fmt: skip
    _draw_ready(ax, at["ready_by"].values, steps)
    ticks, words = style.snapshot_ticks(steps, 12)
    ax.set_xticks(ticks, words, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(ticks, words)
    style.name_axes(ax, x=f"step of the layers above {cut}", y=f"step of the layers up to {cut}")
    _accuracy_bar(ax, float(data["chance"]))
    return ax


def readiness(
    data: xr.Dataset, ax: Axes | None = None, *, cuts: Sequence[str] | None = None
) -> Axes:
    """Draw from which step on the lower layers did for the upper ones of each step.

    A line a cut; cuts stand side by side at each step. The bar below each point is the interval
    between two steps of the grid; the thin line above it ends at `equal_by`, from where on grafts
    are shown to lose less than .05. On the dashed line the lower layers were ready no earlier than
    the upper ones.

    Parameters
    ----------
    data
        `ontogeny.grafts`.
    ax
        Where to draw.
    cuts
        Which cuts to draw; None: all.

    Examples
    --------
    Here of random answers; of a run, `data` is `ont.grafts(run)`.

    >>> from ontogeny.construction.readiness import Shown, described, labelled
    >>> steps, shown = np.array([0, 24, 300]), Shown(np.arange(40) % 2, np.arange(40), ("a", "b"))
    >>> right = np.random.default_rng(0).random((1, 3, 3, 40)) < 0.8
    >>> data = labelled(described(right, steps, shown), ["conv1"], steps, shown)
    >>> ont.plot.readiness(data).get_xlabel()
    'step of the upper layers (logarithmic)'
    """
    ax = style.new_axes(ax, width=7.2, height=4.6)
    names = data["cut"].values.astype(str).tolist()
    chosen, colours, ends = list(cuts or names), layer_colours(names), []
    steps = data["step_b"].values.astype(float)
    _equal_step_axes(ax, steps)
    for name, beside in zip(chosen, _beside(steps, len(chosen)), strict=True):
        at, colour, x = data.sel(cut=name), colours[name], steps * beside
        after, by = np.maximum(at["ready_after"].values, 0), at["ready_by"].values
        ax.vlines(x, after, by, color=colour, alpha=0.35, linewidth=3.5)
        ax.vlines(x, by, at["equal_by"].values, color=colour, linewidth=0.9)
        ax.plot(x, by, color=colour, linewidth=0.9, marker="o", markersize=3.2, clip_on=False)
        ends.append((float(by[-1]), name, colour))
    known = steps[data["ready_by"].notnull().any("cut").values]
    if len(known):
        ax.set_xlim(known[0] / 1.4, known[-1] * 1.25)
        ax.set_xticks(known, [f"{step:,.0f}" for step in known])
    style.label_ends(ax, ends, gap=0.048)
    style.name_axes(ax, x="step of the upper layers (logarithmic)", y=_READY_LABEL)
    return ax


def _equal_step_axes(ax: Axes, steps: np.ndarray) -> None:
    """Make both axes step axes, with a dashed diagonal."""
    style.step_axis(ax, steps, label=False)
    ax.set_yscale("symlog", linthresh=1, linscale=0.25)
    ax.set_ylim(*ax.get_xlim())
    ticks = ax.xaxis.get_major_locator().tick_values(*ax.get_xlim())
    ax.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    ax.minorticks_off()
    ends = ax.get_xlim()
    ax.plot(ends, ends, color=style.FAINT, linewidth=0.9, linestyle=(0, (4, 3)))


def _beside(steps: np.ndarray, count: int) -> np.ndarray:
    """Return factors by which lines are moved aside, well within the distance of two steps."""
    closest = np.diff(np.log(np.maximum(steps, 1)))[-3:].min(initial=1.0)
    return np.exp(np.linspace(-0.3, 0.3, count) * closest) if count > 1 else np.ones(1)


def _draw_ready(ax: Axes, by: np.ndarray, steps: np.ndarray) -> None:
    """Draw where the lower layers become ready, below the cells from which on they are."""
    known = np.isfinite(by)
    edge = np.where(known, np.searchsorted(steps, np.where(known, by, 0)) - 0.5, np.nan)
    x = np.repeat(np.arange(len(steps) + 1) - 0.5, 2)[1:-1]
    ax.plot(x, np.repeat(edge, 2), color=_READY, linewidth=1.8, path_effects=list(_OUTLINE),
            clip_on=False)  # fmt: skip


def _accuracy_bar(ax: Axes, chance: float) -> None:
    bar = ax.figure.colorbar(
        ScalarMappable(Normalize(0, 1), style.MAGNITUDE), ax=ax, pad=0.03, aspect=30, fraction=0.05
    )
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    bar.set_ticks([0, chance, 0.5, 1], labels=["0", "chance", "0.5", "1"])
    bar.ax.axhline(chance, color=_READY, linewidth=1.4)
    bar.set_label("accuracy of the graft", fontsize=style.TEXT, color=style.INK)
    bar.ax.tick_params(labelsize=style.TEXT - 1, colors=style.INK)
