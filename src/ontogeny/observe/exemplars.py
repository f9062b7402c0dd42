"""What a network is shown: a task's probe or somebody's own images, and their Gaussian clones.

May import hooks, model, stats, tasks, record and errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny import record as names
from ontogeny.errors import InputError
from ontogeny.hooks import Probe, network_logits
from ontogeny.model import prepare
from ontogeny.observe.scored import Scored
from ontogeny.record import SPLITS
from ontogeny.stats.clones import gaussian_clones, share_clipped
from ontogeny.tasks.task import Task

TRAIN_EXEMPLARS = 50
"""Training exemplars per token that the train split's loss and accuracy are taken over."""
HOLDOUT_EXEMPLARS = 100
"""Exemplars of the holdout per token that are shown to every snapshot."""
CLONES = 50
"""Gaussian clones per token at most, and no more than it has held-out exemplars."""


@dataclass(frozen=True, eq=False)
class Clones:
    """Gaussian clones of a task's probe: its tokens, and moments of the training exemplars."""

    images: Tensor
    """The network's input."""
    token: np.ndarray
    """[clone], index into the task's tokens."""
    attribute: Mapping[str, Any]
    """How they were drawn, for the record."""

    @classmethod
    def of(cls, task: Task, seed: int) -> Self:
        """Draw clones of the probe's tokens, but none of tokens with 1 exemplar to learn from."""
        counts = np.bincount(task.token[task.train], minlength=task.n_tokens)
        held_out = np.bincount(task.token[task.probe], minlength=task.n_tokens)
        token = np.repeat(np.arange(task.n_tokens), np.minimum(held_out, CLONES) * (counts >= 2))
        clones = gaussian_clones(
            task.images[task.train], task.token[task.train], token, rng=np.random.default_rng(seed)
        )
        attribute = {
            "drawn": "once by seed, from the normal distribution with the mean and covariance of "
            "each token's training exemplars; not clipped, not rounded",
            "seed": seed,
            "exemplars": len(token),
            "share_beyond_range": float(share_clipped(clones, (0, 255)).mean())
            if len(token)
            else None,
        }
        if np.any((held_out > 0) & (counts < 2)):
            attribute["missing"] = "tokens with fewer than two training exemplars have no clones"
        return cls(prepare(torch.as_tensor(clones)), token, attribute)

    @cached_property
    def probe(self) -> Probe:
        """The clones as the network is shown them."""
        return Probe(self.images)


@dataclass(frozen=True, eq=False)
class Exemplars:
    """What the network is shown, and what is known of it."""

    images: np.ndarray | Tensor
    """uint8 [exemplar, y, x, channel], or the network's input itself."""
    tokens: tuple[str, ...] | None = None
    """Names of the network's outputs."""
    token: np.ndarray | None = None
    """[exemplar], index into tokens."""
    coordinates: Mapping[str, np.ndarray] = field(default_factory=dict)
    """More coordinates along exemplar, by their names in the record."""
    train_images: np.ndarray | None = None
    train_token: np.ndarray | None = None
    """A fixed part of the training exemplars, for the train split."""
    holdout_images: np.ndarray | None = None
    holdout_token: np.ndarray | None = None
    """A fixed part of the second probe, where the task has one."""
    clones: Clones | None = None
    """Gaussian clones of the exemplars."""
    seed: int = 0
    """Of all that is drawn."""

    @classmethod
    def of(cls, task: Task, *, seed: int = 0, clones: bool = True) -> Self:
        """Return a task's probe, and training exemplars and clones drawn by seed."""
        probe, part = task.probe, _part(task, task.train, TRAIN_EXEMPLARS, seed)
        second = _part(task, task.holdout, HOLDOUT_EXEMPLARS, seed)
        coordinates = {
            names.EXEMPLAR: probe,
            names.EXEMPLAR_SPLIT: np.full(len(probe), SPLITS[1]),
            names.GROUP: task.group[probe],
            **{names.FACTOR + k: np.asarray(v)[probe] for k, v in task.factors.items()},
        }
        return cls(
            task.images[probe], task.tokens, task.token[probe], coordinates,
            task.images[part], task.token[part],
            task.images[second] if len(second) else None, task.token[second],
            Clones.of(task, seed) if clones else None, seed,
        )  # fmt: skip

    @cached_property
    def probe(self) -> Probe:
        """The exemplars as the network is shown them."""
        n_tokens = None if self.token is None or self.tokens is None else len(self.tokens)
        return Probe(self.images, self.token, n_tokens=n_tokens)

    @cached_property
    def scored(self) -> Scored | None:
        """Those that score recombinations; None where fewer than two tokens could be scored."""
        return Scored.of(self.images, self.token, self.tokens or (), self.coordinates, self.seed)

    @cached_property
    def train(self) -> Probe | None:
        """The training exemplars as the network is shown them."""
        return None if self.train_images is None else Probe(self.train_images)

    @cached_property
    def holdout(self) -> Probe | None:
        """The second probe as the network is shown it."""
        return None if self.holdout_images is None else Probe(self.holdout_images)


def halves(token: np.ndarray) -> np.ndarray:
    """Return 0 and 1 in turns within each token, int8 [exemplar]."""
    half = np.zeros(len(token), dtype=np.int8)
    for c in np.unique(token):
        mine = np.flatnonzero(token == c)
        half[mine[1::2]] = 1
    return half


def own_exemplars(
    images: np.ndarray | Tensor, tokens: Sequence[Any] | np.ndarray | None
) -> Exemplars:
    """Return the exemplars of somebody's own loop; names of tokens are sorted."""
    images = _own_images(images)
    coordinates = {
        names.EXEMPLAR: np.arange(len(images)),
        names.EXEMPLAR_SPLIT: np.full(len(images), SPLITS[1]),
        names.GROUP: np.arange(len(images)),
    }
    if tokens is None:
        return Exemplars(images, coordinates=coordinates)
    values = np.asarray(tokens)
    if values.shape != (len(images),):
        msg = (
            f"expected one token for each of {len(images)} exemplars, got {values.shape}: "
            "give one token for each exemplar"
        )
        raise InputError(msg)
    if values.dtype.kind in "iu":
        return Exemplars(images, token=values.astype(np.int64), coordinates=coordinates)
    kinds, token = np.unique(values.astype(str), return_inverse=True)
    return Exemplars(images, tuple(kinds.tolist()), token.astype(np.int64), coordinates)


def _own_images(images: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Return uint8 images as an array, anything else as a network's input in float32."""
    if isinstance(images, np.ndarray):
        return images.astype(np.float32) if images.dtype.kind == "f" else images
    images = images.detach()
    if images.dtype == torch.uint8:
        return images.cpu().numpy()
    return images.float() if images.is_floating_point() else images


def with_outputs(shown: Exemplars, model: nn.Module) -> Exemplars:
    """Name the network's outputs by number if they have no names.

    Raises
    ------
    InputError
        If there is another number of them, or the network does not take these exemplars.
    """
    first = Probe(shown.images[:1])
    try:
        n_outputs = network_logits(model, first).shape[1]
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        msg = (
            f"expected a network that takes the probe, as {list(first.x.shape)}, got: {reason}: "
            "give uint8 images [exemplar, y, x, channel], or the network's own input"
        )
        raise InputError(msg) from error
    if shown.tokens is None:
        return replace(shown, tokens=tuple(map(str, range(n_outputs))))
    if len(shown.tokens) != n_outputs:
        msg = (
            f"expected a network with a logit for each of {len(shown.tokens)} tokens, "
            f"got {n_outputs}: give tokens as the indices of outputs, or change the network"
        )
        raise InputError(msg)
    return shown


def _part(task: Task, exemplars: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Draw up to so many of the exemplars of each token, ascending."""
    rng = np.random.default_rng(seed)
    chosen = []
    for c in range(task.n_tokens):
        mine = exemplars[task.token[exemplars] == c]
        # a prefix of one permutation per token: with another number the first ones stay the same
        chosen.append(rng.permutation(mine)[:most])
    return np.sort(np.concatenate(chosen))
