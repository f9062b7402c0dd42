"""Lives of units are said where they were planted; noise, ties and early changes are not."""

import numpy as np
import pytest
import xarray as xr

from ontogeny.measure import Chance, detectors, measure_record
from ontogeny.statements import Findings
from ontogeny.statements import detectors as rules
from records import STEPS, described, make_record

FEW = Chance(n_shuffles=59, n_resamples=40)


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
    record = make_record(rises={}, seed=3)
    return Findings(record, measure_record(record, chance=FEW),
                    detectors=detectors(record, chance=FEW))  # fmt: skip


def test_noise_says_nothing_of_units(noise):
    assert [o for rule in rules.RULES for o in rule(noise)] == []


def test_nothing_measured_nothing_said():
    assert [o for rule in rules.RULES for o in rule(Findings(make_record()))] == []


def test_a_role_is_said_to_change_with_both_tokens(told):
    many, *single = rules.roles_change(told)
    assert (many.kind, many.subject, many.effect) == ("units change their role", "conv1", 2)
    assert "most often from ada to cy" in many.text
    assert {o.subject for o in single} == {"conv1: ada to cy"}
    assert {o.where.unit for o in single} == {"conv1:1", "conv1:2"}
    assert "between steps 6 and 8" in single[0].text.replace("4 and 6", "6 and 8")
    assert single[0].where.token == "cy" and single[0].strength >= 1


def test_a_change_that_resamples_do_not_show_is_no_change(told):
    data = told.detectors.copy(deep=True)
    data["change_share"].values[:] = 0.9
    assert rules.roles_change(Findings(told.record, detectors=data)) == []


def test_silence_is_said_of_the_layer_and_of_the_unit_that_was_tuned(told):
    many, single = rules.units_become_inactive(told)
    assert (many.kind, many.subject, many.effect) == ("units become inactive", "conv1", 1)
    assert (single.subject, single.where.unit) == ("conv1: cy", "conv1:3")
    assert single.where.step == STEPS[
        8
    ] and "becomes inactive and stays so between steps 11 and 15" in (single.text)
    assert single.low <= single.effect <= single.high + 1e-9


@pytest.mark.parametrize(("end", "value"), [("confidence_by", np.inf), ("after", -np.inf)])
def test_silence_that_is_not_sure_or_was_there_from_the_start_is_not_said(told, end, value):
    data = told.detectors.copy(deep=True)
    data[f"dormant_{end}"].values[:] = value
    assert rules.units_become_inactive(Findings(told.record, detectors=data)) == []


def test_a_revival_is_said_with_the_token_told_after_it(told):
    many, single = rules.units_revive(told)
    assert many.text == "1 of the 8 units of conv1 become active again, at step 4."
    assert single.text.startswith(
        "The unit conv1:4, which then discriminates bo from the other tokens"
    )
    assert "becomes active again between steps 3 and 4" in single.text


def test_tuned_units_are_counted_beyond_those_of_the_start(told):
    data = told.detectors.copy(deep=True)
    mine = data["layer_of_unit"].values == "conv1"
    for name, value in (("score", 0.9), ("score_low", 0.85), ("score_high", 0.95)):
        data[name].values[:, mine] = 0.5
        data[name].values[-1, np.flatnonzero(mine)[:5]] = value
    (one,) = rules.layers_become_tuned(Findings(told.record, detectors=data))
    assert (one.subject, one.effect, one.low) == ("conv1", 5, 5)
    assert "5 of the 8 units of conv1 discriminate a token" in one.text
    assert "none did at step 0" in one.text
    data["score_low"].values[-1] = 0.5
    assert rules.layers_become_tuned(Findings(told.record, detectors=data)) == []


def rotations(own, low, high, n=9):
    """Directions of layers, as many of them outside the rotations' range as `own` says."""
    layer = [f"conv{k + 1}" for k in range(n)]
    flat = ("direction_step", "layer")
    return xr.Dataset(
        {
            "tuned_share": (("direction_step", "basis", "layer"), np.array(own)[None, None]),
            "tuned_share_rotated": (flat, np.full((1, n), (low + high) / 2)),
            "tuned_share_rotated_low": (flat, np.full((1, n), low)),
            "tuned_share_rotated_high": (flat, np.full((1, n), high)),
        },
        {"direction_step": [42], "basis": ["units"], "layer": layer},
    )


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ([0.4] * 3 + [0.6] * 6, ["mixtures discriminate better than channels"]),
        ([0.8] * 4 + [0.6] * 5, ["channels discriminate better than mixtures"]),
        ([0.4] * 2 + [0.8] * 2 + [0.6] * 5, []),
        ([0.5] * 9, []),
    ],
)
def test_mixtures_are_compared_over_all_layers_at_once(own, said):
    found = rules.channels_beside_rotations(
        Findings(make_record(), detectors=rotations(own, 0.5, 0.7))
    )
    assert [o.kind for o in found] == said
    assert all(o.where.layer == "conv1" for o in found)


def conjunctions(*, first):
    """All units tuned; conjunctions of units of token `first` begin at snapshot 2, others at 8."""
    record = make_record(layers={"conv1": 30, "fc1": 30}, rises={"logits": 5}, strength=6.0)
    units, tuned = record.sizes["unit"], np.arange(record.sizes["unit"]) % 3
    tuned = np.random.default_rng(0).permutation(tuned)
    begin = np.where(tuned == first, 2, 8) if first is not None else np.resize([2, 8], units)
    size = 0.01 + 0.5 * (np.arange(len(STEPS))[:, None] >= begin)
    record["interaction"].values[:] = size[:, :, None]
    detector = xr.Dataset(
        {
            "score": (("step", "unit"), np.full((len(STEPS), units), 0.9)),
            "preferred": (("step", "unit"), np.tile(tuned, (len(STEPS), 1))),
            "score_threshold": ("layer", [0.7] * 3),
        },
        {"layer": ["conv1", "fc1", "logits"], "layer_of_unit": ("unit", record["layer"].values)},
    )
    return Findings(record, measure_record(record, chance=FEW), detectors=detector)


def test_conjunctions_are_said_to_come_first_only_for_the_token_they_serve():
    (one,) = rules.conjunctions_before_tokens(conjunctions(first=1))
    assert one.subject == "bo" and one.effect == pytest.approx(1.0)
    assert one.where.view == "construction" and one.bound < 0.6


def test_conjunctions_that_begin_whatever_they_serve_are_not_said():
    assert rules.conjunctions_before_tokens(conjunctions(first=None)) == []
