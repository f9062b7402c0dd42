"""Pictures of detectors, brought to one size, so that the page can draw them side by side.

May import pillow, numpy and xarray.
"""

import numpy as np
import xarray as xr
from PIL import Image

CELL = 40
"""Side of a cell in pixels."""
GROUND = 128
"""Grey beside a picture that is not square, and of a unit without a picture."""
COARSE = 8
"""Pictures of at most so many pixels are enlarged with hard edges: these are their pixels."""


def fitted(picture: np.ndarray) -> np.ndarray:
    """Return a picture [y, x, channel] enlarged to fill a cell, its proportions kept.

    A picture of no size gives a grey cell.
    """
    height, width, channels = picture.shape
    cell = np.full((CELL, CELL, channels), GROUND, dtype=np.uint8)
    if picture.size == 0:
        return cell
    scale = CELL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = Image.Resampling.NEAREST if max(height, width) <= COARSE else Image.Resampling.LANCZOS
    image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
    resized = np.asarray(image.resize(size, how)).reshape(size[1], size[0], channels)
    top, left = (CELL - size[1]) // 2, (CELL - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = resized
    return cell


def cells(picture: xr.DataArray, height: xr.DataArray, width: xr.DataArray) -> np.ndarray:
    """Return the cells of pictures that lie in the upper left corners of their arrays.

    Parameters
    ----------
    picture
        (..., y, x, channel), uint8.
    height, width
        (...), in pixels; 0 where there is none.

    Returns
    -------
    numpy.ndarray
        uint8 [..., CELL, CELL, channel].
    """
    values = picture.values
    flat = values.reshape(-1, *values.shape[-3:])
    sizes = zip(height.values.ravel().tolist(), width.values.ravel().tolist(), strict=True)
    made = [fitted(one[:y, :x]) for one, (y, x) in zip(flat, sizes, strict=True)]
    return np.stack(made).reshape(*values.shape[:-3], CELL, CELL, values.shape[-1])
