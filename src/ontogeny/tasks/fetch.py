"""Fetch an archive once into the data home: checksum, resumed transfers, safe unpacking.

Imports pooch, ontogeny.errors, ontogeny.files and, of this package, folder only.

A transfer that breaks is tried again and goes on where it stopped, in the same call or a later
one. The archive is unpacked to a temporary folder, which is renamed when it is whole.
"""

import contextlib
import logging
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pooch

from ontogeny.errors import InputError
from ontogeny.files import FolderLock, plain_words
from ontogeny.progress import Progress

TIMEOUT = 30
RETRIES = 3
_CHUNK = 1 << 14
_WHOLE, _NOT_SATISFIABLE = 200, 416


@dataclass(frozen=True)
class Archive:
    """A tar archive on the network: its address, its SHA-256 and the one folder it unpacks to."""

    url: str
    sha256: str
    folder: str


def fetch(
    archive: Archive, home: Path, *, retries: int = RETRIES, progress: Progress | None = None
) -> Path:
    """Return the unpacked folder in the data home, fetched if it is not there yet.

    Parameters
    ----------
    archive
        What to fetch.
    home
        The data home; made if it does not exist.
    retries
        How often a broken or wrong transfer is tried again.
    progress
        Called with ("bytes", done, total).

    Raises
    ------
    InputError
        No network, a wrong checksum or an unsafe archive.
    RunError
        The data home cannot be written, or another process is fetching into it.
    """
    target = home / archive.folder
    if target.is_dir():
        return target
    with plain_words(home):
        home.mkdir(parents=True, exist_ok=True)
    with FolderLock(home / f".{archive.folder}.lock"):
        if not target.is_dir():
            packed = _download(archive, home, retries, progress)
            _unpack_whole(packed, home, archive.folder)
            packed.unlink()
    return target


def _download(archive: Archive, home: Path, retries: int, progress: Progress | None) -> Path:
    name = PurePosixPath(archive.url).name
    store = pooch.create(
        path=home,
        base_url="",
        registry={name: f"sha256:{archive.sha256}"},
        urls={name: archive.url},
        retry_if_failed=retries,
    )
    by_hand = f"or put the images into {home / archive.folder}/TOKEN/ yourself"
    try:
        with _quiet():
            return Path(store.fetch(name, downloader=_resuming(home / f".{name}.part", progress)))
    except ValueError as error:
        msg = (
            f"expected {archive.url} to have the SHA-256 {archive.sha256[:12]}..., got another "
            f"file, which was deleted: try again, {by_hand}"
        )
        raise InputError(msg) from error
    except OSError as error:
        if error.errno is not None:
            with plain_words(home):
                raise
        msg = (
            f"expected to fetch {archive.url}, got no whole transfer ({_cause(error)}): connect "
            f"to the network and try again, {by_hand}"
        )
        raise InputError(msg) from error


def _resuming(part: Path, progress: Progress | None) -> Callable[..., None]:
    """Return a downloader for pooch that appends to what an earlier transfer left in `part`."""

    def download(url: str, output_file: str, store: Any, **_: Any) -> None:
        with part.open("ab") as file:
            bar: Any = _Bar(progress, file.tell())  # pooch's own annotation says bool

            def begin_again(response: Any, **_: Any) -> None:
                if response.status_code in (_WHOLE, _NOT_SATISFIABLE):
                    file.truncate(0)
                    bar.before = 0

            get = pooch.HTTPDownloader(
                progressbar=bar,
                chunk_size=_CHUNK,
                timeout=TIMEOUT,
                headers={"Range": f"bytes={file.tell()}-", "Accept-Encoding": "identity"},
                hooks={"response": begin_again},
            )
            get(url, file, store)
        part.replace(output_file)

    return download


class _Bar:
    """What pooch calls a progress bar: hands bytes done and in all to a callback."""

    def __init__(self, progress: Progress | None, before: int) -> None:
        self.progress, self.before = progress, before
        self.done = self.total = 0

    def update(self, n: int) -> None:
        self.done = min(self.done + n, self.total)
        if self.progress is not None:
            self.progress("bytes", self.before + self.done, self.before + self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing is open."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep pooch from writing to the terminal: progress and errors are told by the caller."""
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _cause(error: BaseException) -> str:
    """Return the innermost reason of an error of the network, which is the one people know."""
    while error.__context__ is not None:
        error = error.__context__
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _unpack_whole(packed: Path, home: Path, folder: str) -> None:
    temporary = home / f".{folder}.part"
    with plain_words(home):
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            unpack(packed, temporary, folder)
            os.sync()
            (temporary / folder).replace(home / folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def unpack(packed: Path, into: Path, folder: str) -> None:
    """Unpack a tar archive whose members all lie in one folder.

    Only plain files are written, only below `into`, without owners and permissions.

    Raises
    ------
    InputError
        A member is a link or a device, or would lie elsewhere; or the archive is damaged.
    """
    (into / folder).mkdir(parents=True)
    try:
        with tarfile.open(packed) as tar:
            for member in tar:
                target = into / _safe_name(member, folder)
                if member.isdir():
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None, "a plain file has content"
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        reason = str(error).partition(":")[0]
        msg = f"expected a whole archive in {packed}, got '{reason}': fetch it again"
        raise InputError(msg) from error


def _safe_name(member: tarfile.TarInfo, folder: str) -> PurePosixPath:
    name = PurePosixPath(member.name)
    inside = name.parts[:1] == (folder,) and ".." not in name.parts and "\\" not in member.name
    if not inside or not (member.isfile() or member.isdir()):
        msg = (
            f"expected plain files below {folder}/ in the archive, got {member.name!r}: do not "
            "use this archive"
        )
        raise InputError(msg)
    return name
