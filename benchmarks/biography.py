"""The life of one detector of a full-size run, whose measures are kept: numbers and figure."""

import tempfile
from pathlib import Path

import ontogeny as ont
from benchmarks.timing import Row, seconds
from ontogeny.construction.rollback import STEPS

UNITS = ("conv1:3", "conv5:17", "fc1:10")
"""From below to above: of a lower unit, more layers are computed again."""
BUDGET = 20.0


def rows() -> list[Row]:
    """Tell a unit of the first layer, of a middle one and of the last hidden one."""
    with tempfile.TemporaryDirectory() as place:
        run = _run(Path(place) / "faces")
        ont.biography(run, UNITS[-1])  # makes what is kept, and imports
        return [_row(unit, seconds(lambda unit=unit: ont.biography(run, unit).draw()))
                for unit in UNITS]  # fmt: skip


def _run(place: Path) -> ont.Run:
    """Train as many steps as a unit is rolled back to, and observe all of them."""
    config = ont.Config(steps=STEPS - 1, snapshots="every:1")
    run = ont.train(ont.load_task("faces"), config=config, out=place)
    ont.observe(run)
    for name in ("measures", "gains", "detectors"):
        ont.measure.measure_run(run, name)
    return run


def _row(unit: str, took: float) -> Row:
    name = f"biography of {unit}, measures kept, {STEPS} steps rolled back to"
    return Row(name, took, None, "none", took, f"<= {BUDGET:g} s", took <= BUDGET)
