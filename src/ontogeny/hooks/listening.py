"""Hooks that are called at every stage of a pass, and leave the network as it was.

May import model, passes and errors.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ontogeny.errors import InputError
from ontogeny.model import Stage
from ontogeny.passes import as_module, undisturbed

__all__ = ["Ears", "listening", "response", "undisturbed"]

AtLayer = Callable[[int, Tensor, Tensor], None]
AtResponse = Callable[[int, Tensor], Tensor | None]


@contextmanager
def listening(
    found: Sequence[Stage], at_layer: AtLayer, at_response: AtResponse
) -> Iterator["Ears"]:
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

    Yields
    ------
    Ears
        Can be asked, after a pass, whether every stage was heard exactly once.
    """
    ears = Ears(found, at_layer, at_response)
    handles = []
    try:
        handles += [stage.module.register_forward_hook(ears.at_layer) for stage in found]
        norms = {stage.norm: None for stage in found if stage.norm is not None}
        handles += [norm.register_forward_hook(ears.at_norm) for norm in norms]
        modules = {s.activation: None for s in found if s.activation and not s.by_function}
        handles += [module.register_forward_hook(ears.at_activation) for module in modules]
        # functions are listened to only where a stage needs it: the mode is called at every
        # operation
        with ears if any(stage.by_function for stage in found) else nullcontext():
            yield ears
    finally:
        for handle in handles:
            handle.remove()


class Ears(TorchFunctionMode):
    """Hears the stages of a pass: the tensor that a layer gives leads to what is done with it.

    Parameters
    ----------
    found, at_layer, at_response
        See `listening`.
    """

    def __init__(self, found: Sequence[Stage], at_layer: AtLayer, at_response: AtResponse) -> None:
        super().__init__()
        self.found, self._at_layer, self._at_response = found, at_layer, at_response
        self._index: dict[nn.Module, int] = {stage.module: k for k, stage in enumerate(found)}
        self._live: dict[int, Tensor] = {}
        self._layers, self._responses = Counter(), Counter()

    def at_layer(self, module: nn.Module, args: tuple[Tensor, ...], z: Tensor) -> Tensor | None:
        """Hear a layer; what it gives is followed from here."""
        k = self._index[module]
        # what the callbacks compute is not the network's, and must not be heard as such
        with torch._C.DisableTorchFunction():
            self._at_layer(k, args[0], z)
            self._layers[k] += 1
            self._live[k] = z
            return self._respond(k, z) if response(self.found[k]) is module else None

    def at_norm(self, module: nn.Module, args: tuple[Tensor, ...], z: Tensor) -> Tensor | None:
        """Hear a batch norm."""
        k = self._owner(module, args[0])
        if k is None:
            return None
        self._live[k] = z
        with torch._C.DisableTorchFunction():
            return self._respond(k, z) if response(self.found[k]) is module else None

    def at_activation(
        self, module: nn.Module, args: tuple[Tensor, ...], a: Tensor
    ) -> Tensor | None:
        """Hear a nonlinearity that is a module."""
        k = self._owner(module, args[0])
        if k is None:
            return None
        with torch._C.DisableTorchFunction():
            return self._respond(k, a, in_place=a is args[0])

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function; hear it if it is the nonlinearity of a stage."""
        given = dict(kwargs or {})
        first = args[0] if args else given.get("input")
        # the very tensor, not an equal one: that is how what a layer gave is followed
        owners = [k for k, z in self._live.items() if z is first and self.found[k].by_function]
        output = func(*args, **given)
        if not owners or not isinstance(output, Tensor):
            return output
        kind = type(self.found[owners[0]].activation)
        if not isinstance(as_module(func, args, given, output), kind):
            return output
        changed = self._respond(owners[0], output, in_place=output is first)
        return output if changed is None else changed

    def complete(self) -> None:
        """Refuse a pass in which a stage was not heard exactly once; be ready for the next one.

        Raises
        ------
        InputError
            If there was such a stage.
        """
        odd = [
            f"{stage.name} {self._layers[k]} times, its response {self._responses[k]} times"
            for k, stage in enumerate(self.found)
            if (self._layers[k], self._responses[k]) != (1, 1)
        ]
        self._layers, self._responses, self._live = Counter(), Counter(), {}
        if odd:
            msg = (
                f"expected each layer and its nonlinearity once in every pass, got "
                f"{'; '.join(odd)}: a network whose passes differ, or that computes layers again "
                "(activation checkpointing), cannot be observed; record it without"
            )
            raise InputError(msg)

    def _owner(self, module: nn.Module, given: Tensor) -> int | None:
        """Return the stage whose norm or nonlinearity was given its own tensor."""
        for k, z in self._live.items():
            if z is given and module in (self.found[k].norm, self.found[k].activation):
                return k
        return None

    def _respond(self, k: int, a: Tensor, *, in_place: bool = False) -> Tensor | None:
        """Tell of a response; one that is changed in place is changed for whoever holds it."""
        del self._live[k]
        self._responses[k] += 1
        changed = self._at_response(k, a)
        # of other exemplars, it cannot take the place of the tensor that was changed
        if changed is None or not in_place or changed.shape != a.shape:
            return changed
        return a.copy_(changed)


def response(stage: Stage) -> nn.Module:
    """Return the module whose output is the stage's activation."""
    return stage.activation or stage.norm or stage.module
