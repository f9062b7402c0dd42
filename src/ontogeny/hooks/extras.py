"""A second pass, of half the probe: attribution of every edge, interaction of parents.

It needs the couplings of the first pass, and gradients. May import all of `hooks` but network.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.coupling import Coupling
from ontogeny.hooks.attribution import Attribution
from ontogeny.hooks.gathering import Gathering
from ontogeny.hooks.interaction import Interaction
from ontogeny.hooks.listening import listening
from ontogeny.passes import device_of

NULLS, EFFECTS = "nulls", "effects"
LINEAR, RECTIFIED, ABOVE_DEALT = "linear", "rectified", "above dealt"
EXTRAS = (NULLS, EFFECTS, LINEAR, RECTIFIED, ABOVE_DEALT)
"""What an observation of couplings may hold beside them: their nulls, from the first pass; the
effects of edges (attribution) and of pairs of parents (interaction), from a second one; what units
would tell with dealt weights, of pre-activations, behind the nonlinearity, on dealt parents."""


def effects(
    model: nn.Module, gathered: Gathering, found: Sequence[Coupling]
) -> dict[str, np.ndarray]:
    """Return edge attribution and interaction by their names in the record.

    Parameters
    ----------
    model
        In evaluation mode.
    gathered
        What the first pass has gathered.
    found
        The couplings that it gave.
    """
    # inference tensors cannot take part in gradients, whatever the caller's mode is
    with torch.inference_mode(False), torch.enable_grad():
        probe, device = gathered.probe.half, device_of(model)
        attribution = Attribution(gathered.layers, probe.n_groups)
        interactions = [
            Interaction(stage, layer, coupling.share.clone())
            for stage, layer, coupling in zip(gathered.found, gathered.layers, found, strict=True)
        ]

        def at_layer(index: int, x: Tensor, z: Tensor) -> None:
            attribution.at_layer(index, x, z)
            with torch.no_grad():
                interactions[index].add(x.detach(), z.detach())

        groups = torch.as_tensor(probe.groups, device=device)
        for rows, segments in probe.chunks():
            # a leaf that asks for gradients makes every layer part of the graph, also where
            # weights are frozen
            x = probe.x[rows].to(device, copy=True).requires_grad_()
            with listening(gathered.found, at_layer, lambda *_: None) as ears:
                logits = model(x.clone())  # a network may change its input in place
                ears.complete()
            attribution.add(logits, groups[rows], segments)  # layers may be computed again
        return _named(gathered, attribution, interactions)


def _named(
    gathered: Gathering, attribution: Attribution, interactions: Sequence[Interaction]
) -> dict[str, np.ndarray]:
    spreads = gathered.spreads
    results = [i.result(s.mean, s.variance) for i, s in zip(interactions, spreads, strict=True)]
    effect, first, second = (torch.cat(parts).numpy() for parts in zip(*results, strict=True))
    attributed = torch.cat([a.flatten(0, 1) for a in attribution.result()])
    return {
        "edge_attribution": attributed.half().numpy(),
        "interaction": effect.astype(np.float32),
        "interaction_first": first,
        "interaction_second": second,
    }
