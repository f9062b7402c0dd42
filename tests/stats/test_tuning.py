import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ontogeny.stats.tuning import (
    auroc,
    d_prime,
    lifetime_sparseness,
    mean_selectivity,
    placements,
    ranks,
    resampled_auroc,
    token_information,
)
from oracles.tuning import (
    auroc_twin,
    d_prime_twin,
    information_twin,
    placements_twin,
    ranks_twin,
    sparseness_twin,
)

SEEDS = st.integers(0, 10_000)


def sample(seed, *, n=24, n_units=4, n_tokens=3, tied=True):
    rng = np.random.default_rng(seed)
    token = np.concatenate([np.repeat(np.arange(n_tokens), 2), rng.integers(0, n_tokens, n - 6)])
    response = rng.standard_normal((n, n_units)) + token[:, None]
    if tied:
        response[:, 0] = np.maximum(response[:, 0], 0.5)
        response[:, 1] = response[:, 1].round()
    return response, token


@given(SEEDS)
def test_ranks_and_auroc_equal_the_twins_with_and_without_ties(seed):
    response, token = sample(seed)
    rank = ranks(response)
    assert_array_equal(rank.T, [ranks_twin(list(unit)) for unit in response.T])
    found = auroc(rank.astype(np.float64), token == np.arange(3)[:, None])
    for c, unit in np.ndindex(found.shape):
        twin = auroc_twin(list(response[token == c, unit]), list(response[token != c, unit]))
        assert_allclose(found[c, unit], twin, rtol=1e-10)


def test_batch_axes_lead_and_nan_stays_with_its_unit():
    response, _ = sample(1)
    stack = np.stack([response, -response])
    stack[1, 3, 2] = np.nan
    rank = ranks(stack)
    assert_array_equal(rank[0], ranks(response))
    assert np.isnan(rank[1, :, 2]).all()
    assert np.isfinite(rank[1, :, [0, 1, 3]]).all()


@given(SEEDS, st.floats(0.1, 10))
def test_auroc_does_not_change_with_a_monotone_function_and_turns_over_with_the_sign(seed, factor):
    response, token = sample(seed)
    member = token == np.arange(3)[:, None]
    value = auroc(ranks(response), member)
    assert_allclose(auroc(ranks(np.exp(factor * response / 4)), member), value, atol=1e-6)
    assert_allclose(auroc(ranks(-response), member), 1 - value, atol=1e-6)


def test_auroc_is_one_half_for_a_silent_unit_and_nan_without_members_or_others():
    member = np.array([[True, False, True], [False] * 3, [True] * 3])
    assert_allclose(auroc(ranks(np.zeros((3, 1))), member)[:, 0], [0.5, np.nan, np.nan])


@given(SEEDS)
def test_placements_equal_the_twin_and_their_means_are_the_auroc(seed):
    response, token = sample(seed)
    placed = placements(response, token == 1)
    twin = [placements_twin(list(unit), list(token == 1)) for unit in response.T]
    assert_allclose(placed.T, twin, rtol=1e-5)  # in single precision
    value = auroc(ranks(response), (token == 1)[None])[0]
    assert_allclose(placed[token == 1].mean(axis=0), value, rtol=1e-5)
    assert_allclose(placed[token != 1].mean(axis=0), value, rtol=1e-5)


def test_resampled_auroc_is_the_auroc_for_equal_weights_and_close_to_it_written_out():
    response, token = sample(3, n=400)
    member, rng = token == 2, np.random.default_rng(0)
    placed = placements(response, member)
    value = auroc(ranks(response), member[None])[0]
    assert_allclose(resampled_auroc(placed, member, np.ones((1, 400)))[0], value, rtol=1e-5)
    counts = rng.multinomial(400, np.full(400, 1 / 400), size=30)
    again = resampled_auroc(placed, member, counts.astype(float))
    for weight, row in zip(counts, again, strict=True):
        drawn = np.repeat(np.arange(400), weight)
        exact = auroc(ranks(response[drawn]), member[drawn][None])[0]
        assert_allclose(row, exact, atol=0.01)  # first order: the rest is O(1 / n)
    assert again.std(axis=0).min() > 0.01


def test_resampled_auroc_is_nan_without_members():
    placed = np.ones((4, 1), np.float32)
    member = np.array([True, False, False, False])
    assert np.isnan(resampled_auroc(placed, member, np.array([[0.0, 1, 1, 1]]))).all()


@given(SEEDS)
def test_d_prime_equals_the_twin_and_ignores_scale_and_offset(seed):
    response, token = sample(seed, tied=False)
    found = d_prime(response, token, 3)
    for unit, c in np.ndindex(found.shape):
        twin = d_prime_twin(list(response[token == c, unit]), list(response[token != c, unit]))
        assert_allclose(found[unit, c], twin, rtol=1e-10)
    assert_allclose(d_prime(3 * response + 7, token, 3), found, rtol=1e-8)


def test_d_prime_is_nan_for_silent_units_and_absent_tokens():
    response, token = sample(1)
    response[:, 2] = 4
    found = d_prime(response, token, 4)
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 3]).all()
    assert np.isfinite(found[[0, 1, 3], :3]).all()


@given(SEEDS)
def test_sparseness_equals_the_twin(seed):
    response = np.abs(sample(seed)[0])
    twin = [sparseness_twin(list(unit)) for unit in response.T]
    assert_allclose(lifetime_sparseness(response), twin, rtol=1e-10)


def test_sparseness_is_zero_for_a_constant_one_for_a_single_exemplar_and_else_nan():
    response = np.zeros((5, 4))
    response[:, 0] = 3
    response[2, 1] = 3
    response[:, 3] = [1, 2, -1, 0, 0]
    assert_allclose(lifetime_sparseness(response), [0, 1, np.nan, np.nan], atol=1e-12)


@given(SEEDS)
def test_information_equals_the_twin(seed):
    response, token = sample(seed)
    found = token_information(ranks(response), token, 3, n_bins=4)
    twin = [information_twin(list(unit), list(token), 4) for unit in response.T]
    assert_allclose(found, twin, rtol=1e-10, atol=1e-12)


def test_information_of_noise_is_about_zero_and_of_a_token_its_entropy():
    rng = np.random.default_rng(0)
    token = np.repeat(np.arange(5), 100)
    noise = token_information(ranks(rng.standard_normal((500, 400))), token, 5)
    assert abs(noise.mean()) < 0.003  # the plug-in's mean is 28 / (2 * 500 ln 2) = .040
    four = np.repeat(np.arange(4), 100)
    pure = token_information(ranks(four[:, None].astype(float)), four, 4, n_bins=4)
    assert_allclose(pure, 2 - (4 - 4 - 4 + 1) / (2 * 400 * np.log(2)), rtol=1e-10)


def test_mean_selectivity_by_hand():
    means = np.array([[3.0, 0, 1, -1], [1, 0, 1, 2], [1, 0, 1, 2]])
    found = mean_selectivity(means, np.array([0, 0, -1, 1]))
    assert_allclose(found, [0.5, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("shift", [0.0, -2.0])
def test_mean_selectivity_chosen_on_another_half_is_not_inflated(shift):
    rng = np.random.default_rng(1)
    halves = np.maximum(rng.standard_normal((2, 5, 50, 2000)) + shift, 0).mean(axis=2)
    preferred = halves[0].argmax(axis=0)
    same, other = (np.nanmean(mean_selectivity(half, preferred)) for half in halves)
    assert same > 0.1
    assert other < 0.02  # below 0 where sparse, never above
