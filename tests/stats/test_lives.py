"""Lives of exemplars against a reading in order, by hand, and with gaps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from ontogeny.stats import lives
from oracles import lives as oracles

STEPS = np.array([0, 1, 2, 4, 8, 16])


@given(
    predicted=arrays(np.int64, (6, 4), elements=st.integers(0, 2)),
    token=arrays(np.int64, 4, elements=st.integers(0, 2)),
)
def test_lives_equal_their_naive_twin(predicted: np.ndarray, token: np.ndarray) -> None:
    first = lives.first_learnt(predicted, token, STEPS)
    good = lives.learnt_for_good(predicted, token, STEPS)
    forgotten = lives.forgetting_events(predicted, token)
    changes = lives.flips(predicted)
    for i in range(4):
        life = oracles.naive_life(predicted[:, i], token[i], STEPS)
        assert_allclose(first[i], life["first"])
        assert_allclose(good[i], life["good"])
        assert_allclose(forgotten[i], life["forgotten"])
        assert_allclose(changes[i], life["flips"])


def test_a_batch_of_runs_is_each_run_on_its_own() -> None:
    rng = np.random.default_rng(0)
    predicted, token = rng.integers(0, 3, (2, 6, 5)), rng.integers(0, 3, 5)
    for measure in (
        lambda p: lives.first_learnt(p, token, STEPS),
        lambda p: lives.learnt_for_good(p, token, STEPS),
        lambda p: lives.forgetting_events(p, token),
        lives.flips,
        lambda p: lives.confusion(p, token, 3),
    ):
        assert_allclose(measure(predicted), np.stack([measure(p) for p in predicted]))


def test_an_unknown_prediction_leaves_the_life_unknown() -> None:
    predicted = np.ones((6, 2), dtype=int)
    predicted[2, 0] = lives.UNKNOWN
    token = np.array([1, 1])
    for values in (
        lives.first_learnt(predicted, token, STEPS),
        lives.learnt_for_good(predicted, token, STEPS),
        lives.forgetting_events(predicted, token)[:, None],
        lives.flips(predicted)[:, None],
    ):
        assert np.isnan(values[0]).all()
        assert np.isfinite(values[1]).all()


def test_one_snapshot_only() -> None:
    predicted, token, steps = np.array([[0, 1]]), np.array([0, 0]), np.array([5])
    assert_allclose(lives.first_learnt(predicted, token, steps), [[5, 5], [np.nan, np.nan]])
    assert_allclose(lives.learnt_for_good(predicted, token, steps), [[5, 5], [np.nan, np.nan]])
    assert_allclose(lives.forgetting_events(predicted, token), [0, np.nan])
    assert_allclose(lives.flips(predicted), [0, 0])


def test_typicality_equals_its_naive_twin() -> None:
    rng = np.random.default_rng(1)
    x, token = rng.normal(size=(2, 12, 4)) + 9, np.array([0, 1, 2] * 3 + [0, 0, 1])
    actual = lives.centre_distance(x, token, 3)
    for k in range(2):
        assert_allclose(actual[k], oracles.naive_centre_distance(x[k], token), rtol=1e-9)


@given(seed=st.integers(0, 10_000), gain=st.floats(0.01, 100))
def test_typicality_ignores_rotation_gain_and_shift(seed: int, gain: float) -> None:
    rng = np.random.default_rng(seed)
    x, token = rng.normal(size=(12, 4)), np.arange(12) % 3
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    moved = lives.centre_distance(gain * x @ rotation + 2, token, 3)
    assert_allclose(moved, lives.centre_distance(x, token, 3), rtol=1e-7)


def test_an_outlier_is_atypical_and_a_small_or_silent_token_unknown() -> None:
    x = np.random.default_rng(2).normal(size=(14, 3))
    token = np.array([0] * 6 + [1] * 6 + [2] * 2)
    x[3] += 20
    x[6:12] = 0.1
    distance = lives.centre_distance(x, token, 4)
    assert distance[:6].argmax() == 3
    assert np.isnan(distance[6:]).all()
    x[0, 0] = np.nan
    assert np.isnan(lives.centre_distance(x, token, 4)).all()


def test_confusion_by_hand() -> None:
    predicted = np.array([[0, 1, 1, 1], [0, 0, lives.UNKNOWN, 0]])
    shares = lives.confusion(predicted, np.array([0, 0, 1, 1]), 3)
    nan = np.nan
    assert_allclose(shares[0], [[0.5, 0.5, 0], [0, 1, 0], [nan] * 3])
    assert_allclose(shares[1], [[1, 0, 0], [nan] * 3, [nan] * 3])
