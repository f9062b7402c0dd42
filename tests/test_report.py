import base64
import io
import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from ontogeny.errors import RunError
from ontogeny.measure import SETS
from ontogeny.record import RecordWriter
from ontogeny.report import CHAPTERS, FIGURES, report
from ontogeny.report.observed import FIGURES as SEEN_IN
from ontogeny.report.observed import number
from ontogeny.report.page import svg
from ontogeny.statements import read
from ontogeny.statements.onsets import Onset, earliest, first_and_last, latest
from records import STEPS, make_record, make_run

INF = np.inf
EVIL = "<img src=x onerror=alert(1)>"


class Text(HTMLParser):
    """Text and tags of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words).replace("\xa0", " ")


def write(path, record, **options):
    run = make_run(path, record, **options)
    file = report(run)
    return file, Text(file.read_text())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write(tmp_path_factory.mktemp("runs") / "run", make_record(strength=6.0))


def test_construction_then_learning_and_a_figure_come_first(written):
    file, page = written
    head = page.text.split("What was observed")[0]
    top = file.read_text().split("<nav>")[0]
    assert top.count("<li>") == 8 and top.count("<img") == 1
    first, second = head.index("construct"), head.index("The network learnt to classify")
    assert first < second
    assert "faces: 3 tokens" in head
    assert "chance 33.3 %" in head
    assert f"between steps {STEPS[3]} and {STEPS[4]}" in head
    assert "The network learnt to classify the three tokens: it classifies" in head
    assert "begins to classify all three tokens better than chance between steps" in head
    assert "All three tokens are separated first in fc1 and logits between steps 3 and 4" in head
    assert "learnt to classify ada, bo and cy" in head
    assert "Token signal rises first in fc1 and logits" in page.text
    assert "last in conv1 between steps 8 and 11" in page.text
    assert "Before training no layer carries more token signal" in page.text


def test_every_figure_has_what_is_seen_a_definition_and_a_null(written):
    file, page = written
    keys = [a["id"] for tag, a in page.tags if tag == "section"]
    assert keys == ["overview", "constructed", "gain_parts", "building", "learning",
                    "tokens", "separation", "differentiation",
                    "trees", "clusters",
                    "modes", "clones", "maps", "readout", "collapse",
                    "distances", "dimension", "likeness", "lives", "models", "token_dimension",
                    "onsets", "exemplars", "unit_lives", "scores", "bases", "filters", "births",
                    "assemblies", "sharing"]  # fmt: skip
    assert page.text.count("Definition.") == len(keys)
    assert page.text.count("Null.") == len(keys)
    not_shown = re.findall(r"Not shown: ([^,]+), since", page.text)
    assert not_shown == ["detectors and their parents", "known factors in distances",
                         "detectors that carry each token",
                         "sheets of detectors", "preferred pictures of layers"]  # fmt: skip
    assert sorted(f.stem for f in (file.parent / "figures").iterdir()) == sorted(keys)


def test_observations_are_listed_with_their_evidence_and_lead_to_their_figure(written):
    file, page = written
    listed = page.text.split("What was observed", 2)[2].split("Loss: ")[0]
    for one in read(file.parent):
        assert one.text in listed
        assert f"Null: {number(one.bound)}, {one.null}." in listed
    targets = [a["href"] for tag, a in page.tags if tag == "a"]
    known = {f"#{a['id']}" for _, a in page.tags if "id" in a}
    assert set(targets) <= known
    assert "#onsets" in targets


def test_observations_are_folded_by_subject(written):
    _, page = written
    summaries = re.findall(r"(\w[\w ]+): \d+ statements?", page.text)
    assert summaries == [name for name in CHAPTERS if name in summaries]
    folded = [attributes for tag, attributes in page.tags if tag == "details"]
    assert len(folded) >= len(summaries) >= 3
    assert not any("open" in attributes for attributes in folded)


def test_a_network_that_did_not_learn_is_said_not_to_have(tmp_path):
    _, page = write(tmp_path / "run", make_record(rises={}))
    head = page.text.split("What was observed")[0]
    assert "The network did not learn to classify the three tokens beyond chance" in head
    assert "The network is not shown to classify any token better than chance by the end" in head
    assert "In no layer are all three tokens separated by the end" in head
    assert "No unit of the upper layers carries more" in head


def test_every_kind_of_observation_names_a_figure_of_the_report(written):
    keys = [a["id"] for tag, a in written[1].tags if tag == "section"]
    assert set(SEEN_IN.values()) - set(keys) == {"carriers", "families"}
    assert {one.key for one in FIGURES} == {
        *keys,
        "carriers",
        "families",
        "sheets",
        "preferred",
        "factors",
    } - {"overview"}


def test_chapters_come_in_order_and_can_be_jumped_to(written):
    _, page = written
    chapters = [a["id"] for tag, a in page.tags if tag == "h2"]
    assert chapters == ["chapter-what-was-observed", "chapter-construction",
                        "chapter-learning", "chapter-category-structure", "chapter-detectors",
                        "chapter-couplings"]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [(-INF, "open"), (3.0, "3"), (0.0123, "0.012"), (1234.5, "1,234"), (7.26, "7.3")],
)
def test_numbers_are_as_short_as_can_be_read(value, said):
    assert number(value) == said


def test_the_file_needs_nothing_beside_it(written):
    file, page = written
    assert file.stat().st_size < 6e6
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe"})
    sources = [a["src"] for tag, a in page.tags if tag == "img"]
    assert len(sources) == 30
    for source in sources:
        drawn = base64.b64decode(source.removeprefix("data:image/svg+xml;base64,"))
        assert b"<svg" in drawn
    assert all(a["loading"] == "lazy" and a["alt"] for tag, a in page.tags if tag == "img")
    assert "prefers-color-scheme:dark" in file.read_text()


def test_names_cannot_put_tags_into_the_page(tmp_path):
    record = make_record(tokens=(EVIL, "b & c", "\"d'$x^2$"), strength=6.0)
    file, page = write(tmp_path / "run", record, name="</title><script>alert(1)</script>")
    assert EVIL in page.text
    assert not [a for tag, a in page.tags if tag == "script" or "onerror" in a]
    assert "<img src=x" not in file.read_text()
    assert "default-src 'none'" in file.read_text()


def test_same_run_gives_the_same_bytes(written):
    file, _ = written
    first, said = file.read_bytes(), []
    report(file.parent, progress=lambda what, *_: said.append(what))
    assert file.read_bytes() == first
    assert not list(file.parent.glob(".*.tmp"))
    fresh = [f"{name}: fresh" for name in SETS]
    assert said == [*fresh, *(f"drawing {name}" for name in _names())]


def _names():
    return [one.name for chapter in CHAPTERS for one in FIGURES if one.chapter == chapter]


def test_missing_pieces_are_named_with_their_reason(tmp_path):
    record = make_record().drop_vars(
        ["coupling", "coupling_contrast", "coupling_token_signal", "source", "target", "edge",
         "image"]
    )  # fmt: skip
    _, page = write(tmp_path / "run", record)
    for name in ("exemplars and confusions", "late exemplars"):
        assert f"Not shown: {name}, since expected a record with image" in page.text
    said = re.findall(r"Not shown: ([^.]*)\. Reason: the record holds no couplings\.", page.text)
    assert len(said) == 1, "what needs couplings is named once, with one reason"
    assert {"births of couplings", "sharing of units"} <= set(said[0].split(", "))
    assert "first-layer filters, since" not in page.text


def test_run_of_one_snapshot_is_shown_and_says_what_it_cannot_say(tmp_path):
    _, page = write(tmp_path / "run", make_record().isel(step=slice(0, 1)), state="training")
    assert "The number of recorded snapshots is 1; an onset needs 3" in page.text
    assert "This run is not complete" in page.text
    never = "The network is not shown to classify any token better than chance by the end."
    assert never in page.text


def test_failed_run_says_why(tmp_path):
    _, page = write(tmp_path / "run", make_record(), state="failed", failure="the loss became NaN")
    assert "This run failed: the loss became NaN. It is shown up to there." in page.text


def test_report_of_a_record_that_has_grown_shows_it(tmp_path):
    record = make_record()
    file, page = write(tmp_path / "run", record.isel(step=slice(0, 11)), state="training")
    assert "30 of 30" in page.text
    with RecordWriter(file.parent / "record.zarr") as writer:
        writer.append({name: record[name].values[11] for name in writer.variables})
    assert "42 of 30" in Text(report(file.parent).read_text()).text


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="expected the folder of a run, got"):
        report(tmp_path)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((8, 9, 8, 9), "between steps 8 and 9 (95 %: the same)"),
        ((8, 9, 6, 1100), "between steps 8 and 9 (95 %: 6 to 1,100)"),
        ((8, 9, -INF, INF), "between steps 8 and 9 (95 %: the start to past the end)"),
        ((-INF, 0, -INF, 0), "from the first snapshot on"),
        ((1200, INF, 1200, INF), "not by the end"),
        ((-INF, INF, -INF, INF), "not known: too few snapshots"),
    ],
)
def test_onsets_in_words(ends, said):
    assert Onset("conv1", *ends).words() == said


def test_onsets_that_overlap_tie():
    a, b, c = Onset("a", 1, 4, 1, 4), Onset("b", 3, 6, 3, 6), Onset("c", 4, 8, 4, 8)
    never = Onset("d", 9, INF, 9, INF)
    assert earliest([c, b, a, never]) == [b, a]
    assert latest([a, b, c, never]) == [b, c]
    assert earliest([never]) == []


def test_one_that_ties_with_the_first_and_the_last_is_neither():
    a, b, c = Onset("a", 1, 3, 1, 3), Onset("b", 2, 8, 2, 8), Onset("c", 5, 8, 4, 8)
    assert first_and_last([c, b, a]) == ([a], [c])
    assert first_and_last([a, b]) == ([], [])


@pytest.mark.parametrize("parts", [1, 2])
def test_a_figure_that_is_laid_out_once_is_the_one_that_matplotlib_saves(parts):
    def drawn():
        figure = Figure(figsize=(5, 3 * parts), layout="constrained")
        for part in np.ravel(np.asarray(figure.subfigures(parts, 1))):
            for ax in part.subplots(1, 2):
                ax.plot([0, 1, 2], [1e4, 3e5, 2], label="a long name")
                ax.set(title="two\nlines", ylabel="units", xscale="symlog")
            ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return figure

    desired = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "ontogeny", "svg.fonttype": "path"}):
        drawn().savefig(desired, format="svg", metadata={"Date": None})
    assert without_names(svg(drawn())) == without_names(desired.getvalue())


def without_names(picture):
    """Return an SVG without the names of its clipped regions, which are hashes of numbers."""
    return re.sub(rb"p[0-9a-f]{10}", b"", picture)
