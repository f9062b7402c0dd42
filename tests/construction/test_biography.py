"""A detector's life: its numbers are those of the measures, its sentences what they support."""

import json

import numpy as np
import pytest
import xarray as xr

torch = pytest.importorskip("torch")

import ontogeny as ont  # noqa: E402
from example_run import NAME, make  # noqa: E402
from ontogeny.cli import main  # noqa: E402
from ontogeny.construction import telling  # noqa: E402
from ontogeny.errors import InputError, RunError  # noqa: E402

pytestmark = pytest.mark.torch
UNIT = "conv2:3"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("told")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        make()
    run = ont.Run.open(place / NAME)
    for name in ("gains", "detectors", "measures"):
        ont.measure.measure_run(run, name)
    return run


@pytest.fixture(scope="module")
def told(run):
    return ont.biography(run, UNIT)


def test_its_course_is_its_row_of_the_measures(run, told):
    gains = ont.measure.open_measures(run, "gains").sel(unit=UNIT)
    for name in ("selectivity", "inherited", "p", "kind", "emergent", "construction_by"):
        np.testing.assert_array_equal(told.data[name].values, gains[name].values)
    seen = np.isfinite(gains["inherited"].values)
    assert set(told.data["step"].values[seen]) <= set(told.data["observed_step"].values)
    lives = ont.measure.open_measures(run, "detectors").sel(unit=UNIT)
    for end in ("after", "by", "confidence_after", "confidence_by"):
        assert float(told.data[f"tuned_{end}"]) == float(lives[f"tuned_{end}"])


@pytest.mark.parametrize(("side", "mine", "other"), [("parent", "target", "source"),
                                                     ("child", "source", "target")])  # fmt: skip
def test_relatives_are_those_of_a_loop_over_edges(run, told, side, mine, other):
    gains = ont.measure.open_measures(run, "gains")
    record, found = ont.open_record(run.path), []
    at_end = gains.isel(edge_step=-1)
    ends = {name: record[name].values.astype(str) for name in ("source", "target")}
    gain, p = at_end["edge_gain"].values, at_end["edge_gain_p"].values
    compared = beyond = 0
    for edge in range(record.sizes["edge"]):
        if ends[mine][edge] == UNIT:
            is_sure = bool(p[edge] <= 0.05 + 1e-9)
            compared, beyond = compared + bool(np.isfinite(p[edge])), beyond + is_sure
            found.append((not is_sure, -gain[edge], ends[other][edge]))
    names = [name for *_, name in sorted(found)][:4]
    assert told.data[side].values.tolist() == names
    assert int(told.data[f"{side}_compared"][-1]) == compared
    assert int(told.data[f"{side}_beyond"][-1]) == beyond
    kinds = gains["kind"].isel(step=-1).sel(unit=[n for n in names if ":" in n and n[0] != "p"])
    np.testing.assert_array_equal(told.data[f"{side}_kind"].values, kinds.values)


def test_the_roll_back_is_that_of_its_own(run, told):
    found = ont.roll_back(run, UNIT)
    np.testing.assert_array_equal(told.data["margin_change"].values, found["margin_change"].values)
    assert told.data["rolled_step"].values.tolist() == found["step"].values.tolist()


def test_every_number_has_a_definition(told):
    assert all(v.attrs.get("long_name") for v in told.data.data_vars.values())


def test_a_token_is_its_logit_and_its_feature(run):
    told = ont.biography(run, "bo")
    assert told.name == "bo"
    assert told.data.attrs["unit"] == "logits:1"
    said = "The hidden units that add most to discriminating bo"
    assert any(sentence.startswith(said) for sentence in told.sentences)
    gains = ont.measure.open_measures(run, "gains").isel(step=-1).sel(feature="bo")
    hidden = [u for u in gains["unit"].values if not u.startswith("logits")]
    best = max((float(gains["gain_feature"].sel(unit=u)), u) for u in hidden
               if float(gains["p_feature"].sel(unit=u)) <= 0.05 + 1e-6)  # fmt: skip
    assert told.data["detector"].values[0] == best[1]
    np.testing.assert_allclose(told.data["readout"].values, gains["readout"].values)


def life(**more):
    """A life with the numbers that are given."""
    kind = np.array([0, -1, 0, 1, 2, 2])
    data = {
        "selectivity": ("step", np.linspace(0, 0.5, 6)), "kind": ("step", kind),
        "inherited": ("step", np.full(6, 0.2)), "gain": ("step", np.linspace(-0.2, 0.3, 6)),
        "p": ("step", np.array([0.5, np.nan, 0.5, 0.05, 0.05, 0.05])),
        "gain_linear": ("step", np.full(6, 0.1)), "gain_rectified": ("step", np.full(6, 0.2)),
        "emergent": ("step", np.full(6, 0.1)), "emergent_low": ("step", np.full(6, 0.02)),
        "emergent_high": ("step", np.full(6, 0.18)),
        "best_parent_selectivity": ("step", np.full(6, 0.4)),
        "construction_after": 10.0, "construction_by": 20.0,
    }  # fmt: skip
    where = {"step": [0, 5, 10, 20, 40, 80], "best_parent": ("step", ["conv1:4"] * 6)}
    about = {"unit": "conv2:3", "layer": "conv2", "layers": ["conv1", "conv2"], "deals": 19}
    return xr.Dataset(data, where, about).assign(more)


def test_sentences_say_the_numbers():
    assert telling.kinds(life()) == (
        "At the 5 steps at which recombinations were observed it inherits from 0 to 10, then "
        "selects at 20, then combines from 40 to 80 (selecting or combining by chance: 1 in 20)."
    )
    assert telling.constructed(life()) == (
        "It is constructed between steps 10 and 20: to the end no recombination reaches it (19 "
        "recombinations, one unit in 20 by chance)."
    )
    assert telling.added(life()) == (
        "At step 80 its recombinations have a selectivity of 0.20 on average; to that it adds 0.30 "
        "(none of 19 reaches it, p = 0.05): +0.10 by the weights and +0.20 by the nonlinearity "
        "behind them."
    )
    assert telling.best_parent(life()) == (
        "Its best parent, conv1:4, has a selectivity of 0.40; it has 0.10 more (95 %: +0.02 to "
        "+0.18), so it does more than any parent."
    )


def test_what_is_not_supported_is_not_said():
    unsure = life(emergent_low=("step", np.full(6, -0.02)))
    assert "which is no sure difference" in telling.best_parent(unsure)
    never = life(construction_by=np.inf, construction_after=80.0)
    assert "it is not counted as constructed" in telling.constructed(never)
    asleep = life(selectivity=("step", np.full(6, np.nan)), kind=("step", np.full(6, -1)))
    assert "it is inactive" in telling.what_it_is(asleep)
    assert [telling.kinds(asleep), telling.added(asleep), telling.best_parent(asleep)] == [""] * 3
    shaky = life(changed_after=("role_change", [5.0]), changed_by=("role_change", [10.0]),
                 change_share=("role_change", [0.6]))  # fmt: skip
    shaky = shaky.assign_coords(token_before=("role_change", ["ada"]),
                                token_after=("role_change", ["bo"]))  # fmt: skip
    assert telling.roles(shaky) == ""
    sure = shaky.assign(change_share=("role_change", [0.97]))
    words = "from ada to bo between steps 5 and 10 (in 97.0 % of resamples)."
    assert telling.roles(sure) == f"Its preferred token changed {words}"


def test_the_figure_shows_what_there_is(told):
    figure = told.draw()
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert {"selectivity", "change of margin (logits)"} <= set(labels)
    words = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert "parents that add most" in words
    assert told.data["parent"].values[0] in words
    assert "<img" in told._repr_html_()


def test_a_run_without_recombinations_tells_the_rest(run, tmp_path):
    out = tmp_path / "run"
    twin = run.fork(run.steps[-1], out)
    ont.observe(twin, couplings=False)
    told = ont.biography(twin, UNIT)
    assert "selectivity" in told.data
    assert "inherited" not in told.data
    assert any("the record has no recombinations" in sentence for sentence in told.sentences)
    told.draw()


def test_what_is_not_there_is_told(run, tmp_path):
    with pytest.raises(InputError, match="expected a unit or a token of this run, got conv9:0"):
        ont.biography(run, "conv9:0")
    with pytest.raises(RunError):
        ont.biography(tmp_path, UNIT)
    with pytest.raises(InputError, match=r"got life\.gif"):
        ont.biography(run, UNIT).save(tmp_path / "life.gif")


def test_the_command_says_the_sentences_and_writes_the_figure(run, told, tmp_path, capsys):
    assert main(["biography", str(run.path), UNIT]) == 0
    said = capsys.readouterr().out.splitlines()
    figure = run.path / "figures" / "biography-conv2-3.png"
    assert said == [*told.sentences, f"look at {figure}"]
    assert figure.read_bytes().startswith(b"\x89PNG")
    page = tmp_path / "life.html"
    assert main(["biography", str(run.path), "bo", "--out", str(page), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "bo"
    assert found["figure"] == str(page)
    assert found["sentences"][0] in page.read_text().replace("&#x27;", "'")
