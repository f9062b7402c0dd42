"""Receptive fields: which pixels a unit at one place of its map can depend on.

Derived from the geometry of the layers below, where these form a chain of known modules; else a
unit is said to look at the whole image, which is never too little. May import torch and
`ontogeny.errors`, `ontogeny.model`, `ontogeny.passes`.

References
----------
Araujo, Norris & Sim 2019, Computing receptive fields of convolutional neural networks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.model import Stage, stages
from ontogeny.passes import ACTIVATIONS, NEUTRAL, NORMS, Call, calls

SEPARATOR = ":"
_NAMED = 12

_ELEMENTWISE = (*NEUTRAL, *NORMS, *ACTIVATIONS)


@dataclass(frozen=True)
class Window:
    """Rows and columns `top` ... `bottom`, `left` ... `right` (the ends excluded) of a map.

    They may reach beyond the map, where a convolution pads.
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    def within(self, size: tuple[int, int]) -> "Window":
        """Return the part of the window that lies on a map of `size` (y, x)."""
        y, x = size
        return Window(max(self.top, 0), min(self.bottom, y), max(self.left, 0), min(self.right, x))


@dataclass(frozen=True)
class Op:
    """One module of a chain and the size of the map that it is given; None for flat input."""

    module: nn.Module
    size: tuple[int, int] | None

    @property
    def is_elementwise(self) -> bool:
        """Whether each place of the output depends on that place of the input alone."""
        return isinstance(self.module, _ELEMENTWISE)

    @property
    def is_sliding(self) -> bool:
        """Whether a window of the input gives each place of the output."""
        module = self.module
        # other modes of padding read places at the far side: no window holds all that is needed
        if isinstance(module, nn.Conv2d):
            return module.padding_mode == "zeros"
        if isinstance(module, nn.MaxPool2d):
            # rounding up lets the last window hang over the edge, by an amount that the window
            # alone cannot tell
            return not module.ceil_mode
        return (
            isinstance(module, nn.AvgPool2d) and not module.ceil_mode and not _any(module.padding)
            and module.divisor_override is None
        )  # fmt: skip

    def needs(self, window: Window) -> Window:
        """Return the window of the input on which a window of the output depends."""
        if self.is_elementwise:
            return window
        if self.size is None:
            return window
        # unknown or global: the whole map, which is never too little
        if not self.is_sliding:
            return Window(0, self.size[0], 0, self.size[1])
        kernel, stride, padding, dilation = sliding(self.module)
        starts, ends = (window.top, window.left), (window.bottom - 1, window.right - 1)
        low = [a * stride[i] - padding[i] for i, a in enumerate(starts)]
        reach = [dilation[i] * (kernel[i] - 1) + 1 for i in range(2)]
        high = [b * stride[i] - padding[i] + reach[i] for i, b in enumerate(ends)]
        return Window(low[0], high[0], low[1], high[1])


@dataclass(frozen=True)
class Column:
    """A layer and all that lies between it and the pixels.

    `ops` ends with the layer's own linear map; it is None where the way from the pixels is no
    chain of known modules and functions (branches, or other functions between them).
    """

    stage: Stage
    ops: tuple[Op, ...] | None
    image: tuple[int, int]
    """Size (y, x) of the image."""
    map: tuple[int, int]
    """Size (y, x) of the layer's map; (1, 1) of a dense layer."""

    def field(self, row: int, column: int) -> Window:
        """Return the receptive field of the layer's units at a place of the map, in pixels.

        It may reach beyond the image; `.within(image)` is what the unit can see.

        Raises
        ------
        InputError
            If the map has no such place.
        """
        if not (0 <= row < self.map[0] and 0 <= column < self.map[1]):
            msg = (
                f"expected a place within the {self.map[0]} x {self.map[1]} map of "
                f"{self.stage.name}, got ({row}, {column})"
            )
            raise InputError(msg)
        window = Window(row, row + 1, column, column + 1)
        for op in reversed(self.ops or ()):
            window = op.needs(window)
        if self.ops is None or self.stage.kind == "dense":
            window = Window(0, self.image[0], 0, self.image[1])
        return window

    @property
    def centre(self) -> tuple[int, int]:
        """The place in the middle of the map."""
        return self.map[0] // 2, self.map[1] // 2


def columns(model: nn.Module, example: Tensor) -> dict[str, Column]:
    """Return the column of each layer, by name, in forward order.

    Parameters
    ----------
    model
        Any network that `ontogeny.model.stages` accepts.
    example
        Input of the size that will be asked about, [exemplar, channel, y, x]; one is enough.
    """
    example = example[:1]
    found = stages(model, example)
    made = calls(model, example)
    image = (int(example.shape[2]), int(example.shape[3]))
    result = {}
    for stage in found:
        at = next(i for i, call in enumerate(made) if call.module is stage.module)
        size = made[at].output.shape[2:]
        area = (int(size[0]), int(size[1])) if len(size) == 2 else (1, 1)
        result[stage.name] = Column(stage, _chain(made[: at + 1], example), image, area)
    return result


def all_units(found: Iterable[Column]) -> list[str]:
    """Return the names of all units of all layers in forward order."""
    return [
        f"{column.stage.name}{SEPARATOR}{channel}"
        for column in found
        for channel in range(column.stage.n_units)
    ]


def unit_index(units: Sequence[str], layers: Iterable[Stage]) -> list[tuple[str, int]]:
    """Return (layer, channel) of units named "layer:channel".

    Raises
    ------
    InputError
        If a layer or a channel does not exist; the message lists what does.
    """
    sizes = {stage.name: stage.n_units for stage in layers}
    found, wrong = [], []
    for name in units:
        layer, _, channel = name.rpartition(SEPARATOR)
        if layer in sizes and channel.isdecimal() and int(channel) < sizes[layer]:
            found.append((layer, int(channel)))
        else:
            wrong.append(name)
    if wrong:
        known = ", ".join(f"{layer}:0 ... {layer}:{n - 1}" for layer, n in sizes.items())
        more = ", ..." if len(wrong) > _NAMED else ""
        got = ", ".join(wrong[:_NAMED]) + more
        msg = f"expected units of this network, got {got}; it has {known}"
        raise InputError(msg)
    return found


def sliding(module: nn.Module) -> tuple[tuple[int, int], ...]:
    """Return kernel, stride, padding and dilation, each (y, x), of a sliding module."""
    kernel = _pair(module.kernel_size)
    stride = _pair(module.stride)
    dilation = _pair(getattr(module, "dilation", 1))
    padding = module.padding
    if padding == "same":
        # torch puts the odd pixel at the end, so that the start has the smaller half
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
    return kernel, stride, (0, 0) if padding == "valid" else _pair(padding), dilation


def _chain(made: Sequence[Call], example: Tensor) -> tuple[Op, ...] | None:
    """Return the calls as a chain, or None if any is given something else than the one before.

    Being given the very same tensor leaves no room for a branch in between.
    """
    previous, ops = example, []
    for call in made:
        # two inputs are a branch or a sum; another tensor than the last output is a skip
        if call.module is None or len(call.inputs) != 1 or call.inputs[0] is not previous:
            return None
        size = call.inputs[0].shape[2:]
        ops.append(Op(call.module, (int(size[0]), int(size[1])) if len(size) == 2 else None))
        previous = call.output
    return tuple(ops)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _any(padding: Any) -> bool:
    return any(_pair(padding))
