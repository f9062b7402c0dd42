"""Gains beyond recombinations: equal to twins, exact where wiring means nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom, chisquare

from ontogeny.stats.gains import (
    TIE,
    best_gain_bound,
    best_source,
    gain_scores,
    left_out_interval,
    matched,
    reach_p,
)
from oracles.gains import (
    best_gain_bound_twin,
    gain_scores_twin,
    jackknife_twin,
    matched_twin,
    reach_p_twin,
)

DEALS = 19


def exchangeable(seed, shape):
    """Own and dealt selectivities of one distribution, skew as selectivities are."""
    values = np.random.default_rng(seed).beta(0.7, 4, (*shape, DEALS + 1))
    return values[..., 0], values[..., 1:]


def test_p_equals_the_twin():
    own, dealt = exchangeable(0, (30,))
    dealt[3, :4] = own[3]  # ties reach it
    twin = [reach_p_twin(s, row) for s, row in zip(own, dealt, strict=True)]
    assert_allclose(reach_p(own, dealt), twin)
    assert reach_p(own, dealt)[3] >= 5 / 20


def test_values_equal_but_for_rounding_reach_each_other():
    own = np.full(5, 0.3)
    dealt = (own + TIE / 2 * np.array([-1, -0.5, 0, 0.5, 1]))[:, None].astype(np.float32)
    assert (reach_p(own, dealt) == 1).all()
    assert reach_p(np.array(0.3), np.array([0.3 - 3 * TIE])) == 0.5


def test_p_is_nan_where_either_is():
    own, dealt = exchangeable(1, (4,))
    own[1], dealt[2, 5] = np.nan, np.nan
    assert np.isnan(reach_p(own, dealt)).tolist() == [False, True, True, False]


def test_p_is_uniform_where_own_wiring_is_one_more_deal():
    p = reach_p(*exchangeable(2, (20_000,)))
    counts = np.bincount(np.rint(p * 20).astype(int), minlength=21)[1:]
    assert chisquare(counts).pvalue > 1e-3
    assert counts.sum() == 20_000


def test_scores_equal_the_twin():
    own, dealt = exchangeable(5, (12,))
    scores, of_deals = gain_scores(own, dealt)
    for k in range(12):
        score, each = gain_scores_twin(own[k], dealt[k].tolist())
        assert_allclose(scores[k], score, rtol=1e-9)
        assert_allclose(of_deals[k], each, rtol=1e-9)


def test_the_best_score_passes_the_best_of_deals_once_in_twenty():
    passed = 0
    for seed in range(400):
        own, dealt = exchangeable(seed + 100, (8,))
        scores, of_deals = gain_scores(own, dealt)
        passed += scores.max() > of_deals.max()
    assert binom.cdf(passed, 400, 1 / 20) > 1e-3
    assert binom.sf(passed - 1, 400, 1 / 20) > 1e-3


def test_bound_equals_the_twin():
    _, dealt = exchangeable(3, (12,))
    assert_allclose(best_gain_bound(dealt), best_gain_bound_twin(dealt.tolist()), rtol=1e-12)
    dealt[4, 2] = np.nan
    known = np.delete(dealt, 4, axis=0)
    assert_allclose(best_gain_bound(dealt), best_gain_bound_twin(known.tolist()), rtol=1e-12)


@pytest.mark.parametrize("dealt", [np.zeros((0, 5)), np.full((3, 5), np.nan), np.zeros((3, 1))])
def test_bound_of_nothing_is_nan(dealt):
    assert np.isnan(best_gain_bound(dealt))


@pytest.mark.parametrize("units", [1, 8, 40])
def test_the_best_of_a_layer_passes_the_bound_once_in_twenty_times(units):
    times, passed = 1500, 0
    own, dealt = exchangeable(4, (times, units))
    for s, rows in zip(own, dealt, strict=True):
        passed += (s - rows.mean(axis=1)).max() > best_gain_bound(rows)
    low, high = binom.ppf([1e-3, 1 - 1e-3], times, 1 / 20)
    assert low <= passed <= high, passed


def test_the_bound_holds_where_units_are_alike_by_deal():
    """Units whose deals rise and fall together, as those of one layer do."""
    rng, times, passed = np.random.default_rng(5), 1500, 0
    for _ in range(times):
        common = rng.beta(0.7, 4, 20)
        values = 0.8 * common + 0.2 * rng.random((6, 20))
        dealt = values[:, 1:]
        passed += (values[:, 0] - dealt.mean(axis=1)).max() > best_gain_bound(dealt)
    low, high = binom.ppf([1e-3, 1 - 1e-3], times, 1 / 20)
    assert low <= passed <= high, passed


def test_interval_equals_the_jackknife():
    rng = np.random.default_rng(6)
    value, left_out = rng.random((3, 2)), rng.random((7, 3, 2))
    low, high = left_out_interval(value, left_out)
    for at in np.ndindex(3, 2):
        assert_allclose((low[at], high[at]),
                        jackknife_twin(value[at], left_out[(slice(None), *at)].tolist()),
                        rtol=1e-12)  # fmt: skip


def test_interval_needs_two_folds_and_keeps_nan():
    assert np.isnan(left_out_interval(np.zeros(2), np.zeros((1, 2)))).all()
    left_out = np.array([[0.1, np.nan], [0.2, 0.3]])
    assert np.isnan(left_out_interval(np.zeros(2), left_out)).tolist() == [[False, True]] * 2


def test_interval_of_a_mean_holds_the_truth():
    rng, times, folds = np.random.default_rng(7), 4000, 20
    values = rng.standard_normal((folds, 5, times)) + 3.0
    whole = values.mean(axis=(0, 1))
    left_out = np.stack([np.delete(values, f, axis=0).mean(axis=(0, 1)) for f in range(folds)])
    low, high = left_out_interval(whole, left_out)
    held = np.mean((low <= 3) & (high >= 3))
    # normal quantiles with 19 degrees of freedom: 93.5 %, to the sampling error
    assert 0.92 < held < 0.95, held


def test_matched_equals_the_twin():
    rng = np.random.default_rng(8)
    gain, amplitude = rng.standard_normal((4, 9)), rng.random(9)
    gain[2, 3] = np.nan
    for count in (1, 2, 3, 5, 8):
        for found, twin in zip(matched(gain, amplitude, count),
                               matched_twin(gain.tolist(), amplitude.tolist(), count),
                               strict=True):  # fmt: skip
            assert_allclose(found, twin, rtol=1e-12)


def test_matched_needs_more_sources_than_it_compares_with():
    for found in matched(np.ones((2, 5)), np.arange(5.0), 5):
        assert np.isnan(found).all()


def test_p_of_matched_sources_is_uniform_where_amplitude_tells_all():
    rng = np.random.default_rng(9)
    amplitude = np.arange(300.0)
    gain = rng.standard_normal((200, 300)) * (1 + amplitude)
    p = matched(gain, amplitude, DEALS)[1]
    assert (p <= 0.05 + 1e-9).mean() == pytest.approx(0.05, abs=0.005)


def test_best_source_is_the_most_selective_one_that_is_wired():
    chooses = np.array([0.2, 0.9, np.nan, 0.0])
    wired = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]) > 0
    assert best_source(chooses, wired).tolist() == [1, 0, -1, 3, -1]
