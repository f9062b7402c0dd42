import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from ontogeny.errors import InputError
from ontogeny.measure import Chance, measure_run
from ontogeny.measure.probe import held_out
from ontogeny.measure.units.complexity import complexity, token_orders
from ontogeny.measure.units.detectors import detectors
from ontogeny.measure.units.lives import unit_lives
from ontogeny.measure.units.tuning import is_dormant, tuning, tuning_draws
from records import RISES, STEPS, described, make_record, make_run

CHANCE = Chance(n_shuffles=59, n_resamples=40)
TOKENS = ("ada", "bo", "cy")


def planted(seed=0, n=40):
    """Six units: tuned from 5 on, changing from 6 on, dormant from 8 on, silent to 3, noise x 2."""
    rng = np.random.default_rng(seed)
    token = np.repeat(np.arange(3), n)
    a = np.abs(rng.standard_normal((1, 3 * n, 6))) + np.abs(
        0.02 * rng.standard_normal((len(STEPS), 3 * n, 6))
    )
    a[5:, token == 1, 0] += 3
    a[:6, token == 0, 1] += 3
    a[6:, token == 2, 1] += 3
    a[2:, token == 2, 2] += 3
    a[8:, :, 2] *= 1e-4
    a[:4, :, 3] = 0
    record = make_record(layers={"conv1": 6}, exemplars=n, seed=seed).drop_vars("activation")
    logits = rng.standard_normal((len(STEPS), 3 * n, 3))
    record["activation"] = (
        ("step", "exemplar", "unit"), np.concatenate([a, logits], axis=2).astype(np.float32)
    )  # fmt: skip
    return described(record)


def of(data, name, unit):
    return float(data[name].sel(unit=unit))


def test_tuned_units_pass_and_noise_does_not():
    data = tuning(planted(), everything=True, chance=CHANCE)
    bound = float(data["score_threshold"].sel(layer="conv1"))
    score = data["score"].sel(step=42)
    assert (score.sel(unit=["conv1:0", "conv1:1"]) > 0.95).all()
    assert (score.sel(unit=["conv1:4", "conv1:5"]) < bound).all()
    assert 0.5 < bound < 0.85
    names = data["preferred"].sel(step=42, unit=["conv1:0", "conv1:1"]).values
    assert names.tolist() == [1, 2]
    assert (data["score_low"] <= data["score_high"]).sel(step=42, unit="conv1:4")
    assert data["auroc"].sel(unit="conv1:0", step=42, token="bo") > 0.95
    assert data["d_prime"].sel(unit="conv1:0", step=42, token="bo") > 3
    assert data["information"].sel(unit="conv1:0", step=42) > 0.5
    limit = float(data["information_threshold"].sel(layer="conv1"))
    assert (data["information"].sel(unit=["conv1:4", "conv1:5"]) < limit).all()


def test_a_silent_unit_tells_nothing_and_has_no_preferred_token():
    data = tuning(planted(), everything=True, chance=CHANCE).sel(unit="conv1:3", step=0)
    assert_allclose(data["auroc"], 0.5)
    assert int(data["preferred"]) == -1
    assert np.isnan([data[n] for n in ("score", "sparseness", "class_selectivity")]).all()
    assert float(data["dormancy"]) == 0
    assert is_dormant(np.array([0.0, 0.025, 0.026, np.nan])).tolist() == [True, True, False, True]


def test_every_variable_says_what_it_is():
    data = detectors(planted(), chance=CHANCE)
    for name, values in data.data_vars.items():
        assert {"units", "long_name"} <= set(values.attrs), name
        if values.dtype.kind == "f" and np.isnan(values).any():
            assert "missing" in values.attrs, name


def test_without_token_structure_nothing_is_tuned():
    passed = 0
    for seed in range(12):
        record = make_record(rises={}, seed=seed, exemplars=30)
        data = tuning(record, chance=Chance(n_shuffles=39, n_resamples=2))
        bound = data["score_threshold"].sel(layer=data["layer_of_unit"])
        passed += int(
            (data["score"] > bound).any("step").groupby(data["layer_of_unit"]).any().sum()
        )
    assert passed <= 7  # 48 layers at .05: 2.4 expected


def test_halves_of_the_record_are_used_and_groups_stay_whole():
    record = planted(seed=0)
    half = np.tile([0, 1], record.sizes["exemplar"] // 2)
    record = record.assign_coords(exemplar_half=("exemplar", half.astype(np.int8)))
    first = record["activation"].values[0, half == 0, 4:6]
    token = record["exemplar_token"].values[half == 0]
    best = np.stack([first[token == c].mean(axis=0) for c in TOKENS]).argmax(axis=0)
    whole = record["activation"].values[0, :, 4:6].reshape(3, -1, 2).mean(axis=1).argmax(axis=0)
    assert (best != whole).any()  # noise: the halves disagree
    assert_array_equal(tuning(record, chance=CHANCE)["preferred"][0, 4:6], best)


def test_halves_that_divide_a_group_are_made_anew_and_none_is_empty():
    """Two sectors of a turn for every token: the record's halves take turns within each."""
    record = planted(seed=0)
    each = record.sizes["exemplar"] // len(TOKENS)
    sector = np.tile(np.arange(each) // (each // 2), len(TOKENS)).clip(0, 1)
    half = np.tile([0, 1], record.sizes["exemplar"] // 2).astype(np.int8)
    record = record.assign_coords(exemplar_half=("exemplar", half), group=("exemplar", sector))
    of = {side.at.tobytes(): side for side in tuning_draws(record, CHANCE).halves}
    assert len(of) == 2
    token = held_out(record).token
    for side in of.values():
        for c in range(len(TOKENS)):
            mine = sector[side.at][side.token == c]
            assert len(mine) == each // 2 and len(set(mine.tolist())) == 1
    assert sorted(np.concatenate([side.at for side in of.values()])) == list(range(len(token)))
    assert np.isfinite(tuning(record, chance=CHANCE)["score"]).any()


def test_lives_are_found_where_they_were_planted():
    lives = unit_lives(planted(), chance=CHANCE)
    ends = [(of(lives, "tuned_after", f"conv1:{u}"), of(lives, "tuned_by", f"conv1:{u}"))
            for u in range(6)]  # fmt: skip
    assert ends[:3] == [(STEPS[4], STEPS[5]), (-np.inf, 0), (STEPS[1], STEPS[2])]
    assert ends[4:] == [(STEPS[-1], np.inf)] * 2
    assert of(lives, "untuned_by", "conv1:0") == np.inf
    assert np.isnan(of(lives, "untuned_by", "conv1:4"))
    assert of(lives, "dormant_by", "conv1:2") == STEPS[8]
    assert of(lives, "dormant_after", "conv1:2") == STEPS[7]
    assert of(lives, "revived_by", "conv1:3") == STEPS[4]
    assert of(lives, "revived_by", "conv1:0") == np.inf
    assert of(lives, "dormant_by", "conv1:3") == np.inf
    assert of(lives, "settled_by", "conv1:1") == STEPS[6]
    assert np.isnan(of(lives, "settled_by", "conv1:4"))
    for event in ("tuned", "untuned", "settled", "dormant", "revived"):
        low, high = lives[f"{event}_confidence_after"], lives[f"{event}_confidence_by"]
        known = np.isfinite(low) & np.isfinite(high)
        assert (low <= lives[f"{event}_after"]).where(known, True).all()
        assert (high >= lives[f"{event}_by"]).where(known, True).all()


def test_a_change_of_role_names_both_tokens_and_its_steps():
    lives = unit_lives(planted(), chance=CHANCE)
    rows = lives["changed_unit"].values.tolist()
    row = lives.isel(role_change=rows.index(1))
    assert (int(row["token_before"]), int(row["token_after"])) == (0, 2)
    assert (float(row["changed_after"]), float(row["changed_by"])) == (STEPS[5], STEPS[6])
    assert float(row["change_share"]) == 1
    assert float(row["changed_confidence_by"]) == STEPS[6]
    assert 0 not in rows


def test_hold_is_asked_for():
    record = planted()
    record["activation"][:9, :, 0] = planted(seed=9)["activation"][0, :, 4].values
    lives = unit_lives(record, chance=CHANCE, hold=3)
    assert of(lives, "tuned_by", "conv1:0") == STEPS[9]
    assert of(unit_lives(record, chance=CHANCE, hold=4), "tuned_by", "conv1:0") == np.inf


def with_factors(seed=0, n=80):
    rng = np.random.default_rng(seed)
    record = make_record(layers={"conv1": 3}, rises={}, exemplars=n, seed=seed)
    size = record.sizes["exemplar"]
    x, y, z = rng.standard_normal((3, size))
    activation = record["activation"].values
    activation[:, :, 0] = x + y
    activation[:, :, 1] = np.maximum(x, 0) * np.maximum(y, 0)
    activation[:, :, 3] = activation[:, :, 0] + 2 * activation[:, :, 1]
    record["activation"].values = activation
    factors = {f"factor_{k}": ("exemplar", v) for k, v in zip("xyz", (x, y, z), strict=True)}
    return described(record.assign_coords(factors))


def test_complexity_tells_sums_from_conjunctions_and_from_noise():
    data = complexity(with_factors(), chance=CHANCE).isel(complexity_step=-1)
    bound = float(data["kappa_threshold"].sel(layer="conv1"))
    assert of(data, "main_effects", "conv1:0") > 0.95
    assert of(data, "kappa", "conv1:0") < 0.01
    assert of(data, "kappa_low", "conv1:1") > max(bound, 0.2)
    assert of(data, "kappa", "conv1:2") < bound
    share, limit = data["factor_share_within"], data["factor_share_within_threshold"]
    assert (share.sel(unit="conv1:0", factor=["x", "y"]) > limit.sel(layer="conv1")).all()
    assert (share.sel(factor="z", unit=["conv1:0", "conv1:1", "conv1:2"])
            < limit.sel(layer="conv1")).all()  # fmt: skip


def test_additive_models_explain_sums_of_the_layer_below():
    data = complexity(with_factors(), chance=CHANCE).isel(complexity_step=0)
    assert of(data, "additive", "logits:0") > 0.95
    assert of(data, "additive", "logits:1") < 0.1
    assert np.isnan(of(data, "additive", "conv1:0"))
    assert "factor_share" not in complexity(make_record(), chance=CHANCE)


def test_orders_keep_tokens_and_whole_groups():
    token, group = np.repeat([0, 1], 6), np.repeat(np.arange(6), 2)
    orders = token_orders(token, group, 20, np.random.default_rng(0))
    assert_array_equal(orders[0], np.arange(12))
    for order in orders:
        assert_array_equal(token[order], token)
        assert (np.diff(group[order].reshape(6, 2)) == 0).all()
    assert (orders[1:] != orders[0]).any()
    alone = token_orders(np.zeros(3, int), np.array([0, 0, 1]), 2, np.random.default_rng(0))
    assert_array_equal(alone, np.tile(np.arange(3), (3, 1)))  # nothing can change places


def test_a_record_without_activations_is_refused():
    record = make_record().drop_vars("activation")
    for measure in (tuning, unit_lives, complexity):
        with pytest.raises(InputError, match="expected a record with activation"):
            measure(record)


def test_detectors_are_kept_and_fresh(tmp_path):
    record = make_record(rises=RISES)
    run = make_run(tmp_path / "run", record)
    said = []
    how = {"chance": CHANCE, "progress": lambda what, *_: said.append(what)}
    first, again = (measure_run(run, "detectors", **how) for _ in range(2))
    assert (run.path / "detectors.zarr").is_dir()
    assert said[0] == "detectors: none yet"
    assert said[-1] == "detectors: fresh"
    xr.testing.assert_equal(first, again)
