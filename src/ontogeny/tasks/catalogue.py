"""The tasks by name, and one function that makes a task of whatever a user has.

Imports ontogeny.errors and this package only. A new task is a module of its own and a line of
`TASKS`.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ontogeny.errors import InputError
from ontogeny.progress import Progress
from ontogeny.tasks.apples import apples
from ontogeny.tasks.arrays import as_it_is, read_npz
from ontogeny.tasks.faces import faces
from ontogeny.tasks.flowers import flowers
from ontogeny.tasks.folder import DEFAULT_SIZE, Fit, check_size, read_folder
from ontogeny.tasks.patterns import Patterns, refuse_unnamed
from ontogeny.tasks.task import Task


def load_task(  # noqa: PLR0913 - the words of the command line, all keywords
    source: str | os.PathLike | Task = "faces",
    *,
    density: int | None = None,
    tokens: int | Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    probe: int | None = None,
    fit: Fit = "crop",
    group: str | None = None,
    holdout: str | None = None,
    progress: Progress | None = None,
) -> Task:
    """Make a task of a name, a folder, an .npz or a task.

    Splits are drawn by seed, the probe first: it is the same at every density.

    Parameters
    ----------
    source
        One of `TASKS`: "faces", drawn (`ontogeny.tasks.faces`); "flowers", 3,670 photographs
        (`ontogeny.tasks.flowers`); "apples", turned on a shaft (`ontogeny.tasks.apples`). A folder
        with one sub-folder per token (`ontogeny.tasks.folder`); a folder called as one of the
        names is meant by "./flowers". An .npz (`ontogeny.tasks.arrays`). A Task, or an .npz that
        Task.save wrote, is taken as it is, unless density, tokens, probe, group or holdout are
        given: then its splits are drawn anew.
    density
        Training exemplars per token; None: 600 faces, of all others what the probe leaves.
    tokens
        Which tokens, by name and in this order, or the first so many; None: all (5 faces).
    size
        Pixels, one number or (height, width); None: 32, or what an array has.
    seed
        Of the splits, and of the faces.
    probe
        Held-out exemplars per token shown to every snapshot; None: 100, but at most a fifth of
        the smallest token.
    fit
        How photographs are brought to a shape: "crop" or "pad".
    group
        Regular expression (Python's), searched for in the exemplars' file names: exemplars that
        match alike (in its groups, or in the whole match), such as the frames of one video, never
        straddle splits, whatever their tokens; those that do not match stand alone.
    holdout
        Regular expression: exemplars whose file names match make a second probe, of which the
        record has accuracies: never trained on, and not in the first probe. "": none, where a
        task has one by default.
    progress
        Called with (what, done, total), what = "bytes" or "images".

    Raises
    ------
    InputError
        There is no such source, it is not as expected, or a token has too few exemplars.

    Examples
    --------
    >>> ont.load_task("faces", tokens=3, density=20, size=16)
    Task('faces': 3 tokens, 60 train, 300 probe, 300 spare, 16 x 16 x 3)
    >>> ont.load_task("faces", tokens=["eli", "ada"], density=20, size=16).tokens
    ('eli', 'ada')
    """
    options: dict[str, Any] = {
        "density": density, "tokens": tokens, "probe": probe, "seed": seed,
        "group": group, "holdout": holdout,
    }  # fmt: skip
    if isinstance(source, Task):
        return as_it_is(source, size, options)
    pictures = {"size": DEFAULT_SIZE if size is None else size, "fit": fit, "progress": progress}
    if source in TASKS:
        return TASKS[str(source)](**options, **pictures)
    path = Path(source)
    if path.is_dir():
        return read_folder(path, **options, **pictures)
    if path.suffix == ".npz":
        return read_npz(path, size=size, **options)
    msg = (
        f"expected a task out of {', '.join(TASKS)}, a folder with one sub-folder per token "
        f"or an .npz, got {str(source)!r}, which is none of these: check the name or the path"
    )
    raise InputError(msg)


def _faces(
    *,
    size: int | tuple[int, int],
    group: str | None,
    holdout: str | None,
    fit: Fit,  # noqa: ARG001 - faces are drawn to their size
    progress: Progress | None,  # noqa: ARG001 - and quickly
    **draw: Any,
) -> Task:
    y, x = check_size(size)
    if y != x:
        msg = f"expected faces to be square, got a size of {y} x {x}: give one number"
        raise InputError(msg)
    refuse_unnamed(Patterns(group, holdout), "faces")
    given = {key: value for key, value in draw.items() if value is not None}
    return faces(**given, size=y, held_out=max(200, draw["probe"] or 0))


TASKS: dict[str, Callable[..., Task]] = {"faces": _faces, "flowers": flowers, "apples": apples}
"""Name -> what makes the task, given the keywords of `load_task`; the first is the default.
Mirrored exemplars are trained on where the origin of a task says `mirrors`."""
