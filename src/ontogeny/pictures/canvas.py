"""Images written in cosines and in the task's own colours. May import numpy and torch only.

An image is a spectrum of independent numbers of about unit size: each weighs a two-dimensional
cosine (falling with its frequency, as in photographs) in a direction of colour along which the
task's pixels vary independently. Moving all numbers alike thus moves mostly what is coarse and
what is common in the task.

References
----------
Olah, Mordvintsev & Schubert 2017, Feature visualization (Fourier basis, decorrelated colours).
Field 1987 (1/f amplitudes of natural images).
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

_FAINT = 1e-6


@dataclass(frozen=True)
class Palette:
    """The colours of a task: mean and a root of the covariance of its pixels, range 0 ... 1."""

    mean: Tensor
    """[channel]."""
    root: Tensor
    """[channel, axis]; root @ root.T is the covariance of colours."""

    @classmethod
    def of(cls, images: np.ndarray) -> Self:
        """Measure the palette of uint8 images [exemplar, y, x, channel]."""
        pixels = images.reshape(-1, images.shape[-1]).astype(np.float64) / 255
        covariance = np.atleast_2d(np.cov(pixels, rowvar=False))
        values, axes = np.linalg.eigh(covariance)
        root = axes * np.sqrt(np.maximum(values, _FAINT))
        return cls(torch.from_numpy(pixels.mean(axis=0)).float(), torch.from_numpy(root).float())


class Canvas:
    """Images of one size as spectra, and back.

    image = mean + root @ (C_y' (amplitude * spectrum) C_x), with orthonormal cosines C and
    amplitude = 1 / frequency^decay, scaled to a mean square of 1: a spectrum of standard normal
    numbers has the task's colour covariance in every pixel on average.

    Parameters
    ----------
    size
        Height and width in pixels.
    palette
        The colours.
    decay
        Exponent of the fall of amplitudes with frequency.
    """

    def __init__(self, size: tuple[int, int], palette: Palette, decay: float) -> None:
        self.size, self.palette = size, palette
        self._rows, self._columns = cosines(size[0]), cosines(size[1])
        y, x = (torch.arange(n, dtype=torch.float32) / (2 * n) for n in size)
        frequency = (y[:, None] ** 2 + x**2).sqrt().clamp_min(1 / (2 * max(size)))
        amplitude = frequency**-decay
        self._amplitude = amplitude / amplitude.square().mean().sqrt()

    def paint(self, spectrum: Tensor) -> Tensor:
        """Return the images of spectra, [image, channel, y, x], neither clipped nor prepared."""
        waves = self._rows.T @ (spectrum * self._amplitude) @ self._columns
        colours = torch.einsum("ca,nayx->ncyx", self.palette.root, waves)
        return colours + self.palette.mean[:, None, None]

    def spectrum(self, images: Tensor) -> Tensor:
        """Return the spectra of images: the inverse of `paint`."""
        colours = images - self.palette.mean[:, None, None]
        waves = torch.einsum("ac,ncyx->nayx", torch.linalg.inv(self.palette.root), colours)
        return (self._rows @ waves @ self._columns.T) / self._amplitude


def cosines(n: int) -> Tensor:
    """Return the orthonormal cosine basis (DCT-II), [frequency, place], float32."""
    k = torch.arange(n, dtype=torch.float64)
    basis = torch.cos(math.pi * k[:, None] * (2 * k + 1) / (2 * n)) * math.sqrt(2 / n)
    basis[0] /= math.sqrt(2)
    return basis.float()
