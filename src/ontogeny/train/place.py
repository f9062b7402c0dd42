"""The place of a training: threads, random state, machine and versions, on which its bits depend.

May import torch only.
"""

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

_DECISIVE = (
    ("machine", "processor"),
    ("machine", "instructions"),
    ("machine", "system"),
    ("versions", "ontogeny"),
    ("versions", "torch"),
    ("versions", "numpy"),
)
"""What the bits depend on, of what run.json says of the place of a training."""


@contextmanager
def settled(threads: int, seed: int = 0) -> Iterator[None]:
    """Compute in a way that repeats, or warn, and leave torch as it was."""
    deterministic: Any = torch.utils.deterministic
    mode = torch.get_deterministic_debug_mode()
    fill = deterministic.fill_uninitialized_memory
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        try:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode("warn")
            # filling fresh memory with NaN costs a pass over it and changes no result here
            deterministic.fill_uninitialized_memory = False
            yield
        finally:
            deterministic.fill_uninitialized_memory = fill
            torch.set_deterministic_debug_mode(mode)
            torch.set_num_threads(before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let others compute without a trace in torch's random state and threads."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def place() -> dict[str, dict[str, str]]:
    """Return what run.json says of where a training runs: machine and versions."""
    return {"machine": _machine(), "versions": _versions()}


def moves(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what differs between two places that may change the bits: "torch 2.4 -> 2.5"."""
    pairs = [(name, then[kind].get(name), now[kind][name]) for kind, name in _DECISIVE]
    return [f"{name} {there} -> {here}" for name, there, here in pairs if there != here]


def _machine() -> dict[str, str]:
    """Return what the bits of a training depend on, beside its config and versions."""
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("ontogeny", "torch", "numpy", "safetensors")}
    return packages | {"python": platform.python_version()}


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
