"""What couplings would be if a layer had the same weights in other places.

All weights of a layer are permuted, over targets, sources and taps at once; its input is kept. Of
the targets that this gives, no more are followed than a quantile needs: a layer of 256 x 256 units
has sixteen times the edges of one of 64 x 64, and its quantiles are no better known for it.
May import coupling only.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ontogeny.coupling import Coupling, LinearMap, TargetMoments, couplings

EDGES = 4096
"""About as many permuted edges a layer: one with fewer is permuted several times, and of one with
more only the first targets are followed."""
THINNED = 2
"""Of the exemplars, each second one is shown to permuted weights."""


class PermutedMap:
    """A linear map with its weights in other places, several times over.

    Parameters
    ----------
    layer
        The linear map; its weights are read once, here.
    seed
        Of the permutations, which are the same whatever the weights: a null that moves from
        snapshot to snapshot moves because weights and input do, never because of the draw.
    """

    def __init__(self, layer: LinearMap, seed: Sequence[int]) -> None:
        self.layer = layer
        self.groups, self.n_sources = layer.groups, layer.n_sources
        # by seed and layer alone, so that all snapshots are held against the same permutation
        weight, rng = layer.weight(), np.random.default_rng(seed)
        n_targets, n_sources, n_taps = weight.shape
        times = -(-EDGES // (n_targets * n_sources))
        kept = n_targets * times
        if self.groups == 1:  # targets of a grouped layer are stacked within groups: keep all
            kept = min(kept, -(-EDGES // n_sources))
        order = np.concatenate([rng.permutation(weight.numel()) for _ in range(times)])
        order = torch.as_tensor(order[: kept * n_sources * n_taps], device=weight.device)
        self._weight = weight.flatten()[order].view(-1, n_sources, n_taps)

    def weight(self) -> Tensor:
        """Return the weights, [target of any permutation, source in group, tap]."""
        return self._weight

    def bias(self) -> None:
        """Return nothing: no coupling depends on it."""

    def tap_means(self, maps: Tensor) -> Tensor:
        """Return each tap's mean over output positions of maps."""
        return self.layer.tap_means(maps)


class NullMoments:
    """Moments of a layer's input and of its pre-activation with permuted weights, by chunks.

    Taken over each `THINNED`-th exemplar and the lattice of positions; z is taken from the first
    chunk's mean.

    Parameters
    ----------
    permuted
        The linear map.
    """

    def __init__(self, permuted: PermutedMap) -> None:
        self.permuted = permuted
        self._weight = permuted.weight().flatten(1).unflatten(0, (permuted.groups, -1))
        self._count = 0
        self._shift: Tensor | None = None
        self._cross = torch.zeros_like(self._weight)
        self._u, self._z, self._square = (torch.zeros((), dtype=torch.float64) for _ in range(3))

    def add(self, x: Tensor) -> None:
        """Add a chunk of the layer's input."""
        u = self.permuted.layer.sparse_patches(x[::THINNED])
        u = u.unflatten(1, (self.permuted.groups, -1))
        u = u.permute(1, 2, 0, 3).flatten(2)  # [group, source x tap, exemplar x position]
        z = self._weight @ u
        if self._shift is None:
            self._shift = z.mean(2, keepdim=True)
        z -= self._shift
        self._cross += z @ u.mT
        self._u = self._u + u.sum(2).double()
        self._z = self._z + z.sum(2).double()
        self._square = self._square + z.square_().sum(2).double()
        self._count += z.shape[2]

    def result(self, groups: tuple[Tensor, Tensor]) -> Coupling:
        """Return the couplings; `groups` are each group's tap means, and its count."""
        assert self._shift is not None
        weight, u = self.permuted.weight(), self._u / self._count
        off = (self._z / self._count)[..., None]
        covariance = self._cross.double() / self._count - off * u[:, None]
        variance = (self._square / self._count - off[..., 0].square()).clamp(min=0).flatten()
        mean = (self._shift + off).flatten()
        moments = TargetMoments(
            covariance.view(weight.shape).to(weight.dtype), variance, variance + mean.square()
        )
        return couplings(self.permuted, moments, groups)


def quantiles(values: Tensor, levels: Sequence[float]) -> Float[np.ndarray, " level"]:
    """Return the quantiles of absolute values, those that are not defined left out."""
    known = values[values.isfinite()].abs()
    if known.numel() == 0:
        return np.full(len(levels), np.nan, dtype=np.float32)
    return np.quantile(known.cpu().numpy(), levels).astype(np.float32)
