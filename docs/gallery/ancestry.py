"""What a token of a finished run is built from, each unit with its picture: the picture of README.

Run as `python docs/gallery/ancestry.py [RUN] [OUT.png] [TOKEN]`.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

import ontogeny as ont
from ontogeny.pictures.album import Album, open_album

BREADTH = 3


def pictures(album: Album, unit: str) -> list:
    """Return what a unit prefers and what it answers most; none for pixels."""
    if unit.startswith("pixels"):
        return []
    return [album.preferred(unit), *album.best(unit)[:1]]


def draw(run: str, token: str | None) -> Figure:
    """Draw the ancestry of a token, the first one if none is named."""
    record = ont.open_record(run)
    tokens = [str(name) for name in record["token"].values]
    album = open_album(run, record)
    tree = ont.measure.construction(record, token or tokens[0], breadth=BREADTH)
    nodes = [str(name) for name in tree["node"].values]
    figure, ax = plt.subplots(figsize=(13, 3.3), layout="constrained")
    ont.plot.ancestry_pictures(
        tree, {node: pictures(album, node) for node in nodes}, tokens=tokens, ax=ax
    )
    return figure


if __name__ == "__main__":
    run, out, token = [*sys.argv[1:], *[None] * 3][:3]
    run = run or "runs/faces"
    if not (Path(run) / "pictures.zarr").exists():
        sys.exit(print(f"{run} is no run with pictures: nothing is drawn (`make run` makes one)"))
    draw(run, token).savefig(out or "ancestry.png", dpi=84, pil_kwargs={"optimize": True})
