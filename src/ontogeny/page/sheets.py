"""Image sheets: many small pictures in one file. May import pillow, numpy, xarray."""

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

QUALITY = 85
"""Of JPEG; at 85 a 32 x 32 picture looks like itself and takes about 1 kB."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Pictures of one size in rows."""

    data: bytes
    type: str
    columns: int
    cell: tuple[int, int]
    """Width, height in pixels."""
    count: int

    def description(self, blob: str, dims: tuple[str, ...]) -> dict[str, Any]:
        """Return what the manifest says of it."""
        return {
            "blob": blob, "type": self.type, "columns": self.columns, "cell": list(self.cell),
            "count": self.count, "dims": list(dims),
        }  # fmt: skip


def sheet(pictures: np.ndarray) -> Sheet:
    """Put pictures side by side into one JPEG.

    Parameters
    ----------
    pictures
        uint8 [picture, y, x, channel], channel 1 or 3.
    """
    count, height, width, channels = pictures.shape
    columns = max(1, math.isqrt(count))
    rows = -(-count // columns)
    board = np.zeros((rows * columns, height, width, channels), dtype=np.uint8)
    board[:count] = pictures
    tiled = board.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    flat = tiled.reshape(rows * height, columns * width, channels)
    image = Image.fromarray(flat[..., 0] if channels == 1 else flat)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True, subsampling=0)
    return Sheet(file.getvalue(), "image/jpeg", columns, (width, height), count)
