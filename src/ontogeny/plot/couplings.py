"""Couplings as small layered graphs.

May import matplotlib, numpy, xarray, plot.layered and plot.style only.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ontogeny.plot import style
from ontogeny.plot.layered import Edge, Place, curve, layer_axes, layer_places, relative

_NODE = "#4d4d4d"


def coupling_graph(
    couplings: xr.Dataset,
    *,
    tokens: Sequence[str] = (),
    unit_token: Mapping[str, int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the strongest couplings: columns are layers from pixels to logits, curves are couplings.

    Blue adds to the target, orange takes from it; width is the strength relative to the strongest
    drawn into the same layer; a larger disc passes more of the logits' couplings on.

    Parameters
    ----------
    couplings
        `ontogeny.measure.strongest_couplings`.
    tokens
        Names of the logits, in their order.
    unit_token
        Units to be drawn in a token's colour, with the token's index.
    ax
        Where to draw.

    Examples
    --------
    Columns are layers; the first disc of conv2 is its 4th channel.

    >>> couplings = ont.measure.strongest_couplings(record, units=2)
    >>> ax = ont.plot.coupling_graph(couplings, tokens=record.token.values)
    >>> [text.get_text() for text in ax.texts[:8]]
    ['pixels', 'conv1', 'conv2', 'fc1', 'logits', 'ada', 'bo', 'cleo']
    """
    ax = layer_axes(ax, couplings.attrs["layers"])
    _draw(ax, couplings, _common_places([couplings]), tokens=tokens, unit_token=unit_token or {})
    return ax


def coupling_graphs(
    couplings: Sequence[xr.Dataset],
    *,
    tokens: Sequence[str] = (),
    unit_token: Mapping[str, int] | None = None,
) -> list[Axes]:
    """Draw the strongest couplings at several steps, one below the other.

    A unit keeps its place over the steps, so that what comes and goes is what has changed; it is
    drawn where it is among the strongest.

    Parameters
    ----------
    couplings
        `ontogeny.measure.strongest_couplings`, one per step.
    tokens
        Names of the logits, in their order.
    unit_token
        Units to be drawn in a token's colour, with the token's index.

    Examples
    --------
    >>> found = [ont.measure.strongest_couplings(record, step=step) for step in (0, 300)]
    >>> axes = ont.plot.coupling_graphs(found, tokens=record.token.values)
    >>> [ax.get_title(loc="left") for ax in axes]
    ['step 0', 'step 300']
    """
    places = _common_places(couplings)
    size = (9.0, 3.6 * len(couplings))
    _, grid = plt.subplots(len(couplings), figsize=size, layout="constrained", squeeze=False)
    axes = [layer_axes(ax, couplings[0].attrs["layers"]) for ax in grid[:, 0]]
    for ax, found in zip(axes, couplings, strict=True):
        _draw(ax, found, places, tokens=tokens, unit_token=unit_token or {})
        ax.set_title(f"step {found.attrs['step']:,}", fontsize=style.TEXT, loc="left")
    return axes


def _common_places(couplings: Sequence[xr.Dataset]) -> dict[str, Place]:
    """Return places that serve all graphs."""
    edges = [edge for found in couplings for edge in _edges(found)]
    nodes = list(dict.fromkeys(str(n) for found in couplings for n in found["node"].values))
    return layer_places(nodes, couplings[0].attrs["layers"], edges)


def _draw(
    ax: Axes,
    couplings: xr.Dataset,
    places: dict[str, Place],
    *,
    tokens: Sequence[str],
    unit_token: Mapping[str, int],
) -> None:
    """Draw one graph's curves, weak ones first, and its nodes."""
    edges, strength = _edges(couplings), couplings["strength"].values
    nodes = [str(name) for name in couplings["node"].values]
    sizes = relative(edges)
    for k in np.argsort(sizes):
        source, target, _ = edges[k]
        colour = style.POSITIVE if strength[k] > 0 else style.NEGATIVE
        curve(ax, places[source], places[target], colour=colour, size=float(sizes[k]))
    flow = dict(zip(nodes, (couplings["flow"] / couplings["flow"].max()).values, strict=True))
    for name in nodes:
        index = unit_token.get(name, -1)
        colour = style.token_colour(index) if index >= 0 else _NODE
        _node(ax, name, places[name], size=40 + 220 * flow[name], colour=colour)
        _node_label(ax, name, places[name], tokens)


def ancestry_graph(
    ancestries: Mapping[str, xr.Dataset], *, tokens: Sequence[str], ax: Axes | None = None
) -> Axes:
    """Draw what distinguishes each token, all in one graph, in the tokens' colours.

    A unit with curves of several colours serves several tokens. Dashed curves take from what
    distinguishes the token.

    Parameters
    ----------
    ancestries
        Token -> `ontogeny.measure.strongest_couplings(record, token=...)`.
    tokens
        Names of the logits, in their order.
    ax
        Where to draw.

    Examples
    --------
    >>> tokens = record.token.values.tolist()
    >>> found = {token: ont.measure.strongest_couplings(record, token=token) for token in tokens}
    >>> ax = ont.plot.ancestry_graph(found, tokens=tokens)
    >>> [text.get_text() for text in ax.texts[:5]]
    ['pixels', 'conv1', 'conv2', 'fc1', 'logits']
    """
    layers = next(iter(ancestries.values())).attrs["layers"]
    ax = layer_axes(ax, layers)
    edges = [edge for found in ancestries.values() for edge in _edges(found)]
    strength = np.concatenate([found["strength"].values for found in ancestries.values()])
    owner = [name for name, found in ancestries.items() for _ in range(found.sizes["edge"])]
    nodes = list(dict.fromkeys(str(n) for f in ancestries.values() for n in f["node"].values))
    places = layer_places(nodes, layers, edges)
    sizes = np.concatenate([relative(_edges(found)) for found in ancestries.values()])
    for k in np.argsort(sizes):
        source, target, _ = edges[k]
        colour = style.token_colour(tokens.index(owner[k]))
        curve(ax, places[source], places[target], colour=colour, size=float(sizes[k]),
              dashes=(2, 1.2) if strength[k] < 0 else ())  # fmt: skip
    for name in nodes:
        _node(ax, name, places[name], size=45, colour=_NODE)
        _node_label(ax, name, places[name], tokens)
    return ax


def _edges(couplings: xr.Dataset) -> list[Edge]:
    """Return the couplings' ends with the sizes of their strengths."""
    return list(zip(couplings["source"].values.astype(str), couplings["target"].values.astype(str),
                    np.abs(couplings["strength"].values), strict=True))  # fmt: skip


def _node(ax: Axes, name: str, place: Place, *, size: float, colour: str) -> None:
    layer, _, index = name.rpartition(":")
    is_logit = layer == "logits"
    ax.scatter(
        [place[0]], [place[1]], s=max(size, 90) if is_logit else size, zorder=3, linewidth=1,
        color=style.token_colour(int(index)) if is_logit else colour, edgecolor="white",
        marker=style.token_marker(int(index)) if is_logit else "o",
    )  # fmt: skip


def _node_label(ax: Axes, name: str, place: Place, tokens: Sequence[str]) -> None:
    layer, _, index = name.rpartition(":")
    if layer == "logits" and int(index) < len(tokens):
        ax.annotate(
            style.name(tokens[int(index)]), place, (9, 0), textcoords="offset points",
            va="center", fontsize=style.TEXT, color=style.token_colour(int(index)),
        )  # fmt: skip
        return
    colours = {"0": "red", "1": "green", "2": "blue"}
    words = colours.get(index, index) if layer == "pixels" else index
    ax.annotate(words, place, (0, -7), textcoords="offset points", ha="center", va="top",
                fontsize=style.TEXT - 2.5, color=style.FAINT)  # fmt: skip
