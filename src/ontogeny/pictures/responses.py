"""What units answer to exemplars, layer by layer. May import torch, `ontogeny.hooks`, `model`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.hooks import listening, undisturbed
from ontogeny.model import prepare, stages

BLOCK = 50
"""Exemplars in one forward pass."""
STRONG = 0.5
"""Share of a unit's largest response at which a place will do to picture it."""


def each_response(
    model: nn.Module, images: np.ndarray, take: Callable[[str, slice, Tensor], None]
) -> None:
    """Show exemplars to a network and hand each layer's activations on; the network is untouched.

    Parameters
    ----------
    model
        The network.
    images
        uint8 [exemplar, y, x, channel].
    take
        Called with the layer's name, the exemplars' slice and their activations after the
        nonlinearity, [exemplar, unit, y, x]; dense layers have a map of one place.
    """
    with undisturbed(model):
        found = stages(model, prepare(images[:1].copy()))
        rows = slice(0, 0)

        def at_response(index: int, activation: Tensor) -> None:
            maps = activation if activation.ndim == 4 else activation[:, :, None, None]
            take(found[index].name, rows, maps)

        with listening(found, lambda *_: None, at_response):
            for first in range(0, len(images), BLOCK):
                rows = slice(first, min(first + BLOCK, len(images)))
                model(prepare(images[rows].copy()))


@dataclass(frozen=True)
class Best:
    """What a layer's units answered at most to some exemplars."""

    response: np.ndarray
    """[unit], over exemplars and places."""
    place: np.ndarray
    """[unit, 2]: row and column of the middle of the map, or of a response of at least half the
    largest where the middle never answered (a unit can live on the padding at the border alone)."""


def best_responses(model: nn.Module, images: np.ndarray) -> dict[str, Best]:
    """Return each unit's largest activation over exemplars, and a place to look at, by layer."""
    highest: dict[str, Tensor] = {}

    def take(layer: str, _: slice, maps: Tensor) -> None:
        now = maps.amax(0)
        highest[layer] = now if layer not in highest else torch.maximum(highest[layer], now)

    each_response(model, images, take)
    return {layer: _best(maps) for layer, maps in highest.items()}


def _best(maps: Tensor) -> Best:
    """Return the best response and the place of each unit from its map of maxima."""
    _, height, width = maps.shape
    response, flat = maps.flatten(1).max(1)
    middle = height // 2 * width + width // 2
    chosen = torch.full_like(flat, middle)
    silent = (maps.flatten(1)[:, middle] <= 0) & (response > 0)
    strong = maps.flatten(1) >= STRONG * response[:, None]
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    far = (row - (height - 1) / 2).square() + (column - (width - 1) / 2).square()
    while silent.any():  # as few places as can be: units of one place are pictured together
        count = (strong & silent[:, None]).sum(0)
        place = int(torch.where(count == count.max(), far.flatten(), torch.inf).argmin())
        covered = silent & strong[:, place]
        chosen[covered], silent = place, silent & ~covered
    places = torch.stack([chosen // width, chosen % width], 1)
    return Best(response.cpu().numpy(), places.cpu().numpy())
