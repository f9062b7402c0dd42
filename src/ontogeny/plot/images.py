"""Pictures: first-layer filters over steps, exemplars per token, the confusion table.

May import matplotlib, numpy, xarray and plot.style only.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ontogeny.plot import style


def filter_strip(filters: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Draw first-layer filters: a row per step, a column per unit; mid-grey is a weight of 0.

    All share one contrast: black and white are minus and plus the 99.5 % quantile of the
    magnitude of all weights shown, which the axes' `contrast` label states.

    Parameters
    ----------
    filters
        (step, unit, y, x, channel) with 1 or 3 channels (of more, the first is drawn).
    ax
        Where to draw.

    Examples
    --------
    >>> import xarray as xr
    >>> filters = xr.DataArray(
    ...     np.stack([run.weights(step)["conv1.weight"] for step in (0, 300)]),
    ...     dims=("step", "unit", "channel", "y", "x"), coords={"step": [0, 300]},
    ... )
    >>> ax = ont.plot.filter_strip(filters.transpose("step", "unit", "y", "x", "channel"))
    >>> ax.get_xlabel(), [label.get_text() for label in ax.get_yticklabels()]
    ('unit of the first layer; contrast: black -0.92, white +0.92', ['step 0', 'step 300'])
    """
    values = filters.transpose("step", "unit", "y", "x", "channel").values.astype(np.float64)
    n_steps, n_units, height, width, _ = values.shape
    ax = style.new_axes(ax, width=10, height=0.42 * n_steps + 0.8)
    scale = float(np.quantile(np.abs(values), 0.995)) or 1.0
    shown = np.clip(0.5 + 0.5 * values / scale, 0, 1)
    ax.imshow(_as_rgb(_mosaic(shown, gap=1)), interpolation="nearest", aspect="equal")
    ax.set_yticks(
        [k * (height + 1) + (height - 1) / 2 for k in range(n_steps)],
        [f"step {int(step):,}" for step in filters["step"].values],
    )  # fmt: skip
    places = range(0, n_units, max(n_units // 16, 1))
    ax.set_xticks([k * (width + 1) + (width - 1) / 2 for k in places], [str(k) for k in places])
    style.name_axes(
        ax, x=f"unit of the first layer; contrast: black -{scale:.2g}, white +{scale:.2g}"
    )
    _no_frame(ax)
    return ax


def contact_sheet(
    images: np.ndarray, token: np.ndarray, tokens: list[str], *, count: int = 12,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the first exemplars of each token, a row per token.

    Parameters
    ----------
    images
        uint8 [exemplar, y, x, channel].
    token
        Index of each exemplar's token.
    tokens
        Their names.
    count
        Exemplars per token.
    ax
        Where to draw.

    Examples
    --------
    >>> tokens = record.token.values.tolist()
    >>> token = np.array([tokens.index(name) for name in record.exemplar_token.values])
    >>> ax = ont.plot.contact_sheet(record.image.values, token, tokens, count=4)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['ada', 'bo', 'cleo']
    """
    ax = style.new_axes(ax, width=9, height=0.72 * len(tokens))
    rows = np.full((len(tokens), count, *images.shape[1:]), 255, dtype=images.dtype)
    for k in range(len(tokens)):
        chosen = images[token == k][:count]
        rows[k, : len(chosen)] = chosen
    ax.imshow(_as_rgb(_mosaic(rows / 255, gap=2)), interpolation="nearest")
    height = images.shape[1]
    places = [k * (height + 2) + (height - 1) / 2 for k in range(len(tokens))]
    ax.set_yticks(places, [style.name(name) for name in tokens])
    ax.set_xticks([])
    for k, label in enumerate(ax.get_yticklabels()):
        label.set_color(style.token_colour(k))
    _no_frame(ax)
    return ax


def confusion(table: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Draw what is answered to each token's exemplars; rows sum to 1.

    Parameters
    ----------
    table
        `ontogeny.measure.confusion`.
    ax
        Where to draw.

    Examples
    --------
    >>> ax = ont.plot.confusion(ont.measure.confusion(record))
    >>> [text.get_text() for text in ax.texts[:3]]  # what is answered to ada
    ['0.70', '0.20', '0.10']
    """
    names = [style.name(str(name)) for name in table["token"].values]
    ax = style.new_axes(ax, width=1.2 + 0.7 * len(names), height=0.8 + 0.55 * len(names))
    ax.imshow(table.values, cmap=style.MAGNITUDE, vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(table.values):
        if np.isfinite(share):
            words, colour = (
                f"{share:.2f}" if share > 0 else "0",
                "white" if share < 0.6 else "black",
            )
            ax.text(column, row, words, ha="center", va="center", fontsize=style.TEXT - 1,
                    color=colour)  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    style.name_axes(ax, x="answer", y="token shown")
    _no_frame(ax)
    return ax


def _mosaic(pictures: np.ndarray, *, gap: int) -> np.ndarray:
    """Lay [row, column, y, x, channel] out as one picture with white gaps."""
    padded = np.pad(pictures, [(0, 0), (0, 0), (0, gap), (0, gap), (0, 0)], constant_values=1.0)
    rows, columns, height, width, channels = padded.shape
    flat = padded.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    return flat[:-gap, :-gap]


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    return picture if picture.shape[-1] == 3 else picture[..., :1].repeat(3, axis=-1)


def _no_frame(ax: Axes) -> None:
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
