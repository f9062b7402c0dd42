"""What distances resemble, how many dimensions tokens have, how alike runs are.

May import matplotlib, numpy, xarray, record.layers, plot.style and plot.categories
only.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm

from ontogeny.plot import style
from ontogeny.plot.categories import layer_colours
from ontogeny.record.layers import PIXELS

TICKS = (1, 2, 3, 5, 10, 20, 50, 100, 200)


def model_lines(
    values: xr.DataArray,
    threshold: xr.DataArray,
    ax: Axes | None = None,
    *,
    layers: Sequence[str] | None = None,
) -> Axes:
    """Draw the likeness of layers to one model over steps: thick where beyond the layer's null.

    The grey band reaches to the largest threshold of the layers drawn. Pixels, which do not
    change, are dashed. Names come last, where all axes are drawn: :func:`name_layers`.

    Parameters
    ----------
    values
        (step, layer), correlations.
    threshold
        (layer,), what a layer does not pass by chance; the coordinate is that of `values`.
    ax
        Where to draw.
    layers
        Which layers to draw (None: all).
    """
    ax = style.new_axes(ax, height=3.0)
    steps, colours = values["step"].values, layer_colours(_names(values, "layer"))
    style.step_axis(ax, steps, label=False)
    limits = threshold.sel(layer=list(layers or _names(values, "layer"))).values
    if np.isfinite(limits).any():
        style.null_band(ax, ax.get_xlim(), 0, float(np.max(limits[np.isfinite(limits)])))
    for name in layers or _names(values, "layer"):
        line, limit = values.sel(layer=name).values, float(threshold.sel(layer=name))
        dashes = (0, (4, 2)) if name == PIXELS else "-"
        ax.plot(steps, line, color=colours[name], linewidth=0.7, linestyle=dashes)
        beyond = np.where(line > limit, line, np.nan)
        ax.plot(steps, beyond, color=colours[name], linewidth=2.0, linestyle=dashes)
    ax.axhline(0, color=style.FAINT, linewidth=0.6, zorder=0)
    return ax


def name_layers(
    ax: Axes, values: xr.DataArray, *, layers: Sequence[str] | None = None, gap: float = 0.085
) -> Axes:
    """Write the layers' names beside the ends of their lines, once the axes have their limits.

    Parameters
    ----------
    ax
        Where lines of `values` are drawn.
    values
        (..., layer), along one other dimension.
    layers
        Which layers are drawn (None: all).
    gap
        Least distance of two names as a share of the axes' height.
    """
    names = _names(values, "layer")
    colours, ends = layer_colours(names), []
    for name in layers or names:
        line = values.sel(layer=name).values
        there = line[np.isfinite(line)]
        ends.append((float(there[-1]) if len(there) else np.nan, name, colours[name]))
    style.label_ends(ax, ends, gap=gap)
    return ax


def token_lines(
    values: xr.DataArray, ax: Axes | None = None, *, together: xr.DataArray | None = None
) -> Axes:
    """Draw one line over steps for each token, in its colour, on a logarithmic axis.

    Parameters
    ----------
    values
        (step, token), dimensions.
    ax
        Where to draw.
    together
        (step,), the same of all exemplars: a grey line.
    """
    ax = style.new_axes(ax, height=3.0)
    steps = values["step"].values
    style.step_axis(ax, steps, label=False)
    if together is not None:
        ax.plot(steps, together.values, color=style.FAINT, linewidth=2.0)
    for k, name in enumerate(_names(values, "token")):
        ax.plot(steps, values.sel(token=name).values, color=style.token_colour(k), linewidth=1.2)
    ax.set_yscale("log")
    return ax


def plain_ticks(ax: Axes) -> Axes:
    """Label a logarithmic y axis of dimensions with plain numbers."""
    low, high = ax.get_ylim()
    ticks = [t for t in TICKS if low <= t <= high]
    ax.set_yticks(ticks, [str(t) for t in ticks])
    ax.tick_params(axis="y", which="minor", length=0)
    ax.yaxis.set_minor_formatter("")
    return ax


def factor_grid(values: xr.DataArray, passed: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Draw likeness to factors, a row each and a column per layer, where it passed its null.

    Parameters
    ----------
    values
        (factor, layer), correlations; red is positive, the number in the cell is in hundredths.
    passed
        (factor, layer), bool.
    ax
        Where to draw.
    """
    values, passed = (x.transpose("factor", "layer") for x in (values, passed))
    ax = style.new_axes(ax, height=0.25 * values.sizes["factor"] + 1)
    shown = np.where(passed.values, values.values, np.nan)
    top = max(float(np.nanmax(np.abs(shown), initial=0.05)), 1e-6)
    ax.imshow(shown, cmap=style.SIGNED, norm=TwoSlopeNorm(0, -top, top),
                        aspect="auto")  # fmt: skip
    for row, column in np.argwhere(np.isfinite(shown)):
        value = shown[row, column]
        colour = "white" if abs(value) > 0.6 * top else style.INK
        ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour,
                fontsize=style.TEXT - 2)  # fmt: skip
    ax.set_xticks(range(values.sizes["layer"]), _names(values, "layer"), rotation=90)
    names = [style.plain(name.replace("_", " ")) for name in _names(values, "factor")]
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0, labelsize=style.TEXT - 1)
    ax.spines[:].set_visible(False)
    return ax


def run_grid(values: xr.DataArray, axes: Sequence[Axes]) -> Sequence[Axes]:
    """Draw the likeness of runs to each other, one square for each layer, numbers in the cells.

    Parameters
    ----------
    values
        (layer, run, run_b), from 0 to 1.
    axes
        One for each layer.
    """
    names = [style.plain(name) for name in _names(values, "run")]
    for ax, layer in zip(axes, values.transpose("layer", "run", "run_b"), strict=True):
        ax.imshow(layer.values, cmap=style.MAGNITUDE, norm=Normalize(0, 1))
        ax.set_title(str(layer["layer"].values), fontsize=style.TEXT, color=style.INK)
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=style.TEXT - 2)
        ax.set_yticks(range(len(names)), names if ax is axes[0] else [], fontsize=style.TEXT - 2)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        for (i, j), value in np.ndenumerate(layer.values):
            if i != j and np.isfinite(value) and len(names) <= 6:
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=style.TEXT - 3,
                        color=style.INK if value > 0.6 else "white")  # fmt: skip
    return axes


def ceiling_lines(found: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the noise ceiling of each layer over steps as a band in the layer's colour.

    Parameters
    ----------
    found
        `ceiling_low` and `ceiling_high` (step, layer).
    ax
        Where to draw.
    """
    ax = style.new_axes(ax, height=3.0)
    steps, names = found["step"].values, _names(found, "layer")
    style.step_axis(ax, steps)
    colours, ends = layer_colours(names), []
    for name in names:
        low, high = (found[key].sel(layer=name).values for key in ("ceiling_low", "ceiling_high"))
        ax.fill_between(steps, low, high, color=colours[name], alpha=0.15, linewidth=0)
        for edge in (low, high):
            ax.plot(steps, edge, color=colours[name], linewidth=1.1)
        ends.append((float(high[-1] + low[-1]) / 2, name, colours[name]))
    style.label_ends(ax, ends, gap=0.085)
    return ax


def _names(values: xr.DataArray | xr.Dataset, dim: str) -> list[str]:
    return [str(name) for name in values[dim].values]
