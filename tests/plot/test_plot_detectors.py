import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.plot import detectors as draw
from ontogeny.plot import style

mpl.use("agg")


def example():
    """Three units of conv1: tuned to a at once, silent, tuned to b from the second snapshot on."""
    score = np.array([[0.9, np.nan, 0.5], [0.9, np.nan, 0.8], [0.9, np.nan, 0.9], [0.5, 0.4, 0.5]])
    return xr.Dataset(
        {
            "score": (("step", "unit"), score),
            "preferred": (("step", "unit"), np.array([[0, -1, 1]] * 3 + [[1, 0, 1]])),
            "dormancy": (("step", "unit"), np.array([[1, 0, 1.0]] * 4), {"dormant_at": 0.025}),
            "auroc": (("step", "unit", "token"), np.linspace(0, 1, 24).reshape(4, 3, 2)),
            "score_threshold": ("layer", [0.6]),
            "auroc_threshold": ("layer", [0.7]),
            "tuned_by": ("unit", [0, np.inf, 1.0]),
            "untuned_by": ("unit", [10.0, np.nan, np.inf]),
            "dormant_by": ("unit", [np.inf, 0, np.inf]),
            "changed_unit": ("role_change", [2, 0]),
            "changed_by": ("role_change", [2.0, 1.0]),
            "change_share": ("role_change", [0.99, 0.5]),
        },
        {
            "step": [0, 1, 2, 10], "unit": ["conv1:0", "conv1:1", "conv1:2"],
            "layer_of_unit": ("unit", ["conv1"] * 3), "layer": ["conv1"], "token": ["a$", "b"],
        },
    )  # fmt: skip


@pytest.fixture
def ax():
    return Figure().subplots()


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_life_lines_sort_units_by_onset_and_colour_them_by_token(ax):
    draw.life_lines(example(), ax)
    image = ax.images[0].get_array()
    a, b, grey = (mpl.colors.to_rgb(c) for c in (*style.TOKEN_COLOURS[:2], style.NULL))
    assert_allclose(image[0], [a, a, a, (1, 1, 1)])
    assert_allclose(image[1], [(1, 1, 1), b, b, (1, 1, 1)])
    assert_allclose(image[2], [grey] * 4)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["conv1\n1 of 3 tuned"]


def test_life_lines_mark_certain_changes_only_and_need_none(ax):
    draw.life_lines(example(), ax)
    (dots,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    height = 0.4 + 0.15 * np.log2(3)
    assert_allclose(dots.get_offsets()[0], [1.5, 0.5 * height])
    draw.life_lines(example().isel(role_change=slice(0, 0)), Figure().subplots())


def test_life_lines_name_tokens_as_they_are(ax):
    draw.life_lines(example(), ax)
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names == [r"a\$", "b", "not tuned", "inactive", "prefers another token from here"]


def test_tuning_curves_draw_each_token_and_chance(ax):
    data = example()
    draw.tuning_curves(data, "conv1:2", ax)
    assert_allclose(ax.lines[1].get_ydata(), data["auroc"][:, 2, 0])
    assert {r"a\$", "b", "chance"} <= set(words(ax))


def test_an_unknown_unit_is_refused_with_what_there_is(ax):
    with pytest.raises(InputError, match="expected a unit from conv1:0 to conv1:2, got conv1:9"):
        draw.tuning_curves(example(), "conv1:9", ax)


def test_score_distribution_says_how_many_pass(ax):
    draw.score_distribution(example(), steps=[0, 2], ax=ax)
    assert [w for w in words(ax) if "%" in w] == ["50%", "100%"]
    colours = {mpl.colors.to_hex(c) for c in ax.collections[0].get_facecolors()}
    assert colours == {style.POSITIVE, style.FAINT}
