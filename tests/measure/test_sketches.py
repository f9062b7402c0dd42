"""The sketch of a growing record: what it says, against loops, and what it does not claim."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import sketch
from ontogeny.measure.learning.sketches import MAPS, SO_FAR, TOP
from records import STEPS, make_record


@pytest.fixture(scope="module")
def record():
    return make_record()


@pytest.fixture(scope="module")
def data(record):
    return sketch(record)


def test_every_number_says_what_it_is_and_that_it_is_no_measure(data):
    assert {str(name).partition("_")[0] for name in data.data_vars} == {"sketch"}
    for name, values in data.data_vars.items():
        assert values.attrs["units"], name
        assert SO_FAR in values.attrs["long_name"], name
        assert not np.isnan(values).any() or values.attrs["missing"], name


def test_confusion_is_that_of_a_count(record, data):
    logit, token = record["logit"].values[9], np.repeat(np.arange(3), 20)
    for own in range(3):
        for other in range(3):
            share = np.mean([np.argmax(row) == other for row in logit[token == own]])
            assert data["sketch_confusion"].values[9, own, other] == share


def test_response_is_that_of_a_loop(record, data):
    patterns, token = record["activation"].values.astype(float), np.repeat(np.arange(3), 20)
    for step, unit, own in ((0, 3, 0), (11, 7, 2), (11, 24, 1)):
        x = patterns[step, :, unit]
        expected = (x[token == own].mean() - x[token != own].mean()) / x.std()
        assert_allclose(data["sketch_response"].values[step, unit, own], expected, rtol=1e-5)


def test_distance_is_unbiased_and_grows_where_tokens_are_separated(data):
    separated = data["sketch_distance"].sel(layer="fc1").values[:, 0, 1]
    assert separated[-1] > 10 * np.abs(separated[:3]).max()
    nothing = np.concatenate([
        sketch(make_record(rises={}, seed=seed, steps=(0,)))["sketch_distance"].values[0, :3, 0, 1:]
        for seed in range(40)
    ])  # fmt: skip
    assert abs(nothing.mean()) < 3 * nothing.std() / np.sqrt(nothing.size)


def test_map_holds_the_most_variance_that_two_axes_can(record, data):
    last = record["activation"].values[-1][:, 14:22].astype(float)
    spectrum = np.linalg.svd(last - last.mean(axis=0), compute_uv=False) ** 2
    share = data["sketch_map_share"].sel(layer="fc1").values[-1]
    assert_allclose(share, spectrum[:2].sum() / spectrum.sum(), rtol=1e-6)
    assert data["map_step"].values[-1] == STEPS[-1] and len(data["map_step"]) <= MAPS
    place = data["sketch_map"].sel(layer="fc1").values[-1]
    centred = last - last.mean(axis=0)
    assert (np.linalg.norm(place, axis=1) <= np.linalg.norm(centred, axis=1) + 1e-9).all()


def test_top_exemplars_are_the_largest_in_order(record, data):
    values = record["activation_maximum"].values[-1]
    for unit in (0, 9, 20):
        expected = np.argsort(-values[:, unit], kind="stable")[:TOP]
        assert data["sketch_top_exemplar"].values[unit].tolist() == expected.tolist()
        assert_allclose(data["sketch_top_response"].values[unit], values[expected, unit])


def test_an_inactive_unit_has_no_top_exemplar_and_no_response(record):
    still = record.copy(deep=True)
    still["activation"][:, :, 2] = 0
    still["activation_maximum"][:, :, 2] = 0
    found = sketch(still)
    assert (found["sketch_top_exemplar"].values[2] == -1).all()
    assert np.isnan(found["sketch_top_response"].values[2]).all()
    assert np.isnan(found["sketch_response"].values[:, 2]).all()


def test_what_is_known_of_a_step_is_not_computed_again(record, data, monkeypatch):
    known = {}
    first = sketch(record.isel(step=slice(0, 5)), known=known)
    assert len(known) == 5
    monkeypatch.setattr(
        "ontogeny.measure.learning.sketches._distances", lambda *_: pytest.fail("again")
    )
    again = sketch(record.isel(step=slice(0, 5)), known=known)
    assert first.equals(again)
    monkeypatch.undo()
    assert sketch(record, known=known).equals(data)


def test_one_step_one_unit_layers_and_damaged_numbers_are_taken():
    record = make_record(layers={"fc1": 1}, steps=(0,))
    assert sketch(record)["sketch_map"].shape[:2] == (1, 2)
    record["activation"][0, 3, 0] = np.nan
    found = sketch(record)
    assert np.isnan(found["sketch_map"].sel(layer="fc1")).all()
    assert np.isfinite(found["sketch_map"].sel(layer="logits")).all()


def test_a_record_without_activations_is_refused(record):
    with pytest.raises(InputError, match="expected a record with activation, "):
        sketch(record.drop_vars("activation"))
