import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from ontogeny.plot import geometry as draw
from ontogeny.plot import style

mpl.use("agg")
STEPS = [0, 1, 10, 100]
LAYERS = ["pixels", "conv1", "fc1"]


@pytest.fixture
def ax():
    return Figure().subplots()


def over(dims, shape, **coords):
    values = np.linspace(0.05, 0.9, int(np.prod(shape))).reshape(shape)
    return xr.DataArray(values, coords, dims)


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_model_lines_are_thick_beyond_the_layers_own_null(ax):
    values = over(("step", "layer"), (4, 3), step=STEPS, layer=LAYERS)
    threshold = xr.DataArray([np.nan, 0.3, 0.6], {"layer": LAYERS}, ["layer"])
    draw.model_lines(values, threshold, ax, layers=["conv1", "fc1"])
    thin, thick = ax.lines[2], ax.lines[3]  # fc1
    assert thick.get_linewidth() > thin.get_linewidth()
    assert_allclose(thin.get_ydata(), values.sel(layer="fc1"))
    assert np.isnan(thick.get_ydata()).tolist() == [True, True, False, False]
    assert ax.collections[0].get_datalim(ax.transData).y1 == pytest.approx(0.6)
    draw.name_layers(ax, values, layers=["conv1", "fc1"])
    assert set(words(ax)) == {"conv1", "fc1"}


def test_without_any_null_there_is_no_band_and_nothing_is_thick(ax):
    values = over(("step", "layer"), (4, 3), step=STEPS, layer=LAYERS)
    draw.model_lines(values, xr.full_like(values[0], np.nan), ax)
    assert len(ax.collections) == 0
    assert np.isnan(ax.lines[1].get_ydata()).all()


def test_names_of_layers_that_are_nan_are_left_out(ax):
    values = over(("step", "layer"), (4, 3), step=STEPS, layer=LAYERS)
    values[:, 1] = np.nan
    draw.name_layers(ax, values)
    assert set(words(ax)) == {"pixels", "fc1"}


def test_tokens_have_their_colours_and_all_exemplars_are_grey(ax):
    values = over(("step", "token"), (4, 2), step=STEPS, token=["ada", "bo"])
    draw.token_lines(values, ax, together=values[:, 0])
    assert ax.get_yscale() == "log"
    colours = [line.get_color() for line in ax.lines]
    assert colours == [style.FAINT, style.token_colour(0), style.token_colour(1)]


def test_dimensions_are_plain_numbers(ax):
    values = 20 * over(("step", "token"), (4, 2), step=STEPS, token=["ada", "bo"])
    draw.token_lines(values, ax)
    ax.set_ylim(1, 20)
    draw.plain_ticks(ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["1", "2", "3", "5", "10", "20"]


def test_factor_cells_are_filled_where_they_passed(ax):
    values = over(("layer", "factor"), (3, 2), layer=LAYERS, factor=["hair_red", "x"])
    draw.factor_grid(values, values > 0.5, ax)
    shown = np.ma.filled(ax.images[0].get_array().astype(float), np.nan)
    assert np.isfinite(shown).tolist() == [[False, False, True], [False, True, True]]
    assert words(ax) == ["73", "56", "90"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["hair red", "x"]


def test_runs_are_squares_with_numbers():
    axes = Figure().subplots(1, 2)
    values = over(("layer", "run", "run_b"), (2, 2, 2), layer=LAYERS[1:], run=["a", "b"],
                  run_b=["a", "b"])  # fmt: skip
    draw.run_grid(values, list(axes))
    assert_allclose(axes[1].images[0].get_array(), values[1])
    assert words(axes[0]) == [f"{values[0, 0, 1]:.2f}", f"{values[0, 1, 0]:.2f}"]
    assert axes[0].images[0].get_clim() == (0, 1)


def test_ceilings_are_bands_between_their_edges(ax):
    low = over(("step", "layer"), (4, 3), step=STEPS, layer=LAYERS)
    draw.ceiling_lines(xr.Dataset({"ceiling_low": low, "ceiling_high": low + 0.05}), ax)
    assert len(ax.collections) == 3
    assert_allclose(ax.lines[3].get_ydata(), low.sel(layer="conv1") + 0.05)
    assert set(words(ax)) == set(LAYERS)
