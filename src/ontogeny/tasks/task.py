"""The task: images, what each of them is, and how they are divided. One immutable container.

Imports numpy, ontogeny.errors and, of this package, names, npz, patterns, pixels
and split only.

A task is stored as one .npz that needs no pickle, so that opening a stranger's task runs no code.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.names import name_problems, natural
from ontogeny.tasks.npz import read_arrays, write_arrays
from ontogeny.tasks.patterns import Patterns, refuse_unnamed
from ontogeny.tasks.pixels import image_problems
from ontogeny.tasks.split import (
    HOLDOUT,
    PROBE,
    SPARE,
    SPLITS,
    TRAIN,
    draw_split,
    join_groups,
    listed,
    select_tokens,
)

__all__ = ["SPLITS", "Task"]

SCHEMA = 1
FACTOR = "factor_"
ARRAYS = ("images", "token", "split", "group")
_MIRRORED = ("folder", "flowers")
"""Sources of tasks that were stored before their origin said whether they mirror."""
TEXT = ("tokens", "parts", "name", "origin", "exemplars")


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """Images of a few tokens, many exemplars of each, divided into train, probe and spare.

    All fields are checked together when the task is made. Integers of other widths are widened,
    nothing else is repaired. The arrays are read-only views.

    Parameters
    ----------
    images
        uint8 [exemplar, y, x, channel], 1 (grey) or 3 (RGB) channels.
    token
        int64 [exemplar], index into tokens.
    tokens
        Names of the tokens, at least two.
    split
        int8 [exemplar]: 0 train, 1 probe (held out, shown to every snapshot), 2 spare (held out,
        not shown), 3 holdout (a second probe, of which accuracies only are recorded). Every token
        has exemplars in train and in the probe, and in the holdout if there is one.
    group
        int64 [exemplar]: exemplars that belong together; a group never straddles train, probe
        and holdout.
    factors
        Name -> [exemplar]: generative factors, where known.
    parts
        Names of the parts, where known.
    part_map
        uint8 [exemplar, y, x]: 0 = no part, k = parts[k - 1] is what is visible there.
    name
        Name of the task.
    origin
        How it was made: anything that JSON can hold.
    exemplars
        Names of the exemplars (file names), or empty where they have none.

    Raises
    ------
    InputError
        Anything does not fit; one sentence lists everything that does not.

    Examples
    --------
    Forty grey images of two tokens, a fifth of them held out:

    >>> images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    >>> task = ont.Task.from_arrays(images, ["left", "right"] * 20)
    >>> task.tokens, len(task.train), len(task.probe)
    (('left', 'right'), 32, 8)
    >>> task.images[task.probe].shape
    (8, 8, 8, 1)
    """

    images: np.ndarray
    token: np.ndarray
    tokens: tuple[str, ...]
    split: np.ndarray
    group: np.ndarray
    factors: dict[str, np.ndarray] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    part_map: np.ndarray | None = None
    name: str = "arrays"
    origin: dict[str, Any] = field(default_factory=dict)
    exemplars: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = image_problems(np.asarray(self.images)) + _token_problems(self)
        if not problems:
            problems = _split_problems(self) + _extra_problems(self)
        _refuse(problems)
        kinds = {"token": np.int64, "split": np.int8, "group": np.int64}
        for key in ARRAYS:
            values = np.ascontiguousarray(getattr(self, key), dtype=kinds.get(key, np.uint8))
            object.__setattr__(self, key, _read_only(values))
        for key in ("tokens", "parts", "exemplars"):
            object.__setattr__(self, key, tuple(str(text) for text in getattr(self, key)))
        frozen = {key: _read_only(np.asarray(value)) for key, value in self.factors.items()}
        object.__setattr__(self, "factors", frozen)
        if self.part_map is not None:
            object.__setattr__(self, "part_map", _read_only(np.ascontiguousarray(self.part_map)))

    def __repr__(self) -> str:
        y, x = self.size
        held = np.bincount(self.split, minlength=len(SPLITS))
        shown = zip(SPLITS, held, strict=True)
        sizes = ", ".join(f"{n} {name}" for name, n in shown if n or name != SPLITS[HOLDOUT])
        return f"Task({self.name!r}: {self.n_tokens} tokens, {sizes}, {y} x {x} x {self.channels})"

    @property
    def mirrors(self) -> bool:
        """Whether a mirrored exemplar is one of its token still: assumed of photographs only."""
        return bool(self.origin.get("mirrors", self.origin.get("source") in _MIRRORED))

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return len(self.tokens)

    @property
    def channels(self) -> int:
        """Channels of an image: 1 (grey) or 3 (RGB)."""
        return self.images.shape[3]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of an image in pixels."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def density(self) -> dict[str, int]:
        """Training exemplars of each token."""
        counts = np.bincount(self.token[self.train], minlength=self.n_tokens)
        return dict(zip(self.tokens, counts.tolist(), strict=True))

    @cached_property
    def train(self) -> np.ndarray:
        """Exemplars trained on, ascending."""
        return np.flatnonzero(self.split == TRAIN)

    @cached_property
    def probe(self) -> np.ndarray:
        """Exemplars that every snapshot is shown, ascending."""
        return np.flatnonzero(self.split == PROBE)

    @cached_property
    def holdout(self) -> np.ndarray:
        """Exemplars of the second probe, ascending; none where nothing was held out by name."""
        return np.flatnonzero(self.split == HOLDOUT)

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of all that training or observing depends on.

        Images, tokens, splits, groups, factors and parts count; the names of the task and of its
        exemplars and the origin do not.
        """
        digest = hashlib.sha256()
        text = {"tokens": self.tokens, "parts": self.parts, "factors": sorted(self.factors)}
        digest.update(json.dumps(text, sort_keys=True).encode())
        arrays = [getattr(self, key) for key in ARRAYS]
        arrays += [self.factors[key] for key in sorted(self.factors)]
        arrays += [] if self.part_map is None else [self.part_map]
        for array in arrays:
            portable = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{portable.dtype.str}{portable.shape}".encode())
            digest.update(np.ascontiguousarray(portable).data)
        return digest.hexdigest()

    @classmethod
    def from_arrays(  # noqa: PLR0913 - one keyword for each thing an array user can know
        cls,
        images: np.ndarray,
        tokens_of_exemplars: np.ndarray | Sequence,
        *,
        names: Sequence[str] | None = None,
        groups: np.ndarray | Sequence | None = None,
        factors: Mapping[str, np.ndarray] | None = None,
        exemplars: Sequence[str] = (),
        holdout: np.ndarray | Sequence | None = None,
        tokens: int | Sequence[str] | None = None,
        density: int | None = None,
        probe: int | None = None,
        seed: int = 0,
        name: str = "arrays",
    ) -> Self:
        """Make a task of arrays: exact duplicates are grouped, splits are drawn.

        Parameters
        ----------
        images
            uint8 [exemplar, y, x] or [exemplar, y, x, channel].
        tokens_of_exemplars
            [exemplar]: the name of each exemplar's token, or an integer.
        names
            Names of the tokens, which integers index; None: the values themselves, 2 before 10.
        groups
            [exemplar], integers or text: exemplars that must not straddle splits.
        factors
            Name -> [exemplar]: generative factors.
        exemplars
            Names of the exemplars, or none.
        holdout
            bool [exemplar]: held out as a second probe; None: none.
        tokens
            Which tokens, by name and in this order, or the first so many; None: all.
        density
            Training exemplars per token; None: all that the probe leaves.
        probe
            Probe exemplars per token; None: 100, but at most a fifth of the smallest token.
        seed
            Of the draw (see ontogeny.tasks.split).
        name
            Name of the task.

        Raises
        ------
        InputError
            The arrays do not fit together, or a token has fewer exemplars than asked.
        """
        images = np.asarray(images)
        images = images[..., None] if images.ndim == 3 else images
        _refuse(image_problems(images))
        token, known = _indexed(np.asarray(tokens_of_exemplars), names)
        columns = {key: np.asarray(values) for key, values in (factors or {}).items()}
        given = None if groups is None else np.asarray(groups)
        held = None if holdout is None else _as_bool(np.asarray(holdout))
        lengths = {"tokens_of_exemplars": token, "groups": given, "holdout": held, **columns}
        lengths["exemplars"] = np.asarray(exemplars) if len(exemplars) else None
        _check_lengths(len(images), lengths)
        kept, token, chosen = _kept(token, known, tokens)
        images = images[kept]
        group = join_groups(images, None if given is None else given[kept])
        drawn = {"density": density, "probe": probe, "seed": seed}
        held = None if held is None else held[kept]
        whole = cls(
            images=images,
            token=token,
            tokens=chosen,
            split=draw_split(token, chosen, group, **drawn, holdout=held),
            group=group,
            factors={key: values[kept] for key, values in columns.items()},
            exemplars=tuple(str(exemplars[index]) for index in kept) if len(exemplars) else (),
            name=name,
        )
        return replace(whole, origin={"source": "arrays", **whole.drawn(density, probe, seed)})

    def draw(
        self,
        *,
        density: int | None = None,
        probe: int | None = None,
        tokens: int | Sequence[str] | None = None,
        seed: int = 0,
        group: str | None = None,
        holdout: str | None = None,
    ) -> Self:
        """Return the same exemplars with splits drawn anew, and of the tokens asked for only.

        The arguments are those of `ontogeny.load_task`. Groups that there are stay, and so does
        the holdout unless another is asked for.

        Raises
        ------
        InputError
            A token has too few exemplars, or a pattern does not fit.
        """
        patterns = Patterns(group, holdout)
        if not self.exemplars:
            refuse_unnamed(patterns, self.name)
        kept, token, chosen = _kept(self.token, self.tokens, tokens)
        exemplars = tuple(self.exemplars[index] for index in kept) if self.exemplars else ()
        groups, found = self.group[kept], patterns.groups(exemplars)
        groups = groups if found is None else join_groups(groups[:, None], found)
        held = patterns.held_out(exemplars, token, chosen)
        held = self.split[kept] == HOLDOUT if held is None else held
        new = replace(
            self,
            images=self.images[kept],
            token=token,
            tokens=chosen,
            split=draw_split(
                token, chosen, groups, density=density, probe=probe, seed=seed, holdout=held
            ),
            group=groups,
            factors={key: values[kept] for key, values in self.factors.items()},
            part_map=None if self.part_map is None else self.part_map[kept],
            exemplars=exemplars,
        )
        drawn = {**new.drawn(density, probe, seed), **patterns.origin()}
        return replace(new, origin={**self.origin, **drawn})

    def drawn(self, density: int | None, probe: int | None, seed: int) -> dict[str, Any]:
        """Return the part of the origin that tells how splits were drawn."""
        counts = np.bincount(self.token, minlength=self.n_tokens)
        return {
            "tokens": dict(zip(self.tokens, counts.tolist(), strict=True)),
            "size": list(self.size),
            "density": density,
            "probe": probe,
            "seed": seed,
        }

    def save(self, path: str | os.PathLike) -> Path:
        """Write the task to one .npz: a temporary name, then a rename, so never half a file.

        Raises
        ------
        RunError
            The file cannot be written.
        """
        target = Path(path)
        text = {key: getattr(self, key) for key in TEXT}
        text |= {"schema": SCHEMA, "hash": self.hash}
        arrays = {key: getattr(self, key) for key in ARRAYS}
        arrays |= {FACTOR + key: values for key, values in self.factors.items()}
        if self.part_map is not None:
            arrays["part_map"] = self.part_map
        arrays["task"] = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
        write_arrays(target, arrays)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a task that `save` wrote, and check it against its hash.

        Raises
        ------
        InputError
            The file is missing, damaged, no task, or of a newer version.
        """
        arrays = read_arrays(path)
        if "task" not in arrays:
            msg = (
                f"expected {path} to be a task written by Task.save, got an .npz with the arrays "
                f"{', '.join(sorted(arrays))}: read it with ontogeny.load_task"
            )
            raise InputError(msg)
        text = _task_text(path, arrays)
        task = cls(
            **{key: arrays[key] for key in ARRAYS},
            factors={k.removeprefix(FACTOR): v for k, v in arrays.items() if k.startswith(FACTOR)},
            part_map=arrays.get("part_map"),
            **{key: text[key] for key in TEXT},
        )
        if task.hash != text["hash"]:
            msg = (
                f"expected {path} to hold the task {text['hash'][:12]}, got {task.hash[:12]}: the "
                "file was changed or damaged: make the task again from its source"
            )
            raise InputError(msg)
        return task


def _task_text(path: str | os.PathLike, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Decode what a stored task says in words, and check that its version is known."""
    try:
        text = json.loads(arrays["task"].tobytes())
        schema = int(text["schema"])
    except (ValueError, KeyError, TypeError) as error:
        msg = f"expected {path} to describe its task in JSON, got something else: save it again"
        raise InputError(msg) from error
    if schema > SCHEMA:
        msg = (
            f"expected a task of version {SCHEMA} or older in {path}, got version {schema}: "
            "update ontogeny"
        )
        raise InputError(msg)
    missing = sorted(({*TEXT, "hash"} - set(text)) | (set(ARRAYS) - set(arrays)))
    if missing:
        msg = (
            f"expected {path} to be a whole task, got one without {', '.join(missing)}: "
            "save it again"
        )
        raise InputError(msg)
    return text


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _indexed(values: np.ndarray, names: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Turn names or integers of tokens into indices and the names they index."""
    if values.ndim != 1 or values.dtype.kind not in "iuU":
        msg = (
            "expected tokens_of_exemplars [exemplar] of integers or text, got "
            f"{values.dtype} {list(values.shape)}: give one integer or name per exemplar"
        )
        raise InputError(msg)
    found, index = np.unique(values, return_inverse=True)
    if values.dtype.kind == "U":
        _refuse_unnamed(values)
    if names is None:
        order = sorted(range(len(found)), key=lambda k: natural(str(found[k])))
        return np.argsort(order)[index], tuple(str(found[k]) for k in order)
    if values.dtype.kind == "U":
        known = list(names)
        unknown = [str(value) for value in found if value not in known]
        if unknown:
            msg = (
                f"expected tokens out of {', '.join(known)}, got {', '.join(unknown)}: "
                "name these too"
            )
            raise InputError(msg)
        return np.array([known.index(str(value)) for value in found])[index], tuple(known)
    if len(found) and (found[0] < 0 or found[-1] >= len(names)):
        msg = (
            f"expected tokens from 0 to {len(names) - 1}, since {len(names)} names are given, got "
            f"{found[0]} to {found[-1]}: give a name for each, or none"
        )
        raise InputError(msg)
    return values.astype(np.int64), tuple(names)


def _as_bool(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "b" or (values.dtype.kind in "iu" and np.isin(values, (0, 1)).all()):
        return values.astype(bool)
    msg = f"expected holdout [exemplar] of True and False, got {values.dtype}: give 1 or 0 for each"
    raise InputError(msg)


def _refuse_unnamed(values: np.ndarray) -> None:
    unnamed = np.flatnonzero([not str(value).strip() for value in values])
    if len(unnamed):
        msg = (
            f"expected a token for every exemplar, got {len(unnamed)} of {len(values)} with an "
            f"empty name (exemplar {unnamed[0]} is the first): name these or leave them out"
        )
        raise InputError(msg)


def _kept(
    token: np.ndarray, known: Sequence[str], tokens: int | Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return the exemplars of the tokens asked for, their new indices, and the tokens' names."""
    chosen = select_tokens(known, tokens)
    place = np.full(len(known), -1)
    place[[list(known).index(name) for name in chosen]] = np.arange(len(chosen))
    kept = np.flatnonzero(place[token] >= 0)
    return kept, place[token[kept]], chosen


def _check_lengths(expected: int, others: dict[str, np.ndarray | None]) -> None:
    """Refuse arrays that do not have one row per image, before anything is computed of them."""
    wrong = [
        f"{array.size} in {key}"
        for key, array in others.items()
        if array is not None and array.shape != (expected,)
    ]
    if wrong:
        got = " and ".join(wrong)
        msg = (
            f"expected one entry for each of {expected} images, got {got}: "
            "give arrays of one length"
        )
        raise InputError(msg)


def _refuse(problems: list[str]) -> None:
    if problems:
        msg = (
            f"expected images and arrays that make a task, got {'; '.join(problems)}: correct these"
        )
        raise InputError(msg)


def _token_problems(task: Task) -> list[str]:
    problems = []
    n = len(task.images) if np.ndim(task.images) else 0
    for key in ("token", "split", "group"):
        values = np.asarray(getattr(task, key))
        if values.shape != (n,) or values.dtype.kind not in "iu":
            problems.append(
                f"{key}: expected {n} integers, one per image, got {values.dtype} "
                f"{list(values.shape)}"
            )
    if len(set(task.tokens)) < max(2, len(task.tokens)):
        problems.append(
            f"tokens: expected two or more different names, got {', '.join(task.tokens) or 'none'}"
        )
    return problems + name_problems(task.tokens)


def _split_problems(task: Task) -> list[str]:
    """Look at values that can only be compared once every array has its shape."""
    token, split = np.asarray(task.token), np.asarray(task.split)
    problems = []
    for key, values, n in (("token", token, len(task.tokens)), ("split", split, len(SPLITS))):
        if values.min() < 0 or values.max() >= n:
            got = f"{values.min()} to {values.max()}"
            problems.append(f"{key}: expected values from 0 to {n - 1}, got {got}")
    if problems:
        return problems
    for which in (TRAIN, PROBE, *([HOLDOUT] if (split == HOLDOUT).any() else [])):
        counts = np.bincount(token[split == which], minlength=len(task.tokens))
        if (counts == 0).any():
            problems.append(
                f"split: expected exemplars of every token in {SPLITS[which]}, got "
                f"{listed(counts, task.tokens)}"
            )
    used = split != SPARE
    pairs = np.unique(np.stack([np.asarray(task.group), split], axis=1)[used], axis=0)
    straddling = len(pairs) - len(np.unique(pairs[:, 0]))
    if straddling:
        problems.append(f"group: expected each within one split, got {straddling} that straddle")
    return problems


def _extra_problems(task: Task) -> list[str]:
    n = len(task.images)
    problems = []
    for key, values in task.factors.items():
        array = np.asarray(values)
        if array.shape != (n,) or array.dtype.kind not in "biufU":
            problems.append(
                f"factor {key}: expected {n} numbers or texts, got {array.dtype} "
                f"{list(array.shape)}"
            )
    if task.exemplars and len(task.exemplars) != n:
        problems.append(f"exemplars: expected {n} names or none, got {len(task.exemplars)}")
    problems += _part_problems(task)
    try:
        json.dumps(task.origin)
    except (TypeError, ValueError) as error:
        problems.append(f"origin: expected what JSON can hold, got {error}")
    return problems


def _part_problems(task: Task) -> list[str]:
    if task.part_map is None:
        return []
    part_map = np.asarray(task.part_map)
    if part_map.shape != task.images.shape[:3] or part_map.dtype != np.uint8:
        expected = list(task.images.shape[:3])
        return [f"part_map: expected uint8 {expected}, got {part_map.dtype} {list(part_map.shape)}"]
    if part_map.max() > len(task.parts):
        return [f"part_map: expected values to {len(task.parts)}, got {part_map.max()}"]
    return []
