import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure.categories.signals import (
    Chance,
    clusters,
    confusion,
    draw_errors,
    layer_token_signal,
    preferred_token,
    signals,
    token_margins,
    token_signal,
)
from ontogeny.measure.probe import held_out, units_of_layers
from oracles.selectivity import eta_squared_twin, token_margin_twin
from records import make_record

FEW = Chance(n_shuffles=99, n_resamples=40)


def test_token_signal_is_eta_squared_less_its_shuffled_mean():
    record = make_record()
    data = token_signal(record, everything=True, chance=FEW)
    probe = held_out(record)
    values = record["activation"].sel(step=2, unit="conv2:3").values[probe.position]
    eta = eta_squared_twin(values.astype(float).tolist(), probe.token.tolist())
    at = data.sel(step=2, unit="conv2:3")
    assert_allclose(at["eta_squared"], eta, rtol=1e-6)  # recorded in single precision
    # 99 shuffles give the null's mean 2 / 59 to about 10 %
    assert_allclose(at["token_signal"], (eta - 2 / 59) / (1 - 2 / 59), atol=0.01)
    assert data["token_signal"].dims == ("step", "unit")
    assert data["token_signal"].attrs["units"] == "1"
    assert "eta" in data["token_signal"].attrs["long_name"]


def test_signal_rises_where_it_was_planted_and_nowhere_before():
    data = layer_token_signal(make_record(), chance=FEW)
    beyond = (data["layer_token_signal"] > data["layer_threshold"]).values
    assert beyond.argmax(axis=0).tolist() == [7, 5, 4, 4]
    assert beyond[-1].all()


def test_layer_signal_is_the_mean_over_units_that_vary():
    record = make_record()
    record["activation"][:, :, 2] = 0.0
    signal = token_signal(record, chance=FEW)["token_signal"]
    layers = layer_token_signal(record, chance=FEW)
    assert np.isnan(signal[:, 2]).all()
    of_layer = signal.values[-1, [0, 1, 3, 4, 5]]
    assert_allclose(layers["layer_token_signal"].values[-1, 0], of_layer.mean(), rtol=1e-10)
    assert layers["units_varying"].values[-1].tolist() == [5, 8, 8, 3]


def test_layer_without_a_varying_unit_is_nan():
    record = make_record()
    record["activation"][4, :, :6] = 1.0
    layers = layer_token_signal(record, everything=True, chance=FEW)
    for name in ("layer_token_signal", "layer_threshold", "share_beyond"):
        assert np.isnan(layers[name].values[4, 0])
        assert np.isfinite(layers[name].values[5, 0])


def test_untrained_threshold_is_above_the_untrained_signal_and_needs_step_0():
    record = make_record(rises=dict.fromkeys(("conv1", "conv2", "fc1", "logits"), 0))
    layers = layer_token_signal(record, chance=FEW)
    assert (layers["untrained_threshold"] > layers["layer_token_signal"][0]).all()
    later = layer_token_signal(record.isel(step=slice(1, None)), chance=FEW)
    assert np.isnan(later["untrained_threshold"]).all()


def test_of_a_first_layer_the_error_is_that_of_independent_units_and_later_ones_inherit_it():
    record = make_record()
    found = signals(record, FEW)
    mean, error, freedom = draw_errors(record, found)
    groups = [found.unit[0, members] for members in units_of_layers(record).values()]
    own = [each.var(ddof=1) / len(each) for each in groups]
    assert_allclose(mean, [each.mean() for each in groups])
    assert_allclose(error**2, np.cumsum(own))
    assert freedom[0] == pytest.approx(len(groups[0]) - 1)
    assert (freedom <= np.cumsum([len(each) - 1 for each in groups]) + 1e-9).all()


def test_preferred_token_is_that_of_the_largest_mean():
    record = make_record(strength=5.0)
    record["activation"][-1, :, 4] = 2.0
    best = preferred_token(record)
    token = held_out(record).token
    for unit in (0, 9, 20):
        values = record["activation"].values[-1, :, unit]
        means = [values[token == c].mean() for c in range(3)]
        assert best[-1, unit] == np.argmax(means)
    assert best[-1, 4] == -1
    assert best.sel(step=42, unit=["logits:0", "logits:1", "logits:2"]).values.tolist() == [0, 1, 2]


def test_token_without_held_out_exemplars_is_nan_and_stops_nothing():
    record = make_record(strength=5.0)
    split = np.where(record["exemplar_token"].values == "bo", "train", "probe")
    record = record.assign_coords(exemplar_split=("exemplar", split))
    margins = token_margins(record, chance=FEW)
    assert np.isnan(margins["token_margin"].sel(token="bo")).all()
    assert np.isnan(margins["margin_threshold"].sel(token="bo")).all()
    assert (margins["token_margin"] > margins["margin_threshold"]).sel(token="cy").values[-1]
    assert np.isnan(confusion(record).sel(token="bo")).all()
    assert set(np.unique(preferred_token(record))) == {0, 2}
    signal = layer_token_signal(record, chance=FEW)
    assert np.isfinite(signal["layer_token_signal"]).all()


def test_share_beyond_is_about_one_percent_without_structure_and_all_with():
    layers = {"conv1": 400}
    record, chance = make_record(layers=layers, rises={}), Chance(n_shuffles=199, n_resamples=1)
    data = layer_token_signal(record, everything=True, chance=chance)
    assert data["share_beyond"].values[:, 0].mean() < 0.03
    data = layer_token_signal(make_record(strength=6.0), everything=True, chance=FEW)
    assert data["share_beyond"].values[-1].min() > 0.7


def test_structure_between_groups_is_no_token_signal():
    fired = {"grouped": 0, "alone": 0}
    for seed in range(20):
        record = make_record(rises={}, group_size=5, steps=(0, 1, 2), seed=seed)
        common = np.random.default_rng(seed).standard_normal((1, 12, 1)).repeat(5, axis=1)
        record["activation"] = record["activation"] + 3 * common.astype(np.float32)
        alone = record.assign_coords(group=("exemplar", np.arange(60)))
        for name, each in (("grouped", record), ("alone", alone)):
            data = layer_token_signal(each, chance=FEW)
            fired[name] += bool((data["layer_token_signal"] > data["layer_threshold"]).any())
    assert fired["grouped"] <= 3
    assert fired["alone"] >= 15


@pytest.mark.parametrize("effect", [0.0, 0.15, 0.4])
def test_resamples_have_the_variance_of_new_samples(effect):
    own, drawn = [], []
    pattern = effect * np.array([-1.0, 0.0, 1.0])[np.repeat(np.arange(3), 40)]
    for seed in range(60):
        record = make_record(seed=seed, exemplars=40, steps=(0,), layers={"conv1": 1}, rises={})
        noise = np.random.default_rng(seed).standard_normal(120)
        record["activation"][:, :, 0] = (pattern + noise).astype(np.float32)
        found = signals(record, Chance(n_shuffles=99, n_resamples=100))
        own.append(found.layer[0, 0])
        drawn.append(found.layer_resampled[:, 0, 0].std())
    # 60 samples have a standard error of 9 %, more where the signal is skewed; resamples as they
    # are would have 1.7 times the deviation without structure
    assert_allclose(np.mean(drawn), np.std(own), rtol=0.4)


def test_same_seed_gives_the_same_numbers_and_another_gives_others():
    record = make_record()
    first, again, other = (
        layer_token_signal(record, chance=Chance(99, 10, seed=seed)) for seed in (0, 0, 1)
    )
    assert first.identical(again)
    assert not first["layer_threshold"].equals(other["layer_threshold"])


def test_margins_equal_the_twin():
    record = make_record()
    data = token_margins(record, chance=FEW)
    answer = record["logit"].values.argmax(axis=2)
    token = held_out(record).token
    twin = [[token_margin_twin(list(a), list(token), c) for c in range(3)] for a in answer]
    assert_allclose(data["token_margin"], twin, atol=1e-12)
    share = [[list(a).count(c) / 60 for c in range(3)] for a in answer]
    assert_allclose(data["answer_share"], share, atol=1e-12)


def test_network_that_always_names_one_token_knows_nothing():
    record = make_record()
    record["logit"][:, :, 0] = 1e3
    data = token_margins(record, chance=FEW)
    assert_allclose(data["token_margin"], 0, atol=1e-12)
    assert not (data["token_margin"] > data["margin_threshold"]).any()


def test_confusion_counts_answers_and_rows_sum_to_one():
    record = make_record(strength=50.0)
    record["logit"][-1, :5] = record["logit"][-1, 20].values
    table = confusion(record)
    assert table.dims == ("token", "token_b")
    assert_allclose(table.sum("token_b"), 1)
    assert_allclose(table.sel(token="ada"), [0.75, 0.25, 0])
    assert table.attrs["step"] == 42


def test_diverged_logits_are_no_answer():
    record = make_record(strength=50.0)
    record["logit"][-1, :10] = np.nan
    assert_allclose(confusion(record).sel(token="ada"), [0.5, 0, 0])


def test_too_few_shuffles_for_the_level_are_refused():
    with pytest.raises(InputError, match=r"at least 19 shuffles at level 0.95 .* got 18 and 40"):
        Chance(n_shuffles=18, n_resamples=40)


def test_progress_names_every_snapshot():
    said = []
    token_signal(make_record(), chance=FEW, progress=lambda *state: said.append(state))
    assert len(said) == 12
    assert said[-1] == ("token signal", 12, 12)


def test_clusters_are_where_signal_was_planted():
    data = clusters(make_record(), chance=FEW)
    sure = (data["cluster_p"] <= 0.05).sel(cluster_map="signal").values
    planted = np.arange(12)[:, None] >= np.array([7, 5, 4, 4])
    assert (sure == planted).mean() > 0.95
    change = (data["cluster_p"] <= 0.05).sel(cluster_map="change").values
    assert (change == planted).mean() > 0.9
    assert_allclose(data["layer_change"].values[0], 0)


def test_a_cluster_has_one_number_and_one_p():
    data = clusters(make_record(), chance=FEW)
    for number, p in zip(data["cluster"].values, data["cluster_p"].values, strict=True):
        assert np.isnan(p[number == 0]).all()
        for name in range(1, number.max() + 1):
            assert len(np.unique(p[number == name])) == 1


def test_what_has_no_null_has_no_cluster():
    few = Chance(n_shuffles=99, n_resamples=5)
    later = make_record().isel(step=slice(3, None))
    for record, chance in ((make_record(), few), (later, FEW)):
        data = clusters(record, chance=chance).sel(cluster_map="change")
        assert (data["cluster"] == 0).all()
        assert np.isnan(data["cluster_p"]).all()
        assert "step 0" in data["cluster_p"].attrs["missing"]
