"""Near-copies: the naive twin, planted copies among smooth random images, and a null without."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.stats.copies import block_patterns, near_copies, nearest
from oracles.copies import naive_nearest, naive_pattern


def smooth(seed, n, size=24, channels=3):
    """Smooth random images around one mean, as photographs of one token are."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, np.pi, size)
    waves = np.stack([np.cos(k * axis) / (1 + k) for k in range(6)])
    weights = rng.normal(size=(n, 6, 6, channels))
    weights[:, 1, 1] += 2
    images = np.einsum("nabc,ay,bx->nyxc", weights, waves, waves)
    return np.clip(128 + 30 * images, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("shape", [(9, 12, 1), (33, 40, 3), (16, 16, 3)])
def test_patterns_and_neighbours_equal_their_naive_twins(shape):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, *shape), dtype=np.uint8)
    patterns = block_patterns(images)
    twins = np.array([naive_pattern(image) for image in images])
    assert_allclose(patterns, twins, atol=1e-6)  # single precision
    index, distance = nearest(patterns[:3], patterns[3:])
    for k in range(3):
        near, far = naive_nearest(twins[k], twins[3:])
        assert index[k] == near
        assert_allclose(distance[k], far, rtol=1e-5)


def test_brightness_contrast_and_small_noise_do_not_hide_a_copy():
    learned, held_out = smooth(0, 150), smooth(1, 40)
    rng = np.random.default_rng(2)
    for k, change in enumerate((0, 20, -15)):
        copy = learned[10 * k].astype(float) * (1 - 0.1 * k) + change
        held_out[k] = np.clip(copy + rng.normal(0, 3, copy.shape), 0, 255)
    copies, index, ratio = near_copies(held_out, learned, rng=np.random.default_rng(3))
    assert np.flatnonzero(copies).tolist() == [0, 1, 2]
    assert index[:3].tolist() == [0, 10, 20]
    assert (ratio[:3] < 1).all()
    assert ratio[3:].min() > 1


@pytest.mark.parametrize("n", [5, 60, 300])
def test_independent_images_are_no_copies(n):
    counted = [
        near_copies(smooth(2 * seed, 50), smooth(2 * seed + 1, n), rng=np.random.default_rng(seed))
        for seed in range(8)
    ]
    assert sum(copies.sum() for copies, _, _ in counted) == 0


def test_frames_of_a_turntable_are_copies_when_divided_at_random_and_not_by_sectors():
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    turning = np.stack([np.cos(k * angle + p) for k, p in enumerate(rng.uniform(0, 6, 12))], axis=1)
    looks = turning @ rng.normal(size=(12, 24 * 24))
    images = np.clip(128 + 10 * looks, 0, 255).astype(np.uint8).reshape(300, 24, 24, 1)
    at_random, by_sectors = (
        near_copies(images[held], images[~held], rng=np.random.default_rng(1))[0].mean()
        for held in (rng.random(300) < 0.2, np.arange(300) // 30 % 5 == 0)
    )
    assert at_random > 0.9
    assert by_sectors < 0.3  # the frames beside the borders


def test_images_without_contrast_and_tokens_of_one_exemplar_have_no_copies():
    flat = np.full((3, 8, 8, 3), 90, dtype=np.uint8)
    assert not near_copies(flat, flat, rng=np.random.default_rng(0))[0].any()
    some = smooth(0, 3)
    copies, _, ratio = near_copies(some, some[:1], rng=np.random.default_rng(0))
    assert not copies.any()
    assert np.isnan(ratio).all()
    assert near_copies(some[:0], some, rng=np.random.default_rng(0))[0].shape == (0,)
