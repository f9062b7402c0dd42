"""Pictures of every view of a run's page: light and dark, wide and narrow.

`python -m docs.screenshots RUN OUT` writes OUT/VIEW-light-wide.png and so on. Look at them after
each change of the page: tests see that something is drawn, not that it is well drawn.

`python -m docs.screenshots RUN docs/gallery --readme` writes the one picture that README shows,
OUT/page.png: the token's construction at the last step.
"""

import argparse
from itertools import product
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from tests.page.browser import VIEWS, launch, served

from ontogeny.run import RunFolder

COLOURS = 256
"""Of the picture of README, which has to be small."""
SIZES = {"wide": (1440, 900), "narrow": (400, 860)}
PLACES = {
    **{view: f"view={view}" for view in VIEWS},
    "construction-unit": "view=construction&unit={unit}",
    "construction-token": "view=construction&token={token}",
    "categories-exemplar": "view=categories&exemplar={exemplar}",
    "compare-construction": "view=compare&pair=construction",
}
"""Names of the pictures and the states that they show."""


def pictures(browser: Browser, url: str, out: Path) -> list[Path]:
    """Write every picture; return the files."""
    made = []
    for scheme, (width, size) in product(("light", "dark"), SIZES.items()):
        context = browser.new_context(
            viewport=dict(zip(("width", "height"), size, strict=True)), color_scheme=scheme
        )
        page = context.new_page()
        page.goto(url)
        manifest = page.evaluate("async () => (await fetch('data/manifest.json')).json()")
        middle = manifest["layers"][len(manifest["layers"]) // 2]["name"]
        chosen = {"unit": f"{middle}:3", "token": manifest["tokens"][0], "exemplar": 3}
        for name, place in PLACES.items():
            page.goto("about:blank")
            page.goto(f"{url}#{place.format(**chosen)}")
            page.wait_for_selector(".frame, .sorry")
            page.wait_for_timeout(1200)
            file = out / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=file, full_page=width == "narrow")
            made.append(file)
        context.close()
    return made


def readme_picture(browser: Browser, url: str, out: Path) -> list[Path]:
    """Write the picture of README: what the first token is built from."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page.goto(url)
    manifest = page.evaluate("async () => (await fetch('data/manifest.json')).json()")
    page.goto("about:blank")
    page.goto(f"{url}#view=construction&token={manifest['tokens'][0]}")
    page.wait_for_selector(".frame")
    page.wait_for_timeout(2500)
    file = out / "page.png"
    page.screenshot(path=file)
    with Image.open(file) as taken:
        few = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(file, optimize=True)
    return [file]


def main() -> None:
    """Take the pictures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a finished run")
    parser.add_argument("out", type=Path, help="folder of the pictures")
    parser.add_argument("--readme", action="store_true", help="the picture of README only")
    asked = parser.parse_args()
    take = readme_picture if asked.readme else pictures
    asked.out.mkdir(parents=True, exist_ok=True)
    run = RunFolder.open(asked.run)
    with sync_playwright() as playwright, launch(playwright) as browser, served(run) as url:
        for file in take(browser, url, asked.out):
            print(file)


if __name__ == "__main__":
    main()
