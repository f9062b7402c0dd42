"""CKA and Procrustes: naive twins, closed forms, invariances, bias under independence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.stats import cka
from oracles import alignment as oracles

SEEDS = st.integers(0, 10_000)


def patterns_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_matrix_equals_the_naive_twins() -> None:
    parts = [patterns_of(0, 12, 3) + 2, patterns_of(1, 12, 20), patterns_of(2, 12, 5) ** 2]
    parts[1][:, :3] += parts[0]
    for debiased, twin in ((True, oracles.naive_debiased_cka), (False, oracles.naive_linear_cka)):
        actual = cka.cka_matrix(parts, debiased=debiased)
        desired = [[twin(x, y) for y in parts] for x in parts]
        assert_allclose(actual, desired, rtol=1e-10, atol=1e-12)


def test_blocks_of_exemplars_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [patterns_of(s, 23, 4) for s in range(3)]
    whole = cka.cka_matrix(parts)
    monkeypatch.setattr(cka, "_BLOCK_BYTES", 8 * 23 * 3 * 4)
    assert_allclose(cka.cka_matrix(parts), whole, rtol=1e-10)


@given(seed=SEEDS, gain=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_cka_is_one_under_rotation_gain_and_shift(seed: int, gain: float, shift: float) -> None:
    x = patterns_of(seed, 15, 4)
    rotation = np.linalg.qr(patterns_of(seed + 1, 4, 4))[0]
    for debiased in (True, False):
        matrix = cka.cka_matrix([x, gain * x @ rotation + shift], debiased=debiased)
        assert_allclose(matrix, 1, rtol=1e-8)


@given(seed=SEEDS)
def test_cka_does_not_depend_on_the_order_of_exemplars(seed: int) -> None:
    x, y = patterns_of(seed, 2, 10, 4)
    order = np.random.default_rng(seed).permutation(10)
    assert_allclose(
        cka.cka_matrix([x[order], y[order]], debiased=False),
        cka.cka_matrix([x, y], debiased=False),
        rtol=1e-10,
        atol=1e-12,
    )


def test_debiased_cka_of_independent_representations_is_zero_on_average() -> None:
    values, biased = [], []
    for seed in range(60):
        pair = patterns_of(seed, 2, 50, 512)
        values.append(cka.cka_matrix(list(pair))[0, 1])
        biased.append(cka.cka_matrix(list(pair), debiased=False)[0, 1])
    assert abs(np.mean(values)) < 3 * 0.03 / np.sqrt(60)
    assert_allclose(np.std(values), 0.03, rtol=0.5)
    assert_allclose(np.mean(biased), 0.91, atol=0.01)


def test_weak_shared_token_means_by_both_estimators() -> None:
    """The table of measures: .57 biased, .23 debiased at 250 exemplars of 256 units."""
    rng = np.random.default_rng(3)
    token = np.repeat(np.arange(5), 50)
    pair = [rng.normal(size=(250, 256)) + 0.3 * rng.normal(size=(5, 256))[token] for _ in range(2)]
    assert_allclose(cka.cka_matrix(pair, debiased=False)[0, 1], 0.57, atol=0.06)
    assert_allclose(cka.cka_matrix(pair)[0, 1], 0.23, atol=0.08)
    assert abs(cka.within_token_cka(pair, token, 5)[0, 1]) < 0.05


def test_within_token_cka_equals_its_naive_twin() -> None:
    x, y = patterns_of(4, 2, 24, 4)
    token = np.arange(24) % 3
    actual = cka.within_token_cka([x, y], token, 3)
    assert_allclose(actual[0, 1], oracles.naive_within_token_cka(x, y, token), rtol=1e-10)


@given(seed=SEEDS)
def test_within_token_cka_does_not_see_the_token_means(seed: int) -> None:
    x, y = patterns_of(seed, 2, 24, 4)
    token = np.arange(24) % 3
    moved = x + 3 * patterns_of(seed + 1, 3, 4)[token]
    plain, shifted = (cka.within_token_cka([v, y], token, 3) for v in (x, moved))
    assert_allclose(shifted, plain, rtol=1e-7, atol=1e-9)


def test_what_is_not_there_is_nan_in_its_row_only() -> None:
    good = patterns_of(8, 10, 4)
    bad = good.copy()
    bad[2, 1] = np.nan
    matrix = cka.cka_matrix([good, np.full((10, 3), 0.1), bad])
    assert matrix[0, 0] == pytest.approx(1)
    assert np.isnan(matrix[1:]).all()
    assert np.isnan(matrix[:, 1:]).all()
    assert np.isnan(cka.cka_matrix([good[:3], good[:3]])).all()
    assert np.isnan(cka.within_token_cka([good, good], np.arange(10) // 7, 2)).all()


def test_equidistant_exemplars_have_no_debiased_similarity() -> None:
    simplex = np.eye(6)
    matrix = cka.cka_matrix([simplex @ np.linalg.qr(patterns_of(5, 6, 6))[0], patterns_of(6, 6, 3)])
    assert np.isnan(matrix[0]).all()
    assert matrix[1, 1] == pytest.approx(1)


def test_representations_of_different_probes_are_refused() -> None:
    with pytest.raises(InputError, match=r"of the same exemplars, got \[4, 5\] exemplars"):
        cka.cka_matrix([patterns_of(0, 4, 2), patterns_of(0, 5, 2)])
    with pytest.raises(InputError, match="got no exemplars"):
        cka.cka_matrix([])


def test_procrustes_equals_its_naive_twin() -> None:
    x, y = patterns_of(9, 3, 12, 6), patterns_of(10, 3, 12, 6)
    desired = [oracles.naive_procrustes(a, b) for a, b in zip(x, y, strict=True)]
    assert_allclose(cka.procrustes_distance(x, y), desired, rtol=1e-10)


@given(seed=SEEDS)
def test_procrustes_is_zero_under_rotation_and_a_metric(seed: int) -> None:
    x, y, z = patterns_of(seed, 3, 9, 4)
    rotation = np.linalg.qr(patterns_of(seed + 1, 4, 4))[0]
    assert cka.procrustes_distance(x, 2 * x @ rotation + 1) < 1e-6
    there, back, around = (cka.procrustes_distance(a, b) for a, b in ((x, y), (y, x), (x, z)))
    assert_allclose(there, back, rtol=1e-10)
    assert around <= there + cka.procrustes_distance(y, z) + 1e-12


def test_procrustes_of_a_constant_or_nan_side_is_nan() -> None:
    x = patterns_of(11, 2, 6, 3)
    y = x[..., :2].copy()
    y[0] = 1
    y[1, 0, 0] = np.nan
    assert np.isnan(cka.procrustes_distance(x, y)).all()
