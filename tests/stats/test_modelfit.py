"""Fits of models to dissimilarities: naive twins, invariances, permutations, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import rankdata

from ontogeny.stats import modelfit
from ontogeny.stats.modelfit import centred_ranks, control_basis, fit, standardised
from ontogeny.stats.rdm import partial_rank_correlation, rank_correlation
from oracles.geometry import partial_twin, pearson_twin, rank_twin

seeds = st.integers(0, 2**32 - 1)


def tables(seed, *shape, ties=False):
    values = np.random.default_rng(seed).normal(size=shape)
    return np.round(values) if ties else values


@given(seeds)
def test_ranks_equal_their_twin_and_scipy(seed):
    values = tables(seed, 3, 12, ties=True)
    ranks = centred_ranks(values)
    assert_allclose(ranks, [np.array(rank_twin(v.tolist())) - 6.5 for v in values], rtol=1e-10)
    assert_allclose(ranks, rankdata(values, axis=-1) - 6.5, rtol=1e-10)
    values[1, 3] = np.nan
    assert np.isnan(centred_ranks(values)[1]).all()


@given(seeds)
def test_fits_equal_their_twins_and_the_plain_correlations(seed):
    rdms, models, controls = (tables(seed + k, n, 15) for k, n in enumerate((4, 3, 2)))
    ranks, model, control = (centred_ranks(x) for x in (rdms, models, controls))
    found = fit(standardised(ranks), model)
    assert_allclose(found, rank_correlation(rdms, models), rtol=1e-10, atol=1e-12)
    twin = [[pearson_twin(r.tolist(), m.tolist()) for m in model] for r in ranks]
    assert_allclose(found, twin, rtol=1e-10, atol=1e-12)
    basis = control_basis(control)
    beyond = fit(standardised(ranks, basis), model, basis)
    twin = [[partial_twin(r.tolist(), m.tolist(), control.tolist()) for m in model] for r in ranks]
    assert_allclose(beyond, twin, rtol=1e-8, atol=1e-10)  # least squares on both sides
    assert_allclose(beyond[:, 0], partial_rank_correlation(rdms, models[0], controls), rtol=1e-10,
                    atol=1e-12)  # fmt: skip


def test_single_precision_and_models_that_are_not_centred():
    ranks, models = centred_ranks(tables(0, 4, 4950)), centred_ranks(tables(1, 3, 4950))
    exact = fit(standardised(ranks), models)
    single = fit(standardised(ranks.astype("f4")), models.astype("f4") + 7)
    assert single.dtype == np.float32
    assert_allclose(single, exact, atol=1e-6)  # single precision


def test_what_controls_explain_is_nan():
    ranks = centred_ranks(tables(0, 2, 30))
    basis = control_basis(ranks[:1])
    assert np.isnan(standardised(ranks, basis)[0]).all()
    assert np.isfinite(standardised(ranks, basis)[1]).all()
    assert np.isnan(fit(standardised(ranks, basis), ranks[:1], basis)[1, 0])
    assert np.isnan(fit(standardised(ranks), np.ones((1, 30)))).all()
    assert np.isnan(standardised(np.zeros((1, 30)))).all()
    assert control_basis(np.zeros((2, 30))).shape == (30, 0)


@given(seeds)
def test_exchanges_keep_groups_whole_and_within_strata(seed):
    rng = np.random.default_rng(seed)
    stratum, group = np.repeat([0, 1], 12), np.repeat(np.arange(12), 2)
    group[-4:] = 99
    moved = modelfit.exchanges(stratum, group, n_permutations=20, rng=rng)
    for p in moved:
        assert sorted(p) == list(range(24))
        assert_array_equal(stratum[p], stratum)
        for name in np.unique(group):
            assert len(np.unique(group[p][group == name])) == 1
    assert_array_equal(moved[:, -4:], np.tile(np.arange(20, 24), (20, 1)))  # alone of its size
    assert (moved[:, :12] != np.arange(12)).any()


def test_nothing_to_exchange_is_the_identity():
    moved = modelfit.exchanges(np.zeros(6, int), np.array([0, 1, 1, 2, 2, 2]), n_permutations=3,
                               rng=np.random.default_rng(0))  # fmt: skip
    assert_array_equal(moved, np.tile(np.arange(6), (3, 1)))


def test_exchanged_tokens_move_a_model_of_tokens():
    token = np.array([0, 0, 1, 2, 2, 2])
    between = np.array([[0, 1, 5], [1, 0, 3], [5, 3, 0.0]])
    one, other = np.triu_indices(6, k=1)
    model = between[token[one], token[other]]
    rng = np.random.default_rng(0)
    moved = modelfit.token_exchanges(token, n_permutations=30, rng=rng)
    found = modelfit.moved_pairs(model, moved)
    names = token[moved]
    for c in range(3):
        assert (names[:, token == c] == names[:, token == c][:, :1]).all()
    for p, row in zip(names, found, strict=True):
        assert_allclose(row, between[p[one], p[other]])
    assert len(np.unique(names, axis=0)) == 6  # all arrangements of three tokens


def test_moved_pairs_are_the_permuted_matrix():
    table = tables(3, 5, 5)
    table = table + table.T
    one, other = np.triu_indices(5, k=1)
    p = np.array([[3, 1, 0, 4, 2]])
    found = modelfit.moved_pairs(table[one, other], p)[0]
    assert_allclose(found, table[p[0]][:, p[0]][one, other])


def test_resampled_fits_count_pairs_by_their_weights():
    n = 6
    one, other = np.triu_indices(n, k=1)
    ranks, models = centred_ranks(tables(0, 3, 15)), centred_ranks(tables(1, 2, 15))
    weights = np.array([[1.0] * n, [2, 0, 1, 1, 1, 1]])
    found = modelfit.resampled_fit(ranks, models, weights)
    assert_allclose(found[0], fit(standardised(ranks), models), rtol=1e-10)
    pair = (weights[1][one] * weights[1][other]).tolist()
    twin = [[pearson_twin(r.tolist(), m.tolist(), pair) for m in models] for r in ranks]
    assert_allclose(found[1], twin, rtol=1e-8)


@pytest.mark.slow
def test_five_per_cent_of_unrelated_models_pass():
    """Groups of two share noise: exchanging groups keeps the level, exchanging items would not."""
    rng, passed = np.random.default_rng(0), 0
    group, stratum = np.repeat(np.arange(15), 2), np.zeros(30, dtype=int)
    for _ in range(400):
        x, y = (rng.normal(size=(15, 3))[group] + 0.3 * rng.normal(size=(30, 3)) for _ in range(2))
        pairs = [((v[:, None] - v) ** 2).sum(-1)[np.triu_indices(30, k=1)] for v in (x, y)]
        left, model = (centred_ranks(p[None]) for p in pairs)
        p = modelfit.exchanges(stratum, group, n_permutations=39, rng=rng)
        null = fit(standardised(left), modelfit.moved_pairs(model[0], p))[0]
        passed += np.sum(null >= fit(standardised(left), model)[0, 0]) < 2
    assert passed / 400 < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
