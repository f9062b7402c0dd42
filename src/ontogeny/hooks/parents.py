"""What each parent's kernel slice adds to a unit: the drop when the slice alone is dealt anew.

The pre-activation with another slice is z + (w' - w) * x of one source, so that all sources of all
units cost about as much as the layer itself, for each deal. May import coupling, model, passes,
record's numbers and the hooks.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.coupling import ConvolutionMap, LinearMap
from ontogeny.hooks.listening import listening
from ontogeny.hooks.probe import Probe
from ontogeny.hooks.responding import mean_over_map, respond
from ontogeny.hooks.scoring import Scoring
from ontogeny.model import Stage
from ontogeny.passes import device_of
from ontogeny.record import SLICE_DEALS

MOST = 100
"""Exemplars that score a slice, about so many."""
ROWS = 10_000
"""Exemplars x positions at a time."""


def edge_gains(
    model: nn.Module,
    found: Sequence[Stage],
    layers: Sequence[LinearMap],
    probe: Probe,
    scoring: Scoring,
    seed: int,
) -> np.ndarray:
    """Return each edge's gain, float16 [edge]: the target's selectivity less that with a new slice.

    The entries of the new slice are drawn from the other entries of the target's row, a function
    of seed, layer and unit; the mean over deals is taken. NaN where the row has no other entries.

    Parameters
    ----------
    model
        In evaluation mode.
    found, layers
        Its stages and their linear maps.
    probe, scoring
        The exemplars that score, sorted by token, and what they are exemplars of.
    seed
        Of the deals.
    """
    places = scoring.first(MOST)
    some, gains = scoring.at(places), [np.zeros(0)] * len(layers)
    inputs: dict[int, list[tuple[Tensor, Tensor]]] = {k: [] for k in range(len(layers))}

    def at_layer(k: int, x: Tensor, z: Tensor) -> None:
        inputs[k].append((x.clone(), z.clone()))

    x = probe.x[places].to(device_of(model))
    # layer by layer, so that no more than one layer's maps are held
    for k, layer in enumerate(layers):
        with listening(found, lambda at, *maps, k=k: at_layer(k, *maps) if at == k else None,
                       lambda *_: None):  # fmt: skip
            for chunk in x.split(probe.chunk):
                model(chunk.clone())
        gains[k] = _layer_gains(found[k], layer, inputs.pop(k), some, (seed, k))
    return np.concatenate(gains).astype(np.float16)


def new_slices(weight: np.ndarray, seed: Sequence[int]) -> np.ndarray:
    """Return slices drawn from the other entries of the rows, [deal, target, source, tap]."""
    n_targets, n_sources, n_taps = weight.shape
    own = np.arange(n_sources)[:, None] * n_taps
    drawn = np.empty((SLICE_DEALS, *weight.shape), weight.dtype)
    for unit in range(n_targets):
        rng = np.random.default_rng((*seed, unit))
        place = rng.integers(0, (n_sources - 1) * n_taps, (SLICE_DEALS, n_sources, n_taps))
        place += (place >= own) * n_taps  # past the slice itself
        drawn[:, unit] = weight[unit].reshape(-1)[place]
    return drawn


def _layer_gains(
    stage: Stage, layer: LinearMap, maps: Sequence[tuple[Tensor, Tensor]], scoring: Scoring,
    seed: Sequence[int],
) -> np.ndarray:  # fmt: skip
    """Return the gains of a layer's edges, [target x source in group]."""
    weight = layer.weight()
    n_targets, n_sources, _ = weight.shape
    if n_sources < 2:
        return np.full(n_targets * n_sources, np.nan)
    own = torch.cat([mean_over_map(layer, respond(stage, z)) for _, z in maps]).cpu()
    drawn = torch.as_tensor(new_slices(weight.cpu().numpy(), seed)).to(weight)
    score = torch.zeros(n_sources, n_targets, dtype=torch.float64)
    for source in range(n_sources):
        change = (drawn[:, :, source] - weight[:, source]).flatten(0, 1)  # [deal x target, tap]
        given = torch.cat([_with_slice(stage, layer, x, z, source, change) for x, z in maps])
        score[source] = scoring.selectivity(given.cpu()).mean(0)
    return (scoring.selectivity(own)[:, None] - score.T).flatten().numpy()


def _with_slice(
    stage: Stage, layer: LinearMap, x: Tensor, z: Tensor, source: int, change: Tensor
) -> Tensor:
    """Return mean responses with one source's slice changed, [exemplar, deal, target]."""
    n_targets, groups = z.shape[1] if z.dim() == 4 else z.shape[-1], layer.groups
    per_group = n_targets // groups
    of_group = torch.arange(groups) * (layer.n_sources // groups) + source
    found = []
    positions = z[0].numel() // n_targets
    for some, plain in zip(*(v.split(max(1, ROWS // positions)) for v in (x, z)), strict=True):
        u = _patches(layer, some, of_group)  # [group, exemplar x position, tap]
        rows = _rows(plain)
        for each in change.unflatten(0, (-1, groups, per_group)):  # a deal
            more = (u @ each.mT).movedim(0, 1).flatten(1) if groups > 1 else u[0] @ each[0].T
            found.append(mean_over_map(layer, respond(stage, _like(rows + more, plain))))
    deals = len(change) // n_targets
    by_part = [torch.stack(found[k : k + deals], 1) for k in range(0, len(found), deals)]
    return torch.cat(by_part)


def _patches(layer: LinearMap, x: Tensor, sources: Tensor) -> Tensor:
    """Return the patches of some sources, [source, exemplar x position, tap]."""
    if isinstance(layer, ConvolutionMap):
        every = layer.patches_of(x, sources)
        return every.permute(1, 0, 3, 2).flatten(1, 2)
    u = x.unflatten(-1, (layer.n_sources, -1))[..., sources, :]
    return u.movedim(-2, 0).flatten(1, -2)


def _rows(z: Tensor) -> Tensor:
    """Return pre-activations as [exemplar x position, unit]."""
    return (z.movedim(1, -1) if z.dim() == 4 else z).flatten(0, -2)


def _like(rows: Tensor, z: Tensor) -> Tensor:
    """Return rows of pre-activations in the shape of maps."""
    if z.dim() != 4:
        return rows.view(z.shape)
    return rows.view(len(z), *z.shape[2:], -1).movedim(-1, 1)
