"""Five single apples, each photographed 656 times while it turned: a task with honest probes.

Imports numpy, ontogeny.errors and, of this package, folder, home, patterns, split and task only.

Each apple was turned about two axes, 328 frames each; a full turn takes 305 to 321 frames, so that
the last frames show again what the first ones show. Frames beside each other are nearly the same
picture: divided at random, every probe exemplar has its neighbours among the training exemplars.
So a group is a sector: 20 frames about one axis, the last 28 frames being of the first two
sectors. Shorter ones would lie too near to what is trained on, longer ones leave too few groups for
any null: with two of a token, shuffled tokens are right about both too often to be beaten.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.folder import read_folder
from ontogeny.tasks.home import data_homes, found_at_home
from ontogeny.tasks.patterns import Patterns
from ontogeny.tasks.split import PROBE, draw_split, join_groups
from ontogeny.tasks.task import Task

SECTOR, TURN = 20, 300
"""Frames of a sector, and the frame from which on a turn begins again."""
GUARD = 5
"""Frames beside the probe's sectors that are not trained on."""
OTHER_AXIS = "^r_"
_FRAME = re.compile(r"(r_)?(\d+)_100\.jpg$")
_SOURCE = (
    "Fruits-360, first edition (Oltean and Muresan, MIT licence, "
    "github.com/Horea94/Fruit-Images-Dataset)"
)


def apples(
    *,
    density: int | None = None,
    probe: int | None = None,
    seed: int = 0,
    group: str | None = None,
    holdout: str | None = None,
    **options: Any,
) -> Task:
    """Return the task of five apples; by default the second axis is a holdout.

    Of the first axis, whole sectors make the probe, and frames within 5 of them are spare; that
    leaves about 240 training exemplars per token. With `holdout=""` nothing is held out: both
    axes are divided by sectors, with 500 training exemplars per token and more.

    They are looked up in $ONTOGENY_DATA or the user's cache folder, as `apples/TOKEN/*.jpg`, and
    never fetched. Licence: MIT; source: Fruits-360, first edition, Oltean and Muresan.

    Parameters
    ----------
    density, probe, seed
        As in `ontogeny.load_task`.
    group
        Another division into groups than sectors; then no frames are spare beside the probe.
    holdout
        None: the second axis; "": none; else a regular expression.
    **options
        tokens, size, fit and progress, as in `ontogeny.load_task`.

    Raises
    ------
    InputError
        They are not there, or files have other names, or a token has too few exemplars.
    """
    root = found_at_home("apples")
    if root is None:
        place = data_homes()[0] / "apples"
        msg = (
            f"expected photographs of apples in {place}, got no such folder: make one sub-folder "
            "per apple (braeburn, golden-1, golden-2, red-1, red-2) and put its files "
            f"ANGLE_100.jpg and r_ANGLE_100.jpg there, from {_SOURCE}"
        )
        raise InputError(msg)
    whole = read_folder(root, seed=seed, **options)
    patterns = Patterns(group, OTHER_AXIS if holdout is None else holdout)
    task = _in_sectors(whole, patterns, {"density": density, "probe": probe, "seed": seed})
    about = {"source": "apples", "mirrors": False, "licence": "MIT", "credit": _SOURCE}
    drawn = {**task.drawn(density, probe, seed), **patterns.origin()}
    return replace(task, name="apples", origin={**task.origin, **drawn, **about})


def _in_sectors(whole: Task, patterns: Patterns, draw: dict[str, Any]) -> Task:
    """Divide apples by sectors, or as the user's own pattern says."""
    axis, frame = frames(whole.exemplars)
    own = patterns.groups(whole.exemplars)
    sectors = axis * TURN + frame % TURN // SECTOR
    group = join_groups(whole.group[:, None], sectors if own is None else own)
    draw = {**draw, "holdout": patterns.held_out(whole.exemplars, whole.token, whole.tokens)}
    split = draw_split(whole.token, whole.tokens, group, **draw)
    if own is None:
        beside = _beside(split == PROBE, np.stack([whole.token, axis], axis=1), frame)
        split = draw_split(whole.token, whole.tokens, group, **draw, untrained=beside)
    return replace(whole, split=split, group=group)


def frames(exemplars: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the axis (0, or 1 for names that begin with r_) and the frame, int64 [exemplar].

    Raises
    ------
    InputError
        A file is called otherwise.
    """
    found = [_FRAME.match(name.rpartition("/")[2]) for name in exemplars]
    strange = [name for name, match in zip(exemplars, found, strict=True) if match is None]
    if strange:
        msg = (
            "expected apples in files called ANGLE_100.jpg or r_ANGLE_100.jpg, got "
            f"{len(strange)} called otherwise ({strange[0]}): move them out, or give the folder "
            "itself as the task"
        )
        raise InputError(msg)
    matches = [match for match in found if match is not None]
    axis = np.array([match[1] is not None for match in matches], dtype=np.int64)
    return axis, np.array([int(match[2]) for match in matches], dtype=np.int64)


def _beside(probe: np.ndarray, turn: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Mark exemplars within `GUARD` frames of one of the probe, in the same turn of one apple."""
    beside = np.zeros(len(frame), dtype=bool)
    for one in np.unique(turn, axis=0):
        mine = np.flatnonzero((turn == one).all(axis=1))
        shown = frame[mine[probe[mine]]]
        gap = np.abs(frame[mine][:, None] - shown).min(axis=1, initial=TURN)
        beside[mine[gap <= GUARD]] = True
    return beside
