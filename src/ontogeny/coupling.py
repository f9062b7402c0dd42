"""The exact coupling of neighbouring layers, out of moments that one forward pass gives.

A layer's pre-activation is linear in its input, z_j = b_j + sum_i z_ij, where z_ij is what comes
through source unit i: the sum over kernel taps of W[j, i, tap] * u[i, tap], u the input's patches
(zero padding included). So every share is W times a moment of u, and no source need be ablated.
Cov(u, z_j) is the weight gradient that the layer would get if z - E[z] were the gradient at its
output. May import torch only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

DEAD = 1e-12
"""A unit is dead if Var(z) <= DEAD * E[z^2]: below that, float32 cannot tell it from constant."""

LATTICE = 4
"""Positions along each side of a map that a lattice has at most."""

GRAM_COLUMNS = 512
"""Largest patch (sources x taps) for which the input's whole Gram matrix is formed."""

Segment = tuple[int, int, int]
"""(group, start, stop): the exemplars start ... stop - 1 of a chunk belong to this group."""


@dataclass(frozen=True, eq=False)
class Coupling:
    """One layer's couplings; source counts only the sources that the target is wired to."""

    share: Tensor
    """[target, source]; rows sum to 1, NaN for dead targets."""
    token_signal: Tensor
    """[target, source]; rows sum to the target's eta squared over exemplars and positions."""
    contrast: Tensor
    """[target, source, group]; absolute values of a row sum to 1, NaN where all terms are 0."""


class ConvolutionMap:
    """A Conv2d as a linear map of patches; any stride, dilation, groups and padding.

    Parameters
    ----------
    module
        The convolution; its weights are read when they are used.
    """

    def __init__(self, module: nn.Conv2d) -> None:
        self.module = module
        self.n_sources = module.in_channels
        self.groups = module.groups
        self._padding = (0, 0)
        if module.padding_mode == "zeros" and not isinstance(module.padding, str):
            self._padding = (module.padding[0], module.padding[1])

    @property
    def geometry(self) -> tuple[object, ...]:
        """What decides the patches of a given input."""
        m = self.module
        return (m.kernel_size, m.stride, m.padding, m.dilation, m.padding_mode, m.groups)

    def weight(self) -> Tensor:
        """Return the weights, [target, source in group, tap]."""
        return self.module.weight.detach().flatten(2)

    def bias(self) -> Tensor | None:
        """Return the biases, [target]."""
        return None if self.module.bias is None else self.module.bias.detach()

    def weight_gradient(self, x: Tensor, z: Tensor) -> Tensor:
        """Return sum over exemplars and positions of u * z, [target, source in group, tap]."""
        m = self.module
        # the kernel of the backward pass, called for the weights alone: it sums u z over
        # all positions
        gradient = torch.ops.aten.convolution_backward(
            z, self._padded(x), m.weight, None, m.stride, self._padding, m.dilation,
            False, [0, 0], m.groups, [False, True, False],
        )[1]  # fmt: skip
        return gradient.flatten(2)

    def tap_means(self, maps: Tensor) -> Tensor:
        """Return each tap's mean over output positions of maps [group, source, y, x]."""
        m = self.module
        across, down = self._padding[1], self._padding[0]
        padded = functional.pad(self._padded(maps), (across, across, down, down))
        reach = [d * (k - 1) for d, k in zip(m.dilation, m.kernel_size, strict=True)]
        height, width = padded.shape[2] - reach[0], padded.shape[3] - reach[1]
        # first along each row, then down: a kernel of 3 x 3 passes over the maps 3 times, not 9
        rows = [
            padded[..., x : x + width : m.stride[1]].mean(3)
            for x in range(0, reach[1] + 1, m.dilation[1])
        ]
        means = [
            row[..., y : y + height : m.stride[0]].mean(2)
            for y in range(0, reach[0] + 1, m.dilation[0])
            for row in rows
        ]
        return torch.stack(means, dim=2)

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the pre-activation with other weights, [target, source in group, tap]."""
        m = self.module
        kernel = weight.unflatten(2, m.kernel_size).contiguous(memory_format=torch.channels_last)
        return functional.conv2d(
            self._padded(x), kernel, self.bias(), m.stride, self._padding, m.dilation, m.groups
        )  # pyright: ignore[reportArgumentType, reportCallIssue]

    def patches(self, x: Tensor) -> Tensor:
        """Return the patches themselves, [exemplar, source x tap, position]."""
        m = self.module
        return functional.unfold(
            self._padded(x), m.kernel_size, m.dilation, self._padding, m.stride
        )  # pyright: ignore[reportArgumentType]

    def patches_of(self, x: Tensor, sources: Tensor) -> Tensor:
        """Return the patches of some sources, [exemplar, source, tap, position]."""
        m = self.module
        found = functional.unfold(
            self._padded(x)[:, sources], m.kernel_size, m.dilation, self._padding, m.stride
        )  # pyright: ignore[reportArgumentType]
        return found.unflatten(1, (len(sources), -1))

    def sparse_patches(self, x: Tensor) -> Tensor:
        """Return the patches at a lattice of positions, [exemplar, source x tap, position]."""
        m = self.module
        # unfold cannot start a lattice at an offset: the map is padded and cut before it
        across, down = self._padding[1], self._padding[0]
        padded = functional.pad(self._padded(x), (across, across, down, down))
        steps = []
        for axis in (0, 1):
            reach = m.dilation[axis] * (m.kernel_size[axis] - 1)
            size = (padded.shape[2 + axis] - reach - 1) // m.stride[axis] + 1
            start, every = _lattice(size)
            padded = padded.narrow(
                2 + axis, start * m.stride[axis], padded.shape[2 + axis] - start * m.stride[axis]
            )
            steps.append(every * m.stride[axis])
        return functional.unfold(padded, m.kernel_size, m.dilation, 0, steps)  # pyright: ignore[reportArgumentType]

    @staticmethod
    def sparse(z: Tensor) -> Tensor:
        """Return maps at the lattice of `sparse_patches`, [exemplar, unit, position, 1]."""
        (top, down), (left, across) = _lattice(z.shape[2]), _lattice(z.shape[3])
        return z[:, :, top::down, left::across].flatten(2)[..., None]

    def _padded(self, x: Tensor) -> Tensor:
        """Pad explicitly where the convolution's own padding is not a plain count of zeros."""
        m = self.module
        if m.padding_mode == "zeros" and not isinstance(m.padding, str):
            return x
        mode = "constant" if m.padding_mode == "zeros" else m.padding_mode
        return functional.pad(x, m._reversed_padding_repeated_twice, mode=mode)


class DenseMap:
    """A Linear layer as a linear map: a source is one unit, its taps are that unit's features.

    Parameters
    ----------
    module
        The dense layer.
    n_sources
        Units of the layer below; after flattening, each has in_features / n_sources features.
    """

    groups = 1

    def __init__(self, module: nn.Linear, n_sources: int) -> None:
        self.module = module
        self.n_sources = n_sources

    @property
    def geometry(self) -> tuple[object, ...]:
        """What decides the patches of a given input."""
        return (self.module.in_features, self.n_sources)

    def weight(self) -> Tensor:
        """Return the weights, [target, source, tap]."""
        return self.module.weight.detach().unflatten(1, (self.n_sources, -1))

    def bias(self) -> Tensor | None:
        """Return the biases, [target]."""
        return None if self.module.bias is None else self.module.bias.detach()

    def weight_gradient(self, x: Tensor, z: Tensor) -> Tensor:
        """Return sum over exemplars (and positions) of u * z, [target, source, tap]."""
        # a dense layer has few positions, so that double precision costs little
        gradient = z.flatten(0, -2).double().T @ x.flatten(0, -2).double()
        return gradient.unflatten(1, (self.n_sources, -1))

    def tap_means(self, maps: Tensor) -> Tensor:
        """Return each tap's mean over positions of maps [group, ..., feature]."""
        means = maps.flatten(1, -2).mean(1) if maps.dim() > 2 else maps
        return means.unflatten(1, (self.n_sources, -1))

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the pre-activation with other weights, [target, source, tap]."""
        return functional.linear(x, weight.flatten(1), self.bias())

    def patches(self, x: Tensor) -> Tensor:
        """Return the features themselves, [exemplar, source x tap, position]."""
        return x.flatten(1, -2).mT if x.dim() > 2 else x[:, :, None]

    def sparse_patches(self, x: Tensor) -> Tensor:
        """Return the features of all positions: those of a dense layer are few."""
        return self.patches(x)

    @staticmethod
    def sparse(z: Tensor) -> Tensor:
        """Return the values themselves, [exemplar, ..., unit]."""
        return z


LinearMap = ConvolutionMap | DenseMap


class Weighted(Protocol):
    """What couplings need to know of a linear map, or of one with other weights in its place."""

    groups: int
    n_sources: int

    def weight(self) -> Tensor:
        """Return the weights, [target, source in group, tap]."""
        ...

    def bias(self) -> Tensor | None:
        """Return the biases, [target]."""
        ...

    def tap_means(self, maps: Tensor) -> Tensor:
        """Return each tap's mean over output positions of maps."""
        ...


class Scratch:
    """One block of memory for all layers' centred maps: fresh blocks would cost page faults."""

    def __init__(self) -> None:
        self._block = torch.empty(0)

    def like(self, z: Tensor) -> Tensor:
        """Return a tensor of arbitrary values, of the shape and layout of `z`."""
        if self._block.numel() < z.numel() or self._block.dtype != z.dtype:
            self._block = torch.empty(z.numel(), dtype=z.dtype, device=z.device)
        block = self._block[: z.numel()]
        if z.dim() == 4 and z.is_contiguous(memory_format=torch.channels_last):
            exemplars, units, height, width = z.shape
            return block.view(exemplars, height, width, units).permute(0, 3, 1, 2)
        return block.view(z.shape)


class Spread:
    """Mean and variance of each unit over exemplars and positions, gathered chunk by chunk.

    Values are taken from a shift, the first chunk's mean, so that a large mean costs no digits;
    rows of exemplars are added up in float64.
    """

    def __init__(self) -> None:
        self.count = 0
        self._shift = torch.empty(0)
        self._sum = torch.zeros(())
        self._square = torch.zeros(())

    def shift(self, values: Tensor, axis: int) -> Tensor:
        """Return the shift, ready to be taken from values whose units lie along `axis`."""
        if self._shift.numel() == 0:
            over = [d for d in range(values.dim()) if d != axis]
            # fixed by the first chunk: a shift that moved with the data could not be taken off sums
            self._shift = values.mean(over)
        return self._shift.view([-1 if d == axis else 1 for d in range(values.dim())])

    def add(self, offsets: Tensor, squares: Tensor, positions: int) -> None:
        """Add each exemplar's mean of value - shift and of its square, [exemplar, unit]."""
        self._sum = self._sum + positions * offsets.double().sum(0)
        self._square = self._square + positions * squares.double().sum(0)
        self.count += positions * len(offsets)

    @property
    def offset(self) -> Tensor:
        """Mean of value - shift, float64 [unit]."""
        return self._sum / self.count

    @property
    def mean(self) -> Tensor:
        """Mean, float64 [unit]."""
        return self._shift.double() + self.offset

    @property
    def variance(self) -> Tensor:
        """Population variance, float64 [unit]."""
        return (self._square / self.count - self.offset.square()).clamp(min=0)


class GroupMaps:
    """Sums of a layer's input over the exemplars of each group, position by position.

    Parameters
    ----------
    n_groups
        How many groups of exemplars there are (the tokens).
    """

    def __init__(self, n_groups: int) -> None:
        self.counts = torch.zeros(n_groups, dtype=torch.float64)
        self._sums: Tensor | None = None
        self._shape: torch.Size = torch.Size()

    def add(self, x: Tensor, segments: Sequence[Segment]) -> None:
        """Add a chunk of exemplars."""
        last = x.movedim(1, -1) if x.dim() == 4 else x
        rows = last.reshape(len(x), -1)
        if self._sums is None:
            self._shape = last.shape[1:]
            size = (len(self.counts), rows.shape[1])
            self._sums = torch.zeros(size, dtype=torch.float64, device=x.device)
        for group, start, stop in segments:
            self._sums[group] += rows[start:stop].sum(0)
            self.counts[group] += stop - start

    def means(self) -> Tensor:
        """Return the mean maps, [group, source, y, x] or [group, ..., feature]; 0 if empty."""
        assert self._sums is not None
        counts = self.counts.to(self._sums.device).clamp(min=1)
        means = (self._sums / counts[:, None]).unflatten(1, tuple(self._shape))
        return means.movedim(-1, 1) if len(self._shape) == 3 else means


class LayerMoments:
    """Moments of one layer's input and pre-activation, gathered chunk by chunk.

    Only sums are kept: of u * z, z and z^2, and of the input's maps by group. z is taken from a
    shift (the first chunk's mean), so that a large mean costs no digits.

    Parameters
    ----------
    layer
        The linear map.
    n_groups
        How many groups of exemplars there are (the tokens).
    scratch
        Memory that layers share.
    """

    def __init__(self, layer: LinearMap, n_groups: int, scratch: Scratch) -> None:
        self.layer, self.scratch = layer, scratch
        self.maps = GroupMaps(n_groups)
        self.z = Spread()
        weight, dense = layer.weight(), isinstance(layer, DenseMap)
        self._cross = torch.zeros_like(weight, dtype=torch.float64 if dense else weight.dtype)

    def add(self, x: Tensor, z: Tensor, segments: Sequence[Segment]) -> None:
        """Add a chunk: its input `x`, its pre-activation `z`, its groups."""
        axis = 1 if isinstance(self.layer, ConvolutionMap) else z.dim() - 1
        over = [d for d in range(1, z.dim()) if d != axis]
        # into shared memory: a fresh block for each layer and chunk would be paged in anew
        centred = torch.sub(z, self.z.shift(z, axis), out=self.scratch.like(z))
        # before the squares are taken in place, which overwrites what it is the mean of
        offsets = centred.mean(over) if over else centred.clone()
        self._cross += self.layer.weight_gradient(x, centred)
        squares = centred.square_().mean(over) if over else centred.square_()
        self.z.add(offsets, squares, z[0].numel() // z.shape[axis])
        self.maps.add(x, segments)

    def result(self, sign: Tensor | None = None) -> Coupling:
        """Return the couplings; `sign` (one a target) is that of a batch norm after the layer."""
        taps, _ = groups = self.groups()
        off = self.z.offset
        overall = torch.einsum("g,gst->st", _shares(self.maps.counts, taps), taps)
        covariance = self._cross / self.z.count
        # the shift is the first chunk's mean, not that of all: what is left of it is taken off here
        covariance -= (_by_target(self.layer, overall) * off[:, None, None]).to(covariance.dtype)
        mean_square = self.z.variance + self.z.mean.square()
        moments = TargetMoments(covariance, self.z.variance, mean_square)
        return couplings(self.layer, moments, groups, sign)

    def groups(self) -> tuple[Tensor, Tensor]:
        """Return each group's tap means, [group, source, tap], and its count of exemplars."""
        return self.layer.tap_means(self.maps.means()), self.maps.counts


class InputMoments:
    """Moments of the images' patches themselves, for the first layer, in float64.

    Cov(u, z_j) is then the patches' Gram matrix times W: it holds for every snapshot, and images
    with a large mean and a small variance lose no digits.

    Parameters
    ----------
    layer
        The first layer.
    n_groups
        How many groups of exemplars there are (the tokens).
    """

    def __init__(self, layer: LinearMap, n_groups: int) -> None:
        columns = layer.weight().shape[2] * layer.n_sources
        device = layer.module.weight.device
        self.maps = GroupMaps(n_groups)
        self._positions = 0
        self._shift: Tensor | None = None
        self._sum = torch.zeros(columns, 1, dtype=torch.float64, device=device)
        self._gram = torch.zeros(columns, columns, dtype=torch.float64, device=device)

    @staticmethod
    def fit(layer: LinearMap) -> bool:
        """Say whether the layer's patches are small enough for their Gram matrix."""
        return layer.weight().shape[2] * layer.n_sources <= GRAM_COLUMNS

    def add(self, layer: LinearMap, x: Tensor, segments: Sequence[Segment]) -> None:
        """Add a chunk of images `x`."""
        columns = layer.patches(x.double()).movedim(1, 0).flatten(1)
        if self._shift is None:
            # a patch's mean is large beside its variance; squares of centred values keep the digits
            self._shift = columns.mean(1, keepdim=True)
        columns = columns - self._shift
        self._sum += columns.sum(1, keepdim=True)
        self._gram += columns @ columns.T
        self._positions += columns.shape[1]
        self.maps.add(x.double(), segments)

    def result(self, layer: Weighted, sign: Tensor | None = None) -> Coupling:
        """Return the couplings of the first layer with its present weights, or with others."""
        assert self._shift is not None
        off = self._sum / self._positions
        gram = self._gram / self._positions - off @ off.T
        weight = layer.weight().double()
        covariance = torch.einsum(
            "gab,gjb->gja", _blocks(layer, gram), weight.flatten(1).unflatten(0, (layer.groups, -1))
        ).reshape(weight.shape)
        # Var(z) = W' Cov(u, z): the moments of z need no pass of the network
        variance = (weight * covariance).sum((1, 2))
        patch_mean = (self._shift + off).view(layer.n_sources, -1)
        mean = (weight * _by_target(layer, patch_mean)).sum((1, 2))
        bias = layer.bias()
        if bias is not None:
            mean += bias
        moments = TargetMoments(covariance, variance, variance + mean.square())
        taps = layer.tap_means(self.maps.means())
        return couplings(layer, moments, (taps, self.maps.counts), sign)


@dataclass(frozen=True, eq=False)
class TargetMoments:
    """Population moments over exemplars and positions."""

    covariance: Tensor
    """Cov(u, z), [target, source in group, tap]."""
    variance: Tensor
    """Var(z), [target]."""
    mean_square: Tensor
    """E[z^2], [target]."""


def couplings(
    layer: Weighted,
    moments: TargetMoments,
    groups: tuple[Tensor, Tensor],
    sign: Tensor | None = None,
) -> Coupling:
    """Return share, token signal and contrast out of moments.

    With m[c] = sum over taps of W * (E[u | c] - E[u]), the part of z_ij that lies between groups:
    share = sum over taps of W * Cov(u, z_j) / Var(z_j);
    token signal = sum over c of P(c) m_ij[c] (sum over i of m_ij[c]) / Var(z_j);
    contrast[c] = m_ij[c] / sum over i of |m_ij[c]|, since E[u | c] - E[u | not c] is
    (E[u | c] - E[u]) / (1 - P(c)).

    Parameters
    ----------
    layer
        The linear map.
    moments
        Of its input and pre-activation.
    groups
        Each group's tap means [group, source, tap] and its count of exemplars [group].
    sign
        Of the batch norm's scale after each target; 0 makes the target dead.

    Returns
    -------
    Coupling
        In the weights' precision.
    """
    weight = layer.weight()
    # relative to the mean square: a large constant with rounding on it is dead as well
    alive = moments.variance > DEAD * moments.mean_square
    if sign is not None:
        alive &= sign != 0
    variance = torch.where(alive, moments.variance, torch.nan)[:, None]
    share = (weight * moments.covariance).sum(2) / variance
    between = _between(layer, *groups)
    # products before the sum over groups: m_ij of one group never meets another's total
    signal = (between * between.sum(1, keepdim=True)) @ _shares(groups[1], between) / variance
    # a batch norm of negative weight turns the unit over, and with it what speaks for a token
    contrast = between if sign is None else between * sign[:, None, None].to(between.dtype)
    total = contrast.abs().sum(1, keepdim=True)
    known = alive[:, None, None] & (total > 0)
    contrast = torch.where(known, contrast / total, torch.nan)
    return Coupling(share.to(weight.dtype), signal.to(weight.dtype), contrast)


def _between(layer: Weighted, taps: Tensor, counts: Tensor) -> Tensor:
    """Return W * (E[u | c] - E[u]) summed over taps, [target, source in group, group].

    Where a group holds none or all exemplars it has no contrast; its terms are 0.
    """
    shares = _shares(counts, taps)
    centred = taps - torch.einsum("g,gst->st", shares, taps)
    # a group of all or no exemplars has no complement, and its mean is the mean or 0
    centred[(shares == 0) | (shares == 1)] = 0
    weight = layer.weight()
    blocks = weight.unflatten(0, (layer.groups, -1)).permute(0, 2, 1, 3)
    means = centred.to(weight.dtype).permute(1, 2, 0).unflatten(0, (layer.groups, -1))
    return (blocks @ means).transpose(1, 2).flatten(0, 1)


def _shares(counts: Tensor, like: Tensor) -> Tensor:
    """Return each group's share of the exemplars, on the device and in the precision of `like`."""
    return (counts / counts.sum()).to(like)


def _by_target(layer: Weighted, sources: Tensor) -> Tensor:
    """Return [source, tap] as each target sees it, [target or 1, source in group, tap]."""
    if layer.groups == 1:
        return sources[None]
    targets = len(layer.weight()) // layer.groups
    return sources.unflatten(0, (layer.groups, -1)).repeat_interleave(targets, dim=0)


def _lattice(size: int) -> tuple[int, int]:
    """Return the first position of at most `LATTICE` ones along a side, and their distance."""
    every = -(-size // LATTICE)
    # in the middle of each stretch, so that the border, which sees padding, is not favoured
    return (every - 1) // 2, every


def _blocks(layer: Weighted, gram: Tensor) -> Tensor:
    """Return the diagonal blocks of a Gram matrix that belong to the layer's groups."""
    size = len(gram) // layer.groups
    return torch.stack([gram[i : i + size, i : i + size] for i in range(0, len(gram), size)])
