"""The largest turn of a course is found by trying all, and passes its bound rarely by chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from ontogeny.stats.turns import corrected_width, largest_turn
from oracles import finds as naive


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_turn_is_the_largest_of_all(seed, hold):
    rng = np.random.default_rng(seed)
    value, half = rng.standard_normal(14).round(1), rng.uniform(0.1, 0.3, 14)
    found = largest_turn(value, half, n_tests=28, hold=hold)
    wide = norm.ppf(1 - 0.025 / 28) / norm.ppf(0.975)
    tried = {sign: naive.turn(value.tolist(), half.tolist(), hold, sign) for sign in (1, -1)}
    best = max(tried, key=lambda sign: tried[sign][1] - wide * tried[sign][2])
    place, effect, reach = tried[best]
    assert (found.sign, found.place) == (best, place)
    assert (found.effect, found.reach) == pytest.approx((effect, reach))
    assert found.bound == pytest.approx(wide * reach)


def test_a_band_is_wider_the_more_tests_share_its_error():
    assert corrected_width(1) == pytest.approx(1)
    assert 2 * norm.sf(corrected_width(20) * norm.ppf(0.975)) == pytest.approx(0.05 / 20)


def test_noise_turns_in_few_runs():
    rng, half = np.random.default_rng(0), np.full(30, 1.96)
    turns = [largest_turn(rng.standard_normal(30), half, n_tests=60) for _ in range(300)]
    assert np.mean([turn.effect > turn.bound for turn in turns]) <= 0.05
