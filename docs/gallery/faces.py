"""A contact sheet of the faces task: its individuals, its parts, its part maps.

Run as `python docs/gallery/faces.py [OUT.png]`.
"""

import sys

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import SubFigure

from ontogeny.tasks.designs import CAST
from ontogeny.tasks.faces import faces
from ontogeny.tasks.portrait import NUISANCES, PARTS, draw

COLOURS = {
    "background": "#ffffff",
    "head": "#e6c9a8",
    "hair": "#333333",
    "brows": "#8c510a",
    "eyes": "#56b4e9",
    "iris": "#0072b2",
    "nose": "#e69f00",
    "mouth": "#d55e00",
    "ears": "#cc79a7",
    "mark": "#009e73",
}
CALM = {"scale": 0.95, "light_strength": 0.1, "exposure": 1.0, "background_red": 0.93}
CALM |= {f"cast_{c}": 1.0 for c in ("red", "green", "blue")}
CALM |= {"background_green": 0.93, "background_blue": 0.93, "texture_period": 1.0}


def portraits(rows: np.ndarray, size: int) -> np.ndarray:
    """Draw faces from rows of part values with every nuisance at rest."""
    factors = {name: np.full(len(rows), CALM.get(name, 0.0)) for name in NUISANCES}
    factors["occluder_shape"] += 1.0
    for k, part in enumerate(PARTS.values()):
        for name, (values, _) in part.attributes.items():
            factors[name] = np.asarray(values)[rows[:, k]]
    return np.clip(draw(factors, size)[0].transpose(1, 2, 3, 0), 0, 1)


def strip(figure: SubFigure, images: list[list[np.ndarray]], **kwargs) -> np.ndarray:
    """Show rows of images without axes."""
    axes = figure.subplots(len(images), len(images[0]), squeeze=False)
    for axis, image in zip(axes.flat, (i for row in images for i in row), strict=True):
        axis.imshow(image, **kwargs)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return axes


def show_cast(figure: SubFigure) -> None:
    """Draw the ten individuals, every nuisance at rest."""
    images = portraits(np.array(list(CAST.values())), 96)
    axes = strip(figure, [list(images)])
    for axis, name in zip(axes[0], CAST, strict=True):
        axis.set_title(name, fontsize=9)
    figure.suptitle("The cast, with every nuisance at rest", fontsize=11)


def show_values(figure: SubFigure) -> None:
    """Draw the five values of each part, the others being those of ada."""
    base = np.array(CAST["ada"])
    rows = np.repeat(base[None], len(PARTS) * 5, axis=0)
    for k in range(len(PARTS)):
        rows[5 * k : 5 * k + 5, k] = np.arange(5)
    images = portraits(rows, 96).reshape(len(PARTS), 5, 96, 96, 3)
    axes = strip(figure, [list(row) for row in images.swapaxes(0, 1)])
    for k, (name, part) in enumerate(PARTS.items()):
        axes[0, k].set_title(name, fontsize=9)
        for axis, value in zip(axes[:, k], part.values, strict=True):
            axis.set_xlabel(value, fontsize=7, labelpad=1)
    figure.suptitle("The five values of each part, on the face of ada", fontsize=11)


def show_exemplars(figure: SubFigure) -> None:
    """Draw twelve training exemplars of each token, as the network sees them."""
    task = faces(density=12, held_out=1, probe=1)
    chosen = [task.train[task.token[task.train] == k] for k in range(task.n_tokens)]
    axes = strip(figure, [list(task.images[rows]) for rows in chosen])
    for axis, name in zip(axes[:, 0], task.tokens, strict=True):
        axis.set_ylabel(name, fontsize=9)
    figure.suptitle("Exemplars as the network sees them, 32 x 32 pixels", fontsize=11)


def show_maps(figure: SubFigure) -> None:
    """Draw exemplars and their part maps."""
    task = faces(density=2, held_out=1, probe=1, size=96)
    rows = task.train[:10]
    assert task.part_map is not None
    axes = strip(
        figure,
        [list(task.images[rows]), list(task.part_map[rows])],
        cmap=ListedColormap(list(COLOURS.values())),
    )
    for axis in axes[1]:
        axis.images[0].set_clim(-0.5, len(PARTS) + 0.5)
    marks = [plt.Line2D([], [], marker="s", ls="", color=COLOURS[part]) for part in PARTS]
    figure.legend(marks, list(PARTS), loc="lower center", ncols=9, fontsize=8, frameon=False)
    figure.suptitle("Exemplars and what is visible at each pixel", fontsize=11)


def contact_sheet() -> plt.Figure:
    """Draw everything on one sheet."""
    figure = plt.figure(figsize=(11, 18), layout="constrained")
    parts = figure.subfigures(4, 1, height_ratios=[1.5, 6.6, 5.0, 2.7])
    drawers = (show_cast, show_values, show_exemplars, show_maps)
    for part, drawer in zip(parts, drawers, strict=True):
        drawer(part)
    return figure


if __name__ == "__main__":
    contact_sheet().savefig(sys.argv[1] if len(sys.argv) > 1 else "faces.png", dpi=110)
