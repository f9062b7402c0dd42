"""The built-in task: schematic individuals whose parts, factors and part maps are known.

An exemplar is drawn from generators that depend on the seed, the token, on which side of the
split it lies and on its number there; the held-out exemplars come first. So a sparser task is the
head of a denser one, and exemplar i is the same image at every density.
Imports numpy, ontogeny.errors and the task package only.
"""

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.portrait import N_VALUES, NUISANCES, PARTS, draw
from ontogeny.tasks.split import PROBE, SPARE, TRAIN
from ontogeny.tasks.task import Task, select_tokens

__all__ = ["CAST", "CODES", "CONTRASTS", "DESIGNS", "PAIRS", "conjunctive_table", "faces"]

DESIGNS = ("additive", "conjunctive", "table")
SIZES = (16, 1024)

CAST: dict[str, tuple[int, ...]] = {
    #       head hair brows eyes iris nose mouth ears mark
    "ada": (0, 4, 1, 0, 1, 0, 0, 0, 0),
    "bo": (1, 4, 2, 1, 0, 1, 1, 0, 1),
    "cleo": (2, 0, 0, 2, 2, 2, 2, 1, 2),
    "dov": (2, 0, 2, 0, 0, 1, 0, 1, 3),
    "eli": (4, 2, 1, 1, 2, 0, 1, 4, 0),
    "fay": (3, 1, 3, 4, 3, 3, 3, 2, 4),
    "gus": (1, 3, 4, 2, 0, 4, 4, 3, 3),
    "hal": (4, 2, 0, 3, 1, 2, 0, 2, 1),
    "ivy": (0, 1, 3, 0, 4, 1, 2, 3, 2),
    "jon": (3, 3, 4, 3, 4, 3, 3, 4, 4),
}
"""The individuals of the additive design: the value of each part, in the order of `PARTS`."""

PAIRS = (("head", "hair"), ("eyes", "iris"), ("nose", "mouth"), ("brows", "ears"))
"""The pairs of parts that carry the token in the conjunctive design."""

CODES = ("0000", "1100", "0110", "0011", "1001", "1010", "0101", "1111")
"""Tokens of the conjunctive design: 1 where the two parts of a pair differ. Any three digits
tell the token, since all words are even."""

CONTRASTS: dict[str, tuple[int, int]] = {
    "head": (1, 4),
    "hair": (0, 4),
    "brows": (2, 4),
    "eyes": (0, 1),
    "iris": (1, 4),
    "nose": (1, 4),
    "mouth": (0, 3),
    "ears": (1, 4),
    "mark": (0, 1),
}
"""The two values that each part takes in the conjunctive design."""

_RUNS_20 = "++--++++-+-+----++-"  # Plackett and Burman's first run of 20
_BLOCK = 20  # exemplars that share a generator, at least
_PIXELS = 2**15  # of the images that a thread draws at once, so that its planes stay in the cache
_HELD_OUT, _TRAINED = 0, 1
_TOKENS = 5


class _Block(NamedTuple):
    """Consecutive exemplars of one token that share their generators."""

    token: int
    seed: tuple[int, ...]
    rows: np.ndarray  # where they stand in the task


def faces(  # noqa: PLR0913 - the task's own names, all of them keywords
    *,
    tokens: int | Sequence[str] | None = None,
    density: int = 600,
    held_out: int = 200,
    size: int = 32,
    design: str = "additive",
    table: Any = None,
    seed: int = 0,
    probe: int = 100,
) -> Task:
    """Render schematic faces of a few individuals, many exemplars of each.

    Parameters
    ----------
    tokens
        How many (the first so many), or which; None: 5, or the rows of the table. Names of the
        rows where a table is given.
    density
        Training exemplars per token.
    held_out
        Exemplars per token that are not trained on.
    size
        Height and width in pixels, 16 to 1024.
    design
        "additive": each token is one of the individuals of `CAST`, each part alone tells
        something about the token; up to 10 tokens.
        "conjunctive": each part has one of two values, each equally frequent in every token, and
        so is every combination of two parts but those of `PAIRS`: only whether the parts of a
        pair agree or differ tells the token; up to 8 tokens.
        "table": the individuals of `table`.
    table
        Integers [token, part], or [token, alternative, part] for tokens that draw in balanced
        order from several rows; or a dict per token, part -> value as integer or name, parts
        left out at value 0. Parts and values are those of `ontogeny.tasks.portrait.PARTS`.
    seed
        Of all that varies.
    probe
        Held-out exemplars per token that every snapshot is shown; the others are spare.

    Returns
    -------
    Task
        RGB images in the order probe, spare, train, tokens in turn; the discrete value of each
        part (`part_hair`, ...) and every number that made the image as factors; the part map.

    Raises
    ------
    InputError
        An argument is not as above.
    """
    _check(density, held_out, size, probe, seed)
    names, choices = _chosen(design, tokens, table)
    numbers = {"density": density, "held_out": held_out, "size": size, "seed": seed, "probe": probe}
    n, held = len(names), held_out * len(names)
    images = np.empty((held + density * n, size, size, 3), np.uint8)
    part_map = np.empty(images.shape[:3], np.uint8)
    factors = _empty_factors(len(images))

    def render(block: _Block) -> None:
        drawn = _factors(choices[block.token], block)
        for name, values in drawn.items():
            factors[name][block.rows] = values
        _render(drawn, block, images, part_map)

    blocks = [
        *_blocks(names, choices.shape[1], (seed, _HELD_OUT), held_out, 0),
        *_blocks(names, choices.shape[1], (seed, _TRAINED), density, held),
    ]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        list(pool.map(render, blocks))
    split = np.repeat([PROBE, SPARE, TRAIN], [probe * n, held - probe * n, density * n])
    return Task(
        images=images,
        token=np.tile(np.arange(n), held_out + density),
        tokens=names,
        split=split,
        group=np.arange(len(images)),
        factors=factors,
        parts=tuple(PARTS),
        part_map=part_map,
        name="faces",
        origin={"source": "faces", "design": design, "table": choices.tolist(), **numbers},
    )


def conjunctive_table() -> np.ndarray:
    """Rows of the conjunctive design: int [token, alternative, part], 8 x 20 x 9.

    The first parts of `PAIRS` and the part in no pair follow five columns of Plackett and
    Burman's orthogonal array of 20 runs and strength 2; the second part of a pair is the first
    plus the token's digit, modulo 2. So each part is uniform in each token, and any two parts
    that are no pair are independent in each token.

    References
    ----------
    Plackett and Burman, The design of optimum multifactorial experiments, Biometrika 1946.
    """
    run = np.array([sign == "+" for sign in _RUNS_20], int)
    array = np.stack([np.roll(run, k) for k in range(len(run))] + [np.zeros_like(run)])
    free = [part for part in PARTS if all(part not in pair for pair in PAIRS)]
    firsts = [first for first, _ in PAIRS]
    bit = {part: array[:, k] for k, part in enumerate([*firsts, *free])}
    rows = []
    for code in CODES:
        for (first, second), digit in zip(PAIRS, code, strict=True):
            bit[second] = (bit[first] + int(digit)) % 2
        rows.append(np.stack([np.array(CONTRASTS[part])[bit[part]] for part in PARTS], axis=1))
    return np.stack(rows)


def _blocks(
    names: Sequence[str], n_alternatives: int, seed: tuple[int, int], count: int, start: int
) -> Iterator[_Block]:
    """Divide `count` exemplars of each token, interleaved from row `start`, into blocks."""
    length = n_alternatives * -(-_BLOCK // n_alternatives)
    for first in range(0, count, length):
        within = np.arange(first, min(first + length, count))
        for token, name in enumerate(names):
            key = (*seed, zlib.crc32(name.encode()), first // length)
            yield _Block(token, key, start + within * len(names) + token)


def _empty_factors(n: int) -> dict[str, np.ndarray]:
    discrete = {f"part_{part}": np.empty(n, np.int64) for part in PARTS}
    attributes = {name: np.empty(n) for part in PARTS.values() for name in part.attributes}
    return discrete | attributes | {name: np.empty(n) for name in NUISANCES}


def _factors(choices: np.ndarray, block: _Block) -> dict[str, np.ndarray]:
    """Draw every factor of a block; a short block has the first of the same exemplars."""
    repeats = -(-_BLOCK // len(choices))
    random = np.random.default_rng([*block.seed, 0])
    row = random.permutation(np.tile(np.arange(len(choices)), repeats))[: len(block.rows)]
    n_draws = len(NUISANCES) + sum(len(part.attributes) for part in PARTS.values())
    draws = iter(random.random((repeats * len(choices), n_draws))[: len(block.rows)].T)
    drawn = {f"part_{part}": choices[row, k] for k, part in enumerate(PARTS)}
    for part, (_, attributes) in PARTS.items():
        for name, (values, jitter) in attributes.items():
            centre = np.asarray(values)[drawn[f"part_{part}"]]
            drawn[name] = centre + jitter * (2.0 * next(draws) - 1.0)
    for name, (low, high) in NUISANCES.items():
        drawn[name] = low + (high - low) * next(draws)
    drawn["occluder_size"] = np.maximum(drawn["occluder_size"], 0.0)
    return drawn


def _render(
    drawn: dict[str, np.ndarray], block: _Block, images: np.ndarray, part_map: np.ndarray
) -> None:
    """Draw a block's images and part maps, with noise, into the rows where they stand."""
    size = images.shape[1]
    noise = np.random.default_rng([*block.seed, 1])
    step = max(1, _PIXELS // size**2)
    for first in range(0, len(block.rows), step):
        some = slice(first, first + step)
        rows = block.rows[some]
        image, part_map[rows] = draw({name: drawn[name][some] for name in drawn}, size)
        grain = noise.standard_normal((len(rows), 3, size, size), np.float32)
        grain *= drawn["noise"][some, None, None, None].astype(np.float32)
        image += grain.transpose(1, 0, 2, 3)
        image *= 255.0
        image += 0.5
        images[rows] = np.clip(image, 0.0, 255.0).astype(np.uint8).transpose(1, 2, 3, 0)


def _check(density: int, held_out: int, size: int, probe: int, seed: int) -> None:
    """Refuse numbers that make no task, all of them in one sentence."""
    bounds = {
        "density": (density, 1, None),
        "held_out": (held_out, 1, None),
        "size": (size, *SIZES),
        "probe": (probe, 1, held_out),
        "seed": (seed, 0, None),
    }
    problems = []
    for name, (value, low, high) in bounds.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < low or (high is not None and value > high):
            limit = f"of at least {low}" if high is None else f"from {low} to {high}"
            problems.append(f"{name}: expected a whole number {limit}, got {value!r}")
    if problems:
        msg = f"Expected numbers that make a faces task; {'; '.join(problems)}; change these."
        raise InputError(msg)


def _chosen(
    design: str, tokens: int | Sequence[str] | None, table: Any
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the tokens and their part values, int [token, alternative, part]."""
    if design not in DESIGNS:
        msg = f"Expected a design out of {', '.join(DESIGNS)}, got {design!r}; choose one of these."
        raise InputError(msg)
    if (design == "table") != (table is not None):
        got = "no table" if table is None else f"a table and design={design!r}"
        msg = f'Expected a table with design="table" and with no other, got {got}; give both.'
        raise InputError(msg)
    if design == "table":
        choices = _read_table(table)
        return _row_names(tokens, len(choices)), choices
    known = list(CAST) if design == "additive" else [f"code{code}" for code in CODES]
    rows = np.array(list(CAST.values()))[:, None] if design == "additive" else conjunctive_table()
    names = select_tokens(known, _TOKENS if tokens is None else tokens)
    return names, rows[[known.index(name) for name in names]]


def _row_names(tokens: int | Sequence[str] | None, n_rows: int) -> tuple[str, ...]:
    if tokens is None or tokens == n_rows:
        return tuple(f"face{k}" for k in range(n_rows))
    names = tuple(tokens) if isinstance(tokens, Sequence) else ()
    if isinstance(tokens, str) or len(names) != n_rows or len(set(names)) < n_rows:
        msg = (
            f"Expected one name for each of the {n_rows} rows of the table, got tokens={tokens!r}; "
            "leave tokens out or give as many different names."
        )
        raise InputError(msg)
    return names


def _read_table(table: Any) -> np.ndarray:
    """Check a user's table and bring it to int [token, alternative, part]."""
    if isinstance(table, Sequence) and any(isinstance(row, Mapping) for row in table):
        table = [_read_row(row, k) for k, row in enumerate(table)]
    try:
        choices: np.ndarray = np.asarray(table)
    except ValueError:  # rows of different lengths
        choices = np.empty(0, object)
    if choices.ndim == 2:
        choices = np.expand_dims(choices, 1)
    shape = f"[token, {len(PARTS)} parts] or [token, alternative, {len(PARTS)} parts]"
    if choices.ndim != 3 or choices.shape[2] != len(PARTS) or choices.dtype.kind not in "iu":
        got = f"{choices.dtype} {list(np.shape(choices))}"
        msg = (
            f"Expected a table of integers {shape} or a dict per token, got {got}; mend its shape."
        )
        raise InputError(msg)
    if len(choices) < 2 or choices.shape[1] < 1:
        msg = f"Expected a table of at least two tokens, got {len(choices)}; add a row."
        raise InputError(msg)
    wrong = np.argwhere((choices < 0) | (choices >= N_VALUES))
    if len(wrong):
        token, alternative, part = wrong[0]
        msg = (
            f"Expected part values from 0 to {N_VALUES - 1} in the table, got "
            f"{choices[token, alternative, part]} for {list(PARTS)[part]} of token {token}."
        )
        raise InputError(msg)
    return choices.astype(np.int64)


def _read_row(row: Any, token: int) -> list[int]:
    """Turn {part: value} into the values of all parts."""
    if not isinstance(row, Mapping):
        msg = (
            f"Expected a dict for each token of the table, got {row!r} for token {token}; mend it."
        )
        raise InputError(msg)
    unknown = [str(part) for part in row if part not in PARTS]
    if unknown:
        msg = (
            f"Expected parts out of {', '.join(PARTS)}, got {', '.join(unknown)} for token {token}."
        )
        raise InputError(msg)
    values = []
    for part, (names, _) in PARTS.items():
        value = row.get(part, 0)
        if isinstance(value, str) and value not in names:
            msg = f"Expected {part} out of {', '.join(names)}, got {value!r} for token {token}."
            raise InputError(msg)
        values.append(names.index(value) if isinstance(value, str) else value)
    return values
