"""Units beside other directions of the same layer. May import numpy, xarray and plot.style only."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ontogeny.plot import style


def basis_shares(at: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the share of tuned directions in each layer: channels, components, random mixtures.

    The grey bar spans the random rotations; a filled disc is the layer's channels, an open one its
    principal components.

    Parameters
    ----------
    at
        `ontogeny.measure.directions` at one step.
    ax
        Where to draw.
    """
    ax = style.new_axes(ax, width=9.6, height=2.9)
    layers = [str(name) for name in at["layer"].values]
    place = np.arange(len(layers))
    low, high = (at[f"tuned_share_rotated_{end}"].values for end in ("low", "high"))
    height = np.maximum(high - low, 0.006)
    ax.bar(place, height, bottom=low, width=0.5, color=style.FAINT, alpha=0.55, linewidth=0,
           label="random mixtures (range of 19)")  # fmt: skip
    ax.plot(place, at["tuned_share"].sel(basis="units").values, "o", color=style.POSITIVE,
            markersize=6, label="channels")  # fmt: skip
    ax.plot(place, at["tuned_share"].sel(basis="components").values, "o", color=style.INK,
            markersize=5, markerfacecolor="none", label="principal components")  # fmt: skip
    ax.set_xticks(place, layers)
    ax.set_ylim(-0.03, 1.06)
    style.name_axes(ax, y="share tuned to a token")
    ax.legend(frameon=False, fontsize=style.TEXT - 1, ncols=3, loc="lower left",
              bbox_to_anchor=(0, 1.0))  # fmt: skip
    return ax
