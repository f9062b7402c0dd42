"""Which exemplars are trained on, which are shown to every snapshot, and which are neither.

Some may be held out by the user as a second probe (*holdout*), before anything is drawn.

Imports numpy, ontogeny.errors and, of this package, names only.

The order of the draw is fixed, because sweeps over density depend on it:

1. Exemplars that belong together (groups given by the user, exact duplicates) form one group.
2. Every exemplar draws a key from a generator seeded by (seed, name of its token); groups stand in
   the order of the key of their first exemplar. So the order within a token does not depend on
   which other tokens were selected.
3. The *probe* is filled first with whole groups, `probe` exemplars per token; then *train* with
   the first `density` per token of the groups that are left; the rest is *spare*: held out and not
   shown. So the probe is the same for every density, and a training set of lower density lies
   within that of a higher one. A group that straddles train and spare does no harm.
4. Exemplars that belong with one of the holdout and are not of it are spare.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from ontogeny.errors import InputError
from ontogeny.tasks.names import same_form

SPLITS = ("train", "probe", "spare", "holdout")
TRAIN, PROBE, SPARE, HOLDOUT = range(4)
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
            f"expected at least two tokens to classify, got {len(chosen)} "
            f"({', '.join(chosen) or 'none'}): give a second one"
        )
        raise InputError(msg)
    return chosen


def draw_split(  # noqa: PLR0913 - all that a draw depends on
    token: np.ndarray,
    tokens: Sequence[str],
    group: np.ndarray,
    *,
    density: int | None = None,
    probe: int | None = None,
    seed: int = 0,
    holdout: np.ndarray | None = None,
    untrained: np.ndarray | None = None,
) -> np.ndarray:
    """Divide exemplars into train, probe and spare; no group is both in train and in the probe.

    Parameters
    ----------
    token
        int [exemplar], index into tokens.
    tokens
        Names of the tokens.
    group
        int [exemplar]; a group never straddles train, probe and holdout.
    density
        Training exemplars per token; None: all that the probe leaves.
    probe
        Probe exemplars per token; None: 100, but at most a fifth of the smallest token, and
        fewer where whole groups do not add up to that number, or one whole group where none is
        so small.
    seed
        Of the order in which groups are drawn.
    holdout
        bool [exemplar]: held out by the user; None: none.
    untrained
        bool [exemplar]: must not be trained on; the draw of the probe does not see it.

    Returns
    -------
    np.ndarray
        int8 [exemplar]: 0 train, 1 probe, 2 spare, 3 holdout.

    Raises
    ------
    InputError
        A token has fewer exemplars than asked, or its groups are too large to give that number.
    """
    held = np.zeros(len(token), dtype=bool) if holdout is None else holdout
    counts = np.bincount(token[~held], minlength=len(tokens))
    wanted = default_probe(counts) if probe is None else probe
    _check_numbers(density, wanted, seed)
    _check_enough(counts, tokens, density, wanted)
    order, members = _groups_in_order(token, tokens, group, seed)
    barred = np.isin(group, group[held])
    order = np.array([k for k in order if not barred[members[k][0]]], dtype=np.int64)
    split = np.where(held, HOLDOUT, SPARE).astype(np.int8)
    _fill_probe(split, order, members, token, np.full(len(tokens), wanted))
    if probe is None:
        _give_each_token_one(split, order, members, token, len(tokens))
    free = [members[k] for k in order if split[members[k][0]] == SPARE]
    _train_on(split, free, token, density, untrained)
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


def _fill_probe(
    split: np.ndarray,
    order: np.ndarray,
    members: list[np.ndarray],
    token: np.ndarray,
    room: np.ndarray,
) -> None:
    """Give groups to the probe, in order, each where it still fits whole."""
    room = room.copy()
    for index in order:
        exemplars = members[index]
        need = np.bincount(token[exemplars], minlength=len(room))
        if (need <= room).all():
            split[exemplars] = PROBE
            room -= need


def _train_on(
    split: np.ndarray,
    free: list[np.ndarray],
    token: np.ndarray,
    density: int | None,
    untrained: np.ndarray | None,
) -> None:
    """Train on the first `density` exemplars per token of groups that are free, in order."""
    queue = np.array([i for own in free for i in own], dtype=np.int64)
    if untrained is not None:
        queue = queue[~untrained[queue]]
    for index in np.unique(token[queue]):
        split[queue[token[queue] == index][:density]] = TRAIN


def _give_each_token_one(
    split: np.ndarray,
    order: np.ndarray,
    members: list[np.ndarray],
    token: np.ndarray,
    n_tokens: int,
) -> None:
    """Put the first free group of each token that the probe lacks into it, however large."""
    for lacking in range(n_tokens):
        if np.any(token[split == PROBE] == lacking):
            continue
        with_it = (members[k] for k in order if np.any(token[members[k]] == lacking))
        free = next((own for own in with_it if split[own[0]] == SPARE), None)
        if free is not None:
            split[free] = PROBE


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
                f"{listed(got, tokens)}, because groups are never divided: ask for another number "
                "of exemplars (--probe, --density), or make the groups smaller"
            )
            raise InputError(msg)


def listed(counts: np.ndarray, tokens: Sequence[str]) -> str:
    """Name each token with its count: `daisy 633, roses 641`."""
    return ", ".join(f"{name} {count}" for name, count in zip(tokens, counts, strict=True))
