"""What is planted in couplings is said; what chance and loud sources give is not."""

import numpy as np
import pytest
import xarray as xr

from graph_records import quiet_record
from ontogeny.measure import Chance, graphs
from ontogeny.measure.couplings.sharing import sharing_beyond
from ontogeny.measure.couplings.standing import bursts, couplings_beyond, grouping
from ontogeny.statements import Findings
from ontogeny.statements.couplings import RULES
from ontogeny.statements.rule import Said, Unsaid
from records import LAYERS, STEPS, make_record

N = len(STEPS)
LAYER = ["conv1", "conv2", "fc1", "logits"]
BY_NAME = {rule.name: rule for rule in RULES}
births, single, assemblies, sharing = (BY_NAME[n] for n in (
    "births", "single_couplings", "assemblies", "sharing"))  # fmt: skip


def graph(**variables):
    coordinates = {"step": list(STEPS), "layer": LAYER, "unit": make_record()["unit"].values}
    return xr.Dataset(variables, coordinates, {"hold": 3})


def found_in(data):
    return Findings(make_record(), graph=data)


def flat(value):
    return ("step", "layer"), np.broadcast_to(value, (N, len(LAYER))).copy()


# Single couplings -------------------------------------------------------------------------------


def edges(share):
    """A record of which this share of the couplings between hidden layers is beyond the bound."""
    record = quiet_record(layers={"conv1": 20, "conv2": 60, "fc1": 60})
    beyond = np.zeros(record.sizes["edge"], dtype=bool)
    if share:
        beyond[:: round(1 / share)] = True
    record["coupling"].values[:] = np.where(beyond, 0.9, 0.1)
    data = couplings_beyond(record, Chance()).assign_coords(step=record["step"].values)
    return Findings(record, graph=data)


def test_couplings_stand_out_where_more_than_chance_do():
    (one,) = single(edges(0.05)).statements
    assert one.kind == "couplings stand out" and one.effect == pytest.approx(0.05, abs=0.005)
    assert one.low > one.bound == pytest.approx(0.01)


def test_that_no_coupling_stands_out_is_said_with_its_numbers():
    said = single(edges(0.003))
    (one,) = said.statements
    assert one.kind == "no single coupling stands out" and one.strength > 1
    assert one.low <= one.effect <= one.high and one.low >= 1
    assert said.sentence == one.text


@pytest.mark.parametrize("share", [0.01, 0.0111, 0.0])
def test_as_many_couplings_as_chance_gives_are_neither(share):
    said = single(edges(share))
    assert isinstance(said, Unsaid) and "are not shown to" in said.sentence


def test_without_couplings_between_hidden_layers_nothing_is_known_of_them():
    record = quiet_record(layers={"fc1": 8})
    data = couplings_beyond(record, Chance()).assign_coords(step=record["step"].values)
    assert "is not known: fewer than two units" in single(Findings(record, graph=data)).sentence


# Births -----------------------------------------------------------------------------------------


def planted_births(at):
    births, unit = np.full((N, 4), 10), np.zeros((N, sum(LAYERS.values())), dtype=int)
    births[at, 1] = 90
    unit[at, 6:14] = 12
    data = graph(
        edge_births=(("step", "layer"), births), births_chance=flat(9.0), burst_bound=flat(40.0),
        unit_births=(("step", "unit"), unit),
    )  # fmt: skip
    return found_in(data.merge(bursts(make_record(), data, Chance())))


def test_a_burst_is_said_with_its_snapshot_and_layer():
    said = births(planted_births(5))
    assert said.sentence == "New couplings appear in bursts in conv2."
    (one,) = said.statements
    assert (one.subject, one.where.step, one.where.layer) == ("conv2", STEPS[5], "conv2")
    assert one.effect == 90 and one.low == one.high == 96 and "where chance gives 9." in one.text


@pytest.mark.parametrize("undated", [0, N - 1])
def test_births_that_cannot_be_dated_are_no_burst(undated):
    said = births(planted_births(undated))
    assert said == Unsaid("New couplings appear in no bursts beyond chance.")


def test_a_few_snapshots_hold_no_bursts():
    few = found_in(planted_births(5).graph.isel(step=slice(4)))
    assert "is not known: the record holds fewer than 5 snapshots" in births(few).sentence


# Assemblies -------------------------------------------------------------------------------------


def quality(values):
    null = 0.4 + np.linspace(-0.01, 0.01, 19)
    data = graph(
        quality=("quality_step", np.array(values, dtype=float)),
        quality_excess=("quality_step", np.array(values, dtype=float) - 0.4),
        quality_null=(("quality_step", "shuffle"), np.tile(null, (N, 1))),
    ).assign_coords(quality_step=list(STEPS))
    return found_in(data.merge(grouping(data)))


def test_assemblies_are_said_from_when_on_they_leave_their_null():
    said = assemblies(quality([0.4] * 6 + [0.5] * 6))
    (one,) = said.statements
    assert said.sentence == (
        "Couplings link units into groups more than by chance beginning between steps 6 and 8."
    )
    assert one.kind == "couplings form assemblies" and "Beginning between steps 6 and 8," in (
        one.text
    )
    assert "at the end is 0.50, and that of the null 0.40." in one.text
    assert one.effect == pytest.approx(0.1) and one.low == pytest.approx(0.09)


@pytest.mark.parametrize("values", [[0.405] * N, [0.5] * 10 + [0.4] * 2, [0.3] * N])
def test_assemblies_within_their_null_or_only_for_a_while_are_not_said(values):
    assert isinstance(assemblies(quality(values)), Unsaid)


# Sharing ----------------------------------------------------------------------------------------


def course(values, half=0.02, middle=0.5):
    value = np.full((N, 4), middle)
    value[:, 1] = values
    data = graph(layer_sharing=(("step", "layer"), value), sharing_low=flat(middle - half),
                 sharing_high=flat(middle + half))  # fmt: skip
    return found_in(data.merge(sharing_beyond(data)))


PEAK = [0.5, 0.5, 0.6, 0.7, 0.8, 0.8, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5]


def test_sharing_is_said_to_rise_and_fall_where_it_does():
    said = sharing(course(PEAK))
    (one,) = said.statements
    assert said.sentence == "The sharing index rises and falls in conv2."
    assert (one.kind, one.subject) == ("sharing rises and falls", "conv2")
    assert one.effect == pytest.approx(0.2) and one.where.step == STEPS[4]
    assert "rises from 0.50 to 0.80 at step 4 and falls to 0.50" in one.text
    (one,) = sharing(course([1 - v for v in PEAK])).statements
    assert one.kind == "sharing falls and rises"


def test_sharing_that_only_rises_does_not_turn():
    kinds = [one.kind for one in sharing(course(np.linspace(0.5, 0.9, N))).statements]
    assert kinds == ["tokens share units"]


def test_sharing_that_turns_within_chance_is_not_said():
    assert isinstance(sharing(course([0.5 + 0.1 * (v - 0.5) for v in PEAK])), Unsaid)


def test_own_and_common_units_are_told_apart_at_the_end():
    said = sharing(course([0.5] * 9 + [0.3] * 3))
    (one,) = said.statements
    assert (one.kind, one.subject) == ("tokens have units of their own", "conv2")
    assert said.sentence == "At the end tokens have units of their own in conv2, beyond chance."
    (one,) = sharing(course([0.5] * 9 + [0.8] * 3)).statements
    assert one.kind == "tokens share units" and one.effect == pytest.approx(0.3)
    assert isinstance(sharing(course([0.5] * 11 + [0.8])), Unsaid)


def test_what_was_so_before_training_is_said_to_have_been():
    assert sharing(course([0.8] * N)).sentence.endswith("beyond chance, as before training.")
    later = course([0.8] * N).graph.assign_coords(step=np.array(STEPS) + 5)
    assert "as before" not in sharing(found_in(later)).sentence
    turned = sharing(course([0.2] * 2 + [0.8] * (N - 2)))
    assert "as before" not in turned.sentence, "the other side of chance is not the same"


def test_the_title_claims_no_layer_that_only_an_uncorrected_bound_would_give():
    barely = course([0.5] * 9 + [0.525] * 3)
    assert barely.graph["layer_sharing"].values[-1, 1] > barely.graph["sharing_high"].values[-1, 1]
    assert isinstance(sharing(barely), Unsaid)


# All --------------------------------------------------------------------------------------------

LOUD = {"births": planted_births(5), "single_couplings": edges(0.05),
        "assemblies": quality([0.4] * 6 + [0.5] * 6), "sharing": course(PEAK)}  # fmt: skip
QUIET = {"births": planted_births(0), "single_couplings": edges(0.01),
         "assemblies": quality([0.4] * N), "sharing": course([0.5] * N)}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_speaks_of_what_is_planted_and_of_nothing_else(rule):
    loud, quiet, unknown = rule(LOUD[rule.name]), rule(QUIET[rule.name]), rule(
        Findings(make_record()))  # fmt: skip
    assert isinstance(loud, Said) and isinstance(quiet, Unsaid) and isinstance(unknown, Unsaid)
    assert {one.kind for one in loud.statements} <= set(rule.kinds)
    for said in (loud, quiet, unknown):
        assert said.sentence[0].isupper() and said.sentence.endswith(".")
    assert "is not known" in unknown.sentence


@pytest.fixture(scope="module", params=range(3))
def noise(request):
    record = quiet_record(rises={}, seed=request.param)
    return Findings(record, graph=graphs(record, chance=Chance(n_shuffles=59, n_resamples=20)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_couplings_that_mean_nothing_make_no_statement(rule, noise):
    said = rule(noise)
    assert isinstance(said, Unsaid) and "is not known" not in said.sentence, said
