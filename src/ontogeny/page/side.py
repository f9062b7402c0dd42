"""The live page beside a command: a process of its own that serves while the command works.

`Side` is the command's end: it listens before anything heavy is imported, so that the address is
known at once, and hands the socket to the process. What the command does is written to the
process's standard input, a JSON object a line; when that ends, however the command ended, the
process ends too. It computes with one thread, and at low priority from the first view on. The
command's end may import ontogeny.page.address, .assets, .live and ontogeny.run; the process
imports ontogeny.page.serve.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from ontogeny.page.address import LOOPBACK, address, listen
from ontogeny.page.assets import asset
from ontogeny.page.live import Feed, Live, warm
from ontogeny.run import RunFolder

NICENESS = 5
"""Of the process: of a busy core it gets about a quarter."""
PATIENCE = 8.0
"""Seconds for which pages that are open may fetch the last of a run when the command has ended."""
SELDOM = 0.3
"""Seconds between two lines on the progress of one stage."""
_ONE_THREAD = {
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")},
    "ZARR_THREADING__MAX_WORKERS": "1",
}


class Side:
    """Serves the page of the run that a command is about to make.

    Parameters
    ----------
    port
        Where to listen on loopback; None: the usual port, or a free one if it is taken.
    is_opened
        Open the page in a browser.

    Raises
    ------
    RunError
        If the page was not built, or the port is taken.
    """

    def __init__(self, *, port: int | None = None, is_opened: bool = False) -> None:
        asset("index.html")
        self._told: tuple[str, float] = ("", 0.0)
        with listen(LOOPBACK, port) as listener:
            self.url, _ = address(LOOPBACK, listener.getsockname()[1])
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ontogeny.page.side", str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD},
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C is for the command, which then ends this
            )
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        if is_opened:
            threading.Thread(target=_open, args=(self.url,), daemon=True).start()

    def show(self, run: str | os.PathLike[str]) -> None:
        """Name the run's folder, which need not be there yet."""
        self._write({"run": str(Path(run).absolute())})

    def tell(self, stage: str, *, what: str = "", done: int = 0, total: int = 0) -> None:
        """Say what the command does now, and how much of it is done."""
        last, when = self._told
        now = time.monotonic()
        if stage != last or now - when >= SELDOM:
            self._told = (stage, now)
            self._write({"stage": stage, "what": what, "done": done, "total": total})

    def stay(self) -> None:
        """Serve until the command is interrupted."""
        with contextlib.suppress(KeyboardInterrupt):
            self._process.wait()

    def close(self, *, is_patient: bool = True) -> None:
        """End the process, once the pages that are open have fetched the last of the run.

        Parameters
        ----------
        is_patient
            Wait for that; else the process does so by itself.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if not is_patient:
            return
        try:
            self._process.wait(PATIENCE + 4)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(is_patient=kind is None)

    def _write(self, line: dict[str, Any]) -> None:
        """Write a line; where the process is gone or does not listen, the work goes on."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            os.write(self._process.stdin.fileno(), json.dumps(line).encode() + b"\n")


def _open(url: str) -> None:
    """Open a page in the browser of the person's desktop; without a desktop there is none."""
    desktop = sys.platform in {"darwin", "win32"} or {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & {
        *os.environ
    }
    if desktop:
        webbrowser.open(url)


# The process ----------------------------------------------------------------------------------


def main() -> None:
    """Serve on the socket that was handed over, until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    live = Live(None, feed=Feed())
    serve = import_module("ontogeny.page.serve")
    server = serve.server(serve.application(live))
    for work in (_listen, _settle):
        threading.Thread(target=work, args=(live, server), daemon=True).start()
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        server.run(sockets=[listener])
    os._exit(0)  # a bundle that is being made is not waited for


def _settle(live: Live, _: Any) -> None:
    """Get ready for the first bundle; when it is made, go down to low priority."""
    warm()
    live.has_made.wait()
    with contextlib.suppress(OSError):
        if sys.platform != "linux":
            os.nice(NICENESS)
            return
        for thread in threading.enumerate():  # where each thread has a priority of its own
            os.setpriority(os.PRIO_PROCESS, thread.native_id or 0, NICENESS)


def _listen(live: Live, server: Any) -> None:
    """Read what the command says; when it has ended, end the server."""
    assert live.feed is not None
    for line in sys.stdin.buffer:
        said = json.loads(line)
        if "run" in said:
            live.run = RunFolder(said["run"])
        else:
            live.feed.said = said
    live.feed.has_ended = True
    end = time.monotonic() + PATIENCE
    while live.listeners and time.monotonic() < end:
        time.sleep(0.05)
    server.should_exit = True
    time.sleep(2)
    os._exit(0)


if __name__ == "__main__":
    main()
