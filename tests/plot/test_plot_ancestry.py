import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from PIL import Image

from ontogeny.errors import InputError
from ontogeny.measure.couplings.ancestry import construction
from ontogeny.plot import sheets, style
from ontogeny.plot.ancestry import ancestry_pictures, enlarged, tile
from records import make_record

mpl.use("Agg")
PICTURE = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)


def axes():
    return Figure().subplots()


def tree(**changes):
    return construction(make_record(), "bo", **changes)


def test_each_node_is_drawn_with_its_two_pictures_and_its_name():
    found, ax = tree(breadth=2), axes()
    nodes = [n for n in found["node"].values.tolist() if not n.startswith("pixels")]
    ancestry_pictures(found, {n: (PICTURE, PICTURE) for n in nodes}, ax=ax)
    assert len(ax.images) == 2 * len(nodes)
    words = [text.get_text() for text in ax.texts]
    assert set(nodes) <= set(words)
    assert {"conv1", "conv2", "fc1", "logits"} <= set(words)


def test_curves_tell_sign_by_colour_and_the_null_by_dots():
    found, ax = tree(breadth=2), axes()
    ancestry_pictures(found, {}, ax=ax)
    inner = ~np.char.startswith(found["source"].values.astype(str), "pixels")
    curves = [p for p in ax.patches if isinstance(p, PathPatch)]
    assert len(curves) == inner.sum()
    shares, beyond = found["share"].values[inner], found["beyond_null"].values[inner]
    for curve, share, is_beyond in zip(curves, shares, beyond, strict=True):
        colour = style.POSITIVE if share > 0 else style.NEGATIVE
        assert mpl.colors.same_color(curve.get_edgecolor()[:3], colour)
        assert (curve.get_linestyle() in {"-", "solid"}) == bool(is_beyond)


def test_a_node_that_responds_less_to_the_token_has_a_dashed_frame():
    found, ax = tree(breadth=1), axes()
    silent = found.assign(direction=("node", -np.ones(found.sizes["node"], int)))
    ancestry_pictures(silent, {}, ax=ax)
    frames = [p for p in ax.patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert frames
    assert all(frame.get_linestyle() not in {"-", "solid"} for frame in frames)


def test_a_missing_picture_is_said_to_be_none():
    ax = axes()
    tile(ax, np.zeros((0, 0, 3), np.uint8), (0, 0), smooth=True)
    assert [text.get_text() for text in ax.texts] == ["none"]


def test_enlarging_keeps_flat_pictures_range_and_larger_ones():
    assert (enlarged(np.full((3, 5, 1), 7, np.uint8), 64) == 7).all()
    large = enlarged(PICTURE, 64)
    assert large.shape == (64, 64, 3)
    assert (large.min(), large.max()) == (PICTURE.min(), PICTURE.max())
    assert np.array_equal(enlarged(PICTURE, 2), PICTURE)


def sheet(**changes):
    steps = [0, 1, 10]
    tuning = xr.DataArray(np.ones((3, 2)), {"step": steps, "token": ["a", "b"]}, ("step", "token"))
    one = {
        "name": "fc1:3", "preferred": PICTURE, "best": [PICTURE] * 2,
        "spectrum": [("50 %", PICTURE)], "film": [("step 0", PICTURE), ("step 10", PICTURE)],
        "tuning": tuning, "parents": [("conv1:1\n+9 %", [PICTURE, PICTURE])], "uses": [],
    }  # fmt: skip
    return sheets.Sheet(**(one | changes))


def test_a_detector_sheet_shows_pictures_film_tuning_and_relatives():
    figure = sheets.detector_sheet(sheet())
    pictures, film, tuning, relatives = figure.axes
    assert (len(pictures.images), len(film.images), len(relatives.images)) == (4, 2, 2)
    assert len(tuning.lines) == 2
    words = [t.get_text() for ax in figure.axes for t in ax.texts]
    assert {"preferred", "top 1", "top 2", "50 %", "step 10", "conv1:1\n+9 %", "none"} <= set(words)


def test_a_layer_sheet_has_a_row_for_each_dozen():
    ax = axes()
    sheets.layer_sheet({f"c:{k}": [PICTURE, PICTURE] for k in range(5)}, columns=2, ax=ax)
    assert len(ax.images) == 10
    assert len({round(image.get_extent()[2], 3) for image in ax.images}) == 3


def test_a_film_has_a_frame_for_each_step(tmp_path):
    strips = {"fc1:0": [PICTURE, 255 - PICTURE], "fc1:1": [PICTURE, PICTURE]}
    path = sheets.film(strips, [0, 5], tmp_path / "film.gif")
    with Image.open(path) as film:
        assert film.n_frames == 2


@pytest.mark.parametrize(
    ("strips", "name", "message"),
    [
        ({"a": [PICTURE]}, "film.gif", "expected units with a picture for each of 2 steps, got a"),
        ({}, "film.gif", "got no unit"),
        ({"a": [PICTURE] * 2}, "film.avi", "to end with .gif or .mp4, got film.avi: rename it"),
    ],
)
def test_films_that_cannot_be_are_refused(tmp_path, strips, name, message):
    with pytest.raises(InputError, match=message):
        sheets.film(strips, [0, 5], tmp_path / name)


def test_without_ffmpeg_an_mp4_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets.FFMpegWriter, "isAvailable", lambda: False)
    with pytest.raises(InputError, match=r"expected ffmpeg to write film.mp4, got none: install"):
        sheets.film({"a": [PICTURE]}, [0], tmp_path / "film.mp4")


def test_filters_share_one_contrast_with_grey_as_zero():
    values = np.zeros((2, 1, 2, 2, 3))
    values[1, 0, 0, 0] = 1.0
    names = {"step": [0, 1], "unit": ["conv1:0"]}
    strips = sheets.filter_strips(
        xr.DataArray(values, names, ("step", "unit", "y", "x", "channel"))
    )
    assert (strips["conv1:0"][0] == 128).all()
    assert (strips["conv1:0"][1][0, 0] == 255).all()
