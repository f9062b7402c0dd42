"""Quality and motion of maps: naive twins, closed forms, invariances, maps that do not exist."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import orthogonal_procrustes

from ontogeny.errors import InputError
from ontogeny.stats import mapquality
from oracles import embedding as oracles

SEEDS = st.integers(0, 10_000)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def rotation(seed: int, n: int) -> np.ndarray:
    return np.linalg.qr(normal(seed, n, n))[0]


def test_quality_equals_its_naive_twins_at_every_step() -> None:
    data, frames = normal(0, 3, 14, 5), normal(1, 3, 14, 2)
    quality = mapquality.map_quality(data, frames, neighbours=4)
    for t in range(3):
        assert_allclose(
            quality.trustworthiness[t],
            oracles.naive_trustworthiness(data[t], frames[t], 4),
            rtol=1e-10,
        )
        assert_allclose(
            quality.continuity[t],
            oracles.naive_trustworthiness(frames[t], data[t], 4),
            rtol=1e-10,
        )


def test_a_plane_in_many_dimensions_is_kept_whole() -> None:
    frames = normal(2, 1, 30, 2)
    data = frames @ rotation(3, 7)[:2] * 5 + 1
    quality = mapquality.map_quality(data, frames)
    assert_allclose(quality.trustworthiness, 1, rtol=1e-12)
    assert_allclose(quality.continuity, 1, rtol=1e-12)


def test_a_random_map_has_trustworthiness_of_about_a_half() -> None:
    quality = mapquality.map_quality(normal(4, 10, 200, 20), normal(5, 10, 200, 2))
    assert_allclose(quality.trustworthiness.mean(), 0.5, atol=0.02)  # 10 maps of 200
    assert_allclose(quality.continuity.mean(), 0.5, atol=0.02)


def test_a_torn_line_is_trustworthy_but_not_continuous() -> None:
    """Cutting a line and moving one half away tears neighbours apart and invents none."""
    line = np.linspace(0, 1, 60)
    data = np.stack([line, 0 * line], axis=1)[None]
    torn = data + np.array([0.0, 9.0]) * (line > 0.5)[:, None]
    quality = mapquality.map_quality(data, torn, neighbours=5)
    assert quality.trustworthiness[0] > quality.continuity[0]
    folded = np.abs(data - 0.5)  # folding lays strangers together and tears few apart
    quality = mapquality.map_quality(data, folded, neighbours=5)
    assert quality.trustworthiness[0] < quality.continuity[0]


@given(seed=SEEDS, size=st.floats(0.01, 100))
def test_quality_is_invariant_to_rotation_shift_and_scale(seed: int, size: float) -> None:
    data, frames = normal(seed, 1, 12, 4), normal(seed + 1, 1, 12, 2)
    turned = size * frames @ rotation(seed, 2) + 3
    assert_allclose(
        mapquality.map_quality(data @ rotation(seed, 4) - 1, turned, neighbours=3),
        mapquality.map_quality(data, frames, neighbours=3),
        rtol=1e-8,  # distances after a shift lose digits
    )


def test_quality_is_nan_where_there_is_no_map_and_only_there() -> None:
    data, frames = normal(6, 6, 12, 4), normal(7, 6, 12, 2)
    data[1, 3, 2] = np.nan
    data[2] = 0.1
    frames[3] = np.nan
    frames[4] = 5
    quality = mapquality.map_quality(data, frames, neighbours=3)
    for values in quality:
        assert np.isnan(values).tolist() == [False, True, True, True, True, False]


def test_exact_duplicates_are_no_fault() -> None:
    data = np.repeat(normal(8, 1, 10, 2), 3, axis=1)
    quality = mapquality.map_quality(data, data.copy(), neighbours=4)
    assert_allclose(quality.trustworthiness, 1)
    assert_allclose(quality.continuity, 1)


def test_of_exemplars_equally_near_only_as_many_as_asked_for_count() -> None:
    """Two heaps on the map: each has six nearest, of which two are looked up in the data."""
    heaps = np.repeat(np.eye(2), 7, axis=0)[None]
    for seed in range(5):
        quality = mapquality.map_quality(normal(seed, 1, 14, 5), heaps, neighbours=2)
        assert 0 < quality.trustworthiness[0] <= 1
        assert 0 < quality.continuity[0] <= 1


@pytest.mark.parametrize("neighbours", [0, 6])
def test_too_many_or_no_neighbours_are_refused(neighbours: int) -> None:
    with pytest.raises(InputError, match=r"expected 1 <= neighbours < half of the 12 exemplars"):
        mapquality.map_quality(normal(0, 1, 12, 4), normal(1, 1, 12, 2), neighbours=neighbours)


def test_unit_radius_equals_its_twin_and_marks_what_has_no_radius() -> None:
    x = normal(9, 4, 8, 3) * np.array([1, 1e-6, 1e6, 1])[:, None, None] + 2
    actual = mapquality.unit_radius(x.astype(np.float32))
    for t in range(3):
        assert_allclose(
            actual[t], oracles.naive_unit_radius(x[t].astype(np.float32).astype(np.float64))
        )
    x[0], x[1, 0, 0], x[2, 1, 1] = 0.1, np.inf, np.nan
    actual = mapquality.unit_radius(x)
    assert np.isnan(actual[:3]).all()
    assert np.isfinite(actual[3]).all()


def test_data_motion_equals_scipys_procrustes() -> None:
    x = normal(10, 3, 9, 4)
    for t in range(2):
        before, after = oracles.naive_unit_radius(x[t]), oracles.naive_unit_radius(x[t + 1])
        turn, _ = orthogonal_procrustes(before, after)
        desired = [np.linalg.norm(before[i] @ turn - after[i]) for i in range(9)]
        assert_allclose(mapquality.data_motion(x)[t], desired, rtol=1e-10)
        root_mean_square = np.sqrt(np.mean(np.square(desired)))
        assert_allclose(root_mean_square, oracles.naive_least_motion(x[t], x[t + 1]), rtol=1e-10)


@given(seed=SEEDS, size=st.floats(0.01, 100))
def test_rotating_or_growing_data_calls_for_no_motion(seed: int, size: float) -> None:
    x = normal(seed, 10, 4)
    motion = mapquality.data_motion(np.stack([x, size * x @ rotation(seed, 4) + 1]))
    assert_allclose(motion, 0, atol=1e-7)


def test_motion_equals_its_definition() -> None:
    x, frames = normal(11, 3, 8, 4), normal(12, 3, 8, 2)
    motion = mapquality.map_motion(x, frames)
    called_for = mapquality.data_motion(x)
    for t in range(2):
        radii = [np.sqrt(np.mean(np.sum((f - f.mean(0)) ** 2, axis=1))) for f in frames[t : t + 2]]
        shown = [
            np.linalg.norm(frames[t + 1, i] - frames[t, i]) / np.sqrt(radii[0] * radii[1])
            for i in range(8)
        ]
        excess = [max(0.0, shown[i] - called_for[t, i]) for i in range(8)]
        assert_allclose(motion.shown[t], np.mean(shown), rtol=1e-10)
        assert_allclose(motion.called_for[t], np.mean(called_for[t]), rtol=1e-10)
        assert_allclose(motion.jitter[t], np.mean(excess), rtol=1e-10)


def test_motion_in_the_data_may_be_handed_over() -> None:
    x, frames = normal(18, 3, 8, 4), normal(19, 3, 8, 2)
    handed = mapquality.map_motion(x, frames, in_data=mapquality.data_motion(x))
    assert_allclose(handed, mapquality.map_motion(x, frames), rtol=1e-12)
    still = mapquality.map_motion(x, frames, in_data=np.zeros((2, 8)))
    assert_allclose(still.jitter, still.shown, rtol=1e-12)


def test_jitter_is_motion_that_is_not_called_for() -> None:
    start, change = normal(13, 40, 2), 0.2 * normal(14, 40, 2)
    moving = np.stack([start, start + change])
    still = np.stack([start, start])
    assert_allclose(mapquality.map_motion(still, still).jitter, 0, atol=1e-7)
    jumping = mapquality.map_motion(still, moving)
    assert_allclose(jumping.jitter, jumping.shown, rtol=1e-6)
    faithful = mapquality.map_motion(moving, moving)
    assert faithful.jitter[0] < 0.15 * jumping.jitter[0]
    frozen = mapquality.map_motion(moving, still)
    assert_allclose(frozen.jitter, 0, atol=1e-12)


def test_a_camera_that_turns_is_jitter() -> None:
    start = normal(15, 40, 2)
    turned = np.stack([start, start @ np.array([[0.0, 1.0], [-1.0, 0.0]])])
    motion = mapquality.map_motion(np.stack([start, start]), turned)
    assert motion.jitter[0] > 1


def test_motion_has_one_value_fewer_than_steps_and_nan_beside_a_gap() -> None:
    x, frames = normal(16, 5, 8, 4), normal(17, 5, 8, 2)
    x[2, 0, 0] = frames[2] = np.nan
    for values in mapquality.map_motion(x, frames):
        assert np.isnan(values).tolist() == [False, True, True, False]
    for values in mapquality.map_motion(x[:1], frames[:1]):
        assert values.shape == (0,)
