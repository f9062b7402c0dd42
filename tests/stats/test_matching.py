import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ontogeny.stats.matching import best_pairs, shuffled_matches, standard_scores
from oracles.tuning import assignment_twin


@given(st.integers(0, 10_000))
def test_pairs_are_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 20, 5))
    first, second, correlation = best_pairs(standard_scores(a), standard_scores(b))
    full = np.corrcoef(a.T, b.T)[:5, 5:]
    assert_allclose(np.abs(correlation).sum(), assignment_twin(full), rtol=1e-10)
    assert_allclose(correlation, full[first, second], rtol=1e-10)
    assert sorted(second) == list(range(5))


@given(st.integers(0, 10_000))
def test_a_shuffled_rescaled_and_turned_copy_is_found(seed):
    rng = np.random.default_rng(seed)
    a, order = rng.standard_normal((30, 6)), rng.permutation(6)
    copy = -3 * a[:, order] + 2
    _, second, correlation = best_pairs(standard_scores(a), standard_scores(copy))
    assert_array_equal(order[second], np.arange(6))
    assert_allclose(correlation, -1, rtol=1e-10)


def test_constant_units_have_scores_of_zero():
    response = np.random.default_rng(0).standard_normal((9, 2))
    response[:, 1] = 0.1
    scores = standard_scores(response)
    assert_array_equal(scores[:, 1], 0)
    assert_allclose((scores[:, 0] ** 2).sum(), 1, rtol=1e-10)


def test_shuffles_keep_what_does_not_move_and_leave_units_without_partner_nan():
    rng = np.random.default_rng(0)
    a = standard_scores(rng.standard_normal((40, 4)))
    b = standard_scores(rng.standard_normal((40, 3)))
    orders = np.stack([np.arange(40), rng.permutation(40)])
    found = shuffled_matches(a, b, orders)
    first, _, correlation = best_pairs(a, b)
    assert_allclose(found[0, first], np.abs(correlation), rtol=1e-10)
    assert np.isnan(found).sum(axis=1).tolist() == [1, 1]
