"""The page of runs in any state, from disk, live, narrow, read aloud, and with hostile names."""

import csv
import json
import re
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from ontogeny.page.export import export
from ontogeny.run import RunFolder
from page.browser import LOCAL, VIEWS, colours, ink, served
from page.conftest import STEPS, train_small, visiting
from records import make_record, make_run

pytestmark = [pytest.mark.browser, pytest.mark.torch]

HOSTILE = "<img src=x onerror=alert(1)>"
PLACES = {
    "construction": "view=construction&unit=conv4:3", "construction of a token": "token=TOKEN",
    "categories": "view=categories&exemplar=EXEMPLAR", "detectors": "view=detectors&unit=conv4:3",
    "observations": "view=observations", "compare": "view=compare",
}  # fmt: skip
NOISE = re.compile(r"NaN|undefined|\[object|Infinity")


# From disk ------------------------------------------------------------------------------------


def test_the_exported_file_opens_from_disk_without_a_network(chromium, run, tmp_path):
    file = export(run, tmp_path / "page.html")
    with visiting(chromium, file.as_uri()) as visit:
        visit.page.context.set_offline(True)
        for view in VIEWS:
            visit.open(f"view={view}&step=0")
            shot = visit.figure()
            assert ink(shot) > 0.02 and colours(shot) >= 8
        visit.open("view=construction")
        unit = visit.choose_node()
        assert unit in visit.page.inner_text(".inspector h2")
        outside = [url for url in visit.requests if not url.startswith(LOCAL)]
        assert not outside, "nothing is asked of any network"


def saved(visit, button, folder):
    """Click a button that saves; return the file."""
    with visit.page.expect_download() as waiting:
        button.click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


FIGURES = [view for view in VIEWS if view != "observations"]
"""Observations are text: there is no picture to save."""


@pytest.mark.parametrize("view", FIGURES)
def test_a_figure_is_saved_as_a_picture(visit, tmp_path, view):
    visit.open(f"view={view}")
    file = saved(visit, visit.page.get_by_label(f"Save the {view} figure as PNG"), tmp_path)
    assert file.name == f"small-{view}-step{STEPS}.png"
    shot = np.asarray(Image.open(file).convert("RGB")).astype(int)
    assert ink(shot) > 0.004 and colours(shot) > 12


@pytest.mark.parametrize("view", VIEWS)
def test_the_numbers_of_a_figure_are_saved_as_a_table(visit, tmp_path, view):
    visit.open(f"view={view}")
    button = visit.page.get_by_label(f"Save the data of the {view} figure as CSV")
    head, *rows = csv.reader(saved(visit, button, tmp_path).read_text().splitlines())
    assert len(head) > 2 and {len(row) for row in rows} == {len(head)}


# Live -----------------------------------------------------------------------------------------


def test_a_page_grows_while_the_run_trains(chromium, tmp_path):
    out, half, seen = tmp_path / "growing", threading.Event(), threading.Event()

    def hold(_, done, __):
        if done == STEPS // 2:
            half.set()
            assert seen.wait(120)

    training = threading.Thread(target=train_small, args=(out,), kwargs={"progress": hold})
    training.start()
    try:
        assert half.wait(120), "the training came half-way"
        with served(RunFolder.open(out)) as url, visiting(chromium, url) as visit:
            visit.open_live("view=construction", until=".frame")
            page = visit.page
            page.evaluate("() => { window.same = true }")
            page.wait_for_function("() => document.querySelector('.live')")
            before = int(page.get_attribute(".slider", "aria-valuemax"))
            assert 0 < before <= STEPS // 2
            assert "training" in page.inner_text(".live")
            seen.set()
            page.wait_for_function(
                f"() => document.querySelector('.slider').ariaValueMax === '{STEPS}'", timeout=60000
            )
            assert page.evaluate("() => window.same"), "the page was not loaded anew"
            assert visit.step() == STEPS, "who looked at the last step still does"
            page.wait_for_function(
                "() => !document.querySelector('.live')?.innerText.includes('training')"
            )
    finally:
        seen.set()
        training.join()


# For everyone ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_shuts_anybody_out(chromium, address, run, scheme):
    tokens = run.description["task"]["tokens"]
    found = {}
    with visiting(chromium, address, scheme=scheme) as visit:
        for name, place in PLACES.items():
            visit.open(place.replace("TOKEN", tokens[0]).replace("EXEMPLAR", "3"))
            found[name] = visit.serious_findings()
        visit.press("?")
        found["help"] = visit.serious_findings()
    assert not {name: findings for name, findings in found.items() if findings}


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_screen_needs_no_sideways_scrolling(chromium, address, view):
    with visiting(chromium, address, width=400, height=800) as visit:
        visit.open(f"view={view}&unit=conv4:3")
        wide = visit.page.evaluate("() => document.scrollingElement.scrollWidth")
        assert wide <= 400
        assert ink(visit.figure()) > 0.02


# Odd runs -------------------------------------------------------------------------------------


def look_around(visit):
    """Open every view; return all text of each."""
    texts = []
    for view in VIEWS:
        visit.open(f"view={view}")
        texts.append(visit.text())
        assert not NOISE.search(texts[-1]), view
    return texts


def test_hostile_names_are_text(chromium, tmp_path):
    record = make_record(tokens=(HOSTILE, "bo", "cy"))
    run = make_run(tmp_path / HOSTILE, record, name=HOSTILE)
    file = export(run, tmp_path / "page.html")
    with served(run) as url:
        for address in (url, file.as_uri()):
            with visiting(chromium, address) as visit:
                texts = look_around(visit)
                assert all(HOSTILE in text for text in texts)
                visit.press("/")
                visit.page.keyboard.type("<img")
                visit.press("Enter")
                assert visit.said()["token"] == HOSTILE
                assert visit.page.locator("img").count() == 0


def without_a_record(path):
    shutil.rmtree(path / "record.zarr")
    return "nothing is recorded yet"


def with_a_damaged_record(path):
    (path / "record.zarr" / "zarr.json").write_text("{")
    return "nothing is recorded yet"


def without_measures(path):
    for file in path.glob("*.zarr"):
        if file.name != "record.zarr":
            shutil.rmtree(file)
    return "run `ontogeny measure "


def with_half_of_the_measures(path):
    for name in ("structure", "detectors"):
        shutil.rmtree(path / f"{name}.zarr")
    return "got none yet: run `ontogeny measure "


def with_damaged_measures(path):
    for file in path.glob("*.zarr/zarr.json"):
        if file.parent.name != "record.zarr":
            file.write_text("{")
    return "run `ontogeny measure "


ODD = {
    "no record": without_a_record, "damaged record": with_a_damaged_record,
    "no measures": without_measures, "half of the measures": with_half_of_the_measures,
    "damaged measures": with_damaged_measures,
}  # fmt: skip


@pytest.mark.parametrize("harm", ODD.values(), ids=ODD)
def test_a_run_that_is_half_there_says_what_is_missing(chromium, run, tmp_path, harm):
    path = shutil.copytree(run.path, tmp_path / "odd")
    reason = harm(path)
    with served(RunFolder.open(path)) as url, visiting(chromium, url) as visit:
        texts = look_around(visit)
        details = visit.page.locator("details summary")
        if details.count():
            details.first.click()
            texts.append(visit.text())
        assert reason in " ".join(texts)


def test_a_run_of_a_newer_version_says_so(chromium, run, tmp_path):
    path = shutil.copytree(run.path, tmp_path / "newer")
    opened = RunFolder.open(path)
    described = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(described | {"schema": 99}))
    with served(opened) as url, visiting(chromium, url) as visit:
        visit.open_live("", until=".sorry")
        assert "This page could not be opened" in visit.text()
        assert all("409" in line for line in visit.trouble)  # which the browser writes itself
        visit.trouble.clear()
