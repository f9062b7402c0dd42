"""What the probe supports at the end, labelled."""

import numpy as np
import pytest

from ontogeny.errors import InputError
from ontogeny.measure import ending
from records import TOKENS, make_record


def test_every_number_says_what_it_is():
    data = ending(make_record(strength=4.0))
    assert all(data[n].attrs["long_name"] and data[n].attrs["units"] for n in data.data_vars)
    assert data["confused"].dims == ("token", "token_b")
    assert data["token"].values.tolist() == list(TOKENS)
    assert {n for n in data.data_vars if "null" in data[n].attrs} == {
        "learnt", "confused", "memorised"}  # fmt: skip


def test_what_was_learnt_is_the_held_out_accuracy_with_its_interval():
    record = make_record(strength=4.0)
    data = ending(record)
    held = record["exemplar_split"].values == "probe"
    best = record["logit"].isel(step=-1).values[held].argmax(axis=1)
    right = [TOKENS[k] for k in best] == record["exemplar_token"].values[held]
    assert float(data["learnt"]) == pytest.approx(np.mean(right))
    assert 0 <= float(data["learnt_low"]) <= float(data["learnt"]) <= float(data["learnt_high"])


def test_groups_widen_the_interval():
    record = make_record(strength=4.0)
    n = record.sizes["exemplar"]
    few = record.assign_coords(group=("exemplar", np.arange(n) // 4))
    alone = record.assign_coords(group=("exemplar", np.arange(n)))
    width = [float(d["learnt_high"] - d["learnt_low"]) for d in map(ending, (alone, few))]
    assert width[1] > width[0]


def test_memorising_is_a_rise_on_the_other_groups():
    record = make_record(strength=1.5)
    logit = record["logit"].values
    logit[8:] *= np.linspace(2, 6, len(logit) - 8)[:, None, None]
    data = ending(record)
    assert float(data["memorised_step"]) < record["step"].values[9]
    assert float(data["memorised_low"]) > 0
    assert not float(ending(make_record(rises={}))["memorised_low"]) > 0


def test_a_logit_that_is_nan_is_not_a_number():
    record = make_record(strength=4.0)
    record["logit"].values[2, 3] = np.nan
    data = ending(record)
    assert np.isnan(float(data["memorised"])) and np.isfinite(float(data["learnt"]))


def test_a_record_without_logits_is_refused():
    with pytest.raises(InputError, match="logit"):
        ending(make_record().drop_vars("logit"))
