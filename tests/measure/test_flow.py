import numpy as np
import pytest
from numpy.testing import assert_allclose

from graph_records import grouped
from ontogeny.measure import construction, strongest_couplings
from ontogeny.measure.couplings.export import graph
from ontogeny.measure.couplings.flow import token_flow
from ontogeny.measure.couplings.wiring import wiring_of
from oracles import ancestry as naive
from records import make_record


def silenced(record):
    """Return the record with a unit in which nothing distinguishes any token."""
    record["coupling_contrast"][:, record["target"].values == "fc1:3"] = np.nan
    return record


RECORDS = [silenced(make_record(seed=7)), grouped()]


@pytest.mark.parametrize("record", RECORDS, ids=["full", "grouped"])
def test_flow_is_that_along_every_edge_whatever_the_scale_of_shares(record):
    wiring, contrast = wiring_of(record), record["coupling_contrast"].sel(step=42).values
    flow, net = token_flow(contrast, wiring)
    known = record.isel(edge=np.isfinite(contrast[:, 0]))
    for token in range(3):
        expected = naive.served(known, 42, token)
        rows = [expected.get(name, (0.0, 0.0)) for name in wiring.nodes.tolist()]
        assert_allclose(np.stack([flow, net], axis=-1)[:, token], rows, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("record", RECORDS, ids=["full", "grouped"])
def test_trees_graphs_and_pictures_show_the_same_flow_of_a_token(record):
    tree = construction(record, "bo", breadth=99)
    whole = graph(record)["flow"].sel(token="bo")
    drawn = strongest_couplings(record, token="bo", units=99)
    nodes = tree["node"].values
    assert set(nodes) == set(drawn["node"].values) == set(whole["node"].values[whole.values > 0])
    for other in (tree["serves"].sel(token="bo"), whole.sel(node=nodes), drawn["flow"]):
        assert_allclose(other.sel(node=nodes), tree["flow"], rtol=1e-10)
