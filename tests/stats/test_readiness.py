"""Readiness, paired differences, loss-time and ridge maps, against loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontogeny.stats.readiness import lead, loss_time, paired_difference, ready_interval
from ontogeny.stats.stitching import ridge_map
from oracles.readiness import naive_difference, naive_loss_time, naive_ready, naive_ridge_map


@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
def test_ready_is_the_walk_back_from_each_step(seed, n):
    rng = np.random.default_rng(seed)
    as_good = rng.random((3, n, n)) < 0.6
    steps = np.cumsum(rng.integers(1, 9, n)) - 1
    after, by = ready_interval(as_good, steps)
    for k in range(3):
        for t in range(n):
            assert (after[k, t], by[k, t]) == naive_ready(as_good[k], steps, t)


def test_only_earlier_steps_are_read():
    steps = np.arange(5)
    as_good = np.triu(np.ones((5, 5), bool), 1)  # not even the network itself, nor what is later
    after, by = ready_interval(as_good, steps)
    assert np.isneginf(after).all()
    assert (by == 0).all()


def test_an_early_success_that_is_lost_is_not_ready():
    as_good = np.ones((4, 4), bool)
    as_good[2, 3] = False
    after, by = ready_interval(as_good, np.array([0, 1, 2, 4]))
    assert (after[3], by[3]) == (2, 4)


def test_paired_difference_is_the_loop():
    rng = np.random.default_rng(0)
    right, other = rng.random((2, 3, 40)) < 0.7, rng.random((1, 3, 40)) < 0.8
    weights = rng.multinomial(40, np.full(40, 1 / 40), 150).astype(float)
    found = paired_difference(right, other, weights, level=0.9)
    for i in range(2):
        for j in range(3):
            naive = naive_difference(right[i, j], other[0, j], weights, 0.9)
            np.testing.assert_allclose([part[i, j] for part in found], naive, atol=1e-14)


def test_a_paired_difference_of_the_same_is_nothing():
    right = np.random.default_rng(1).random((4, 30)) < 0.5
    weights = np.random.default_rng(2).multinomial(30, np.full(30, 1 / 30), 50).astype(float)
    found = paired_difference(right, right, weights)
    assert all((part == 0).all() for part in found)


def test_what_cannot_be_resampled_has_a_difference_without_interval():
    right = np.array([True, False, True])
    found = paired_difference(right, ~right, np.full((1, 3), np.nan))
    assert found.mean == pytest.approx(1 / 3)
    assert np.isnan([found.low, found.high]).all()


def test_lead_counts_doublings_from_step_one():
    found = lead(np.array([-np.inf, 0.0, 7.0, np.nan]), np.array([15, 15, 15, 15]))
    np.testing.assert_allclose(found, [4, 4, 1, np.nan])


def test_loss_time_is_the_loop_and_never_falls():
    loss = np.random.default_rng(0).standard_normal(30) - np.arange(30) / 5
    np.testing.assert_allclose(loss_time(loss), naive_loss_time(loss), rtol=1e-12)
    assert (np.diff(loss_time(loss)) >= 0).all()
    assert np.isnan(loss_time(np.array([1.0, 2.0, 3.0]))).all()


@pytest.mark.parametrize("ridge", [1e-3, 0.1])
def test_a_ridge_map_is_least_squares_with_the_rows_of_its_penalty(ridge):
    rng = np.random.default_rng(0)
    source, target = (
        rng.standard_normal((60, 5)) @ rng.standard_normal((5, 5)) + 3,
        rng.random((60, 4)),
    )
    weights, constant = ridge_map(source, target, ridge=ridge)
    naive = naive_ridge_map(source, target, ridge)
    np.testing.assert_allclose(weights, naive[0], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(constant, naive[1], rtol=1e-8, atol=1e-12)


def test_units_that_do_not_vary_are_mapped_to_the_mean():
    target = np.random.default_rng(0).random((8, 3))
    weights, constant = ridge_map(np.ones((8, 2)), target)
    assert not weights.any()
    np.testing.assert_allclose(constant, target.mean(axis=0))
