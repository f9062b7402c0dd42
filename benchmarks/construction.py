"""Construction gain: what recombinations cost beside training, and beside dealing unit by unit."""

from collections.abc import Callable

import torch
from torch.nn import functional

from benchmarks.timing import Row, at_least, at_most, paired, release, seconds
from benchmarks.training import bare
from ontogeny.hooks import Probe, observe_network
from ontogeny.hooks.extras import ABOVE_DEALT, LINEAR, NULLS, RECTIFIED
from ontogeny.model import stages, vgg
from ontogeny.observe.exemplars import Exemplars
from ontogeny.tasks import load_task

STEPS, SNAPSHOTS, DETAILED, MOST = 1200, 61, 12, 5
SHORT = 30
"""Training steps that are timed; all take minutes."""
UNITS = 2
"""Units that the naive loop is timed on; all take an hour."""


def rows() -> list[Row]:
    """Measure at 32 px, the full network and its 500 held-out exemplars, one thread."""
    task, threads = load_task("faces"), torch.get_num_threads()
    shown, network = Exemplars.of(task), vgg(task).eval()
    how = shown.scored.recombination if shown.scored else None

    def observe(*extras: str) -> Callable[[], object]:
        return lambda: observe_network(network, shown.probe, extras=extras, recombination=how)

    torch.set_num_threads(1)  # as a run does
    try:
        training = seconds(bare(task, SHORT)) / SHORT * STEPS
        plain = paired(observe(NULLS), observe(NULLS), repeats=3)[0]
        linear = paired(observe(NULLS, LINEAR), observe(NULLS), repeats=3)[0]
        rectified = seconds(observe(NULLS, LINEAR, RECTIFIED))
        most = seconds(observe(NULLS, LINEAR, RECTIFIED, ABOVE_DEALT))
        naive = _naive_rectified(network, shown.scored.recombination.probe)
    finally:
        torch.set_num_threads(threads)
    peer = f"bare training of {STEPS} steps, {release('torch')}"
    return [
        _share("construction gain: linear part, all snapshots", SNAPSHOTS * (linear - plain),
               training, peer, 0.10),
        _share("construction gain: rectified part, 12 snapshots", DETAILED * (rectified - linear),
               training, peer, 0.25),
        _share("construction: dealt ancestors and dealt slices, 5 snapshots",
               MOST * (most - rectified), training, peer, 0.25),
        at_least("construction gain: rectified part of a snapshot", "a loop over units and deals",
                 (rectified - linear, naive, naive / (rectified - linear)), 1.0),
    ]  # fmt: skip


def _share(name: str, ours: float, training: float, peer: str, budget: float) -> Row:
    return at_most(name, peer, (ours, training, training / ours), budget)


def _naive_rectified(network: torch.nn.Module, probe: Probe) -> float:
    """Return the seconds of dealing and convolving unit by unit, scaled from a few units."""
    total, inputs = 0.0, {}
    found = stages(network, probe.x[:1])
    handles = [
        stage.module.register_forward_hook(
            lambda module, given, _, k=k: inputs.__setitem__(k, (module, given[0].clone())))
        for k, stage in enumerate(found)
    ]  # fmt: skip
    with torch.inference_mode():
        network(probe.x)
        for handle in handles:
            handle.remove()
        for k, (module, x) in inputs.items():
            if isinstance(module, torch.nn.Conv2d):
                each = seconds(lambda m=module, v=x, k=k: _deal(m, v, k))
                total += each / UNITS * module.out_channels
    return total


def _deal(module: torch.nn.Conv2d, x: torch.Tensor, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for unit in range(UNITS):
        row = module.weight[unit].flatten()
        for _ in range(19):
            order = torch.randperm(len(row), generator=generator)
            dealt = row[order].view(1, *module.weight.shape[1:])
            z = functional.conv2d(x, dealt, module.bias[unit : unit + 1], padding=module.padding)
            functional.relu(z).mean((2, 3))
