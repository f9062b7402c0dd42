"""Clones keep mean and covariance, lose the rest, and say what clipping costs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kstest, kurtosis

from ontogeny.errors import InputError
from ontogeny.stats.clones import gaussian_clones, share_clipped
from oracles import patterns as oracles


def images_of(seed: int, n: int, size: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    token = np.arange(n) % 2
    images = rng.integers(0, 256, (n, size, size, 1)) // (1 + 3 * token[:, None, None, None])
    images[:, 0, 0] = images[:, 0, 1]  # correlated pixels
    return images.astype(np.uint8), token


def test_clones_have_the_moments_of_their_token() -> None:
    images, token = images_of(0, 60)
    wanted = np.repeat([1, 0], 100_000)
    clones = gaussian_clones(images, token, wanted, rng=np.random.default_rng(1))
    assert clones.shape == (200_000, 2, 2, 1)
    assert clones.dtype == np.float64
    for c in (0, 1):
        mean, covariance = oracles.naive_clone_moments(images, token, c)
        own = clones[wanted == c].reshape(-1, 4)
        # looser: 100,000 draws
        assert_allclose(own.mean(axis=0), mean, atol=4 * np.sqrt(covariance.max() / 1e5))
        assert_allclose(np.cov(own.T), covariance, atol=0.02 * covariance.max())
        assert_allclose(own[:, 0], own[:, 1], rtol=1e-9)


def test_clones_are_gaussian_though_the_images_are_not() -> None:
    images, token = images_of(2, 400)
    clones = gaussian_clones(images, token, np.zeros(5000, dtype=int), rng=np.random.default_rng(3))
    pixel = clones[:, 1, 1, 0]
    assert abs(kurtosis(images[token == 0, 1, 1, 0])) > 1
    assert abs(kurtosis(pixel)) < 0.2
    assert kstest((pixel - pixel.mean()) / pixel.std(), "norm").pvalue > 0.01


def test_with_fewer_exemplars_than_pixels_clones_stay_in_their_span() -> None:
    images, token = images_of(4, 12, size=6)
    clones = gaussian_clones(images, token, np.zeros(30, dtype=int), rng=np.random.default_rng(5))
    own = images[token == 0].reshape(6, -1).astype(float)
    basis = np.linalg.qr((own - own.mean(axis=0)).T)[0]
    centred = clones.reshape(30, -1) - own.mean(axis=0)
    assert_allclose(centred @ basis @ basis.T, centred, atol=1e-8)
    assert np.linalg.matrix_rank(centred, tol=1e-6) == 5


def test_clipping_is_asked_for_and_counted() -> None:
    images, token = images_of(6, 40)
    wanted = np.zeros(200, dtype=int)
    free, clipped = (
        gaussian_clones(images, token, wanted, rng=np.random.default_rng(7), limits=limits)
        for limits in (None, (0, 255))
    )
    assert free.min() < 0
    assert clipped.min() == 0
    assert clipped.max() == 255
    assert_allclose(np.clip(free, 0, 255), clipped)
    share = share_clipped(free, (0, 255))
    assert_allclose(share, np.mean((free != clipped).reshape(200, -1), axis=1))
    assert share.max() > 0
    assert clipped.var() < free.var()


def test_the_same_seed_gives_the_same_clones() -> None:
    images, token = images_of(8, 10)
    one, other = (
        gaussian_clones(images, token, token, rng=np.random.default_rng(9)) for _ in range(2)
    )
    assert np.array_equal(one, other)


def test_a_token_of_one_exemplar_or_none_has_no_clones() -> None:
    images, token = images_of(10, 7)
    token = np.where(np.arange(7) == 0, 5, 1)
    wanted = np.array([5, 3, 1])
    clones = gaussian_clones(images, token, wanted, rng=np.random.default_rng(11))
    assert np.isnan(clones[:2]).all()
    assert np.isfinite(clones[2]).all()
    assert np.isnan(share_clipped(clones, (0, 255))).tolist() == [True, True, False]


def test_limits_that_do_not_ascend_are_refused() -> None:
    images, token = images_of(12, 4)
    with pytest.raises(InputError, match=r"ascending limits, got \(255, 0\)"):
        gaussian_clones(images, token, token, rng=np.random.default_rng(0), limits=(255, 0))


def test_columns_that_are_drawn_apart_keep_their_covariance(monkeypatch):
    rng = np.random.default_rng(3)
    images, token = rng.normal(size=(12, 5, 2)), np.arange(12) % 3
    whole = gaussian_clones(images, token, token, rng=np.random.default_rng(0))
    monkeypatch.setattr("ontogeny.stats.clones._COLUMNS", 3)
    parts = gaussian_clones(images, token, token, rng=np.random.default_rng(0))
    assert_allclose(parts, whole, rtol=1e-10)
