"""Sheets and films: one detector in full, a layer at a glance, pictures over steps.

May import matplotlib, numpy, xarray, plot.style, plot.ancestry and ontogeny.errors only.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.animation import FFMpegWriter, PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ontogeny.errors import InputError
from ontogeny.plot import style
from ontogeny.plot.ancestry import tile

Labelled = tuple[str, Sequence[np.ndarray]]
"""A few words and the pictures they belong to."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a detector sheet shows; pictures are uint8 [y, x, channel], of no size for none."""

    name: str
    preferred: np.ndarray
    best: Sequence[np.ndarray]
    """Crops of its top exemplars."""
    spectrum: Sequence[tuple[str, np.ndarray]]
    """Crops between its largest and least response, with their quantiles."""
    film: Sequence[tuple[str, np.ndarray]]
    """Preferred pictures over steps."""
    tuning: xr.DataArray
    """Mean activation (step, token)."""
    parents: Sequence[Labelled]
    """Strongest sources: words, preferred picture and crop."""
    uses: Sequence[Labelled]


def detector_sheet(sheet: Sheet, figure: Figure | None = None) -> Figure:
    """Draw one detector: what it looks like, how it came to be, from what, and for what.

    Examples
    --------
    >>> from ontogeny.plot.sheets import Sheet
    >>> grey = np.full((4, 4, 3), 128, np.uint8)
    >>> mean = record.activation.sel(unit="fc1:4").groupby("exemplar_token").mean()
    >>> sheet = Sheet(
    ...     name="fc1:4", preferred=grey, best=[grey], spectrum=[("0.5", grey)],
    ...     film=[("step 0", grey)], tuning=mean.rename(exemplar_token="token"),
    ...     parents=[("conv2:11, 0.48", [grey, grey])], uses=[("logits:2, 0.24", [grey, grey])],
    ... )
    >>> figure = ont.plot.detector_sheet(sheet)
    >>> words = [text.get_text() for ax in figure.axes for text in ax.texts]
    >>> words[:4], words[-2:]
    (['preferred', 'top 1', '0.5', 'step 0'], ['used by', 'logits:2, 0.24'])
    """
    figure = figure or Figure(figsize=(9.6, 5.6), layout="constrained")
    rows = figure.add_gridspec(3, 2, height_ratios=[1.15, 1.0, 2.0], width_ratios=[1.15, 1])
    top = [("preferred", sheet.preferred, True)]
    top += [(f"top {k}", crop, False) for k, crop in enumerate(sheet.best, start=1)]
    top += [(words, crop, False) for words, crop in sheet.spectrum]
    picture_row(figure.add_subplot(rows[0, :]), top)
    picture_row(figure.add_subplot(rows[1, :]), [(w, p, True) for w, p in sheet.film])
    tuning_curve(sheet.tuning, figure.add_subplot(rows[2, 0]))
    _relatives(figure.add_subplot(rows[2, 1]), sheet)
    return figure


def picture_row(ax: Axes, pictures: Sequence[tuple[str, np.ndarray, bool]]) -> Axes:
    """Draw pictures in a row with words below each; the third of each says whether to smooth."""
    style.bare(ax)
    for k, (words, picture, smooth) in enumerate(pictures):
        tile(ax, picture, (1.1 * k, 0), smooth=smooth)
        ax.text(1.1 * k, -0.56, words, ha="center", va="top", fontsize=style.TEXT - 2,
                color=style.INK)  # fmt: skip
    ax.set_xlim(-0.6, 1.1 * max(len(pictures), 8) - 0.5)
    ax.set_ylim(-0.85, 0.55)
    ax.set_aspect("equal")
    ax.set_anchor("W")
    return ax


def tuning_curve(tuning: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Draw a unit's mean activation to each token over steps.

    Parameters
    ----------
    tuning
        (step, token).
    ax
        Where to draw.

    Examples
    --------
    >>> mean = record.activation.sel(unit="logits:2").groupby("exemplar_token").mean()
    >>> ax = ont.plot.tuning_curve(mean.rename(exemplar_token="token"))
    >>> ax.get_ylabel(), [text.get_text() for text in ax.texts]
    ('mean activation', ['bo', 'ada', 'cleo'])
    """
    ax = style.new_axes(ax, width=5, height=2.6)
    steps, ends = tuning["step"].values, []
    style.step_axis(ax, steps)
    for k, name in enumerate(tuning["token"].values.astype(str).tolist()):
        values, colour = tuning.isel(token=k).values, style.token_colour(k)
        ax.plot(steps, values, color=colour, linewidth=1.2)
        ends.append((float(values[-1]), name, colour))
    style.name_axes(ax, x=style.STEP_LABEL, y="mean activation")
    style.label_ends(ax, ends)
    return ax


def layer_sheet(
    pictures: Mapping[str, Sequence[np.ndarray]], *, columns: int = 12, ax: Axes | None = None
) -> Axes:
    """Draw units of a layer, each as its preferred picture and its best exemplar's crop.

    Parameters
    ----------
    pictures
        Unit -> preferred picture, crop.
    columns
        Units in a row.
    ax
        Where to draw.

    Examples
    --------
    >>> grey = np.full((4, 4, 3), 128, np.uint8)
    >>> ax = ont.plot.layer_sheet({"conv1:0": [grey, grey], "conv1:1": [grey, grey]})
    >>> [text.get_text() for text in ax.texts]
    ['conv1:0', 'conv1:1']
    """
    rows = -(-len(pictures) // columns)
    ax = style.new_axes(ax, width=0.98 * columns, height=0.62 * rows + 0.2)
    style.bare(ax)
    for k, (name, both) in enumerate(pictures.items()):
        x, y = 2.25 * (k % columns), -1.4 * (k // columns)
        for i, picture in enumerate(both[:2]):
            tile(ax, picture, (x + 1.03 * i, y), smooth=i == 0)
        ax.text(x - 0.5, y + 0.53, name, ha="left", va="bottom", fontsize=style.TEXT - 3.5,
                color=style.FAINT)  # fmt: skip
    ax.set_xlim(-0.7, 2.25 * columns - 0.5)
    ax.set_ylim(-1.4 * (rows - 1) - 0.6, 0.95)
    ax.set_aspect("equal")
    return ax


def film(
    strips: Mapping[str, Sequence[np.ndarray]],
    steps: Sequence[int],
    path: str | os.PathLike[str],
    *,
    per_second: float = 2.0,
    columns: int = 8,
) -> Path:
    """Write pictures over steps as a film: .gif, or .mp4 where ffmpeg is installed.

    Parameters
    ----------
    strips
        Unit -> its pictures at the steps.
    steps
        Snapshots.
    path
        Where to; what is there is replaced.
    per_second
        Snapshots shown in a second.
    columns
        Units in a row.

    Raises
    ------
    InputError
        If a unit has not one picture for each step, the ending is another, or ffmpeg is missing.

    Examples
    --------
    >>> dark, light = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    >>> ont.plot.film({"conv1:0": [dark, light]}, [0, 300], "conv1.gif").name
    'conv1.gif'
    """
    path = Path(path)
    writer = _writer(path, per_second)
    wrong = [name for name, strip in strips.items() if len(strip) != len(steps)]
    if wrong or not strips:
        msg = (
            f"expected units with a picture for each of {len(steps)} steps, got "
            f"{', '.join(wrong) or 'no unit'}: take the pictures from one film"
        )
        raise InputError(msg)
    columns = min(columns, len(strips))
    rows = -(-len(strips) // columns)
    figure = Figure(figsize=(1.1 * columns, 1.25 * rows + 0.35), layout="constrained")
    ax = figure.subplots()
    with writer.saving(figure, str(path), dpi=110):
        for k, step in enumerate(steps):
            ax.clear()
            _still(ax, {name: strip[k] for name, strip in strips.items()}, columns)
            ax.set_title(f"step {step:,}", fontsize=style.TEXT, color=style.INK)
            writer.grab_frame()
    return path


def filter_strips(filters: xr.DataArray) -> dict[str, list[np.ndarray]]:
    """Return filters (step, unit, y, x, channel) as pictures of one contrast; mid-grey is 0.

    Examples
    --------
    Weights of -1, 0 and 1 as grey values:

    >>> import xarray as xr
    >>> weights = np.array([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1, 1)
    >>> filters = xr.DataArray(weights, dims=("step", "unit", "y", "x", "channel"))
    >>> [int(pictures[0].item()) for pictures in ont.plot.filter_strips(filters).values()]
    [0, 128, 255]
    """
    values = filters.values.astype(np.float64)
    scale = float(np.quantile(np.abs(values), 0.995)) or 1.0
    shown = (255 * np.clip(0.5 + 0.5 * values / scale, 0, 1)).round().astype(np.uint8)
    names = filters[filters.dims[1]].values.astype(str).tolist()
    return {name: list(shown[:, k]) for k, name in enumerate(names)}


def _still(ax: Axes, pictures: Mapping[str, np.ndarray], columns: int) -> None:
    style.bare(ax)
    for k, (name, picture) in enumerate(pictures.items()):
        x, y = 1.1 * (k % columns), -1.25 * (k // columns)
        tile(ax, picture, (x, y), smooth=True)
        ax.text(x, y - 0.53, name, ha="center", va="top", fontsize=style.TEXT - 3,
                color=style.FAINT)  # fmt: skip
    rows = -(-len(pictures) // columns)
    ax.set_xlim(-0.55, 1.1 * columns - 0.5)
    ax.set_ylim(-1.25 * rows + 0.5, 0.55)
    ax.set_aspect("equal")


def _relatives(ax: Axes, sheet: Sheet) -> None:
    """Draw what a detector draws from, and what draws from it."""
    style.bare(ax)
    for x, words, rows in ((0, "built from", sheet.parents), (4.2, "used by", sheet.uses)):
        ax.text(x - 0.5, 0.75, words, fontsize=style.TEXT, color=style.INK)
        for k, (label, both) in enumerate(rows):
            for i, picture in enumerate(both[:2]):
                tile(ax, picture, (x + 1.05 * i, -1.15 * k), smooth=i == 0)
            ax.text(x + 1.65, -1.15 * k, label, va="center", fontsize=style.TEXT - 2,
                    color=style.INK)  # fmt: skip
        if not rows:
            ax.text(x - 0.5, 0, "none", fontsize=style.TEXT - 2, color=style.FAINT)
    ax.set_xlim(-0.6, 8.2)
    ax.set_ylim(-1.15 * 2 - 0.6, 1.1)
    ax.set_aspect("equal")


def _writer(path: Path, per_second: float) -> PillowWriter | FFMpegWriter:
    if path.suffix == ".gif":
        return PillowWriter(fps=per_second)  # type: ignore[arg-type]
    if path.suffix != ".mp4":
        msg = f"expected a film's name to end with .gif or .mp4, got {path.name}: rename it"
        raise InputError(msg)
    if not FFMpegWriter.isAvailable():
        msg = f"expected ffmpeg to write {path.name}, got none: install it, or name the film .gif"
        raise InputError(msg)
    return FFMpegWriter(fps=per_second)  # type: ignore[arg-type]
