"""By when units combine parents, and in how many layers channels differ from mixtures."""

import numpy as np
import pytest
import xarray as xr

from ontogeny.measure import Chance, detectors
from ontogeny.measure.units.conjunctions import conjunctions, tuned_token
from ontogeny.measure.units.mixtures import beside_rotations
from records import STEPS, make_record

FEW = Chance(n_shuffles=59, n_resamples=20)
LAYERS = {"conv1": 30, "fc1": 30}


def tuned(record, token):
    n = record.sizes["unit"]
    score = np.where(token >= 0, 0.9, 0.5)
    return xr.Dataset(
        {"score": (("step", "unit"), np.tile(score, (len(STEPS), 1))),
         "preferred": (("step", "unit"), np.tile(np.maximum(token, 0), (len(STEPS), 1))),
         "score_threshold": ("layer", [0.7] * 3)},
        {"layer": [*LAYERS, "logits"], "layer_of_unit": ("unit", record["layer"].values),
         "unit": np.arange(n), "token": ["ada", "bo", "cy"]},
    )  # fmt: skip


def planted(begin, token):
    record = make_record(layers=LAYERS)
    size = 0.01 + 0.5 * (np.arange(len(STEPS))[:, None] >= begin)
    record["interaction"].values[:] = size[:, :, None]
    return conjunctions(record, tuned(record, token), FEW)


def test_every_quantity_of_a_record_says_what_it_is():
    data = detectors(make_record(), chance=FEW)
    for name in ("conjunction_by", "conjoined", "conjoined_bound", "layers_outside"):
        assert data[name].attrs["long_name"] and data[name].attrs["units"]
    assert data["conjoined"].attrs["null"] and data["layers_outside"].attrs["null"]
    assert data["conjoined"].attrs["missing"].startswith("NaN: ")


def test_a_conjunction_begins_where_it_stays_beyond_the_untrained_layer():
    token = np.arange(63) % 3
    found = planted(np.where(token == 1, 4, len(STEPS)), token)
    mine, rest = token == 1, token != 1
    assert (found["conjunction_after"].values[mine] == STEPS[3]).all()
    assert (found["conjunction_by"].values[mine] == STEPS[4]).all()
    assert np.isinf(found["conjunction_by"].values[rest]).all()
    assert (found["conjunction_after"].values[rest] == STEPS[-1]).all()


def test_units_whose_conjunction_never_begins_count_as_not_begun():
    token = np.arange(63) % 3
    begin = np.where((token == 1) & (np.arange(63) % 2 == 0), 4, len(STEPS))
    at = planted(begin, token).sel(token="bo")
    share = np.mean(np.arange(63)[token == 1] % 2 == 0)
    assert at["conjoined"].values.tolist() == pytest.approx([0] * 4 + [share] * 8)
    assert (at["conjoined_others"] == 0).all()
    assert float(at["conjoined"][-1]) > float(at["conjoined_bound"][-1])
    assert float(at["conjoined_low"][-1]) < share < float(at["conjoined_high"][-1])


def test_units_that_are_not_tuned_at_the_end_belong_to_no_token():
    token = np.arange(63) % 3 - 1
    found = planted(np.where(token < 0, 4, len(STEPS)), token)
    assert (found["conjoined_others"].sel(token="ada") == 0).all()
    assert np.isnan(found["conjoined"].sel(token="cy")).all()
    record = make_record(layers=LAYERS)
    assert tuned_token(tuned(record, token)).tolist() == token.tolist()


def test_a_record_without_interactions_has_no_conjunctions():
    record = make_record(layers=LAYERS).drop_vars("interaction")
    assert not conjunctions(record, tuned(record, np.zeros(63, dtype=int)), FEW).data_vars


def rotations(own, low=0.5, high=0.7):
    layer = [*(f"conv{k + 1}" for k in range(len(own) - 1)), "logits"]
    flat = ("direction_step", "layer")
    return xr.Dataset(
        {"tuned_share": (("direction_step", "basis", "layer"), np.array([own, own])[:, None]),
         "tuned_share_rotated_low": (flat, np.full((2, len(own)), low)),
         "tuned_share_rotated_high": (flat, np.full((2, len(own)), high))},
        {"direction_step": [0, 42], "basis": ["units"], "layer": layer},
    )  # fmt: skip


def test_hidden_layers_outside_the_rotations_are_counted_at_the_end():
    data = rotations([0.4] * 3 + [0.8, 0.5, 0.7, 0.6, 0.6, 0.6] + [0.9])
    data["tuned_share"].values[0] = 0.6
    found = beside_rotations(data)
    assert found["layers_outside"].sel(side=["below", "above"]).values.tolist() == [3, 1]
    assert not found["is_outside"].sel(layer="logits").any()
    assert (found["layers_outside_bound"] == 3).all()
    below = found.sel(side="below")
    assert float(below["layers_outside_low"]) < 3 < float(below["layers_outside_high"])


def test_without_hidden_layers_there_is_no_bound():
    found = beside_rotations(rotations([0.9]))
    assert (found["layers_outside"] == 0).all() and np.isnan(found["layers_outside_bound"]).all()
