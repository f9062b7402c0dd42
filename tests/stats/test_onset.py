import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.stats.onset import confidence_interval, excursions, onset_index, onset_interval
from oracles.selectivity import excursions_twin, onset_twin

beyonds = st.lists(st.booleans(), min_size=1, max_size=20)


def series(beyond):
    return np.array(beyond, dtype=float), np.full(len(beyond), 0.5)


@given(beyonds, st.integers(1, 4))
def test_equals_the_twin(beyond, hold):
    values, threshold = series(beyond)
    assert onset_index(values, threshold, hold=hold) == onset_twin(beyond, hold)
    assert excursions(values, threshold, hold=hold) == excursions_twin(beyond, hold)


@given(beyonds)
def test_batches_share_a_threshold(beyond):
    values, threshold = series(beyond)
    batch = onset_index(np.stack([values, 1 - values]), threshold)
    assert batch.tolist() == [onset_index(values, threshold), onset_index(1 - values, threshold)]


@given(beyonds)
def test_later_snapshots_that_are_beyond_do_not_move_an_onset(beyond):
    values, threshold = series(beyond)
    index = int(onset_index(values, threshold))
    if index < len(beyond):
        longer, level = series([*beyond, True, True])
        assert onset_index(longer, level) == index


STEPS = np.array([0, 1, 2, 5, 10, 100])


@pytest.mark.parametrize(
    ("beyond", "interval"),
    [
        ([0, 0, 1, 1, 1, 1], (1, 2)),
        ([1, 1, 1, 1, 1, 1], (-math.inf, 0)),
        ([0, 0, 0, 0, 0, 0], (100, math.inf)),
        ([0, 0, 0, 0, 1, 1], (5, math.inf)),
        ([1, 1, 1, 0, 0, 0], (100, math.inf)),
        ([1, 0, 1, 1, 1, 1], (1, 2)),
    ],
)
def test_interval_tells_the_two_kinds_of_censoring_apart(beyond, interval):
    values, threshold = series(beyond)
    assert onset_interval(values, threshold, STEPS) == interval


def test_nan_is_not_beyond():
    values = np.array([1.0, 1.0, np.nan, 1.0, 1.0, 1.0])
    assert onset_interval(values, np.zeros(6), STEPS) == (2, 5)


def test_one_snapshot_has_no_onset():
    assert onset_interval(np.ones(1), np.zeros(1), np.array([0])) == (-math.inf, math.inf)


def test_confidence_interval_ends_on_snapshots_and_keeps_censoring():
    index = np.stack([[2] * 38 + [3, 4], [0] * 20 + [6] * 20], axis=1)
    after, by = confidence_interval(index, STEPS)
    assert_allclose(after, [1, -math.inf])
    assert_allclose(by, [5, math.inf])
    after, by = confidence_interval(index, STEPS, level=1.0)
    assert_allclose(by, [10, math.inf])


def test_right_censored_everywhere():
    after, by = confidence_interval(np.full((10, 1), 6), STEPS)
    assert after.tolist() == [100]
    assert by.tolist() == [math.inf]


def test_bias_on_noisy_sigmoids_is_below_one_snapshot():
    rng = np.random.default_rng(0)
    snapshots = np.arange(60)
    centre = rng.uniform(15, 45, 400)
    clean = 1 / (1 + np.exp(-(snapshots - centre[:, None]) / 2.0))
    threshold = np.full(60, 0.12)
    noisy = clean + 0.03 * rng.standard_normal(clean.shape)
    crossing = centre + 2.0 * math.log(0.12 / 0.88)
    error = onset_index(noisy, threshold) - 0.5 - crossing
    assert abs(error.mean()) < 1
    assert np.abs(error).max() < 6


def test_pure_noise_has_no_onset_but_in_a_few_of_thousands():
    noise = np.random.default_rng(0).uniform(-1, 1, (2000, 60))
    assert (onset_index(noise, np.full(60, 0.9)) < 60).sum() <= 3  # .05 ** 3 * 2000 = .25
    walks = np.cumsum(noise, axis=1) / np.sqrt(np.arange(1, 61) / 3)  # the same noise at all steps
    assert (onset_index(walks, np.full(60, 1.96)) < 60).mean() < 0.05
