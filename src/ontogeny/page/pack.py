"""Arrays packed for the page: few bytes, a stated error, NaN kept apart.

value = raw * scale + add; a raw integer of its own stands for NaN. May import numpy only.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ontogeny.errors import InputError

ALIGNMENT = 4
"""Arrays begin at multiples of so many bytes in their blob."""
DTYPES = ("float32", "int8", "uint8", "int16", "uint16", "int32", "uint32")


@dataclass(frozen=True, eq=False)
class Packed:
    """Raw numbers and how values are had from them."""

    raw: np.ndarray
    scale: float
    add: float
    missing: int | None
    """Raw integer that stands for NaN; None for float32, which has its own."""
    error: float
    """Largest distance of a value from what is had back."""

    def values(self) -> np.ndarray:
        """Return the values as the page has them, float64."""
        values = self.raw.astype(np.float64) * self.scale + self.add
        return values if self.missing is None else np.where(
            self.raw == self.missing, np.nan, values
        )  # fmt: skip


def pack(values: np.ndarray, dtype: str) -> Packed:
    """Pack values into a small type.

    Signed integers are spread over -max|v| ... max|v|, so that 0 stays 0; unsigned ones over
    min ... max. Whole numbers that fit are kept as they are.

    Parameters
    ----------
    values
        Numbers; NaN where there is none. An infinite value is kept by float32 only.
    dtype
        One of `DTYPES`.

    Raises
    ------
    InputError
        If the type is unknown, or values are infinite and the type has no infinity.
    """
    if dtype not in DTYPES:
        msg = f"expected one of {', '.join(DTYPES)}, got {dtype}: choose a type the page reads"
        raise InputError(msg)
    values = np.asarray(values, dtype=np.float64)
    if dtype == "float32":
        raw = values.astype(np.float32)
        finite = np.isfinite(values)
        return Packed(raw, 1.0, 0.0, None, _largest(values[finite] - raw[finite]))
    low, high = _ends(values)
    if np.isinf([low, high]).any():
        msg = f"expected finite values or NaN to pack as {dtype}, got infinity: pack as float32"
        raise InputError(msg)
    limits = np.iinfo(dtype)
    missing = int(limits.min if limits.min < 0 else limits.max)
    scale, add = (1.0, 0.0) if _fits(values, low, high, limits) else _spread(low, high, limits)
    raw = np.rint((values - add) / scale)
    error = float(np.fmax.reduce(np.abs(values - (raw * scale + add)), axis=None, initial=0.0))
    raw[np.isnan(values)] = missing
    return Packed(raw.astype(dtype), scale, add, missing, error)


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest value; 0 and 0 where none is known."""
    if values.size == 0:
        return 0.0, 0.0
    low, high = (float(f.reduce(values, axis=None)) for f in (np.fmin, np.fmax))
    return (0.0, 0.0) if np.isnan(low) else (low, high)


_GLANCE = 4096
"""Values looked at first: most arrays that are not whole numbers show it there."""


def _fits(values: np.ndarray, low: float, high: float, limits: np.iinfo) -> bool:
    """Say whether all values are whole numbers that the type holds beside the one for NaN."""
    top = int(limits.max) if limits.min < 0 else int(limits.max) - 1
    if high > top or low < (-top if limits.min < 0 else 0):
        return False
    return all(_are_whole(some) for some in (values.ravel()[:_GLANCE], values))


def _are_whole(values: np.ndarray) -> bool:
    return bool(((values == np.rint(values)) | np.isnan(values)).all())


def _spread(low: float, high: float, limits: np.iinfo) -> tuple[float, float]:
    """Return scale and add."""
    if limits.min < 0:
        return max(abs(low), abs(high)) / int(limits.max) or 1.0, 0.0
    return (high - low) / (int(limits.max) - 1) or 1.0, low


def _largest(distance: np.ndarray) -> float:
    known = np.abs(distance[np.isfinite(distance)])
    return float(known.max()) if known.size else 0.0


@dataclass
class Blob:
    """Arrays, or one image sheet, that are fetched together."""

    data: bytearray = field(default_factory=bytearray)

    def add(self, packed: Packed) -> int:
        """Append an array, aligned; return its offset in bytes."""
        self.data += bytes(-len(self.data) % ALIGNMENT)
        offset = len(self.data)
        little = packed.raw.astype(packed.raw.dtype.newbyteorder("<"), copy=False)
        self.data += np.ascontiguousarray(little).tobytes()
        return offset

    def description(self) -> dict[str, Any]:
        """Return size and hash, for the manifest."""
        return {"bytes": len(self.data), "hash": hashlib.sha256(self.data).hexdigest()}
