"""How well units of one run find a partner in others. May import xarray and plot.style only."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ontogeny.plot import style


def match_levels(found: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the mean correlation of matched units by layer and pair of runs, beside chance.

    Parameters
    ----------
    found
        `correlation_within` and `null_mean_within` (pair, layer).
    ax
        Where to draw.
    """
    ax = style.new_axes(ax, width=9.6, height=3.0)
    layers = [str(name) for name in found["layer"].values]
    place = np.arange(len(layers))
    ax.bar(place, found["null_mean_within"].mean("pair").values, width=0.6, color=style.NULL,
           label="exemplars shuffled within tokens")  # fmt: skip
    for k in range(found.sizes["pair"]):
        at = found["correlation_within"].isel(pair=k).values
        ax.plot(place, at, "o", color=style.POSITIVE, markersize=5, alpha=0.8,
                label="matched units, one pair of runs" if k == 0 else None)  # fmt: skip
    ax.set_xticks(place, layers)
    ax.set_ylim(0, 1.03)
    style.name_axes(ax, y="mean |correlation|")
    ax.legend(frameon=False, fontsize=style.TEXT - 1, ncols=2, loc="lower left",
              bbox_to_anchor=(0, 1.0))  # fmt: skip
    return ax
