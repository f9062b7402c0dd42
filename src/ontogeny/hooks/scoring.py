"""How much of what units tell lies between the exemplars of tokens and of features.

Scores of many responses at once, as matrix products. May import torch only.

References
----------
Fisher 1925 (correlation ratio); Tukey 1958 (leaving out a part at a time).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

CONSTANT = 1e-6
"""A response whose deviation is below this fraction of its largest magnitude does not vary."""


RIDGE = 0.01
"""Of read-outs, relative to the mean squared length of the exemplars' responses less their mean."""
READOUT_FOLDS = 4
"""Parts of the exemplars that read-outs are scored on, fitted on the others."""


@dataclass(frozen=True, eq=False)
class Scoring:
    """Which exemplars score, what they are exemplars of, and which belong together."""

    token: Tensor
    """int [exemplar], index of the token."""
    fold: Tensor
    """int [exemplar], 0 ... folds - 1; groups of exemplars are whole."""
    member: Tensor
    """bool [feature, exemplar], which exemplars have a feature."""

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return int(self.fold.max()) + 1

    def selectivity(self, response: Tensor) -> Tensor:
        """Return eta squared over tokens, float64 [...], of responses [exemplar, ...].

        0 where a response does not vary: it tells nothing.
        """
        centred, varies = _centred(response)
        of_token = _indicators(self.token)
        count = of_token.sum(1)
        between = ((of_token @ centred).square() / count[:, None].clamp(min=1)).sum(0)
        total = centred.square().sum(0)
        return _ratio(between, total, varies).view(response.shape[1:])

    def by_feature(self, response: Tensor) -> Tensor:
        """Return eta squared between exemplars with and without each feature, [feature, ...]."""
        centred, varies = _centred(response)
        with_it = self.member.double()
        n, n_with = len(centred), with_it.sum(1)
        # the two sums of centred responses are s and -s
        sums = (with_it @ centred).square()
        between = sums * (n / (n_with * (n - n_with)).clamp(min=1))[:, None]
        score = _ratio(between, centred.square().sum(0), varies)
        return score.view(len(with_it), *response.shape[1:])

    def left_out(self, response: Tensor) -> Tensor:
        """Return eta squared over tokens with one fold after another left out, [fold, ...].

        0 where what is left of a response does not vary, as of one that a single exemplar has.
        """
        centred, varies = _centred(response)
        of_token, of_fold = _indicators(self.token), _indicators(self.fold)
        cells = (of_fold[:, None] * of_token).flatten(0, 1)
        sums = (cells @ centred).unflatten(0, (self.n_folds, -1))
        kept = sums.sum(0) - sums
        counts = cells.sum(1).unflatten(0, (self.n_folds, -1))
        n_kept = (counts.sum(0) - counts)[..., None]
        squares = of_fold @ centred.square()
        whole = squares.sum(0)
        correction = kept.sum(1).square() / n_kept.sum(1).clamp(min=1)
        between = (kept.square() / n_kept.clamp(min=1)).sum(1) - correction
        total = whole - squares - correction
        # a difference of sums that are nearly the same: below this it is rounding
        score = _ratio(between, total, varies & (total > CONSTANT * whole))
        return score.view(self.n_folds, *response.shape[1:])

    def readout(self, response: Tensor) -> Tensor:
        """Return how well a line through all units reads out each feature, [feature, ...].

        Squared error of ridge read-outs on folds that they were not fitted on, as 1 - error /
        error of the mean of those they were: 1 at best, 0 or less where nothing can be read out.
        Units are not standardised: one that is nearly inactive would count as much as any.
        `response` is [exemplar, ..., unit].
        """
        x = response.reshape(len(response), -1, response.shape[-1]).movedim(1, 0).double()
        y = self.member.double().T
        part = self.fold % READOUT_FOLDS
        error, spread = (torch.zeros(n, y.shape[1], dtype=torch.float64) for n in (len(x), 1))
        for k in range(int(part.max()) + 1):
            fits, tests = part != k, part == k
            z = x - x[:, fits].mean(1, keepdim=True)
            about = y[fits].mean(0)
            gram = z[:, fits] @ z[:, fits].mT
            size = gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None].clamp(min=1e-12)
            ridge = RIDGE * size * torch.eye(int(fits.sum()), dtype=torch.float64)
            weight = torch.linalg.solve(gram + ridge, (y[fits] - about).expand(len(x), -1, -1))
            said = z[:, tests] @ (z[:, fits].mT @ weight)
            error += (y[tests] - about - said).square().sum(1)
            spread += (y[tests] - about).square().sum(0)
        found = 1 - error / spread
        return found.T.reshape(y.shape[1], *response.shape[1:-1])

    def first(self, most: int) -> Tensor:
        """Return places of the first exemplars of each token, about `most` in all, ascending."""
        kinds, counts = self.token.unique(return_counts=True)
        each = -(-most // len(kinds))
        starts = counts.cumsum(0) - counts  # exemplars are sorted by token
        return torch.cat([torch.arange(int(a), int(a) + min(each, int(n)))
                          for a, n in zip(starts, counts, strict=True)])  # fmt: skip

    def at(self, places: Tensor) -> "Scoring":
        """Return the scoring of some of the exemplars."""
        return Scoring(self.token[places], self.fold[places], self.member[:, places])


def _centred(response: Tensor) -> tuple[Tensor, Tensor]:
    """Return responses less their mean, float64 [exemplar, response], and which of them vary."""
    flat = response.flatten(1).double()
    centred = flat - flat.mean(0)
    largest = flat.abs().amax(0)
    norm = centred.square().sum(0).sqrt()
    return centred, norm > CONSTANT * largest * len(flat) ** 0.5


def _indicators(index: Tensor) -> Tensor:
    """Return which exemplars have each index, float64 [index, exemplar]."""
    return (index == torch.arange(int(index.max()) + 1)[:, None]).double()


def _ratio(between: Tensor, total: Tensor, varies: Tensor) -> Tensor:
    known = varies & (total > 0)
    return torch.where(known, between / torch.where(known, total, 1.0), 0.0)
