"""A folder with one sub-folder per token: a user's own photographs as a task.

Imports numpy, Pillow, ontogeny.errors and, of this package, names, patterns, split and
task only.

What becomes of a file, whatever its format, size and mode:

- the first frame is taken, and turned as its EXIF orientation says; colour profiles are ignored;
- transparency is composited on mid-grey (128), since mid-grey is 0 for the network; 16-bit grey is
  divided by 257; palettes, CMYK and other colour spaces become RGB;
- `fit="crop"` cuts the largest centred part of the wanted shape, `fit="pad"` keeps the whole
  image and fills with mid-grey; then it is resized with an antialiasing (Lanczos) filter;
- if every file is stored in grey (modes 1, L, LA, 16 bit), images have one channel, else three.

Files and folders with a leading dot are ignored, and so are Thumbs.db and desktop.ini. Anything
else in a token's folder that is no readable image is an error that names it, never a silent skip.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image, ImageOps

from ontogeny.errors import InputError
from ontogeny.progress import Progress
from ontogeny.tasks.names import natural, refuse_names, refuse_splits
from ontogeny.tasks.patterns import Patterns
from ontogeny.tasks.split import select_tokens
from ontogeny.tasks.task import Task

Fit = Literal["crop", "pad"]

DEFAULT_SIZE = 32
MID_GREY = 128
_CLUTTER = {"thumbs.db", "desktop.ini"}
_GREY_MODES = {"1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N"}
_NAMED = 5
_GAP = 2  # JPEGs are decoded at no less than this many times the wanted size, then filtered


def read_folder(  # noqa: PLR0913 - load_task's own arguments
    path: str | os.PathLike,
    *,
    tokens: int | Sequence[str] | None = None,
    density: int | None = None,
    probe: int | None = None,
    size: int | tuple[int, int] = DEFAULT_SIZE,
    seed: int = 0,
    fit: Fit = "crop",
    group: str | None = None,
    holdout: str | None = None,
    progress: Progress | None = None,
) -> Task:
    """Read a folder with one sub-folder per token.

    Tokens and exemplars are in the order of their names, 2 before 10; `Task.exemplars` holds
    `token/file`.
    Exact duplicates (equal pixels at the task's size) never straddle splits.

    Parameters
    ----------
    path
        The folder.
    tokens
        Which sub-folders, by name and in this order, or the first so many; None: all.
    density
        Training exemplars per token; None: all that the probe leaves.
    probe
        Probe exemplars per token; None: 100, but at most a fifth of the smallest token.
    size
        Pixels: one number, or (height, width).
    seed
        Of the draw of the splits.
    fit
        "crop": largest centred part; "pad": the whole image on mid-grey.
    group
        Regular expression: exemplars whose file names match alike never straddle splits.
    holdout
        Regular expression: exemplars whose file names match are a second probe.
    progress
        Called with ("images", done, total).

    Raises
    ------
    InputError
        The folder is not as expected, a pattern does not fit, a file is no readable image, or a
        token has fewer exemplars than asked.
    """
    root, shape = Path(path), check_size(size)
    if fit not in get_args(Fit):
        msg = f"expected fit to be crop or pad, got {fit!r}: choose one of these"
        raise InputError(msg)
    found = {folder.name: folder for folder in token_folders(root)}
    chosen = select_tokens(list(found), tokens)
    if tokens is None or isinstance(tokens, int):
        refuse_splits(list(found), root)
    refuse_names(chosen, root)
    files = {name: _image_files(found[name]) for name in chosen}
    token = np.repeat(np.arange(len(chosen)), [len(files[name]) for name in chosen])
    names = tuple(f"{name}/{file.name}" for name in chosen for file in files[name])
    patterns = Patterns(group, holdout)
    groups, held = patterns.groups(names), patterns.held_out(names, token, chosen)
    images = read_images([file for name in chosen for file in files[name]], shape, fit, progress)
    task = Task.from_arrays(
        images,
        token,
        names=chosen,
        groups=groups,
        exemplars=names,
        holdout=held,
        density=density,
        probe=probe,
        seed=seed,
        name=root.resolve().name,
    )
    origin = {**task.origin, "source": "folder", "path": str(path), "fit": fit, "mirrors": True}
    return replace(task, origin={**origin, **patterns.origin()})


def check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return (height, width).

    Raises
    ------
    InputError
        Not one or two whole numbers of at least 1.
    """
    shape = (size, size) if isinstance(size, int) else tuple(size)
    if len(shape) != 2 or not all(isinstance(n, int) and n >= 1 for n in shape):
        msg = f"expected size in pixels, one number or (height, width), got {size!r}: give 32, say"
        raise InputError(msg)
    return shape


def token_folders(root: Path) -> list[Path]:
    """Return the sub-folders of a folder that is laid out one token a sub-folder.

    They are in the order of their names, 2 before 10. Files beside them that are no images (a
    licence, a README) are left alone.

    Raises
    ------
    InputError
        No folder, no sub-folders, or images beside them.
    """
    entries = _entries(root)
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry.name for entry in entries if not entry.is_dir() and _is_image_name(entry)]
    if loose:
        msg = (
            f"expected one sub-folder per token in {root}, got images beside them "
            f"({_some(loose)}): move each into the folder of its token"
        )
        raise InputError(msg)
    if not folders:
        msg = (
            f"expected one sub-folder per token in {root}, got none: make a folder for each "
            "token and put its images there"
        )
        raise InputError(msg)
    return folders


def read_images(
    files: Sequence[Path],
    shape: tuple[int, int],
    fit: Fit,
    progress: Progress | None = None,
) -> np.ndarray:
    """Decode images with a pool of threads.

    Returns
    -------
    np.ndarray
        uint8 [image, y, x, channel], 1 channel if every file is stored in grey, else 3.

    Raises
    ------
    InputError
        Files that are no readable images, all of them counted and the first few named.
    """

    def read(file: Path) -> np.ndarray | str:
        try:
            return read_image(file, shape, fit)
        except Exception as error:  # Pillow's decoders raise whatever their format brings up
            return f"{file.parent.name}/{file.name}: {_reason(error)}"

    results: list[np.ndarray | str] = []
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1)) as pool:
        for result in pool.map(read, files):
            results.append(result)
            if progress is not None:
                progress("images", len(results), len(files))
    bad = [result for result in results if isinstance(result, str)]
    if bad:
        msg = (
            f"expected readable images, got {len(bad)} of {len(files)} that are not "
            f"({_some(bad, '; ')}): repair them, or move them out of the token's folder"
        )
        raise InputError(msg)
    images = [result for result in results if not isinstance(result, str)]
    if all(image.ndim == 2 for image in images):
        return np.stack(images)[..., None]
    return np.stack([image if image.ndim == 3 else _grey_to_rgb(image) for image in images])


def read_image(file: Path, shape: tuple[int, int], fit: Fit) -> np.ndarray:
    """Decode one image file: uint8 [y, x] where it is stored in grey, else [y, x, 3].

    Raises
    ------
    ValueError
        Samples that are neither 8 nor 16 bits; whatever Pillow raises for what it cannot read.
    """
    with Image.open(file) as image:
        image.draft(None, (_GAP * max(shape), _GAP * max(shape)))
        grey = image.mode in _GREY_MODES
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(_fitted(_flattened(image, grey), shape, fit))


def _flattened(image: Image.Image, grey: bool) -> Image.Image:
    """Return the image in mode L or RGB, without transparency."""
    mode = "L" if grey else "RGB"
    if image.mode.startswith("I"):
        return _from_16_bits(image)
    if image.mode == "F":
        msg = "samples are 32-bit floats; save it with 8 or 16 bits"
        raise ValueError(msg)
    if not image.has_transparency_data:
        return image.convert(mode)
    below = Image.new("RGBA", image.size, (MID_GREY, MID_GREY, MID_GREY, 255))
    return Image.alpha_composite(below, image.convert("RGBA")).convert(mode)


def _from_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        msg = "samples are 32-bit integers; save it with 8 or 16 bits"
        raise ValueError(msg)
    return Image.fromarray(np.round(values / 257).astype(np.uint8))


def _fitted(image: Image.Image, shape: tuple[int, int], fit: Fit) -> Image.Image:
    y, x = shape
    if fit == "pad":
        fill = (MID_GREY,) * len(image.getbands())
        return ImageOps.pad(image, (x, y), Image.Resampling.LANCZOS, color=fill)
    return ImageOps.fit(image, (x, y), Image.Resampling.LANCZOS)


def _grey_to_rgb(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=2)


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, by name (2 before 10), without what is hidden.

    Raises
    ------
    InputError
        There is no such folder, or it cannot be listed.
    """
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: natural(entry.name))
    except OSError as error:
        msg = (
            f"expected a folder that can be read at {folder}, got '{error.strerror or error}': "
            "check the path and its permissions"
        )
        raise InputError(msg) from error
    return [e for e in entries if not e.name.startswith(".") and e.name.lower() not in _CLUTTER]


def _image_files(folder: Path) -> list[Path]:
    entries = _entries(folder)
    nested = [entry.name for entry in entries if entry.is_dir()]
    if nested:
        msg = (
            f"expected images only in {folder}, got folders ({_some(nested)}): name the folder "
            "whose sub-folders are the tokens, or move these out"
        )
        raise InputError(msg)
    if not entries:
        msg = f"expected images in {folder}, got none: add exemplars or remove the folder"
        raise InputError(msg)
    return entries


def _is_image_name(file: Path) -> bool:
    return Image.registered_extensions().get(file.suffix.lower()) in Image.OPEN


def _some(names: Sequence[str], separator: str = ", ") -> str:
    """Name the first few and count the others."""
    rest = len(names) - _NAMED
    return separator.join(names[:_NAMED]) + (f"{separator}and {rest} more" if rest > 0 else "")


def _reason(error: Exception) -> Any:
    if isinstance(error, Image.UnidentifiedImageError):
        return "no image in a format that Pillow reads"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
