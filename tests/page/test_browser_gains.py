"""What a visitor sees and does of construction gains, in a real browser."""

import re
import shutil
from contextlib import contextmanager
from urllib.request import urlopen

import pytest

from ontogeny.run import RunFolder
from page import browser
from page.browser import change, colours, served
from page.conftest import visiting

pytestmark = [pytest.mark.browser, pytest.mark.torch]

SHARES = ".shares canvas:not(.upper)"
RINGS = ".graph canvas"


@contextmanager
def without_gains(run, folder):
    """Serve the run as one whose construction was not measured."""
    shutil.copytree(run.path, folder, ignore=shutil.ignore_patterns("gains.zarr"))
    with served(RunFolder.open(folder)) as url:
        with urlopen(f"{url}data/manifest.json", timeout=300) as answer:
            assert answer.status == 200
        yield url


def cell(visit, column, row, *, of):
    """Return where a cell of the map of shares is on the screen."""
    box = visit.page.locator(SHARES).bounding_box()
    x = box["x"] + 46 + (box["width"] - 48) * (column + 0.5) / of[0]
    return x, box["y"] + 2 + (box["height"] - 17) * (row + 0.5) / of[1]


def shape(visit):
    """Return how many columns and rows the map of shares has."""
    manifest = visit.manifest()
    return len(manifest["coordinates"]["gain_step"]), len(manifest["layers"])


def test_the_map_of_shares_says_and_shows_a_layer_at_a_step(visit):
    visit.open("view=construction")
    of = shape(visit)
    assert colours(browser.pixels(visit.page.locator(".shares"))) > 8
    x, y = cell(visit, 1, 1, of=of)
    visit.page.mouse.move(x, y)
    manifest = visit.manifest()
    layer = manifest["layers"][-2]  # the second row: layers lie with the first one lowest
    step = manifest["coordinates"]["gain_step"][1]
    assert re.match(
        rf"{layer['name']} at step {step}: \d+% of {layer['count']} units are constructed "
        r"\(95%: \d+% to \d+%; by chance 5%; before training \d+%\)",
        visit.page.inner_text(".hover"),
    )
    before = visit.figure()
    visit.page.mouse.click(x, y)
    visit.rest()
    assert visit.said()["layer"] == layer["name"] and visit.step() == step
    assert layer["name"] in visit.page.inner_text(".frame h2")
    assert change(before, visit.figure()) > 0.01
    visit.page.click("button:has-text('all layers')")
    visit.rest()
    assert "layer" not in visit.said()


def test_the_map_of_shares_is_walked_by_keys(visit):
    visit.open("view=construction")
    visit.page.locator(SHARES).focus()
    visit.press("ArrowLeft", "ArrowLeft", "ArrowDown")
    said = visit.page.inner_text(".shares .unseen")
    layer = visit.manifest()["layers"][-2]["name"]
    step = visit.manifest()["coordinates"]["gain_step"][-2]
    assert said.startswith(f"{layer} at step {step}: ")
    visit.press("Enter")
    assert visit.said()["layer"] == layer and visit.step() == step


def test_edges_are_drawn_by_gain_and_by_their_other_kinds_at_a_click(visit):
    visit.open("view=construction")
    kinds = visit.page.locator(".picker[aria-label='Edges drawn by'] button")
    assert kinds.first.get_attribute("aria-pressed") == "true"
    assert "recombinations" in visit.page.inner_text(".share-key")
    assert "weights" not in visit.said()
    seen = [browser.pixels(visit.page.locator(RINGS))]
    for k, name in ((1, "total"), (2, "signal")):
        kinds.nth(k).click()
        visit.rest()
        assert visit.said()["weights"] == name
        seen.append(browser.pixels(visit.page.locator(RINGS)))
        assert change(seen[-2], seen[-1]) > 0.01
    kinds.first.click()
    visit.rest()
    assert change(seen[0], browser.pixels(visit.page.locator(RINGS))) < 0.01


def test_a_unit_says_what_it_inherits_and_adds(visit):
    visit.open("view=construction&unit=conv4:3")
    words = visit.page.inner_text(".inspector")
    assert "as at step" in words
    assert re.search(
        r"Inherits .* of 19 recombinations reach its|Inactive at this step", words, re.S
    )
    visit.press("Home")
    assert re.search(r"Rings as at step 0, lines as at step 0", visit.text())


def test_a_run_without_gains_shows_what_it_has_and_says_why(chromium, run, tmp_path):
    with without_gains(run, tmp_path / "bare") as url, visiting(chromium, url) as visit:
        visit.open("view=construction&weights=gain")
        assert visit.page.locator(".shares").count() == 0
        legend = visit.page.inner_text(".legend")
        assert "No construction gains" in legend and "ontogeny measure" in legend
        assert colours(visit.figure()) > 40
        pressed = visit.page.locator(".picker[aria-label='Edges drawn by'] [aria-pressed='true']")
        assert pressed.inner_text() == "all variance"
