"""Token signals over layers and steps, and onsets as intervals.

May import matplotlib, numpy, xarray, ontogeny.schedule and plot.style only.
"""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from ontogeny.plot import style
from ontogeny.schedule import evenly_spaced

_BARELY = 0.05


def token_signal_map(measures: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the layers' token signal over snapshots; grey where it is not beyond shuffled tokens.

    One column is one snapshot. A white line with a dark edge marks where a layer's signal rises
    beyond what shuffled tokens and untrained weights give, for good.

    Parameters
    ----------
    measures
        `ontogeny.measure.layer_token_signal`, with onsets where these are to be marked.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.token_signal_map(ont.measure.layer_token_signal(record))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['conv1', 'conv2', 'fc1', 'logits']
    """
    ax = style.new_axes(ax, height=3.6)
    signal = measures["layer_token_signal"].transpose("layer", "step")
    beyond = signal > measures["layer_threshold"].transpose("layer", "step")
    steps, layers = signal["step"].values, [str(name) for name in signal["layer"].values]
    norm = Normalize(0, max(float(signal.max()), _BARELY))
    edges = np.arange(len(steps) + 1) - 0.5, np.arange(len(layers) + 1) - 0.5
    ax.set_facecolor(style.NULL)
    ax.pcolormesh(*edges, signal.where(beyond).values, cmap=style.MAGNITUDE, norm=norm)
    ax.set_yticks(range(len(layers)), layers)
    ax.set_xticks(*style.snapshot_ticks(steps))
    style.name_axes(ax, x="step (one column per snapshot)")
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    _mark_rises(ax, measures, steps, layers)
    bar = ax.figure.colorbar(
        ScalarMappable(norm, style.MAGNITUDE), ax=ax, pad=0.02, aspect=30, fraction=0.05
    )
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    bar.set_label("token signal (0 to 1)", fontsize=style.TEXT, color=style.INK)
    bar.ax.tick_params(labelsize=style.TEXT - 1, colors=style.INK)
    return ax


def _mark_rises(ax: Axes, measures: xr.Dataset, steps: np.ndarray, layers: list[str]) -> None:
    if "kind" not in measures.coords:
        return
    rises = measures["kind"].values == "layer rise"
    for name, by in zip(measures["name"].values[rises], measures["by"].values[rises], strict=True):
        if np.isfinite(by):
            x, y = np.flatnonzero(steps == by)[0] - 0.5, layers.index(str(name))
            for width, colour in ((4, style.INK), (2, "white")):
                ax.plot([x, x], [y - 0.42, y + 0.42], color=colour, linewidth=width,
                        solid_capstyle="butt")  # fmt: skip


def unit_signals(
    signals: xr.Dataset, *, steps: list[int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how token signal spreads over the units of each layer at a few steps.

    A thin line spans the middle 90 % of the units that vary, a thick one the middle half, a dot
    is the median; the grey band ends at the median unit's 1 % bound under shuffled tokens.

    Parameters
    ----------
    signals
        `ontogeny.measure.token_signal`.
    steps
        Recorded steps; None: the first, the last and two between.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.unit_signals(ont.measure.token_signal(record), steps=[0, 300])
    >>> [text.get_text() for text in ax.texts]
    ['step 0', 'step 300']
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['conv1', 'conv2', 'fc1', 'logits']
    """
    ax = style.new_axes(ax, height=3.4)
    recorded = signals["step"].values
    chosen = recorded[evenly_spaced(len(recorded), 4)].tolist() if steps is None else steps
    layer = np.array([str(unit).rpartition(":")[0] for unit in signals["unit"].values])
    names = list(dict.fromkeys(layer.tolist()))
    colours = colormaps[style.MAGNITUDE](np.linspace(0.85, 0.05, len(chosen)))
    for k, (step, colour) in enumerate(zip(chosen, colours, strict=True)):
        at = signals["token_signal"].sel(step=step).values
        for j, name in enumerate(names):
            place = j + (k - (len(chosen) - 1) / 2) * 0.18
            _spread_bar(ax, place, at[layer == name], colour)
    _unit_nulls(ax, signals, layer, names)
    _step_key(ax, chosen, colours)
    ax.set_xticks(range(len(names)), names)
    ax.axhline(0, color=style.FAINT, linewidth=0.6, zorder=0)
    style.name_axes(ax, y="token signal of a unit")
    return ax


def _spread_bar(ax: Axes, place: float, values: np.ndarray, colour: np.ndarray) -> None:
    values = values[np.isfinite(values)]
    if len(values):
        low, q1, median, q3, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        ax.plot([place, place], [low, high], color=colour, linewidth=1)
        ax.plot([place, place], [q1, q3], color=colour, linewidth=4, solid_capstyle="butt")
        ax.plot(
            [place], [median], color=colour, marker="o", markersize=4.5, markeredgecolor="white"
        )


def _unit_nulls(ax: Axes, signals: xr.Dataset, layer: np.ndarray, names: list[str]) -> None:
    upper = signals["token_signal_upper"].values
    for j, name in enumerate(names):
        of_layer = upper[:, layer == name]
        if np.isfinite(of_layer).any():
            style.null_band(ax, np.array([j - 0.42, j + 0.42]), 0, float(np.nanmedian(of_layer)))


def _step_key(ax: Axes, steps: list[int], colours: np.ndarray) -> None:
    top = 0.97
    for k, (step, colour) in enumerate(zip(steps, colours, strict=True)):
        ax.text(0.01, top - 0.075 * k, f"step {step:,}", color=colour, transform=ax.transAxes,
                fontsize=style.TEXT, va="top", weight="bold")  # fmt: skip


def onset_intervals(onsets: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw onsets: layers from the first to the last, then tokens, each as an interval of steps.

    A thick bar is the interval between two snapshots, a thin line its 95 % confidence interval; an
    arrow leaves the axis where an onset is censored. Open bars: a layer beyond shuffled tokens;
    filled: also beyond untrained weights.

    Parameters
    ----------
    onsets
        `ontogeny.measure.onsets`.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.onset_intervals(ont.measure.onsets(record))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['conv1', 'conv2', 'fc1', 'logits', 'ada', 'bo', 'cleo']
    """
    kinds, names = onsets["kind"].values.astype(str), onsets["name"].values.astype(str)
    layers = list(dict.fromkeys(names[kinds != "token"].tolist()))
    tokens = list(dict.fromkeys(names[kinds == "token"].tolist()))
    ax = style.new_axes(ax, height=0.3 * (len(layers) + len(tokens)) + 1.2)
    last = _last_step(onsets)
    style.step_axis(ax, [last])
    for row, (kind, name) in enumerate(zip(kinds, names, strict=True)):
        of_token = kind == "token"
        place = tokens.index(name) + len(layers) + 0.6 if of_token else layers.index(name)
        colour = style.token_colour(tokens.index(name)) if of_token else style.INK
        shift = {"layer signal": -0.17, "layer rise": 0.17}.get(kind, 0.0)
        ends = [float(onsets[key].values[row]) for key in _ENDS]
        _interval(ax, ends, place + shift, colour=colour, is_open=kind == "layer signal")
    places = [*range(len(layers)), *(k + len(layers) + 0.6 for k in range(len(tokens)))]
    ax.set_yticks(places, [style.name(name) for name in [*layers, *tokens]])
    for k, tick in enumerate(ax.get_yticklabels()[len(layers) :]):
        tick.set_color(style.token_colour(k))
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


_ENDS = ("after", "by", "confidence_after", "confidence_by")


def _last_step(onsets: xr.Dataset) -> float:
    if "step" in onsets.coords:
        return float(onsets["step"].values[-1])
    ends = np.concatenate([onsets[key].values for key in _ENDS])
    return float(np.max(ends[np.isfinite(ends)], initial=2.0))


def _interval(ax: Axes, ends: list[float], place: float, *, colour: str, is_open: bool) -> None:
    """Draw one interval with its confidence interval; an arrow where it is infinite."""
    left, right = ax.get_xlim()
    after, by, low, high = np.clip(ends, left, right)
    ax.plot([low, high], [place, place], color=colour, linewidth=0.9, alpha=0.6)
    if np.isinf(ends[1]):
        words = "not by the end"
        fill = "white" if is_open else colour
        ax.plot([right], [place], marker=">", color=colour, markerfacecolor=fill, markersize=6,
                clip_on=False)  # fmt: skip
        ax.annotate(
            words, (right, place), (-9, 0), textcoords="offset points", ha="right", va="center",
            fontsize=style.TEXT - 2, color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
        return
    if np.isinf(ends[0]):
        fill = "white" if is_open else colour
        ax.plot([left], [place], marker="<", color=colour, markerfacecolor=fill, markersize=6,
                clip_on=False)  # fmt: skip
        return
    for width, shade in ((7, colour), (4.6, "white" if is_open else colour)):
        ax.plot([after, by], [place, place], color=shade, linewidth=width, solid_capstyle="round")
