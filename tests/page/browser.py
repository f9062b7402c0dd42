"""A real browser on a run's page: opening it, looking at its pixels, and gathering its trouble."""

import asyncio
import io
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright

from ontogeny.page import serve
from ontogeny.run import RunFolder

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("construction", "categories", "detectors", "observations", "compare")
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
LOCAL = ("file:", "blob:", "data:", "about:")
ACCESS = """async () => (await axe.run()).violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160))}`)"""


def chromium() -> str:
    """Return the path of a browser; fail where there is none, a skipped test would hide it."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        if name and (found := shutil.which(name)):
            return found
    msg = (
        f"expected a browser to try the page in, got none of {', '.join(NAMES)}: "
        "install Debian's chromium (apt-get install chromium) or set CHROMIUM to one"
    )
    raise FileNotFoundError(msg)


def launch(playwright: Playwright, *more: str) -> Browser:
    """Start the browser of this machine."""
    return playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS, *more])


@contextmanager
def served(run: RunFolder) -> Iterator[str]:
    """Serve a run on a free port of loopback; yield the page's address."""
    application = serve.application(run)
    config = uvicorn.Config(application, port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Visit:
    """One visitor: a page, what its console said, and what it asked of the network."""

    page: Page
    url: str
    trouble: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self._console(said.type, said.text))
        self.page.on("pageerror", lambda error: self.trouble.append(f"page error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", self._dialog)

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.trouble.append(f"{kind}: {text}")

    def _dialog(self, dialog) -> None:
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, fragment: str = "", *, until: str = ".frame, .sorry") -> None:
        """Open the page anew at a state."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}#{fragment}")
        self.page.wait_for_selector(until)
        self.rest()

    def open_live(self, fragment: str, *, until: str) -> None:
        """Open a page whose requests do not end, as those of a run that is training."""
        self.page.goto(f"{self.url}#{fragment}")
        self.page.wait_for_selector(until)

    def rest(self, milliseconds: int = 500) -> None:
        """Wait until motion has ended and the address is written."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_function("() => !document.querySelector('.waiting')")
        self.page.wait_for_timeout(milliseconds)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        self.rest()

    def said(self) -> dict[str, str]:
        """Return the state in the address."""
        return self.page.evaluate("() => Object.fromEntries(new URLSearchParams("
                                  "location.hash.slice(1)))")  # fmt: skip

    def manifest(self) -> dict:
        """Return what the server says of the run."""
        return self.page.evaluate("async () => (await fetch('data/manifest.json')).json()")

    def step(self) -> int:
        """Return the step that the slider tells."""
        return int(self.page.get_attribute(".slider", "aria-valuenow") or -1)

    def text(self) -> str:
        """Return all text that is shown."""
        return self.page.inner_text("body")

    def look(self, view: str) -> None:
        """Go to a view by its tab."""
        self.page.click(f"nav button:has-text('{view.capitalize()}')")
        self.page.wait_for_selector(f'.frame[aria-label="{view} view"]')
        self.rest()

    def figure(self) -> np.ndarray:
        """Return the pixels of the view's figure [y, x, colour]."""
        return pixels(self.page.locator(".frame .figure"))

    def choose_node(self) -> str:
        """Click nodes of the coupling graph until one is chosen; return its name."""
        box = self.page.locator(".graph canvas").bounding_box()
        for across in (0.5, 0.6, 0.4):
            for down in range(40, int(box["height"]), 9):
                x = box["x"] + 46 + (box["width"] - 150) * across
                self.page.mouse.click(x, box["y"] + down)
                if "unit" in self.said():
                    return self.said()["unit"]
        msg = "expected a click on a node to choose it, got none in three columns"
        raise AssertionError(msg)

    def serious_findings(self) -> list[str]:
        """Return what axe-core finds against people who need help to see or point."""
        self.page.evaluate(AXE.read_text())
        return self.page.evaluate(ACCESS)


def pixels(what: Locator) -> np.ndarray:
    """Return the pixels of a part of the page [y, x, colour]."""
    shot = what.screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def colours(shot: np.ndarray) -> int:
    """Return how many colours there are, of 32 levels a channel."""
    return len(np.unique((shot // 8).reshape(-1, 3), axis=0))


def ink(shot: np.ndarray) -> float:
    """Return the share of pixels that differ from the most frequent colour."""
    values, counts = np.unique(shot.reshape(-1, 3), axis=0, return_counts=True)
    ground = values[counts.argmax()]
    return float((np.abs(shot - ground).max(axis=2) > 8).mean())


def change(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of pixels that differ; 1 where even the sizes do."""
    if one.shape != other.shape:
        return 1.0
    return float((np.abs(one - other).max(axis=2) > 16).mean())
