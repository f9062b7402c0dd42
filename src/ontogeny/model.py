"""The VGG family, and the stages of any network.

A *stage* is a convolution or dense layer together with the batch norm and the nonlinearity that
act on each of its units alone: the place where a layer's units live. May import torch,
`ontogeny.passes` and `ontogeny.errors` only.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.passes import ACTIVATIONS, NEUTRAL, NORMS, Call, calls

LOGITS = "logits"
PIXEL_MEAN, PIXEL_SCALE = 127.5, 63.75
"""`prepare` maps uint8 0..255 to -2..2: mean .5 and standard deviation .25 of the unit range."""


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
    """The nonlinearity; None where the layer's or the batch norm's output is the response."""
    n_units: int
    by_function: bool = False
    """The network applies the nonlinearity as a function: `activation` is its twin of a module."""


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

    Examples
    --------
    >>> black, white = np.zeros((1, 8, 8, 3), np.uint8), np.full((1, 8, 8, 3), 255, np.uint8)
    >>> float(ont.prepare(black).min()), float(ont.prepare(white).max())
    (-2.0, 2.0)
    >>> tuple(ont.prepare(white).shape)
    (1, 3, 8, 8)
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

    Examples
    --------
    Five exemplars in, a logit for each of three tokens out:

    >>> task = ont.load_task("faces", tokens=3, density=20, size=16)
    >>> network = ont.vgg(task, widths=(8, 16), dense=16, depth=1)
    >>> tuple(network(ont.prepare(task.images[task.probe[:5]])).shape)
    (5, 3)
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
    """Count the trainable numbers of a network.

    Examples
    --------
    >>> from ontogeny.model import parameters
    >>> parameters(ont.vgg())
    1239333
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def stages(model: nn.Module, example: Tensor) -> list[Stage]:
    """Return the stages of a network in the order in which a forward pass meets them.

    Parameters
    ----------
    model
        Any network; its nonlinearities may be modules or functions, in place or not.
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

    Examples
    --------
    >>> from ontogeny.model import stages
    >>> network = ont.vgg(widths=(8, 16), dense=16, depth=1)
    >>> example = ont.prepare(np.zeros((1, 16, 16, 3), np.uint8))
    >>> [(stage.name, stage.n_units) for stage in stages(network, example)]
    [('conv1', 8), ('conv2', 16), ('fc1', 16), ('logits', 5)]
    """
    made = calls(model, example)
    starts = [i for i, call in enumerate(made) if isinstance(call.module, nn.Conv2d | nn.Linear)]
    if not starts:
        msg = "expected a network with Conv2d or Linear layers, got none: nothing has units here"
        raise InputError(msg)
    used = [id(made[i].module) for i in starts]
    if len(set(used)) < len(used):
        names = sorted({made[i].name for i in starts if used.count(id(made[i].module)) > 1})
        msg = f"expected each layer to be used once in a pass, got {', '.join(names)} used again"
        raise InputError(msg)
    found = [_stage(made[start], made[start + 1 :]) for start in starts]
    last = found[-1]
    if last.kind == "dense" and last.activation is None and last.name != LOGITS:
        found[-1] = replace(last, name=LOGITS)
    return found


def _stage(call: Call, later: Sequence[Call]) -> Stage:
    """Gather what acts on each unit alone after a layer: up to whatever else takes its output."""
    norm, activation, live, by_function = None, None, call.output, False
    for k, after in enumerate(later):
        if not any(given is live for given in after.inputs):
            continue
        if isinstance(after.module, NORMS) and norm is None:
            norm, live = after.module, after.output
        elif isinstance(after.module, ACTIVATIONS) and not _is_gate(after, later[k + 1 :]):
            activation, by_function = after.module, after.by_function
            break
        elif not isinstance(after.module, NEUTRAL) and after.output.shape == live.shape:
            break
    module = call.module
    assert isinstance(module, nn.Conv2d | nn.Linear)
    kind = "conv" if isinstance(module, nn.Conv2d) else "dense"
    units = module.out_channels if isinstance(module, nn.Conv2d) else module.out_features
    return Stage(call.name, kind, module, norm, activation, units, by_function)


def _is_gate(call: Call, later: Sequence[Call]) -> bool:
    """Say whether a nonlinearity's output meets its own input again at once, as z * sigmoid(z)."""
    given, made = call.inputs[0], call.output
    following = next((c for c in later if any(t is made for t in c.inputs)), None)
    return made is not given and following is not None and any(t is given for t in following.inputs)


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
