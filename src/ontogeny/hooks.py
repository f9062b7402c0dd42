"""Observing one network: hooks that gather, while the exemplars pass, what the record keeps.

Everything is reduced inside the hooks, chunk by chunk; nothing but the reduced arrays stays, so
memory is bounded by one chunk, whatever the number of exemplars or snapshots. The network is left
as it was: hooks are removed, training flags, gradients, buffers and random state are untouched.
Nonlinearities must be modules to be seen. May import coupling, model and errors.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float16
from torch import Tensor, nn

from ontogeny.coupling import (
    ConvolutionMap,
    Coupling,
    DenseMap,
    InputMoments,
    LayerMoments,
    LinearMap,
    Scratch,
    Segment,
    Spread,
)
from ontogeny.errors import InputError
from ontogeny.model import Stage, prepare, stages

PIXELS = "pixels"
"""The image's channels as sources of the first layer are "pixels:0" ..."""

CHUNK_POSITIONS = 100 * 32 * 32
"""Image positions in a chunk unless told otherwise: 100 exemplars of 32 x 32 pixels."""


@dataclass(frozen=True)
class Wiring:
    """Layers, units and edges of a network; the same at all its snapshots."""

    layers: tuple[str, ...]
    """Names in forward order."""
    n_units: tuple[int, ...]
    """Of each layer."""
    fan_in: tuple[tuple[int, int], ...]
    """(sources, groups) of each layer; empty where couplings are not observed."""

    @property
    def units(self) -> list[str]:
        """Names of the units, such as "conv1:17", by layer and channel."""
        sizes = zip(self.layers, self.n_units, strict=True)
        return [f"{layer}:{channel}" for layer, n in sizes for channel in range(n)]

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the names of each edge's source and target; by layer, then target, then source."""
        below = [PIXELS, *self.layers[:-1]]
        sources, targets = [np.zeros(0, dtype=str)], [np.zeros(0, dtype=str)]
        for k, (n_sources, groups) in enumerate(self.fan_in):
            names = np.array([f"{below[k]}:{i}" for i in range(n_sources)])
            blocks = names.reshape(groups, 1, -1)
            shape = (groups, self.n_units[k] // groups, blocks.shape[2])
            sources.append(np.broadcast_to(blocks, shape).ravel())
            units = np.array([f"{self.layers[k]}:{j}" for j in range(self.n_units[k])])
            targets.append(np.repeat(units, blocks.shape[2]))
        return np.concatenate(sources), np.concatenate(targets)


@dataclass(frozen=True, eq=False)
class Observation:
    """What one snapshot shows; fields are named as the record's variables (see `record`)."""

    wiring: Wiring
    activation: Float[np.ndarray, "exemplar unit"]
    activation_maximum: Float[np.ndarray, "exemplar unit"]
    logit: Float[np.ndarray, "exemplar output"]
    unit_mean: Float[np.ndarray, " unit"]
    unit_variance: Float[np.ndarray, " unit"]
    unit_maximum: Float[np.ndarray, " unit"]
    coupling: Float[np.ndarray, " edge"] | None = None
    coupling_token_signal: Float[np.ndarray, " edge"] | None = None
    coupling_contrast: Float16[np.ndarray, "edge token"] | None = None


class Probe:
    """The exemplars that every snapshot is shown: prepared and sorted by token once.

    Parameters
    ----------
    images
        uint8 [exemplar, y, x, channel], which `prepare` turns into the network's input; or that
        input itself, a floating tensor [exemplar, channel, y, x] or [exemplar, feature].
    token
        int [exemplar]; None where tokens are unknown: then no token signal and no contrast.
    n_tokens
        How many tokens there are; None: the largest in `token` + 1.
    chunk
        Exemplars that pass the network at once; it bounds the memory. None: 100 at 32 x 32
        pixels, fewer of larger images.

    Raises
    ------
    InputError
        If there are no exemplars, or images and tokens do not fit each other.
    """

    def __init__(
        self,
        images: np.ndarray | Tensor,
        token: np.ndarray | None = None,
        *,
        n_tokens: int | None = None,
        chunk: int | None = None,
    ) -> None:
        x = _network_input(images)
        token = _checked_tokens(token, n_tokens, len(x))
        self.has_tokens = token is not None
        groups = np.zeros(len(x), dtype=np.int64) if token is None else token
        self.n_groups = n_tokens or int(groups.max()) + 1
        self.order = np.argsort(groups, kind="stable")
        self.is_sorted = bool(np.all(np.diff(groups) >= 0))
        self.groups = groups[self.order]
        self.x = x[torch.as_tensor(self.order)]
        if x.dim() == 4:
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        positions = math.prod(x.shape[2:])
        self.chunk = chunk or max(1, CHUNK_POSITIONS // positions)
        self.moments: dict[tuple[object, ...], InputMoments] = {}
        """Of the images themselves, by the first layer's geometry; filled when first needed."""
        self.chains: set[Wiring] = set()
        """Networks found to be chains."""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def example(self) -> Tensor:
        """Two different inputs: an exemplar and a ramp, for looking at how a network is wired."""
        first = self.x[:1]
        ramp = torch.linspace(-1, 1, first.numel(), dtype=first.dtype).reshape(first.shape)
        return torch.cat([first, ramp])

    def chunks(self) -> Iterator[tuple[slice, list[Segment]]]:
        """Yield each chunk's rows and the groups in it as (group, start, stop)."""
        for start in range(0, len(self), self.chunk):
            groups = self.groups[start : start + self.chunk]
            cuts = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(groups)]
            segments = [(int(groups[a]), a, b) for a, b in pairwise(cuts)]
            yield slice(start, start + len(groups)), segments

    def restore(self, rows: Tensor) -> np.ndarray:
        """Return rows [exemplar, ...] in the exemplars' own order."""
        if self.is_sorted:
            return rows.numpy()
        restored = torch.empty_like(rows)
        restored[torch.as_tensor(self.order)] = rows
        return restored.numpy()


def observe_network(
    model: nn.Module,
    images: np.ndarray | Tensor | Probe,
    token: np.ndarray | None = None,
    *,
    couplings: bool = True,
) -> Observation:
    """Show exemplars to a network and return activations, logits and couplings.

    Parameters
    ----------
    model
        Any network whose Conv2d and Linear layers form a chain; for `couplings=False`, any network
        that uses each such layer once. It is left as it was.
    images
        A `Probe`, or what one is made of; give a `Probe` where many snapshots are observed.
    token
        int [exemplar], with images.
    couplings
        Observe couplings too; costs about one more forward pass.

    Returns
    -------
    Observation
        float32 (contrast: float16) arrays; see the record for their definitions.

    Raises
    ------
    InputError
        If the network is not a chain, has a batch norm without running statistics, or does not
        return logits; `couplings=False` lifts the first two.
    """
    probe = images if isinstance(images, Probe) else Probe(images, token)
    device = next(model.parameters()).device
    with undisturbed(model):
        found = stages(model, probe.x[:1].to(device))
        wiring = _wiring(found, probe, couplings)
        if couplings and wiring not in probe.chains:
            _refuse(chain_faults(model, found, probe.example.to(device)))
            probe.chains.add(wiring)
        gathering = _Gathering(found, probe, couplings)
        with listening(found, gathering.at_layer, gathering.at_response):
            logits = []
            for rows, segments in probe.chunks():
                gathering.begin(probe.x[rows].to(device), rows, segments)
                logits.append(_logits(model(gathering.x)))
        outputs = torch.cat(logits).cpu()
        if probe.has_tokens and probe.n_groups > outputs.shape[1]:
            msg = (
                f"expected a logit for each of {probe.n_groups} tokens, got {outputs.shape[1]}: "
                "mend the tokens or the network"
            )
            raise InputError(msg)
        return gathering.observation(wiring, outputs)


def network_logits(model: nn.Module, probe: Probe) -> Float[np.ndarray, "exemplar output"]:
    """Return the logits of exemplars alone, in their own order; the network is left as it was."""
    device = next(model.parameters()).device
    with undisturbed(model):
        found = [_logits(model(probe.x[rows].to(device))) for rows, _ in probe.chunks()]
        return probe.restore(torch.cat(found).cpu().float())


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode without gradients, and leave it and torch as they were."""
    training = {module: module.training for module in model.modules()}
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), torch.inference_mode():
        try:
            model.eval()
            yield
        finally:
            for module, flag in training.items():
                module.training = flag


@contextmanager
def listening(
    found: Sequence[Stage],
    at_layer: Callable[[int, Tensor, Tensor], None],
    at_response: Callable[[int, Tensor], Tensor | None],
) -> Iterator[None]:
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
    """
    present = -1

    def pass_layer(module: nn.Module, args: tuple[Tensor, ...], z: Tensor) -> None:
        nonlocal present
        present = next(k for k, stage in enumerate(found) if stage.module is module)
        at_layer(present, args[0], z)

    def pass_response(module: nn.Module, _: tuple[Tensor, ...], a: Tensor) -> Tensor | None:
        nonlocal present
        if present < 0 or response(found[present]) is not module:
            return None
        index, present = present, -1
        return at_response(index, a)

    handles = [stage.module.register_forward_hook(pass_layer) for stage in found]
    try:
        for module in {response(stage): None for stage in found}:
            handles.append(module.register_forward_hook(pass_response))
        yield
    finally:
        for handle in handles:
            handle.remove()


def response(stage: Stage) -> nn.Module:
    """Return the module whose output is the stage's activation."""
    return stage.activation or stage.norm or stage.module


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
    faults = _counts_that_do_not_fit(found, example.shape[1])
    for k in range(1, len(found) if not faults else 0):
        below, here = found[k - 1], found[k]
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


def _counts_that_do_not_fit(found: Sequence[Stage], channels: int) -> list[str]:
    """Compare each layer's input channels with the units of the layer before it."""
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


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        msg = (
            "couplings need each layer's input to be the units of the layer before it, got "
            f"{'; '.join(faults)}: observe this network with couplings=False"
        )
        raise InputError(msg)


class _Gathering:
    """What the hooks have gathered in one pass of the probe."""

    def __init__(self, found: Sequence[Stage], probe: Probe, couplings: bool) -> None:
        self.found, self.probe = found, probe
        self.layers = _linear_maps(found, probe.x.shape[1]) if couplings else []
        sizes = [stage.n_units for stage in found]
        ends = np.cumsum(sizes).tolist()
        self.spans = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.means = torch.empty(len(probe), ends[-1])
        self.tops = torch.empty(len(probe), ends[-1])
        self.spreads = [Spread() for _ in found]
        self.scratch = Scratch()
        self.moments = [LayerMoments(m, probe.n_groups, self.scratch) for m in self.layers]
        self.first: InputMoments | None = None
        self.is_image = False

    def begin(self, x: Tensor, rows: slice, segments: list[Segment]) -> None:
        """Take the next chunk."""
        self.x, self.rows, self.segments = x, rows, segments

    def at_layer(self, index: int, x: Tensor, z: Tensor) -> None:
        """Add the moments of a layer's input and pre-activation."""
        if not self.layers:
            return
        if index == 0 and InputMoments.fit(self.layers[0]):
            self._add_images(x)
        else:
            self.moments[index].add(x, z, self.segments)

    def at_response(self, index: int, a: Tensor) -> None:
        """Reduce the map of each unit to its mean, its maximum and its variance."""
        axis = 1 if self.found[index].kind == "conv" else a.dim() - 1
        over, span = [d for d in range(1, a.dim()) if d != axis], self.spans[index]
        mean = a.mean(over) if over else a
        self.means[self.rows, span] = mean.to(self.means)
        self.tops[self.rows, span] = (a.amax(over) if over else a).to(self.tops)
        spread = self.spreads[index]
        shift = spread.shift(a, axis)
        squares = torch.ops.aten.mse_loss.out(
            a, shift.expand_as(a), 0, out=self.scratch.like(a)
        )  # (a - shift)^2 in one pass, without fresh memory
        squares = squares.mean(over) if over else squares
        spread.add(mean.double() - shift.flatten().double(), squares, a[0].numel() // a.shape[axis])

    def observation(self, wiring: Wiring, logits: Tensor) -> Observation:
        """Return what was seen, in the exemplars' own order."""
        variance = torch.cat([spread.variance.cpu() for spread in self.spreads])
        return Observation(
            wiring=wiring,
            activation=self.probe.restore(self.means),
            activation_maximum=self.probe.restore(self.tops),
            logit=self.probe.restore(logits.float()),
            unit_mean=self.means.mean(0, dtype=torch.float64).float().numpy(),
            unit_variance=variance.float().numpy(),
            unit_maximum=self.tops.amax(0).numpy(),
            **self._couplings(),
        )

    def _add_images(self, x: Tensor) -> None:
        """Add the first layer's input; images that stay the same are taken in only once."""
        layer, cache = self.layers[0], self.probe.moments
        is_image = x.shape == self.x.shape and torch.equal(x, self.x)
        if self.rows.start == 0:
            self.is_image = is_image
            known = cache.get(layer.geometry) if is_image else None
            self.first = known or InputMoments(layer, self.probe.n_groups)
        assert self.first is not None
        self.is_image &= is_image
        if self.first is not cache.get(layer.geometry):
            self.first.add(layer, x, self.segments)

    def _couplings(self) -> dict[str, np.ndarray]:
        """Return the couplings of all layers, edge after edge."""
        if not self.layers:
            return {}
        found = [self._coupling(k) for k in range(len(self.layers))]
        arrays = {"coupling": torch.cat([c.share.flatten() for c in found]).float()}
        if self.probe.has_tokens:
            signals = [c.token_signal.flatten() for c in found]
            arrays["coupling_token_signal"] = torch.cat(signals).float()
            contrasts = [c.contrast.flatten(0, 1).half() for c in found]
            arrays["coupling_contrast"] = torch.cat(contrasts)
        return {name: array.cpu().numpy() for name, array in arrays.items()}

    def _coupling(self, k: int) -> Coupling:
        norm = self.found[k].norm
        weight = getattr(norm, "weight", None)
        sign = None if weight is None else weight.sign()
        layer = self.layers[k]
        if k > 0 or self.first is None:
            return self.moments[k].result(sign)
        if self.is_image:
            self.probe.moments[layer.geometry] = self.first
        return self.first.result(layer, sign)


def _linear_maps(found: Sequence[Stage], channels: int) -> list[LinearMap]:
    """Return each stage's layer as a map from the units of the one before."""
    below = [channels, *(stage.n_units for stage in found)]
    return [
        ConvolutionMap(stage.module)
        if isinstance(stage.module, nn.Conv2d)
        else DenseMap(stage.module, n_sources)
        for stage, n_sources in zip(found, below, strict=False)
    ]


def _wiring(found: Sequence[Stage], probe: Probe, couplings: bool) -> Wiring:
    maps = _linear_maps(found, probe.x.shape[1]) if couplings else []
    return Wiring(
        tuple(stage.name for stage in found),
        tuple(stage.n_units for stage in found),
        tuple((layer.n_sources, layer.groups) for layer in maps),
    )


def _network_input(images: np.ndarray | Tensor) -> Tensor:
    """Return what the network is given; uint8 images are prepared."""
    if isinstance(images, np.ndarray) and not images.flags.writeable:
        images = images.copy()  # torch warns of arrays that it must not write to
    x = torch.as_tensor(images)
    if x.dtype == torch.uint8 and x.dim() == 4:
        x = prepare(x)
    if not x.is_floating_point() or x.dim() not in {2, 4} or len(x) == 0:
        msg = (
            "expected exemplars as uint8 [exemplar, y, x, channel] or as a floating network input, "
            f"got {x.dtype} of shape {tuple(x.shape)}: mend the probe"
        )
        raise InputError(msg)
    return x


def _checked_tokens(
    token: np.ndarray | None, n_tokens: int | None, n_exemplars: int
) -> np.ndarray | None:
    if token is None:
        return None
    token = np.asarray(token)
    highest = n_tokens or math.inf
    is_index = token.shape == (n_exemplars,) and token.dtype.kind in "iu"
    if not is_index or token.min() < 0 or token.max() >= highest:
        msg = (
            f"expected a token from 0 to {highest} (excluded) for each of {n_exemplars} exemplars, "
            f"got {token.dtype} of shape {token.shape}: give one index an exemplar"
        )
        raise InputError(msg)
    return token.astype(np.int64)


def _logits(output: object) -> Tensor:
    if not isinstance(output, Tensor) or output.dim() != 2:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        msg = f"expected a network that returns logits [exemplar, token], got {shape}: wrap it so"
        raise InputError(msg)
    return output
