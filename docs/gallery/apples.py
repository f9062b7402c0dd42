"""What a split at random would have claimed of the task `apples`, and what honest splits say.

Ridge regression from pixels to tokens, as a read-out of what no learning is needed for: trained on
the training exemplars of a split, scored on its probe. Needs the photographs (docs/apples.md).

    python docs/gallery/apples.py
"""

import numpy as np

import ontogeny as ont
from ontogeny.tasks import Task
from ontogeny.tasks.home import found_at_home

PENALTY = 1.0
"""Of the ridge, as a share of the mean square length of a centred training image."""


def accuracy(task: Task, learned: np.ndarray, shown: np.ndarray) -> float:
    """Share of exemplars whose token a ridge regression on pixels gives."""
    x = task.images.reshape(len(task.images), -1) / 255.0
    mean = x[learned].mean(axis=0)
    known, asked = x[learned] - mean, x[shown] - mean
    gram = known @ known.T
    wanted = np.eye(task.n_tokens)[task.token[learned]] - 1 / task.n_tokens
    penalty = PENALTY * np.trace(gram) / len(gram)
    weights = np.linalg.solve(gram + penalty * np.eye(len(gram)), wanted)
    given = (asked @ known.T @ weights).argmax(axis=1)
    return float(np.mean(given == task.token[shown]))


def main() -> None:
    """Print a row for each split and size."""
    home = found_at_home("apples")
    if home is None:
        print("The photographs of the task apples are not here; docs/apples.md says where they go.")
        return
    print("size  at random  sectors of one axis  the other axis  chance")
    for size in (32, 100):
        alike, honest = ont.load_task(home, size=size), ont.load_task("apples", size=size)
        rows = [
            accuracy(alike, alike.train, alike.probe),
            accuracy(honest, honest.train, honest.probe),
            accuracy(honest, honest.train, honest.holdout),
        ]
        print(f"{size:4d} {rows[0]:10.2f} {rows[1]:20.2f} {rows[2]:15.2f} {1 / 5:7.2f}")


if __name__ == "__main__":
    main()
