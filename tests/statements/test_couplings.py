"""What is planted in couplings is said; what chance and loud sources give is not."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from graph_records import quiet_record
from ontogeny.statements import Findings
from ontogeny.statements import couplings as rules
from ontogeny.statements.claims import chance_finds
from records import LAYERS, STEPS, TOKENS, make_record

N = len(STEPS)
LAYER = ["conv1", "conv2", "fc1", "logits"]


def findings(**variables):
    record = make_record()
    coordinates = {"step": list(STEPS), "layer": LAYER, "unit": record["unit"].values}
    return Findings(record, graph=xr.Dataset(variables, coordinates, {"hold": 3}))


def flat(value):
    return ("step", "layer"), np.broadcast_to(value, (N, len(LAYER))).copy()


# Single edges -----------------------------------------------------------------------------------


def edges(share):
    """A record of which this share of the couplings between hidden layers is beyond the bound."""
    record = quiet_record(layers={"conv1": 20, "conv2": 60, "fc1": 60})
    n = record.sizes["edge"]
    beyond = np.zeros(n, dtype=bool)
    if share:
        beyond[:: round(1 / share)] = True
    record["coupling"].values[:] = np.where(beyond, 0.9, 0.1)
    return Findings(record)


def test_couplings_stand_out_where_more_than_chance_do():
    (one,) = rules.single_edges(edges(0.05))
    assert one.kind == "couplings stand out" and one.effect == pytest.approx(0.05, abs=0.005)
    assert one.low > one.bound == pytest.approx(0.01)


def test_that_no_coupling_stands_out_is_said_with_its_numbers():
    (one,) = rules.single_edges(edges(0.003))
    assert one.kind == "no single coupling stands out" and one.strength > 1
    assert one.low <= one.effect <= one.high and one.low >= 1


def test_as_many_couplings_as_chance_gives_are_neither():
    assert rules.single_edges(edges(0.01)) == []


# Births -----------------------------------------------------------------------------------------


def births(planted):
    births, unit = np.full((N, 4), 10), np.zeros((N, sum(LAYERS.values())), dtype=int)
    births[planted, 1] = 90
    unit[planted, 6:14] = 12
    return findings(
        edge_births=(("step", "layer"), births), births_chance=flat(9.0), burst_bound=flat(40.0),
        unit_births=(("step", "unit"), unit),
    )  # fmt: skip


def test_a_burst_is_said_with_its_snapshot_and_layer():
    (one,) = rules.bursts_of_births(births(5))
    assert (one.subject, one.where.step, one.where.layer) == ("conv2", STEPS[5], "conv2")
    assert one.effect == 90 and one.low == one.high == 96 and "where chance gives 9." in one.text


@pytest.mark.parametrize("undated", [0, N - 1])
def test_births_that_cannot_be_dated_are_no_burst(undated):
    assert rules.bursts_of_births(births(undated)) == []


# Assemblies -------------------------------------------------------------------------------------


def quality(values):
    null = 0.4 + np.linspace(-0.01, 0.01, 19)
    table = {
        "quality": ("quality_step", np.array(values, dtype=float)),
        "quality_null": (("quality_step", "shuffle"), np.tile(null, (N, 1))),
        "quality_step": ("quality_step", list(STEPS)),
    }
    return findings(**table)


def test_assemblies_are_said_from_when_on_they_leave_their_null():
    (one,) = rules.assemblies_leave_their_null(quality([0.4] * 6 + [0.5] * 6))
    assert (
        one.kind == "couplings form assemblies" and "Beginning between steps 6 and 8," in one.text
    )
    assert one.effect == pytest.approx(0.1) and one.low == pytest.approx(0.09)
    (one,) = rules.assemblies_leave_their_null(quality([0.3] * N))
    assert one.kind == "couplings form no assemblies of their own"
    assert one.text.startswith("From the first snapshot on") and one.low > 0


def test_assemblies_within_their_null_or_only_for_a_while_are_not_said():
    assert rules.assemblies_leave_their_null(quality([0.405] * N)) == []
    assert rules.assemblies_leave_their_null(quality([0.5] * 10 + [0.4] * 2)) == []


# Sharing ----------------------------------------------------------------------------------------


def sharing(course, half=0.02, middle=0.5):
    value = np.full((N, 4), middle)
    value[:, 1] = course
    return findings(layer_sharing=(("step", "layer"), value), sharing_low=flat(middle - half),
                    sharing_high=flat(middle + half))  # fmt: skip


PEAK = [0.5, 0.5, 0.6, 0.7, 0.8, 0.8, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5]


def test_sharing_is_said_to_rise_and_fall_where_it_does():
    (one,) = rules.sharing_turns(sharing(PEAK))
    assert (one.kind, one.subject) == ("sharing rises and falls", "conv2")
    assert one.effect == pytest.approx(0.2) and one.where.step == STEPS[4]
    (one,) = rules.sharing_turns(sharing([1 - v for v in PEAK]))
    assert one.kind == "sharing falls and rises"


def test_sharing_that_only_rises_or_turns_within_chance_is_not_said():
    assert rules.sharing_turns(sharing(np.linspace(0.5, 0.9, N))) == []
    assert rules.sharing_turns(sharing([0.5 + 0.1 * (v - 0.5) for v in PEAK])) == []


def test_own_and_common_units_are_told_apart_at_the_end():
    (one,) = rules.tokens_have_own_units(sharing([0.5] * 9 + [0.3] * 3))
    assert (one.kind, one.subject) == ("tokens have units of their own", "conv2")
    (one,) = rules.tokens_have_own_units(sharing([0.5] * 9 + [0.8] * 3))
    assert one.kind == "tokens share units" and one.effect == pytest.approx(0.3)
    assert rules.tokens_have_own_units(sharing([0.5] * 11 + [0.8])) == []


# Carrying ---------------------------------------------------------------------------------------


def flow(planted):
    """Flow through 60 units of conv1, alike at all steps but for planted (unit, token) pairs."""
    rng, record = np.random.default_rng(1), make_record(layers={"conv1": 60, "fc1": 20})
    units = record["unit"].values.astype(str)
    values = rng.exponential(0.01, (N, len(units), len(TOKENS)))
    for unit, token in planted:
        values[4:, unit, token] = 0.5 + 0.01 * unit
    graph = xr.Dataset(
        {"flow": (("step", "node", "token"), values)},
        {"step": list(STEPS), "node": units, "token": list(TOKENS),
         "layer": ["conv1", "fc1", "logits"],
         "node_layer": ("node", record["layer"].values.astype(str))},
    )  # fmt: skip
    return Findings(record, graph=graph)


def test_units_that_carry_a_token_are_counted_and_the_strongest_named():
    said = rules.units_that_carry(flow([(u, 1) for u in range(15)]))
    one = next(o for o in said if o.kind == "units come to carry tokens")
    assert (one.subject, one.where.unit, one.where.token) == ("conv1", "conv1:14", "bo")
    assert 15 <= one.effect <= 17 and "bo 15" in one.text


def test_units_that_serve_several_tokens_are_counted_against_chance():
    said = rules.units_that_carry(flow([(u, t) for u in range(8) for t in (0, 2)]))
    one = next(o for o in said if o.kind == "detectors carry several tokens")
    assert one.subject == "conv1" and one.effect == 8 > one.bound
    own = [(u, t) for t in range(3) for u in range(12 * t, 12 * t + 12)]
    kinds = {o.kind for o in rules.units_that_carry(flow(own))}
    assert kinds == {"units come to carry tokens", "detectors carry one token"}


@pytest.mark.parametrize("seed", range(3))
def test_flow_like_that_of_untrained_weights_is_not_said(seed):
    found = flow([])
    order = np.random.default_rng(seed).permutation(60)
    found.graph["flow"].values[:, :60] = found.graph["flow"].values[:, order]
    assert rules.units_that_carry(found) == []


def naive_finds(values, null):
    """Share of chance finds from the definition: the least expected / found at or below each."""
    flat = values.ravel()
    p = np.array([(1 + sum(n >= v for n in null.ravel())) / (1 + null.size) for v in flat])
    q = [min(1.0, min(limit * len(p) / (p <= limit).sum() for limit in p[p >= mine]))
         for mine in p]  # fmt: skip
    return np.array(q).reshape(values.shape)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_chance_finds_equal_their_definition(seed):
    rng = np.random.default_rng(seed)
    values, null = rng.integers(0, 9, (6, 3)) / 9, rng.integers(0, 9, (5, 3)) / 9
    assert_allclose(chance_finds(values, null), naive_finds(values, null), rtol=1e-10)


def test_nothing_measured_nothing_said():
    record = make_record().drop_vars("coupling")
    assert [o for rule in rules.RULES for o in rule(Findings(record))] == []
