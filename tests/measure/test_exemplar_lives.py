import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import lives
from records import STEPS, make_record


def record_with(right):
    """Logits that name the first exemplar rightly at the given snapshots, all others always."""
    record = make_record(exemplars=5)
    logit = np.zeros_like(record["logit"].values)
    logit[:, np.arange(15), np.repeat(np.arange(3), 5)] = 1
    wrong = [k for k in range(len(STEPS)) if k not in right]
    logit[wrong, 0] = [0, 0, 1]
    record["logit"].values = logit
    return record


def test_a_life_is_told_as_it_was_planted():
    data = lives(record_with({2, 3, 6, 7, 8, 9, 10, 11})).isel(exemplar=0)
    assert (data["learnt_after"], data["learnt_by"]) == (STEPS[1], STEPS[2])
    assert (data["kept_after"], data["kept_by"]) == (STEPS[5], STEPS[6])
    assert data["forgotten"] == 1
    assert data["flips"] == 3
    assert int(data["exemplar"]) == 100


def test_confusion_over_steps_has_the_first_exemplars_errors():
    data = lives(record_with({11}))["confusion_over_steps"]
    assert_allclose(data.sel(token="ada", token_b="cy").values, [0.2] * 11 + [0])
    assert_allclose(data.sum("token_b"), 1)


def test_never_right_and_unknown_are_nan_with_a_reason():
    record = record_with(set())
    record["logit"][4, 7] = np.nan
    data = lives(record)
    assert np.isnan(data["kept_by"].values[[0, 7]]).all()
    assert "wrong at the end" in data["kept_by"].attrs["missing"]
    assert np.isfinite(data["kept_by"].values[[1, 2]]).all()


def test_typicality_is_about_one():
    found = lives(make_record(exemplars=40))["typicality"]
    assert_allclose((found**2).mean(), 1, rtol=1e-5)


def test_a_record_of_logits_only_is_refused():
    record = make_record(layers={})
    with pytest.raises(InputError, match="expected a layer besides logits, got none"):
        lives(record)
