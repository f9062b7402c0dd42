"""Models of distances and their comparison: naive twins, closed forms, nulls, bad input."""

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

from ontogeny.errors import InputError
from ontogeny.stats import rdm, rsa
from ontogeny.stats.groups import group_permutations
from oracles import patterns as oracles

SEEDS = st.integers(0, 10_000)


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_model_rdms_by_hand() -> None:
    assert rsa.identity_rdm(np.array(["a", "b", "a"])).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert rsa.difference_rdm(np.array([1, 4])).tolist() == [[0, 3], [3, 0]]
    parts = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0]])
    sharing = rsa.sharing_rdm(parts)
    assert_allclose(sharing[0, 1], 2 / 3)
    assert sharing[0, 0] == 0
    assert np.isnan(sharing[2, 2])


def test_rank_correlation_equals_scipy() -> None:
    rng = np.random.default_rng(17)
    rdms, models = rng.integers(0, 9, (2, 3, 20)).astype(float), rng.normal(size=(2, 20))
    actual = rsa.rank_correlation(rdms, models)
    for index in np.ndindex(2, 3, 2):
        desired = spearmanr(rdms[index[:2]], models[index[2]]).statistic
        assert_allclose(actual[index], desired, rtol=1e-10)


def test_rho_a_is_the_expectation_over_random_tie_breaking() -> None:
    rng = np.random.default_rng(18)
    x = rng.normal(size=10)
    y = (x + rng.normal(size=10) > 0).astype(float)
    actual = rsa.rank_correlation(x, y[None], comparison="rho_a")
    # looser: the twin is a mean of 4,000 random draws
    assert_allclose(actual[0], oracles.naive_rho_a(x, y, rng), atol=0.01)
    assert actual[0] < rsa.rank_correlation(x, y[None])[0]


def test_rho_a_equals_spearman_without_ties() -> None:
    rdms, models = patterns_of(27, 3, 12), patterns_of(28, 2, 12)
    assert_allclose(
        rsa.rank_correlation(rdms, models, comparison="rho_a"),
        rsa.rank_correlation(rdms, models),
        rtol=1e-10,
    )


def test_partial_correlation_removes_what_the_control_explains() -> None:
    rng = np.random.default_rng(19)
    control = rng.normal(size=3000)
    model, rdms = control + rng.normal(size=3000), control + rng.normal(size=3000)
    plain = rsa.rank_correlation(rdms, model[None])[0]
    partial = rsa.partial_rank_correlation(rdms, model, control[None])
    assert plain > 0.4
    assert abs(partial) < 0.06
    r = np.corrcoef(np.stack([np.argsort(np.argsort(v)) for v in (rdms, model, control)]))
    by_hand = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert_allclose(partial, by_hand, rtol=1e-8)


def test_partial_correlation_with_a_model_that_is_the_control_is_nan() -> None:
    x, y = patterns_of(20, 2, 30)
    assert np.isnan(rsa.partial_rank_correlation(x, y, y[None]))
    assert np.isnan(rsa.partial_rank_correlation(x, y, np.full((1, 30), np.nan)))


def test_constant_or_nan_distances_have_no_correlation() -> None:
    model = patterns_of(21, 1, 10)
    broken = np.stack([np.zeros(10), np.where(np.arange(10) == 4, np.nan, 1.0 + np.arange(10))])
    for comparison in ("spearman", "rho_a"):
        assert np.isnan(rsa.rank_correlation(broken, model, comparison=comparison)).all()
    assert np.isnan(rsa.rank_correlation(model[:, :2], model[:, :2])).all()


def test_noise_ceiling_by_hand() -> None:
    rdms = patterns_of(22, 4, 15)
    ranks = np.argsort(np.argsort(rdms, axis=-1), axis=-1).astype(float)
    upper = np.mean([spearmanr(rdms[s], ranks.mean(axis=0)).statistic for s in range(4)])
    lower = np.mean(
        [spearmanr(rdms[s], np.delete(ranks, s, 0).mean(axis=0)).statistic for s in range(4)]
    )
    assert_allclose(rsa.noise_ceiling(rdms), (lower, upper), rtol=1e-10)


def test_noise_ceiling_is_one_without_noise_and_nan_with_one_seed() -> None:
    same = np.repeat(patterns_of(23, 1, 12), 3, axis=0)
    assert_allclose(rsa.noise_ceiling(same), (1, 1), rtol=1e-10)
    assert np.isnan(rsa.noise_ceiling(same[:1])).all()


def test_permutation_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(24)
    token = np.arange(20) % 4
    model = rsa.identity_rdm(token)
    null = rdm.squared_euclidean_rdm(rng.normal(size=(300, 20, 6)))
    shuffles = group_permutations(np.arange(20), n_permutations=99, rng=rng)
    test = rsa.permutation_test(null, model, shuffles)
    fired = np.mean(test.p <= 0.05)
    assert fired < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert abs(test.p.mean() - 0.5) < 0.06
    assert test.null.shape == (99, 300)


def test_permutation_finds_token_structure_and_equals_the_correlation() -> None:
    rng = np.random.default_rng(25)
    token = np.arange(20) % 4
    x = rng.normal(size=(20, 6)) + 2 * rng.normal(size=(4, 6))[token]
    model = rsa.identity_rdm(token)
    shuffles = group_permutations(np.arange(20), n_permutations=199, rng=rng)
    test = rsa.permutation_test(rdm.squared_euclidean_rdm(x), model, shuffles, comparison="rho_a")
    assert test.p == 1 / 200
    rdms, models = (rsa.upper_triangle(v) for v in (rdm.squared_euclidean_rdm(x), model))
    desired = rsa.rank_correlation(rdms, models[None], comparison="rho_a")[0]
    assert_allclose(test.statistic, desired, rtol=1e-10)
    moved = rsa.upper_triangle(model[np.ix_(shuffles[-1], shuffles[-1])])
    desired = rsa.rank_correlation(rdms, moved[None], comparison="rho_a")[0]
    assert_allclose(test.null[-1], desired, rtol=1e-10)


def test_permuting_groups_is_stricter_than_permuting_their_members() -> None:
    rng = np.random.default_rng(26)
    group = np.repeat(np.arange(10), 4)
    token = group % 2
    fired = {"items": [], "groups": []}
    for _ in range(60):
        x = rng.normal(size=(10, 3))[group] + 0.1 * rng.normal(size=(40, 3))
        distances, model = rdm.squared_euclidean_rdm(x), rsa.identity_rdm(token)
        for name, units in (("items", np.arange(40)), ("groups", group)):
            shuffles = group_permutations(units, n_permutations=39, rng=rng)
            fired[name].append(rsa.permutation_test(distances, model, shuffles).p <= 0.05)
    assert np.mean(fired["items"]) > 0.25  # the mistake: groups taken for independent exemplars
    assert np.mean(fired["groups"]) < 0.15


def test_a_permutation_test_without_permutations_is_refused() -> None:
    square = rsa.identity_rdm(np.arange(4))
    with pytest.raises(InputError, match="at least one permutation, got none"):
        rsa.permutation_test(square, square, np.empty((0, 4), dtype=int))
