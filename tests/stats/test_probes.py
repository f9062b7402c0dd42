"""Linear read-out: naive twins, nulls of control labels, groups, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.stats import probes
from ontogeny.stats.groups import group_permutations, grouped_folds
from oracles import probes as oracles

SEEDS = st.integers(0, 10_000)


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("n_units", [4, 30])
def test_readout_equals_one_fit_a_fold(n_units: int) -> None:
    x = patterns_of(0, 2, 20, n_units) + 3
    token = np.arange(20) % 3
    targets = np.concatenate([probes.one_hot(token, 3), patterns_of(1, 20, 1)], axis=1)
    fold = np.arange(20) // 3 % 4
    actual = probes.ridge_readout(x, targets, fold, ridge=0.1)
    for k in range(2):
        desired = oracles.naive_ridge_readout(x[k], targets, fold, 0.1)
        assert_allclose(actual[k], desired, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("n_units", [4, 30])
def test_few_shot_equals_one_fit_a_set(n_units: int) -> None:
    token = np.arange(24) % 3
    group = np.arange(24) // 6 * 3 + token
    x = patterns_of(2, 2, 24, n_units) + patterns_of(3, 3, n_units)[token] + 2
    rng = np.random.default_rng(0)
    sets = probes.few_shot_sets(token, group, 2, n_repeats=5, rng=rng)
    actual = probes.few_shot_accuracy(x, token, group, sets, ridge=0.05)
    for k in range(2):
        desired = [oracles.naive_few_shot(x[k], token, group, s, 0.05) for s in sets]
        assert_allclose(actual[k], desired, rtol=1e-10)
    assert np.ptp(actual) > 0


@given(seed=SEEDS, shots=st.integers(1, 4))
def test_sets_hold_shots_of_every_token_each_from_a_group_of_its_own(seed: int, shots: int) -> None:
    token = np.repeat([0, 1, 3], 20)
    group = np.arange(60) // 4
    sets = probes.few_shot_sets(token, group, shots, n_repeats=4, rng=np.random.default_rng(seed))
    for row in sets:
        assert np.bincount(token[row], minlength=4).tolist() == [shots, shots, 0, shots]
        assert len(set(group[row])) == 3 * shots


@given(seed=SEEDS)
def test_readout_ignores_rotation_gain_and_shift(seed: int) -> None:
    x = patterns_of(seed, 18, 5)
    rotation = np.linalg.qr(patterns_of(seed + 1, 5, 5))[0]
    token = np.arange(18) % 3
    fold, targets = np.arange(18) // 3 % 3, probes.one_hot(token, 3)
    assert_allclose(
        probes.ridge_readout(7 * x @ rotation + 4, targets, fold),
        probes.ridge_readout(x, targets, fold),
        rtol=1e-6,
        atol=1e-9,
    )


def test_separate_tokens_read_out_and_control_labels_do_not() -> None:
    rng = np.random.default_rng(4)
    token, group = np.arange(200) % 5, np.arange(200)
    x = rng.normal(size=(200, 20)) + 3 * rng.normal(size=(5, 20))[token]
    fold = grouped_folds(token, group, n_folds=5, rng=rng)
    controls = token[group_permutations(group, n_permutations=20, rng=rng)]
    targets = probes.one_hot(np.concatenate([token[None], controls]), 5)
    predicted = probes.ridge_readout(x, np.concatenate(list(targets), axis=1), fold)
    real = probes.readout_accuracy(predicted[:, :5], token)
    assert real == 1
    shares = [
        probes.readout_accuracy(predicted[:, 5 * k + 5 : 5 * k + 10], control)
        for k, control in enumerate(controls)
    ]
    assert abs(np.mean(shares) - 0.2) < 0.03


def test_groups_that_straddle_folds_would_leak() -> None:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(40), 3)
    label = (np.arange(40) % 2)[group]
    x = rng.normal(size=(40, 60))[group] + 0.05 * rng.normal(size=(120, 60))
    whole = grouped_folds(label, group, n_folds=4, rng=rng)
    split = np.arange(120) % 3
    honest, leaking = (
        probes.readout_accuracy(probes.ridge_readout(x, probes.one_hot(label, 2), f), label)
        for f in (whole, split)
    )
    assert honest < 0.7
    assert leaking > 0.95


def test_few_shot_accuracy_is_chance_without_structure_and_rises_with_shots() -> None:
    rng = np.random.default_rng(6)
    token, group = np.arange(200) % 4, np.arange(200)
    noise = rng.normal(size=(200, 30))
    x = noise + 0.8 * rng.normal(size=(4, 30))[token]
    means = []
    for shots in (1, 5, 20):
        sets = probes.few_shot_sets(token, group, shots, n_repeats=40, rng=rng)
        means.append(probes.few_shot_accuracy(x, token, group, sets).mean())
        assert abs(probes.few_shot_accuracy(noise, token, group, sets).mean() - 0.25) < 0.04
    assert means[0] < means[1] < means[2]


def test_r2_by_hand() -> None:
    targets = np.array([[1.0, 2], [3, 2]])
    predicted = np.array([[[1.0, 2], [3, 2]], [[2, 2], [2, 2]], [[np.nan, 2], [2, 2]]])
    desired = [[1, np.nan], [0, np.nan], [np.nan, np.nan]]
    assert_allclose(probes.readout_r2(predicted, targets), desired)


def test_accuracy_weighs_tokens_equally() -> None:
    predicted = np.array([[1.0, 0]] * 4)
    assert_allclose(probes.readout_accuracy(predicted, np.array([0, 0, 0, 1])), 0.5)
    predicted[0, 0] = np.nan
    assert np.isnan(probes.readout_accuracy(predicted, np.array([0, 0, 0, 1])))


def test_what_cannot_be_read_out_is_nan() -> None:
    x = np.stack([patterns_of(7, 12, 3), np.full((12, 3), 0.1), patterns_of(8, 12, 3)])
    x[2, 5, 1] = np.nan
    token, group, fold = np.arange(12) % 2, np.arange(12), np.arange(12) % 3
    targets = np.concatenate([probes.one_hot(token, 2), np.full((12, 1), np.nan)], axis=1)
    predicted = probes.ridge_readout(x, targets, fold)
    assert np.isfinite(predicted[0, :, :2]).all()
    assert np.isnan(predicted[0, :, 2]).all()
    assert np.isnan(predicted[1:]).all()
    sets = np.array([[0, 1], [2, 3]])
    accuracy = probes.few_shot_accuracy(x, token, group, sets)
    assert np.isnan(accuracy).tolist() == [[False, False], [True, True], [True, True]]
    same = x[0].copy()
    same[1] = same[0]
    assert np.isnan(probes.few_shot_accuracy(same, token, group, sets)).tolist() == [True, False]
    all_seen = probes.few_shot_accuracy(x[0], token, np.arange(12) // 12, sets)
    assert np.isnan(all_seen).all()


def test_wrong_arguments_are_told() -> None:
    x, token, group = patterns_of(9, 6, 2), np.arange(6) % 2, np.arange(6)
    targets = probes.one_hot(token, 2)
    with pytest.raises(InputError, match="at least 2 folds, got 1"):
        probes.ridge_readout(x, targets, np.zeros(6, dtype=int))
    with pytest.raises(InputError, match="`ridge` above 0, got 0"):
        probes.ridge_readout(x, targets, np.arange(6) % 2, ridge=0.0)
    with pytest.raises(InputError, match="more than 3 groups of exemplars of every token, got 3"):
        probes.few_shot_sets(token, group, 3, n_repeats=1, rng=np.random.default_rng(0))
