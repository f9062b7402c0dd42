"""The tasks by name, and one function that makes a task of whatever a user has.

Imports numpy, pooch, ontogeny.errors and this package only.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pooch

from ontogeny.errors import InputError
from ontogeny.tasks.faces import faces
from ontogeny.tasks.fetch import Archive, fetch
from ontogeny.tasks.folder import DEFAULT_SIZE, Fit, Progress, check_size, read_folder
from ontogeny.tasks.npz import read_arrays
from ontogeny.tasks.task import FACTOR, Task

CATALOGUE = ("faces", "flowers")
TOKEN_ARRAYS = ("token", "tokens", "labels")
FLOWERS = Archive(
    url="http://download.tensorflow.org/example_images/flower_photos.tgz",
    sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
    folder="flower_photos",
)
FLOWERS_LICENCE = "CC BY 2.0"
FLOWERS_CREDIT = (
    "TensorFlow's flower_photos collection; each file name begins with the photograph's Flickr "
    "id, the key to its author; LICENSE.txt in the original archive names every photographer"
)


def load_task(  # noqa: PLR0913 - the words of the command line, all keywords
    source: str | os.PathLike | Task = "faces",
    *,
    density: int | None = None,
    tokens: int | Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    probe: int | None = None,
    fit: Fit = "crop",
    progress: Progress | None = None,
) -> Task:
    """Make a task of a name, a folder, an .npz or a task.

    Splits are drawn by seed, the probe first: it is the same at every density.

    Parameters
    ----------
    source
        "faces": built in (`ontogeny.tasks.faces`). "flowers": 3,670 photographs (`flowers`).
        A folder with one sub-folder per token (`ontogeny.tasks.folder`); a folder called as one
        of the names is meant by "./flowers". An .npz (`read_npz`). A Task, or an .npz that
        Task.save wrote, is taken as it is, unless density, tokens or probe are given: then its
        splits are drawn anew.
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
    progress
        Called with (what, done, total), what = "bytes" or "images".

    Raises
    ------
    InputError
        There is no such source, it is not as expected, or a token has too few exemplars.
    """
    draw: dict[str, Any] = {"density": density, "tokens": tokens, "probe": probe, "seed": seed}
    if isinstance(source, Task):
        return _as_it_is(source, size, draw)
    if source == "faces":
        return _faces(draw, DEFAULT_SIZE if size is None else size)
    read: dict[str, Any] = {"size": DEFAULT_SIZE if size is None else size, "fit": fit}
    if source == "flowers":
        return flowers(**draw, **read, progress=progress)
    path = Path(source)
    if path.is_dir():
        return read_folder(path, **draw, **read, progress=progress)
    if path.suffix == ".npz":
        return read_npz(path, size=size, **draw)
    msg = (
        f"expected a task out of {', '.join(CATALOGUE)}, a folder with one sub-folder per token "
        f"or an .npz, got {str(source)!r}, which is none of these: check the name or the path"
    )
    raise InputError(msg)


def flowers(*, progress: Progress | None = None, **options: Any) -> Task:
    """Return the task of 3,670 photographs of five kinds of flower.

    Daisy 633, dandelion 898, roses 641, sunflowers 699, tulips 799. Three pairs are exact
    duplicates, one of them across roses and tulips; none straddles splits.

    They are looked up in $ONTOGENY_DATA (`flowers/TOKEN/*.jpg` or `flower_photos/TOKEN/*.jpg`),
    then in the user's cache folder, both without any network; else they are fetched once
    (229 MB, checked by SHA-256) into $ONTOGENY_DATA or, where that is not set, the cache folder.

    Licence: every photograph is under CC BY 2.0. Credit: TensorFlow's flower_photos collection;
    each file name (`Task.exemplars`) begins with the photograph's Flickr id, the key to its
    author, and LICENSE.txt in the archive names every photographer.

    Parameters
    ----------
    progress
        Called with ("bytes" or "images", done, total).
    **options
        Those of `ontogeny.tasks.folder.read_folder`.

    Raises
    ------
    InputError
        They can neither be found nor fetched, or a token has fewer exemplars than asked.
    """
    homes = data_homes()
    places = [home / name for home in homes for name in ("flowers", FLOWERS.folder)]
    found = next((place for place in places if place.is_dir()), None)
    root = found or fetch(FLOWERS, homes[0], progress=progress)
    task = read_folder(root, **options, progress=progress)
    about = {"source": "flowers", "licence": FLOWERS_LICENCE, "credit": FLOWERS_CREDIT}
    return replace(task, name="flowers", origin={**task.origin, **about})


def data_homes() -> list[Path]:
    """Return the folders where data are looked up; what is fetched goes into the first."""
    named = os.environ.get("ONTOGENY_DATA")
    cache = Path(pooch.os_cache("ontogeny"))
    return [Path(named).expanduser(), cache] if named else [cache]


def read_npz(
    path: str | os.PathLike, *, size: int | tuple[int, int] | None = None, **draw: Any
) -> Task:
    """Read a task from an .npz, without pickle.

    Arrays: `images` uint8 [exemplar, y, x] or [exemplar, y, x, channel]; `token` (or `tokens` or
    `labels`) [exemplar], names or integers; and, if wanted, `token_names`, which integers index,
    `groups` [exemplar], which must not straddle splits, and `factor_NAME` [exemplar]. Or what
    Task.save wrote.

    Parameters
    ----------
    path
        The file.
    size
        What the images are expected to have; they are not resized.
    **draw
        density, tokens, probe and seed, as in `load_task`.

    Raises
    ------
    InputError
        The file is no .npz, arrays are missing, unknown or of another kind.
    """
    arrays = read_arrays(path)
    if "task" in arrays:
        return _as_it_is(Task.load(path), size, draw)
    _check_names(path, arrays)
    names = arrays.get("token_names")
    task = Task.from_arrays(
        arrays["images"],
        next(arrays[key] for key in TOKEN_ARRAYS if key in arrays),
        names=None if names is None else [str(name) for name in names.tolist()],
        groups=arrays.get("groups"),
        factors={k.removeprefix(FACTOR): v for k, v in arrays.items() if k.startswith(FACTOR)},
        name=Path(path).stem,
        **draw,
    )
    _check_as_stored(task, size)
    return replace(task, origin={**task.origin, "source": "npz", "path": str(path)})


def _check_names(path: str | os.PathLike, arrays: dict[str, np.ndarray]) -> None:
    """Refuse arrays of unknown names too: a misspelt `groups` would let groups straddle splits."""
    tokens = [key for key in TOKEN_ARRAYS if key in arrays]
    known = {"images", "token_names", "groups", *TOKEN_ARRAYS}
    unknown = [key for key in arrays if key not in known and not key.startswith(FACTOR)]
    if "images" in arrays and len(tokens) == 1 and not unknown:
        return
    msg = (
        f"expected {path} to hold images, one of {', '.join(TOKEN_ARRAYS)}, and at most "
        f"token_names, groups and {FACTOR}NAME besides, got {', '.join(sorted(arrays)) or 'none'}"
        ": rename or remove arrays"
    )
    raise InputError(msg)


def _as_it_is(task: Task, size: int | tuple[int, int] | None, draw: dict[str, Any]) -> Task:
    _check_as_stored(task, size)
    if all(draw.get(key) is None for key in ("density", "tokens", "probe")):
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


def _faces(draw: dict[str, Any], size: int | tuple[int, int]) -> Task:
    y, x = check_size(size)
    if y != x:
        msg = f"expected faces to be square, got a size of {y} x {x}: give one number"
        raise InputError(msg)
    given = {key: value for key, value in draw.items() if value is not None}
    return faces(**given, size=y, held_out=max(200, draw["probe"] or 0))
