"""Pictures, report and page of a default run, as shares of its training in processor time.

Both are processor time of the same machine in the same minutes, so that a busy machine changes the
share little; `python -m benchmarks drawing` makes the run, `python -m benchmarks.drawing RUN`
takes a finished one. Pictures are also made beside a neighbour that takes a core: wall time then.
"""

import multiprocessing
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F

import ontogeny as ont
from benchmarks.timing import Row, seconds
from ontogeny.model import prepare
from ontogeny.page.export import export
from ontogeny.pictures.store import picture_run

STEPS, BATCH, TIMED = 1200, 50, 12
BUDGETS = {"pictures": 0.18, "report": 0.06, "page": 0.03}
BESIDE_NEIGHBOUR = 2.5
"""Largest ratio of wall times with one busy neighbour on two cores; half of the machine is left."""


def rows(run: Path | None = None) -> list[Row]:
    """Time each stage on a copy of a run, or on a run made here."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "run"
        if run is None:
            task = ont.load_task("faces")
            ont.observe(ont.train(task, out=copy))
        else:
            shutil.copytree(run, copy, ignore=shutil.ignore_patterns("pictures.zarr"))
        ont.measure.measure_all(copy)
        return [*_shares(copy), _beside_a_neighbour(copy)]


def _shares(run: Path) -> list[Row]:
    stages: dict[str, Callable[[], object]] = {
        "pictures": lambda: picture_run(run),
        "report": lambda: ont.report(run),
        "page": lambda: export(run, run / "page.html"),
    }
    found = []
    for name, act in stages.items():
        before = _training_step(run)
        took = _processor_time(act)
        training = STEPS * (before + _training_step(run)) / 2
        share, most = took / training, BUDGETS[name]
        words = f"{name} of a default run, processor time"
        against = f"{STEPS:,} training steps"
        found.append(Row(words, took, training, against, share, f"<= {most:g}", share <= most))
    return found


def _beside_a_neighbour(run: Path) -> Row:
    """Compare making pictures alone with making them while another process takes a core."""
    shutil.rmtree(run / "pictures.zarr")
    alone = seconds(lambda: picture_run(run))
    shutil.rmtree(run / "pictures.zarr")
    with _neighbour():
        beside = seconds(lambda: picture_run(run))
    ratio = beside / alone
    return Row("pictures beside a busy neighbour", beside, alone, "without one", ratio,
               f"<= {BESIDE_NEIGHBOUR:g} x", ratio <= BESIDE_NEIGHBOUR)  # fmt: skip


def _training_step(run: Path) -> float:
    """Return the processor time of one step of the run's training, on one thread."""
    opened, threads = ont.Run.open(run), torch.get_num_threads()
    model = opened.network(opened.steps[-1]).to(memory_format=torch.channels_last).train()
    task = opened.task
    images, token = task.images[:BATCH], torch.as_tensor(task.token[:BATCH].astype("int64"))
    optimiser = torch.optim.AdamW(model.parameters())

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(model(prepare(images.copy())), token).backward()
        optimiser.step()

    torch.set_num_threads(1)
    try:
        step()
        return statistics.median(_processor_time(step) for _ in range(TIMED))
    finally:
        torch.set_num_threads(threads)


def _processor_time(act: Callable[[], object]) -> float:
    """Return the processor time of a call, that of processes which it starts and ends included."""
    before = time.process_time() + _of_children()
    act()
    return time.process_time() + _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _neighbour() -> Iterator[None]:
    """Keep one core busy."""
    other = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    other.start()
    try:
        yield
    finally:
        other.kill()
        other.join()


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    for row in rows(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(row.to_dict())
