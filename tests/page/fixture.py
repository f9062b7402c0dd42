"""The bundle that the page's own tests read: a real run, as small as one can be.

`python -m tests.page.fixture` trains, measures and pictures the run again, and writes its bundle to
web/tests/run, with the run as it was before it was measured beside it. The same versions of the
same libraries give the same bytes.
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import ontogeny
from ontogeny.measure import SETS, Chance, measure_run
from ontogeny.page.bundle import Bundle, bundle_run
from ontogeny.pictures.climb import Recipe
from ontogeny.pictures.store import Choice, picture_run
from ontogeny.statements.harvest import harvest_run

FOLDER = Path(__file__).parents[2] / "web" / "tests" / "run"
CHANCE = Chance(n_shuffles=99, n_resamples=50)
CHOICE = Choice(recipe=Recipe(steps=6, warm_steps=3, batch=64), frames=3, filmed=6, pictured=2)
HELD_OUT = "^held"
"""Names of the exemplars that make the second probe: each seventh."""


def train(out: Path) -> None:
    """Train a narrow network for a few steps, and observe it meanwhile."""
    drawn = ontogeny.load_task("faces", tokens=4, density=60, probe=10, size=16)
    names = tuple(f"{'held' if k % 7 == 0 else 'kept'}{k}" for k in range(len(drawn.images)))
    task = replace(drawn, exemplars=names).draw(density=50, probe=8, holdout=HELD_OUT)
    network = ontogeny.vgg(task, widths=(4, 6, 8), dense=8)
    config = ontogeny.Config(steps=120, snapshots=10, learning_rate=0.005, threads=1)
    ontogeny.train(task, network, config, out=out, watchers=[ontogeny.Observer(out)])


def bundle(folder: Path) -> Bundle:
    """Make the run and its bundle."""
    run = folder / "small"
    train(run)
    early = bundle_run(run)
    for one in early.manifest["missing"]:  # a scratch folder has another name each time
        one["why"] = one["why"].replace(f"{folder}/", "")
    for name in SETS:
        measure_run(run, name, chance=CHANCE)
    picture_run(run, choice=CHOICE)
    harvest_run(run)
    return bundle_run(run).with_beside(sketched(early))


def sketched(early: Bundle) -> Bundle:
    """Keep of a bundle the sketches alone, and what they need to be drawn."""
    arrays = {
        name: one for name, one in early.manifest["arrays"].items()
        if name.startswith(("sketch", "exemplar", "accuracy"))
    }  # fmt: skip
    blobs = {one["blob"] for one in arrays.values()}
    parts = {name: data for name, data in early.blobs.items() if name in blobs}
    said = {name: early.manifest["blobs"][name] for name in parts}
    return Bundle({**early.manifest, "arrays": arrays, "sheets": {}, "blobs": said}, parts)


def write(made: Bundle, folder: Path) -> None:
    """Write a bundle as files: its manifest, and each blob under its name."""
    for name, data in {**made.blobs, "manifest.json": _text(made)}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _text(made: Bundle) -> bytes:
    return (json.dumps(made.manifest, allow_nan=False) + "\n").encode()


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    with tempfile.TemporaryDirectory() as scratch:
        write(bundle(Path(scratch)), target)
