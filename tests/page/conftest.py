"""A real run, small, and visitors to its page; made only for tests that ask for them."""

from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from playwright.sync_api import sync_playwright

import ontogeny
from ontogeny.measure import SETS, Chance, measure_run
from ontogeny.pictures.climb import Recipe
from ontogeny.pictures.store import Choice, picture_run
from ontogeny.run import RunFolder
from ontogeny.statements.harvest import harvest_run
from page.browser import Visit, launch, served

STEPS, SNAPSHOTS = 40, 12


def train_small(out, **how):
    """Train a small network for a few steps, and observe it meanwhile."""
    task = ontogeny.load_task("faces", density=40, probe=10, size=16)
    network = ontogeny.vgg(task, widths=(8, 12, 16, 24), dense=16)
    config = ontogeny.Config(steps=STEPS, snapshots=SNAPSHOTS, threads=1)
    watchers = [ontogeny.Observer(out)]
    return ontogeny.train(task, network, config, out=out, watchers=watchers, **how)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A real run with all that `ontogeny run` makes, only smaller."""
    out = tmp_path_factory.mktemp("browser") / "small"
    train_small(out)
    for name in SETS:
        measure_run(out, name, chance=Chance(n_shuffles=99, n_resamples=50))
    harvest_run(out)
    recipe = Recipe(steps=6, warm_steps=3, batch=128)
    picture_run(out, choice=Choice(recipe=recipe, frames=3, filmed=12))
    return RunFolder.open(out)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright, launch(playwright) as started:
        yield started


@pytest.fixture(scope="session")
def address(run):
    with served(run) as url:
        with urlopen(f"{url}data/manifest.json", timeout=300) as answer:
            assert answer.status == 200  # the bundle is made once, before any visitor waits for it
        yield url


@contextmanager
def visiting(chromium, url, *, width=1440, height=900, scheme="light"):
    """Open a visitor's window of its own; whatever the console says fails the test."""
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    context.set_default_timeout(20_000)
    visit = Visit(context.new_page(), url)
    try:
        yield visit
        assert not visit.trouble
    finally:
        context.close()


@pytest.fixture
def visit(chromium, address):
    with visiting(chromium, address) as visit:
        yield visit
