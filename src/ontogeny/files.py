"""Files that are whole or not there at all, and one writer at a time.

May import `ontogeny.errors` only. Reading needs nothing of the operating system; the lock of a
writer is filelock's, which is imported where it is taken.
"""

import contextlib
import errno
import json
import os
import platform
import queue
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ontogeny.errors import RunError

_TEMPORARY, _CHECKSUM = ".tmp", "checksum"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def plain_words(path: Path) -> Iterator[None]:
    """Tell a failure of the operating system while writing `path` in one sentence.

    Raises
    ------
    RunError
        In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            msg = (
                f"expected room for {path}, got '{error.strerror}': make room and resume; "
                "what was written before is whole"
            )
        elif error.errno in _NOT_ALLOWED:
            msg = (
                f"expected to be allowed to write {path}, got '{error.strerror}': "
                "choose another folder or change its permissions"
            )
        else:
            msg = f"expected to write {path}, got '{error.strerror or error}': check the disk"
        raise RunError(msg) from error


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file so that, whatever happens, it is there whole or as it was before.

    Its parts go, one after the other, to a temporary name in the same folder, are synchronised to
    the disk and renamed; then the folder is synchronised.

    Raises
    ------
    RunError
        If the disk is full or the folder may not be written.
    """
    # in the same folder: a rename is atomic within one file system only
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{_TEMPORARY}")
    with plain_words(path):
        try:
            # without a buffer: what was written must be with the system before it is synchronised
            with temporary.open("wb", buffering=0) as file:
                for part in parts:
                    write_all(file.fileno(), part)
                # before the rename, or the name could survive a power cut that its content does not
                os.fsync(file.fileno())
            temporary.replace(path)
            # the rename is a change of the folder, and lasts only when that is on the disk
            synchronise(path.parent)
        # an interrupt as well: nothing half-written may stay under any name
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def check_value(content: Any) -> int:
    """Return the CRC-32 of what JSON can hold, whatever the order of its keys.

    It is to find damage, not deceit.
    """
    plain = json.loads(json.dumps(content))  # keys are text, tuples are lists
    return zlib.crc32(json.dumps(plain, sort_keys=True).encode())


def signed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON can hold with its own checksum, for a file."""
    bare = {name: value for name, value in content.items() if name != _CHECKSUM}
    return {**bare, _CHECKSUM: check_value(bare)}


def unsigned(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a file held before it was signed; None if it is not what was written.

    Files of earlier versions hold no checksum: they are taken as they are.
    """
    bare = {name: value for name, value in content.items() if name != _CHECKSUM}
    is_whole = _CHECKSUM not in content or content[_CHECKSUM] == check_value(bare)
    return bare if is_whole else None


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all bytes: one call to the system may write fewer than it was given."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def synchronise(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets folders be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the files that a killed writer left half-written; the caller holds the folder's lock.

    Folders are left to `ontogeny.datasets`, whose writers have locks of their own.
    """
    for temporary in folder.glob(f".*{_TEMPORARY}"):
        if not temporary.is_dir():
            temporary.unlink(missing_ok=True)


class FolderLock:
    """Hold a folder for one writer; the operating system lets go when the process ends, however.

    The file names the holder's process and host, for the message that others get; it stays, since
    removing it could free a lock that somebody else has just taken.

    Parameters
    ----------
    path
        The file.
    patience
        Seconds to wait for another writer to finish.
    """

    def __init__(self, path: Path, *, patience: float = 0) -> None:
        self.path, self.patience = path, patience
        self._lock: Any = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises
        ------
        RunError
            If another writer holds it or the folder may not be written.
        """
        from filelock import FileLock, Timeout  # only who writes needs locks of the system

        # Any thread may let go; without locks of the system there is no promise, so no substitute.
        lock = FileLock(self.path, thread_local=False, fallback_to_soft=False)
        with plain_words(self.path):
            try:
                lock.acquire(timeout=self.patience, poll_interval=0.02)
            except Timeout as error:
                msg = (
                    f"expected to be the only writer of {self.path.parent}, got {self._holder()} "
                    "writing it: wait for it or end it"
                )
                raise RunError(msg) from error
            try:
                self._name(f"process {os.getpid()} on {platform.node()}")
            except BaseException:
                lock.release()
                raise
        self._lock = lock
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go; an emptied file says that nobody writes."""
        if self._lock is None:
            return
        with contextlib.suppress(OSError):
            self._name("")
        self._lock.release()
        self._lock = None

    def _name(self, holder: str) -> None:
        """Write who holds the lock, where a locked file can be written."""
        # on Windows nobody may write a locked file; the name is a courtesy, the lock holds without
        with contextlib.suppress(PermissionError):
            self.path.write_text(holder)

    def _holder(self) -> str:
        try:
            return self.path.read_text(errors="replace") or "another process"
        except OSError:  # where a locked file cannot be read
            return "another process"


class Background:
    """Write in the order given, on a thread of its own, while the caller goes on.

    A job runs only if all jobs before it were done; so what a later file promises is there. The
    first failure is raised in the caller by the next `put` or at the end. At most `room` jobs wait.
    """

    def __init__(self, room: int = 4) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(room)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="ontogeny-writer")

    def put(self, job: Callable[[], None]) -> None:
        """Have a job done; wait while too many are waiting.

        Raises
        ------
        BaseException
            What an earlier job raised.
        """
        if self._failure is not None:
            raise self._failure
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            # after a failure the queue is emptied without working, so that a waiting caller
            # is let go
            if self._failure is None:
                try:
                    job()
                except BaseException as failure:
                    self._failure = failure

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish all jobs; an exception of the caller's goes before a failure of a job's."""
        self._jobs.put(None)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure
