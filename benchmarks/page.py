"""The page in a real browser: first view, slider, views, memory and size, against their budgets.

`python -m benchmarks.page RUN` takes a finished run; without one, runs/faces, or a run it makes.
"""

import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright
from tests.page.browser import launch

from benchmarks.timing import Row
from ontogeny.page.bundle import Bundle, bundle_run
from ontogeny.page.export import one_file

USUAL = Path("runs/faces")
"""What `make run` makes."""
LONG = 1000
"""Snapshots of the longer record, which is made of the run's own by repeating."""
VIEWS = ("construction", "categories", "detectors", "compare")
VISITS, FRAMES, MOVES = 5, 240, 1000

FIRST = """() => {
  const look = () => {
    const canvas = document.querySelector(".graph canvas");
    if (canvas && canvas.width !== 300) {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let inked = 0;
      for (let k = 3; k < data.length; k += 64) inked += data[k] > 0;
      if (inked > data.length / 6400) return void (window.first = performance.now());
    }
    requestAnimationFrame(look);
  };
  look();
}"""
"""Note when the coupling graph covers a hundredth of its canvas."""
SLIDE = """async ({ moves, settle }) => {
  const slider = document.querySelector(".slider");
  const { x, y, width } = slider.getBoundingClientRect();
  slider.setPointerCapture = () => undefined;
  const send = (type, at) => slider.dispatchEvent(
    new PointerEvent(type, { clientX: at, clientY: y + 5, bubbles: true, pointerId: 1 }));
  send("pointerdown", x + width / 2);
  const [work, gaps] = [[], []];
  let before = performance.now();
  for (let k = 0; k < moves; k++) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    if (k >= settle) gaps.push(now - before);
    before = now;
    send("pointermove", x + width * (0.52 + 0.4 * Math.sin(k / 40)));
    if (k >= settle) work.push(performance.now() - now);
  }
  send("pointerup", x + width / 2);
  return { work, gaps };
}"""
EMPTY = """async (frames) => {
  const gaps = [];
  let before = performance.now();
  for (let k = 0; k < frames; k++) {
    await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - before);
    before = performance.now();
  }
  return gaps;
}"""
SWITCH = """async (key) => {
  const names = ["construction", "categories", "detectors", "observations", "compare"];
  const began = performance.now();
  dispatchEvent(new KeyboardEvent("keydown", { key: String(key), bubbles: true }));
  const wanted = `.frame[aria-label="${names[key - 1]} view"]`;
  while (!document.querySelector(wanted)) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


def rows() -> list[Row]:
    """Measure the page of the usual run."""
    with tempfile.TemporaryDirectory() as folder:
        return rows_of(USUAL if (USUAL / "pictures.zarr").exists() else made(Path(folder) / "run"))


def made(out: Path) -> Path:
    """Make a run of 60 snapshots by the command that a user gives."""
    from ontogeny.cli import main

    if main(["run", "faces", "--out", str(out), "--quiet"]):
        msg = "expected a run to measure the page of, got none: see what `ontogeny run` said"
        raise RuntimeError(msg)
    return out


def rows_of(run: Path) -> list[Row]:
    """Measure the page of one run."""
    bundle = bundle_run(run)
    html = one_file(bundle).encode()
    found = [at_most("size of the exported page", len(html) / 2**20, 15, "MB")]
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        launch(playwright, "--js-flags=--expose-gc") as browser,
    ):
        file = Path(folder) / "page.html"
        file.write_bytes(html)
        found.append(at_most("first view from disk", first_view(browser, file), 1.5, "s"))
        with hosted(bundle, Path(folder) / "short") as url:
            found += slider_rows(browser, url, len(bundle.manifest["steps"]), 50)
            found += switch_rows(browser, url)
            found += memory_rows(browser, url)
        with hosted(longer(bundle, LONG), Path(folder) / "long") as url:
            found += slider_rows(browser, url, LONG, 30)
    return found


def first_view(browser: Browser, file: Path) -> float:
    """Return the median seconds from opening the file until the coupling graph is drawn."""
    times = []
    for _ in range(VISITS):
        context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
        page = context.new_page()
        page.add_init_script(f"({FIRST})()")
        page.goto(file.as_uri())
        page.wait_for_function("() => window.first")
        times.append(page.evaluate("() => window.first") / 1000)
        context.close()
    return statistics.median(times)


def slider_rows(browser: Browser, url: str, snapshots: int, budget: float) -> list[Row]:
    """Return frames a second while the slider moves, one row a view.

    An empty page, measured just before, tells what this browser can do on this machine now.
    """
    found = []
    for view in VIEWS:
        idle = empty_rate(browser)
        page = opened(browser, url, view)
        times = page.evaluate(SLIDE, {"moves": FRAMES + 30, "settle": 30})
        page.context.close()
        slow, work = np.percentile(times["gaps"], 95), np.median(times["work"])
        said = f"95% of frames within {slow:.1f} ms; script {work:.1f} ms a frame"
        rate = 1000 / float(np.median(times["gaps"]))
        name = f"slider, {snapshots} snapshots, {view} ({said})"
        found.append(
            Row(name, rate, idle, "empty page", rate / idle, f">= {budget:g} frames/s",
                rate >= budget, unit="frames/s")
        )  # fmt: skip
    return found


def empty_rate(browser: Browser) -> float:
    """Return the frames a second of a page on which nothing is."""
    page = browser.new_page()
    gaps = page.evaluate(EMPTY, FRAMES // 4)
    page.close()
    return 1000 / statistics.median(gaps)


def switch_rows(browser: Browser, url: str) -> list[Row]:
    """Return how long it takes to another view, after each was seen once."""
    page = opened(browser, url, "construction")
    for key in (2, 3, 4, 5, 1):
        page.evaluate(SWITCH, key)
        page.wait_for_timeout(700)
    times = []
    for key in (2, 3, 4, 5, 1) * 3:
        times.append(page.evaluate(SWITCH, key))
        page.wait_for_timeout(250)
    page.context.close()
    return [
        at_most("another view, median", statistics.median(times), 100, "ms"),
        at_most("another view, slowest of 15", max(times), 200, "ms"),
    ]


def memory_rows(browser: Browser, url: str) -> list[Row]:
    """Return what a thousand slider moves leave behind, as a ratio of what was used before."""
    found = []
    for view in VIEWS[:2]:
        page = opened(browser, url, view)
        page.evaluate(SLIDE, {"moves": 200, "settle": 0})
        before = heap(page)
        page.evaluate(SLIDE, {"moves": MOVES, "settle": 0})
        after = heap(page)
        page.context.close()
        name, ratio = f"memory after {MOVES:,} slider moves, {view}", after / before
        found.append(
            Row(name, after, before, "before", ratio, "<= 1.05 x", ratio <= 1.05, unit="MB")
        )
    return found


def heap(page: Page) -> float:
    """Return the megabytes that the page's script holds on to, buffers included."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")
    session.detach()
    return (used["usedSize"] + used.get("backingStorageSize", 0)) / 2**20


def opened(browser: Browser, url: str, view: str) -> Page:
    """Open a view in a window of its own and let it settle."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{url}#view={view}")
    page.wait_for_selector(".frame canvas")
    page.wait_for_timeout(1500)
    return page


def longer(bundle: Bundle, count: int) -> Bundle:
    """Return the bundle with `count` snapshots, each array's own ones repeated."""
    steps = bundle.manifest["steps"]
    chosen = np.linspace(0, len(steps) - 1, count).round().astype(int)
    blobs: dict[str, bytearray] = {name: bytearray() for name in bundle.blobs}
    arrays: dict[str, Any] = {}
    for name, said in bundle.manifest["arrays"].items():
        if "step_b" in said["dims"]:
            continue
        values = values_of(said, bundle.blobs[said["blob"]])
        if "step" in said["dims"]:
            values = values.take(chosen, axis=said["dims"].index("step"))
        blob = blobs[said["blob"]]
        arrays[name] = said | {"offset": len(blob), "shape": list(values.shape)}
        blob += values.tobytes() + bytes(-values.nbytes % 4)
    filled = {name: bytes(blobs[name]) or data for name, data in bundle.blobs.items()}
    last = int(steps[-1])
    spread = sorted({*np.linspace(0, max(last, count), count).round().astype(int).tolist()})
    manifest = bundle.manifest | {
        "steps": spread, "arrays": arrays,
        "blobs": {name: bundle.manifest["blobs"][name] | {"bytes": len(data)}
                  for name, data in filled.items()},
    }  # fmt: skip
    return Bundle(manifest, filled)


def values_of(said: dict[str, Any], blob: bytes) -> np.ndarray:
    """Return an array as it lies in its blob."""
    kind = np.dtype(said["dtype"]).newbyteorder("<")
    count = int(np.prod(said["shape"], dtype=int))
    return np.frombuffer(blob, kind, count, said["offset"]).reshape(said["shape"])


@contextmanager
def hosted(bundle: Bundle, folder: Path) -> Iterator[str]:
    """Lay out the built page with a bundle, and serve the folder; yield its address."""
    (folder / "data").mkdir(parents=True)
    for file in (resources.files("ontogeny.page") / "static").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "data" / "manifest.json").write_text(bundle.text())
    for name, data in bundle.blobs.items():
        (folder / "data" / name).write_bytes(data)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def at_most(name: str, ours: float, budget: float, unit: str) -> Row:
    """Return the row of a budget that must not be passed."""
    return Row(name, ours, budget, "budget", ours / budget, f"<= {budget:g} {unit}",
               ours <= budget, unit=unit)  # fmt: skip


if __name__ == "__main__":
    from benchmarks.__main__ import table

    print(table(rows_of(Path(sys.argv[1])) if len(sys.argv) > 1 else rows()))
