"""A network without what was wrapped around it. May import torch and errors only."""

import copy
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.parameter import is_lazy
from torch.optim.swa_utils import AveragedModel

from ontogeny.errors import InputError

_NAMED = 6
_COMPILED, _CHECKPOINTED = "_orig_mod", "_checkpoint_wrapped_module"
"""What torch.compile and its checkpoint wrapper call the network that they hold."""


def bare(model: nn.Module) -> nn.Module:
    """Return the network inside DataParallel, DDP, torch.compile, averaging and checkpointing."""
    while (inner := _held(model)) is not None:
        model = model.get_submodule(inner)
    return model


def paths(model: nn.Module) -> dict[nn.Module, str]:
    """Return each module's path with dots, as if nothing in the network were wrapped."""
    found: dict[nn.Module, str] = {}
    for module, path in _walk(model, ()):
        found.setdefault(module, ".".join(path))
    return found


def device_of(model: nn.Module) -> torch.device:
    """Return where a network computes; the CPU if it has no weights."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def refuse_uninitialised(model: nn.Module) -> None:
    """Refuse a network whose weights are not drawn yet: recording must not draw them.

    A lazy layer draws its weights when it is first called. Drawn by the recording, at another
    moment than the training would have drawn them, they would be other weights.

    Raises
    ------
    InputError
        If a layer has no weights yet.
    """
    tensors = [*model.named_parameters(), *model.named_buffers()]
    names = dict.fromkeys(name.rpartition(".")[0] for name, value in tensors if is_lazy(value))
    if names:
        some = ", ".join(list(names)[:_NAMED])
        msg = (
            f"expected a network that has its weights, got lazy layers without ({some}): "
            "run one forward pass before recording"
        )
        raise InputError(msg)


def in_precision(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a network that computes in a precision: itself, or a converted copy.

    Raises
    ------
    InputError
        If a copy is needed and cannot be made.
    """
    kinds = {t.dtype for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()}
    if kinds <= {dtype}:
        return model
    try:
        return copy.deepcopy(model).to(dtype)
    except (RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        kind = str(dtype).removeprefix("torch.")
        msg = (
            f"expected a network of {kind} weights, or one that can be copied to be observed as "
            f"such, got: {reason}: convert it with .to(torch.{kind}), or give it a __deepcopy__"
        )
        raise InputError(msg) from error


def _held(model: nn.Module) -> str | None:
    """Return the name under which a wrapper holds its network; None where nothing is wrapped."""
    if isinstance(model, DataParallel | DistributedDataParallel | AveragedModel):
        return "module"
    return next((n for n in (_COMPILED, _CHECKPOINTED) if n in model._modules), None)


def _walk(module: nn.Module, path: tuple[str, ...]) -> Iterator[tuple[nn.Module, tuple[str, ...]]]:
    yield module, path
    held = _held(module)
    for name, child in module.named_children():
        yield from _walk(child, path if name == held else (*path, name))
