import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import Chance, neural_collapse
from ontogeny.measure.categories.collapse import _weighted_cdnv
from ontogeny.measure.categories.layers import draws_of, layers_of
from ontogeny.stats.collapse import cdnv
from oracles.patterns import separation_twin
from records import STEPS, make_record

FEW = Chance(n_shuffles=19, n_resamples=40)
STRONG = {"strength": 12.0}


@pytest.fixture(scope="module")
def data():
    return neural_collapse(make_record(**STRONG), chance=FEW)


def test_separation_is_that_of_its_definition(data):
    record = make_record(**STRONG)
    layer = record["layer"].values == "fc1"
    x = record["activation"].values[-1][:, layer].astype(float)
    token = np.repeat(np.arange(3), 20)
    pairs = separation_twin(x.tolist(), token.tolist(), 3)
    at = data.sel(layer="fc1").isel(step=-1)
    off = ~np.eye(3, dtype=bool)
    assert_allclose(at["cdnv"].values[off] ** -0.5, np.array(pairs)[off], rtol=1e-5)  # float32
    assert_allclose(at["separation_worst"], np.array(pairs)[off].min(), rtol=1e-5)


def test_tokens_come_apart_where_it_was_planted(data):
    for layer, rise in {"conv2": 5, "fc1": 4}.items():
        at = data.sel(layer=layer)
        assert (at["things_after"], at["things_by"]) == (STEPS[rise - 1], STEPS[rise])
        pair = at.sel(token="ada", token_b="cy")
        assert (pair["apart_after"], pair["apart_by"]) == (STEPS[rise - 1], STEPS[rise])
        assert at["things_confidence_after"] <= at["things_after"]
        assert at["things_confidence_by"] >= at["things_by"]


def test_bounds_hold_the_estimate_and_collapse_beats_its_null(data):
    hidden = data.sel(layer=["conv2", "fc1"]).isel(step=-1)
    assert (hidden["separation_low"] < hidden["separation_worst"]).all()
    assert (hidden["separation_high"] > hidden["separation_worst"]).all()
    assert (hidden["nc1"] < 0.2 * hidden["nc1_null"]).all()
    assert (hidden["nc4"] < 0.1).all()


def test_without_token_structure_nothing_is_apart_and_cdnv_is_at_its_null():
    data = neural_collapse(make_record(rises={}, exemplars=40), chance=FEW)
    assert np.isinf(data["things_by"].sel(layer=["conv1", "conv2", "fc1"])).all()
    off = ~np.eye(3, dtype=bool)
    found = data["cdnv"].sel(layer="conv2").values[:, off]
    # the ratio of two means over 40 exemplars of 8 units: within a factor of 2 of (n - 1) / 2
    assert 0.5 < np.median(found) / data["cdnv_null"].values[off][0] < 2
    assert_allclose(data["nc1"].sel(layer="fc1"), data["nc1_null"].sel(layer="fc1"), rtol=0.8)


def test_resampled_cdnv_counts_exemplars_by_their_weights():
    record = make_record()
    draws = draws_of(record, FEW)
    x = list(layers_of(record, draws))[2].patterns[-1]
    found = _weighted_cdnv(x, draws)
    for k in (0, 7):
        again = np.repeat(np.arange(60), draws.weights[k].astype(int))
        exact = cdnv(x[again], draws.probe.token[again], 3)
        off = ~np.eye(3, dtype=bool)
        assert_allclose(found[k][off], exact[off], rtol=1e-4)  # float32 throughout


def test_pixels_come_first_and_stay(data):
    assert data["layer"].values[0] == "pixels"
    pixels = data["cdnv"].sel(layer="pixels").values
    assert_allclose(pixels, pixels[:1].repeat(12, axis=0))
    assert np.isnan(data["things_by"].sel(layer="pixels"))
    assert "missing" in data["things_by"].attrs


def test_silent_layers_nan_and_absent_tokens_are_nan_with_a_reason():
    record = make_record()
    record["activation"][3, :, :6] = 1.0
    record["activation"][5, 7, 8] = np.nan
    data = neural_collapse(record, chance=FEW)
    for name in ("nc1", "nc2_angle", "separation_worst"):
        assert np.isnan(data[name].sel(layer="conv1").values[3])
        assert np.isnan(data[name].sel(layer="conv2").values[5])
        assert np.isfinite(data[name].sel(layer="fc1").values).all()
        assert data[name].attrs["missing"].startswith("NaN: a token with fewer than 2")
    absent = make_record(**STRONG).isel(exemplar=slice(0, 40))
    data = neural_collapse(absent, chance=FEW)
    assert np.isnan(data["separation_worst"]).all()
    assert np.isnan(data["things_by"]).all()
    pairs, whole = data["cdnv"], neural_collapse(make_record(**STRONG), chance=FEW)["cdnv"]
    assert_allclose(pairs.sel(token="ada", token_b="bo"), whole.sel(token="ada", token_b="bo"),
                    rtol=1e-5)  # fmt: skip
    assert np.isnan(pairs.sel(token="cy")).all()
    assert np.isnan(pairs.sel(token_b="cy")).all()
    assert "a token with fewer than 2" in pairs.attrs["missing"]
    apart = data["apart_by"].sel(layer="fc1", token="ada")
    assert np.isfinite(apart.sel(token_b="bo"))
    assert np.isfinite(data["apart_confidence_by"].sel(layer="fc1", token="ada", token_b="bo"))
    assert np.isnan(apart.sel(token_b="cy"))


def test_one_step_and_one_token():
    data = neural_collapse(make_record(steps=(0,)), chance=FEW)
    assert data.sizes["step"] == 1
    assert np.isfinite(data["nc1"]).all()
    with pytest.raises(InputError, match="held-out exemplars of at least 2 tokens, got 20 of 1"):
        neural_collapse(make_record().isel(exemplar=slice(0, 20)), chance=FEW)


class Weights:
    steps = STEPS

    def __init__(self, record):
        layer = record["layer"].values == "fc1"
        self._x = record["activation"].values[-1][:, layer]

    def weights(self, step):
        means = self._x.reshape(3, 20, -1).mean(axis=1)
        return {"logits.weight": means - means.mean(axis=0) + (0 if step == 42 else 1e3)}


def test_nc3_is_zero_where_weights_are_the_token_means():
    record = make_record(**STRONG)
    data = neural_collapse(record, run=Weights(record), chance=FEW)
    assert_allclose(data["nc3"][-1], 0, atol=1e-6)  # recorded in single precision
    assert data["nc3"][0] > 0.5
    without = neural_collapse(record, chance=FEW)["nc3"]
    assert np.isnan(without).all()
    assert without.attrs["missing"].startswith("NaN: no run was given")
    assert "missing" not in data["nc3"].attrs


def test_every_quantity_has_units_and_a_definition(data):
    for name in data.data_vars:
        assert data[name].attrs["units"]
        assert len(data[name].attrs["long_name"]) > 10
