"""The interval of a ratio is that of all resamples of rows."""

import numpy as np
import pytest

from ontogeny.stats.ratios import ratio_interval
from oracles import finds as naive

ROWS = [([1.0, 4, 0, 7], [5.0, 9, 2, 8]), ([3.0, 0, 1], [1.0, 1, 1]), ([0.0, 1], [0.0, 4])]


@pytest.mark.parametrize(("part", "whole"), ROWS)
def test_the_interval_holds_the_middle_of_all_resamples(part, whole):
    found = ratio_interval(np.array(part), np.array(whole), n_resamples=20_000,
                           rng=np.random.default_rng(0))  # fmt: skip
    every = np.sort(naive.ratios(part, whole))
    for end, tail in zip(found, (0.025, 0.975), strict=True):
        near = [every[round((tail + off) * (len(every) - 1))] for off in (-0.01, 0.01)]
        assert near[0] - 1e-9 <= end <= near[1] + 1e-9


def test_rows_that_are_alike_have_no_spread():
    found = ratio_interval(np.full(5, 2), np.full(5, 4), n_resamples=50,
                           rng=np.random.default_rng(0))  # fmt: skip
    assert found == (0.5, 0.5)
