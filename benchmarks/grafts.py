"""Grafts across time: the whole grid within its budget, and a small one beside the naive loop."""

import tempfile

import torch
from torch import nn

import ontogeny as ont
from benchmarks.timing import Row, at_least, paired, seconds
from ontogeny.construction.grafting import Grafting
from ontogeny.construction.grafts import EXEMPLARS, STEPS
from ontogeny.construction.halves import Halves
from ontogeny.construction.readiness import Shown
from ontogeny.hooks import Probe
from ontogeny.model import stages
from ontogeny.progress import silent

BUDGET = 60.0
FEW = (0, 10, 60)
"""Steps of the small grid."""


def rows() -> list[Row]:
    task = ont.load_task("faces", density=200, size=32)
    with tempfile.TemporaryDirectory() as folder:
        run = ont.train(task, config=ont.Config(steps=60, snapshots=30), out=folder)
        ont.observe(run, couplings=False)
        took = seconds(lambda: ont.grafts(run))
        one = seconds(lambda: run.network(60)(ont.prepare(task.images[task.probe[:EXEMPLARS]])))
        small = _beside_the_loop(run, task)
    name = f"grafts, {STEPS} x {STEPS} steps, 9 cuts, {EXEMPLARS} exemplars, with stitches"
    passes = f"{took / one:.0f} forward passes of its exemplars"
    return [Row(name, took, None, passes, None, f"<= {BUDGET:g} s", took <= BUDGET), small]


def _beside_the_loop(run: ont.Run, task: ont.Task) -> Row:
    """Compare with a new network for each graft, whose weights are copied layer by layer."""
    rows = task.probe[:EXEMPLARS]
    probe = Probe(task.images[rows])
    models, spare = [run.network(step) for step in FEW], run.network(0)
    networks = [Halves(run.network(step), probe.example) for step in FEW]
    names = [stage.name for stage in stages(models[0], probe.example)]
    shown = Shown(task.token[rows], task.group[rows], task.tokens)
    grafting = Grafting(networks, probe.x, shown, list(range(len(names) - 1)), seed=0)

    def loop() -> None:
        for lower in models:
            for upper in models:
                for k in range(len(names) - 1):
                    _graft(lower, upper, set(names[: k + 1]), spare)(probe.x)

    with torch.inference_mode():
        times = paired(lambda: grafting.plain(silent), loop, repeats=3)
    name = f"grafts, {len(FEW)} x {len(FEW)} steps, 9 cuts, {EXEMPLARS} exemplars"
    return at_least(name, "a new network and a whole pass for each graft", times, 2)


def _graft(lower: nn.Module, upper: nn.Module, below: set[str], network: nn.Module) -> nn.Module:
    weights = upper.state_dict()
    taken = {n: v for n, v in lower.state_dict().items() if n.partition(".")[0] in below}
    network.load_state_dict(weights | taken)
    return network
