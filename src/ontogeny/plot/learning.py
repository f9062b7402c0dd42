"""Loss and accuracies over steps. May import matplotlib, numpy, xarray and plot.style only."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ontogeny.plot import style

_SPLIT_COLOURS = {"train": style.FAINT, "probe": style.INK}
_HOLDOUT = {"linestyle": (0, (1, 1.2)), "linewidth": 1.6}


def loss(curves: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the loss on training and held-out exemplars; logarithmic where it falls far.

    A second probe (holdout), where there is one, is dotted.

    Parameters
    ----------
    curves
        `ontogeny.measure.learning_curves`.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.loss(ont.measure.learning_curves(record))
    >>> ax.get_ylabel(), [round(float(line.get_ydata()[-1]), 2) for line in ax.lines]
    ('loss (cross-entropy, nats)', [0.09, 0.32])
    """
    ax = style.new_axes(ax)
    values = curves["loss"]
    style.step_axis(ax, curves["step"].values)
    _split_lines(ax, values)
    held = curves.get("holdout_loss", values)
    ends = _draw_holdout(ax, curves, "holdout_loss")
    low, high = np.nanmin([values.min(), held.min()]), np.nanmax([values.max(), held.max()])
    if low > 0 and high / low > 30:
        ax.set_yscale("log")
    style.name_axes(ax, x=style.STEP_LABEL, y="loss (cross-entropy, nats)")
    _name_splits(ax, values, ends)
    return ax


def accuracy(curves: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the accuracy on training and held-out exemplars, with chance and its band.

    A second probe (holdout), where there is one, is dotted.

    Parameters
    ----------
    curves
        `ontogeny.measure.learning_curves`.
    ax
        Where to draw.

    Examples
    --------
    Lines of chance, training and held-out exemplars, and where they end:

    >>> ax = ont.plot.accuracy(ont.measure.learning_curves(record))
    >>> [round(float(line.get_ydata()[-1]), 2) for line in ax.lines]
    [0.33, 0.98, 0.83]
    """
    ax = style.new_axes(ax)
    steps = curves["step"].values
    style.step_axis(ax, steps)
    style.null_band(ax, ax.get_xlim(), float(curves["chance_low"]), float(curves["chance_high"]))
    ax.axhline(float(curves["chance"]), color=style.FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    _split_lines(ax, curves["accuracy"])
    held = _draw_holdout(ax, curves, "holdout_accuracy")
    ax.set_ylim(-0.02, 1.02)
    style.name_axes(ax, x=style.STEP_LABEL, y="accuracy")
    _name_splits(ax, curves["accuracy"], [*held, (float(curves["chance"]), "chance", style.FAINT)])
    return ax


def token_accuracy(measures: xr.Dataset, token: str, ax: Axes | None = None) -> Axes:
    """Draw one token's held-out accuracy against what shuffled tokens give, with its onset.

    The grey line is the share of all answers that name the token, which is its accuracy without
    token structure; the band above it ends at the corrected threshold; the coloured stripe is the
    onset interval. The accuracy on a second probe (holdout), where there is one, is dotted.

    Parameters
    ----------
    measures
        `ontogeny.measure.measure_record`.
    token
        Name of the token.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.token_accuracy(ont.measure.measure_record(record), "cleo")
    >>> ax.get_title(loc="left")
    'cleo'
    """
    ax = style.new_axes(ax, height=2.0)
    steps, index = measures["step"].values, list(measures["token"].values).index(token)
    of_token = measures.sel(token=token)
    share, reach = of_token["answer_share"].values, of_token["margin_threshold"].values
    style.step_axis(ax, steps)
    band = np.where(np.isfinite(reach), share + reach, 1.0)
    style.null_band(ax, steps, share, np.minimum(band, 1))
    ax.plot(steps, share, color=style.FAINT, linewidth=0.8)
    colour = style.token_colour(index)
    right = of_token["token_accuracy"].sel(split="probe").values
    ax.plot(steps, right, color=colour, linewidth=1.4, marker=style.token_marker(index),
            markersize=3, markevery=max(len(steps) // 12, 1), clip_on=False)  # fmt: skip
    if "holdout_token_accuracy" in measures:
        ax.plot(steps, of_token["holdout_token_accuracy"].values, color=colour, **_HOLDOUT)
    _mark_onset(ax, measures, token, colour)
    ax.set_ylim(-0.02, 1.02)
    ax.set_title(style.name(token, 32), loc="left", color=colour, fontsize=style.TEXT + 1)
    return ax


def _mark_onset(ax: Axes, measures: xr.Dataset, token: str, colour: str) -> None:
    chosen = (measures["kind"].values == "token") & (measures["name"].values == token)
    for after, by in zip(
        measures["after"].values[chosen], measures["by"].values[chosen], strict=True
    ):
        if np.isfinite([after, by]).all():
            ax.axvspan(after, by, color=colour, alpha=0.25, linewidth=0, zorder=1)


def _split_lines(ax: Axes, values: xr.DataArray) -> None:
    for split, colour in _SPLIT_COLOURS.items():
        if split in values["split"].values:
            line = values.sel(split=split)
            ax.plot(line["step"], line.values, color=colour, linewidth=1.4)


def _draw_holdout(ax: Axes, curves: xr.Dataset, name: str) -> list[tuple[float, str, str]]:
    """Draw the second probe's curve if there is one; return how its end is labelled."""
    if name not in curves:
        return []
    line = curves[name]
    ax.plot(line["step"], line.values, color=style.INK, **_HOLDOUT)
    return [(float(line[-1]), "holdout", style.INK)]


def _name_splits(
    ax: Axes, values: xr.DataArray, more: Sequence[tuple[float, str, str]] = ()
) -> None:
    last = values.isel(step=-1)
    ends = [(float(last.sel(split=s)), s, c) for s, c in _SPLIT_COLOURS.items() if s in last.split]
    style.label_ends(ax, [*ends, *more])
