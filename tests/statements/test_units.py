"""Lives of units are said where they were planted; noise, ties and early changes are not."""

import numpy as np
import pytest
import xarray as xr

from graph_records import quiet_record
from ontogeny.measure import Chance, detectors, graphs, measure_record
from ontogeny.measure.couplings.carrying import carrying
from ontogeny.measure.units.conjunctions import conjunctions
from ontogeny.measure.units.mixtures import beside_rotations
from ontogeny.statements import Findings
from ontogeny.statements.rule import Said, Unsaid
from ontogeny.statements.units import RULES
from records import STEPS, TOKENS, described, make_record

FEW = Chance(n_shuffles=59, n_resamples=40)
BY_NAME = {rule.name: rule for rule in RULES}
scores, unit_lives, bases, carriers, conjoined = (BY_NAME[n] for n in (
    "scores", "unit_lives", "bases", "carriers", "conjunctions"))  # fmt: skip


def planted(seed=0, n=40):
    """Units tuned from 5 on; two changing at 6; tuned from 2 and silent from 8; silent to 4."""
    rng = np.random.default_rng(seed)
    token = np.repeat(np.arange(3), n)
    a = np.abs(rng.standard_normal((1, 3 * n, 8)))
    a = a + np.abs(0.02 * rng.standard_normal((len(STEPS), 3 * n, 8)))
    a[5:, token == 1, 0] += 3
    for unit in (1, 2):
        a[:6, token == 0, unit] += 3
        a[6:, token == 2, unit] += 3
    a[2:, token == 2, 3] += 3
    a[8:, :, 3] *= 1e-4
    a[5:, token == 1, 4] += 3
    a[:4, :, 4] = 0
    record = make_record(layers={"conv1": 8}, exemplars=n, seed=seed).drop_vars("activation")
    logits = rng.standard_normal((len(STEPS), 3 * n, 3))
    both = np.concatenate([a, logits], axis=2).astype(np.float32)
    return described(record.assign(activation=(("step", "exemplar", "unit"), both)))


@pytest.fixture(scope="module")
def told():
    record = planted()
    return Findings(record, detectors=detectors(record, chance=FEW))


@pytest.fixture(scope="module")
def noise():
    record = quiet_record(rises={}, seed=3)
    record["coupling_contrast"].values[:] = record["coupling_contrast"].values[:1]
    return Findings(record, measure_record(record, chance=FEW),
                    detectors=detectors(record, chance=FEW),
                    graph=graphs(record, chance=FEW))  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_noise_says_nothing_of_units_but_that_nothing_is_shown(rule, noise):
    unknown = Findings(make_record())
    for said in (rule(noise), rule(unknown)):
        assert isinstance(said, Unsaid), said
        assert said.sentence[0].isupper() and said.sentence.endswith(".")
    assert "is not known" in rule(unknown).sentence
    assert "is not known" not in rule(noise).sentence


def changed(told, **values):
    """Return findings in which some measures of units are others."""
    data = told.detectors.copy(deep=True)
    for name, value in values.items():
        data[name].values[:] = value
    return Findings(told.record, detectors=data)


def of_kinds(said, *words):
    found = said.statements if isinstance(said, Said) else ()
    return [one for one in found if one.kind.endswith(words)]


# Lives ------------------------------------------------------------------------------------------


def test_lives_are_told_in_one_sentence_that_counts_what_is_stated(told):
    said = unit_lives(told)
    assert said.sentence.endswith(
        "of 8 units are tuned to a token; on the way 2 change their token, 1 becomes inactive and "
        "stays so and 1 becomes active again."
    )
    assert {one.kind for one in said.statements} == set(unit_lives.kinds)


def test_a_role_is_said_to_change_with_both_tokens(told):
    many, *single = of_kinds(unit_lives(told), "role")
    assert (many.kind, many.subject, many.effect) == ("units change their role", "conv1", 2)
    assert "most often from ada to cy" in many.text
    assert {o.subject for o in single} == {"conv1: ada to cy"}
    assert {o.where.unit for o in single} == {"conv1:1", "conv1:2"}
    assert "between steps 6 and 8" in single[0].text.replace("4 and 6", "6 and 8")
    assert single[0].where.token == "cy" and single[0].strength >= 1


def test_a_change_that_resamples_do_not_show_is_no_change(told):
    said = unit_lives(changed(told, change_share=0.9))
    assert of_kinds(said, "role") == [] and "change their token" not in said.sentence


def test_one_sure_change_among_many_is_not_told_of_the_layer_nor_of_the_unit(told):
    data = told.detectors.copy(deep=True)
    data["change_share"].values[:] = 0.9
    data["change_share"].values[0] = 1
    assert of_kinds(unit_lives(Findings(told.record, detectors=data)), "role") == []


def test_silence_is_said_of_the_layer_and_of_the_unit_that_was_tuned(told):
    many, single = of_kinds(unit_lives(told), "inactive")
    assert (many.kind, many.subject, many.effect) == ("units become inactive", "conv1", 1)
    assert (single.subject, single.where.unit) == ("conv1: cy", "conv1:3")
    assert single.where.step == STEPS[8]
    assert "becomes inactive and stays so between steps 11 and 15" in single.text
    assert single.low <= single.effect <= single.high + 1e-9


@pytest.mark.parametrize(("end", "value"), [("confidence_by", np.inf), ("after", -np.inf)])
def test_silence_that_is_not_sure_or_was_there_from_the_start_is_not_said(told, end, value):
    said = unit_lives(changed(told, **{f"dormant_{end}": value}))
    assert of_kinds(said, "inactive") == [] and "inactive" not in said.sentence


def test_no_more_silent_units_than_may_be_doubtful_are_not_said(told):
    data = told.detectors.copy(deep=True)
    wide = data.isel(unit=np.repeat(np.arange(data.sizes["unit"]), 30))
    data = wide.assign(dormant_by=wide["dormant_by"].copy(deep=True))
    found = np.flatnonzero(np.isfinite(data["dormant_by"].values))
    data["dormant_by"].values[found[5:]] = np.inf
    said = unit_lives(Findings(told.record, detectors=data))
    assert len(found) == 30 and of_kinds(said, "inactive") == []


def test_a_revival_is_said_with_the_token_told_after_it(told):
    many, single = of_kinds(unit_lives(told), "revive", "revives")
    assert many.text == "1 of the 8 units of conv1 become active again, at step 4."
    assert single.text.startswith(
        "The unit conv1:4, which then discriminates bo from the other tokens"
    )
    assert "becomes active again between steps 3 and 4" in single.text


# Tuning -----------------------------------------------------------------------------------------


def tuned(told, score, low, high):
    """Five of the eight units of conv1 have this score at the end, no unit any at the start."""
    data = told.detectors.copy(deep=True)
    mine = data["layer_of_unit"].values == "conv1"
    for name, value in (("score", score), ("score_low", low), ("score_high", high)):
        data[name].values[:, mine] = 0.5
        data[name].values[-1, np.flatnonzero(mine)[:5]] = value
    return Findings(told.record, detectors=data)


def test_tuned_units_are_counted_beyond_those_of_the_start(told):
    said = scores(tuned(told, 0.9, 0.85, 0.95))
    (one,) = said.statements
    assert (one.subject, one.effect, one.low) == ("conv1", 5, 5)
    assert "5 of the 8 units of conv1 discriminate a token" in one.text
    assert "none did at step 0" in one.text
    assert said.sentence == (
        "The share of units that discriminate a token, of those that respond at all, rises most in "
        "conv1, from 0.0 % before training to 62.5 %."
    )


def test_units_that_never_respond_do_not_lower_the_share(told):
    found = tuned(told, 0.9, 0.85, 0.95)
    found.detectors["score"].values[:, 5:7] = np.nan
    assert scores(found).sentence.endswith("to 83.3 %.")


def test_units_whose_intervals_reach_the_bound_are_not_shown_to_be_more(told):
    said = scores(tuned(told, 0.9, 0.5, 0.95))
    assert said == Unsaid(
        "In no layer is the number of units that discriminate a token shown to rise."
    )


# Mixtures ---------------------------------------------------------------------------------------


def rotations(own, low=0.5, high=0.7):
    """Directions of layers, as many of them outside the rotations' range as `own` says."""
    layer = [f"conv{k + 1}" for k in range(len(own))]
    flat, shape = ("direction_step", "layer"), (1, len(own))
    data = xr.Dataset(
        {
            "tuned_share": (("direction_step", "basis", "layer"), np.array(own)[None, None]),
            "tuned_share_rotated": (flat, np.full(shape, (low + high) / 2)),
            "tuned_share_rotated_low": (flat, np.full(shape, low)),
            "tuned_share_rotated_high": (flat, np.full(shape, high)),
        },
        {"direction_step": [42], "basis": ["units"], "layer": layer},
    )
    return Findings(make_record(), detectors=data.merge(beside_rotations(data)))


@pytest.mark.parametrize(
    ("own", "kinds", "sentence"),
    [
        ([0.4] * 3 + [0.6] * 6, ["mixtures discriminate better than channels"],
         "Channels discriminate tokens less often than random mixtures of them in conv1 to conv3."),
        ([0.8] * 4 + [0.6] * 5, ["channels discriminate better than mixtures"],
         "Channels discriminate tokens more often than random mixtures of them in conv1 to conv4."),
        ([0.8] * 4 + [0.6] * 2 + [0.4] * 3,
         ["channels discriminate better than mixtures",
          "mixtures discriminate better than channels"],
         "Channels discriminate tokens more often than random mixtures of them in conv1 to conv4; "
         "less often in conv7 to conv9."),
    ],
)  # fmt: skip
def test_mixtures_are_compared_over_all_layers_at_once(own, kinds, sentence):
    said = bases(rotations(own))
    assert [o.kind for o in said.statements] == kinds and said.sentence == sentence
    assert said.statements[0].where.layer == "conv1"


@pytest.mark.parametrize("own", [[0.4] * 2 + [0.8] * 2 + [0.6] * 5, [0.5] * 9])
def test_as_many_layers_as_chance_gives_are_not_said(own):
    said = bases(rotations(own))
    assert isinstance(said, Unsaid) and "are not shown to discriminate" in said.sentence


# Conjunctions -----------------------------------------------------------------------------------


def combined(*, first):
    """All units tuned; conjunctions of units of token `first` begin at snapshot 2, others at 8."""
    record = make_record(layers={"conv1": 30, "fc1": 30}, rises={"logits": 5}, strength=6.0)
    units, tuned = record.sizes["unit"], np.arange(record.sizes["unit"]) % 3
    tuned = np.random.default_rng(0).permutation(tuned)
    begin = np.where(tuned == first, 2, 8) if first is not None else np.resize([2, 8], units)
    size = 0.01 + 0.5 * (np.arange(len(STEPS))[:, None] >= begin)
    record["interaction"].values[:] = size[:, :, None]
    data = xr.Dataset(
        {
            "score": (("step", "unit"), np.full((len(STEPS), units), 0.9)),
            "preferred": (("step", "unit"), np.tile(tuned, (len(STEPS), 1))),
            "score_threshold": ("layer", [0.7] * 3),
        },
        {"layer": ["conv1", "fc1", "logits"], "layer_of_unit": ("unit", record["layer"].values),
         "token": list(TOKENS)},
    )  # fmt: skip
    data = conjunctions(record, data, FEW)
    return Findings(record, measure_record(record, chance=FEW), detectors=data)


def test_conjunctions_are_said_to_come_first_only_for_the_token_they_serve():
    found = combined(first=1)
    said = conjoined(found)
    (one,) = said.statements
    assert one.subject == "bo" and one.effect == pytest.approx(1.0)
    assert one.where.view == "construction" and one.bound < 0.6
    row = (found.measures["kind"] == "token") & (found.measures["name"] == "bo")
    assert one.where.step == int(found.measures["after"].values[row.values][0]), "the same onset"
    assert said.sentence.startswith("Before the network classifies bo, conjunctions begin in more")


def test_conjunctions_that_begin_whatever_they_serve_are_not_said():
    assert isinstance(conjoined(combined(first=None)), Unsaid)


def test_before_a_token_that_is_never_classified_nothing_comes():
    found = combined(first=1)
    found.measures["by"].values[found.measures["kind"].values == "token"] = np.inf
    assert isinstance(conjoined(found), Unsaid)


# Carrying ---------------------------------------------------------------------------------------


def flow(pairs, seed=None, steps=STEPS):
    """Flow through 60 units of conv1, alike at all steps but for planted (unit, token) pairs."""
    rng, record = np.random.default_rng(1), make_record(layers={"conv1": 60, "fc1": 20})
    units = record["unit"].values.astype(str)
    values = rng.exponential(0.01, (len(steps), len(units), len(TOKENS)))
    for unit, token in pairs:
        values[4:, unit, token] = 0.5 + 0.01 * unit
    if seed is not None:
        values[:, :60] = values[:, np.random.default_rng(seed).permutation(60)]
    data = xr.Dataset(
        {"flow": (("step", "node", "token"), values)},
        {"step": list(steps), "node": units, "token": list(TOKENS),
         "layer": ["conv1", "fc1", "logits"],
         "node_layer": ("node", record["layer"].values.astype(str))},
    )  # fmt: skip
    return Findings(record, graph=data.merge(carrying(data, FEW)))


def test_units_that_carry_a_token_are_counted_and_the_strongest_named():
    said = carriers(flow([(u, 1) for u in range(15)]))
    (one,) = of_kinds(said, "come to carry tokens")
    assert (one.subject, one.where.unit, one.where.token) == ("conv1", "conv1:14", "bo")
    assert 15 <= one.effect <= 17 and "bo 15" in one.text
    assert said.sentence.startswith("No unit of the upper layers carries more")


def test_the_strongest_detectors_of_the_upper_layers_are_named():
    said = carriers(flow([(u, 1) for u in range(60, 75)]))
    assert said.sentence == (
        "What distinguishes a token passes through many units; the strongest detectors of the "
        "upper layers are fc1:14 for bo (124.0 %), each with a larger share than units of its "
        "layer had before training."
    )


def test_units_that_serve_several_tokens_are_counted_against_chance():
    said = carriers(flow([(u, t) for u in range(8) for t in (0, 2)]))
    (one,) = of_kinds(said, "carry several tokens")
    assert one.subject == "conv1" and one.effect == 8 > one.bound
    own = [(u, t) for t in range(3) for u in range(12 * t, 12 * t + 12)]
    kinds = {o.kind for o in carriers(flow(own)).statements}
    assert kinds == {"units come to carry tokens", "detectors carry one token"}


def test_what_is_not_carried_at_each_of_the_last_snapshots_is_not_said():
    found = flow([(u, 1) for u in range(15)])
    found.graph["carried_q"].values[0] = 1
    assert isinstance(carriers(found), Unsaid)


def test_as_many_shared_units_as_chance_gives_are_not_said():
    pairs = [(u, 0) for u in range(20)] + [(u, 2) for u in range(12, 32)]
    said = carriers(flow(pairs))
    assert [one.kind for one in said.statements] == ["units come to carry tokens"]


@pytest.mark.parametrize("seed", range(3))
def test_flow_like_that_of_untrained_weights_is_not_said(seed):
    said = carriers(flow([], seed))
    assert isinstance(said, Unsaid)
    assert said.sentence.startswith("No unit of the upper layers carries more")


def test_without_the_network_before_training_it_is_not_known_who_carries():
    found = carriers(flow([(u, 1) for u in range(15)], steps=STEPS[1:]))
    assert isinstance(found, Unsaid) and "is not known" in found.sentence
