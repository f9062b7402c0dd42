"""Maps that can be compared between steps: naive twins, what they must show, and must not."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.stats import embedding, mapquality
from oracles import embedding as oracles

SEEDS = st.integers(0, 10_000)
Map = Callable[[np.ndarray], np.ndarray]
MAPS = [
    embedding.pca_map,
    embedding.mds_map,
    lambda x: embedding.neighbour_map(x, neighbours=5),
]
TETHERED = MAPS[1:]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def rotation(seed: int, n: int) -> np.ndarray:
    return np.linalg.qr(normal(seed, n, n))[0]


def growing_groups(seed: int = 0, *, steps: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Three tokens of 20 exemplars in 10 units, coming apart over the steps."""
    token = np.repeat(np.arange(3), 20)
    centre = 4 * rotation(seed, 10)[:3][token]
    noise = normal(seed + 1, 60, 10)
    drift = 0.1 * np.cumsum(normal(seed + 2, steps, 60, 10), axis=0)
    return np.linspace(0, 2, steps)[:, None, None] * centre + noise + drift, token


def share_of_own_token(frame: np.ndarray, token: np.ndarray, k: int = 5) -> float:
    """Share of the k nearest on the map that have the exemplar's token."""
    d = np.linalg.norm(frame[:, None] - frame, axis=-1)
    np.fill_diagonal(d, np.inf)
    return float(np.mean(token[np.argsort(d, axis=1)[:, :k]] == token[:, None]))


# --- the floor: one camera --------------------------------------------------------------------


def test_the_joint_plane_shows_most_variance_of_all_steps_together() -> None:
    x = normal(0, 4, 12, 5) * np.array([3, 2, 1, 1, 1])
    stacked = np.concatenate([oracles.naive_unit_radius(step) for step in x])
    u, size, v = np.linalg.svd(stacked, full_matrices=False)
    sign = np.sign(v[np.arange(2), np.abs(v[:2]).argmax(axis=1)])
    desired = (u[:, :2] * size[:2] * sign).reshape(4, 12, 2)
    assert_allclose(embedding.pca_map(x), desired, rtol=1e-10, atol=1e-12)


@given(seed=SEEDS)
def test_one_camera_shows_no_motion_that_is_not_in_the_data(seed: int) -> None:
    x = normal(seed, 3, 9, 4)
    moved = np.diff(np.stack([oracles.naive_unit_radius(step) for step in x]), axis=0)
    shown = np.diff(embedding.pca_map(x), axis=0)
    assert (np.linalg.norm(shown, axis=-1) <= np.linalg.norm(moved, axis=-1) + 1e-12).all()


@given(seed=SEEDS)
def test_the_joint_plane_does_not_depend_on_the_choice_of_units(seed: int) -> None:
    x = normal(seed, 3, 9, 4) * np.array([4, 2, 1, 0.5])
    before, after = embedding.pca_map(x), embedding.pca_map(x @ rotation(seed, 4))
    mirror = np.sign((before * after).sum(axis=(0, 1)))
    assert_allclose(after * mirror, before, atol=1e-9)


# --- alignment --------------------------------------------------------------------------------


@given(seed=SEEDS)
def test_alignment_undoes_any_turning_of_the_frames(seed: int) -> None:
    frame = normal(seed, 10, 2) * np.array([2, 1])
    turned = np.stack([frame @ rotation(seed + t, 2) + t for t in range(4)])
    aligned = embedding.align_frames(turned)
    assert_allclose(aligned, np.broadcast_to(aligned[-1], aligned.shape), atol=1e-9)
    assert_allclose((aligned[-1, :, 0] * aligned[-1, :, 1]).sum(), 0, atol=1e-9)


@given(seed=SEEDS)
def test_no_other_turning_moves_less(seed: int) -> None:
    aligned = embedding.align_frames(normal(seed, 4, 7, 2))
    random = np.stack([frame @ rotation(seed + t, 2) for t, frame in enumerate(aligned)])
    assert np.square(np.diff(aligned, axis=0)).sum() <= np.square(np.diff(random, axis=0)).sum()


def test_alignment_passes_over_a_missing_frame() -> None:
    frames = normal(1, 4, 7, 2)
    without = embedding.align_frames(frames[[0, 1, 3]])
    frames[2] = np.nan
    aligned = embedding.align_frames(frames)
    assert np.isnan(aligned[2]).all()
    assert_allclose(aligned[[0, 1, 3]], without)


# --- multidimensional scaling -----------------------------------------------------------------


def test_a_plane_is_scaled_without_stress() -> None:
    flat = normal(2, 3, 20, 2) @ rotation(3, 6)[:2]
    for iterations in (0, 5):
        frames = embedding.mds_map(flat, steadiness=0.0, iterations=iterations)
        assert_allclose(oracles.naive_mds_misfit(flat, frames), 0, atol=1e-10)


@pytest.mark.parametrize("steadiness", [0.0, 0.002, 0.1])
def test_the_objective_of_scaling_never_rises(steadiness: float) -> None:
    x = normal(4, 4, 14, 6)

    def objective(iterations: int) -> float:
        y = embedding.mds_map(x, steadiness=steadiness, iterations=iterations)
        return oracles.naive_mds_misfit(x, y) + steadiness * oracles.naive_steadiness(x, y)

    values = [objective(iterations) for iterations in range(6)]
    assert (np.diff(values) < 1e-7).all()  # single precision inside
    assert values[5] < 0.99 * values[0]


def test_scaling_ends_where_no_small_change_helps() -> None:
    x = normal(5, 3, 10, 4)
    y = embedding.mds_map(x, steadiness=0.01, iterations=2000)

    def objective(frames: np.ndarray) -> float:
        misfit = oracles.naive_mds_misfit(x, frames)
        return misfit + 0.01 * oracles.naive_steadiness(x, frames)

    least = objective(y)
    for seed in range(20):
        assert objective(y + 1e-2 * normal(seed, *y.shape)) > least


# --- neighbour embedding ----------------------------------------------------------------------


def test_affinities_equal_bisection() -> None:
    x = normal(6, 25, 4)
    squared = np.square(np.linalg.norm(x[:, None] - x, axis=-1))
    actual = embedding.affinities(squared, neighbours=6)
    assert_allclose(actual, oracles.naive_affinities(x, 6), rtol=2e-4, atol=1e-9)  # float32
    assert_allclose(actual.sum(), 1, rtol=1e-5)


def test_affinities_of_many_duplicates_and_of_equal_distances_are_finite() -> None:
    duplicates = np.repeat(normal(7, 2, 3), 10, axis=0)
    squared = np.square(np.linalg.norm(duplicates[:, None] - duplicates, axis=-1))
    p = embedding.affinities(squared, neighbours=4)
    assert_allclose(p[:10, 10:], 0, atol=1e-12)
    assert_allclose(p[0, 1:10], p[0, 1])
    equal = embedding.affinities(1 - np.eye(12), neighbours=4)
    assert_allclose(equal[~np.eye(12, dtype=bool)], 1 / (12 * 11), rtol=1e-5)


def test_the_twins_gradient_is_the_gradient_of_kl() -> None:
    p, y = oracles.naive_affinities(normal(8, 8, 3), 3), normal(9, 8, 2)
    change = 1e-6 * normal(10, 8, 2)
    slope = (oracles.naive_kl(p, y + change) - oracles.naive_kl(p, y - change)) / 2
    assert_allclose((oracles.naive_kl_gradient(p, y) * change).sum(), slope, rtol=1e-6)


@pytest.mark.parametrize("steadiness", [0.0, 0.01])
def test_the_neighbour_map_equals_its_naive_twin(steadiness: float) -> None:
    x = normal(11, 3, 12, 4)
    start = embedding.pca_map(x)
    actual = embedding.neighbour_map(x, neighbours=4, steadiness=steadiness, iterations=7)
    desired = oracles.naive_neighbour_map(x, start, 4, steadiness, 7)
    assert_allclose(actual, desired, atol=2e-3)  # 7 steps with momentum in float32, radius 1


def test_the_neighbour_map_shows_groups_when_they_are_there() -> None:
    x, token = growing_groups()
    frames = embedding.neighbour_map(x, neighbours=8)
    assert share_of_own_token(frames[-1], token) > 0.95
    assert share_of_own_token(frames[0], token) < 0.6
    assert mapquality.map_quality(x, frames).trustworthiness[-1] > 0.85


def test_twice_the_iterations_gain_little() -> None:
    x, _ = growing_groups()
    for draw in (embedding.mds_map, embedding.neighbour_map):
        trust = [
            mapquality.map_quality(x, draw(x, iterations=n)).trustworthiness.mean()
            for n in (40 if draw is embedding.mds_map else 100, 400)
        ]
        assert trust[1] - trust[0] < 0.01


@settings(max_examples=5)
@given(seed=SEEDS)
def test_maps_do_not_depend_on_the_order_of_exemplars(seed: int) -> None:
    x, order = normal(seed, 2, 14, 5), np.random.default_rng(seed).permutation(14)
    for draw in (embedding.pca_map, embedding.mds_map, few_steps):
        assert_allclose(draw(x[:, order]), draw(x)[:, order], atol=1e-3)  # float32 sums


def few_steps(x: np.ndarray) -> np.ndarray:
    """Draw so few steps that rounding in another order has not grown yet."""
    return embedding.neighbour_map(x, neighbours=4, iterations=5)


@pytest.mark.parametrize("draw", TETHERED)
def test_frames_stay_put_where_the_data_does(draw: Map) -> None:
    x = normal(12, 1, 30, 6)
    turned = np.concatenate([x, 7 * x @ rotation(13, 6), x])
    assert mapquality.map_motion(turned, draw(turned)).jitter.max() < 0.05
    still = x.repeat(4, axis=0)
    assert mapquality.map_motion(still, draw(still)).shown.max() < 1e-5


def test_one_exemplar_that_changes_sides_is_seen_to_do_so_at_that_step() -> None:
    token = np.repeat([0, 1], 30)
    x = np.repeat((normal(13, 60, 6) + 6 * token[:, None])[None], 8, axis=0)
    x[4:, 0] = x[4:, 30] + 0.1
    for draw in (embedding.pca_map, embedding.mds_map, embedding.neighbour_map):
        frames = draw(x)
        centre = np.stack([frames[:, 1:30].mean(axis=1), frames[:, 30:].mean(axis=1)])
        side = np.linalg.norm(frames[:, 0] - centre, axis=-1).argmin(axis=0)
        assert side.tolist() == [0] * 4 + [1] * 4


def test_steadiness_takes_jitter_away_and_little_trust() -> None:
    x, _ = growing_groups(steps=12)
    free = embedding.neighbour_map(x, neighbours=8, steadiness=0.0)
    held = embedding.neighbour_map(x, neighbours=8)
    jitter = [mapquality.map_motion(x, frames).jitter.mean() for frames in (free, held)]
    trust = [mapquality.map_quality(x, frames).trustworthiness.mean() for frames in (free, held)]
    assert jitter[1] < 0.3 * jitter[0]
    assert trust[1] > trust[0] - 0.02


# --- what has no map, or hardly ---------------------------------------------------------------


@pytest.mark.parametrize("draw", MAPS)
def test_steps_without_a_map_are_nan_and_do_not_disturb_the_others(draw: Map) -> None:
    x = normal(14, 6, 15, 4)
    desired = draw(x[[1, 3, 5]])
    x[0], x[2, 3, 1], x[4, 0, 0] = 0.1, np.nan, np.inf
    frames = draw(x)
    assert np.isnan(frames[[0, 2, 4]]).all()
    assert_allclose(frames[[1, 3, 5]], desired)


@pytest.mark.parametrize("draw", MAPS)
def test_a_record_without_any_map_is_all_nan(draw: Map) -> None:
    assert np.isnan(draw(np.zeros((3, 12, 4)))).all()
    assert np.isnan(draw(np.zeros((2, 12, 0)))).all()
    assert draw(np.zeros((0, 12, 4))).shape == (0, 12, 2)


@pytest.mark.parametrize("draw", MAPS)
def test_one_step_one_unit_and_integers_have_a_map(draw: Map) -> None:
    assert np.isfinite(draw(normal(15, 1, 12, 4))).all()
    line = draw(normal(16, 3, 12, 1))
    assert_allclose(line[..., 1], 0, atol=1e-6)
    pixels = np.random.default_rng(17).integers(0, 255, (2, 12, 9)).astype(np.uint8)
    assert np.isfinite(draw(pixels)).all()


@pytest.mark.parametrize("draw", MAPS)
def test_duplicates_in_the_data_are_nearest_on_the_map(draw: Map) -> None:
    x = np.concatenate([normal(18, 3, 12, 5)] * 2, axis=1)
    for frame in draw(x):
        between = np.linalg.norm(frame[:12, None] - frame[None, 12:], axis=-1)
        assert (between.argmin(axis=1) == np.arange(12)).all()
        assert np.diag(between).max() < 0.15  # the kernel may push coinciding points apart a little


@pytest.mark.parametrize("draw", MAPS)
def test_maps_are_the_same_every_time_and_leave_the_patterns_alone(draw: Map) -> None:
    x = normal(19, 3, 12, 5)
    kept = x.copy()
    assert np.array_equal(draw(x), draw(x))
    assert np.array_equal(x, kept)


def test_too_few_exemplars_are_refused_with_the_number_needed() -> None:
    with pytest.raises(InputError, match=r"expected at least 17 exemplars for this map, got 16"):
        embedding.neighbour_map(normal(20, 2, 16, 4))
    for draw in (embedding.pca_map, embedding.mds_map):
        with pytest.raises(InputError, match=r"expected at least 3 exemplars for this map, got 2"):
            draw(normal(21, 2, 2, 4))


def test_options_out_of_range_are_refused() -> None:
    x = normal(22, 2, 12, 4)
    with pytest.raises(InputError, match="steadiness and iterations >= 0, got -1 and 3"):
        embedding.mds_map(x, steadiness=-1.0, iterations=3)
    with pytest.raises(InputError, match="steadiness and iterations >= 0, got nan and 100"):
        embedding.neighbour_map(x, steadiness=float("nan"))
    with pytest.raises(InputError, match="at least 2 neighbours for a neighbour map, got 1"):
        embedding.neighbour_map(x, neighbours=1)


# --- memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [embedding.mds_map, embedding.neighbour_map])
def test_memory_is_one_matrix_in_single_precision_a_frame(draw: Callable[..., np.ndarray]) -> None:
    steps, n, n_units = 12, 300, 16
    x = normal(20, steps, n, n_units).astype(np.float32)
    tracemalloc.start()
    try:
        draw(x, iterations=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    frames, patterns = 4 * steps * n**2, 8 * steps * n * n_units
    scratch = 4 * 2 * 4 * n**2 + 8 * 3 * n**2  # of the threads; of distances in double
    assert frames < peak < frames + 3 * patterns + scratch


def test_the_result_does_not_depend_on_the_number_of_threads(monkeypatch) -> None:
    x = normal(21, 5, 40, 6)
    several = [draw(x) for draw in TETHERED]
    monkeypatch.setattr(embedding, "_THREADS", 1)
    for draw, frames in zip(TETHERED, several, strict=True):
        assert np.array_equal(draw(x), frames)
