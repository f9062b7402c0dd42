"""Names of tokens: which are the same to a reader, and in which order they stand.

Imports ontogeny.errors only.
"""

import re
import unicodedata
from collections.abc import Sequence

from ontogeny.errors import InputError

SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
"""Names of folders that hold a part of somebody's exemplars, and are no token's."""


def same_form(name: str) -> str:
    """Return a name in one Unicode form (NFC): names that look the same become the same."""
    return unicodedata.normalize("NFC", name)


def natural(name: str) -> tuple:
    """Return the key that sorts 2 before 10: digits by their number, the rest by its letters."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(part), "") if k % 2 else (-1, part) for k, part in enumerate(parts)), name


def name_problems(names: Sequence[str]) -> list[str]:
    """Say which names of tokens are missing or cannot be told apart by a reader; [] if all can.

    Two names that differ in their Unicode form only (a letter with its accent in one code point,
    or in two) are refused and not merged: they may be one token twice, or two.
    """
    problems, first = [], {}
    if any(not name.strip() for name in names):
        places = [str(k) for k, name in enumerate(names) if not name.strip()]
        problems.append(f"tokens: expected names, got an empty one (token {', '.join(places)})")
    for name in names:
        other = first.setdefault(same_form(name), name)
        if other != name:
            problems.append(
                f"tokens: expected names that look different, got {other!a} and "
                f"{name!a}, the same letters in two Unicode forms (merge or rename one)"
            )
    return problems


def refuse_names(names: Sequence[str], where: object) -> None:
    """Refuse names of tokens before exemplars are read.

    Raises
    ------
    InputError
        A name is empty, or two look the same.
    """
    problems = name_problems(names)
    if problems:
        msg = f"expected tokens with names of their own in {where}; {'; '.join(problems)}"
        raise InputError(msg)


def refuse_splits(names: Sequence[str], where: object) -> None:
    """Refuse folders that are called as parts of somebody's exemplars are.

    Raises
    ------
    InputError
        There is such a folder; the tokens can be named one by one if it is one.
    """
    splits = [name for name in names if name.lower() in SPLIT_NAMES]
    if splits:
        others = [name for name in names if name not in splits]
        first = next((name for name in splits if name.lower().startswith("train")), splits[0])
        within = f"name the one whose sub-folders are the tokens, {where}/{first}"
        advice = f"move {' and '.join(splits)} out" if others else within
        msg = (
            f"expected one sub-folder per token in {where}, got {', '.join(splits)}, which is how "
            f"parts of a data set are called: {advice}, or choose tokens by name (--tokens)"
        )
        raise InputError(msg)
