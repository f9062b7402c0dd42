import builtins

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pyarrow import parquet

from graph_records import edge_index, quiet_record, without_nulls
from ontogeny.errors import InputError
from ontogeny.measure.couplings.export import graph, to_networkx, write_graphml, write_parquet
from oracles import graph as oracles


def test_edges_and_nodes_carry_what_the_record_holds():
    record = quiet_record()
    edge = edge_index(record, "conv1:2", "conv2:5")
    record["coupling"].values[-1, edge] = -0.9
    found = graph(record)
    assert found.attrs["step"] == 42
    without = graph(record.drop_vars("edge_attribution", errors="ignore"))
    assert without.attrs["missing"] == "edge_attribution"
    assert_array_equal(found["beyond_null"], np.abs(record["coupling"].values[-1]) > 0.5)
    assert found["reuse"].sel(node="conv1:2") == 1
    assert found["source"].values[edge] == "conv1:2"
    assert found["node"].values[:4].tolist() == ["pixels:0", "pixels:1", "pixels:2", "conv1:0"]
    assert np.isnan(found["variance"].sel(node="pixels:0"))
    assert np.isnan(found["out_strength"].sel(node="logits:0"))
    assert not found["alive"].sel(node="pixels:0")
    assert found["alive"].sel(node="conv1:0")


def test_concentration_is_that_of_the_rows():
    record = quiet_record()
    found = graph(record, 8)
    weight = record["coupling"].sel(step=8).values.astype(float)
    names = found["node"].values.tolist()
    target = [names.index(t) for t in record["target"].values]
    expected = oracles.concentration(weight, target, len(names))
    assert_allclose(found["in_concentration"], expected, rtol=1e-10)


def test_a_token_of_its_own_is_private_and_a_common_unit_shared():
    record = quiet_record()
    contrast = record["coupling_contrast"].values
    contrast[:] = 0
    for k in range(3):
        contrast[:, edge_index(record, f"fc1:{k}", f"logits:{k}"), k] = 1
        contrast[:, edge_index(record, "conv2:4", f"fc1:{k}"), k] = 1
    found = graph(record)
    assert_allclose(found["sharing"].sel(node=["fc1:0", "conv2:4"]), [0, 1], atol=1e-12)
    assert_allclose(found["flow"].sel(node="conv2:4"), [1, 1, 1])
    assert np.isnan(found["sharing"].sel(node="conv2:0"))


def test_units_choose_their_edges_and_unknown_names_list_what_exists():
    record = quiet_record()
    found = graph(record, units=["conv2:5"])
    assert found.sizes["edge"] == 6 + 8
    assert found.sizes["node"] == 6 + 1 + 8
    with pytest.raises(InputError, match=r"conv1:0 \.\.\. conv1:5, .*got conv9:1.*close: conv"):
        graph(record, units=["conv9:1"])
    with pytest.raises(InputError, match="a recorded step, got 7: the nearest are 4, 6, 8"):
        graph(record, 7)


def test_a_record_without_nulls_says_what_is_missing():
    found = graph(without_nulls())
    assert "beyond_null" not in found
    assert "reuse" not in found
    assert "beyond_null, contrast_beyond_null" in found.attrs["missing"]


def test_networkx_and_graphml_have_the_same_edges(tmp_path):
    found = graph(quiet_record(), units=["conv2:5", "logits:1"])
    whole = to_networkx(found)
    assert whole.number_of_edges() == found.sizes["edge"]
    edge = whole.edges["conv1:2", "conv2:5"]
    at = edge_index(found, "conv1:2", "conv2:5")
    assert edge["coupling"] == float(found["coupling"][at])
    assert edge["coupling_contrast bo"] == float(found["coupling_contrast"].sel(token="bo")[at])
    assert "out_strength" not in whole.nodes["logits:1"]
    again = nx.read_graphml(write_graphml(found, tmp_path / "g.graphml"))
    assert set(again.edges) == set(whole.edges)
    assert_allclose(again.edges["conv1:2", "conv2:5"]["coupling"], edge["coupling"])


def test_parquet_tables_have_the_same_values(tmp_path):
    found = graph(quiet_record())
    nodes, edges = write_parquet(found, tmp_path / "tables")
    table = parquet.read_table(edges)
    assert_allclose(table["coupling"].to_numpy(), found["coupling"])
    assert table["target"].to_pylist() == found["target"].values.tolist()
    assert table.schema.metadata[b"step"] == b"42"
    assert parquet.read_table(nodes)["node"].to_pylist() == found["node"].values.tolist()


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r'pip install "ontogeny\[table\]"'):
        write_parquet(graph(quiet_record()), tmp_path)
