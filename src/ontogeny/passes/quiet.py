"""A pass that leaves no trace, wherever it is made. May import torch and the rest of passes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from ontogeny.passes.bare import _COMPILED


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode without gradients, and leave it and torch as they were.

    No autocast reaches in, and no compiled code is run: hooks would not be called by it. Random
    state, training flags and buffers are put back. Gradients are off, but not by inference mode:
    what a network keeps of a pass for later ones would be of no use to its training.
    """
    with ExitStack() as stack:
        devices = {t.device for t in model.parameters() if t.device.type == "cuda"}
        # devices of the network only: forking all would start contexts on every card of the machine
        stack.enter_context(torch.random.fork_rng(devices=list(devices)))
        stack.enter_context(torch.no_grad())
        for kind in {"cpu", *(t.device.type for t in model.parameters())}:
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if any(_is_compiled(module) for module in model.modules()):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_as_it_was(model))
        model.eval()
        yield


@contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """Put training flags and buffers back."""
    training = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for module, flag in training.items():
            module.training = flag
        for buffer, before in buffers:
            # only what changed is written back: a write would raise the version that
            # autograd checks
            if not _equal(buffer, before):
                buffer.detach().copy_(before)


def _equal(a: Tensor, b: Tensor) -> bool:
    """Say whether two tensors are the same, NaN for NaN."""
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def _is_compiled(module: nn.Module) -> bool:
    return _COMPILED in module._modules or module._compiled_call_impl is not None
