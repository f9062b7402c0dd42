"""The ascent to a preferred image: the choices, the objective and the steps.

May import torch and `ontogeny.pictures`, `model`, `errors`.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ontogeny.errors import InputError
from ontogeny.model import PIXEL_MEAN, PIXEL_SCALE, prepare
from ontogeny.pictures.canvas import Canvas, Palette
from ontogeny.pictures.cone import Cone, activate

ZOOMED_FROM = 8
"""Smaller fields are not zoomed: their pixels are the pattern."""
FULL_SIZE = 64
"""Side of the field, in pixels, to which `variation_weight` and `prior_weight` belong."""
KNOWN_SHARE = 0.5
"""Share of the response to the best exemplar below which a gain is measured by that share of it."""
_MOMENTUM, _MEMORY = 0.8, 0.99
_SMOOTH = 1e-4
FAINT, TINY = 0.6, 1e-12


Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The choices of a preferred image; the same for every unit and every snapshot.

    Raises
    ------
    InputError
        If a choice is impossible; one sentence names all that are.
    """

    steps: int = 24
    """Updates of an image that begins anew."""
    warm_steps: int = 10
    """Updates of an image that goes on from the snapshot before."""
    warm_share: float = 0.5
    """Share of the picture before that it goes on from: with all of it, what the unit answered
    earlier stays where it no longer matters."""
    learning_rate: float = 0.4
    """Root mean square of an update of the spectrum; it falls to 0 in the second half."""
    jitter: float = 1 / 10
    """Largest displacement, as a share of the field's larger side."""
    zoom: float = 0.2
    """Largest change of scale, as a share."""
    decay: float = 1.0
    """Fall of amplitude with frequency."""
    range_weight: float = 50.0
    """Penalty on the mean square by which pixels leave 0 ... 1."""
    variation_weight: float = 24.0
    """Penalty on the mean slope between neighbours, at a field of 64 pixels; in proportion less
    for smaller ones, so that a pattern costs the same at any size."""
    prior_weight: float = 8.0
    """Penalty on the mean square of the spectrum (unlikely colours and frequencies), at a field of
    64 pixels; in proportion less for smaller ones, which have fewer numbers to choose."""
    seed: int = 0
    """Of the first image and of the jitter."""
    batch: int = 16
    """Images computed together; they do not influence each other."""

    precision: Precision = "float32"
    """Of the network's passes during the climb; `achieved` is always computed in float32.
    `bfloat16` pays only where the processor has instructions for it; elsewhere it is emulated and
    took eleven times as long (AVX2, 32 images of conv8)."""

    def __post_init__(self) -> None:
        counts = ("steps", "warm_steps", "batch")
        wrong = [f"{n} {getattr(self, n)}" for n in counts if getattr(self, n) < 1]
        wrong += [] if self.precision in get_args(Precision) else [f"precision {self.precision}"]
        wrong += [f"learning_rate {self.learning_rate}"] if self.learning_rate <= 0 else []
        shares = ("jitter", "zoom")
        wrong += [f"{n} {getattr(self, n)}" for n in shares if not 0 <= getattr(self, n) < 1]
        wrong += [] if 0 <= self.warm_share <= 1 else [f"warm_share {self.warm_share}"]
        weights = ("decay", "range_weight", "variation_weight", "prior_weight")
        wrong += [f"{n} {getattr(self, n)}" for n in weights if not getattr(self, n) >= 0]
        if wrong:
            msg = (
                "expected steps, warm_steps and batch >= 1, a positive learning rate, jitter, zoom "
                "and warm_share within 0 ... 1, weights >= 0, precision float32 or bfloat16, got "
                f"{', '.join(wrong)}: change these"
            )
            raise InputError(msg)


class Climb:
    """The ascent of many units of one layer at once, each on its own image.

    Maximises log(response) - penalties, that is, a relative gain of response is weighed against
    the penalties, whatever the unit's scale.
    """

    def __init__(self, cone: Cone, palette: Palette, recipe: Recipe) -> None:
        self.cone, self.recipe = cone, recipe
        side = max(cone.size)
        # room for displacement: the field is cut out of a larger canvas, never filled up at
        # its edge
        self._margin = round(recipe.jitter * side)
        size = (cone.size[0] + 2 * self._margin, cone.size[1] + 2 * self._margin)
        self.canvas = Canvas(size, palette, recipe.decay)
        self._variation = recipe.variation_weight * side / FULL_SIZE
        self._prior = recipe.prior_weight * side / FULL_SIZE
        self._zoom = recipe.zoom if min(cone.size) >= ZOOMED_FROM else 0.0

    def start(self, n: int) -> Tensor:
        """Return the same faint noise for each of `n` images."""
        channels = len(self.canvas.palette.mean)
        noise = torch.randn(1, channels, *self.canvas.size, generator=self._generator(1))
        return (FAINT * noise).repeat(n, 1, 1, 1)

    def run(
        self, spectrum: Tensor, channels: Tensor, reference: Tensor, *, steps: int | None = None
    ) -> Tensor:
        """Return the spectra after a number of steps; None is the recipe's.

        `reference` [image] is a response that the units are known to reach: see `_scale`.
        """
        spectrum, steps = spectrum.clone().requires_grad_(), steps or self.recipe.steps
        ascent, generator = _Ascent(spectrum, self.recipe.learning_rate, steps), self._generator(2)
        with torch.enable_grad():
            for _ in range(steps):
                loss = self._loss(spectrum, channels, reference, generator)
                ascent.step(torch.autograd.grad(loss, spectrum)[0])
        return spectrum.detach()

    def develop(self, spectrum: Tensor, channels: Tensor) -> tuple[np.ndarray, Tensor]:
        """Return pictures, uint8 [image, y, x, channel], and the activation that each achieves."""
        with torch.no_grad():
            (top, left), (y, x) = (self._margin, self._margin), self.cone.size
            image = self.canvas.paint(spectrum)[:, :, top : top + y, left : left + x]
            pictures = image.nan_to_num().clamp(0, 1).mul(255).round().byte()
            pictures = pictures.permute(0, 2, 3, 1).contiguous().numpy()
            value = self.cone.respond(prepare(pictures), channels)
        return pictures, activate(self.cone.column, value, channels)

    def _loss(
        self, spectrum: Tensor, channels: Tensor, reference: Tensor, generator: torch.Generator
    ) -> Tensor:
        image = self.canvas.paint(spectrum)
        looked_at = self._disturb(image, generator)
        # around the network alone: bfloat16 would round the small slopes that the penalties
        # are made of
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            response = self.cone.respond(_prepared(looked_at), channels).float()
        # the scale is a constant of this step: its derivative would undo the gain
        gain = response / _scale(response.detach(), reference)
        penalty = (
            self.recipe.range_weight * _excess(image)
            + self._variation * _variation(image)
            + self._prior * spectrum.square().mean((1, 2, 3))
        )
        return (penalty - gain).sum()

    def _disturb(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Return the field's part of the canvas, displaced and scaled alike for all images."""
        # one draw for the whole batch: what a picture becomes does not depend on the others in it
        shift = torch.randint(-self._margin, self._margin + 1, (2,), generator=generator)
        factor = 1 + self._zoom * (2 * torch.rand((), generator=generator).item() - 1)
        y, x = self.cone.size
        if not self._zoom:
            top, left = (shift + self._margin).tolist()
            return image[:, :, top : top + y, left : left + x]
        height, width = self.canvas.size
        place = torch.tensor([
            [factor * x / width, 0.0, 2 * shift[1] / width],
            [0.0, factor * y / height, 2 * shift[0] / height],
        ])  # fmt: skip
        shape = [len(image), image.shape[1], y, x]
        grid = F.affine_grid(place.expand(len(image), 2, 3), shape, align_corners=False)
        return F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)

    def _generator(self, purpose: int) -> torch.Generator:
        """Return a generator that depends on the seed and its purpose, not on earlier draws."""
        return torch.Generator().manual_seed(2 * self.recipe.seed + purpose)


class _Ascent:
    """Steps along a smoothed gradient, made as large as asked for each image.

    Each number is divided by the root of its own and its image's mean square gradient in equal
    parts: with its own alone (Adam) noise in frequencies that do not matter to the unit grows as
    fast as what does; with the image's alone a few loud ones use up the steps.
    """

    def __init__(self, spectrum: Tensor, rate: float, steps: int) -> None:
        self._spectrum, self._rate, self._steps, self._taken = spectrum, rate, steps, 0
        self._mean, self._square = torch.zeros_like(spectrum), torch.zeros_like(spectrum)

    def step(self, gradient: Tensor) -> None:
        """Take one step against the gradient of the loss."""
        self._taken += 1
        self._mean.lerp_(gradient, 1 - _MOMENTUM)
        self._square.lerp_(gradient.square(), 1 - _MEMORY)
        square = (self._square + self._square.mean((1, 2, 3), keepdim=True)) / 2
        size = (square / (1 - _MEMORY**self._taken)).sqrt_().clamp_min_(TINY)
        # the second half falls to 0, so that the jitter of the last steps is averaged out
        left = 1 - (self._taken - 1) / self._steps
        rate = self._rate * min(1.0, 2 * left) / (1 - _MOMENTUM**self._taken)
        with torch.no_grad():
            self._spectrum.sub_(rate * self._mean / size)


def _scale(response: Tensor, reference: Tensor) -> Tensor:
    """Return what a response's gain is measured by.

    Itself where it is large: d log r = dr / r. Below half of a response that the unit is known to
    reach that half: a gain on next to nothing would outweigh all penalties while the picture is
    laid out, and noise of that time stays.
    """
    known = torch.maximum(response, KNOWN_SHARE * reference)
    return torch.where(reference > 0, known, response.abs()).clamp_min(TINY)


def _prepared(image: Tensor) -> Tensor:
    """Return pixels of 0 ... 1 as the network's input, as `prepare` does for bytes."""
    bytes_ = 255 * image
    return ((bytes_ - PIXEL_MEAN) / PIXEL_SCALE).contiguous(memory_format=torch.channels_last)


def _excess(image: Tensor) -> Tensor:
    """Return the mean square by which each image's pixels leave 0 ... 1."""
    return (image - image.clamp(0, 1)).square().mean((1, 2, 3))


def _variation(image: Tensor) -> Tensor:
    """Return the mean slope between neighbouring pixels of each image (total variation)."""
    down = (image[:, :, 1:, :-1] - image[:, :, :-1, :-1]).square().mean(1)
    right = (image[:, :, :-1, 1:] - image[:, :, :-1, :-1]).square().mean(1)
    # smoothed at 0, where the slope of a root is infinite
    return (down + right + _SMOOTH).sqrt().mean((1, 2))
