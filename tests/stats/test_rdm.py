"""Distances and their comparison: naive twins, closed forms, invariances, nulls, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

import oracles
from ontogeny.errors import InputError
from ontogeny.stats import rdm
from ontogeny.stats.groups import group_permutations, grouped_folds


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


SEEDS = st.integers(0, 10_000)


def test_distances_equal_their_naive_twins() -> None:
    x = patterns_of(0, 7, 4) + 3
    raw = patterns_of(1, 4, 4)
    precision = raw @ raw.T
    for actual, desired in (
        (rdm.squared_euclidean_rdm(x), oracles.naive_squared_euclidean(x)),
        (rdm.correlation_rdm(x), oracles.naive_correlation_distance(x)),
        (rdm.mahalanobis_rdm(x, precision), oracles.naive_mahalanobis(x, precision)),
    ):
        assert_allclose(actual, desired, rtol=1e-10, atol=1e-14)


def test_distances_equal_scipy_for_every_step_of_a_batch() -> None:
    x = patterns_of(2, 3, 2, 9, 5).astype(np.float32)
    euclidean = rdm.upper_triangle(rdm.squared_euclidean_rdm(x))
    correlation = rdm.upper_triangle(rdm.correlation_rdm(x))
    for index in np.ndindex(3, 2):
        wide = x[index].astype(np.float64)
        assert_allclose(euclidean[index], pdist(wide, "sqeuclidean") / 5, rtol=1e-10)
        assert_allclose(correlation[index], pdist(wide, "correlation"), rtol=1e-10)


def test_integer_pixels_are_accepted() -> None:
    pixels = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    assert_allclose(rdm.squared_euclidean_rdm(pixels)[0, 1], 255**2)


@given(seed=SEEDS)
def test_euclidean_is_invariant_to_rotation_and_translation(seed: int) -> None:
    x = patterns_of(seed, 8, 5)
    rotation = np.linalg.qr(patterns_of(seed + 1, 5, 5))[0]
    assert_allclose(
        rdm.squared_euclidean_rdm(x @ rotation + 2.5),
        rdm.squared_euclidean_rdm(x),
        rtol=1e-10,
        atol=1e-13,
    )


@given(seed=SEEDS, gain=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_correlation_is_invariant_to_gain_and_shift(seed: int, gain: float, shift: float) -> None:
    x = patterns_of(seed, 6, 5)
    assert_allclose(
        rdm.correlation_rdm(gain * x + shift), rdm.correlation_rdm(x), rtol=1e-9, atol=1e-12
    )


@given(seed=SEEDS)
def test_mahalanobis_is_invariant_to_invertible_maps(seed: int) -> None:
    x = patterns_of(seed, 40, 3)
    token = np.arange(40) % 4
    mixing = patterns_of(seed + 1, 3, 3) + 3 * np.eye(3)
    plain, mixed = (
        rdm.mahalanobis_rdm(v, rdm.noise_precision(v, token, 4, shrinkage=False))
        for v in (x, x @ mixing)
    )
    # looser: the inverse of a random mixing matrix is taken
    assert_allclose(mixed, plain, rtol=1e-6, atol=1e-9)


def test_shrunk_precision_equals_its_naive_twin() -> None:
    x = patterns_of(3, 30, 5) @ patterns_of(4, 5, 5)
    token = np.arange(30) % 3
    desired = np.linalg.inv(oracles.naive_shrunk_covariance(x, token))
    assert_allclose(rdm.noise_precision(x, token, 3), desired, rtol=1e-9)


def test_precision_leaves_dead_units_out_and_refuses_what_it_cannot_know() -> None:
    x = patterns_of(5, 20, 4)
    token = np.arange(20) % 2
    x[:, 1] = 0.25
    precision = rdm.noise_precision(x, token, 2)
    assert np.all(precision[1] == 0)
    assert np.all(precision[:, 1] == 0)
    live = [0, 2, 3]
    assert_allclose(
        precision[np.ix_(live, live)], rdm.noise_precision(x[:, live], token, 2), rtol=1e-10
    )
    assert np.isnan(rdm.noise_precision(np.full((20, 4), 0.1), token, 2)).all()
    x[:, 1] = token  # constant within tokens, different between
    assert np.isnan(rdm.noise_precision(x, token, 2)).all()
    assert np.isnan(rdm.noise_precision(patterns_of(6, 20, 4), token, 3)).all()  # absent token
    wide = patterns_of(7, 8, 20)
    few = np.arange(8) % 2
    assert np.isnan(rdm.noise_precision(wide, few, 2, shrinkage=False)).all()
    assert np.isfinite(rdm.noise_precision(wide, few, 2)).all()


def test_crossnobis_equals_its_naive_twin() -> None:
    x = patterns_of(8, 2, 24, 4)
    token, fold = np.arange(24) % 3, np.arange(24) // 3 % 4
    raw = patterns_of(9, 2, 4, 4)
    precision = raw @ np.swapaxes(raw, -1, -2)
    means = rdm.fold_means(x, token, fold, 3)
    actual = rdm.crossnobis_rdm(means, precision)
    plain = rdm.crossnobis_rdm(means)
    for step in range(2):
        desired = oracles.naive_crossnobis(x[step], token, fold, 3, precision[step])
        assert_allclose(actual[step], desired, rtol=1e-10, atol=1e-13)
        desired = oracles.naive_crossnobis(x[step], token, fold, 3, np.eye(4))
        assert_allclose(plain[step], desired, rtol=1e-10, atol=1e-13)


def test_crossnobis_is_unbiased_where_plain_distances_are_not() -> None:
    rng = np.random.default_rng(10)
    token = np.arange(100) % 5
    x = rng.normal(size=(400, 100, 32))
    signal = x + 0.5 * (token == 0)[:, None]
    fold = grouped_folds(token, np.arange(100), n_folds=4, rng=rng)
    null = rdm.crossnobis_rdm(rdm.fold_means(x, token, fold, 5))[:, 0, 1]
    true = rdm.crossnobis_rdm(rdm.fold_means(signal, token, fold, 5))[:, 0, 1]
    error = null.std() / 20
    assert abs(null.mean()) < 3 * error
    assert abs(true.mean() - 0.25) < 3 * true.std() / 20
    plain = rdm.squared_euclidean_rdm(rdm.token_means(x, token, 5))[:, 0, 1]
    assert_allclose(plain.mean(), 2 / 20, rtol=0.05)  # the bias: 2 variance / exemplars


def test_crossnobis_of_identical_folds_is_the_plain_distance() -> None:
    means = np.repeat(patterns_of(11, 1, 5, 3), 2, axis=0)
    assert_allclose(
        rdm.crossnobis_rdm(means), rdm.squared_euclidean_rdm(means[0]), rtol=1e-10, atol=1e-13
    )


def test_crossnobis_of_one_fold_or_an_absent_token_is_nan() -> None:
    assert np.isnan(rdm.crossnobis_rdm(patterns_of(12, 1, 3, 4))).all()
    means = patterns_of(12, 2, 3, 4)
    means[1, 2] = np.nan
    distances = rdm.crossnobis_rdm(means)
    assert np.isnan(distances[2]).all()
    assert np.isfinite(distances[:2, :2]).all()


def test_nan_stays_where_it_is() -> None:
    x = patterns_of(13, 5, 4)
    x[3, 0] = np.nan
    for distances in (
        rdm.squared_euclidean_rdm(x),
        rdm.correlation_rdm(x),
        rdm.mahalanobis_rdm(x, np.eye(4)),
    ):
        assert np.isnan(distances[3]).all()
        assert np.isnan(distances[:, 3]).all()
        rest = [0, 1, 2, 4]
        assert np.isfinite(distances[np.ix_(rest, rest)]).all()


def test_a_pattern_without_variation_has_no_correlation() -> None:
    x = patterns_of(14, 4, 3)
    x[2] = 0.1
    distances = rdm.correlation_rdm(x)
    assert np.isnan(distances[2]).all()
    assert np.isfinite(distances[0, 1])
    assert np.isnan(rdm.correlation_rdm(patterns_of(15, 4, 1))).all()


def test_duplicated_exemplars_are_at_distance_zero() -> None:
    x = patterns_of(16, 5, 4) + 100
    x[3] = x[0]
    assert abs(rdm.squared_euclidean_rdm(x)[0, 3]) < 1e-12
    assert abs(rdm.correlation_rdm(x)[0, 3]) < 1e-12


def test_model_rdms_by_hand() -> None:
    assert rdm.identity_rdm(np.array(["a", "b", "a"])).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert rdm.difference_rdm(np.array([1, 4])).tolist() == [[0, 3], [3, 0]]
    parts = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0]])
    sharing = rdm.sharing_rdm(parts)
    assert_allclose(sharing[0, 1], 2 / 3)
    assert sharing[0, 0] == 0
    assert np.isnan(sharing[2, 2])


def test_rank_correlation_equals_scipy() -> None:
    rng = np.random.default_rng(17)
    rdms, models = rng.integers(0, 9, (2, 3, 20)).astype(float), rng.normal(size=(2, 20))
    actual = rdm.rank_correlation(rdms, models)
    for index in np.ndindex(2, 3, 2):
        desired = spearmanr(rdms[index[:2]], models[index[2]]).statistic
        assert_allclose(actual[index], desired, rtol=1e-10)


def test_rho_a_is_the_expectation_over_random_tie_breaking() -> None:
    rng = np.random.default_rng(18)
    x = rng.normal(size=10)
    y = (x + rng.normal(size=10) > 0).astype(float)
    actual = rdm.rank_correlation(x, y[None], comparison="rho_a")
    # looser: the twin is a mean of 4,000 random draws
    assert_allclose(actual[0], oracles.naive_rho_a(x, y, rng), atol=0.01)
    assert actual[0] < rdm.rank_correlation(x, y[None])[0]


def test_rho_a_equals_spearman_without_ties() -> None:
    rdms, models = patterns_of(27, 3, 12), patterns_of(28, 2, 12)
    assert_allclose(
        rdm.rank_correlation(rdms, models, comparison="rho_a"),
        rdm.rank_correlation(rdms, models),
        rtol=1e-10,
    )


def test_partial_correlation_removes_what_the_control_explains() -> None:
    rng = np.random.default_rng(19)
    control = rng.normal(size=3000)
    model, rdms = control + rng.normal(size=3000), control + rng.normal(size=3000)
    plain = rdm.rank_correlation(rdms, model[None])[0]
    partial = rdm.partial_rank_correlation(rdms, model, control[None])
    assert plain > 0.4
    assert abs(partial) < 0.06
    r = np.corrcoef(np.stack([np.argsort(np.argsort(v)) for v in (rdms, model, control)]))
    by_hand = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert_allclose(partial, by_hand, rtol=1e-8)


def test_partial_correlation_with_a_model_that_is_the_control_is_nan() -> None:
    x, y = patterns_of(20, 2, 30)
    assert np.isnan(rdm.partial_rank_correlation(x, y, y[None]))
    assert np.isnan(rdm.partial_rank_correlation(x, y, np.full((1, 30), np.nan)))


def test_constant_or_nan_distances_have_no_correlation() -> None:
    model = patterns_of(21, 1, 10)
    broken = np.stack([np.zeros(10), np.where(np.arange(10) == 4, np.nan, 1.0 + np.arange(10))])
    for comparison in ("spearman", "rho_a"):
        assert np.isnan(rdm.rank_correlation(broken, model, comparison=comparison)).all()
    assert np.isnan(rdm.rank_correlation(model[:, :2], model[:, :2])).all()


def test_noise_ceiling_by_hand() -> None:
    rdms = patterns_of(22, 4, 15)
    ranks = np.argsort(np.argsort(rdms, axis=-1), axis=-1).astype(float)
    upper = np.mean([spearmanr(rdms[s], ranks.mean(axis=0)).statistic for s in range(4)])
    lower = np.mean(
        [spearmanr(rdms[s], np.delete(ranks, s, 0).mean(axis=0)).statistic for s in range(4)]
    )
    assert_allclose(rdm.noise_ceiling(rdms), (lower, upper), rtol=1e-10)


def test_noise_ceiling_is_one_without_noise_and_nan_with_one_seed() -> None:
    same = np.repeat(patterns_of(23, 1, 12), 3, axis=0)
    assert_allclose(rdm.noise_ceiling(same), (1, 1), rtol=1e-10)
    assert np.isnan(rdm.noise_ceiling(same[:1])).all()


def test_permutation_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(24)
    token = np.arange(20) % 4
    model = rdm.identity_rdm(token)
    null = rdm.squared_euclidean_rdm(rng.normal(size=(300, 20, 6)))
    shuffles = group_permutations(np.arange(20), n_permutations=99, rng=rng)
    test = rdm.permutation_test(null, model, shuffles)
    fired = np.mean(test.p <= 0.05)
    assert fired < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert abs(test.p.mean() - 0.5) < 0.06
    assert test.null.shape == (99, 300)


def test_permutation_finds_token_structure_and_equals_the_correlation() -> None:
    rng = np.random.default_rng(25)
    token = np.arange(20) % 4
    x = rng.normal(size=(20, 6)) + 2 * rng.normal(size=(4, 6))[token]
    model = rdm.identity_rdm(token)
    shuffles = group_permutations(np.arange(20), n_permutations=199, rng=rng)
    test = rdm.permutation_test(rdm.squared_euclidean_rdm(x), model, shuffles, comparison="rho_a")
    assert test.p == 1 / 200
    rdms, models = (rdm.upper_triangle(v) for v in (rdm.squared_euclidean_rdm(x), model))
    desired = rdm.rank_correlation(rdms, models[None], comparison="rho_a")[0]
    assert_allclose(test.statistic, desired, rtol=1e-10)
    moved = rdm.upper_triangle(model[np.ix_(shuffles[-1], shuffles[-1])])
    desired = rdm.rank_correlation(rdms, moved[None], comparison="rho_a")[0]
    assert_allclose(test.null[-1], desired, rtol=1e-10)


def test_permuting_groups_is_stricter_than_permuting_their_members() -> None:
    rng = np.random.default_rng(26)
    group = np.repeat(np.arange(10), 4)
    token = group % 2
    fired = {"items": [], "groups": []}
    for _ in range(60):
        x = rng.normal(size=(10, 3))[group] + 0.1 * rng.normal(size=(40, 3))
        distances, model = rdm.squared_euclidean_rdm(x), rdm.identity_rdm(token)
        for name, units in (("items", np.arange(40)), ("groups", group)):
            shuffles = group_permutations(units, n_permutations=39, rng=rng)
            fired[name].append(rdm.permutation_test(distances, model, shuffles).p <= 0.05)
    assert np.mean(fired["items"]) > 0.25  # the mistake: groups taken for independent exemplars
    assert np.mean(fired["groups"]) < 0.15


def test_a_permutation_test_without_permutations_is_refused() -> None:
    square = rdm.identity_rdm(np.arange(4))
    with pytest.raises(InputError, match="at least one permutation, got none"):
        rdm.permutation_test(square, square, np.empty((0, 4), dtype=int))
