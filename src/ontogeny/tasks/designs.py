"""Which part values an exemplar of a token may have: the designs of the faces task.

A design is an array of integers [token, alternative, part]: an exemplar draws one of the
alternatives of its token, in balanced order. Imports numpy, ontogeny.errors and the task package.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.portrait import N_VALUES, PARTS
from ontogeny.tasks.split import select_tokens

DESIGNS = ("additive", "conjunctive", "table")
N_TOKENS = 5
"""Tokens of a task where nobody says how many."""

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


def part_values(
    design: str, tokens: int | Sequence[str] | None, table: Any
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the tokens and their part values, int [token, alternative, part].

    The arguments are those of `ontogeny.tasks.faces.faces`.

    Raises
    ------
    InputError
        There is no such design or token, or the table is not one.
    """
    if design not in DESIGNS:
        msg = f"expected a design out of {', '.join(DESIGNS)}, got {design!r}: choose one of these"
        raise InputError(msg)
    if (design == "table") != (table is not None):
        got = "no table" if table is None else f"a table and design={design!r}"
        msg = f'expected a table with design="table" and with no other, got {got}: give both'
        raise InputError(msg)
    if design == "table":
        choices = _read_table(table)
        return _row_names(tokens, len(choices)), choices
    known = list(CAST) if design == "additive" else [f"code{code}" for code in CODES]
    rows = np.array(list(CAST.values()))[:, None] if design == "additive" else conjunctive_table()
    names = select_tokens(known, N_TOKENS if tokens is None else tokens)
    return names, rows[[known.index(name) for name in names]]


def _row_names(tokens: int | Sequence[str] | None, n_rows: int) -> tuple[str, ...]:
    if tokens is None or tokens == n_rows:
        return tuple(f"face{k}" for k in range(n_rows))
    names = tuple(tokens) if isinstance(tokens, Sequence) else ()
    if isinstance(tokens, str) or len(names) != n_rows or len(set(names)) < n_rows:
        msg = (
            f"expected one name for each of the {n_rows} rows of the table, got tokens={tokens!r}: "
            "leave tokens out or give as many different names"
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
            f"expected a table of integers {shape} or a dict per token, got {got}: give a table "
            "of this shape"
        )
        raise InputError(msg)
    if len(choices) < 2 or choices.shape[1] < 1:
        msg = f"expected a table of at least two tokens, got {len(choices)}: add a row"
        raise InputError(msg)
    wrong = np.argwhere((choices < 0) | (choices >= N_VALUES))
    if len(wrong):
        token, alternative, part = wrong[0]
        msg = (
            f"expected part values from 0 to {N_VALUES - 1} in the table, got "
            f"{choices[token, alternative, part]} for {list(PARTS)[part]} of token {token}: "
            "change it"
        )
        raise InputError(msg)
    return choices.astype(np.int64)


def _read_row(row: Any, token: int) -> list[int]:
    """Turn {part: value} into the values of all parts."""
    if not isinstance(row, Mapping):
        msg = (
            f"expected a dict for each token of the table, got {row!r} for token {token}: change it"
        )
        raise InputError(msg)
    unknown = [str(part) for part in row if part not in PARTS]
    if unknown:
        msg = f"expected parts out of {', '.join(PARTS)}, got {', '.join(unknown)} in row {token}"
        raise InputError(msg)
    values = []
    for part, (names, _) in PARTS.items():
        value = row.get(part, 0)
        if isinstance(value, str) and value not in names:
            msg = f"expected {part} out of {', '.join(names)}, got {value!r} for token {token}"
            raise InputError(msg)
        values.append(names.index(value) if isinstance(value, str) else value)
    return values
