import numpy as np
import pytest
from numpy.testing import assert_array_equal

from graph_records import grouped
from ontogeny.errors import InputError
from ontogeny.measure.couplings.wiring import null_bound, per_edge, wiring_of
from records import make_record


@pytest.mark.parametrize("record", [make_record(), grouped()], ids=["full", "grouped"])
def test_matrices_hold_the_values_of_edges_by_name_and_give_them_back(record):
    wiring, values = wiring_of(record), np.arange(2.0 * record.sizes["edge"]).reshape(2, -1)
    names = [*zip(record["source"].values, record["target"].values, strict=True)]
    ends = wiring.nodes[wiring.source], wiring.nodes[wiring.target]
    assert [*zip(*ends, strict=True)] == names
    place = {pair: k for k, pair in enumerate(names)}
    for block, edges in enumerate(wiring.blocks):
        table = wiring.matrix(values, block)
        for j, target in enumerate(wiring.nodes[wiring.members(block + 1)].tolist()):
            for i, source in enumerate(wiring.nodes[wiring.members(block)].tolist()):
                edge = place.get((source, target))
                expected = [np.nan, np.nan] if edge is None else values[:, edge]
                assert_array_equal(table[:, j, i], expected)
        assert_array_equal(wiring.flat(table[1], block), values[1, edges])


def test_nodes_are_the_channels_of_the_image_by_number_and_then_the_units():
    record = make_record()
    wiring = wiring_of(record)
    assert wiring.layers == ("pixels", "conv1", "conv2", "fc1", "logits")
    assert wiring.nodes.tolist() == ["pixels:0", "pixels:1", "pixels:2", *record["unit"].values]


def renamed(record, name, old, new):
    """Give all ends of edges of one name another one."""
    ends = record[name].values
    return record.assign_coords({name: ("edge", np.where(ends == old, new, ends))})


@pytest.mark.parametrize("broken", [
    lambda record: record.isel(edge=slice(None, None, -1)),
    lambda record: record.isel(edge=np.roll(np.arange(record.sizes["edge"]), 1)),
    lambda record: record.isel(edge=np.r_[1, 0, 2 : record.sizes["edge"]]),  # sources of a target
    lambda record: record.isel(edge=[]),
    lambda record: record.isel(edge=~np.char.startswith(record["target"].values, "conv2")),
    lambda record: record.isel(edge=~np.char.startswith(record["target"].values, "conv1")),
    lambda record: renamed(record, "source", "conv1:2", "fc1:1"),
    lambda record: renamed(record, "source", "conv1:2", "nowhere:0"),
    lambda record: renamed(record, "source", "pixels:1", "other:1"),
    lambda record: renamed(record, "target", "fc1:2", "nowhere:0"),
])  # fmt: skip
def test_edges_that_are_no_chain_in_order_are_refused(broken):
    with pytest.raises(InputError, match="expected edges by target and source"):
        wiring_of(broken(make_record()))


def test_each_edge_has_the_null_of_its_target():
    record = make_record()
    shape = record["coupling_null"].shape
    record["coupling_null"][:] = np.arange(np.prod(shape)).reshape(shape)
    bound = null_bound(record, "coupling_null", 0.999)
    found = per_edge(bound[4], wiring_of(record))
    units = record["unit"].values.tolist()
    for target, value in zip(record["target"].values, found, strict=True):
        assert value == record["coupling_null"].values[4, units.index(target), 2]
    with pytest.raises(InputError, match=r"a level of 0\.95, 0\.99, 0\.999, got 0\.5"):
        null_bound(record, "coupling_null", 0.5)
