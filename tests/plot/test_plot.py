import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from ontogeny import plot
from ontogeny.measure import Chance, measure_record, strongest_couplings
from ontogeny.plot import style
from records import STEPS, make_record

mpl.use("agg")


@pytest.fixture(scope="module")
def record():
    return make_record(strength=4.0)


@pytest.fixture(scope="module")
def measures(record):
    return measure_record(record, chance=Chance(n_shuffles=99, n_resamples=20))


@pytest.fixture
def ax():
    return Figure().subplots()


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_loss_draws_both_splits_and_names_them_at_their_ends(measures, ax):
    plot.loss(measures, ax)
    assert_allclose(ax.lines[0].get_ydata(), measures["loss"].sel(split="train"))
    assert_allclose(ax.lines[1].get_ydata(), measures["loss"].sel(split="probe"))
    assert sorted(words(ax)) == ["probe", "train"]
    assert "nats" in ax.get_ylabel()


def test_loss_that_falls_far_is_drawn_on_a_logarithmic_axis(measures, ax):
    assert plot.loss(measures, Figure().subplots()).get_yscale() == "linear"
    far = measures.copy()
    far["loss"] = far["loss"] * np.geomspace(1, 1e-4, len(STEPS))[:, None]
    assert plot.loss(far, ax).get_yscale() == "log"


def test_accuracy_shows_chance_and_its_band(measures, ax):
    plot.accuracy(measures, ax)
    band = ax.collections[0].get_paths()[0].get_extents()
    assert_allclose([band.y0, band.y1], [measures["chance_low"], measures["chance_high"]])
    assert "chance" in words(ax)


def test_token_accuracy_has_its_own_null_and_onset(measures, ax):
    plot.token_accuracy(measures, "bo", ax)
    share, right = ax.lines
    assert_allclose(share.get_ydata(), measures["answer_share"].sel(token="bo"))
    assert_allclose(right.get_ydata(), measures["token_accuracy"].sel(split="probe", token="bo"))
    assert right.get_color() == style.token_colour(1)
    assert right.get_marker() == style.token_marker(1)
    stripe = ax.patches[0]
    assert (stripe.get_x(), stripe.get_x() + stripe.get_width()) == (STEPS[3], STEPS[4])


def test_signal_map_is_grey_where_the_null_is_not_passed_and_marks_rises(measures, ax):
    plot.token_signal_map(measures, ax)
    shown = ax.collections[0].get_array()
    beyond = (measures["layer_token_signal"] > measures["layer_threshold"]).values.T
    assert np.array_equal(~np.ma.getmaskarray(np.ma.masked_invalid(shown)), beyond)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(measures["layer"].values)
    marks = {line.get_xdata()[0] for line in ax.lines}
    rises = measures["by"].values[measures["kind"].values == "layer rise"]
    assert marks == {STEPS.index(by) - 0.5 for by in rises}


def test_unit_signals_show_quantiles_per_layer_and_step(measures, ax):
    plot.unit_signals(measures, steps=[0, 42], ax=ax)
    assert words(ax) == ["step 0", "step 42"]
    units = [str(u).startswith("conv2") for u in measures["unit"].values]
    last = measures["token_signal"].sel(step=42).values[units]
    medians = [float(line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "o"]
    assert len(medians) == 8
    assert np.any(np.isclose(medians, np.median(last)))


def onset_rows(**ends):
    columns = {k: ("onset", np.array(v, dtype=float)) for k, v in ends.items()}
    n = len(ends["after"])
    names = ["conv1", "conv2", "ada"][:n]
    kinds = ["layer rise", "layer rise", "token"][:n]
    return xr.Dataset(columns, {"name": ("onset", names), "kind": ("onset", kinds),
                                "step": [0, 10, 100]})  # fmt: skip


def test_onsets_are_bars_between_snapshots_and_arrows_where_censored(ax):
    rows = onset_rows(after=[10, -np.inf, 100], by=[20, 0, np.inf],
                      confidence_after=[5, -np.inf, 30], confidence_by=[40, 0, np.inf])  # fmt: skip
    plot.onset_intervals(rows, ax)
    spans = [tuple(line.get_xdata()) for line in ax.lines]
    assert (10, 20) in spans
    assert (5, 40) in spans
    assert [line.get_marker() for line in ax.lines].count("<") == 1
    assert [line.get_marker() for line in ax.lines].count(">") == 1
    assert words(ax) == ["not by the end"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["conv1", "conv2", "ada"]


def test_coupling_graph_draws_every_edge_with_sign_and_width(record, ax):
    found = strongest_couplings(record, edges=4)
    plot.coupling_graph(found, tokens=["ada", "bo", "cy"], unit_token={"conv2:1": 2}, ax=ax)
    assert len(ax.patches) == found.sizes["edge"]
    colours = [mpl.colors.to_hex(p.get_edgecolor()) for p in ax.patches]
    assert colours.count(style.NEGATIVE) == int((found["strength"] < 0).sum())
    assert {"ada", "bo", "cy", "red", "conv1", "pixels"} <= set(words(ax))
    assert max(p.get_linewidth() for p in ax.patches) == pytest.approx(4.0)
    assert len(ax.collections) == found.sizes["node"]


def test_ancestry_graph_has_the_tokens_colours_and_dashes_what_takes_away(record, ax):
    names = ["ada", "bo", "cy"]
    found = {name: strongest_couplings(record, token=name, units=2, edges=2) for name in names}
    plot.ancestry_graph(found, tokens=names, ax=ax)
    assert len(ax.patches) == sum(f.sizes["edge"] for f in found.values())
    colours = {mpl.colors.to_hex(p.get_edgecolor()) for p in ax.patches}
    assert colours == {style.token_colour(k) for k in range(3)}
    negative = sum(int((f["strength"] < 0).sum()) for f in found.values())
    assert (
        sum(p.get_linestyle() != "-" and p.get_linestyle() != "solid" for p in ax.patches)
        == negative
    )


def test_filter_strip_puts_zero_at_mid_grey_and_states_its_contrast(ax):
    values = np.zeros((2, 3, 3, 3, 3))
    values[1, 2, 0, 0, 1] = 5.0
    filters = xr.DataArray(values, {"step": [0, 7]}, ("step", "unit", "y", "x", "channel"))
    plot.filter_strip(filters, ax)
    picture = ax.images[0].get_array()
    assert picture.shape == (7, 11, 3)
    assert_allclose(picture[0, 0], 0.5)
    assert_allclose(picture[4, 8], [0.5, 1, 0.5])
    assert_allclose(picture[3, 5], 1)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["step 0", "step 7"]
    assert "contrast: black -" in ax.get_xlabel()


def test_contact_sheet_has_a_row_per_token_and_leaves_room_where_one_has_few(ax):
    images = np.zeros((5, 4, 4, 1), dtype=np.uint8)
    token = np.array([0, 0, 0, 1, 1])
    plot.contact_sheet(images, token, ["a", "b"], count=3, ax=ax)
    picture = ax.images[0].get_array()
    assert picture.shape == (10, 16, 3)
    assert (picture[6:, 12:] == 1).all()
    assert (picture[6:, :4] == 0).all()


def test_confusion_prints_every_share(measures, ax):
    plot.confusion(measures["confusion"], ax)
    table = measures["confusion"].values
    assert words(ax) == [f"{v:.2f}" if v > 0 else "0" for v in table.ravel()]


def test_names_with_dollars_are_shown_as_they_are(measures, ax):
    odd = measures.assign_coords(token=["$x$", "bo", "cy"])
    plot.token_accuracy(odd, "$x$", ax)
    assert ax.get_title(loc="left") == r"\$x\$"


def test_step_axis_shows_zero_and_plain_numbers(ax):
    style.step_axis(ax, [0, 1, 1200])
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1", "10", "100", "1,000"]
    assert "logarithmic" in ax.get_xlabel()


def test_without_axes_a_figure_is_made(measures):
    from matplotlib import pyplot as plt

    made = plot.accuracy(measures)
    assert made.figure.number in plt.get_fignums()
    plt.close(made.figure)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_labels_keep_their_order_distance_and_mean(places):
    places = sorted(places)
    moved = style.spread(places, 0.1)
    assert (np.diff(moved) >= 0.1 - 1e-9).all()
    assert_allclose(np.mean(moved), np.mean(places), atol=1e-9)


def test_labels_that_do_not_meet_stay():
    assert style.spread([0.1, 0.5], 0.1) == [0.1, 0.5]


def test_sixteen_tokens_differ_in_colour_or_shape():
    looks = {(style.token_colour(k), style.token_marker(k)) for k in range(16)}
    assert len(looks) == 16


def test_a_second_probe_is_drawn_beside_the_first(measures):
    held = measures.copy()
    n_steps = held.sizes["step"]
    held["holdout_loss"] = ("step", np.linspace(9, 5, n_steps))
    held["holdout_accuracy"] = ("step", np.linspace(0, 0.6, n_steps))
    held["holdout_token_accuracy"] = held["token_accuracy"].sel(split="probe", drop=True) / 2
    for draw, name in ((plot.loss, "holdout_loss"), (plot.accuracy, "holdout_accuracy")):
        ax = Figure().subplots()
        draw(held, ax)
        lines = [line.get_ydata() for line in ax.lines]
        assert any(np.array_equal(line, held[name].values) for line in lines)
        assert "holdout" in words(ax)
    ax = Figure().subplots()
    plot.token_accuracy(held, "ada", ax)
    lines = [line.get_ydata() for line in ax.lines]
    wanted = held["holdout_token_accuracy"].sel(token="ada").values
    assert any(np.array_equal(line, wanted) for line in lines)
