"""The built-in task: schematic individuals whose parts, factors and part maps are known.

An exemplar is drawn from generators that depend on the seed, the token, on which side of the
split it lies and on its number there; the held-out exemplars come first. So a sparser task is the
head of a denser one, and exemplar i is the same image at every density.
Imports numpy, ontogeny.errors and the task package only.
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.designs import part_values
from ontogeny.tasks.portrait import NUISANCES, PARTS, draw
from ontogeny.tasks.split import PROBE, SPARE, TRAIN
from ontogeny.tasks.task import Task

SIZES = (16, 1024)

_BLOCK = 20  # exemplars that share a generator, at least
_PIXELS = 2**15  # of the images that a thread draws at once, so that its planes stay in the cache
_HELD_OUT, _TRAINED = 0, 1


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
        "additive": each token is one of the individuals of `designs.CAST`; each part alone tells
        something about the token; up to 10 tokens.
        "conjunctive": each part has one of two values, equally frequent in every token, and so is
        every combination of two parts but those of `designs.PAIRS`: only whether the parts of a
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

    Examples
    --------
    ada and cleo have hair of their own:

    >>> from ontogeny.tasks.faces import faces
    >>> task = faces(tokens=["ada", "cleo"], density=20, size=16)
    >>> task.images.shape
    (440, 16, 16, 3)
    >>> [set(task.factors["part_hair"][task.token == k].tolist()) for k in (0, 1)]
    [{4}, {0}]
    """
    _check(density, held_out, size, probe, seed)
    names, choices = part_values(design, tokens, table)
    asked = {"density": density, "held_out": held_out, "size": size, "seed": seed, "probe": probe}
    asked = {name: int(number) for name, number in asked.items()}
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
        origin={"source": "faces", "design": design, "table": choices.tolist(), **asked},
    )


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
    draws = iter(random.random((len(block.rows), n_draws)).T)
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
        msg = f"expected numbers that make a faces task; {'; '.join(problems)}: change these"
        raise InputError(msg)
