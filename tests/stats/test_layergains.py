"""Kernels of what layers construct equal their twins; bounds hold where own is one more deal."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.stats.gains import jackknife_error
from ontogeny.stats.layergains import drawn_again, means_of_units, rank_order, share_bounds
from oracles import layergains as twin

RNG = np.random.default_rng(3)
LAYERS = [np.arange(5), np.arange(5, 14), np.arange(14, 17)]


def configurations(seed, ties=False):
    values = np.random.default_rng(seed).random((17, 8))
    return np.round(values, 1) if ties else values


@pytest.mark.parametrize("ties", [False, True])
def test_share_bounds_equal_their_twin(ties):
    values = configurations(0, ties)
    own = values[:, 0].copy()
    own[3] = np.nan
    found = share_bounds(own, values[:, 1:], LAYERS)
    assert_allclose(found, twin.share_bounds(own, values[:, 1:], LAYERS), rtol=1e-10)


def test_a_deal_that_ties_with_another_is_not_the_best():
    own, dealt = np.array([0.5, 0.5]), np.array([[0.9, 0.9, 0.1], [0.5, 0.2, 0.1]])
    found = share_bounds(own, dealt, [np.arange(2)])
    assert_allclose(found, 0.0, atol=1e-12)
    assert_allclose(found, twin.share_bounds(own, dealt, [np.arange(2)]), atol=1e-12)


def test_share_bounds_are_missing_where_a_deal_is():
    values = configurations(0)
    values[2, 4] = np.nan
    assert np.isnan(share_bounds(values[:, 0], values[:, 1:], LAYERS)).all()


def test_any_layer_passes_its_share_bound_in_one_of_deals_and_own():
    """8 configurations that are alike: the own one has the largest share in at most 1 of 8."""
    passed = 0
    for seed in range(400):
        values = np.random.default_rng(seed).random((17, 8))
        values += 0.5 * np.random.default_rng(seed).standard_normal((1, 8))  # units are alike
        best = values == values.max(axis=1, keepdims=True)
        bounds = share_bounds(values[:, 0], values[:, 1:], LAYERS)
        passed += any(best[units, 0].mean() > bound + 1e-12
                      for units, bound in zip(LAYERS, bounds, strict=True))  # fmt: skip
    assert 0.02 < passed / 400 <= 1 / 8 + 2.33 * math.sqrt(7 / 64 / 400)


def test_the_error_of_leaving_out_equals_its_twin_and_draws_have_it():
    left_out = RNG.random((6, 3))
    error = jackknife_error(left_out)
    assert_allclose(error, [twin.jackknife_error(column) for column in left_out.T], rtol=1e-10)
    normal = RNG.standard_normal((40_000, 6))
    drawn = drawn_again(np.array([0.2, 0.4, 0.6]), left_out, normal)
    # 40,000 draws give a standard deviation within 1 %
    assert_allclose(drawn.std(axis=0), error, rtol=0.02)
    assert_allclose(drawn.mean(axis=0), [0.2, 0.4, 0.6], atol=0.02)


def test_draws_equal_their_twin():
    left_out, normal, value = RNG.random((4, 2, 3)), RNG.standard_normal((5, 4)), RNG.random((2, 3))
    found = drawn_again(value, left_out, normal)
    for place in np.ndindex(5, 2, 3):
        k, rest = place[0], place[1:]
        one = twin.drawn_again(value[rest], left_out[(slice(None), *rest)], normal[k])
        assert_allclose(found[place], one, rtol=1e-10)


def test_means_of_units_equal_their_twin():
    values, weights = RNG.random((3, 5)), RNG.integers(0, 3, (4, 5)).astype(float)
    values[1, 2], values[2] = np.nan, np.nan
    found = means_of_units(values, weights)
    for k, j in np.ndindex(4, 3):
        assert_allclose(found[k, j], twin.mean_of_units(values[j], weights[k]), rtol=1e-10)
    assert np.isnan(found[:, 2]).all()


def test_rank_orders_equal_their_twin_and_are_missing_where_all_are_tied():
    place, time = np.arange(6.0), np.round(5 * RNG.random((20, 6)))
    found = rank_order(place, time)
    assert_allclose(found, [twin.rank_order(place, one) for one in time], rtol=1e-10)
    assert np.isnan(rank_order(place, np.ones(6)))
    assert rank_order(place, -place) == -1
