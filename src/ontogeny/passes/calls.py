"""What a forward pass calls, in order: modules, and functions of tensors between them.

May import torch and the rest of passes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ontogeny.passes.bare import paths
from ontogeny.passes.functions import ACTIVATIONS, MAKERS_OF_NEW, NORMS, as_module
from ontogeny.passes.quiet import undisturbed

NEUTRAL = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
"""Modules that hand their input on as it is, in evaluation mode."""
_WHOLE = (nn.Conv2d, nn.Linear, *NORMS, *ACTIVATIONS, *NEUTRAL)
"""Modules that are one call whatever they hold, such as parametrised weights."""


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a module or of a function of tensors in a forward pass."""

    name: str
    """The module's path with dots; "" of a function."""
    module: nn.Module | None
    """The module, or one that does what the function does; None: a function that is not known."""
    inputs: tuple[Tensor, ...]
    output: Tensor
    by_function: bool = False


def calls(model: nn.Module, example: Tensor) -> list[Call]:
    """Return what one undisturbed forward pass calls, in order.

    Modules are taken whole where torch made them; into a module of somebody's own one looks as far
    as it calls others, or functions that are known. A tensor is the same one in two calls if it is
    the same object.

    Parameters
    ----------
    model
        Any network.
    example
        Its input.
    """
    watch = _Watch(paths(model))
    with undisturbed(model), watch.hooked(), watch:
        model(example)
    return watch.found


class _Watch(TorchFunctionMode):
    """Notes the calls of a pass."""

    def __init__(self, names: Mapping[nn.Module, str]) -> None:
        super().__init__()
        self.names = names
        self.found: list[Call] = []
        self._inside = 0
        self._begun: list[int] = []

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Hear of the modules' calls."""
        handles = []
        try:
            for module in self.names:
                if _is_whole(module):
                    handles.append(module.register_forward_pre_hook(self._enter_whole))
                    handles.append(module.register_forward_hook(self._leave_whole))
                elif not any(True for _ in module.children()):
                    handles.append(module.register_forward_pre_hook(self._enter_own))
                    handles.append(module.register_forward_hook(self._leave_own))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function, and note it if it makes a tensor of tensors outside whole modules."""
        given = dict(kwargs or {})
        output = func(*args, **given)
        inputs = tuple(_tensors([*args, *given.values()]))
        # what happens inside a whole module belongs to it and is one call with it
        if self._inside or func in MAKERS_OF_NEW:
            return output
        if inputs and isinstance(output, Tensor):
            module = as_module(func, args, given, output)
            self.found.append(Call("", module, inputs, output, by_function=True))
        return output

    def _enter_whole(self, *_: Any) -> None:
        self._inside += 1

    def _leave_whole(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._inside -= 1
        self._note(module, args, output)

    def _enter_own(self, *_: Any) -> None:
        self._begun.append(len(self.found))

    def _leave_own(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Take somebody's own module for what it calls, or, if that is not known, as one call."""
        begun = self._begun.pop()
        # one unknown function inside makes all of it unknown: its parts alone would miss something
        if not self.found[begun:] or any(call.module is None for call in self.found[begun:]):
            del self.found[begun:]
            self._note(module, args, output)

    def _note(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if not self._inside and isinstance(output, Tensor):
            self.found.append(Call(self.names[module], module, tuple(_tensors(args)), output))


def _is_whole(module: nn.Module) -> bool:
    is_leaf = not any(True for _ in module.children())
    return isinstance(module, _WHOLE) or (is_leaf and type(module).__module__.startswith("torch."))


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    """Return the tensors among values and in lists of them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
