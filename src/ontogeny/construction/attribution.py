"""What flows along every edge of a network into one of its outputs, for one picture: exact.

With the gates of one picture fixed (which side of 0 each rectifier is on, which place each max-pool
takes) the network is linear, so weight times input times gradient is what an edge gives to the
output, and nothing is left over. May import torch, coupling, hooks, model, passes and errors.

References
----------
Balduzzi et al. 2017, arXiv:1702.08591, and Wang et al. 2016 (a rectifier network is linear between
its gates); Bach et al. 2015 (layer-wise relevance propagation) and Ancona et al. 2018,
arXiv:1711.06104 (it is input times gradient in such a network); Srinivas & Fleuret 2019,
arXiv:1905.00780 (the bias terms make it complete); Townsend 2017, A new trick for calculating
Jacobian vector products.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from ontogeny.coupling import LinearMap
from ontogeny.errors import InputError
from ontogeny.hooks import listening, undisturbed
from ontogeny.hooks.blueprint import PIXELS, linear_maps
from ontogeny.hooks.chains import counts_that_do_not_fit
from ontogeny.model import Stage, stages
from ontogeny.passes import device_of

GATES = (nn.ReLU, nn.LeakyReLU, nn.PReLU)
"""Nonlinearities that are linear on either side of 0, and 0 at 0."""
BALANCE = 1e-6
"""Of a layer's absolute attribution: what may be missing from it, by rounding in float64."""


@dataclass(frozen=True, eq=False)
class LayerAttribution:
    """What flows into one layer's units and what they are; float64. The last has one: the output.

    The batch norm of a layer is part of its weights and its bias.
    """

    name: str
    attribution: np.ndarray
    """[target, source]: sum over places and taps of gradient * weight * input."""
    contribution: np.ndarray
    """[target, source]: mean over places of the sum over taps of weight * input."""
    bias_attribution: np.ndarray
    """[target]: sum over places of gradient * bias."""
    bias: np.ndarray
    """[target]"""
    preactivation: np.ndarray
    """[target]: mean over places; the row sum of `contribution` plus `bias`."""
    activation: np.ndarray
    """[target]: mean over places, behind the nonlinearity."""


@dataclass(frozen=True, eq=False)
class Attributions:
    """What flows through a network into one output."""

    layers: list[LayerAttribution]
    """From the first to the output."""
    pixels: np.ndarray
    """[channel]: the mean of the input that flows."""
    token: int
    """Index of the logit that is explained."""
    explained: float
    """The logit, or the contrast, of the picture."""
    reference: float
    """Of it, what the reference gives at the picture's gates; 0 without a reference."""

    @property
    def names(self) -> list[str]:
        """Of the layers, from the pixels up."""
        return [PIXELS, *(layer.name for layer in self.layers)]

    @property
    def units(self) -> list[np.ndarray]:
        """Names of each layer's units, from the pixels up."""
        *below, last = self.names
        sizes = [layer.attribution.shape[1] for layer in self.layers]
        names = [[f"{name}:{i}" for i in range(n)] for name, n in zip(below, sizes, strict=True)]
        return [np.array(each) for each in (*names, [f"{last}:{self.token}"])]

    @property
    def completeness_error(self) -> float:
        """Flow of pixels and biases less what they are to add up to."""
        total = self.layers[0].attribution.sum() + sum(
            layer.bias_attribution.sum() for layer in self.layers
        )
        return float(abs(total - (self.explained - self.reference)))


def attributions(
    model: nn.Module, x: Tensor, token: int, *, contrast: bool, reference: Tensor | None = None
) -> Attributions:
    """Return what each edge gives to a token's logit, from one pass there and back.

    Parameters
    ----------
    model
        A float64 network whose layers form a chain.
    x
        float64 [1, channel, y, x].
    token
        Whose logit.
    contrast
        The logit less the mean of all logits, instead of the logit alone.
    reference
        Of the shape of `x`: its difference from `x` is what flows, so that biases drop out; None:
        `x` itself flows, and biases.

    Raises
    ------
    InputError
        If the network is not linear through 0 between its gates, no chain, or has no such logit.
    """
    with undisturbed(model), torch.inference_mode(False), torch.enable_grad():
        x = x.to(device_of(model)).clone().requires_grad_()
        found = stages(model, x.detach())
        _refuse_curved(found, x.shape[1])
        seen = _Pass(found)
        logits = seen.run(model, x)
        _refuse_no_logit(logits, token)
        output = logits[0, token] - (logits[0].mean() if contrast else 0)
        edges = [seen.edges[k] for k in range(len(found))]
        gradients = torch.autograd.grad(output, edges, retain_graph=True, materialize_grads=True)
        difference = None if reference is None else x.detach() - reference.to(x.device)
        moved = seen.take_signals(output, x, difference)
    with torch.no_grad():
        maps = linear_maps(found, x.shape[1])
        parts = [_layer(seen, k, *each) for k, each in enumerate(zip(maps, gradients, strict=True))]
        _refuse_unbalanced(seen, gradients, parts, moved)
    pixels = seen.inputs[0].mean((0, 2, 3)).cpu().numpy()
    value = output.detach().item()
    at_reference = 0.0 if reference is None else value - moved
    return Attributions(
        [*parts[:-1], _output(parts[-1], moved)], pixels, token, value, at_reference
    )


@dataclass(eq=False)
class _Pass:
    """What is met on the way up: each layer's input, pre-activation and activation."""

    found: Sequence[Stage]
    inputs: dict[int, Tensor] = field(default_factory=dict)
    values: dict[int, Tensor] = field(default_factory=dict)
    responses: dict[int, Tensor] = field(default_factory=dict)
    edges: dict[int, GradientEdge] = field(default_factory=dict)
    has_bias: bool = True
    """Biases count, too; not where differences are followed."""

    def run(self, model: nn.Module, x: Tensor) -> Tensor:
        """Return the logits [1, token]."""
        with self._norms(), listening(self.found, self._at_layer, self._at_response) as ears:
            logits = model(x.clone())  # a network may change its input in place
            ears.complete()
        return logits

    def take_signals(self, output: Tensor, x: Tensor, difference: Tensor | None) -> float:
        """Turn what was met into what flows, and return the output's part.

        That is what was met itself, or, for a difference of the input, its product with the
        Jacobian: what it becomes between the gates.
        """
        self.has_bias = difference is None
        places = [(kept, k) for kept in (self.inputs, self.values, self.responses) for k in kept]
        met = [output, *(kept[k] for kept, k in places)]
        if difference is None:
            signals = [value.detach() for value in met]
        else:
            signals = _jacobian_product(met, x, difference)
        for (kept, k), signal in zip(places, signals[1:], strict=True):
            kept[k] = signal
        return signals[0].detach().item()

    def _at_layer(self, index: int, x: Tensor, z: Tensor) -> None:
        self.inputs[index] = x.clone()
        if self.found[index].norm is None:
            self._at_preactivation(index, z)

    def _at_response(self, index: int, a: Tensor) -> None:
        self.responses[index] = a.clone()

    def _at_preactivation(self, index: int, z: Tensor) -> None:
        self.values[index] = z.clone()
        self.edges[index] = get_gradient_edge(z)  # z itself may be changed in place

    @contextmanager
    def _norms(self) -> Iterator[None]:
        """Take the batch norms' outputs for pre-activations where there are such."""
        handles = []
        for k, stage in enumerate(self.found):
            if stage.norm is not None:
                hook = lambda _, __, z, k=k: self._at_preactivation(k, z)  # noqa: E731
                handles.append(stage.norm.register_forward_hook(hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _jacobian_product(values: Sequence[Tensor], x: Tensor, difference: Tensor) -> Sequence[Tensor]:
    """Return what a difference of the input becomes at each value, to first order.

    The gradient is linear in what it is given from above; the gradient of that is the product
    (Townsend 2017). Forward differentiation would do, but it compiles code when it is first used.
    """
    above = [torch.zeros_like(value, requires_grad=True) for value in values]
    (below,) = torch.autograd.grad(values, x, above, create_graph=True)
    return torch.autograd.grad(below, above, difference, materialize_grads=True)


def _layer(seen: _Pass, k: int, layer: LinearMap, gradient: Tensor) -> LayerAttribution:
    """Return what flows into a layer's units."""
    stage = seen.found[k]
    scale, bias = _folded(stage, layer)
    weight, x = layer.weight() * scale[:, None, None], seen.inputs[k]
    per_group = len(weight) // layer.groups
    taps = layer.tap_means(x)[0].unflatten(0, (layer.groups, -1)).repeat_interleave(per_group, 0)
    bias = bias if seen.has_bias else torch.zeros_like(bias)
    values = {
        "attribution": _of_all_sources(layer, (weight * layer.weight_gradient(x, gradient)).sum(2)),
        "contribution": _of_all_sources(layer, (weight * taps).sum(2)),
        "bias_attribution": _by_unit(stage, gradient).sum(1) * bias,
        "bias": bias,
        "preactivation": _by_unit(stage, seen.values[k]).mean(1),
        "activation": _by_unit(stage, seen.responses[k]).mean(1),
    }
    return LayerAttribution(
        stage.name, **{name: value.cpu().numpy() for name, value in values.items()}
    )


def _folded(stage: Stage, layer: LinearMap) -> tuple[Tensor, Tensor]:
    """Return each unit's factor on its weights and its bias, with the batch norm in both."""
    weight, norm = layer.weight(), stage.norm
    own = layer.bias()
    bias = weight.new_zeros(len(weight)) if own is None else own
    if norm is None:
        return torch.ones_like(bias), bias
    assert isinstance(norm, nn.modules.batchnorm._BatchNorm)
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    scale = (variance + norm.eps).rsqrt()
    shift = -mean * scale
    if norm.affine:
        scale, shift = (
            scale * norm.weight.detach(),
            shift * norm.weight.detach() + norm.bias.detach(),
        )
    return scale, scale * bias + shift


def _output(last: LayerAttribution, moved: float) -> LayerAttribution:
    """Return the last layer as one unit, the output: what its units give to it, added up."""
    attribution, bias = (
        last.attribution.sum(0, keepdims=True),
        last.bias_attribution.sum(keepdims=True),
    )
    value = np.array([moved])
    return LayerAttribution(last.name, attribution, attribution, bias, bias, value, value)


def _of_all_sources(layer: LinearMap, values: Tensor) -> Tensor:
    """Return [target, source in group] as [target, source], 0 where there is no edge."""
    blocks = values.unflatten(0, (layer.groups, -1))
    return torch.block_diag(*blocks) if layer.groups > 1 else values


def _by_unit(stage: Stage, values: Tensor) -> Tensor:
    """Return one picture's values as [unit, place]."""
    return values.movedim(1 if stage.kind == "conv" else -1, 0).flatten(1)


def _refuse_curved(found: Sequence[Stage], channels: int) -> None:
    """Refuse what is no chain that is linear between its gates, by name."""
    curved = [s for s in found if s.activation is not None and not isinstance(s.activation, GATES)]
    faults = [f"{type(stage.activation).__name__} behind {stage.name}" for stage in curved]
    faults += counts_that_do_not_fit(found, channels)
    if faults:
        msg = (
            "expected a chain of layers that is linear through 0 while its gates stay as they are "
            f"(ReLU, LeakyReLU, PReLU, pooling, batch norm), got {'; '.join(faults)}: no graph of "
            "this network is exact; ablation_effects says what its units are needed for"
        )
        raise InputError(msg)


def _refuse_no_logit(logits: object, token: int) -> None:
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        msg = f"expected a network that returns logits [exemplar, token], got {shape}: wrap it so"
        raise InputError(msg)
    if not 0 <= token < logits.shape[1]:
        msg = f"expected the index of one of {logits.shape[1]} logits, got {token}: choose one"
        raise InputError(msg)


def _refuse_unbalanced(
    seen: _Pass, gradients: Sequence[Tensor], parts: Sequence[LayerAttribution], moved: float
) -> None:
    """Refuse a network in which what flows out of a unit is not what flows into it."""
    through = [
        _by_unit(stage, gradient * seen.values[k]).sum(1).cpu().numpy()
        for k, (stage, gradient) in enumerate(zip(seen.found, gradients, strict=True))
    ]
    through[-1] = through[-1].sum(keepdims=True)
    out = [*(part.attribution.sum(0) for part in parts[1:]), np.array([moved])]
    for stage, mine, passed in zip(seen.found, through, out, strict=True):
        size = max(np.abs(mine).sum(), np.abs(passed).sum())
        if np.abs(mine - passed).max() > BALANCE * size:
            msg = (
                f"expected each unit of {stage.name} to hand on to the next layer alone what "
                "flows into it, got something else: where layers are skipped or channels mixed, or "
                "something is added or normalised between layers, this graph is not exact; "
                "ablation_effects says what units are needed for"
            )
            raise InputError(msg)
