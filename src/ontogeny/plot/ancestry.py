"""Ancestry in pictures: what a token or a detector is built from, each node as it looks.

May import matplotlib, numpy, xarray, plot.layered and plot.style only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ontogeny.plot import style
from ontogeny.plot.layered import Edge, curve, mean_height, relative

Pictures = Mapping[str, Sequence[np.ndarray]]
"""Unit -> its preferred picture and a crop of its best exemplar, uint8 [y, x, channel]."""

SMOOTH_SIDE = 64
"""Side, in pixels, to which small preferred pictures are enlarged."""
_COLUMN, _ROW, _GAP = 3.0, 1.75, 0.06


def ancestry_pictures(
    tree: xr.Dataset, pictures: Pictures, *, tokens: Sequence[str] = (), ax: Axes | None = None
) -> Axes:
    """Draw an ancestry with every node as its preferred picture and its best exemplar's crop.

    Columns are layers, from below to above. A curve is a share, blue where it adds, orange where
    it takes away, wider for a larger one; dotted where it is not beyond its null. The frame of a
    node is blue where it favours the token and orange where it counts against it; dashed where
    it does so by responding less to the token than to others.

    Parameters
    ----------
    tree
        `ontogeny.measure.construction`.
    pictures
        Of the nodes; a node without any is an empty frame.
    tokens
        Names of the tokens in their order, for their colours.
    ax
        Where to draw.

    Examples
    --------
    A picture of one unit; frames of the others stay empty.

    >>> tree = ont.measure.construction(record, "cleo", breadth=2)
    >>> grey = np.full((4, 4, 3), 128, np.uint8)
    >>> ax = ont.plot.ancestry_pictures(tree, {"fc1:4": (grey, grey)}, tokens=record.token.values)
    >>> words = [text.get_text() for text in ax.texts]
    >>> words[2:4], words[-4:]
    (['logits:2', 'fc1:4'], ['conv1', 'conv2', 'fc1', 'logits'])
    """
    nodes = [n for n in tree["node"].values.astype(str).tolist() if not _is_pixel(tree, n)]
    places = _places(tree, nodes)
    columns = sorted({x for x, _ in places.values()})
    height = 1 + max(abs(y) for _, y in places.values()) * 2
    ax = style.new_axes(ax, width=1.35 * len(columns), height=0.55 * (height + 1.2))
    style.bare(ax)
    _edges(ax, tree, places)
    for node in nodes:
        _node(ax, tree.sel(node=node), places[node], pictures.get(node, ()), tokens)
    for x in columns:
        layer = next(n.rpartition(":")[0] for n, place in places.items() if place[0] == x)
        ax.text(x, -height / 2 - 0.1, layer, ha="center", va="top", fontsize=style.TEXT,
                color=style.INK)  # fmt: skip
    ax.set_xlim(min(columns) - 1.35, max(columns) + 1.35)
    ax.set_ylim(-height / 2 - 0.7, height / 2 + 0.5)
    ax.set_aspect("equal")
    return ax


def tile(ax: Axes, picture: np.ndarray, place: tuple[float, float], *, smooth: bool) -> None:
    """Draw a picture as a square of size 1 around a place; an empty one as a grey square."""
    x, y = place
    extent = (x - 0.5, x + 0.5, y - 0.5, y + 0.5)
    if not picture.size:
        ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="#f0f0ee", edgecolor="none"))
        ax.text(x, y, "none", ha="center", va="center", fontsize=style.TEXT - 3,
                color=style.FAINT)  # fmt: skip
        return
    shown = enlarged(picture, SMOOTH_SIDE) if smooth else picture
    ax.imshow(as_rgb(shown), extent=extent, interpolation="none", aspect="auto", zorder=3)


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """Return a picture [y, x, channel] enlarged by straight lines between its pixels."""
    values = picture.astype(np.float64)
    for axis in (0, 1):
        n = values.shape[axis]
        size = max(side, n)
        at = (np.arange(size) + 0.5) * n / size - 0.5
        low = np.clip(np.floor(at).astype(int), 0, n - 1)
        high = np.minimum(low + 1, n - 1)
        part = np.clip(at - low, 0, 1).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = (1 - part) * values.take(low, axis) + part * values.take(high, axis)
    return values.round().astype(np.uint8)


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """Return a picture with three channels: grey is repeated, more than three are cut."""
    return picture[..., :3] if picture.shape[-1] >= 3 else picture[..., :1].repeat(3, axis=-1)


@dataclass(frozen=True)
class _Frame:
    """How a node's frame tells its role."""

    colour: str
    dashes: object


def _is_pixel(tree: xr.Dataset, node: str) -> bool:
    return node.rpartition(":")[0] == tree.attrs["layers"][0]


def _places(tree: xr.Dataset, nodes: list[str]) -> dict[str, tuple[float, float]]:
    """Put nodes in their layer's column, near the mean height of what they are drawn to."""
    levels = dict(zip(tree["node"].values.astype(str), tree["level"].values, strict=True))
    order = sorted({int(levels[n]) for n in nodes}, key=lambda level: (level < 0, abs(level)))
    places: dict[str, tuple[float, float]] = {}
    ends = _ends(tree)
    lowest = min(order)
    for level in order:
        names = [n for n in nodes if levels[n] == level]
        names.sort(key=lambda n: -mean_height(n, ends, places, otherwise=0.0))
        for k, name in enumerate(names):
            y = _ROW * ((len(names) - 1) / 2 - k)
            places[name] = (_COLUMN * (level - lowest), y)
    return places


def _edges(ax: Axes, tree: xr.Dataset, places: Mapping[str, tuple[float, float]]) -> None:
    shares, is_beyond = tree["share"].values, tree["beyond_null"].values
    drawn = [(k, edge) for k, edge in enumerate(_ends(tree))
             if edge[0] in places and edge[1] in places]  # fmt: skip
    sizes = relative([edge for _, edge in drawn])
    for (k, (source, target, _)), size in zip(drawn, sizes, strict=True):
        (x, y), (u, v) = places[source], places[target]
        curve(ax, (x + 1 + _GAP, y), (u - 1 - _GAP, v), size=float(size),
              colour=style.POSITIVE if shares[k] > 0 else style.NEGATIVE,
              dashes=() if is_beyond[k] else (1, 1.2))  # fmt: skip


def _ends(tree: xr.Dataset) -> list[Edge]:
    """Return the edges of a tree with the sizes of their shares."""
    return list(zip(tree["source"].values.astype(str), tree["target"].values.astype(str),
                    np.abs(tree["share"].values), strict=True))  # fmt: skip


def _node(
    ax: Axes,
    node: xr.Dataset,
    place: tuple[float, float],
    pictures: Sequence[np.ndarray],
    tokens: Sequence[str],
) -> None:
    x, y = place
    none = np.zeros((0, 0, 3), np.uint8)
    both = [*pictures, none, none][:2]
    tile(ax, both[0], (x - 0.5 - _GAP / 2, y), smooth=True)
    tile(ax, both[1], (x + 0.5 + _GAP / 2, y), smooth=False)
    frame = _frame(int(node["evidence"]), int(node["direction"]))
    box = Rectangle((x - 1 - _GAP, y - 0.5 - _GAP / 2), 2 + 2 * _GAP, 1 + _GAP, fill=False,
                    edgecolor=frame.colour, linewidth=1.3, zorder=4)  # fmt: skip
    box.set_linestyle(frame.dashes)  # type: ignore[arg-type]
    ax.add_patch(box)
    name, prefers = str(node["node"].item()), str(node["preferred_token"].item())
    part = str(node["part"].item()) if "part" in node.coords else ""
    ax.text(x - 1, y + 0.56, style.plain(f"{name} {part}".strip()), ha="left", va="bottom",
            fontsize=style.TEXT - 3, color=style.INK)  # fmt: skip
    if prefers:
        colour = style.token_colour(tokens.index(prefers)) if prefers in tokens else style.FAINT
        ax.text(x + 1, y + 0.56, style.name(prefers), ha="right", va="bottom",
                fontsize=style.TEXT - 3, color=colour)  # fmt: skip


def _frame(evidence: int, direction: int) -> _Frame:
    colour = {1: style.POSITIVE, -1: style.NEGATIVE}.get(evidence, style.FAINT)
    return _Frame(colour, (0, (2.5, 1.5)) if direction < 0 else "-")
