"""The page of a run while its command works: it opens at once, grows, and outlives the command."""

import json
import shutil
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from ontogeny.page.side import Side
from page.browser import VIEWS, ink
from page.conftest import visiting

pytestmark = [pytest.mark.browser, pytest.mark.torch]

WAIT = 240_000
"""Milliseconds within which a busy machine does what takes seconds."""
MEASURED = ("measures", "structure", "detectors", "graph")


def test_the_page_of_a_command_opens_at_once_grows_and_is_left_when_it_is_stopped(
    chromium, tmp_path
):
    arguments = ["--steps", "3000", "--snapshots", "20", "--density", "20", "--probe", "10",
                 "--size", "16", "--threads", "1", "--port", "0"]  # fmt: skip
    command = subprocess.Popen(
        [sys.executable, "-m", "ontogeny", "run", "--out", str(tmp_path / "run"), *arguments],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        line = command.stderr.readline().decode()
        assert line.startswith("ontogeny: the page is at http://127.0.0.1:"), line
        url = line.split(" at ")[1].split()[0]
        with urlopen(url + "data/manifest.json", timeout=WAIT / 1000) as answer:
            assert json.loads(answer.read()).get("steps", []) == [], "it answers before the run"
        with visiting(chromium, url) as visit:
            page = visit.page
            page.set_default_timeout(WAIT)
            visit.open_live("view=categories", until=".sorry, .frame")
            page.evaluate("() => { window.same = true }")
            page.wait_for_selector(".frame .so-far")
            before = int(page.get_attribute(".slider", "aria-valuemax"))
            page.wait_for_function(
                f"() => document.querySelector('.slider').ariaValueMax > {before}"
            )
            assert ink(visit.figure()) > 0.01, "the map is there"
            visit.page.click("nav button:has-text('Detectors')")
            page.wait_for_selector(".card")
            assert page.evaluate("() => window.same"), "the page was not loaded anew"
            command.send_signal(signal.SIGINT)
            assert command.wait(WAIT / 1000) == 130
            page.wait_for_function("() => !document.querySelector('.live')")
    finally:
        command.kill()
        command.wait()
        command.stderr.close()
    with visiting(chromium, (tmp_path / "run" / "page.html").as_uri()) as visit:
        visit.page.context.set_offline(True)
        visit.open("view=construction")
        assert ink(visit.figure()) > 0.02


def put(run, growing, name):
    """Put a file of measures or pictures into a run, whole at once, as its command does."""
    half = growing / f".{name}.new"
    shutil.copytree(run.path / f"{name}.zarr", half)
    half.rename(growing / f"{name}.zarr")


def test_measures_and_pictures_come_in_and_the_page_outlives_its_server(chromium, run, tmp_path):
    growing = tmp_path / "growing"
    left_out = [f"{name}.zarr" for name in (*MEASURED, "pictures")] + ["observations.json"]
    shutil.copytree(run.path, growing, ignore=shutil.ignore_patterns(*left_out))
    with Side(port=0) as side:
        side.show(growing)
        side.tell("measure")
        with visiting(chromium, side.url) as visit:
            page = visit.page
            page.set_default_timeout(WAIT)
            visit.open_live("view=categories", until=".frame .so-far")
            assert "measure" in page.inner_text(".live")
            assert "plain projection so far" in page.inner_text(".trust")
            for name in MEASURED:
                put(run, growing, name)
            page.wait_for_function("() => !document.querySelector('.so-far')")
            page.wait_for_function(
                "() => document.querySelector('.trust')?.innerText.includes('trustworthiness')"
            )
            page.click("nav button:has-text('Detectors')")
            page.wait_for_selector(".frame .so-far")
            side.tell("pictures")
            put(run, growing, "pictures")
            page.wait_for_function("() => !document.querySelector('.so-far')")
            shutil.copy(run.path / "observations.json", growing)
            side.close()
            assert side._process.returncode == 0
            page.wait_for_function("() => !document.querySelector('.live')")
            page.set_default_timeout(20_000)
            for view in VIEWS:
                visit.look(view)
                assert not page.locator(".absent").count(), view
            assert "none were harvested" not in visit.text()
