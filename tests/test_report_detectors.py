"""The report's figures of units and couplings: their titles are what the rules say."""

import numpy as np
import pytest
import xarray as xr

from graph_records import quiet_record
from ontogeny.errors import RunError
from ontogeny.measure import Chance, graphs, measure_record
from ontogeny.measure import detectors as tuned
from ontogeny.measure.couplings.ancestry import shown_units
from ontogeny.record import open_record
from ontogeny.report import couplings as graph
from ontogeny.report import detectors, units
from ontogeny.report.figures import Material
from ontogeny.statements import Findings, Said, Unsaid
from records import keep_pictures, make_record, make_run


def pictures(record):
    """Planted pictures of all units: what a making of them leaves in the run's folder."""
    units, rng = record["unit"].values.astype(str), np.random.default_rng(0)
    filmed, n = shown_units(record, limit=20), len(units)
    side = np.full(n, 6)
    window = {f"{p}_{w}": (("unit", d), np.full((n, k), v))
              for p, d, k in (("top", "rank", 2), ("quantile", "quantile", 3))
              for w, v in (("top", -1), ("left", 2), ("height", 4), ("width", 4))}  # fmt: skip
    exemplars = record["exemplar"].values
    data = {
        "picture": (("unit", "y", "x", "channel"), rng.integers(0, 255, (n, 6, 6, 3), np.uint8)),
        "height": ("unit", side), "width": ("unit", side),
        "achieved": ("unit", np.full(n, 3.0)), "best_exemplar": ("unit", np.full(n, 2.0)),
        "has_picture": ("unit", (np.arange(n) > 0) & (np.arange(n) < 9)),
        "pictured": ("unit", np.arange(n) < 9),
        "top_exemplar": (("unit", "rank"), np.tile([exemplars[0], -1], (n, 1))),
        "quantile_exemplar": (("unit", "quantile"), np.tile(exemplars[:3], (n, 1))), **window,
        "film_picture": (("film_step", "film_unit", "y", "x", "channel"),
                         rng.integers(0, 255, (2, len(filmed), 6, 6, 3), np.uint8)),
        "film_height": (("film_step", "film_unit"), np.full((2, len(filmed)), 6)),
        "film_width": (("film_step", "film_unit"), np.full((2, len(filmed)), 6)),
        "unit_part": ("conv_unit", ["eyes"] * 14),
    }  # fmt: skip
    coordinates = {
        "unit": units, "layer": ("unit", record["layer"].values.astype(str)),
        "rank": [1, 2], "quantile": [0.9, 0.5, 0.1], "film_step": [0, int(record["step"][-1])],
        "film_unit": filmed, "conv_unit": units[:14],
    }  # fmt: skip
    return xr.Dataset(data, coordinates, {"steps": 64})


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    made = make_record()
    run = make_run(tmp_path_factory.mktemp("run") / "faces", made)
    keep_pictures(run, pictures(made))
    with open_record(run.path) as record:
        yield spoken(
            Material(run, Findings(record, measure_record(record))), carriers=Said("All carry all.")
        )


def spoken(material, **said):
    """Return material of which this was said, whatever its measures are."""
    material.__dict__["said"] = said
    return material


def words_of(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def test_each_token_has_its_ancestry_with_pictures_and_text(material):
    section = detectors.carriers(material)
    assert [ax.get_title(loc="left") for ax in section.figure.axes] == ["ada", "bo", "cy"]
    assert all(f"{token}: the evidence at its logit" in section.seen for token in material.tokens)
    assert any(word.endswith(" eyes") for word in words_of(section.figure))
    assert section.title == "All carry all."


def test_the_detector_that_carries_a_token_has_a_sheet(material):
    section = detectors.sheets(material)
    assert "of its variance" in section.seen
    words = words_of(section.figure)
    assert {"preferred", "top 1", "90 %", "step 0", "built from", "used by"} <= set(words)
    assert "carr" in section.title


def test_layers_are_drawn_with_what_has_no_picture_said(material):
    section = detectors.layers(material)
    titles = {ax.get_title(loc="left") for ax in section.figure.axes}
    assert titles <= {"conv1", "conv2", "fc1", "logits"}
    assert section.seen.startswith("Pictures were looked for in 9 units; ")
    assert "For 1 units no image with a positive response was found." in section.seen
    assert "at least 1.5 times" in section.title


def test_without_pictures_a_section_says_how_to_make_them(tmp_path):
    made = make_record()
    run = make_run(tmp_path / "faces", made)
    with open_record(run.path) as record:
        bare = spoken(
            Material(run, Findings(record, measure_record(record))), carriers=Unsaid("None.")
        )
        for shown in detectors.FIGURES:
            with pytest.raises(RunError, match="got none yet: run `ontogeny pictures"):
                shown.draw(bare)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    record, few = quiet_record(), Chance(n_shuffles=59, n_resamples=20)
    findings = Findings(
        record, measure_record(record, chance=few), detectors=tuned(record, chance=few),
        graph=graphs(record, chance=few),
    )  # fmt: skip
    return Material(make_run(tmp_path_factory.mktemp("run") / "faces", record), findings)


@pytest.mark.parametrize("draw", [shown.draw for shown in (*graph.FIGURES, *units.FIGURES)],
                         ids=lambda draw: draw.__name__)  # fmt: skip
@pytest.mark.parametrize("said", [Said("This is seen."), Unsaid("This is not known.")])
def test_a_figure_of_units_or_couplings_has_the_title_that_its_rule_says(measured, draw, said):
    names = ("births", "assemblies", "sharing", "unit_lives", "scores", "bases")
    section = draw(spoken(measured, **dict.fromkeys(names, Said("Of another."))))
    assert section.title == "Of another." and section.seen and section.null
    spoken(measured, **(dict.fromkeys(names, Said("Of another.")) | {section.key: said}))
    assert draw(measured).title == said.sentence
