"""Arrays in one .npz, read without pickle and written whole or not at all.

Imports numpy, ontogeny.errors and ontogeny.files only.
"""

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ontogeny.errors import InputError
from ontogeny.files import write_atomically


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read every array of an .npz without pickle.

    Raises
    ------
    InputError
        The file is missing, no .npz, damaged, or holds Python objects.
    """
    if not Path(path).exists():
        msg = f"expected an .npz at {path}, got no such file: check the path"
        raise InputError(msg)
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): _read_member(archive, name)
                for name in archive.namelist()
            }
    except _ObjectsError as error:
        msg = (
            f"expected {path} to hold plain arrays, got Python objects in {error}, which are never "
            "unpickled: save numbers or text, such as token=np.array(tokens, dtype=str)"
        )
        raise InputError(msg) from error
    except _DAMAGES as error:
        msg = (
            f"expected {path} to be a whole .npz, got what cannot be read as one ({error}): "
            "save it again"
        )
        raise InputError(msg) from error


_DAMAGES = (
    OSError, ValueError, EOFError, KeyError, RuntimeError, OverflowError, MemoryError, SyntaxError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What a damaged archive raises: RuntimeError where it seems encrypted or packed in another way."""


class _ObjectsError(Exception):
    """An array of Python objects, which only pickle could read."""


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as member:
        try:
            return np.lib.format.read_array(member, allow_pickle=False)
        except ValueError as error:
            if "Object arrays" in str(error):
                raise _ObjectsError(name.removesuffix(".npy")) from error
            raise


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an .npz: whole or not at all, and with array names of any kind.

    Raises
    ------
    RunError
        The file cannot be written.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", allowZip64=True) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    write_atomically(path, buffer.getvalue())
