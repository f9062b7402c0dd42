"""Grafts across time of a run, as the page on construction shows them.

Run as `python docs/gallery/grafts.py runs/faces [FOLDER]`: writes graft_map.png and readiness.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import ontogeny as ont

HERE = Path(__file__).parent
SHOWN = ("conv1", "conv4", "conv8")
"""Cuts below which nearly nothing, a part and nearly all of the network lies."""


def main(run: str, out: Path) -> None:
    """Draw both pictures."""
    found = ont.grafts(run)
    figure, axes = plt.subplots(1, len(SHOWN), figsize=(15.6, 4.4), layout="constrained")
    for cut, ax in zip(SHOWN, axes, strict=True):
        ont.plot.graft_map(found, cut, ax)
    figure.savefig(out / "graft_map.png", dpi=75)
    ont.plot.readiness(found).figure.savefig(out / "readiness.png", dpi=100)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else HERE)
