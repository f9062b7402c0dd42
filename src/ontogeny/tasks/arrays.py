"""Arrays in one .npz as a task, and tasks that are there already.

Imports numpy, ontogeny.errors and, of this package, folder, npz, patterns and task only.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.folder import check_size
from ontogeny.tasks.npz import read_arrays
from ontogeny.tasks.patterns import Patterns
from ontogeny.tasks.task import FACTOR, Task

TOKEN_ARRAYS = ("token", "tokens", "labels")
GROUP_ARRAYS = ("group", "groups")


def read_npz(
    path: str | os.PathLike, *, size: int | tuple[int, int] | None = None, **draw: Any
) -> Task:
    """Read a task from an .npz, without pickle.

    Arrays: `images` uint8 [exemplar, y, x] or [exemplar, y, x, channel]; `token` (or `tokens` or
    `labels`) [exemplar], names or integers; and, if wanted, `token_names`, which integers index,
    `group` (or `groups`) [exemplar], which must not straddle splits, `exemplars` [exemplar], their
    names, `holdout` [exemplar], True for those of a second probe, and `factor_NAME` [exemplar].
    Or what Task.save wrote.

    Parameters
    ----------
    path
        The file.
    size
        What the images are expected to have; they are not resized.
    **draw
        density, tokens, probe, seed, group and holdout, as in `load_task`.

    Raises
    ------
    InputError
        The file is no .npz, arrays are missing, unknown or of another kind.
    """
    arrays = read_arrays(path)
    if "task" in arrays:
        return as_it_is(Task.load(path), size, draw)
    _check_names(path, arrays)
    patterns = Patterns(draw.pop("group", None), draw.pop("holdout", None))
    names, exemplars = (_texts(arrays.get(key)) for key in ("token_names", "exemplars"))
    task = Task.from_arrays(
        arrays["images"],
        next(arrays[key] for key in TOKEN_ARRAYS if key in arrays),
        names=names,
        groups=next((arrays[key] for key in GROUP_ARRAYS if key in arrays), None),
        factors={k.removeprefix(FACTOR): v for k, v in arrays.items() if k.startswith(FACTOR)},
        exemplars=exemplars or (),
        holdout=arrays.get("holdout"),
        name=Path(path).stem,
        **draw,
    )
    _check_as_stored(task, size)
    task = task.draw(**draw, group=patterns.group, holdout=patterns.holdout) if patterns else task
    return replace(task, origin={**task.origin, "source": "npz", "path": str(path)})


def _texts(array: np.ndarray | None) -> list[str] | None:
    return None if array is None else [str(value) for value in array.tolist()]


def _check_names(path: str | os.PathLike, arrays: dict[str, np.ndarray]) -> None:
    """Refuse arrays of unknown names too: a misspelt `group` would let groups straddle splits."""
    tokens = [key for key in TOKEN_ARRAYS if key in arrays]
    groups = [key for key in GROUP_ARRAYS if key in arrays]
    known = {"images", "token_names", "exemplars", "holdout", *GROUP_ARRAYS, *TOKEN_ARRAYS}
    unknown = [key for key in arrays if key not in known and not key.startswith(FACTOR)]
    if "images" in arrays and len(tokens) == 1 and len(groups) < 2 and not unknown:
        return
    got = ", ".join(sorted(arrays)) or "none"
    msg = (
        f"expected {path} to hold images, one of {', '.join(TOKEN_ARRAYS)}, and at most "
        f"token_names, group, exemplars, holdout and {FACTOR}NAME besides, got {got}: rename or "
        "remove arrays"
    )
    raise InputError(msg)


def as_it_is(task: Task, size: int | tuple[int, int] | None, draw: dict[str, Any]) -> Task:
    """Return a task, its splits drawn anew if anything but a seed is asked for.

    Parameters
    ----------
    task
        The task.
    size
        What its images are expected to have.
    draw
        The arguments of `Task.draw`.

    Raises
    ------
    InputError
        Its images have another size, or the draw is impossible.
    """
    _check_as_stored(task, size)
    if all(value is None for key, value in draw.items() if key != "seed"):
        return task
    return task.draw(**draw)


def _check_as_stored(task: Task, size: int | tuple[int, int] | None) -> None:
    if size is not None and check_size(size) != task.size:
        y, x = task.size
        msg = (
            f"expected the size that the images of {task.name} have, {y} x {x}, got {size}: leave "
            "size out, or resize the images first"
        )
        raise InputError(msg)
