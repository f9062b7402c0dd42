"""Names of tokens in figures: long ones are shortened, letters without a font are never boxes."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from ontogeny.plot import legible, style

LONG = "Rhododendron_ferrugineum_cultivar_{}"


@pytest.fixture
def fonts(monkeypatch):
    """Exchange which letters fonts have: DejaVu Sans ASCII and é, Noto Sans CJK JP two signs."""
    letters = {
        style.FONTS[0]: frozenset(range(0x180)),
        "Noto Sans CJK JP": frozenset(map(ord, "日本")),
    }
    monkeypatch.setattr(style, "_letters", lambda font: letters.get(font, frozenset()))


def text_of(words):
    figure = Figure()
    return figure, figure.subplots().set_title(words)


def test_names_keep_their_beginning_and_their_end():
    one, other = (style.name(LONG.format(k)) for k in ("alba", "nivea"))
    assert one == "Rhododend…r_alba"
    assert other == "Rhododend…_nivea"
    assert style.name("sunflowers") == "sunflowers"
    assert style.name("$5$") == r"\$5\$"
    both = f"{LONG.format('alba')} and ash, {LONG.format('nivea')} | elm"
    assert style.names(both) == f"{one} and ash, {other} | elm"
    assert style.name("日本日本日本日本日") == "日本日本…日本日"


@given(st.text(max_size=60), st.integers(5, 40))
def test_no_name_is_wider_than_it_may_be(text, most):
    short = style.shortened(text, most)
    assert style._columns(short) <= most
    if style._columns(text) <= most:
        assert short == text


def test_letters_come_from_another_font_where_one_has_them(fonts):
    figure, title = text_of("日本: été")
    legible(figure)
    assert title.get_text() == "日本: été"
    assert title.get_fontfamily() == [style.FONTS[0], "Noto Sans CJK JP"]


def test_letters_that_no_font_has_are_written_by_their_code_points(fonts):
    figure, title = text_of("日木")
    with pytest.warns(UserWarning, match="No installed font has some letters of the tokens' nam"):
        legible(figure)
    assert title.get_text() == r"\u65e5\u6728"


def test_names_that_the_usual_font_has_are_left_alone(fonts):
    figure, title = text_of("été …")
    before = title.get_fontfamily()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        legible(text_of("ash\nelm")[0])
    title.set_text("été")
    legible(figure)
    assert (title.get_text(), title.get_fontfamily()) == ("été", before)


def test_a_figure_is_drawn_without_a_missing_glyph():
    figure, _ = text_of("日本")
    (ax,) = figure.axes
    ax.set_yticks([0, 1], ["日本", "ash"])
    ax.plot([0, 1], label="日本\nelm")
    ax.legend()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No installed font has")
        warnings.filterwarnings("error", message="Glyph")
        legible(figure).canvas.draw()
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown in (["日本", "ash"], [r"\u65e5\u672c", "ash"])
