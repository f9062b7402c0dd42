"""What layers construct, against loops over what was measured of units."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gain_records import with_recombinations
from ontogeny.measure import Chance, building_on, construction_gain
from ontogeny.measure.gains.layers import selected_before
from ontogeny.measure.gains.reading import Recombined
from oracles import layergains as twin
from records import make_record

LAYERS = {"conv1": 6, **{f"conv{k}": 8 for k in range(2, 7)}, "fc1": 5}
DOWN = {"conv2": 6, "conv3": 5, "conv4": 4, "conv5": 3, "conv6": 2}
STEPS = (0, 1, 2, 4, 7, 12, 20, 33, 55)
FEW = Chance(n_shuffles=199, n_resamples=100)


@pytest.fixture(scope="module")
def record():
    return with_recombinations(rises=DOWN, layers=LAYERS, steps=STEPS, builds=("conv4",), seed=5)


@pytest.fixture(scope="module")
def found(record):
    return construction_gain(record, chance=FEW)


def units_of(record, layer):
    return np.flatnonzero(record["layer"].values == layer)


def test_bounds_of_shares_equal_the_twin_over_hidden_layers(record, found):
    hidden = [units_of(record, name) for name in LAYERS]
    for step in (0, 8):
        own, dealt = found["selectivity"].values[step], record["recombined"].values[step]
        desired = twin.share_bounds(own, dealt.astype(float), hidden)
        assert_allclose(found["constructed_bound"].values[step, :-1], desired, rtol=1e-6)
    assert np.isnan(found["constructed_bound"].sel(layer="logits")).all()


def test_rises_are_shares_less_those_of_step_0(found):
    share = found["constructed_share"].values
    assert_allclose(found["constructed_rise"].values, share - share[0])
    assert (found["constructed_rise_low"] <= found["constructed_rise"]).all()
    late = make_record(steps=(3, 4, 5, 6))
    assert np.isnan(construction_gain(late, chance=FEW)["constructed_rise"]).all()


def test_means_and_shares_of_them_equal_the_twin(record, found):
    one = {"inherited_mean": "inherited", "selectivity_mean": "selectivity", "gain_mean": "gain",
           "gain_rectified_mean": "gain_rectified"}  # fmt: skip
    for layer in LAYERS:
        units, at = units_of(record, layer), found.sel(layer=layer)
        mean = {}
        for name, of in one.items():
            values = found[of].values[-1, units]
            mean[name] = twin.mean_of_units(values.tolist(), np.ones(len(units)))
            assert_allclose(at[name].values[-1], mean[name], rtol=1e-6)
        share = mean["inherited_mean"] / mean["selectivity_mean"]
        assert_allclose(at["inherited_share"].values[-1], share, rtol=1e-6)
        if float(at["gain_mean_low"][-1]) > 0:
            rectified = mean["gain_rectified_mean"] / mean["gain_mean"]
            assert_allclose(at["rectified_share"].values[-1], rectified, rtol=1e-6)
        else:
            assert np.isnan(at["rectified_share"][-1])


def test_intervals_of_means_are_those_of_units_drawn_again(record, found):
    """As wide as the standard error over units, since draws are of units with replacement."""
    for layer in DOWN:
        gain = found["gain"].values[-1, units_of(record, layer)]
        error = gain.std() / np.sqrt(len(gain))
        at = found.sel(layer=layer).isel(step=-1)
        width = float(at["gain_mean_high"] - at["gain_mean_low"])
        # 100 draws give ends of the middle 95 % within about a fifth
        assert_allclose(width, 2 * 1.96 * error, rtol=0.35)


def test_the_share_of_all_layers_that_construct_is_that_of_their_units_together(record, found):
    assert found["constructs"].sel(layer=list(DOWN)).all()
    assert int(found["constructs"].sum()) == len(DOWN)
    units = np.concatenate([units_of(record, name) for name in DOWN])
    part, whole = (found[name].values[-1, units].mean() for name in ("gain_rectified", "gain"))
    at = found.isel(step=-1)
    assert_allclose(at["rectified_share_constructed"], part / whole, rtol=1e-6)
    assert at["rectified_share_constructed_low"] < part / whole
    assert at["rectified_share_constructed_high"] > part / whole


def test_onsets_go_down_with_intervals_about_them(found):
    inner = found.sel(layer=list(DOWN))
    assert (inner["layer_construction_confidence_after"] <= inner["layer_construction_after"]).all()
    assert (inner["layer_construction_confidence_by"] >= inner["layer_construction_by"]).all()
    by = inner["layer_construction_by"].values
    assert_allclose(found["construction_order"], twin.rank_order(range(len(by)), by.tolist()))
    assert found["construction_order"] < -0.9
    assert found["construction_order_low"] <= found["construction_order"]
    assert found["construction_order_high"] >= found["construction_order"]
    # of 120 orders of five layers 1 in 20 or fewer has a larger rank correlation than .8
    assert found["construction_order_bound"] == pytest.approx(0.8)


def test_of_few_layers_there_is_no_order(record):
    few = with_recombinations(rises={"conv1": 3}, layers={"conv1": 8, "fc1": 8}, steps=STEPS)
    found = construction_gain(few, chance=FEW)
    assert np.isnan(found["construction_order"]) and "missing" in found["construction_order"].attrs
    two = construction_gain(record.isel(step=[0, 8]), chance=FEW)
    assert np.isnan(two["layer_construction_confidence_by"]).all()
    assert not two["constructs"].any()


def test_what_a_unit_was_before_it_combines_equals_the_twin(record, found):
    kinds = np.random.default_rng(0).integers(-1, 3, (record.sizes["step"], 60))
    kinds[-2:, :40] = 2
    for made, given in ((found["selected_before"].values, found["kind"].values),
                        (selected_before(Recombined(record), kinds), kinds)):  # fmt: skip
        desired = [twin.selected_before(given[:, unit].tolist()) for unit in range(given.shape[1])]
        assert_allclose(made, desired)
    assert set(np.unique(desired)[:2]) == {0, 1}


def test_rises_of_building_have_both_errors_and_are_corrected(record):
    found = building_on(record)
    n = int(np.isfinite(found["building_rise"].values[-1]).sum())
    for layer in ("conv2", "conv4"):
        units = units_of(record, layer)
        since = found["building"].values[-1, units, 0] - found["building"].values[0, units, 0]
        left_out = record["building_left_out"].values[:, units, 0]
        folds = (left_out[-1] - left_out[0]).mean(axis=0)
        errors = twin.jackknife_error(folds.tolist()), since.std(ddof=1) / np.sqrt(len(units))
        low = since.mean() - Z[n] * np.hypot(*errors)
        at = found.sel(layer=layer, depth=1).isel(step=-1)
        assert_allclose(at["building_rise"], since.mean(), rtol=1e-5, atol=1e-7)
        assert_allclose(at["building_rise_low_together"], low, atol=2e-5)  # float32
    surely = found["building_rise_low_together"].isel(step=-1) > 0
    assert set(surely["layer"].values[surely.any("depth")]) == {"conv4"}


Z = {16: 2.734369}
"""Quantile 1 - .05 / 16 of the normal distribution: eight layers, two depths."""
