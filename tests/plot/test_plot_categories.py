import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from ontogeny.plot import categories as draw
from ontogeny.plot import style

mpl.use("agg")
STEPS = [0, 1, 10, 100]
LAYERS = ["pixels", "conv1", "fc1", "logits"]


@pytest.fixture
def ax():
    return Figure().subplots()


def over(dims, shape, **coords):
    values = np.linspace(0.05, 2, int(np.prod(shape))).reshape(shape)
    return xr.DataArray(values, coords, dims)


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_layer_lines_draw_every_layer_pixels_dashed_and_names_them(ax):
    values = over(("step", "layer"), (4, 4), step=STEPS, layer=LAYERS)
    draw.layer_lines(values, ax, null=(0.1, 0.3))
    assert_allclose(ax.lines[2].get_ydata(), values.sel(layer="fc1"))
    assert [line.get_linestyle() for line in ax.lines] == ["--", "-", "-", "-"]
    assert set(words(ax)) == {*LAYERS, "chance"}


def test_a_layer_that_is_nan_is_not_named(ax):
    values = over(("step", "layer"), (4, 4), step=STEPS, layer=LAYERS)
    values[:, 1] = np.nan
    draw.layer_lines(values, ax)
    assert set(words(ax)) == {"pixels", "fc1", "logits"}


def test_separation_shows_where_tokens_are_apart(ax):
    worst = over(("step", "layer"), (4, 4), step=STEPS, layer=LAYERS)
    found = xr.Dataset({"separation_worst": worst, "separation_low": worst / 2,
                        "separation_high": worst * 2})  # fmt: skip
    draw.separation(found, ax, null=0.1)
    assert ax.get_yscale() == "log"
    assert any(np.all(np.asarray(line.get_ydata()) == 1) for line in ax.lines)
    assert len(ax.collections) == 2  # the null and the interval
    assert set(words(ax)) == set(LAYERS)


def test_intervals_are_bars_and_what_is_not_found_is_said(ax):
    rows = xr.Dataset(
        {"after": ("row", [1.0, 100, np.nan]), "by": ("row", [10.0, np.inf, np.nan]),
         "confidence_after": ("row", [0.0, 10, np.nan]),
         "confidence_by": ("row", [100.0, np.inf, np.nan])},
        {"row": ["a and b", "a and c", "$b$ and c"], "step": STEPS},
    )  # fmt: skip
    draw.step_intervals(rows, ax)
    assert [tuple(line.get_xdata()) for line in ax.lines] == [(0, 100), (1, 10)]
    assert words(ax) == ["not by the end", "unknown"]
    assert ax.get_yticklabels()[2].get_text() == r"\$b\$ and c"


def test_distances_have_one_scale_for_each_layer():
    values = over(("layer", "step", "token", "token_b"), (2, 3, 2, 2), layer=["conv1", "fc1"],
                  step=[0, 1, 2], token=["a", "b"])  # fmt: skip
    values[0, 0, 0, 1] = -0.5
    axes = Figure().subplots(2, 3)
    draw.rdm_grid(values, axes)
    assert axes[0, 0].images[0].get_array()[0, 1] == 0
    tops = [[ax.images[0].get_clim()[1] for ax in row] for row in axes]
    assert_allclose(tops, np.sqrt(values.max(("step", "token", "token_b")).values)[:, None] + 0
                    * np.array(tops))  # fmt: skip
    assert axes[1, 0].get_ylabel() == "fc1"
    assert axes[0, 2].get_title() == "step 2"


def test_likeness_has_a_square_for_each_layer():
    values = over(("layer", "step", "step_b"), (2, 4, 4), layer=["conv1", "fc1"], step=STEPS,
                  step_b=STEPS)  # fmt: skip
    axes = Figure().subplots(1, 2)
    draw.cka_grid(values, axes)
    assert [ax.get_title() for ax in axes] == ["conv1", "fc1"]
    assert axes[1].images[0].get_clim() == (0, 1)


def test_maps_have_the_tokens_colours_and_say_their_trustworthiness():
    frames = over(("map_step", "layer", "exemplar", "axis"), (3, 2, 6, 2), map_step=[0, 1, 2],
                  layer=["conv1", "fc1"])  # fmt: skip
    frames[0, 0] = np.nan
    trust = over(("map_step", "layer"), (3, 2))
    trust[0, 0] = np.nan
    axes = Figure().subplots(2, 3)
    draw.map_grid(xr.Dataset({"map": frames, "trustworthiness": trust}), np.arange(6) % 2, axes)
    assert words(axes[0, 0]) == ["no map"]
    assert words(axes[1, 2]) == ["2.00"]
    colours = {mpl.colors.to_hex(c) for c in axes[1, 1].collections[0].get_facecolors()}
    assert colours == {style.token_colour(0), style.token_colour(1)}


def test_exemplars_have_words_and_frames_and_spare_axes_stay_empty():
    axes = Figure().subplots(1, 3)
    images = np.zeros((2, 4, 4, 1), dtype=np.uint8)
    draw.captioned_images(images, ["never", "12"], np.array([1, 0]), axes)
    assert [ax.get_xlabel() for ax in axes] == ["never", "12", ""]
    assert mpl.colors.to_hex(axes[0].spines["left"].get_edgecolor()) == style.token_colour(1)
    assert not axes[2].images


def test_key_names_the_tokens():
    figure = Figure(layout="constrained")
    draw.token_key(figure, ["ada", "$x$"])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["ada", r"\$x\$"]


def test_clusters_are_outlined_and_the_rest_is_pale(ax):
    values = over(("step", "layer"), (4, 3), step=STEPS, layer=LAYERS[1:])
    inside = xr.zeros_like(values, dtype=bool)
    inside[1:3, 1] = True
    draw.cluster_map(values, inside, ax)
    assert len(ax.lines) == 6  # a block of two cells has six outer sides
    assert_allclose(np.unique(np.asarray(ax.images[0].get_alpha())), [0.25, 1])
    draw.cluster_map(values, inside, Figure().subplots(), two_sided=True)


def test_trees_share_their_leaves_and_merge_the_closest_first():
    table = np.array([[[0.0, 1, 9], [1, 0, 9], [9, 9, 0]]] * 2)
    distances = xr.DataArray(table, {"step": [0, 9], "token": ["a", "b", "c"]},
                             ("step", "token", "token_b"))  # fmt: skip
    axes = Figure().subplots(1, 2)
    draw.token_trees(distances, [2, 0, 1], list(axes))
    assert [t.get_text() for t in axes[1].get_xticklabels()] == ["c", "a", "b"]
    low, high = axes[0].lines
    assert_allclose(low.get_ydata(), [0, 1, 1, 0])
    assert_allclose(high.get_ydata(), [1, 3, 3, 0] if high.get_xdata()[0] > 0 else [0, 3, 3, 1])


def test_modes_are_drawn_beside_their_baseline(ax):
    strength = over(("step", "mode"), (4, 2), step=STEPS)
    found = xr.Dataset({"mode_strength": strength, "mode_curve": strength / 2})
    draw.mode_lines(found, ax, names=["a | b", "c | d"])
    assert len(ax.lines) == 4
    assert set(words(ax)) == {"a | b", "c | d"}


def test_the_gap_to_clones_has_its_interval_and_onset(ax):
    line = over(("step",), (4,), step=STEPS)
    names = ("real_accuracy", "clone_accuracy", "clone_gap", "clone_gap_low", "clone_gap_high")
    found = xr.Dataset(dict.fromkeys(names, line)).assign(clone_gap_after=1.0, clone_gap_by=10.0)
    draw.clone_gap(found, ax)
    assert set(words(ax)) == {"real exemplars", "Gaussian clones", "gap"}
    assert len(ax.patches) == 1
