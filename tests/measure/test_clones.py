import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import Chance
from ontogeny.measure.categories.clones import clones, gap_interval
from oracles.structure import naive_gap_interval
from records import STEPS, make_record

FEW = Chance(n_shuffles=19, n_resamples=100)


def record_with(real, clone, *, exemplars=40, seed=0):
    """Shares of exemplars and of clones that are named rightly at each snapshot."""
    record = make_record(exemplars=exemplars)
    n = 3 * exemplars
    token = np.repeat(np.arange(3), exemplars)
    ease = np.random.default_rng(seed).permutation(n)
    right = ease < np.round(np.asarray(real) * n)[:, None]
    record["logit"].values = np.eye(3, dtype=np.float32)[np.where(right, token, (token + 1) % 3)]
    record["clone_accuracy"].values = np.asarray(clone, dtype=float)
    return record


def test_a_planted_gap_is_found_with_its_steps():
    real = [0.3] * 4 + [0.6] * 2 + [0.9] * 6
    clone = [0.3] * 4 + [0.6] * 8
    found = clones(record_with(real, clone), chance=FEW)
    assert_allclose(found["clone_gap"], np.array(real) - clone, atol=0.01)
    assert (found["clone_gap_after"], found["clone_gap_by"]) == (STEPS[5], STEPS[6])
    assert found["clone_gap_confidence_after"] <= found["clone_gap_after"]
    assert found["clone_gap_confidence_by"] >= found["clone_gap_by"]
    assert (found["clone_gap_low"] < found["clone_gap"]).all()
    assert (found["clone_gap_high"] > found["clone_gap"]).all()


def test_never_and_from_the_start_are_infinite():
    never = clones(record_with([0.6] * 12, [0.6] * 12), chance=FEW)
    assert np.isinf(never["clone_gap_by"])
    start = clones(record_with([0.9] * 12, [0.3] * 12), chance=FEW)
    assert start["clone_gap_after"] == -np.inf
    assert start["clone_gap_by"] == 0


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.4), (1.0, 0.2), (0.0, 0.0), (0.97, 1.0)])
def test_the_interval_equals_the_naive_twin(p, q):
    found = gap_interval(np.array([p]), 80, np.array([q]), 100, level=0.95)
    assert_allclose(np.ravel(found), naive_gap_interval(p, 80, q, 100), rtol=1e-9)


def test_the_interval_is_wilsons_where_scipy_has_it():
    low, _ = gap_interval(np.array([0.7]), 50, np.array([0.0]), 10**12, level=0.95)
    wilson = scipy.stats.binomtest(35, 50).proportion_ci(method="wilson")
    assert_allclose(low, wilson.low, atol=1e-5)


def test_the_interval_covers_in_ninety_five_per_cent():
    rng = np.random.default_rng(3)
    p, q, n = 0.8, 0.65, 120
    real, clone = rng.binomial(n, [[p], [q]], size=(2, 2000)) / n
    low, high = gap_interval(real, n, clone, n, level=0.95)
    assert abs(np.mean((low < p - q) & (p - q < high)) - 0.95) < 0.015


def test_without_clones_the_record_is_refused_in_plain_words():
    with pytest.raises(InputError, match="accuracy on Gaussian clones, got one without"):
        clones(make_record().drop_vars("clone_accuracy"))


def test_what_is_nan_has_a_reason():
    record = make_record()
    record["clone_accuracy"][:] = np.nan
    found = clones(record, chance=FEW)
    assert np.isnan(found["clone_gap_by"])
    assert "fewer than 2 exemplars" in found["clone_gap"].attrs["missing"]
