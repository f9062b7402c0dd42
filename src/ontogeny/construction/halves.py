"""A network that is run in two halves: up to a layer's responses, and on from there.

Where a pass is one call after another, each of the output of the one before, the upper half is
those calls and nothing else. Else the responses are put in their place in a pass of the whole
network, which costs its lower layers, too. Both give the network's own bits. May import torch,
hooks, model, passes and errors.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.hooks import chain_faults, listening, response
from ontogeny.model import Stage, stages
from ontogeny.passes import Call, calls

AtResponse = Callable[[int, Tensor], None]
"""Called with a stage's index and its response."""


class Halves:
    """A network, its layers, and its passes up to a layer and from there.

    Parameters
    ----------
    model
        A network of its own, which is put into evaluation mode and stays so.
    example
        Two different inputs, [exemplar, channel, y, x].
    """

    def __init__(self, model: nn.Module, example: Tensor) -> None:
        self.model = model.eval()
        self.found = stages(model, example)
        self._example = example
        self._modules, self._ends = _replayed(model, self.found, example)

    @property
    def is_replayed(self) -> bool:
        """Whether the upper half is run without the lower one."""
        return bool(self._modules)

    @torch.inference_mode()
    def lower(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the response of each stage to inputs, in forward order, and the logits."""
        seen: list[Tensor] = []

        def at_response(_: int, a: Tensor) -> None:
            seen.append(a.clone())  # what comes next may change it in place

        with listening(self.found, lambda *_: None, at_response) as ears:
            logits = self.model(x.clone())
            ears.complete()
        return seen, logits

    @torch.inference_mode()
    def upper(self, cut: int, given: Tensor, at_response: AtResponse) -> Tensor:
        """Return the logits of a network whose stage `cut` responds with `given`.

        Parameters
        ----------
        cut
            Index of the stage.
        given
            Its response to exemplars, [exemplar, ...].
        at_response
            Called at each stage above.
        """
        if not self.is_replayed:
            return self._replaced(cut, given, at_response)
        x, stage_at = given.clone(), {end: k for k, end in enumerate(self._ends)}
        for place in range(self._ends[cut] + 1, len(self._modules)):
            x = self._modules[place](x)
            if place in stage_at:
                at_response(stage_at[place], x)
        return x

    def _replaced(self, cut: int, given: Tensor, at_response: AtResponse) -> Tensor:
        """Do the same in a pass of the whole network, on inputs that do not matter."""

        def instead(index: int, a: Tensor) -> Tensor | None:
            if index > cut:
                at_response(index, a)
            return given if index == cut else None

        any_input = self._example[:1].expand(len(given), *self._example.shape[1:]).clone()
        with listening(self.found, lambda *_: None, instead):
            return self.model(any_input)


def refuse_what_is_no_chain(halves: Halves, example: Tensor) -> None:
    """Refuse a network some of whose layers do not get all they get from the layer before.

    Raises
    ------
    InputError
        With the reasons.
    """
    with torch.no_grad():
        faults = chain_faults(halves.model, halves.found, example)
    if faults:
        msg = (
            "expected a network whose layers are a chain, so that it can be cut between two, got "
            f"{'; '.join(faults)}: graft networks without connections around layers only"
        )
        raise InputError(msg)


def _replayed(
    model: nn.Module, found: Sequence[Stage], example: Tensor
) -> tuple[list[nn.Module], list[int]]:
    """Return what a pass calls and the place of each stage's response; nothing if that is not all.

    A module that does the same stands for each function: the example shows whether to the bit.
    """
    made = calls(model, example.clone())
    follows = all(len(b.inputs) == 1 and b.inputs[0] is a.output for a, b in pairwise(made))
    modules = [call.module for call in made if call.module is not None]
    if not follows or len(modules) < len(made):
        return [], []
    with torch.no_grad():
        x = example.clone()
        for module in modules:
            x = module(x)
        is_same = torch.equal(x, model(example.clone()))
    return (modules, [_end(made, stage) for stage in found]) if is_same else ([], [])


def _end(made: Sequence[Call], stage: Stage) -> int:
    """Return the place of the call whose output is a stage's response."""
    start = next(k for k, call in enumerate(made) if call.module is stage.module)
    last = response(stage)
    return next(
        k
        for k, call in enumerate(made[start:], start)
        if call.module is last
        or (stage.by_function and call.by_function and type(call.module) is type(last))
    )
