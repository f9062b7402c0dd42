"""Training: what recording costs, and how fast the loop is beside a usual one."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.timing import Row, at_least, paired, release
from ontogeny.config import Config, Precision
from ontogeny.model import vgg
from ontogeny.tasks import Task, load_task
from ontogeny.train import Training, train

STEPS = 120
LONG = 400
"""Laying out the folder and the last checkpoint cost once a run: 1,200 steps by default."""
DEFAULT_INTERVAL = 20
"""1,200 steps hold 60 snapshots: one in 20."""
BARE, USUAL = "the same loop, recording off", f"a usual loop, {release('torch')}"


def rows() -> list[Row]:
    """Measure training at 32 px, batch 50, the full network."""
    task = load_task("faces")
    default = recorded(task, LONG, DEFAULT_INTERVAL), bare(task, LONG)
    dense = recorded(task, LONG // 2, 1), bare(task, LONG // 2)
    half = recorded(task, STEPS, DEFAULT_INTERVAL, "bfloat16")
    return [
        at_least(
            "training with recording on, one snapshot in 20 steps",
            BARE,
            paired(*default, repeats=3),
            0.97,
        ),
        at_least(
            "training with recording on, a snapshot every step",
            BARE,
            paired(*dense, repeats=3),
            0.90,
        ),
        at_least(
            "training throughput, float32 (the default)",
            USUAL,
            paired(recorded(task, STEPS, DEFAULT_INTERVAL), usual(task), repeats=3),
            1.5,
        ),
        at_least(
            "training throughput, --precision bfloat16",
            USUAL,
            paired(half, usual(task), repeats=3),
            1.5,
        ),
    ]


def recorded(
    task: Task, steps: int, interval: int, precision: Precision = "float32"
) -> Callable[[], object]:
    """Train in a folder, with a snapshot every `interval` steps."""

    def act() -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = Config(steps=steps, snapshots=f"every:{interval}", precision=precision)
            train(task, config=config, out=Path(folder) / "run")

    return act


def bare(task: Task, steps: int) -> Callable[[], object]:
    """Run the same updates and write nothing."""

    def act() -> None:
        training = Training(vgg(task), task, Config(steps=steps))
        for _ in range(steps):
            training.advance()

    return act


def usual(task: Task) -> Callable[[], object]:
    """Run the loop of the tutorials: DataLoader, float32, default memory layout."""
    images = (torch.as_tensor(task.images[task.train]).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    data = TensorDataset(images.contiguous(), torch.as_tensor(task.token[task.train]))

    def act() -> None:
        network = vgg(task).to(memory_format=torch.contiguous_format)
        optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
        loss_of, step = nn.CrossEntropyLoss(), 0
        while step < STEPS:
            for batch, token in DataLoader(data, batch_size=50, shuffle=True):
                optimiser.zero_grad()
                loss_of(network(batch), token).backward()
                optimiser.step()
                step += 1
                if step == STEPS:
                    break

    return act
