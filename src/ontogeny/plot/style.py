"""How every figure looks: colours, markers, step axes, bands of nulls, labels beside lines.

Steps are drawn on an axis that is linear from 0 to 1 and logarithmic after it. Tokens take the
Okabe-Ito colours with a shape each; nulls are grey. May import matplotlib, numpy,
ontogeny.schedule and ontogeny.errors only.
"""

import re
import unicodedata
import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ontogeny.schedule import evenly_spaced

TOKEN_COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c7a00", "#000000",
)  # fmt: skip
"""Okabe & Ito 2008; their yellow is darkened, to be legible as a line on white."""
TOKEN_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
INK, FAINT, NULL, POSITIVE, NEGATIVE = "#2b2b2b", "#8a8a8a", "#dedede", "#0072b2", "#d55e00"
MAGNITUDE, SIGNED = "viridis", "RdBu_r"
TEXT = 9.0
LONGEST = 16
"""Columns of a token's name in a figure; beside it, the text has the name in full."""
FONTS = (
    "DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK KR",
    "Source Han Sans", "Noto Sans", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Droid Sans Fallback", "IPAGothic", "TakaoGothic", "NanumGothic", "Hiragino Sans",
    "PingFang SC", "Apple SD Gothic Neo", "Yu Gothic", "MS Gothic", "Microsoft YaHei", "SimHei",
    "Malgun Gothic", "Arial Unicode MS", "Noto Sans Devanagari", "Noto Sans Thai", "Nirmala UI",
    "Noto Sans Symbols2", "Noto Emoji", "Segoe UI Symbol",
)  # fmt: skip
"""The font of all figures, and those that stand in for letters it lacks, in this order."""
_UNREADABLE = (
    "No installed font has some letters of the tokens' names, so that figures show their code "
    "points: install a font that has them, such as Noto Sans CJK."
)
STEP_LABEL = "step (linear to 1, then logarithmic)"


def token_colour(index: int) -> str:
    """Return the colour of the index-th token.

    Examples
    --------
    >>> ont.plot.token_colour(0), ont.plot.token_colour(1)
    ('#0072b2', '#d55e00')
    """
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
    place = evenly_spaced(len(steps), count)
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
    r"""Return a name so that matplotlib shows it as it is, dollars and all.

    Examples
    --------
    Dollars would begin a formula:

    >>> print(ont.plot.plain("5$ and 6$"))
    5\$ and 6\$
    """
    return text.replace("$", r"\$")


def name(text: str, most: int = LONGEST) -> str:
    """Return a token's name as figures show it: shortened, dollars and all."""
    return plain(shortened(text, most))


def names(text: str) -> str:
    """Return what lists or pairs tokens, each of them shortened: `a and b`, `a, b | c`."""
    return "".join(name(part) for part in re.split(r"( and |, | \| )", text))


def shortened(text: str, most: int = LONGEST) -> str:
    """Return a name of at most so many columns, with an ellipsis for its middle.

    Beginning and end stay, as names that differ in one of them only are common. Letters of
    Chinese, Japanese and Korean take two columns.
    """
    if _columns(text) <= most:
        return text
    room = most - 1
    tail = _fitting(text[::-1], room * 2 // 5)[::-1]
    return f"{_fitting(text, room - _columns(tail))}…{tail}"


def _fitting(text: str, room: int) -> str:
    """Return the longest beginning of a text that takes no more than so many columns."""
    widths = np.cumsum([_columns(letter) for letter in text])
    return text[: int(np.searchsorted(widths, room, side="right"))]


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def legible(figure: Figure) -> Figure:
    """Let every text of a figure be read: with fonts that have its letters, or by code points.

    The first of `FONTS` that is installed and has the letters stands in for them. Where none has,
    the text is written by its code points, and a warning says so.

    Examples
    --------
    What the font has stays as it is:

    >>> import matplotlib.pyplot as plt
    >>> figure = plt.figure()
    >>> title = figure.suptitle("Ada")
    >>> figure = ont.plot.legible(figure)
    >>> title.get_text()
    'Ada'
    """
    for artist in figure.findobj(lambda found: isinstance(found, Text | Axis)):
        if isinstance(artist, Axis):
            _legible_ticks(artist)
        elif isinstance(artist, Text) and (families := _families(artist.get_text())):
            artist.set_fontfamily(families)
            artist.set_text(_by_code_points(artist.get_text(), families))
    return figure


def _legible_ticks(axis: Axis) -> None:
    """Do the same for ticks with words, which are written anew when the figure is drawn."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return
    said = [label.get_text() for label in axis.get_majorticklabels()]
    families = _families("".join(said))
    if families:
        axis.set_tick_params(labelfontfamily=families)
        words = [_by_code_points(text, families) for text in said]
        axis.set_ticks(axis.get_majorticklocs(), labels=words)


def _families(text: str) -> list[str]:
    """Return the fonts that a text needs, none where the usual one has all letters."""
    if text.isascii():
        return []
    missing = [letter for letter in text if not _has(FONTS[0], letter)]
    others = [font for font in FONTS[1:] if any(_has(font, letter) for letter in missing)]
    return [FONTS[0], *others] if missing else []


def _by_code_points(text: str, families: Sequence[str]) -> str:
    """Return a text as it is if fonts have its letters, or else by code points."""
    if all(any(_has(font, letter) for font in families) for letter in text):
        return text
    warnings.warn(_UNREADABLE, stacklevel=1)  # one place, so that it is said once
    return shortened(text.encode("ascii", "backslashreplace").decode(), 2 * LONGEST)


@cache
def _letters(font: str) -> frozenset[int]:
    """Return the code points that an installed font has; none if it is not installed."""
    paths = [entry.fname for entry in fontManager.ttflist if entry.name == font]
    return frozenset(get_font(paths[0]).get_charmap()) if paths else frozenset()


def _has(font: str, letter: str) -> bool:
    return letter.isspace() or ord(letter) in _letters(font)
