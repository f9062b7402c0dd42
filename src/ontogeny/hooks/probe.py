"""The exemplars that every snapshot is shown. May import coupling, model, errors and blueprint."""

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ontogeny.coupling import InputMoments, Segment
from ontogeny.errors import InputError
from ontogeny.hooks.blueprint import Blueprint
from ontogeny.model import prepare

CHUNK_POSITIONS = 100 * 32 * 32
"""Image positions in a chunk unless told otherwise: 100 exemplars of 32 x 32 pixels."""


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
        # sorted by token, a group is a slice of every chunk; stable, so that halves stay as
        # recorded
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
        self.chains: set[Blueprint] = set()
        """Networks found to be chains."""

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def half(self) -> "Probe":
        """Every other exemplar of each token: the record's half 0, for what costs more."""
        # the place within the token: every other one of each, as the record's halves are
        group_starts = np.searchsorted(self.groups, self.groups)
        mine = (np.arange(len(self)) - group_starts) % 2 == 0
        with torch.inference_mode(False):  # gradients shall pass through these
            x = self.x.clone()[torch.as_tensor(mine)]
        return Probe(x, self.groups[mine], n_tokens=self.n_groups, chunk=self.chunk)

    @property
    def example(self) -> Tensor:
        """Two different inputs: an exemplar and a ramp, for looking at how a network is wired."""
        first = self.x[:1]
        # unlike any exemplar: a network that answers both alike does not depend on its input
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
            f"got {x.dtype} of shape {tuple(x.shape)}: give the probe in this form"
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
