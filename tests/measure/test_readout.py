import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.measure import Chance, readout
from ontogeny.measure.categories.layers import draws_of
from ontogeny.stats.probes import one_hot, readout_accuracy, ridge_readout
from records import make_record

FEW = Chance(n_shuffles=19, n_resamples=30)


@pytest.fixture(scope="module")
def data():
    return readout(make_record(strength=4.0), chance=FEW)


def test_readout_rises_where_tokens_were_planted_and_controls_stay_at_chance(data):
    fc1 = data.sel(layer="fc1")
    assert fc1["readout"].values[4:].min() > 0.9
    assert fc1["readout"].values[0] < 0.6
    assert_allclose(data["readout_control"], 1 / 3, atol=0.12)
    assert (data["readout_control_high"] >= data["readout_control"]).all()
    assert fc1["readout_few"].values[-1] > 0.85


def test_readout_is_the_kernels(data):
    record = make_record(strength=4.0)
    draws = draws_of(record, FEW)
    x = record["activation"].values[2][:, record["layer"].values == "conv2"]
    predicted = ridge_readout(x, one_hot(draws.probe.token, 3), draws.fold)
    exact = readout_accuracy(predicted, draws.probe.token)
    found = data.sel(layer="conv2").isel(step=2)
    assert_allclose(found["readout"], exact, rtol=1e-6)
    assert found["readout_low"] <= found["readout"] <= found["readout_high"]


def test_structure_between_groups_is_not_read_out():
    record = make_record(rises={}, exemplars=40, group_size=5, steps=(0,))
    common = np.random.default_rng(1).standard_normal((1, 24, 1)).repeat(5, axis=1)
    record["activation"] = record["activation"] + 9 * common.astype(np.float32)
    data = readout(record, chance=FEW).sel(layer="fc1")
    assert data["readout"].values[0] < 0.62


def test_known_factors_are_read_out_where_they_are():
    record = make_record(rises={}, exemplars=40)
    gaze = np.random.default_rng(0).standard_normal(120)
    record["activation"].values[:, :, 7] = gaze
    record = record.assign_coords(
        factor_gaze=("exemplar", gaze), factor_hat=("exemplar", np.tile(["a", "b"], 60)),
        factor_same=("exemplar", np.ones(120)),
    )  # fmt: skip
    data = readout(record, chance=FEW)["readout_factor"]
    assert data["factor"].values.tolist() == ["gaze", "hat"]
    assert data.sel(factor="gaze", layer="conv2").values.min() > 0.95
    assert data.sel(factor="gaze", layer="conv1").values.max() < 0.2
    assert data.sel(factor="hat").values.max() < 0.2


def test_silent_layer_and_few_groups_are_nan_with_a_reason():
    record = make_record()
    record["activation"][2, :, :6] = 0.0
    found = readout(record, chance=FEW)["readout"]
    assert np.isnan(found.sel(layer="conv1").values[2])
    assert "silent layer" in found.attrs["missing"]
    record = make_record(exemplars=4)
    record = record.assign_coords(group=("exemplar", np.repeat(np.arange(3), 4)))
    assert np.isnan(readout(record, chance=FEW)["readout"]).all()
