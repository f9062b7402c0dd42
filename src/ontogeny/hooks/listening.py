"""Hooks that are called at every stage of a pass, and leave the network as it was.

May import model only.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ontogeny.model import Stage


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode without gradients, and leave it and torch as they were."""
    training = {module: module.training for module in model.modules()}
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), torch.inference_mode():
        try:
            model.eval()
            yield
        finally:
            for module, flag in training.items():
                module.training = flag


@contextmanager
def listening(
    found: Sequence[Stage],
    at_layer: Callable[[int, Tensor, Tensor], None],
    at_response: Callable[[int, Tensor], Tensor | None],
) -> Iterator[None]:
    """Call back at every stage of each forward pass; the hooks are removed whatever happens.

    Parameters
    ----------
    found
        The stages to listen to.
    at_layer
        Called with the stage's index, its layer's input and its pre-activation, before anything
        can change them in place.
    at_response
        Called with the stage's index and what comes out behind its nonlinearity; a tensor that
        it returns takes that place.
    """
    present = -1

    def pass_layer(module: nn.Module, args: tuple[Tensor, ...], z: Tensor) -> None:
        nonlocal present
        present = next(k for k, stage in enumerate(found) if stage.module is module)
        at_layer(present, args[0], z)

    def pass_response(module: nn.Module, _: tuple[Tensor, ...], a: Tensor) -> Tensor | None:
        nonlocal present
        if present < 0 or response(found[present]) is not module:
            return None
        index, present = present, -1
        return at_response(index, a)

    handles = [stage.module.register_forward_hook(pass_layer) for stage in found]
    try:
        for module in {response(stage): None for stage in found}:
            handles.append(module.register_forward_hook(pass_response))
        yield
    finally:
        for handle in handles:
            handle.remove()


def response(stage: Stage) -> nn.Module:
    """Return the module whose output is the stage's activation."""
    return stage.activation or stage.norm or stage.module
