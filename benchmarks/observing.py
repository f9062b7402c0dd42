"""Observing one snapshot: what it costs beside a forward pass, a full trace, and ablation."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.timing import Row, at_least, at_most, missing, paired, release, seconds
from ontogeny.hooks import Probe, network_logits, observe_network
from ontogeny.model import stages, vgg

EXEMPLARS, SIZE = 500, 32
SAMPLE = 16
"""The ablation loop is timed on each 16th source and scaled: all of it takes minutes."""


def rows() -> list[Row]:
    """Measure at 32 px, 500 exemplars, the full network."""
    network = vgg().eval()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (EXEMPLARS, SIZE, SIZE, 3), dtype=np.uint8)
    probe = Probe(images, np.repeat(np.arange(5), EXEMPLARS // 5), n_tokens=5)

    def forward() -> None:
        with torch.inference_mode():
            for part in probe.x.split(probe.chunk):
                network(part)

    def full() -> None:
        observe_network(network, probe)

    torch_release = release("torch")
    both = paired(full, forward, repeats=15)
    alone = paired(lambda: observe_network(network, probe, couplings=False), forward, repeats=15)
    added = both[0] - alone[0]
    clones = Probe(probe.x)

    def extras() -> None:
        observe_network(network, probe, extras=True)
        network_logits(network, clones)

    everything = paired(extras, forward, repeats=15)
    return [
        at_most("observing: activations and couplings", f"forward, {torch_release}", both, 3.0),
        _extras_alone(everything, both, torch_release),
        at_most("observing: activations alone", f"forward, {torch_release}", alone, 1.1),
        _beside_trace(network, probe.x, lambda: observe_network(network, probe, couplings=False)),
        _beside_loop(network, probe.x, added),
        _beside_captum(network, probe.x, added),
    ]


def _extras_alone(
    everything: tuple[float, float, float], couplings: tuple[float, float, float], peer: str
) -> Row:
    """Return the row of nulls, attribution, interaction and clones, without what else is seen."""
    added, forward = everything[0] - couplings[0], everything[1]
    ratio = 1 / everything[2] - 1 / couplings[2]
    name = "observing: nulls, attribution, interaction and clones (seconds added)"
    return at_most(name, f"forward, {peer}", (added, forward, 1 / ratio), 4.0)


def _beside_trace(network: nn.Module, x: Tensor, ours: Callable[[], object]) -> Row:
    name, peer = "observing: activations alone beside a full trace", release("torchlens")
    try:
        import torchlens
    except ImportError as error:
        return missing(name, peer, ">= 1 x", str(error))

    def trace() -> None:
        with torch.no_grad():
            torchlens.trace(network, x)

    return at_least(name, peer, paired(ours, trace, repeats=5), 1.0)


def _layer_inputs(network: nn.Module, x: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """Return each layer of units with its input."""
    found, handles = [], []
    for stage in stages(network, x[:1]):
        note = lambda module, inputs, _: found.append((module, inputs[0].clone()))  # noqa: E731
        handles.append(stage.module.register_forward_hook(note))
    with torch.inference_mode():
        network(x)
    for handle in handles:
        handle.remove()
    return found


def ablated_shares(module: nn.Module, u: Tensor, sources: range) -> Tensor:
    """Return the shares [source, target] by taking one source out of the input at a time."""
    z = _units_last(module(u))
    centred = z - z.mean(0)
    variance = centred.square().mean(0)
    shares = []
    for i in sources:
        without = u.clone()
        without[:, i] = 0
        through = z - _units_last(module(without))
        shares.append((through * centred).mean(0) / variance)
    return torch.stack(shares)


def _units_last(z: Tensor) -> Tensor:
    return z.movedim(1, -1).flatten(0, -2)


def _beside_loop(network: nn.Module, x: Tensor, added: float) -> Row:
    total = 0.0
    with torch.inference_mode():
        for module, u in _layer_inputs(network, x):
            sources = range(0, u.shape[1], min(SAMPLE, u.shape[1]))
            base = seconds(lambda m=module, v=u: ablated_shares(m, v, range(1)))
            some = seconds(lambda m=module, v=u, s=sources: ablated_shares(m, v, s))
            each = some / len(sources) if len(sources) == 1 else (some - base) / (len(sources) - 1)
            total += each * u.shape[1]
    name = "couplings of all layers (seconds added to a pass)"
    peer = f"ablating each source, {release('torch')}"
    return at_least(name, peer, (added, total, total / added), 100.0)


def _beside_captum(network: nn.Module, x: Tensor, added: float) -> Row:
    name, peer = "couplings of all layers beside conv4 alone", f"{release('captum')} ablation"
    try:
        from captum.attr import FeatureAblation
    except ImportError as error:
        return missing(name, peer, ">= 1 x", str(error))
    module, u = _layer_inputs(network, x)[3]
    mask = torch.arange(u.shape[1]).view(1, -1, 1, 1)
    with torch.inference_mode():
        z = _units_last(module(u))
        centred = (z - z.mean(0)) / z.var(0, correction=0) / len(z)

        def shares(v: Tensor) -> Tensor:
            return (_units_last(module(v)) * centred).sum(0, keepdim=True)

        theirs = seconds(lambda: FeatureAblation(shares).attribute(u, feature_mask=mask, target=0))
    return at_least(name, peer, (added, theirs, theirs / added), 1.0)
