"""What is planted is said, with its place; what is noise is not said."""

import json
import math

import numpy as np
import pytest
import xarray as xr

from ontogeny.errors import RunError
from ontogeny.measure import Chance, detectors, ending, graphs, measure_record, structure
from ontogeny.measure.categories.likeness_models import with_onsets
from ontogeny.statements import (
    FILE,
    RULES,
    Findings,
    Said,
    Statement,
    Unsaid,
    Where,
    geometry,
    harvest,
    harvest_run,
    holding,
    learning,
    ranked,
    read,
)
from records import TOKENS, make_record, make_run

FEW = Chance(n_shuffles=99, n_resamples=50)


def findings(record):
    return Findings(
        record, measure_record(record, chance=FEW), structure(record, chance=FEW),
        detectors(record, chance=FEW), graphs(record, chance=FEW),
    )  # fmt: skip


@pytest.fixture(scope="module")
def planted():
    return findings(make_record(strength=4.0))


def statements_of(rule, found):
    return getattr(rule(found), "statements", ())


def observation(kind="a kind", subject="x", effect=2.0, bound=1.0, **more):
    values = {
        "text": f"{subject} has {effect}", "units": "1", "low": effect - 1, "high": effect + 1,
        "interval": "95 %", "null": "shuffled", "where": Where("timeline", 3),
    }  # fmt: skip
    return Statement(kind, subject, effect=effect, bound=bound, **(values | more))


def test_layers_and_tokens_are_said_where_they_were_planted(planted):
    said = {(o.kind, o.subject): o for o in harvest(planted)}
    steps = planted.record["step"].values.tolist()
    logits = said["a layer stands out", "logits"]
    assert logits.where.step == steps[4] and logits.where.layer == "logits"
    assert "between steps 3 and 4" in logits.text
    assert {subject for kind, subject in said if kind == "a token is classified"} == set(TOKENS)
    assert ("all tokens are separated", "fc1") in said or (
        "all tokens are separated",
        "logits",
    ) in said


def test_every_statement_is_whole(planted):
    made = harvest(planted)
    assert made
    for one in made:
        assert one.strength >= 1 and one.text.endswith(".") and one.null and one.interval
        assert one.where.view in {"timeline", "categories", "detectors", "construction"}
        assert one.where.step in planted.record["step"].values
        assert one.low <= one.high


@pytest.mark.parametrize("seed", range(4))
def test_noise_makes_no_statement(seed):
    found = harvest(findings(make_record(rises={}, seed=seed)))
    true = {"no single coupling stands out"}
    assert [o.kind for o in found if o.kind not in true] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_a_whole_sentence_or_why_it_is_silent(planted, rule):
    for data in (planted, Findings(planted.record)):
        found = rule(data)
        assert isinstance(found, Said | Unsaid)
        assert found.sentence[0].isupper() or found.sentence[0].isdigit()
        assert found.sentence.endswith(".")
        assert "nan" not in found.sentence.split()
    assert rule.about and rule.seen_in
    assert {one.kind for one in getattr(rule(planted), "statements", ())} <= set(rule.kinds)


def test_every_kind_is_made_by_one_rule_only():
    kinds = [kind for rule in RULES for kind in rule.kinds]
    assert len(kinds) == len(set(kinds)) and len({rule.name for rule in RULES}) == len(RULES)


def test_nothing_measured_nothing_said():
    record = make_record(rises={})
    assert harvest(Findings(record.drop_vars("logit"))) == []


def test_memorising_is_said_where_loss_rises_again():
    record = make_record(strength=1.5)
    logit = record["logit"].values
    logit[8:] *= np.linspace(2, 6, len(logit) - 8)[:, None, None]
    found = learning.memorised(Findings(record, ending(record)))
    assert isinstance(found, Said)
    (one,) = found.statements
    assert one.text == found.sentence and one.where.step < record["step"].values[9] and one.low > 0
    record = make_record(rises={})
    assert isinstance(learning.memorised(Findings(record, ending(record))), Unsaid)


def gap(values, low, after, by):
    n = len(values)
    return xr.Dataset(
        {"clone_gap": ("step", values), "clone_gap_low": ("step", low),
         "clone_gap_high": ("step", np.array(values) + 0.05), "clone_gap_after": after,
         "clone_gap_by": by, "clone_gap_confidence_after": after,
         "clone_gap_confidence_by": by, "real_accuracy": ("step", np.full(n, 0.9)),
         "clone_accuracy": ("step", 0.9 - np.array(values))},
        {"step": np.arange(n)},
    )  # fmt: skip


def test_what_clones_lack_is_said_from_its_onset_on():
    record = make_record(rises={})
    found = Findings(record, structure=gap([0.0, 0.1, 0.2], [-0.05, 0.05, 0.15], 0.0, 1.0))
    said = learning.clones(found)
    assert isinstance(said, Said)
    (one,) = said.statements
    assert one.text.startswith("The network begins to classify real exemplars better than their")
    assert (one.effect, one.low) == (0.2, 0.15) and one.strength == pytest.approx(4)
    for lost in (gap([0.0, 0.1, 0.2], [-0.05, 0.05, 0.15], 2.0, math.inf),
                 gap([0.0, 0.1, 0.0], [-0.05, 0.05, -0.01], 0.0, 1.0)):  # fmt: skip
        assert isinstance(learning.clones(Findings(record, structure=lost)), Unsaid)


def resembling(rsa, beyond, low):
    """Likeness of conv1 and fc1 to tokens and pixels; every null is passed at .1."""
    flat = ("step", "layer", "model")
    values = {"rsa": rsa, "beyond": beyond, "low": low, "high": np.array(rsa) + 0.1}
    data = {f"model_{name}": (flat, np.array(v, dtype=float)[None]) for name, v in values.items()}
    nulls = {f"model_{name}threshold": (("layer", "model"), np.full((2, 2), 0.1))
             for name in ("", "beyond_")}  # fmt: skip
    where = {"step": [9], "layer": ["conv1", "fc1"], "model": ["token", "pixels"]}
    structure = with_onsets(xr.Dataset(data | nulls, where))
    return Findings(make_record(rises={}), structure=structure)


def test_what_distances_resemble_is_said_of_the_layer_that_does_most():
    said = statements_of(geometry.resemble, resembling(
        [[0.3, 0.7], [0.6, 0.2]], [[0.2, 0.5], [0.4, 0.0]], [[0.2, 0.6], [0.5, 0.12]]
    ))  # fmt: skip
    assert [o.subject for o in said] == ["token in fc1", "pixels in conv1"]
    assert "resemble the tokens most in fc1" in said[
        0
    ].text and "once the pixels are accounted for." in (said[0].text)


def test_likeness_that_other_models_explain_or_that_is_not_sure_is_not_said():
    rsa = [[0.3, 0.7], [0.6, 0.2]]
    assert statements_of(geometry.resemble, resembling(rsa, [[0.0] * 2] * 2, rsa)) == ()
    assert statements_of(geometry.resemble, resembling(rsa, rsa, [[0.05] * 2] * 2)) == ()


def test_tokens_are_ordered_only_by_intervals_that_lie_apart(planted):
    measures = planted.measures.copy(deep=True)
    rows = np.flatnonzero(measures["kind"].values == "token")
    ends = {"after": (1, 10, 3), "by": (2, 12, 11),
            "confidence_after": (1, 9, 1), "confidence_by": (3, 14, 20)}  # fmt: skip
    for name, values in ends.items():
        measures[name].values[rows] = values
    said = statements_of(learning.classified, Findings(planted.record, measures))
    said = [one for one in said if one.kind == "one token before another"]
    assert [o.subject for o in said] == ["ada before bo"]
    assert said[0].effect == pytest.approx(13 / 3) and said[0].low == pytest.approx(10 / 4)


def test_what_does_not_survive_is_left_out_and_kinds_take_turns():
    many = [observation("units", f"u{k}", effect=10.0 + k) for k in range(3)]
    weak, other = observation("units", "weak", effect=0.5), observation("layers", "conv1")
    order = [(o.kind, o.subject) for o in ranked([*many, weak, other])]
    assert order == [("units", "u2"), ("layers", "conv1"), ("units", "u1"), ("units", "u0")]
    assert ranked([observation(effect=math.nan)]) == []


def test_observations_are_kept_in_the_run_and_read_back(tmp_path):
    run = make_run(tmp_path / "run", make_record(strength=4.0))
    found = harvest_run(run)
    assert found and read(run.path) == found
    entry = json.loads((run.path / FILE).read_text())["observations"][0]
    assert entry["where"]["view"] and entry["strength"] >= 1


def test_no_observations_are_one_sentence(tmp_path):
    with pytest.raises(RunError, match=r"expected observations in .*observations.json, got"):
        read(tmp_path)


def test_statements_of_several_runs_are_counted():
    runs = {
        "a": [observation(subject="x", effect=3.0), observation("other", "y")],
        "b": [observation(subject="x", effect=2.0), observation(subject="x", effect=1.5)],
        "c": [],
    }
    rows = holding(runs)
    assert (rows[0].subject, rows[0].runs, rows[0].n_runs) == ("x", ("a", "b"), 3)
    assert (rows[0].low, rows[0].high, rows[0].text) == (2.0, 3.0, "x has 3.0")
    assert rows[1].runs == ("a",)
