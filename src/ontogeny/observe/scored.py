"""Which exemplars score units and their recombinations, and what they are exemplars of.

May import hooks, stats, record, and tasks.portrait (names of parts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ontogeny import record as names
from ontogeny.hooks import DEPTHS, N_DEALS, Probe, Recombination, Scoring
from ontogeny.stats.features import features
from ontogeny.stats.groups import half_of_groups, ranks_of_groups
from ontogeny.tasks.portrait import PARTS

N_FOLDS = 20
"""Parts of the scored exemplars that are left out in turn, at most."""
MOST = 200
"""Exemplars that score, about so many: what dealt weights cost grows with them."""
_PART = "part_"


@dataclass(frozen=True, eq=False)
class Scored:
    """One half of the exemplars scores; the other one chooses (parents, tokens, features)."""

    recombination: Recombination
    coordinates: dict[str, Any]
    """What the record keeps of them, by its names."""

    @classmethod
    def of(
        cls, images: np.ndarray | Tensor, token: np.ndarray | None, tokens: Sequence[str],
        known: Mapping[str, np.ndarray], seed: int,
    ) -> Self | None:  # fmt: skip
        """Return what scores of the exemplars; None where fewer than two tokens could be scored.

        Parameters
        ----------
        images
            What the network is shown.
        token
            Index of each exemplar's token; None where they are unknown.
        tokens
            Their names.
        known
            What else is known of the exemplars, by its names in the record.
        seed
            Of the deals.
        """
        if token is None:
            return None
        group = known.get(names.GROUP, np.arange(len(token)))
        scores = (half_of_groups(token, group) == 1) & _among_first(token, group)
        if len(np.unique(token[scores])) < 2:
            return None
        rank = ranks_of_groups(token[scores], group[scores])
        fold = np.full(len(token), -1, np.int8)
        fold[scores] = rank % min(N_FOLDS, int(rank.max()) + 1)
        found, also = features(token, tokens, *_factors(known))
        # the probe's own order, which is by token: scores are taken in that order
        order = np.argsort(token[scores], kind="stable")
        member = np.stack([*found.values(), np.zeros(len(token), bool)])[:-1]
        mine = np.flatnonzero(scores)
        probe = Probe(images[mine], token[scores], n_tokens=len(tokens) or None)
        parts = (token[scores], fold[scores].astype(np.int64), member[:, scores])
        scoring = Scoring(*(torch.as_tensor(part[..., order]) for part in parts))
        return cls(
            Recombination(scores, probe, scoring, seed),
            {
                names.EXEMPLAR_FOLD: fold,
                names.FEATURE: np.array(list(found), dtype=str),
                names.FEATURE_ALSO: np.array([", ".join(also[name]) for name in found], dtype=str),
                names.DEAL: np.arange(N_DEALS), names.DEPTH: np.array(DEPTHS),
                names.FOLD: np.arange(scoring.n_folds),
                names.FEATURE_MEMBER: member.astype(np.int8),
            },
        )  # fmt: skip


def _among_first(token: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Say which exemplars are of the first groups of half 1 of their token, `MOST` in all."""
    keep, each = np.zeros(len(token), bool), -(-MOST // len(np.unique(token)))
    half = half_of_groups(token, group)
    for c in np.unique(token):
        mine = np.flatnonzero((token == c) & (half == 1))
        order = mine[np.argsort(group[mine], kind="stable")]
        first = np.searchsorted(group[order], group[order])  # exemplars of groups before its own
        keep[order[first < each]] = True
    return keep


def _factors(
    known: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    """Return known factors, and words for the values of parts."""
    found, words = {}, {}
    for name, value in known.items():
        if name.startswith(names.FACTOR):
            short = name.removeprefix(names.FACTOR)
            part = short.removeprefix(_PART)
            found[part] = np.asarray(value)
            if short.startswith(_PART) and part in PARTS:
                words[part] = PARTS[part].values
    return found, words
