import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

from graph_records import edge_index, quiet_record
from ontogeny.measure import Chance
from ontogeny.measure.couplings.over_steps import graphs
from ontogeny.measure.couplings.strongest import strongest_couplings
from ontogeny.plot.assemblies import assembly_quality, assembly_raster, edge_births, token_sharing
from ontogeny.plot.couplings import coupling_graphs


@pytest.fixture(scope="module")
def measured():
    record = quiet_record()
    for j in range(8):
        for i in range(4):
            edge = edge_index(record, f"conv2:{(j + i) % 8}", f"fc1:{j}")
            record["coupling"].values[5:, edge] = 0.9
    return record, graphs(record, chance=Chance(n_shuffles=99, n_resamples=20))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_births_are_drawn_layer_by_layer_and_a_burst_is_dark(measured):
    _, data = measured
    ax = edge_births(data)
    assert [t.get_text() for t in ax.get_yticklabels()] == data["layer"].values.tolist()
    tall = [bar for bar in ax.patches if bar.get_height() > 0]
    assert len(tall) == 1
    assert_allclose(tall[0].get_facecolor()[:3], np.array([0xD5, 0x5E, 0x00]) / 255)
    assert "32 born" in ax.texts[2].get_text()


def test_the_raster_has_a_row_per_unit_in_one_colour_per_name(measured):
    record, data = measured
    ax = assembly_raster(data, layer=record["layer"].values)
    image = ax.images[0].get_array()
    assert image.shape[:2] == (record.sizes["unit"], record.sizes["step"])
    n_colours = len(np.unique(np.asarray(image).reshape(-1, 3), axis=0))
    assert n_colours == len(np.unique(data["assembly"]))


def test_quality_and_sharing_are_drawn_with_their_nulls(measured):
    _, data = measured
    ax = assembly_quality(data)
    assert_allclose(ax.lines[0].get_ydata(), data["quality_excess"])
    ax = token_sharing(data)
    assert ax.images[0].get_array().shape == (3, data.sizes["step"])


def test_a_unit_keeps_its_place_over_steps():
    record = quiet_record()
    found = [strongest_couplings(record, step=step, units=3, edges=6) for step in (0, 8, 42)]
    axes = coupling_graphs(found, tokens=record["token"].values.tolist())
    assert [ax.get_title(loc="left") for ax in axes] == ["step 0", "step 8", "step 42"]
    places = {}
    for ax, graph in zip(axes, found, strict=True):
        discs = [tuple(c.get_offsets()[0]) for c in ax.collections]
        for name, place in zip(graph["node"].values.tolist(), discs, strict=True):
            assert places.setdefault(name, place) == place
