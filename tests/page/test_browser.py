"""What a visitor does with the page of a real run, in a real browser."""

import re

import pytest

import ontogeny
from page import browser
from page.browser import VIEWS, change, colours, ink
from page.conftest import STEPS, visiting

pytestmark = [pytest.mark.browser, pytest.mark.torch]

MOVING = {"construction": 0.02, "categories": 0.02, "detectors": 0.05, "compare": 0.003}
"""Views whose figure is another one at another step, and the least share of pixels that change."""
LEAST_COLOURS = {"observations": 8}
"""Of a figure; 40 where nothing else is said."""


# Views ----------------------------------------------------------------------------------------


def test_a_machine_without_a_browser_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(browser, "NAMES", ("no-such-browser",))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(FileNotFoundError, match="got none of no-such-browser: install Debian's"):
        browser.chromium()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_draws(chromium, address, view, scheme):
    with visiting(chromium, address, scheme=scheme) as visit:
        visit.open(f"view={view}")
        shot = visit.figure()
        assert colours(shot) >= LEAST_COLOURS.get(view, 40), "more than a few colours"
        assert ink(shot) > 0.02, "not blank"
        assert ink(browser.pixels(visit.page.locator(".track"))) > 0.02, "the timeline is drawn"
        light = shot.reshape(-1, 3).mean() > 128
        assert light == (scheme == "light")
        assert not re.search(r"NaN|undefined|\[object|Infinity", visit.text())


@pytest.mark.parametrize("view", MOVING)
def test_a_view_follows_the_step(visit, view):
    visit.open(f"view={view}&step=0")
    first = visit.figure()
    visit.press("End")
    assert change(first, visit.figure()) > MOVING[view]
    visit.press("Home")
    assert change(first, visit.figure()) < 0.002, "the same step gives the same picture"


def test_the_slider_moves_everything(visit):
    visit.open("view=construction&step=0")
    box = visit.page.locator(".slider").bounding_box()
    y = box["y"] + box["height"] / 2
    visit.page.mouse.move(box["x"] + box["width"] * 0.3, y)
    visit.page.mouse.down()
    steps = []
    for share in (0.4, 0.6, 0.8):
        visit.page.mouse.move(box["x"] + box["width"] * share, y, steps=4)
        visit.rest()
        steps.append(visit.step())
    visit.page.mouse.up()
    visit.rest()
    assert 0 < steps[0] < steps[1] < steps[2] <= STEPS
    assert visit.said()["step"] == str(steps[2])
    assert visit.page.inner_text(".step-now").split()[-1] == str(steps[2])


def test_the_film_plays_and_stops(visit):
    visit.open("view=construction&step=0")
    visit.page.click("button[aria-label='Play the film']")
    visit.page.wait_for_function("() => document.querySelector('.slider').ariaValueNow > 1")
    visit.page.click("button[aria-label='Stop the film']")
    visit.rest()
    stopped = visit.step()
    visit.rest(700)
    assert visit.step() == stopped > 1


# Selection, address, search, keys -------------------------------------------------------------


def test_a_unit_and_a_token_are_chosen_everywhere(visit):
    visit.open("view=construction")
    unit = visit.choose_node()
    assert unit in visit.page.inner_text(".inspector h2")
    token = visit.page.locator(".picker[aria-label='What sets this token apart'] button").first
    name = token.inner_text().strip()
    before = visit.figure()
    token.click()
    visit.rest()
    assert change(before, visit.figure()) > 0.002
    for view in VIEWS[1:]:
        visit.look(view)
        assert (visit.said()["unit"], visit.said()["token"]) == (unit, name)
        assert unit in visit.page.inner_text(".inspector")
    visit.press("Escape")
    assert not {"unit", "token"} & set(visit.said())


@pytest.mark.parametrize("fragment", [
    "view=construction&step=STEP&unit=conv4:3&token=TOKEN&theme=dark",
    "view=construction&step=STEP&weights=signal", "view=compare&step=STEP&pair=construction",
    "view=categories&step=STEP&layer=conv5&exemplar=EXEMPLAR", "view=detectors&layer=conv2",
])  # fmt: skip
def test_the_address_brings_everything_back(visit, run, fragment):
    visit.open()
    manifest = visit.manifest()
    with ontogeny.open_record(run.path / "record.zarr") as record:
        exemplar = int(record["exemplar"].values[7])
    step, token = manifest["steps"][5], manifest["tokens"][1]
    for name, value in (("STEP", step), ("TOKEN", token), ("EXEMPLAR", exemplar)):
        fragment = fragment.replace(name, str(value))
    visit.open(fragment)
    wanted = dict(part.split("=") for part in fragment.split("&"))
    if wanted["view"] != "compare":
        visit.press("ArrowLeft", "ArrowRight")  # so that the page writes the address itself
    text, shot = visit.text(), visit.figure()
    assert wanted.items() <= visit.said().items()
    visit.page.reload()
    visit.page.wait_for_selector(".frame")
    visit.rest(900)
    assert wanted.items() <= visit.said().items()
    assert visit.text() == text
    assert change(shot, visit.figure()) < 0.01


def test_the_back_button_undoes_a_selection_and_a_view(visit):
    visit.open("view=construction&step=0")
    visit.look("detectors")
    visit.page.locator(".cards .card").first.click()
    visit.rest()
    unit = visit.said()["unit"]
    visit.look("categories")
    visit.page.go_back()
    visit.rest()
    assert visit.said()["view"] == "detectors" and visit.said()["unit"] == unit
    visit.page.wait_for_selector('.frame[aria-label="detectors view"]')
    visit.page.go_back()
    visit.rest()
    assert "unit" not in visit.said()
    visit.page.go_forward()
    visit.rest()
    assert visit.said()["unit"] == unit


def test_what_is_unknown_in_an_address_is_dropped(visit):
    visit.open("view=nothing&step=1e99&unit=conv99:1&token=%3Cb%3E&exemplar=x&edge=a-b&theme=red")
    assert visit.page.locator('.frame[aria-label="construction view"]').count() == 1
    assert visit.step() == STEPS


def test_search_finds_units_tokens_and_steps(visit):
    visit.open("view=construction")
    visit.press("/")
    visit.page.keyboard.type("conv4:7")
    assert visit.page.locator("#found li").first.inner_text().startswith("conv4:7")
    visit.press("Enter")
    assert visit.said()["unit"] == "conv4:7"
    assert "conv4:7" in visit.page.inner_text(".inspector h2")
    visit.press("/")
    token = visit.manifest()["tokens"][2]
    visit.page.keyboard.type(token)
    visit.press("Enter")
    assert visit.said()["token"] == token
    visit.press("/")
    visit.page.keyboard.type("step 0")
    visit.press("Enter")
    assert visit.step() == 0


def test_keys_move_views_and_steps(visit):
    visit.open("view=construction")
    steps = visit.manifest()["steps"]
    visit.press("Home")
    assert visit.step() == steps[0]
    visit.press("ArrowRight")
    assert visit.step() == steps[1]
    visit.press("Shift+ArrowRight")
    assert visit.step() == steps[6]
    visit.press("ArrowLeft", "End")
    assert visit.step() == steps[-1]
    for k, view in enumerate(VIEWS, start=1):
        visit.press(str(k))
        assert visit.said()["view"] == view
    visit.press("Home", " ")
    visit.page.wait_for_function("() => document.querySelector('.slider').ariaValueNow > 0")
    visit.press(" ")
    visit.press("?")
    assert "space" in visit.page.inner_text("dialog.help")
    visit.press("Escape")
    assert visit.page.locator("dialog.help").count() == 0


def test_the_theme_is_switched_and_kept(visit):
    visit.open("view=construction")
    light = visit.figure().mean()
    visit.page.click("button[aria-label='Dark colours']")
    visit.rest()
    assert visit.figure().mean() < 100 < light
    assert visit.said()["theme"] == "dark"
    visit.page.reload()
    visit.page.wait_for_selector(".frame")
    visit.rest()
    assert visit.figure().mean() < 100
