"""What graphs of layers share: their axes, their curves, and the places of their nodes.

May import matplotlib, numpy and plot.style only.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ontogeny.plot import style

Place = tuple[float, float]
"""Of a node: its layer's column, and its height."""
Edge = tuple[str, str, float]
"""Source, target, and a size that is no less than 0."""


def layer_axes(ax: Axes | None, layers: Sequence[str]) -> Axes:
    """Return bare axes with the layers' names below."""
    ax = style.new_axes(ax, width=9.0, height=4.2)
    style.bare(ax)
    for x, layer in enumerate(layers):
        ax.text(x, -0.09, layer, ha="center", va="top", fontsize=style.TEXT, color=style.INK)
    ax.set_xlim(-0.4, len(layers) - 0.4)
    ax.set_ylim(-0.16, 1.0)
    return ax


def curve(
    ax: Axes, start: Place, end: Place, *, colour: str, size: float, dashes: Sequence[float] = ()
) -> None:
    """Draw an edge as a curve that leaves and arrives level, wider for a larger size (0 to 1)."""
    middle = (start[0] + end[0]) / 2
    path = Path(
        [start, (middle, start[1]), (middle, end[1]), end],
        [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    )
    patch = PathPatch(path, fill=False, edgecolor=colour, zorder=1)
    patch.set(linewidth=0.5 + 3.5 * size, alpha=0.3 + 0.5 * size)
    patch.set_linestyle((0, tuple(dashes)) if dashes else "-")
    ax.add_patch(patch)


def relative(edges: Sequence[Edge]) -> np.ndarray:
    """Return each edge's size over the largest into the same layer."""
    largest: dict[str, float] = {}
    for _, target, size in edges:
        layer = target.rpartition(":")[0]
        largest[layer] = max(largest.get(layer, 0.0), size)
    return np.array([size / (largest[target.rpartition(":")[0]] or 1) for _, target, size in edges])


def mean_height(
    name: str, edges: Iterable[Edge], places: Mapping[str, Place], *, otherwise: float
) -> float:
    """Return the mean height of a node's neighbours that have a place, weighed by size."""
    known = [(places[other][1], size) for source, target, size in edges
             for mine, other in ((source, target), (target, source))
             if mine == name and other in places]  # fmt: skip
    if not any(size for _, size in known):
        return otherwise
    heights, weights = zip(*known, strict=True)
    return float(np.average(heights, weights=weights))


def layer_places(
    nodes: list[str], layers: Sequence[str], edges: Sequence[Edge]
) -> dict[str, Place]:
    """Put nodes into their layer's column, each near the mean height of its targets."""
    places: dict[str, Place] = {}
    for x in reversed(range(len(layers))):
        names = [name for name in nodes if name.rpartition(":")[0] == layers[x]]
        if x < len(layers) - 1:
            names.sort(key=lambda name: mean_height(name, edges, places, otherwise=0.5))
        for k, name in enumerate(names):
            places[name] = (x, (k + 0.5) / len(names))
    return places
