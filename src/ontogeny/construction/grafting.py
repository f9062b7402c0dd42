"""Passes of grafts over a grid of steps, without and with a linear map between the halves.

Grafts under one network's upper layers are a piece of work; pieces run side by side on one thread
each, so that their bits do not depend on how many threads there are. May import torch,
construction.halves, construction.readiness, pictures.side, schedule and stats.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from ontogeny.construction.halves import Halves
from ontogeny.construction.readiness import STITCHES, Shown, differences, own
from ontogeny.pictures.side import side_by_side
from ontogeny.progress import Progress
from ontogeny.stats.groups import grouped_folds
from ontogeny.stats.selectivity import eta_squared
from ontogeny.stats.stitching import ridge_map

Arrays = dict[str, np.ndarray]
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Grafting:
    """Networks of several steps, the exemplars that their grafts are shown, and the cuts."""

    networks: Sequence[Halves]
    x: Tensor
    shown: Shown
    cuts: Sequence[int]
    """Indices of the layers up to which a network is taken for its lower part."""
    seed: int

    def plain(self, say: Progress) -> tuple[np.ndarray, np.ndarray]:
        """Return which exemplars each graft gets right, bool [cut, step, step_b, exemplar].

        And the mean selectivity of the layers above the cut, [cut, step, step_b, layer].
        """
        rights, selectivities = [], []
        for i, below in enumerate(self.networks):
            say("grafts", i, len(self.networks))
            lower = self._lower(below, self.x)

            def above(j: int, i: int = i, lower: _Lower = lower) -> _Column:
                return self._column(j, lower, is_own=i == j)

            columns = _side_by_side(above, range(len(self.networks)))
            rights.append(np.stack([column.right for column in columns], axis=1))
            selectivities.append(np.stack([column.selectivity for column in columns], axis=1))
        return np.stack(rights, axis=1), np.stack(selectivities, axis=1)

    def stitched(self, right: np.ndarray, places: np.ndarray, say: Progress) -> Arrays:
        """Return accuracies of stitched grafts of some places of the grid; elsewhere NaN.

        The maps are fitted to one half of the exemplars and the other half is classified; where
        all exemplars are one group there are no such halves, and all is NaN.
        """
        whole = {name: np.full(right.shape[:3], np.nan) for name in STITCHES}
        halves = self._halves()
        if halves is None:
            return whole
        mapped = self._stitched(places, *halves, say)
        thin = right[:, places][:, :, places][..., halves[1]]
        weights = self.shown.part(halves[1]).weights(self.seed)
        found = {"stitched_accuracy": mapped.mean(axis=-1)}
        found |= differences("stitched_difference", mapped, own(thin), weights)
        found |= differences("stitched_gain", mapped, thin, weights)
        for name, part in found.items():
            whole[name][:, places[:, None], places] = part
        return whole

    def _column(self, j: int, lower: "_Lower", *, is_own: bool) -> "_Column":
        """Graft lower parts, cut by cut, under the upper part of network j."""
        answers = []
        for cut in self.cuts:
            means = _Means(self.networks[j])
            if is_own:  # the network itself, to the bit: nothing is run
                logits = lower.logits
                for k in range(cut + 1, len(lower.responses)):
                    means(k, lower.responses[k])
            else:
                logits = self.networks[j].upper(cut, lower.responses[cut], means)
            answers.append((self._right(logits), means.selectivity(self.shown.token)))
        return _Column(*(np.stack(part) for part in zip(*answers, strict=True)))

    def _stitched(
        self, places: np.ndarray, fit: np.ndarray, score: np.ndarray, say: Progress
    ) -> np.ndarray:
        """Say what stitched grafts classify correctly, bool [cut, step, step_b, scored]."""
        rights = []
        for i, s in enumerate(places):
            say("stitched grafts", i, len(places))
            source = self._lower(self.networks[s], self.x).responses

            def above(t: int, source: list[Tensor] = source) -> np.ndarray:
                target, _ = self.networks[t].lower(self.x[fit])
                given = [_mapped(source[k], target[k], fit, score) for k in self.cuts]
                logits = [self.networks[t].upper(k, a, _ignore)
                          for k, a in zip(self.cuts, given, strict=True)]  # fmt: skip
                return np.stack([self._right(answer, score) for answer in logits])

            rights.append(np.stack(_side_by_side(above, places.tolist()), axis=1))
        return np.stack(rights, axis=1)

    def _lower(self, network: Halves, x: Tensor) -> "_Lower":
        """Run a lower part in a piece of its own, that is on one thread."""
        return _Lower(*_side_by_side(lambda _: network.lower(x), [0])[0])

    def _right(self, logits: Tensor, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Say which exemplars are classified correctly; none where a logit is NaN."""
        values = logits.float().cpu().numpy()
        known = np.isfinite(values).all(axis=1)
        return known & (values.argmax(axis=1) == self.shown.token[rows])

    def _halves(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return two halves of the exemplars, groups whole; None of a single group."""
        names, group = np.unique(self.shown.group, return_inverse=True)
        if len(names) < 2:
            return None
        rng = np.random.default_rng(self.seed)
        fold = grouped_folds(self.shown.token, group, n_folds=2, rng=rng)
        return np.flatnonzero(fold == 0), np.flatnonzero(fold == 1)


@dataclass(frozen=True, eq=False)
class _Lower:
    """What a network's layers respond to the exemplars, and its logits."""

    responses: list[Tensor]
    logits: Tensor


@dataclass(frozen=True, eq=False)
class _Column:
    """Grafts of one lower part under one upper part, at each cut."""

    right: np.ndarray
    """bool [cut, exemplar]"""
    selectivity: np.ndarray
    """[cut, layer]"""


class _Means:
    """Takes the mean responses of the layers above a cut."""

    def __init__(self, network: Halves) -> None:
        self._found = network.found
        self._means: dict[int, np.ndarray] = {}

    def __call__(self, index: int, a: Tensor) -> None:
        """Take the responses of a layer."""
        axis = 1 if self._found[index].kind == "conv" else a.dim() - 1
        over = [d for d in range(1, a.dim()) if d != axis]
        self._means[index] = (a.mean(over) if over else a).float().cpu().numpy()

    def selectivity(self, token: np.ndarray) -> np.ndarray:
        """Return the mean eta squared of each layer's units that vary, [layer]; else NaN."""
        result = np.full(len(self._found), np.nan)
        eta = eta_squared(np.concatenate(list(self._means.values()), axis=1), token)
        ends = np.cumsum([part.shape[1] for part in self._means.values()])[:-1]
        for index, part in zip(self._means, np.split(eta, ends), strict=True):
            varying = part[np.isfinite(part)]
            result[index] = varying.mean() if len(varying) else np.nan
        return result


def _side_by_side(work: Callable[[int], Result], pieces: Sequence[int]) -> list[Result]:
    """Return what a piece of work gives for each index, on one thread each."""
    with threadpool_limits(1, "blas"):  # pieces have threads enough; more would wait for each other
        return list(side_by_side(work, pieces))


def _mapped(source: Tensor, target: Tensor, fit: np.ndarray, score: np.ndarray) -> Tensor:
    """Return one network's responses to the scored exemplars as those of another network.

    One map, fitted to the other exemplars, for all places: the units of a convolution are its
    channels.
    """
    axis = 1 if source.dim() == 4 else source.dim() - 1
    x, y = source.movedim(axis, -1), target.movedim(axis, -1)
    samples = [a.reshape(-1, a.shape[-1]).cpu().numpy() for a in (x[fit], y)]
    weights, constant = (torch.as_tensor(part).to(source) for part in ridge_map(*samples))
    return (x[score] @ weights + constant).movedim(-1, axis)


def _ignore(_: int, __: Tensor) -> None:
    """Take no responses."""
