import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.measure import Chance, learning_curves, onsets
from records import RISES, STEPS, make_record

FEW = Chance(n_shuffles=99, n_resamples=100)


def rows(data, kind):
    return data.isel(onset=np.flatnonzero(data["kind"].values == kind))


def test_onsets_are_found_between_the_snapshots_where_they_were_planted():
    data = onsets(make_record(strength=4.0), chance=FEW)
    for kind in ("layer signal", "layer rise"):
        found = rows(data, kind)
        assert found["name"].values.tolist() == list(RISES)
        assert found["by"].values.tolist() == [STEPS[k] for k in RISES.values()]
        assert found["after"].values.tolist() == [STEPS[k - 1] for k in RISES.values()]
    tokens = rows(data, "token")
    assert tokens["name"].values.tolist() == ["ada", "bo", "cy"]
    assert (tokens["by"] == STEPS[4]).all()
    assert (tokens["after"] == STEPS[3]).all()


def test_confidence_interval_holds_the_interval():
    data = onsets(make_record(strength=1.0), chance=FEW)
    assert (data["confidence_after"] <= data["after"]).all()
    assert (data["confidence_by"] >= data["by"]).all()


def test_strong_signals_have_tight_confidence_intervals():
    data = onsets(make_record(strength=8.0, exemplars=60), chance=FEW)
    rises = rows(data, "token")
    assert_allclose(rises["confidence_after"], rises["after"])
    assert_allclose(rises["confidence_by"], rises["by"])


def test_signal_before_training_is_left_censored_and_does_not_hide_the_rise():
    record = make_record(rises={"conv1": 0, "fc1": 0}, strength=0.8, exemplars=60)
    pattern = np.random.default_rng(9).standard_normal((3, 6))
    token = np.repeat(np.arange(3), 60)
    record["activation"][6:, :, :6] += 6 * pattern[token]
    data = onsets(record, chance=FEW)
    signal, rise = (
        rows(data, kind).set_index(onset="name") for kind in ("layer signal", "layer rise")
    )
    assert signal["after"].sel(onset="conv1") == -np.inf
    assert signal["by"].sel(onset="conv1") == 0
    assert rise["after"].sel(onset="conv1") == STEPS[5]
    assert rise["by"].sel(onset="conv1") == STEPS[6]
    assert rise["by"].sel(onset="fc1") == np.inf


def test_what_never_rises_is_right_censored():
    data = onsets(make_record(rises={}), chance=FEW)
    assert (data["by"] == np.inf).all()
    assert (data["after"] == STEPS[-1]).all()


def test_excursions_that_end_are_counted():
    record = make_record(rises={}, exemplars=40)
    token = np.repeat(np.arange(3), 40)
    record["activation"][3:7, :, :6] += 4.0 * token[:, None]
    found = rows(onsets(record, chance=FEW), "layer rise")
    assert found["excursions"].values.tolist() == [1, 0, 0, 0]
    assert found["by"].values[0] == np.inf


def test_record_without_step_0_dates_no_rise():
    data = onsets(make_record().isel(step=slice(1, None)), chance=FEW)
    assert set(data["kind"].values) == {"layer signal", "token"}


@pytest.mark.parametrize("n_steps", [1, 2])
def test_too_few_snapshots_have_no_onset(n_steps):
    data = onsets(make_record(strength=9.0, rises=dict.fromkeys(RISES, 0)).isel(
        step=slice(0, n_steps)), chance=FEW)  # fmt: skip
    assert (data["by"] == np.inf).all()


def test_attributes_hold_definitions():
    data = onsets(make_record(), chance=FEW)
    assert data.attrs["hold"] == 3
    assert "shuffled tokens" in data.attrs["kind: layer rise"]
    assert data["after"].attrs["units"] == "steps"


def test_learning_curves_bring_chance_and_its_binomial_band():
    curves = learning_curves(make_record())
    assert float(curves["chance"]) == pytest.approx(1 / 3)
    drawn = np.random.default_rng(0).binomial(60, 1 / 3, 200_000) / 60
    assert_allclose(
        [curves["chance_low"], curves["chance_high"]], np.quantile(drawn, [0.025, 0.975]), atol=1e-9
    )
    assert curves["loss"].dims == ("step", "split")


@pytest.mark.slow
def test_onsets_fire_in_at_most_five_percent_of_records_without_structure():
    layers = {"conv1": 10, "conv2": 10, "fc1": 10}
    fired = {"layer signal": 0, "layer rise": 0, "token": 0}
    n_records = 200
    for seed in range(n_records):
        record = make_record(layers=layers, rises={}, seed=seed, steps=range(8))
        data = onsets(record, chance=Chance(n_shuffles=99, n_resamples=1))
        for kind in fired:
            fired[kind] += bool((rows(data, kind)["by"] < np.inf).any())
    # 5 % of 200 is 10, with a standard error of 3; token margins are discrete and fire less often
    assert fired["layer signal"] <= 17
    assert fired["layer rise"] <= fired["layer signal"]
    assert fired["token"] <= 17


def test_curves_of_a_second_probe_are_kept_where_there_is_one():
    record = make_record()
    assert "holdout_accuracy" not in learning_curves(record)
    record["holdout_loss"] = record["clone_loss"]
    record["holdout_accuracy"] = record["clone_accuracy"]
    record["holdout_token_accuracy"] = record["clone_token_accuracy"]
    curves = learning_curves(record)
    assert curves["holdout_accuracy"].identical(record["holdout_accuracy"])
    assert curves["holdout_token_accuracy"].dims == ("step", "token")
