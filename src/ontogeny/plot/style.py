"""How every figure looks: colours, markers, step axes, bands of nulls, labels beside lines.

Steps are drawn on an axis that is linear from 0 to 1 and logarithmic after it. Tokens take the
Okabe-Ito colours with a shape each; nulls are grey. May import matplotlib, numpy and
ontogeny.errors only.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

TOKEN_COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c7a00", "#000000",
)  # fmt: skip
"""Okabe & Ito 2008; their yellow is darkened, to be legible as a line on white."""
TOKEN_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
INK, FAINT, NULL, POSITIVE, NEGATIVE = "#2b2b2b", "#8a8a8a", "#dedede", "#0072b2", "#d55e00"
MAGNITUDE, SIGNED = "viridis", "RdBu_r"
TEXT = 9.0
STEP_LABEL = "step (linear to 1, then logarithmic)"


def token_colour(index: int) -> str:
    """Return the colour of the index-th token."""
    return TOKEN_COLOURS[index % len(TOKEN_COLOURS)]


def token_marker(index: int) -> str:
    """Return the shape of the index-th token; beyond eight tokens colour and shape differ anew."""
    return TOKEN_MARKERS[(index + index // len(TOKEN_COLOURS)) % len(TOKEN_MARKERS)]


def new_axes(ax: Axes | None, *, width: float = 8.0, height: float = 3.2) -> Axes:
    """Return the given axes, or those of a new pyplot figure, in the common style."""
    if ax is None:
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
        ax.spines[side].set_linewidth(0.7)
    ax.tick_params(colors=INK, labelsize=TEXT - 1, width=0.7, length=3)
    return ax


def bare(ax: Axes) -> None:
    """Leave only what is drawn: no frame, no ticks."""
    ax.set_axis_off()


def name_axes(ax: Axes, *, x: str = "", y: str = "") -> None:
    """Label the axes."""
    ax.set_xlabel(x, fontsize=TEXT, color=INK)
    ax.set_ylabel(y, fontsize=TEXT, color=INK)


def step_axis(ax: Axes, steps: Sequence[float] | np.ndarray, *, label: bool = True) -> None:
    """Make x the step axis: linear from 0 to 1, logarithmic after it, ticks as plain numbers."""
    last = max(int(np.max(steps)), 2)
    ax.set_xscale("symlog", linthresh=1, linscale=0.25)
    ax.set_xlim(-0.08, last * 1.06)
    ticks = [0, *(10**k for k in range(int(np.log10(last)) + 1))]
    if last > 1.7 * ticks[-1]:
        ticks.append(last)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if label:
        ax.set_xlabel(STEP_LABEL, fontsize=TEXT, color=INK)


def snapshot_ticks(steps: np.ndarray, count: int = 9) -> tuple[np.ndarray, list[str]]:
    """Return positions and labels for an axis with one column per snapshot."""
    place = np.unique(np.linspace(0, len(steps) - 1, min(count, len(steps))).round().astype(int))
    return place, [f"{steps[k]:,}" for k in place]


def null_band(
    ax: Axes, x: Sequence[float] | np.ndarray, low: np.ndarray | float, high: np.ndarray | float
) -> None:
    """Shade what a null gives."""
    ax.fill_between(x, low, high, color=NULL, linewidth=0, zorder=0, label="null")


def label_ends(
    ax: Axes, ends: Sequence[tuple[float, str, str]], *, gap: float = 0.075, x: float = 1.015
) -> None:
    """Write (value, words, colour) beside the right ends of lines, pushed apart where they meet.

    `gap` is the least distance as a fraction of the height of the axes.
    """
    to_axes = ax.transData + ax.transAxes.inverted()
    right = ax.get_xlim()[1]
    wanted = [(float(to_axes.transform((right, value))[1]), text, colour)
              for value, text, colour in ends if np.isfinite(value)]  # fmt: skip
    wanted.sort(key=lambda end: end[0])
    places = spread([place for place, _, _ in wanted], gap)
    for place, (_, text, colour) in zip(places, wanted, strict=True):
        ax.text(
            x, place, plain(text), transform=ax.transAxes, color=colour, fontsize=TEXT, va="center"
        )


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move ascending places apart to at least `gap`, as little as can be, keeping their mean."""
    blocks: list[list[float]] = []
    for place in places:
        blocks.append([place, 1])
        while len(blocks) > 1 and _touch(blocks[-2], blocks[-1], gap):
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [[(a * m + b * n) / (m + n), m + n]]
    return [
        centre + (k - (count - 1) / 2) * gap for centre, count in blocks for k in range(int(count))
    ]


def _touch(low: list[float], high: list[float], gap: float) -> bool:
    return high[0] - low[0] < gap * (low[1] + high[1]) / 2


def plain(text: str) -> str:
    """Return a name so that matplotlib shows it as it is, dollars and all."""
    return text.replace("$", r"\$")
