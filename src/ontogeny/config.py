"""Every choice of a training, in one place, with its default.

May import `ontogeny.schedule` and `ontogeny.errors` only; no numpy: the help of the command line
reads the defaults.
"""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, Self, get_args

from ontogeny.errors import InputError
from ontogeny.schedule import snapshot_steps

Optimiser = Literal["adamw", "sgd"]
RateSchedule = Literal["constant", "cosine"]
Precision = Literal["float32", "bfloat16"]

_CHOICES = {
    "optimiser": get_args(Optimiser),
    "learning_rate_schedule": get_args(RateSchedule),
    "precision": get_args(Precision),
}
BATCH = 50
"""Exemplars per step, where there are so many and no other number is asked for."""
_SETTLED_LATER = {"threads", "batch"}
_LOWEST = {
    "steps": 1, "batch": 1, "seed": 0, "warmup_steps": 0, "checkpoint_every": 1, "rungs": 0,
    "threads": 1,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """The choices of a training; all are checked together when it is made.

    Raises
    ------
    InputError
        If any choice is impossible; one sentence names them all.

    Examples
    --------
    The learning rate falls along a cosine, unless told otherwise:

    >>> config = ont.Config(steps=300, snapshots=6)
    >>> config.snapshot_steps
    (0, 1, 3, 10, 31, 96, 300)
    >>> [round(config.learning_rate_at(step), 5) for step in (1, 151, 300)]
    [0.001, 0.0005, 0.0]
    """

    steps: int = 1200
    """Optimiser updates."""
    batch: int | None = None
    """Exemplars per step; None: 50, or all training exemplars where there are fewer."""
    seed: int = 0
    """Of the order of exemplars, of flips, of dropout, and of the network if none is given."""
    optimiser: Optimiser = "adamw"
    learning_rate: float = 1e-3
    learning_rate_schedule: RateSchedule = "cosine"
    """`cosine` falls to 0 at the last step."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises linearly from 0."""
    momentum: float = 0.9
    """Of SGD; AdamW does not read it."""
    weight_decay: float = 0.01
    """Decoupled from the gradient in AdamW, part of it in SGD."""
    flips: bool | None = None
    """Mirror each exemplar left to right in half of its presentations; None: as the task says
    (`Task.mirrors`: photographs are, drawn faces and arrays are not)."""
    snapshots: int | str | Sequence[int] = 60
    """A count on the quasi-logarithmic grid, `"every:N"`, or a list of steps."""
    checkpoint_every: int = 100
    """Steps that a killed run may have to repeat."""
    rungs: int = 4
    """Checkpoints kept along the way, evenly spaced, beside step 0 and the last two: a replay
    starts from the one before its step. With AdamW each is as large as three snapshots; by
    default they make a run's folder a quarter larger, and a replay repeats at most 300 steps."""
    precision: Precision = "float32"
    """`bfloat16` computes the forward and backward pass in half precision; weights stay float32."""
    threads: int | None = None
    """Threads of torch, which the bits depend on; None: as many as torch has, noted in the run."""

    def __post_init__(self) -> None:
        problems = [*self._counts(), *self._numbers(), *self._choices()]
        if not problems:
            problems = self._steps()
        if problems:
            msg = (
                "expected settings of training that can work together, got "
                f"{'; '.join(problems)}: change them"
            )
            raise InputError(msg)

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Self:
        """Return the config that a run folder describes.

        Raises
        ------
        InputError
            If it has an entry that this version does not know, or an impossible one.
        """
        unknown = sorted(set(entries) - {field.name for field in fields(cls)})
        if unknown:
            msg = f"expected a config of this version, got {', '.join(unknown)}: update ontogeny"
            raise InputError(msg)
        return cls(**entries)

    def to_json(self) -> dict[str, Any]:
        """Return the entries as JSON can hold them."""
        return asdict(self)

    def settled(self, *, mirrors: bool, n_train: int) -> Self:
        """Return the config with what depends on the task put in.

        Parameters
        ----------
        mirrors
            Whether a mirrored exemplar is one of its token still.
        n_train
            How many training exemplars there are.
        """
        flips = mirrors if self.flips is None else self.flips
        batch = min(BATCH, n_train) if self.batch is None else self.batch
        return replace(self, flips=flips, batch=batch)

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Steps at which weights are stored, ascending; 0 and the last are among them."""
        return snapshot_steps(self.steps, self.snapshots)

    def is_checkpoint(self, step: int) -> bool:
        """Whether a checkpoint is written at a step."""
        return step % self.checkpoint_every == 0 or step == self.steps

    @property
    def lasting_checkpoints(self) -> frozenset[int]:
        """Steps whose checkpoints are kept: 0 and, for each rung, the next one after its place."""
        places = (self.steps * k / self.rungs for k in range(1, self.rungs + 1))
        every = self.checkpoint_every
        return frozenset({0} | {min(math.ceil(p / every) * every, self.steps) for p in places})

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of the update that ends at `step` (1 ... `steps`).

        Warm-up: rate x step / warmup_steps. Cosine, after it: rate x (1 + cos(pi x)) / 2 with
        x = (step - 1 - warmup_steps) / (steps - warmup_steps).
        """
        if step <= self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        if self.learning_rate_schedule == "constant":
            return self.learning_rate
        done = (step - 1 - self.warmup_steps) / (self.steps - self.warmup_steps)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def _counts(self) -> list[str]:
        """Make Python ints of whole numbers of any kind, and name what is none or too low."""
        problems = []
        for name, lowest in _LOWEST.items():
            value = getattr(self, name)
            if value is None and name in _SETTLED_LATER:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral) or value < lowest:
                problems.append(f"{name} {value!r} (a whole number >= {lowest})")
            else:
                object.__setattr__(self, name, int(value))
        return problems

    def _numbers(self) -> list[str]:
        ranges = {
            "learning_rate": ("> 0", lambda x: x > 0),
            "momentum": ("0 ... 1, 1 excluded", lambda x: 0 <= x < 1),
            "weight_decay": (">= 0", lambda x: x >= 0),
        }
        problems = []
        for name, (words, holds) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                problems.append(f"{name} {value!r} (a number {words})")
            elif not math.isfinite(value) or not holds(value):
                problems.append(f"{name} {value} ({words})")
            else:
                object.__setattr__(self, name, float(value))
        return problems

    def _choices(self) -> list[str]:
        problems = [
            f"{name} {getattr(self, name)!r} ({' or '.join(choices)})"
            for name, choices in _CHOICES.items()
            if getattr(self, name) not in choices
        ]
        if not isinstance(self.flips, bool | None):
            problems.append(f"flips {self.flips!r} (True or False)")
        return problems

    def _steps(self) -> list[str]:
        """Look at what depends on the number of steps, and make snapshots JSON's and hashable."""
        problems = []
        if self.warmup_steps >= self.steps:
            problems.append(f"warmup_steps {self.warmup_steps} (fewer than the {self.steps} steps)")
        try:
            chosen = _snapshots(self.snapshots)
            snapshot_steps(self.steps, chosen)
            object.__setattr__(self, "snapshots", chosen)
        except (InputError, TypeError, ValueError) as error:
            problems.append(f"snapshots {self.snapshots!r} ({error})")
        return problems


def _snapshots(chosen: int | str | Sequence[int]) -> int | str | tuple[int, ...]:
    if isinstance(chosen, str):
        return chosen
    if isinstance(chosen, Iterable):
        return tuple(int(step) for step in chosen)
    return operator.index(chosen)
