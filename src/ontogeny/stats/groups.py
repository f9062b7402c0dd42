"""Folds and permutations that keep groups of related exemplars whole.

Exemplars of one group (views of one scene, crops of one photograph) are not independent: they
must fall into the same fold and move together when labels are shuffled.
May import numpy only.
"""

import numpy as np
from jaxtyping import Int

from ontogeny.errors import InputError
from ontogeny.stats.permutation import shuffled_tokens


def grouped_folds(
    token: Int[np.ndarray, " exemplar"],
    group: Int[np.ndarray, " exemplar"],
    *,
    n_folds: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " exemplar"]:
    """Deal whole groups into folds so that every token is spread as evenly as can be.

    Groups are taken in random order, larger ones first; each goes to the fold that has the fewest
    exemplars of the group's tokens so far.

    Parameters
    ----------
    token
        Index of each exemplar's token.
    group
        Index of each exemplar's group.
    n_folds
        Number of folds, at least 2.
    rng
        Source of randomness.

    Returns
    -------
        Fold of each exemplar, 0 to `n_folds` - 1.

    Raises
    ------
    InputError
        With fewer than 2 folds, or fewer groups than folds.

    Examples
    --------
    Two clips of each token: one goes to either fold, whole.

    >>> from ontogeny.stats.groups import grouped_folds
    >>> token, clip = np.repeat([0, 1], 4), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    >>> grouped_folds(token, clip, n_folds=2, rng=np.random.default_rng(0)).tolist()
    [1, 1, 0, 0, 0, 0, 1, 1]
    """
    names, members, sizes = np.unique(group, return_inverse=True, return_counts=True)
    if n_folds < 2 or n_folds > len(names):
        message = (
            f"expected from 2 folds to as many as there are groups ({len(names)}), "
            f"got {n_folds}; choose another number of folds"
        )
        raise InputError(message)
    tokens, token_index = np.unique(token, return_inverse=True)
    content = np.zeros((len(names), len(tokens)), dtype=np.int64)
    np.add.at(content, (members, token_index), 1)
    held = np.zeros((n_folds, len(tokens)), dtype=np.int64)
    fold_of_group = np.empty(len(names), dtype=np.int64)
    order = rng.permutation(len(names))
    # large groups first, while there is room to even them out; among equals the order is drawn
    for index in order[np.argsort(-sizes[order], kind="stable")]:
        load = held @ content[index]
        fold = min(range(n_folds), key=lambda f: (load[f], held[f].sum()))
        fold_of_group[index] = fold
        held[fold] += content[index]
    return fold_of_group[members]


def group_permutations(
    group: Int[np.ndarray, " exemplar"],
    *,
    n_permutations: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, "permutation exemplar"]:
    """Shuffle exemplars in whole groups: groups of equal size change places, order within kept.

    Without repeated measurements every exemplar is a group of its own and this is a plain
    permutation. A group whose size occurs once never moves. The groups are dealt by
    :func:`ontogeny.stats.permutation.shuffled_tokens`; take that function where tokens are to be
    dealt (groups may then differ in size), and this one where rows of a matrix are to change
    places.

    Parameters
    ----------
    group
        Index of each exemplar's group.
    n_permutations
        How many to draw.
    rng
        Source of randomness.

    Returns
    -------
        Index arrays p, to be used as ``token[p]`` or ``rdm[p][:, p]``.

    Raises
    ------
    InputError
        When no two groups have the same size, so that nothing can be exchanged.

    Examples
    --------
    Clips of two frames change places whole; the single frame stays.

    >>> from ontogeny.stats.groups import group_permutations
    >>> clip = np.array([0, 0, 1, 1, 2, 2, 3])
    >>> rng = np.random.default_rng(1)
    >>> group_permutations(clip, n_permutations=3, rng=rng)
    array([[0, 1, 2, 3, 4, 5, 6],
           [4, 5, 0, 1, 2, 3, 6],
           [2, 3, 0, 1, 4, 5, 6]])
    """
    order = np.argsort(group, kind="stable")
    _, starts, sizes = np.unique(group[order], return_index=True, return_counts=True)
    if len(np.unique(sizes)) == len(sizes):
        message = (
            f"expected at least two groups of equal size to exchange, got sizes {sizes.tolist()}; "
            "give each independent exemplar a group of its own"
        )
        raise InputError(message)
    permutations = np.tile(np.arange(len(group)), (n_permutations, 1))
    for size in np.unique(sizes):
        places = order[starts[sizes == size][:, None] + np.arange(size)]
        each = np.arange(len(places))
        permutations[:, places] = places[
            shuffled_tokens(each, each, n_shuffles=len(permutations), rng=rng)
        ]
    return permutations


def ranks_of_groups(
    token: Int[np.ndarray, " exemplar"], group: Int[np.ndarray, " exemplar"]
) -> Int[np.ndarray, " exemplar"]:
    """Return the place, 0, 1, ..., of each exemplar's group among those of its token.

    Groups are in ascending order; one that holds exemplars of two tokens has a place in either.

    Examples
    --------
    >>> from ontogeny.stats.groups import ranks_of_groups
    >>> ranks_of_groups(np.array([0, 0, 0, 1, 1]), np.array([7, 7, 9, 8, 8])).tolist()
    [0, 0, 1, 0, 0]
    """
    rank = np.zeros(len(token), dtype=np.int64)
    for c in np.unique(token):
        of_token = token == c
        rank[of_token] = np.unique(group[of_token], return_inverse=True)[1]
    return rank


def half_of_groups(
    token: Int[np.ndarray, " exemplar"], group: Int[np.ndarray, " exemplar"]
) -> Int[np.ndarray, " exemplar"]:
    """Return 0 and 1 in turns over the groups of each token, which stay whole.

    A token of one group has all of it in half 1.

    Examples
    --------
    >>> from ontogeny.stats.groups import half_of_groups
    >>> half_of_groups(np.array([0, 0, 0, 1, 1]), np.array([7, 7, 9, 8, 8])).tolist()
    [0, 0, 1, 1, 1]
    """
    rank = ranks_of_groups(token, group)
    last = np.zeros(int(token.max()) + 1, dtype=np.int64)
    np.maximum.at(last, token, rank)
    return np.where(last[token] == 0, 1, rank % 2)
