"""Models of distances and their comparison: naive twins, closed forms, nulls, bad input."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

from ontogeny.stats import rsa
from oracles import patterns as oracles


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_model_rdms_by_hand() -> None:
    assert rsa.identity_rdm(np.array(["a", "b", "a"])).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert rsa.difference_rdm(np.array([1, 4])).tolist() == [[0, 3], [3, 0]]


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
