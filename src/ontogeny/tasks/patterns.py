"""Groups and held-out exemplars by what the exemplars' file names have in common.

Imports numpy, ontogeny.errors and, of this package, split only.

A pattern is a regular expression of Python, searched for in the name of the file without its
folders: `^r_` are the files that begin with r_.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.split import listed


@dataclass(frozen=True)
class Patterns:
    """What exemplars are grouped by and which are held out, as the user wrote it."""

    group: str | None = None
    """Exemplars whose file names match alike (the expression's groups, or the whole match, are
    the same) belong together, whatever their tokens; those that do not match stand alone."""
    holdout: str | None = None
    """Exemplars whose file names match are held out as a second probe."""

    def __bool__(self) -> bool:
        return bool(self.group or self.holdout)

    def origin(self) -> dict[str, str]:
        """Return the part of a task's origin that they are."""
        return {key: v for key, v in (("group", self.group), ("holdout", self.holdout)) if v}

    def groups(self, exemplars: Sequence[str]) -> np.ndarray | None:
        """Return the group of each exemplar, int64 [exemplar]; None if none was asked for.

        Raises
        ------
        InputError
            The expression is none, matches nothing, puts all into one group or none together.
        """
        if not self.group:
            return None
        found = _searched("group", self.group, exemplars)
        keys = [None if match is None else match.groups() or match[0] for match in found]
        n_matched, n_groups = sum(key is not None for key in keys), len(set(keys) - {None})
        got = {
            n_matched == 0: "one that no file name matches",
            n_matched == len(keys) and n_groups == 1: f"one that all {len(keys)} match alike",
            n_matched == n_groups > 0: f"one that each of {n_groups} matches in its own way",
        }
        if True in got:
            msg = (
                f"expected a pattern that groups exemplars (--group), got {self.group!r}, "
                f"{got[True]} (such as {_base(exemplars[0])}): change the expression"
            )
            raise InputError(msg)
        alone = [(k,) if key is None else (key,) * 2 for k, key in enumerate(keys)]
        first: dict = {}
        return np.array([first.setdefault(key, k) for k, key in enumerate(alone)], dtype=np.int64)

    def n_unmatched(self, exemplars: Sequence[str]) -> int:
        """Return how many exemplars the expression of groups does not match."""
        if not self.group:
            return 0
        return sum(match is None for match in _searched("group", self.group, exemplars))

    def held_out(
        self, exemplars: Sequence[str], token: np.ndarray, tokens: Sequence[str]
    ) -> np.ndarray | None:
        """Return which exemplars are held out, bool [exemplar]; None if none were asked for.

        Raises
        ------
        InputError
            The expression is none, matches nothing, everything, no exemplar of a token, or all
            but one of it.
        """
        if not self.holdout:
            return None
        found = np.array([m is not None for m in _searched("holdout", self.holdout, exemplars)])
        held = np.bincount(token[found], minlength=len(tokens))
        left = np.bincount(token[~found], minlength=len(tokens))
        if (held < 1).any() or (left < 2).any():
            msg = (
                "expected a pattern (--holdout) that holds out exemplars of every token and leaves "
                f"two of it or more, got {self.holdout!r}, which holds out "
                f"{listed(held, tokens)} and leaves {listed(left, tokens)}: change the expression"
            )
            raise InputError(msg)
        return found


def refuse_unnamed(patterns: Patterns, source: str) -> None:
    """Refuse patterns where exemplars have no names to match.

    Raises
    ------
    InputError
        There are patterns.
    """
    if patterns:
        options = " and ".join(f"--{key}" for key in patterns.origin())
        msg = (
            f"expected exemplars with file names for {options}, got {source}, whose exemplars "
            "have none: leave it out, or name them (the array exemplars of an .npz)"
        )
        raise InputError(msg)


def _searched(option: str, pattern: str, exemplars: Sequence[str]) -> list[re.Match | None]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        msg = (
            f"expected a regular expression (--{option}), got {pattern!r}, in which there is "
            f"{error}: change it"
        )
        raise InputError(msg) from error
    return [compiled.search(_base(name)) for name in exemplars]


def _base(name: str) -> str:
    return name.rpartition("/")[2]
