"""A function of this package at work in a process of its own, that ends with this one.

A plain subprocess and not one of a pool: a pool imports the caller's script a second time, cannot
do so from standard input, and may not be made within another pool's process. The process gets its
parent's `sys.path` as the first line of its standard input, and ends when that input closes, since
then its parent is gone, however it went. It writes events as JSON lines to its standard output;
whatever else is printed there goes to standard error. May import ontogeny.errors only.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Self, TextIO

from ontogeny import errors
from ontogeny.errors import OntogenyError

Send = Callable[[dict[str, Any]], None]
"""Sends an event to the parent: anything that JSON can say."""

START = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
import json
sys.path[:] = json.loads(sys.stdin.readline())
from ontogeny.companion import main
main(*sys.argv[1:])
"""
"""What such a process runs. Ctrl-C reaches it too, but ending it is its parent's business."""
POOLS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)  # fmt: skip
"""Environment variables that bound the threads of numerical libraries."""
READY, DONE, REFUSED, FAULT, NEVER = "ready", "done", "refused", "fault", "never ready"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Companion:
    """A function at work in a process of its own.

    Parameters
    ----------
    target
        "module:function" within this package; it is called as `function(*arguments, send)`.
    arguments
        What it is given.
    threads
        Of its numerical libraries. One by default: processes side by side share the cores, and a
        thread that waits for another one keeps its core from the others while it does.
    """

    def __init__(self, target: str, *arguments: str, threads: int = 1) -> None:
        self.target = target
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._process = _started([target, *arguments], threads)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what the function sends, as it comes, until it has ended.

        Raises
        ------
        OntogenyError
            What the function raised, as the same class with the same sentence.
        ChildProcessError
            If no process could be started; the function has not begun.
        RuntimeError
            If the process failed otherwise, with its traceback if there is one.
        """
        while True:
            event = self._events.get()
            kind = event.get("companion")
            if kind is None:
                yield event
            elif kind == REFUSED:
                raise getattr(errors, event["class"])(event["message"])
            elif kind == NEVER:
                msg = f"expected to start a process for {self.target}, got none"
                raise ChildProcessError(msg)
            elif kind == FAULT:
                msg = f"{self.target} failed: {event['message']}"
                raise RuntimeError(msg)
            elif kind == DONE:
                return

    def wait(self) -> None:
        """Wait until the function has ended; raise what it raised, as `events` does."""
        for _ in self.events():
            pass

    def end(self) -> None:
        """End the process if it still runs, and close its pipes."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._listener.join()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _listen(self) -> None:
        """Pass on what the process says, and last how it ended."""
        last: dict[str, Any] = {"companion": NEVER}
        if self._process is not None:
            assert self._process.stdout is not None
            with self._process.stdout as lines:
                for line in lines:
                    try:
                        last = json.loads(line)
                    except ValueError:  # no process of ours: sys.executable is something else
                        break
                    if "companion" not in last:
                        self._events.put(last)
            if last.get("companion", READY) == READY:
                code = self._process.wait()
                last = {"companion": FAULT, "message": f"its process ended with {code}"}
        self._events.put(last)


def _started(arguments: list[str], threads: int) -> subprocess.Popen[bytes] | None:
    """Start a process; None where none can be started."""
    if not sys.executable:
        return None
    environment = {**os.environ, **dict.fromkeys(POOLS, str(threads))}
    for name in ("PYTHONWARNINGS", "PYTHONINSPECT"):  # meant for the caller's own program
        environment.pop(name, None)
    command = [sys.executable, "-P", "-c", START, *arguments]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
    except (OSError, ValueError):
        return None
    assert process.stdin is not None
    path = [str(place) or os.getcwd() for place in sys.path]  # noqa: PTH109
    with contextlib.suppress(OSError):  # it may have ended already; then it is never ready
        process.stdin.write(json.dumps(path).encode() + b"\n")
        process.stdin.flush()
    return process


# In the process -------------------------------------------------------------------------------


def main(target: str, *arguments: str) -> None:
    """Call the function, say how it went, and end."""
    channel = _own_output()
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def send(event: dict[str, Any]) -> None:
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        send({"companion": READY})
        send(_called(target, arguments, send))


def _called(target: str, arguments: tuple[str, ...], send: Send) -> dict[str, Any]:
    """Call the function; return the last event: done, a user's mistake, or a fault of ours."""
    module, _, function = target.partition(":")
    try:
        getattr(import_module(module), function)(*arguments, send)
    except OntogenyError as error:
        return {"companion": REFUSED, "class": _public(type(error)), "message": str(error)}
    except BrokenPipeError:
        raise
    except Exception:
        return {"companion": FAULT, "message": traceback.format_exc()}
    return {"companion": DONE}


def _public(kind: type[OntogenyError]) -> str:
    """Return the nearest class that `ontogeny.errors` has by name."""
    return next(c.__name__ for c in kind.__mro__ if getattr(errors, c.__name__, None) is c)


def _own_output() -> TextIO:
    """Return standard output for events only; let what others print go to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with contextlib.suppress(OSError):  # standard error may be closed
        os.dup2(2, 1)
    return own


def _end_with_parent() -> None:
    """End the process, whatever it is doing, when its standard input closes.

    The descriptor itself is read: a thread that waits within `sys.stdin` holds a lock that the
    interpreter wants when it ends, and its end would be told as a fatal error.
    """
    while os.read(0, 1024):
        pass
    os._exit(1)
