"""Clusters on a map: planted effects are found, chance fires no more often than it may."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.stats import clusters
from oracles import changepoints as oracles


def smooth_noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Noise that is correlated over steps, as recorded statistics are."""
    return np.cumsum(rng.normal(size=shape), axis=-1) / np.sqrt(np.arange(1, shape[-1] + 1))


@given(above=arrays(bool, (4, 6)))
def test_clusters_join_cells_over_shared_edges(above: np.ndarray) -> None:
    score = np.random.default_rng(0).normal(size=(4, 6))
    numbers, mass = clusters._masses(score, above)
    desired = oracles.naive_clusters(above)
    assert np.array_equal(numbers, desired)
    assert_allclose(mass, [score[desired == k + 1].sum() for k in range(desired.max())])


def test_a_planted_effect_is_found_where_it_is() -> None:
    rng = np.random.default_rng(1)
    null = rng.normal(size=(299, 6, 20))
    statistic = rng.normal(size=(6, 20))
    statistic[2:4, 8:15] += 3
    found = clusters.cluster_permutation(statistic, null)
    assert found.p[0] == 1 / 300
    assert np.mean(found.label[2:4, 8:15] == 1) > 0.7
    outside = found.label.copy()
    outside[1:5, 7:16] = 0
    assert np.mean(outside == 1) < 0.02
    assert np.all(np.diff(found.mass) <= 0)


def test_small_values_are_found_when_asked_for() -> None:
    rng = np.random.default_rng(2)
    null, statistic = rng.normal(size=(199, 5, 12)), rng.normal(size=(5, 12))
    statistic[1:3, 3:9] -= 4
    one, two = (clusters.cluster_permutation(statistic, null, two_sided=s) for s in (False, True))
    assert two.p[0] == 1 / 200
    assert two.mass[0] < 0
    assert np.all(one.mass > 0)
    assert one.p.min(initial=1) > 0.01


def test_chance_fires_in_at_most_five_per_cent_of_maps() -> None:
    rng = np.random.default_rng(3)
    fired = {False: 0, True: 0}
    for _ in range(200):
        values = smooth_noise(rng, 60, 4, 12) * rng.uniform(0.1, 10, size=(4, 12))
        for two_sided in fired:
            found = clusters.cluster_permutation(values[0], values[1:], two_sided=two_sided)
            fired[two_sided] += found.p.min(initial=1) <= 0.05
    for count in fired.values():
        assert count / 200 < 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 200)


def test_gain_and_offset_of_a_cell_change_nothing() -> None:
    rng = np.random.default_rng(8)
    values = smooth_noise(rng, 40, 4, 12)
    gain, offset = rng.uniform(0.01, 100, size=(4, 12)), rng.normal(size=(4, 12))
    plain, moved = (
        clusters.cluster_permutation(v[0], v[1:], two_sided=True)
        for v in (values, values * gain + offset)
    )
    assert np.array_equal(moved.label, plain.label)
    assert_allclose(moved.mass, plain.mass, rtol=1e-8)
    assert np.array_equal(moved.p, plain.p)


def test_cells_that_are_nan_or_constant_are_in_no_cluster() -> None:
    rng = np.random.default_rng(4)
    null, statistic = rng.normal(size=(49, 3, 8)), rng.normal(size=(3, 8)) + 5
    statistic[1, 2] = np.nan
    null[:, 0, 0] = statistic[0, 0] = 2
    null[5, 2, 7] = np.nan
    found = clusters.cluster_permutation(statistic, null)
    assert found.label[1, 2] == found.label[0, 0] == found.label[2, 7] == 0
    assert np.isfinite(found.mass).all()


def test_a_map_without_any_cluster_is_empty() -> None:
    null = np.random.default_rng(5).normal(size=(49, 3, 8))
    found = clusters.cluster_permutation(np.full((3, 8), -9.0), null)
    assert len(found.mass) == len(found.p) == found.label.max() == 0


def test_too_few_permutations_are_refused() -> None:
    with pytest.raises(InputError, match="at least 19 permutations, got 5"):
        clusters.cluster_permutation(np.zeros((2, 2)), np.zeros((5, 2, 2)))
