"""Which exemplars are trained on, which are shown to every snapshot, and which are neither.

Imports numpy, ontogeny.errors and, of this package, names only.

The order of the draw is fixed, because sweeps over density depend on it:

1. Exemplars that belong together (groups given by the user, exact duplicates) form one group.
2. Every exemplar draws a key from a generator seeded by (seed, name of its token); groups stand in
   the order of the key of their first exemplar. So the order within a token does not depend on
   which other tokens were selected.
3. The *probe* is filled first, `probe` exemplars per token, then *train* with `density` per token;
   what is left is *spare*: held out and not shown. So the probe is the same for every density,
   and a training set of lower density lies within that of a higher one (but for a group of
   several exemplars that no longer fits at the lower one's end).
"""

import zlib
from collections.abc import Sequence

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.names import same_form

SPLITS = ("train", "probe", "spare")
TRAIN, PROBE, SPARE = range(3)
DEFAULT_PROBE = 100
PROBE_SHARE = 5


def join_groups(images: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """Give one group to exemplars that share a given group or are equal pixel by pixel.

    Exact duplicates are joined whatever their tokens, so that an image that occurs under two
    tokens never is in train under one of them and in the probe under the other.

    Parameters
    ----------
    images
        [exemplar, ...], compared by their bytes.
    group
        [exemplar], integers or text; None: nothing but duplicates belongs together.

    Returns
    -------
    np.ndarray
        int64 [exemplar]: the index of the first exemplar of its group.
    """
    rows = [image.tobytes() for image in images]
    links = [_first_with_same(rows)]
    if group is not None:
        links.append(_first_with_same(group.tolist()))
    joined = np.arange(len(images))
    while True:
        before = joined
        for link in links:
            lowest = np.full(len(images), len(images))
            np.minimum.at(lowest, link, joined)
            joined = lowest[link]
        if np.array_equal(joined, before):
            return joined


def _first_with_same(values: Sequence) -> np.ndarray:
    first: dict = {}
    return np.array([first.setdefault(value, i) for i, value in enumerate(values)], dtype=np.int64)


def select_tokens(known: Sequence[str], tokens: int | Sequence[str] | None) -> tuple[str, ...]:
    """Return the tokens asked for: None = all, a number = the first so many, or names in order.

    Raises
    ------
    InputError
        A token does not exist, occurs twice, or fewer than two are left.
    """
    if tokens is None:
        chosen = tuple(known)
    elif isinstance(tokens, int):
        chosen = tuple(known[: max(tokens, 0)])
        if len(chosen) != tokens:
            msg = f"expected tokens of 2 to {len(known)}, got {tokens}: ask for a number of these"
            raise InputError(msg)
    else:
        asked = (tokens,) if isinstance(tokens, str) else tuple(tokens)
        by_form = {same_form(name): name for name in known}
        chosen = tuple(n if n in known else by_form.get(same_form(n), n) for n in asked)
    unknown = [name for name in chosen if name not in known]
    if unknown or len(set(chosen)) < len(chosen):
        what = f"no token called {', '.join(unknown)}" if unknown else "a token named twice"
        msg = f"expected tokens out of {', '.join(known)}, got {what}: name each of them once"
        raise InputError(msg)
    if len(chosen) < 2:
        msg = (
            f"expected at least two tokens to tell apart, got {len(chosen)} "
            f"({', '.join(chosen) or 'none'}): give a second one"
        )
        raise InputError(msg)
    return chosen


def draw_split(
    token: np.ndarray,
    tokens: Sequence[str],
    group: np.ndarray,
    *,
    density: int | None = None,
    probe: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Divide exemplars into train, probe and spare, whole groups at a time.

    Parameters
    ----------
    token
        int [exemplar], index into tokens.
    tokens
        Names of the tokens.
    group
        int [exemplar]; a group never straddles splits.
    density
        Training exemplars per token; None: all that the probe leaves.
    probe
        Probe exemplars per token; None: 100, but at most a fifth of the smallest token, and
        fewer where whole groups do not add up to that number.
    seed
        Of the order in which groups are drawn.

    Returns
    -------
    np.ndarray
        int8 [exemplar]: 0 train, 1 probe, 2 spare.

    Raises
    ------
    InputError
        A token has fewer exemplars than asked, or its groups are too large to give that number.
    """
    counts = np.bincount(token, minlength=len(tokens))
    wanted = default_probe(counts) if probe is None else probe
    _check_numbers(density, wanted, seed)
    _check_enough(counts, tokens, density, wanted)
    order, members = _groups_in_order(token, tokens, group, seed)
    split = np.full(len(token), SPARE, dtype=np.int8)
    _fill(split, PROBE, order, members, token, np.full(len(tokens), wanted))
    left = np.full(len(tokens), len(token)) if density is None else np.full(len(tokens), density)
    _fill(split, TRAIN, order, members, token, left)
    least = {PROBE: 1 if probe is None else wanted, TRAIN: density or 1}
    _check_filled(split, token, tokens, least)
    return split


def default_probe(counts: np.ndarray) -> int:
    """Return the probe exemplars per token if none were asked for."""
    return int(min(DEFAULT_PROBE, max(1, counts.min() // PROBE_SHARE)))


def _groups_in_order(
    token: np.ndarray, tokens: Sequence[str], group: np.ndarray, seed: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Order of the groups and the exemplars of each."""
    key = np.empty(len(token))
    for index, name in enumerate(tokens):
        mine = np.flatnonzero(token == index)
        key[mine] = np.random.default_rng([seed, zlib.crc32(name.encode())]).random(len(mine))
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    by_group = np.argsort(inverse, kind="stable")
    members = np.split(by_group, np.cumsum(np.bincount(inverse))[:-1])
    return np.argsort(key[first], kind="stable"), members


def _fill(
    split: np.ndarray,
    which: int,
    order: np.ndarray,
    members: list[np.ndarray],
    token: np.ndarray,
    room: np.ndarray,
) -> None:
    """Give free groups to one split, in order, each where it still fits whole."""
    room = room.copy()
    for index in order:
        exemplars = members[index]
        if split[exemplars[0]] != SPARE:
            continue
        need = np.bincount(token[exemplars], minlength=len(room))
        if (need <= room).all():
            split[exemplars] = which
            room -= need


def _check_numbers(density: int | None, probe: int, seed: int) -> None:
    least = {"density": (density, 1), "probe": (probe, 1), "seed": (seed, 0)}
    bad = [f"{key} {v}" for key, (v, low) in least.items() if v is not None and v < low]
    if bad:
        msg = (
            "expected a density and a probe of at least 1 exemplar per token and a seed of at "
            f"least 0, got {', '.join(bad)}: ask for more"
        )
        raise InputError(msg)


def _check_enough(
    counts: np.ndarray, tokens: Sequence[str], density: int | None, probe: int
) -> None:
    needed = probe + (density or 1)
    if (counts >= needed).all():
        return
    least = int(counts.min())
    asked = "1 or more to train on" if density is None else f"{density} to train on"
    advice = f"ask for a probe and a density of at most {least} together"
    if density is None:
        advice = f"ask for a probe of at most {least - 1}"
    elif least > probe:
        advice = f"ask for a density of at most {least - probe}, or for a smaller probe"
    if least < 2:
        advice = "add exemplars or leave the smallest tokens out"
    msg = (
        f"expected at least {needed} exemplars per token ({asked} and {probe} for the probe), "
        f"got {listed(counts, tokens)}: {advice}"
    )
    raise InputError(msg)


def _check_filled(
    split: np.ndarray, token: np.ndarray, tokens: Sequence[str], least: dict[int, int]
) -> None:
    for which, wanted in least.items():
        got = np.bincount(token[split == which], minlength=len(tokens))
        if (got < wanted).any():
            msg = (
                f"expected {wanted} exemplars per token in {SPLITS[which]}, got "
                f"{listed(got, tokens)}, because groups are never divided: ask for fewer, "
                "or make the groups smaller"
            )
            raise InputError(msg)


def listed(counts: np.ndarray, tokens: Sequence[str]) -> str:
    """Name each token with its count: `daisy 633, roses 641`."""
    return ", ".join(f"{name} {count}" for name, count in zip(tokens, counts, strict=True))
