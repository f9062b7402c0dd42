import numpy as np
import pytest
import torch

from ontogeny.pictures.canvas import Canvas, Palette, cosines
from oracles.pictures import naive_cosines

pytestmark = pytest.mark.torch


def coloured(seed=0, channels=3, n=40):
    rng = np.random.default_rng(seed)
    colour = rng.normal(128, 30, (n, 6, 7, 1)) + rng.normal(0, 8, (n, 6, 7, channels))
    return np.clip(colour, 0, 255).astype(np.uint8)


def test_palette_is_mean_and_covariance_of_the_pixels():
    images = coloured()
    palette = Palette.of(images)
    pixels = images.reshape(-1, 3) / 255
    np.testing.assert_allclose(palette.mean, pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        palette.root @ palette.root.T, np.cov(pixels, rowvar=False), rtol=1e-4, atol=1e-6
    )  # float32 root of a covariance with two nearly equal eigenvalues


def test_cosine_basis_is_the_naive_transform():
    image = np.random.default_rng(0).standard_normal((5, 6))
    actual = cosines(5).double() @ torch.from_numpy(image) @ cosines(6).double().T
    np.testing.assert_allclose(actual, naive_cosines(image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("size", [(3, 3), (8, 8), (28, 17)])
def test_spectrum_is_the_inverse_of_paint(channels, size):
    canvas = Canvas(size, Palette.of(coloured(channels=channels)), 1.0)
    spectrum = torch.randn(4, channels, *size, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(canvas.spectrum(canvas.paint(spectrum)), spectrum, atol=2e-3)


def test_normal_spectra_have_the_colours_of_the_task():
    palette = Palette.of(coloured())
    canvas = Canvas((16, 16), palette, 1.0)
    spectra = torch.randn(3000, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    pixels = canvas.paint(spectra).permute(1, 0, 2, 3).flatten(1)
    # half of the variance lies in a few coarse cosines of 3,000 images: a sample, not an identity
    np.testing.assert_allclose(pixels.mean(1), palette.mean, atol=0.01)
    np.testing.assert_allclose(
        torch.cov(pixels), palette.root @ palette.root.T, rtol=0.1, atol=1e-3
    )


def test_amplitudes_fall_with_frequency():
    canvas = Canvas((32, 32), Palette.of(coloured(channels=1)), 1.0)
    coarse, fine = torch.zeros(2, 1, 1, 32, 32)
    coarse[..., 0, 2], fine[..., 0, 16] = 1, 1
    sizes = [(canvas.paint(s) - canvas.palette.mean).square().sum().sqrt() for s in (coarse, fine)]
    np.testing.assert_allclose(sizes[0] / sizes[1], 8.0, rtol=1e-4)
