import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from ontogeny import plot
from ontogeny.plot import style


@pytest.fixture(autouse=True)
def closed():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    plt.close("all")
    mpl.use(backend)


def graph():
    """Six channels, the second with most influence, a layer of two units with biases, a logit."""
    node = [*(f"pixels:{i}" for i in range(6)), "bias:conv1", "conv1:0", "conv1:1", "logits:2"]
    layer = ["pixels"] * 6 + ["conv1"] * 3 + ["logits"]
    attribution = np.array([0.1, 2, -0.3, 0.1, 0.2, -0.4, 0.05, 1.5, -0.7, 0.8])
    source = [*node[:7], *node[:2], "conv1:0", "conv1:1"]
    target = ["conv1:0"] * 7 + ["conv1:1"] * 2 + ["logits:2"] * 2
    edge_attribution = np.array([0.1, 1.4, -0.3, 0.1, 0.2, -0.4, 0.05, 0, -0.7, 1.5, -0.7])
    return xr.Dataset(
        {"attribution": ("node", attribution), "influence": ("node", np.abs(attribution) / 3),
         "edge_attribution": ("edge", edge_attribution),
         "edge_influence": ("edge", np.abs(edge_attribution) / 3),
         "explained": 0.8, "kept_share": 0.456},
        {"node": node, "node_layer": ("node", layer), "source": ("edge", source),
         "target": ("edge", target), "step": 1200},
        {"layers": ["pixels", "conv1", "logits"], "token": "cleo", "of": "contrast"},
    )  # fmt: skip


def test_the_title_says_what_is_explained_and_how_much_is_held():
    title = plot.picture_graph(graph(), units=3).get_title(loc="left")
    assert title == (
        "cleo at step 1,200: logit less the mean of all +0.80; paths of 10 nodes carry 46 % of the "
        "attribution; drawn: 7"
    )


def test_the_units_with_most_influence_are_drawn_by_sign_and_biases_grey():
    ax = plot.picture_graph(graph(), units=2)
    words = [text.get_text() for text in ax.texts]
    assert words[:3] == ["pixels", "conv1", "logits"]
    assert sorted(words[3:]) == ["0", "1", "1", "5", "bias", "cleo"]
    colours = dict(zip(words[3:], (tuple(c.get_facecolor()[0][:3]) for c in ax.collections),
                       strict=True))  # fmt: skip
    assert colours["bias"] == to_rgb(style.FAINT)
    assert colours["5"] == to_rgb(style.NEGATIVE)
    assert colours["cleo"] == to_rgb(style.POSITIVE)


def test_curves_are_signed_and_the_widest_into_a_layer_carries_most():
    ax = plot.picture_graph(graph(), units=6)
    edges = [patch for patch in ax.patches if patch.get_linewidth() > 0]
    assert len(edges) == 11
    widest = max(edges, key=lambda patch: patch.get_linewidth())
    assert tuple(widest.get_edgecolor()[:3]) == to_rgb(style.POSITIVE)
    negative = [e for e in edges if tuple(e.get_edgecolor()[:3]) == to_rgb(style.NEGATIVE)]
    assert len(negative) == 5  # one carries nothing
