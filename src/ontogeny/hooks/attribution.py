"""What each edge gives to its token's own logit, to first order.

May import coupling, model, errors, listening and probe.

References
----------
Syed, Rager & Conmy 2023, arXiv:2310.10348 (edge attribution patching).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from ontogeny.coupling import LinearMap, Segment
from ontogeny.errors import InputError


class Attribution:
    """Gathers E[sum over positions of z_ij * d(y_c - mean of y)/d z_j | token c], by chunks.

    One backward pass serves all tokens, since each exemplar needs its own token's logit only; in
    evaluation mode no exemplar depends on another. The sum over taps of W times the weight
    gradient that the exemplars of a token give is the sum of z_ij * dy/d z_j.

    Parameters
    ----------
    layers
        The linear maps of all stages.
    n_groups
        How many tokens there are.
    """

    def __init__(self, layers: Sequence[LinearMap], n_groups: int) -> None:
        self.layers = layers
        self._counts = torch.zeros(n_groups)
        self._sums = [
            torch.zeros(*layer.weight().shape[:2], n_groups).to(layer.weight()) for layer in layers
        ]
        self._inputs: dict[int, Tensor] = {}
        self._edges: dict[int, GradientEdge] = {}

    def at_layer(self, index: int, x: Tensor, z: Tensor) -> None:
        """Note a layer's input, and where the gradient of its output will come by."""
        if z.grad_fn is None:
            msg = (
                "expected a network that gradients pass through, got a layer that computes without "
                "(no_grad, or activation checkpointing with use_reentrant=True): observe it with "
                "extras=False"
            )
            raise InputError(msg)
        self._inputs[index] = x.detach()
        self._edges[index] = get_gradient_edge(z)  # z itself may be changed in place

    def add(self, logits: Tensor, groups: Tensor, segments: Sequence[Segment]) -> None:
        """Add a chunk, whose pass has come to these logits."""
        rows = torch.arange(len(logits), device=logits.device)
        # less the mean: a shift that is common to all logits moves no probability
        own = logits[rows, groups] - logits.mean(1)
        edges = [self._edges[k] for k in range(len(self.layers))]
        # one pass for all layers; the graph is freed by it, so that a chunk's memory ends here
        gradients = torch.autograd.grad(own.sum(), edges, allow_unused=True)
        with torch.no_grad():
            for k, gradient in enumerate(gradients):
                if gradient is not None:
                    self._add_layer(k, gradient, segments)
        for group, start, stop in segments:
            self._counts[group] += stop - start

    def result(self) -> list[Tensor]:
        """Return each layer's attribution, [target, source in group, group]; NaN if empty."""
        return [
            torch.where(self._counts > 0, total.cpu() / self._counts, torch.nan)
            for total in self._sums
        ]

    def _add_layer(self, k: int, gradient: Tensor, segments: Sequence[Segment]) -> None:
        layer, x = self.layers[k], self._inputs[k]
        weight = layer.weight()
        for group, start, stop in segments:
            by_tap = layer.weight_gradient(x[start:stop], gradient[start:stop])
            self._sums[k][:, :, group] += (weight * by_tap).sum(2).to(weight.dtype)
