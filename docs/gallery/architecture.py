"""The floors and rooms of Ontogeny as a picture, drawn from what its modules import.

Run as `python docs/gallery/architecture.py [OUT.png]`. Floors are those of the import contract in
pyproject.toml; a line joins two rooms of which the upper one imports the lower one, as thick as
the number of its modules that do so. Lines to the two lowest floors, which all rooms use, are left
out.
"""

import ast
import sys
import tomllib
from collections import Counter
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ontogeny"
WORDS = {
    "cli": "commands", "page": "the linked page", "report": "report.html",
    "plot": "arrays and axes in, axes out", "statements": "what the measures support",
    "construction": "parts of networks run apart", "pictures": "pictures of detectors",
    "measure": "record in, labelled arrays out",
    "observe": "snapshots in, record out", "train": "the loop, resume, replay",
    "hooks": "activations and couplings", "tasks": "tokens and exemplars",
    "stats": "kernels on plain arrays", "record": "the labelled dataset", "run": "a run's folder",
    "model": "the VGG family", "coupling": "shares of variance", "passes": "fast forward passes",
    "config": "choices of a training", "schedule": "when a snapshot is due",
    "datasets": "datasets on disk", "checksums": "what is stored, as it was stored",
    "files": "atomic writes", "extras": "what is not installed", "progress": "how far it is",
    "companion": "a process beside",
}  # fmt: skip


def floors() -> list[list[str]]:
    """Return the rooms of each floor, the highest first, as the import contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c for c in contracts["contracts"] if c["type"] == "layers")["layers"]
    return [[room.strip() for room in floor.split("|")] for floor in layers]


def imports() -> Counter[tuple[str, str]]:
    """Count, for every two rooms, the modules of the first one that import the second one."""
    found: Counter[tuple[str, str]] = Counter()
    for file in SOURCE.rglob("*.py"):
        room = file.relative_to(SOURCE).with_suffix("").parts[0]
        names = {
            name.removeprefix("ontogeny.").split(".")[0]
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0
            for name in _modules(node)
        }
        found.update((room, name) for name in names if name != room)
    return found


def _modules(node: ast.ImportFrom) -> list[str]:
    if node.module == "ontogeny":
        return [f"ontogeny.{alias.name}" for alias in node.names]
    return [node.module] if node.module and node.module.startswith("ontogeny.") else []


def draw(ax: Axes) -> None:
    """Draw the floors from top to bottom with their rooms and what these import."""
    rows = floors()
    place = {room: ((k + 1) / (len(floor) + 1), -level)
             for level, floor in enumerate(rows) for k, room in enumerate(floor)}  # fmt: skip
    everywhere = {room for floor in rows[-2:] for room in floor}
    for (upper, lower), count in imports().items():
        if upper in place and lower in place and lower not in everywhere:
            (x, y), (x2, y2) = place[upper], place[lower]
            ax.plot([x, x2], [y, y2], color="0.75", linewidth=0.3 + 0.12 * count, zorder=1)
    name = {"boxstyle": "round,pad=.35", "facecolor": "white", "edgecolor": "0.4"}
    what = {"boxstyle": "square,pad=.1", "facecolor": "white", "edgecolor": "none"}
    for room, (x, y) in place.items():
        ax.text(x, y, room, ha="center", va="center", fontsize=10, fontweight="bold", bbox=name)
        ax.text(x, y - 0.36, WORDS.get(room, ""), ha="center", va="center", fontsize=6.5,
                color="0.35", bbox=what)  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(-len(rows) + 0.4, 0.6))
    ax.set_axis_off()


def main() -> None:
    """Write the picture."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png")
    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    draw(figure.subplots())
    figure.savefig(out, dpi=100, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
