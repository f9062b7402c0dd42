"""The exact graph of one picture, from its pixels to a token's logit.

May import matplotlib, numpy, xarray, plot.layered and plot.style only.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ontogeny.plot import style
from ontogeny.plot.layered import Edge, Place, curve, layer_axes, layer_places

_BIAS = "bias"
_EDGES = 3
"""Edges into each layer that are drawn for each of its units."""


def picture_graph(graph: xr.Dataset, *, units: int = 8, ax: Axes | None = None) -> Axes:
    """Draw the units of each layer that most of a picture's answer comes through.

    Columns are layers from pixels to the logit. Blue adds to the token's logit, orange takes from
    it; a wider curve carries more, relative to the one that carries most into its layer; a larger
    disc has more influence. Grey squares are the layers' biases.

    Parameters
    ----------
    graph
        `ontogeny.picture_graph`; one step of `ontogeny.picture_graphs`.
    units
        Drawn in each layer, those with most influence.
    ax
        Where to draw.

    Examples
    --------
    A graph by hand: two channels, one unit and its bias, one logit.

    >>> import xarray as xr
    >>> node = ["pixels:0", "pixels:1", "bias:conv1", "conv1:3", "logits:2"]
    >>> layer = ["pixels", "pixels", "conv1", "conv1", "logits"]
    >>> source, target = node[:4], ["conv1:3"] * 3 + ["logits:2"]
    >>> given = [1.5, -0.5, 0.25, 1.25]
    >>> graph = xr.Dataset(
    ...     {"attribution": ("node", [*given, 1.25]), "influence": ("node", [0.7, 0.2, 0.1, 1, 1]),
    ...      "edge_attribution": ("edge", given), "edge_influence": ("edge", [0.7, 0.2, 0.1, 1]),
    ...      "explained": 1.25, "kept_share": 1.0},
    ...     {"node": node, "node_layer": ("node", layer), "source": ("edge", source),
    ...      "target": ("edge", target)},
    ...     {"layers": ["pixels", "conv1", "logits"], "token": "cleo", "of": "logit"})
    >>> ont.plot.picture_graph(graph).get_title(loc="left")
    'cleo: logit +1.25; paths of 5 nodes carry 100 % of the attribution; drawn: 5'
    """
    layers = list(graph.attrs["layers"])
    ax = layer_axes(ax, layers)
    drawn = _strongest(graph, units)
    edges = _edges(graph, drawn, layers, _EDGES * units)
    places = _places(drawn, layers, edges)
    _draw_edges(ax, edges, places)
    _draw_nodes(ax, graph, places)
    ax.set_ylim(-0.2, 1.0)
    ax.set_title(_title(graph, len(drawn)), fontsize=style.TEXT, loc="left")
    return ax


def _strongest(graph: xr.Dataset, units: int) -> list[str]:
    """Return the names of the units to be drawn, and of all biases."""
    influence, names = graph["influence"].values, graph["node"].values.astype(str)
    is_bias = np.char.startswith(names, f"{_BIAS}:")
    drawn = list(names[is_bias])
    for layer in graph.attrs["layers"]:
        at = np.flatnonzero((graph["node_layer"].values == layer) & ~is_bias)
        drawn += names[at[np.argsort(-influence[at], kind="stable")[:units]]].tolist()
    return [str(name) for name in drawn]


def _edges(graph: xr.Dataset, drawn: list[str], layers: list[str], most: int) -> list[Edge]:
    """Return the edges with most influence into each layer, with their attributions, weak first."""
    ends = [graph[end].values.astype(str) for end in ("source", "target")]
    between = np.isin(ends[0], drawn) & np.isin(ends[1], drawn)
    into = np.array([name.rpartition(":")[0] for name in ends[1]])
    influence, found = graph["edge_influence"].values, []
    for layer in layers:
        at = np.flatnonzero(between & (into == layer))
        found += at[np.argsort(-influence[at], kind="stable")[:most]].tolist()
    found.sort(key=lambda k: influence[k])
    attribution = graph["edge_attribution"].values
    return [(str(ends[0][k]), str(ends[1][k]), float(attribution[k])) for k in found]


def _places(drawn: list[str], layers: list[str], edges: list[Edge]) -> dict[str, Place]:
    """Put units into their layer's column, and each layer's biases below the gap before it."""
    biases = [name for name in drawn if name.startswith(f"{_BIAS}:")]
    sizes = [(source, target, abs(attribution)) for source, target, attribution in edges]
    places = layer_places([name for name in drawn if name not in biases], layers, sizes)
    for name in biases:
        places[name] = (layers.index(name.partition(":")[2]) - 0.5, -0.03)
    return places


def _draw_edges(ax: Axes, edges: list[Edge], places: dict[str, Place]) -> None:
    largest: dict[float, float] = {}
    for _, target, attribution in edges:
        x = places[target][0]
        largest[x] = max(largest.get(x, 0.0), abs(attribution))
    for source, target, attribution in edges:
        size = abs(attribution) / (largest[places[target][0]] or 1.0)
        colour = style.POSITIVE if attribution > 0 else style.NEGATIVE
        curve(ax, places[source], places[target], colour=colour, size=size)


def _draw_nodes(ax: Axes, graph: xr.Dataset, places: dict[str, Place]) -> None:
    """Draw discs by influence and sign, biases as grey squares, and the channels' numbers."""
    names = graph["node"].values.astype(str)
    attribution, influence = (dict(zip(names, graph[name].values, strict=True))
                              for name in ("attribution", "influence"))  # fmt: skip
    for name, (x, y) in places.items():
        is_bias = name.startswith(f"{_BIAS}:")
        colour = style.POSITIVE if attribution[name] > 0 else style.NEGATIVE
        colour, marker = (style.FAINT, "s") if is_bias else (colour, "o")
        ax.scatter([x], [y], s=25 + 300 * influence[name], color=colour, marker=marker,
                   edgecolor="white", linewidth=1, zorder=3)  # fmt: skip
        words = _BIAS if is_bias else name.rpartition(":")[2]
        if x == len(graph.attrs["layers"]) - 1:
            words = style.name(str(graph.attrs["token"]))
        ax.annotate(words, (x, y), (0, -7), textcoords="offset points", ha="center", va="top",
                    fontsize=style.TEXT - 2.5, color=style.FAINT)  # fmt: skip


def _title(graph: xr.Dataset, n_drawn: int) -> str:
    """Say what is explained and how much of it the graph holds."""
    what = "logit" if graph.attrs["of"] == "logit" else "logit less the mean of all"
    when = f" at step {graph['step'].item():,}" if "step" in graph.coords else ""
    share, n_nodes = 100 * graph["kept_share"].item(), graph.sizes["node"]
    return (
        f"{style.name(str(graph.attrs['token']))}{when}: {what} {graph['explained'].item():+.2f}; "
        f"paths of {n_nodes} nodes carry {share:.0f} % of the attribution; drawn: {n_drawn}"
    )
