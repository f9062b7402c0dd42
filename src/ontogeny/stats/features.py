"""What exemplars can be told apart by: tokens, values of known factors, conjunctions of two values.

A feature parts the exemplars into those that have it and those that do not. Two names for one
parting are one feature, under the first name. May import numpy only.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int

MOST = 64
"""Features at most; of more, the first ones: tokens, values, conjunctions, unions of tokens."""
MOST_VALUES = 12
"""A factor of more values is taken as a measure, not as a set of kinds."""
FEWEST = 4
"""Exemplars that must have a feature, and lack it."""

Features = dict[str, Bool[np.ndarray, " exemplar"]]


def features(
    token: Int[np.ndarray, " exemplar"],
    tokens: Sequence[str],
    factors: Mapping[str, np.ndarray],
    words: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Features, dict[str, list[str]]]:
    """Return features by name, and the other names of each, but for conjunctions.

    In this order: each token; each value of each factor that has kinds; each conjunction of two
    values of different factors; each union of two tokens. One that fewer than 4 exemplars have, or
    lack, is left out, as is one that parts the exemplars as an earlier one does.

    Parameters
    ----------
    token
        Index of each exemplar's token.
    tokens
        Their names.
    factors
        Name -> value of each exemplar; factors of more than 12 values are left out.
    words
        Name of a factor -> words for its values 0, 1, ...

    Examples
    --------
    Hair goes with the token; the hat does not:

    >>> from ontogeny.stats.features import features
    >>> token = np.repeat([0, 1, 2], 8)
    >>> found, also = features(
    ...     token, ["a", "b", "c"], {"hair": (token > 0) * 1, "hat": np.arange(24) % 2},
    ...     {"hair": ["red", "blond"]})
    >>> list(found)[:6]
    ['a', 'b', 'c', 'hat 0', 'hair red and hat 0', 'hair red and hat 1']
    >>> also["a"]
    ['hair red', 'hair blond', 'b or c']
    """
    found: Features = {}
    also: dict[str, list[str]] = {}
    seen: dict[bytes, str] = {}
    for name, member in _candidates(np.asarray(token), tokens, factors, words or {}):
        if min(member.sum(), (~member).sum()) < FEWEST:
            continue
        # with and without change places freely: the parting is the same
        key = (member if member[0] else ~member).tobytes()
        if key in seen and " and " not in name:
            also[seen[key]].append(name)
        elif key not in seen and len(found) < MOST:
            seen[key], found[name], also[name] = name, member, []
    return found, also


def _candidates(
    token: np.ndarray,
    tokens: Sequence[str],
    factors: Mapping[str, np.ndarray],
    words: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, np.ndarray]]:
    for c, name in enumerate(tokens):
        yield str(name), token == c
    values = {name: _values(name, value, words.get(name, ())) for name, value in factors.items()}
    for each in values.values():
        yield from each
    for first, second in combinations(values.values(), 2):
        for (name, one), (other, two) in ((a, b) for a in first for b in second):
            yield f"{name} and {other}", one & two
    for a, b in combinations(range(len(tokens)), 2):
        yield f"{tokens[a]} or {tokens[b]}", (token == a) | (token == b)


def _values(
    name: str, value: np.ndarray, words: Sequence[str]
) -> list[tuple[str, Bool[np.ndarray, " exemplar"]]]:
    """Return the values of a factor that has kinds, by name."""
    value = np.asarray(value)
    kinds = np.unique(value)
    is_kind = value.dtype.kind in "iubUSO" and 2 <= len(kinds) <= MOST_VALUES
    if not is_kind:
        return []
    said = [words[int(k)] if value.dtype.kind in "iu" and int(k) < len(words) else str(k)
            for k in kinds]  # fmt: skip
    return [(f"{name} {word}", value == k) for k, word in zip(kinds, said, strict=True)]
