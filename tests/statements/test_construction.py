"""Construction is said where it was planted, with its order; noise and what wavers are not."""

import numpy as np
import pytest

from gain_records import with_recombinations
from ontogeny.measure import Chance, gains
from ontogeny.statements import Findings, first_sentences, say_all
from ontogeny.statements.construction import RULES, parents, strongest
from ontogeny.statements.rule import Said, Unsaid
from records import make_record

FEW = Chance(n_shuffles=199, n_resamples=60)
BY_NAME = {rule.name: rule for rule in RULES}
LAYERS = {"conv1": 24, **{f"conv{k}": 12 for k in range(2, 7)}, "fc1": 12}
STEPS = (0, 1, 2, 4, 7, 12, 20, 33, 55, 90)
DOWN = {"conv2": 6, "conv3": 5, "conv4": 4, "conv5": 3, "conv6": 2}
UP = {"conv2": 2, "conv3": 3, "conv4": 4, "conv5": 5, "conv6": 6}


def findings(**options):
    record = with_recombinations(layers=LAYERS, steps=STEPS, exemplars=40, **options)
    return Findings(record, gains=gains(record, chance=FEW))


@pytest.fixture(scope="module")
def told():
    return findings(rises=DOWN, builds=("conv5",), rectified=1.0, seed=1)


@pytest.fixture(scope="module")
def noise():
    return findings(seed=4)


def changed(told, **values):
    """Return findings in which some measures of construction are others."""
    data = told.gains.copy(deep=True)
    for name, value in values.items():
        data[name].values[...] = value
    return Findings(told.record, gains=data)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_noise_says_nothing_but_that_nothing_is_shown(rule, noise):
    unknown = rule(Findings(make_record()))
    for said in (rule(noise), unknown):
        assert isinstance(said, Unsaid), said
        assert said.sentence[0].isupper() and said.sentence.endswith(".")
    assert not unknown.is_measured and "is not known" in unknown.sentence


def test_the_layers_that_construct_are_said_with_the_highest_share(told):
    said = BY_NAME["constructed"](told)
    assert [one.subject for one in said.statements] == list(DOWN)
    assert said.sentence.startswith("conv2 to conv6 construct: at the end ")
    assert said.sentence.endswith("conv1 and fc1 are not shown to.")
    share = told.gains["constructed_share"].sel(step=90)
    for one in said.statements:
        assert one.effect == pytest.approx(float(share.sel(layer=one.subject)))
        assert one.low <= one.effect <= one.high and one.strength > 1


def test_a_share_within_the_bound_of_all_layers_is_not_said(told):
    quiet = changed(told, constructs=0)
    assert "in any layer" in BY_NAME["constructed"](quiet).sentence
    one = BY_NAME["constructed"](changed(told, constructs=[0, 0, 0, 1, 0, 0, 0, 0]))
    assert one.sentence.startswith("conv4 constructs: ")


def test_too_few_snapshots_are_said_to_be_the_reason(told):
    missing = changed(told, layer_construction_by=np.nan)
    assert "fewer than three snapshots" in BY_NAME["constructed"](missing).sentence


@pytest.mark.parametrize(
    ("rises", "kind", "first"), [(DOWN, "construction goes down", "conv6"),
                                 (UP, "construction goes up", "conv2")])  # fmt: skip
def test_construction_is_said_to_go_up_or_down(rises, kind, first):
    said = BY_NAME["construction order"](findings(rises=rises, seed=1))
    (one,) = said.statements
    assert one.kind == kind and one.low > 0 and one.effect > one.bound
    assert f"it begins in {first}" in said.sentence


def test_an_order_that_layers_in_random_order_have_is_none(told):
    said = BY_NAME["construction order"](changed(told, construction_order_bound=1.0))
    assert isinstance(said, Said) and said.statements == ()
    assert said.sentence.startswith("Construction begins in ")


def test_layers_whose_intervals_overlap_are_not_ordered(told):
    vague = {"layer_construction_confidence_after": 0.0, "layer_construction_confidence_by": 90.0}
    said = BY_NAME["construction order"](changed(told, construction_order_bound=1.0, **vague))
    assert isinstance(said, Unsaid) and said.sentence.startswith("The intervals of all layers")


def test_gain_that_pre_activations_lack_is_made_by_rectification(told):
    said = BY_NAME["rectified"](told)
    (one,) = said.statements
    assert one.kind == "rectification makes most of the gain" and one.low > one.bound
    other = BY_NAME["rectified"](findings(rises=DOWN, rectified=0.0, seed=1))
    assert [o.kind for o in other.statements] == ["pre-activations have most of the gain"]
    half = changed(told, rectified_share_constructed_low=0.4)
    assert BY_NAME["rectified"](half).statements == ()


def test_the_top_layer_is_said_to_inherit_where_it_does_more_than_those_below(told):
    (one,) = BY_NAME["top layer"](told).statements
    assert one.subject == "fc1" and one.low > one.bound
    below = float(told.gains["inherited_share_high"].sel(step=90, layer=list(DOWN)).max())
    assert one.bound == pytest.approx(below)
    alike = changed(told, inherited_share_low=0.05)
    assert isinstance(BY_NAME["top layer"](alike), Unsaid)


def test_layers_build_where_dealt_ancestors_take_what_they_add(told):
    said = BY_NAME["building"](told)
    assert {one.subject for one in said.statements} == {"conv5"}
    assert said.sentence.startswith("conv5 builds on what the layer below had added")
    assert {one.kind for one in said.statements} == set(BY_NAME["building"].kinds)


def test_units_that_combine_are_named_one_of_a_layer(told):
    said = BY_NAME["combining"](told)
    assert 1 <= len(said.statements) <= 3
    assert len({one.where.layer for one in said.statements}) == len(said.statements)
    for one, unit in zip(said.statements, strongest(told), strict=True):
        at = told.gains.sel(step=90).isel(unit=unit)
        assert one.where.unit == str(at["unit"].values) and int(at["kind"]) == 2
        assert one.effect > one.bound and float(at["emergent_low"]) > 0
        best = int(np.nanargmax(at["gain_feature"].values))
        assert str(at["feature"].values[best]) in one.subject


def test_a_unit_of_no_more_gain_than_the_best_by_chance_is_not_named(told):
    said = BY_NAME["combining"](changed(told, gain_bound=2.0))
    assert isinstance(said, Unsaid) and "by chance" in said.sentence


def test_parents_are_named_where_more_stand_out_than_by_chance(told):
    unit = next(u for u in strongest(told) if str(told.gains["unit"].values[u]).startswith("conv2"))
    name = str(told.gains["unit"].values[unit])
    mine = np.flatnonzero(told.record["target"].values == name)
    data = told.gains.copy(deep=True)
    data["edge_gain"].values[-1, mine[[3, 5]]] = [7.0, 9.0]
    data["edge_gain_p"].values[-1, mine] = 1.0
    data["edge_gain_p"].values[-1, mine[[3, 5]]] = 0.05
    data["parents_beyond"].values[-1, unit] = 2
    few = Findings(told.record, gains=data)
    assert "no parent stands out" in BY_NAME["combining"](few).sentence
    assert len(parents(few, unit)) == 1
    many = Findings(told.record, gains=data.assign(parents_bound=data["parents_bound"] * 0 + 1))
    assert parents(many, unit)[1:] == ["conv1:5", "conv1:3"] or "conv1:5" in parents(many, unit)[0]
    (text,) = [one.text for one in BY_NAME["combining"](many).statements if one.where.unit == name]
    assert "most is added by conv1:5 (" in text


def test_an_order_of_all_layers_is_said_with_its_bound_where_no_two_can_be_ordered(told):
    wide = changed(told, layer_construction_confidence_after=-np.inf,
                   layer_construction_confidence_by=np.inf)  # fmt: skip
    said = BY_NAME["construction order"](wide)
    value, bound = (float(told.gains[f"construction_order{end}"]) for end in ("", "_bound"))
    assert f"tau of depth and onset is {value:.2f} (95 %: " in said.sentence
    assert f"in random order at most {bound:.2f} in size)" in said.sentence
    assert said.sentence.endswith("so that no two of them can be ordered.")


def test_units_that_combine_are_counted_with_what_chance_gives(told):
    lead = BY_NAME["combining"](told).sentence
    assert "constructed units of conv2 to conv6, " in lead and "one in 40 would be" in lead


def test_construction_leads_the_first_sentences_where_it_was_measured(told):
    first = first_sentences(say_all(told))
    assert first[0].startswith("conv2 to conv6 construct")
    assert "goes down" in first[0] and "combine" in first[1] and "builds on" in first[2]
    without = first_sentences(say_all(Findings(make_record())))
    assert len(first) == len(without) + 3
