import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import Chance
from ontogeny.measure.units.directions import directions
from records import described, make_record

CHANCE = Chance(n_shuffles=59, n_resamples=2)


def one_layer(mixed, seed=0, n_units=12, factor=False):
    """Three units that each answer one token among noise, or the same space rotated."""
    rng = np.random.default_rng(seed)
    record = make_record(layers={"fc1": n_units}, rises={}, exemplars=40, seed=seed)
    token = np.repeat(np.arange(3), 40)
    x = rng.standard_normal((120, n_units))
    x[:, :3] += 2.5 * (token[:, None] == np.arange(3))
    if factor:
        record = record.assign_coords(factor_y=("exemplar", x[:, 4:].sum(axis=1)))
    if mixed:
        x = x @ np.linalg.qr(rng.standard_normal((n_units, n_units)))[0]
    record["activation"][..., :n_units] = x
    return described(record)


def found(record):
    return directions(record, everything=True, chance=CHANCE)


def test_an_axis_aligned_code_beats_rotations_and_a_rotated_one_does_not():
    own, mixed = (found(one_layer(m)).sel(layer="fc1") for m in (False, True))
    last = {"direction_step": -1}
    upper = own["score_upper"].isel(last)
    assert float(upper.sel(basis="units")) > float(own["score_upper_rotated_high"].isel(last))
    assert float(own["score_upper_p"].isel(last)) == pytest.approx(1 / 20)
    assert float(mixed["score_upper_p"].isel(last)) > 0.05
    low, high = (float(mixed[f"score_upper_rotated_{end}"].isel(last)) for end in ("low", "high"))
    assert low - 0.05 < float(mixed["score_upper"].isel(last).sel(basis="units")) < high + 0.05


def test_components_hold_the_tokens_whatever_the_basis():
    own, mixed = (found(one_layer(m)).sel(layer="fc1") for m in (False, True))
    scores = [
        d["component_score"].isel(direction_step=-1).dropna("component") for d in (own, mixed)
    ]
    assert len(scores[0]) == 12
    assert_allclose(scores[0], scores[1], atol=1e-4)
    bound = float(own["direction_threshold"])
    assert (scores[0][:2] > bound).all()


def test_noise_is_at_chance_in_every_basis():
    record = make_record(layers={"fc1": 12}, rises={}, exemplars=40)
    data = found(record).sel(layer="fc1").isel(direction_step=-1)
    assert_allclose(data["score_mean"], 0.5, atol=0.06)
    assert float(data["tuned_share"].sel(basis="units")) < 0.1
    assert float(data["kurtosis_rotated"]) == pytest.approx(0, abs=0.4)


def test_a_token_with_few_exemplars_does_not_lower_the_bound_of_noise():
    """Scores of rare tokens spread more: a bound of the frequent ones would be passed often."""
    passed = 0
    for seed in range(20):
        record = make_record(layers={"fc1": 12}, rises={}, exemplars=40, seed=seed)
        few = np.r_[0:80, 80:86]  # six exemplars of the last token
        data = found(record.isel(exemplar=few)).sel(layer="fc1").isel(direction_step=-1)
        passed += float(data["tuned_share"].sel(basis="units")) > 0
    assert passed <= 5


def test_a_factor_spread_over_units_is_read_by_a_direction_not_by_a_unit():
    data = found(one_layer(False, factor=True))
    row = data.sel(layer="fc1", factor="y").isel(direction_step=-1)
    assert float(row["factor_direction"]) > 0.9
    assert float(row["factor_unit"]) < 0.5


def test_a_record_without_activations_is_refused():
    with pytest.raises(InputError, match="expected a record with activation"):
        directions(make_record().drop_vars("activation"))
