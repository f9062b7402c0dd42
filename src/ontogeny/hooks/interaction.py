"""What a nonlinearity makes of two parents at once: interaction by ablation.

May import coupling, model, responding and record's table of pairs.
"""

from itertools import combinations

import torch
from torch import Tensor

from ontogeny.coupling import DEAD, DenseMap, LinearMap
from ontogeny.hooks.responding import respond
from ontogeny.model import Stage
from ontogeny.record import PAIRS

PARENTS = 1 + max(b for _, b in PAIRS)


class Interaction:
    """Gathers E[a(11) - a(10) - a(01) + a(00)] of one stage's units, by chunks.

    a is the activation behind batch norm and nonlinearity, 0 takes a parent's z_ij away. Over
    exemplars and the lattice of positions; nothing is computed where there is no nonlinearity.

    Parameters
    ----------
    stage
        The stage.
    layer
        Its linear map.
    share
        Its couplings, [target, source in group].
    """

    def __init__(self, stage: Stage, layer: LinearMap, share: Tensor) -> None:
        self.stage, self.layer = stage, layer
        n_parents = min(PARENTS, share.shape[1])
        self._alive = share.isfinite().all(1)
        # by the coupling's size, as the record does; dead targets (NaN) get any parents and are
        # masked later
        strongest = share.abs().nan_to_num(-1).topk(n_parents, dim=1).indices
        per_group = torch.arange(len(share), device=share.device) // (len(share) // layer.groups)
        self.parents = strongest + (per_group * share.shape[1])[:, None]
        rows = torch.arange(len(share), device=share.device)[:, None]
        self._weight = layer.weight()[rows, strongest]
        self._pairs = [(a, b) for a, b in PAIRS if b < n_parents]
        self._sums = torch.zeros(
            len(share), len(self._pairs), dtype=torch.float64, device=share.device
        )
        self._count = 0

    def add(self, x: Tensor, z: Tensor) -> None:
        """Add a chunk of the layer's input and of its output."""
        if self.stage.activation is None or not self._pairs:
            return
        parts, z = self._contributions(x, z), self.layer.sparse(z)
        present: dict[tuple[int, ...], Tensor] = {(): respond(self.stage, z)}
        for n in (1, 2):
            for gone in combinations(range(len(parts)), n):
                present[gone] = respond(self.stage, z - sum(parts[r] for r in gone))
        for k, (a, b) in enumerate(self._pairs):
            effect = present[()] - present[a,] - present[b,] + present[a, b]
            axis = effect.dim() - 1 if isinstance(self.layer, DenseMap) else 1
            over = [d for d in range(effect.dim()) if d != axis]
            self._sums[:, k] += effect.sum(over, dtype=torch.float64)
        self._count += z.numel() // len(self._sums)

    def result(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the interaction and the first and the second parent, [unit, pair].

        Parameters
        ----------
        mean, variance
            Of the activations, float64 [unit].
        """
        size = (len(self._sums), len(PAIRS))
        effect = torch.full(size, torch.nan, dtype=torch.float64)
        first, second = (torch.full(size, -1, dtype=torch.int16) for _ in range(2))
        n = len(self._pairs)
        alive = self._alive.cpu()
        varies = alive & (variance > DEAD * (variance + mean.square())).cpu()
        found = (self._sums / max(self._count, 1) / variance.sqrt()[:, None]).cpu()
        effect[:, :n] = torch.where(varies[:, None], found, torch.nan)
        parents = torch.where(alive[:, None], self.parents.cpu(), -1).short()
        first[:, :n] = parents[:, [a for a, _ in self._pairs]]
        second[:, :n] = parents[:, [b for _, b in self._pairs]]
        return effect, first, second

    def _contributions(self, x: Tensor, z: Tensor) -> list[Tensor]:
        """Return what comes through each of the parents, of the shape of `sparse(z)`."""
        patches = self.layer.sparse_patches(x).unflatten(1, (self.layer.n_sources, -1))
        found = []
        for r in range(self.parents.shape[1]):
            through = torch.einsum(
                "ejtp,jt->ejp", patches[:, self.parents[:, r]], self._weight[:, r]
            )
            if isinstance(self.layer, DenseMap):
                found.append(through.mT.reshape(z.shape))
            else:
                found.append(through[..., None])
        return found
