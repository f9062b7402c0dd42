"""Zarr groups that are read whole or refused: damage never becomes another number.

Every chunk ends in its CRC-32C (zarr's own codec, which any reader of zarr checks). The metadata of
all arrays lie in the group's zarr.json, and that file holds a CRC-32 of itself. A chunk that is
missing is damage, too: chunks of fill values only are written like all others.
May import numpy, zarr, files and errors.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Self

import google_crc32c
import numpy as np
from zarr.abc.store import ByteRequest
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import LocalStore

from ontogeny.errors import DamagedError
from ontogeny.files import check_value, write_atomically

METADATA = "zarr.json"
"""The file with the metadata of all arrays of a group."""
CODECS = (ZstdCodec(), Crc32cCodec())
"""How chunks are stored."""
_SEAL = "ontogeny"
"""Where, beside the arrays' metadata, our own notes and the checksum of the file are."""


def seal(folder: Path, metadata: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """Write a group's metadata, arrays and all, with notes and a checksum; return them.

    Parameters
    ----------
    folder
        The group's.
    metadata
        Content of its zarr.json, with the arrays' metadata in `consolidated_metadata`.
    notes
        Our own, which `notes` returns; what JSON can hold.
    """
    notes = {name: note for name, note in notes.items() if name != "checksum"}
    inline = dict(metadata["consolidated_metadata"]) | {_SEAL: notes}
    sealed = {**metadata, "consolidated_metadata": inline}
    # the checksum is that of the file without it, as a reader has to compute it
    inline[_SEAL] = {**notes, "checksum": check_value(sealed)}
    write_atomically(folder / METADATA, json.dumps(sealed).encode())
    return sealed


def consolidate(folder: Path, notes: Mapping[str, Any]) -> None:
    """Gather the metadata of a group's arrays in its zarr.json, and seal it."""
    metadata = json.loads((folder / METADATA).read_bytes())
    arrays = {
        file.parent.name: json.loads(file.read_bytes())
        for file in sorted(folder.glob(f"*/{METADATA}"))
    }
    metadata["consolidated_metadata"] = {
        "kind": "inline", "must_understand": False, "metadata": arrays,
    }  # fmt: skip
    seal(folder, metadata, notes)


def read_metadata(folder: Path, remedy: str) -> dict[str, Any]:
    """Return a group's metadata as they were written; those of before seals are taken as they are.

    Raises
    ------
    DamagedError
        If there is no zarr.json, or it is not what was written.
    """
    try:
        metadata = json.loads((folder / METADATA).read_bytes())
        notes_of(metadata)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder / METADATA, str(error), remedy) from error
    if is_sealed(metadata):
        inline = metadata["consolidated_metadata"]
        notes = {n: v for n, v in notes_of(metadata).items() if n != "checksum"}
        bare = {**metadata, "consolidated_metadata": inline | {_SEAL: notes}}
        if check_value(bare) != notes_of(metadata).get("checksum"):
            raise _damaged(folder / METADATA, "another checksum", remedy)
    return metadata


def is_sealed(metadata: Mapping[str, Any]) -> bool:
    """Say whether metadata hold a checksum; those of earlier versions do not."""
    return _SEAL in (metadata.get("consolidated_metadata") or {})


def notes_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notes that metadata were sealed with."""
    return dict((metadata.get("consolidated_metadata") or {}).get(_SEAL, {}))


class CheckedStore(LocalStore):
    """The files of a group whose metadata are known; every chunk is checked when it is read.

    Parameters
    ----------
    root
        The group's folder.
    metadata
        Its metadata, as `read_metadata` returns them; they are not read again. A writer changes
        the lengths in them: what lies behind a length is not there yet, so it cannot be damaged.
    remedy
        What to do about damage, as the last words of a sentence.
    """

    def __init__(
        self, root: Path, metadata: Mapping[str, Any], remedy: str, *, read_only: bool = True
    ) -> None:
        super().__init__(root, read_only=read_only)
        self._metadata, self._remedy = metadata, remedy

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return the same for reading only, or for writing too."""
        return type(self)(self.root, self._metadata, self._remedy, read_only=read_only)

    @property
    def arrays(self) -> dict[str, dict[str, Any]]:
        """Metadata of the arrays by name."""
        return self._metadata["consolidated_metadata"]["metadata"]

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return the bytes of a file; those of a chunk are as they were written.

        Raises
        ------
        DamagedError
            If a chunk is damaged or missing.
        """
        # the metadata that were checked are handed out, not read again: the file may have
        # changed since
        if key == METADATA:
            text = json.dumps(self._metadata).encode()
            return (prototype or default_buffer_prototype()).buffer.from_bytes(text)
        found = await super().get(key, prototype, byte_range)
        data = None if found is None else found.as_numpy_array()
        return None if self.checked(key, data) is None else found

    def checked(self, key: str, data: np.ndarray | None) -> np.ndarray | None:
        """Return the bytes of a file if they are what was written.

        Raises
        ------
        DamagedError
            If they are those of a chunk, and damaged or missing.
        """
        name, _, place = key.partition("/")
        array = self.arrays.get(name)
        if array is None or place.partition("/")[0] != "c" or not _has_checksums(array):
            return data
        if data is not None and _is_whole(data):
            return data
        row = _first_row(array, place)
        if array["shape"] and row >= array["shape"][0]:
            return None  # what a killed writer left
        what = f"{name} of snapshot {row} (counted from 0)" if _grows(array) else name
        got = "no such file" if data is None else "other bytes"
        raise _damaged(self.root / key, f"{got}, so {what} is lost", self._remedy)

    def damages(self) -> Iterator[tuple[str, int, DamagedError]]:
        """Look at all chunks; return the damaged: key, first row (-1: does not grow), reason."""
        for name, array in self.arrays.items():
            for key in _keys(name, array):
                file = self.root / key
                try:
                    self.checked(key, np.fromfile(file, np.uint8) if file.is_file() else None)
                except DamagedError as error:
                    row = _first_row(array, key.partition("/")[2]) if _grows(array) else -1
                    yield key, row, error


def _damaged(file: Path, got: str, remedy: str) -> DamagedError:
    return DamagedError(f"expected {file} as it was written, got {got}: {remedy}")


def _is_whole(data: np.ndarray) -> bool:
    """Say whether a chunk ends in its own checksum."""
    if len(data) < 4:
        return False
    return google_crc32c.value(data[:-4]) == int.from_bytes(data[-4:].tobytes(), "little")  # pyright: ignore[reportArgumentType]


def _has_checksums(array: Mapping[str, Any]) -> bool:
    return array["codecs"][-1]["name"] == "crc32c"


def _grows(array: Mapping[str, Any]) -> bool:
    return (array.get("dimension_names") or [""])[0] == "step"


def _sizes(array: Mapping[str, Any]) -> list[int]:
    return array["chunk_grid"]["configuration"]["chunk_shape"]


def _first_row(array: Mapping[str, Any], place: str) -> int:
    """Return the first row of the chunk at "c/3/0", 0 if it has no axis."""
    index = place.split("/")[1:]
    return int(index[0]) * _sizes(array)[0] if index else 0


def _keys(name: str, array: Mapping[str, Any]) -> Iterator[str]:
    """Return the keys of an array's chunks."""
    counts = [-(-n // size) for n, size in zip(array["shape"], _sizes(array), strict=True)]
    for index in product(*map(range, counts)):
        yield "/".join([name, "c", *map(str, index)])
