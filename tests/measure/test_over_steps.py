import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from graph_records import edge_index, quiet_record, without_nulls
from ontogeny.datasets import stored_dataset
from ontogeny.errors import InputError
from ontogeny.measure import Chance, measure_run
from ontogeny.measure.couplings.export import graph
from ontogeny.measure.couplings.over_steps import graph_nodes, graphs
from records import make_run

CHANCE = Chance(n_shuffles=99, n_resamples=20)


def test_nodes_over_steps_are_those_of_each_graph():
    record = quiet_record()
    record["coupling"].values[3:, edge_index(record, "conv1:2", "conv2:5")] = 0.9
    found, one = graph_nodes(record, everything=True), graph(record, 8)
    for name in ("in_concentration", "out_strength", "reuse", "sharing", "flow"):
        assert_allclose(found[name].sel(step=8), one[name], rtol=1e-5)  # kept in single precision


def test_a_hub_and_its_reuse_stand_out():
    record = quiet_record(layers={"conv1": 20, "conv2": 30, "fc1": 8})
    source = record["source"].values == "conv1:7"
    record["coupling"].values[:, source] = 0.9
    found = graph_nodes(record, everything=True)
    assert found["is_hub"].sel(node="conv1:7").all()
    assert (found["hubs"].sel(layer="conv1") == 1).all()
    assert (found["reuse"].sel(node="conv1:7") == 30).all()
    assert (found["layer_reuse"].sel(layer="conv1") == 30).all()
    assert (found["reuse_chance"].sel(layer="conv1") < 3).all()
    assert np.isnan(found["layer_reuse"].sel(layer="logits")).all()


def test_all_measures_come_together_and_tell_where_they_are():
    said = []
    found = graphs(quiet_record(), chance=CHANCE, progress=lambda what, *_: said.append(what))
    assert {"flow", "edge_births", "assembly"} <= set(found.data_vars)
    assert list(dict.fromkeys(said)) == ["nodes", "births and deaths of edges", "assemblies"]
    assert all(v.attrs.get("long_name") for v in found.data_vars.values())


def test_a_run_keeps_its_graph(tmp_path):
    run = make_run(tmp_path / "run", quiet_record())
    said = []
    found = measure_run(run, "graph", chance=CHANCE, progress=lambda what, *_: said.append(what))
    assert said[0] == "graph: none yet"
    again = measure_run(run, "graph", chance=CHANCE, progress=lambda what, *_: said.append(what))
    assert said[-1] == "graph: fresh"
    for name in ("edge_births", "flow", "assembly", "born_by"):
        assert_allclose(again[name], found[name])
    assert isinstance(stored_dataset(run.path / "graph.zarr"), xr.Dataset)


def test_a_record_without_nulls_is_refused(tmp_path):
    with pytest.raises(InputError, match="a record with coupling_null"):
        measure_run(make_run(tmp_path / "run", without_nulls()), "graph", chance=CHANCE)
