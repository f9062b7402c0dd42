"""The VGG family, and the stages of any network whose layers form a chain.

A *stage* is a convolution or dense layer together with the batch norm and the nonlinearity that
follow it: the place where a layer's units live. May import torch and `ontogeny.errors` only.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.errors import InputError

LOGITS = "logits"
PIXEL_MEAN, PIXEL_SCALE = 127.5, 63.75
"""`prepare` maps uint8 0..255 to -2..2: mean .5 and standard deviation .25 of the unit range."""

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Hardtanh, nn.Hardswish,
)  # fmt: skip


class _HasTokens(Protocol):
    """What `vgg` reads of a task."""

    @property
    def channels(self) -> int: ...
    @property
    def n_tokens(self) -> int: ...


@dataclass(frozen=True)
class Stage:
    """One layer of units: its linear map, and the modules that act on each unit alone after it."""

    name: str
    kind: str
    """"conv" or "dense"."""
    module: nn.Conv2d | nn.Linear
    norm: nn.Module | None
    activation: nn.Module | None
    """The last elementwise module of the stage; None where the layer's output is the response."""
    n_units: int


def prepare(images: np.ndarray | Tensor) -> Tensor:
    """Return uint8 exemplars as the network's input.

    Parameters
    ----------
    images
        uint8, [exemplar, y, x, channel].

    Returns
    -------
    Tensor
        float32, [exemplar, channel, y, x] in channels-last memory order,
        (value - 127.5) / 63.75, thus -2 ... 2.
    """
    pixels = torch.as_tensor(images)
    return pixels.permute(0, 3, 1, 2).float().sub_(PIXEL_MEAN).div_(PIXEL_SCALE)


class Scale(nn.Module):
    """Multiply by a constant: a large output scale puts a network into the lazy regime."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, logits: Tensor) -> Tensor:
        """Return `factor * logits`."""
        return logits * self.factor

    def extra_repr(self) -> str:
        """Name the factor in the printed network."""
        return f"{self.factor}"


def vgg(  # noqa: PLR0913  (the options of the family, all keyword-only)
    task: _HasTokens | None = None,
    *,
    channels: int = 3,
    tokens: int = 5,
    widths: Sequence[int] = (32, 64, 128, 256),
    dense: int = 256,
    depth: int = 2,
    batch_norm: bool = False,
    init_gain: float = 1.0,
    output_scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """Build the VGG: groups of 3x3 convolutions with max-pooling between, one dense layer, logits.

    The default has 1,239,333 parameters for RGB and five tokens, at any image size.

    Parameters
    ----------
    task
        Sets `channels` and `tokens`; it wins over both.
    channels, tokens
        Input channels and network outputs.
    widths
        Units of each group's convolutions; 2x2 max-pooling follows each group.
    dense
        Units of the dense layer after global average pooling.
    depth
        Convolutions in a group.
    batch_norm
        Put batch norm between each convolution and its ReLU.
    init_gain
        Factor on the He initialisation of all weights: 1 by default, .3 slower and richer.
    output_scale
        Factor on the logits; large values make training lazy.
    seed
        Seed of the initial weights; no global random state is read or changed.

    Raises
    ------
    InputError
        If a width, a depth, a gain or a scale is not positive.

    References
    ----------
    Simonyan & Zisserman 2015 (VGG); He et al. 2015 (initialisation);
    Chizat, Oyallon & Bach 2019 (output scale and laziness).
    """
    if task is not None:
        channels, tokens = task.channels, task.n_tokens
    arguments = {
        "channels": channels, "tokens": tokens, "widths": list(widths), "dense": dense,
        "depth": depth, "batch_norm": batch_norm, "init_gain": init_gain,
        "output_scale": output_scale, "seed": seed,
    }  # fmt: skip
    _check_vgg(arguments)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw weights when they are made
        network = _build(arguments)
    _initialise(network, init_gain, seed)
    network.spec = {"factory": "ontogeny.model:vgg", "arguments": arguments}  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


FACTORIES: dict[str, Callable[..., nn.Module]] = {"ontogeny.model:vgg": vgg}
"""What a run folder may name as its network: a stranger's run must not be able to run code."""


def parameters(model: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def stages(model: nn.Module, example: Tensor) -> list[Stage]:
    """Return the stages of a network in the order in which a forward pass meets them.

    Parameters
    ----------
    model
        Any network; its nonlinearities must be modules to be seen as part of a stage.
    example
        A small input batch, [exemplar, channel, y, x] or [exemplar, feature].

    Returns
    -------
    list of Stage
        Named by the module's path with dots; the last dense stage without a nonlinearity is
        called "logits".

    Raises
    ------
    InputError
        If there is no convolution or dense layer, or one is used twice in a pass.
    """
    calls = _leaf_calls(model, example)
    starts = [i for i, (_, m) in enumerate(calls) if isinstance(m, nn.Conv2d | nn.Linear)]
    if not starts:
        msg = "expected a network with Conv2d or Linear layers, got none: nothing has units here"
        raise InputError(msg)
    used = [id(calls[i][1]) for i in starts]
    if len(set(used)) < len(used):
        names = sorted({calls[i][0] for i in starts if used.count(id(calls[i][1])) > 1})
        msg = f"expected each layer to be used once in a pass, got {', '.join(names)} used again"
        raise InputError(msg)
    found = [_stage(calls, start) for start in starts]
    last = found[-1]
    if last.kind == "dense" and last.activation is None and last.name != LOGITS:
        found[-1] = Stage(LOGITS, last.kind, last.module, last.norm, None, last.n_units)
    return found


def _leaf_calls(model: nn.Module, example: Tensor) -> list[tuple[str, nn.Module]]:
    """Return (path, module) of every leaf module in the order of one forward pass."""
    calls: list[tuple[str, nn.Module]] = []
    names = {module: name for name, module in model.named_modules()}
    leaves = [m for m in names if not any(True for _ in m.children())]
    training = {m: m.training for m in names}

    def note(module: nn.Module, *_: Any) -> None:
        calls.append((names[module], module))

    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        model.eval()
        with torch.inference_mode():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
        for module, flag in training.items():
            module.training = flag
    return calls


def _stage(calls: list[tuple[str, nn.Module]], start: int) -> Stage:
    """Gather what acts on each unit alone after the layer at `start`."""
    name, module = calls[start]
    norm, activation = None, None
    for _, after in calls[start + 1 :]:
        if isinstance(after, _NORMS) and norm is None and activation is None:
            norm = after
        elif isinstance(after, _ACTIVATIONS) and activation is None:
            activation = after
            break
        else:
            break
    assert isinstance(module, nn.Conv2d | nn.Linear)
    kind = "conv" if isinstance(module, nn.Conv2d) else "dense"
    units = module.out_channels if isinstance(module, nn.Conv2d) else module.out_features
    return Stage(name, kind, module, norm, activation, units)


def _build(arguments: dict[str, Any]) -> nn.Sequential:
    """Put the modules together; their weights are not yet the family's."""
    widths, dense = arguments["widths"], arguments["dense"]
    modules = _convolutions(
        arguments["channels"], widths, arguments["depth"], arguments["batch_norm"]
    )
    modules["pool"] = nn.AdaptiveAvgPool2d(1)
    modules["flatten"] = nn.Flatten()
    modules["fc1"] = nn.Linear(widths[-1], dense)
    modules["relu_fc1"] = nn.ReLU()
    modules[LOGITS] = nn.Linear(dense, arguments["tokens"])
    if arguments["output_scale"] != 1.0:
        modules["scale"] = Scale(arguments["output_scale"])
    return nn.Sequential(modules)


def _convolutions(
    channels: int, widths: Sequence[int], depth: int, batch_norm: bool
) -> OrderedDict[str, nn.Module]:
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    previous, index = channels, 0
    for group, width in enumerate(widths, start=1):
        for _ in range(depth):
            index += 1
            bias = not batch_norm
            modules[f"conv{index}"] = nn.Conv2d(previous, width, 3, padding=1, bias=bias)
            if batch_norm:
                modules[f"norm{index}"] = nn.BatchNorm2d(width)
            modules[f"relu{index}"] = nn.ReLU()
            previous = width
        if group < len(widths):
            modules[f"pool{group}"] = nn.MaxPool2d(2)
    return modules


def _initialise(network: nn.Module, gain: float, seed: int) -> None:
    """Draw He-normal weights (the logits: variance 1 / fan-in) and zero the biases."""
    generator = torch.Generator().manual_seed(seed)
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        fan_in = module.weight[0].numel()
        square = 1.0 if name == LOGITS else 2.0
        with torch.no_grad():
            module.weight.normal_(0.0, gain * math.sqrt(square / fan_in), generator=generator)
            if module.bias is not None:
                module.bias.zero_()


def _check_vgg(arguments: dict[str, Any]) -> None:
    counts = ["channels", "tokens", "dense", "depth"]
    wrong = [f"{name}={arguments[name]}" for name in counts if arguments[name] < 1]
    wrong += [f"{n}={arguments[n]}" for n in ("init_gain", "output_scale") if arguments[n] <= 0]
    if not arguments["widths"] or min(arguments["widths"]) < 1:
        wrong.append(f"widths={arguments['widths']}")
    if wrong:
        msg = f"expected positive sizes and factors for the network, got {', '.join(wrong)}"
        raise InputError(msg)
