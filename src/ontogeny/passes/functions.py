"""Functions of tensors that networks apply in place of modules: a table from one to the other.

So what is applied by `functional.relu`, or by a module made on the way, is known as what it is.
May import torch only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid,
)  # fmt: skip
"""Nonlinearities that act on each unit, at each place, alone."""

_Maker = Callable[..., nn.Module | None]
_MAPS = 4
"""Dimensions of a batch of maps."""


def as_module(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], output: Tensor
) -> nn.Module | None:
    """Return the module that does what a call of a function did; None for one not in the table.

    Parameters
    ----------
    function
        As torch names it to a `TorchFunctionMode`.
    args, kwargs
        Of the call.
    output
        What it returned.
    """
    given = args[0] if args else kwargs.get("input")
    if function in _RESHAPES:
        return _flatten(given, output)
    if function in _DROPOUTS:
        # dropout that hands on the very tensor did nothing; one that trains is no identity
        return nn.Identity() if output is given else None
    maker = _TABLE.get(function)
    if maker is None:
        return None
    try:
        return maker(*args, **kwargs)
    except TypeError:  # a way of calling it that the table does not know
        return None


def _plain(kind: type[nn.Module]) -> _Maker:
    """Return the maker of a module without choices; whether it works in place changes no value."""

    def make(input: Tensor, inplace: bool = False) -> nn.Module:  # noqa: ARG001 - torch's names
        return kind()

    return make


def _chosen(kind: type[nn.Module], *names: str) -> _Maker:
    """Return the maker of a module whose choices have these names, in the function's order."""

    def make(input: Tensor, *values: Any, **given: Any) -> nn.Module:  # noqa: ARG001
        given.pop("inplace", None)
        given.pop("training", None)
        return kind(**dict(zip(names, values, strict=False)), **given)

    return make


def _clamp(input: Tensor, min: Any = None, max: Any = None) -> nn.Module | None:  # noqa: ARG001
    """Take a clamp at 0 for a rectifier, one between two numbers for a hard tanh."""
    if isinstance(min, Tensor) or isinstance(max, Tensor) or min is None:
        return None
    if max is None:
        return nn.ReLU() if min == 0 else None
    return nn.Hardtanh(float(min), float(max))


def _maximum(input: Tensor, other: Any) -> nn.Module | None:  # noqa: ARG001
    return nn.ReLU() if isinstance(other, Tensor) and not other.any() else None


def _prelu(input: Tensor, weight: Tensor) -> nn.Module:  # noqa: ARG001
    module = nn.PReLU(weight.numel())
    module.weight = nn.Parameter(weight.detach(), requires_grad=False)
    return module.eval()


def _mean(input: Tensor, dim: Any = None, keepdim: bool = False) -> nn.Module | None:
    """Take the mean over the places of maps for global average pooling."""
    axes = {d % input.dim() for d in dim} if isinstance(dim, tuple | list) else set()
    if input.dim() != _MAPS or axes != {2, 3}:
        return None
    pool = nn.AdaptiveAvgPool2d(1)
    return pool if keepdim else nn.Sequential(pool, nn.Flatten())


def _flatten(input: Any, output: Tensor) -> nn.Module | None:
    """Take what keeps exemplars apart and makes one row of each for a flattening."""
    is_row = isinstance(input, Tensor) and output.dim() == 2 and len(output) == len(input)
    return nn.Flatten() if is_row and input.dim() > 1 else None


_SLIDING = ("kernel_size", "stride", "padding")
_TABLE: dict[Callable[..., Any], _Maker] = {
    **dict.fromkeys(
        (functional.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), _plain(nn.ReLU)
    ),
    functional.relu6: _plain(nn.ReLU6),
    **dict.fromkeys(
        (functional.leaky_relu, functional.leaky_relu_), _chosen(nn.LeakyReLU, "negative_slope")
    ),
    **dict.fromkeys((functional.prelu, torch.prelu, Tensor.prelu), _prelu),
    **dict.fromkeys((functional.elu, functional.elu_), _chosen(nn.ELU, "alpha")),
    **dict.fromkeys((functional.selu, torch.selu, torch.selu_), _plain(nn.SELU)),
    **dict.fromkeys((functional.celu, torch.celu, torch.celu_), _chosen(nn.CELU, "alpha")),
    functional.gelu: _chosen(nn.GELU),
    functional.silu: _plain(nn.SiLU),
    functional.mish: _plain(nn.Mish),
    **dict.fromkeys((functional.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_),
                    _plain(nn.Tanh)),
    **dict.fromkeys(
        (functional.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_),
        _plain(nn.Sigmoid),
    ),
    functional.softplus: _chosen(nn.Softplus, "beta", "threshold"),
    functional.softsign: _plain(nn.Softsign),
    **dict.fromkeys(
        (functional.hardtanh, functional.hardtanh_), _chosen(nn.Hardtanh, "min_val", "max_val")
    ),
    functional.hardswish: _plain(nn.Hardswish),
    functional.hardsigmoid: _plain(nn.Hardsigmoid),
    **dict.fromkeys(
        (torch.clamp, torch.clamp_, torch.clip, torch.clip_, Tensor.clamp, Tensor.clamp_,
         Tensor.clip, Tensor.clip_, torch.clamp_min, torch.clamp_min_, Tensor.clamp_min,
         Tensor.clamp_min_),
        _clamp,
    ),
    **dict.fromkeys((torch.maximum, torch.max, Tensor.maximum, Tensor.max), _maximum),
    functional.max_pool2d: _chosen(nn.MaxPool2d, *_SLIDING, "dilation", "ceil_mode"),
    functional.avg_pool2d: _chosen(nn.AvgPool2d, *_SLIDING, "ceil_mode", "count_include_pad"),
    functional.adaptive_avg_pool2d: _chosen(nn.AdaptiveAvgPool2d, "output_size"),
    **dict.fromkeys((torch.mean, Tensor.mean), _mean),
}  # fmt: skip
MAKERS_OF_NEW = {
    torch.zeros_like, torch.ones_like, torch.empty_like, torch.full_like, torch.rand_like,
    torch.randn_like, Tensor.new_zeros, Tensor.new_ones, Tensor.new_full, Tensor.new_empty,
}  # fmt: skip
"""They ask a tensor for its shape only."""
_DROPOUTS = {functional.dropout, functional.dropout1d, functional.dropout2d, torch.dropout}
"""They hand their input on as it is, but where they are told to train."""
_RESHAPES = {
    torch.flatten, Tensor.flatten, Tensor.view, Tensor.reshape, torch.reshape, torch.squeeze,
    Tensor.squeeze,
}  # fmt: skip
