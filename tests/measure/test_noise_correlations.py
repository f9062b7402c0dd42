import numpy as np
import pytest
from numpy.testing import assert_allclose

from graph_records import edge_index, quiet_record
from ontogeny.errors import InputError
from ontogeny.measure.units.noise_correlations import noise_correlations, noise_likeness
from oracles import graph as oracles


def test_correlations_equal_the_naive_twin():
    record = quiet_record()
    found = noise_correlations(record, 8)
    token = record["exemplar_token"].values.tolist()
    activation = record["activation"].sel(step=8).values.astype(float)
    names = record["unit"].values.tolist()
    for source, target in (("conv1:2", "conv2:5"), ("fc1:7", "logits:0")):
        x, y = (activation[:, names.index(n)].tolist() for n in (source, target))
        at = edge_index(record, source, target)
        expected = oracles.noise_correlation(x, y, token)
        assert_allclose(found["noise_correlation"][at], expected, rtol=1e-10)


def test_token_means_make_no_noise_correlation():
    """Units that both follow the token only through their means are as if apart."""
    record = quiet_record(strength=50.0, exemplars=200)
    found = noise_correlations(record).sel(layer="conv2")
    assert found["noise_beyond"] < 0.1
    assert abs(found["likeness"]) < 3 * found["likeness_bound"]


def test_shared_variation_is_found_and_follows_the_couplings():
    record = quiet_record(exemplars=60)
    activation, names = record["activation"].values, record["unit"].values.tolist()
    for j in range(8):
        own, parent = names.index(f"conv2:{j}"), names.index(f"conv1:{j % 6}")
        activation[-1, :, own] += 4 * activation[-1, :, parent]
        record["coupling"].values[-1, edge_index(record, f"conv1:{j % 6}", f"conv2:{j}")] = 0.9
    found = noise_correlations(record)
    at = edge_index(record, "conv1:3", "conv2:3")
    assert found["noise_correlation"][at] > 0.9
    assert found["likeness"].sel(layer="conv2") > found["likeness_bound"].sel(layer="conv2")
    curve = noise_likeness(record)
    assert_allclose(curve["likeness"][-1], found["likeness"], rtol=1e-10)


def test_a_constant_unit_has_none_and_pixels_have():
    record = quiet_record()
    record["activation"].values[:, :, 0] = 3.0
    found = noise_correlations(record)
    into = (record["source"].values == "conv1:0") | (record["target"].values == "conv1:0")
    assert np.isnan(found["noise_correlation"].values[into]).all()
    assert np.isfinite(found["noise_correlation"].values[~into]).all()
    without = noise_correlations(record.drop_vars("image"))
    assert np.isnan(without["noise_correlation"].values[:18]).all()
    assert np.isnan(without["likeness"].sel(layer="conv1"))


def test_units_choose_edges_and_unknown_ones_are_refused():
    record = quiet_record()
    assert noise_correlations(record, units=["fc1:3"]).sizes["edge"] == 8 + 3
    with pytest.raises(InputError, match="got fc1:99"):
        noise_correlations(record, units=["fc1:99"])
