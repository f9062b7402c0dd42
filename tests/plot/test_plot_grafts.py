"""Maps of grafts and lines of readiness show the numbers that they are given."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from ontogeny.construction.readiness import Shown, described, labelled
from ontogeny.errors import InputError
from ontogeny.plot import graft_map, readiness

STEPS = np.array([0, 3, 30, 300])


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def grafts():
    """Two cuts of four steps: the upper one is ready from step 30 on, the lower one at once."""
    shown = Shown(np.arange(40) % 2, np.arange(40), ("ada", "bo"))
    right = np.ones((2, 4, 4, 40), bool)
    right[1, :2, :, : 3 * 40 // 4] = False
    return labelled(described(right, STEPS, shown), ["conv1", "conv2"], STEPS, shown)


def test_a_map_has_the_lower_layers_on_its_y_axis_and_greys_what_is_at_chance():
    ax = graft_map(grafts(), "conv2")
    [mesh] = ax.collections
    shown = np.ma.filled(mesh.get_array().reshape(4, 4), np.nan)
    assert np.isnan(shown[:2]).all()  # .25 of two tokens
    assert (shown[2:] == 1).all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "3", "30", "300"]
    dots, ready = ax.lines
    assert dots.get_xdata().tolist() == dots.get_ydata().tolist()
    edge = ready.get_ydata()
    assert np.isnan(edge[:4]).all()  # the networks of steps 0 and 3 are at chance
    assert edge[4:].tolist() == [1.5] * 4  # below the cell of step 30
    assert ready.get_xdata()[4:].tolist() == [1.5, 2.5, 2.5, 3.5]


def test_a_cut_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"\(conv1, conv2\), got conv9"):
        graft_map(grafts(), "conv9")


def test_lines_of_readiness_are_those_of_the_cuts():
    data = grafts()
    ax = readiness(data)
    _, first, second = ax.lines
    assert (first.get_ydata() == 0).all()
    np.testing.assert_array_equal(second.get_ydata(), [np.nan, np.nan, 30, 30])
    assert {text.get_text() for text in ax.texts} == {"conv1", "conv2"}
    assert len(readiness(data, cuts=["conv2"]).lines) == 2
    alone = readiness(data, plt.figure().add_subplot(), cuts=["conv1"])
    np.testing.assert_allclose(alone.lines[1].get_xdata(), STEPS)
