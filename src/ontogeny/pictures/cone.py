"""Compute the response of single units, and of nothing that they do not depend on.

A picture of one unit needs, of every layer below, only the window that the unit looks at, and of
its own layer only its own weights. May import torch and `ontogeny.model`,
`ontogeny.pictures`, `ontogeny.passes`.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.passes import NEUTRAL
from ontogeny.pictures.fields import Column, Op, Window, sliding

Layer = Callable[[Tensor], Tensor]


class Cone:
    """The response, before the nonlinearity, of a layer's units at one place of their map.

    The network's modules are read, never changed: weights take part as constants, batch norm with
    its running statistics, dropout not at all.

    Parameters
    ----------
    model
        The network; run as a whole, up to the layer, where its modules are no chain.
    column
        The layer.
    place
        Row and column of the map; None: its middle.
    """

    def __init__(
        self, model: nn.Module, column: Column, place: tuple[int, int] | None = None
    ) -> None:
        self.column = column
        self.place = column.centre if place is None else place
        self.window = column.field(*self.place).within(column.image)
        """The part of the image that is looked at."""
        self._scale, self._shift = affine(column.stage.norm, column.stage.n_units)
        self._below = [] if column.ops is None else _cut(column.ops, self._one())
        self._model = model

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images that `respond` takes."""
        return self.window.height, self.window.width

    def respond(self, images: Tensor, channels: Tensor) -> Tensor:
        """Return the response of unit `channels[k]` to image k.

        Parameters
        ----------
        images
            Prepared pixels of the window, [image, channel, y, x].
        channels
            int64 [image].
        """
        if self.column.ops is None:
            value = self._whole(images, channels)
        else:
            for layer in self._below:
                images = layer(images)
            value = self._own(images, channels)
        return value * self._scale[channels] + self._shift[channels]

    def _whole(self, images: Tensor, channels: Tensor) -> Tensor:
        """Return the layer's response where the network has to be run as a whole."""
        output = run_to(self._model, self.column, images)[torch.arange(len(images)), channels]
        return output[:, self.place[0], self.place[1]] if output.ndim == 3 else output

    def _one(self) -> Window:
        """Return the one place of the map that is looked at."""
        row, place = self.place
        return Window(row, row + 1, place, place + 1)

    def _own(self, inputs: Tensor, channels: Tensor) -> Tensor:
        """Return the layer's linear map of its input window, for one unit an image."""
        module = self.column.stage.module
        weight = module.weight.detach()
        bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach()
        if isinstance(module, nn.Linear):
            return (inputs * weight[channels]).sum(1) + bias[channels]
        assert self.column.ops is not None
        own = self.column.ops[-1]
        if not own.is_sliding:  # the window is the whole map
            row, place = self.place
            return module(inputs)[torch.arange(len(inputs)), channels, row, place]
        inputs = _pad(inputs, own.needs(self._one()), own.size, 0.0)
        if module.groups == 1 and module.dilation == (1, 1):
            return (inputs * weight[channels]).sum((1, 2, 3)) + bias[channels]
        full = F.conv2d(inputs, weight, bias, 1, 0, module.dilation, module.groups)
        return full[torch.arange(len(inputs)), channels, 0, 0]


def activate(column: Column, value: Tensor, channels: Tensor) -> Tensor:
    """Return responses [image] of units `channels` [image] after the stage's nonlinearity."""
    activation = column.stage.activation
    if activation is None:
        return value
    with torch.no_grad():
        if isinstance(activation, nn.PReLU):
            slope = activation.weight.expand(column.stage.n_units)[channels]
            return torch.where(value > 0, value, slope * value)
        return activation(value.clone())


def run_to(model: nn.Module, column: Column, images: Tensor) -> Tensor:
    """Return the output of a layer's linear map, [image, unit, y, x] or [image, unit].

    The pass ends there; hooks and training flags are as before, also after an error.
    """
    found: list[Tensor] = []

    def stop(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(output)
        raise _Reached

    training = {module: module.training for module in model.modules()}
    # the pass is ended by an exception from the hook: what lies above is never computed
    handle = column.stage.module.register_forward_hook(stop)
    try:
        model.eval()
        model(images)
    except _Reached:
        pass
    finally:
        handle.remove()
        for module, flag in training.items():
            module.training = flag
    return found[0]


class _Reached(Exception):
    """The layer that was asked for has been computed."""


def _cut(ops: tuple[Op, ...], window: Window) -> list[Layer]:
    """Return what to run of each module but the last, so that the last can give `window`."""
    layers: list[Layer] = []
    for op in reversed(ops):
        wanted = op.needs(window)
        layers.append(_layer(op, wanted, window))
        window = wanted if op.size is None else wanted.within(op.size)
    # from the pixels up, without the last: the layer itself is done for one unit only
    return layers[:0:-1]


def _layer(op: Op, wanted: Window, window: Window) -> Layer:
    """Return a module as a function of the window of its input that is there.

    `wanted` is the window of its input that the `window` of its output needs.
    """
    module = op.module
    if isinstance(module, NEUTRAL):
        return _unchanged
    if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
        scale, shift = affine(module, module.num_features)
        shape = (1, -1, 1, 1) if op.size is not None else (1, -1)
        return partial(_scaled, scale=scale.reshape(shape), shift=shift.reshape(shape))
    if op.size is None or not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return module
    if not op.is_sliding:
        return partial(_part, act=module, window=window)
    kernel, stride, _, dilation = sliding(module)
    if isinstance(module, nn.Conv2d):
        weight = module.weight.detach().contiguous(memory_format=torch.channels_last)
        bias = None if module.bias is None else module.bias.detach()
        convolve = partial(F.conv2d, weight=weight, bias=bias, stride=stride, dilation=dilation,
                           groups=module.groups)  # fmt: skip
        return partial(_padded, act=convolve, wanted=wanted, size=op.size, value=0.0)
    if isinstance(module, nn.MaxPool2d):
        pool = partial(F.max_pool2d, kernel_size=kernel, stride=stride, dilation=dilation)
        # a maximum ignores minus infinity, where a 0 would win over negative responses
        return partial(_padded, act=pool, wanted=wanted, size=op.size, value=-torch.inf)
    return partial(F.avg_pool2d, kernel_size=kernel, stride=stride)


def _unchanged(inputs: Tensor) -> Tensor:
    return inputs


def _part(inputs: Tensor, act: Layer, window: Window) -> Tensor:
    """Return the window of what a module gives of a whole map."""
    return act(inputs)[:, :, window.top : window.bottom, window.left : window.right]


def _scaled(inputs: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return inputs * scale + shift


def _padded(
    inputs: Tensor, act: Layer, wanted: Window, size: tuple[int, int], value: float
) -> Tensor:
    return act(_pad(inputs, wanted, size, value))


def _pad(inputs: Tensor, wanted: Window, size: tuple[int, int] | None, value: float) -> Tensor:
    """Add the part of the wanted window that lies beyond the map."""
    assert size is not None
    there = wanted.within(size)
    amount = (
        there.left - wanted.left, wanted.right - there.right,
        there.top - wanted.top, wanted.bottom - there.bottom,
    )  # fmt: skip
    # convolutions pad with zeros at the map's edge only; inside, the window holds real values
    return F.pad(inputs, amount, value=value) if any(amount) else inputs


def affine(norm: nn.Module | None, n_units: int) -> tuple[Tensor, Tensor]:
    """Return what batch norm in evaluation mode multiplies each unit with and adds to it."""
    if norm is None:
        return torch.ones(n_units), torch.zeros(n_units)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        msg = (
            "expected batch norm with running statistics, got one without: a unit's response "
            "then depends on the other images; train it with track_running_stats=True"
        )
        raise InputError(msg)
    scale = (variance + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight.detach()
        return scale, norm.bias.detach() - mean * scale
    return scale, -mean * scale
