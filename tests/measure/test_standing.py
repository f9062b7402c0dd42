"""What of the coupling graph stands beyond chance, with its interval and bound."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from graph_records import quiet_record
from ontogeny.measure import Chance, graphs
from ontogeny.measure.couplings.carrying import FALSE, N_DRAWS, carrying
from ontogeny.measure.couplings.sharing import sharing_beyond
from ontogeny.measure.couplings.standing import bursts, couplings_beyond, grouping
from ontogeny.stats.finds import dealt_counts
from oracles import ancestry as naive
from records import STEPS, make_record

N = len(STEPS)
FEW = Chance(n_shuffles=59, n_resamples=20)


@pytest.fixture(scope="module")
def data():
    return graphs(quiet_record(), chance=FEW)


def test_every_quantity_says_what_it_is_and_what_it_is_held_against(data):
    names = ["beyond", "burst_step", "grouping_by", "sharing_bound", "turn", "carried_q", "carrier",
             "carrying_several_bound"]  # fmt: skip
    for name in names:
        assert data[name].attrs["long_name"] and data[name].attrs["units"], name
        assert data[name].attrs["null"], name
    for name in data.data_vars:
        if data[name].dtype.kind == "f" and "missing" in data[name].attrs:
            assert data[name].attrs["missing"].startswith("NaN: ")
    assert data.attrs["hold"] == 3


def test_couplings_beyond_their_bound_are_counted_one_by_one():
    record = quiet_record()
    record["coupling"].values[-1, ::7] = 0.9
    at = record.isel(step=-1)
    bound = dict(zip(record["unit"].values.tolist(),
                     at["coupling_null"].sel(level=0.99).values.tolist(), strict=True))  # fmt: skip
    beyond = count = 0
    for source, target, value in zip(record["source"].values.tolist(),
                                     record["target"].values.tolist(),
                                     at["coupling"].values.tolist(), strict=True):  # fmt: skip
        if source.startswith(("conv", "fc")) and target.startswith(("conv", "fc")):
            count += 1
            beyond += abs(value) > bound[target]
    found = couplings_beyond(record, FEW)
    assert float(found["beyond"]) == pytest.approx(beyond / count)
    assert float(found["beyond_low"]) < beyond / count < float(found["beyond_high"])
    assert float(found["beyond_chance"]) == pytest.approx(0.01)


def test_without_couplings_between_hidden_layers_there_is_no_share():
    found = couplings_beyond(quiet_record(layers={"fc1": 8}), FEW)
    assert np.isnan(found["beyond"]) and np.isnan(found["beyond_low"])


def lives(counts, bound):
    record = make_record()
    births = np.zeros((N, 4))
    births[:, 1] = counts
    unit = np.zeros((N, record.sizes["unit"]))
    unit[:, 6:14] = np.array(counts)[:, None] * np.arange(8) / 28
    return record, xr.Dataset(
        {"edge_births": (("step", "layer"), births), "unit_births": (("step", "unit"), unit),
         "burst_bound": ("layer", np.full(4, bound))},
        {"step": list(STEPS), "layer": ["conv1", "conv2", "fc1", "logits"]}, {"hold": 3},
    )  # fmt: skip


def test_the_largest_burst_is_dated_and_has_the_interval_of_its_targets():
    counts = [99, 5, 5, 45, 5, 60, 5, 5, 5, 5, 99, 99]
    found = bursts(*lives(counts, 40.0), FEW).sel(layer="conv2")
    assert float(found["burst_step"]) == STEPS[5]
    assert 0 < float(found["burst_low"]) < 60 < float(found["burst_high"])
    assert np.isnan(bursts(*lives(counts, 61.0), FEW)["burst_step"]).all()
    assert np.isnan(bursts(*lives(counts, np.nan), FEW)["burst_step"]).all()


def test_grouping_is_dated_on_either_side_of_its_null():
    rng = np.random.default_rng(0)
    null = 0.4 + 0.01 * rng.standard_normal((N, 19))
    quality = np.array([0.4] * 6 + [0.5] * 6)
    for sign, side in ((1, "above"), (-1, "below")):
        data = xr.Dataset(
            {"quality": ("quality_step", sign * quality),
             "quality_null": (("quality_step", "shuffle"), sign * null)},
            {"quality_step": list(STEPS)},
        )  # fmt: skip
        found = grouping(data)
        at, other = found.sel(side=side), found.drop_sel(side=side).squeeze("side")
        assert (float(at["grouping_after"]), float(at["grouping_by"])) == (STEPS[5], STEPS[6])
        assert np.isinf(other["grouping_by"])
        assert float(at["grouping"]) == pytest.approx(0.5 - null[-1].mean())
        assert float(at["grouping_low"]) == pytest.approx(0.5 - null[-1].max())
        assert float(at["grouping_high"]) == pytest.approx(0.5 - null[-1].min())
        assert float(at["grouping_bound"]) == pytest.approx(null[-1].max() - null[-1].mean())


def test_sharing_has_a_bound_that_is_wider_the_more_layers_there_are():
    def of(n_layers, n_steps=N):
        value = np.full((n_steps, n_layers), 0.5)
        value[4:7, 0] = 0.9
        return sharing_beyond(xr.Dataset(
            {"layer_sharing": (("step", "layer"), value),
             "sharing_low": (("step", "layer"), np.full(value.shape, 0.4)),
             "sharing_high": (("step", "layer"), np.full(value.shape, 0.6))},
            {"step": list(STEPS[:n_steps]), "layer": [f"conv{k}" for k in range(n_layers)]},
        ))  # fmt: skip

    few, many = of(2), of(9)
    assert_allclose(few["sharing_chance"], 0.5)
    assert 0.1 < few["sharing_bound"].values[0, 0] < many["sharing_bound"].values[0, 0]
    first = few.isel(layer=0)
    assert (int(first["turn_step"]), int(first["turn_sign"])) == (STEPS[4], 1)
    assert float(first["turn"]) == pytest.approx(0.4)
    assert float(first["turn_bound"]) < float(many.isel(layer=0)["turn_bound"])
    assert np.isnan(of(2, n_steps=8)["turn"]).all()


def test_units_that_carry_are_the_finds_of_each_layer_alone(data):
    flow = data["flow"].astype(np.float64)
    for layer in ("conv1", "fc1"):
        own = data["node_layer"].values == layer
        for step in STEPS[-3:]:
            now, before = (flow.sel(step=k).isel(node=own).values for k in (step, 0))
            q = data["carried_q"].sel(late_step=step).isel(node=own).values
            expected = naive.chance_finds(now.ravel(), before.ravel())
            assert_allclose(q.ravel(), expected, rtol=1e-10)
    assert data["late_step"].values.tolist() == list(STEPS[-3:])
    assert np.isnan(data["carried_q"].values[:, data["node_layer"].values == "pixels"]).all()


def planted(steps=STEPS):
    """Flow alike at all steps, but for units that carry token a, fc2:40 and fc3:65 most of all."""
    rng, layers = np.random.default_rng(0), ["fc1", "fc2", "fc3", "logits"]
    of_node = np.repeat(layers, [30, 30, 10, 2])
    flow = np.tile(rng.exponential(0.01, (72, 2)), (len(steps), 1, 1))
    flow[:, of_node == "fc3"] *= 10
    largest = [flow[0, of_node == name].max() for name in layers]
    flow[3:, :12, 0], flow[3:, 30:42, 0], flow[3:, 60:70, 0] = 0.9, 2 * largest[1], 2 * largest[2]
    flow[3:, 40, 0], flow[3:, 65, 0] = 8 * largest[1], 4 * largest[2]
    return xr.Dataset(
        {"flow": (("step", "node", "token"), flow)},
        {"step": list(steps), "node": [f"{name}:{k}" for k, name in enumerate(of_node)],
         "token": ["a", "b"], "layer": layers, "node_layer": ("node", of_node)},
    )  # fmt: skip


def test_the_carrier_of_a_token_is_the_strongest_of_the_upper_layers():
    nodes = planted()
    found = carrying(nodes, FEW)
    assert found["carrier"].values.tolist() == [40, -1]
    assert float(found["carrier_flow"][0]) == pytest.approx(float(nodes["flow"][-1, 40, 0]))
    assert np.isnan(found["carrier_flow"][1])
    finds = (found["carried_q"] <= FALSE).values
    for k, name in enumerate(("fc1", "fc2", "fc3")):
        mine = finds[:, nodes["node_layer"].values == name].sum(axis=2)
        assert found["carrying_one"].values[:, k].tolist() == (mine == 1).sum(axis=1).tolist()
        assert found["carrying_several"].values[:, k].tolist() == (mine > 1).sum(axis=1).tolist()


def test_a_unit_that_stops_carrying_is_no_carrier():
    nodes = planted()
    nodes["flow"].values[-2, 40] = nodes["flow"].values[0, 40]
    assert carrying(nodes, FEW)["carrier"].values.tolist() == [65, -1]


@pytest.mark.parametrize("steps", [[5, 6, 8, 9, 10], [0]])
def test_without_a_network_before_training_it_is_not_known_who_carries(steps):
    found = carrying(planted(steps), FEW)
    assert np.isnan(found["carried_q"]).all() and np.isnan(found["carrying_one"]).all()
    assert (found["carrier"] == -1).all()


def test_the_bound_of_shared_units_is_corrected_over_layers_and_kinds():
    nodes = planted()
    nodes["flow"].values[3:, :16, 1] = 0.9
    found = carrying(nodes, FEW)
    finds = (found["carried_q"].values[-1] <= FALSE)[nodes["node_layer"].values == "fc1"]
    drawn = dealt_counts(finds, n_draws=N_DRAWS, rng=np.random.default_rng(FEW.seed))
    for name, counts in zip(("several", "one"), drawn, strict=True):
        at = found[f"carrying_{name}_bound"].sel(layer="fc1")
        assert float(at) == np.quantile(counts, 1 - 0.05 / 8)


def test_owners_drawn_at_random_set_the_bound_of_shared_units():
    nodes = planted()
    nodes["flow"].values[3:, :12] = 0.9
    found = carrying(nodes, FEW).sel(layer="fc1")
    assert int(found["carrying_several"][-1]) == 12 > float(found["carrying_several_bound"])
    assert float(found["carrying_several_chance"]) == pytest.approx(12 * 12 / 30, abs=0.1)
    assert float(found["carrying_one_chance"]) == pytest.approx(24 * 18 / 30, abs=0.2)
