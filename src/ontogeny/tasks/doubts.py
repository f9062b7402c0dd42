"""What may make a task's probe less honest than it looks: copies of pictures, and patterns.

Imports numpy, ontogeny.stats.copies and, of this package, patterns and task only.
"""

import numpy as np

from ontogeny.stats.copies import near_copies
from ontogeny.tasks.patterns import Patterns
from ontogeny.tasks.task import Task


def doubts(task: Task) -> list[str]:
    """Say, each in one sentence with a count and an example, what to doubt in a task.

    The same picture (equal pixels at the task's size) under two tokens; probe and holdout
    exemplars that are nearly copies of a training exemplar of their token
    (`ontogeny.stats.copies.near_copies`); exemplars that the pattern of groups does not match.
    """
    found = [_under_two_tokens(task)]
    found += [_near(task, name, of) for name, of in _held_out(task)]
    found.append(_unmatched(task))
    return [words for words in found if words]


def _held_out(task: Task) -> list[tuple[str, np.ndarray]]:
    return [("probe", task.probe), ("holdout", task.holdout)]


def _under_two_tokens(task: Task) -> str:
    first: dict[bytes, int] = {}
    pairs = []
    for k, image in enumerate(task.images):
        other = first.setdefault(image.tobytes(), k)
        if task.token[other] != task.token[k]:
            pairs.append((other, k))
    if not pairs:
        return ""
    count, one = _pictures(len(pairs), "stands", "stand"), [_name(task, k) for k in pairs[0]]
    return (
        f"{count} under two tokens ({one[0]} and {one[1]} are equal pixel by pixel): no network "
        "can be right about both. Remove one of each, or both."
    )


def _near(task: Task, name: str, exemplars: np.ndarray) -> str:
    """Count near-copies, token by token; the nearest pair is the example."""
    rng, pairs = np.random.default_rng(0), []
    for c in range(task.n_tokens):
        shown = exemplars[task.token[exemplars] == c]
        known = task.train[task.token[task.train] == c]
        copies, index, ratio = near_copies(task.images[shown], task.images[known], rng=rng)
        pairs += [(ratio[k], shown[k], known[index[k]]) for k in np.flatnonzero(copies)]
    if not pairs:
        return ""
    _, one, other = min(pairs)
    are = "is nearly a copy" if len(pairs) == 1 else "are nearly copies"
    return (
        f"{len(pairs)} of {len(exemplars)} exemplars of the {name} {are} of a training exemplar "
        f"({_name(task, one)} of {_name(task, other)}): accuracy on the {name} may be memory. "
        "Keep such exemplars on one side by what their file names have in common (--group REGEX), "
        "or remove one of each."
    )


def _unmatched(task: Task) -> str:
    pattern = task.origin.get("group")
    n = Patterns(group=pattern).n_unmatched(task.exemplars) if pattern else 0
    if not n:
        return ""
    return (
        f"{n} of {len(task.exemplars)} exemplars do not match the pattern of groups {pattern!r} "
        "and stand alone: they may have near-copies on the other side of the split."
    )


def _pictures(n: int, singular: str, plural: str) -> str:
    return f"1 picture {singular}" if n == 1 else f"{n} pictures {plural}"


def _name(task: Task, index: int) -> str:
    return task.exemplars[index] if task.exemplars else f"{task.tokens[task.token[index]]} {index}"
