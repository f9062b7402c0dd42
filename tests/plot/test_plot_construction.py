import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle
from numpy.testing import assert_allclose

from gain_records import with_recombinations
from ontogeny.errors import InputError
from ontogeny.measure import Chance, gains
from ontogeny.plot import building, constructed, detector_family, gain_parts

RISES = {"conv2": 3}
STEPS = (0, 1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def data():
    layers = {"conv1": 8, "conv2": 24, "fc1": 8}
    record = with_recombinations(rises=RISES, layers=layers, steps=STEPS, builds=("conv2",))
    return gains(record, chance=Chance(n_shuffles=59, n_resamples=40))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_shares_are_drawn_by_layer_and_what_is_beyond_chance_is_framed(data):
    ax = constructed(data)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["conv1", "conv2", "fc1"]
    share = data["constructed_share"].sel(layer=["conv1", "conv2", "fc1"])
    assert_allclose(ax.collections[0].get_array().reshape(3, 6), share.transpose("layer", "step"))
    frames = {tuple(np.round(p.get_xy() + np.array([p.get_width(), p.get_height()]) / 2, 6))
              for p in ax.patches if isinstance(p, Rectangle)}  # fmt: skip
    assert frames == {(k, 1.0) for k in range(3, 6)}


def test_cells_at_chance_are_pale_and_others_are_not(data):
    ax = constructed(data)
    mesh = ax.collections[0]
    pale = mesh.cmap(mesh.norm(0.04))
    assert min(pale[:3]) > 0.9 and min(mesh.cmap(mesh.norm(0.6))[:3]) < 0.5
    assert mesh.cmap(mesh.norm(0.0)) == pale


def test_parts_of_the_gain_are_stacked_up_to_the_selectivity(data):
    ax = gain_parts(data, 16)
    at = data.sel(step=16, layer=["conv1", "conv2", "fc1"])
    heights = np.array([bar.get_height() for bar in ax.patches]).reshape(3, 3)
    assert_allclose(heights[0], at["inherited_mean"])
    assert_allclose(heights.sum(axis=0), at["selectivity_mean"])
    assert_allclose(heights[2], at["gain_rectified_mean"], atol=1e-9)
    with pytest.raises(InputError, match="expected one of the steps 0, 1"):
        gain_parts(data, 3)


def test_building_is_drawn_with_its_intervals_and_filled_where_it_rose(data):
    ax = building(data, depth=1)
    names = [t.get_text() for t in ax.get_xticklabels()]
    known = data["building_mean"].sel(depth=1, layer=names).dropna("step", how="all")
    assert ax.texts[-1].get_text() == f"step {int(known['step'][-1])}"
    filled = [tuple(np.round(line.get_xdata()).astype(int)) for line in ax.lines
              if line.get_marker() == "o" and not isinstance(line.get_markerfacecolor(), str)
              ]  # fmt: skip
    assert filled[-1] == (names.index("conv2"),)


def test_a_family_has_a_row_per_unit_and_a_column_per_feature(data):
    ax = detector_family(data, "conv2:3", ["conv1:1", "conv1:4"])
    assert ax.images[0].get_array().shape == (3, data.sizes["feature"])
    with pytest.raises(InputError, match="got conv9:1"):
        detector_family(data, "conv9:1", [])


def test_without_recombinations_nothing_is_drawn(data):
    empty = data.assign(constructed_share=data["constructed_share"] * np.nan)
    with pytest.raises(InputError, match="observe the run again"):
        constructed(empty)
