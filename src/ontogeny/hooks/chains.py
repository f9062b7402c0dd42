"""Whether a network is a chain, as couplings need it. May import model, errors and listening."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.hooks.listening import listening
from ontogeny.model import Stage


def chain_faults(model: nn.Module, found: Sequence[Stage], example: Tensor) -> list[str]:
    """Say where a network is not a chain, by silencing layers and looking at the next one's input.

    In a chain, with layer k silenced the next layer's input no longer depends on the image; and
    with every other unit of layer k silenced, the remaining units' channels of that input stay as
    they were. A skip connection breaks the first, a mixing of channels the second.

    Parameters
    ----------
    model
        In evaluation mode.
    found
        Its stages.
    example
        Two different inputs.
    """
    faults = counts_that_do_not_fit(found, example.shape[1])
    for k in range(1, len(found) if not faults else 0):
        below, here = found[k - 1], found[k]
        # two different inputs are shown: equal answers then mean that nothing else comes through
        plain, dumb, half = (_next_input(model, found, k, example, step) for step in (None, 1, 2))
        if not torch.allclose(dumb[0], dumb[1]):
            faults.append(f"the input of {here.name} does not come through {below.name} alone")
        elif not torch.allclose(half[:, 1::2], plain[:, 1::2]) or not torch.allclose(
            half[:, ::2], dumb[:, ::2]
        ):
            faults.append(f"channels are mixed between {below.name} and {here.name}")
    return faults


def _next_input(
    model: nn.Module, found: Sequence[Stage], k: int, example: Tensor, silence: int | None
) -> Tensor:
    """Return the input of stage k by source unit, with each `silence`-th unit below at 0."""
    seen: list[Tensor] = []

    def at_layer(index: int, x: Tensor, z: Tensor) -> None:  # noqa: ARG001
        if index == k:
            seen.append(x.clone())

    def at_response(index: int, a: Tensor) -> Tensor | None:
        if index != k - 1 or silence is None:
            return None
        a = a.clone()
        units = a.movedim(1 if found[index].kind == "conv" else -1, 0)
        units[::silence] = 0
        return a

    with listening(found, at_layer, at_response):
        model(example)
    if found[k].kind == "conv":
        return seen[0]
    return seen[0].unflatten(-1, (found[k - 1].n_units, -1)).movedim(-2, 1)


def counts_that_do_not_fit(found: Sequence[Stage], channels: int) -> list[str]:
    """Say where a layer's input channels are not the units of the layer before it."""
    faults, below, units = [], "the image", channels
    for stage in found:
        module = stage.module
        size = module.in_channels if isinstance(module, nn.Conv2d) else module.in_features
        if (stage.kind == "conv" and size != units) or size % units:
            faults.append(f"{stage.name} has {size} inputs but {below} has {units} units")
        if isinstance(stage.norm, nn.modules.batchnorm._NormBase) and not (
            stage.norm.track_running_stats
        ):
            faults.append(f"the batch norm of {stage.name} keeps no running statistics")
        below, units = stage.name, stage.n_units
    return faults


def refuse(faults: Sequence[str]) -> None:
    """Raise an error that says why a network is no chain, if it is none."""
    if faults:
        msg = (
            "couplings need each layer's input to be the units of the layer before it, got "
            f"{'; '.join(faults)}: observe this network with couplings=False"
        )
        raise InputError(msg)
