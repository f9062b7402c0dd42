import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.measure import Chance
from ontogeny.measure.categories.layers import draws_of
from ontogeny.measure.categories.likeness_models import (
    Comparison,
    chosen_exemplars,
    model_comparison,
)
from ontogeny.stats.rdm import (
    identity_rdm,
    partial_rank_correlation,
    rank_correlation,
    squared_euclidean_rdm,
    upper_triangle,
)
from oracles.geometry import condensed_twin, parts_twin
from records import TOKENS, make_record

FEW = Chance(n_shuffles=99, n_resamples=40)
FIVE = ("ada", "bo", "cy", "dee", "eve")


def with_factors(record, **factors):
    return record.assign_coords({f"factor_{k}": ("exemplar", v) for k, v in factors.items()})


@pytest.fixture(scope="module")
def record():
    """Parts that tell tokens, one that varies within, and a factor that conv2 follows at last."""
    record = make_record(tokens=FIVE, strength=4.0, exemplars=16)
    token, rng = np.repeat(np.arange(5), 16), np.random.default_rng(0)
    tilt = rng.normal(size=80)
    units = np.flatnonzero(record["layer"].values == "conv2")
    record["activation"][8:, :, units[0]] += 6 * tilt
    return with_factors(record, part_hat=token // 2, part_nose=token % 3, tilt=tilt,
                        idle=rng.normal(size=80))  # fmt: skip


@pytest.fixture(scope="module")
def data(record):
    return model_comparison(record, everything=True, chance=FEW)


def pairs_of(record, layer, k):
    x = record["activation"].values[k][:, record["layer"].values == layer]
    return upper_triangle(squared_euclidean_rdm(x))


def test_fits_are_those_of_the_definitions(record, data):
    token = np.repeat(np.arange(5), 16)
    image = record["image"].values.reshape(80, -1).astype(float)
    models = {
        "token": upper_triangle(identity_rdm(token)),
        "parts": np.array(condensed_twin(parts_twin(
            np.stack([token // 2, token % 3], axis=1).tolist()))),
        "pixels": upper_triangle(squared_euclidean_rdm(image)),
        "last_layer": pairs_of(record, "fc1", -1), "last_step": pairs_of(record, "conv2", -1),
    }  # fmt: skip
    assert data["model"].values.tolist() == ["token", "parts", "pixels", "last_step", "last_layer"]
    at, rdm = data.sel(layer="conv2").isel(step=9), pairs_of(record, "conv2", 9)
    for name, model in models.items():
        each = at.sel(model=name)
        for key, how in (("model_rsa", "spearman"), ("model_rho_a", "rho_a")):
            exact = rank_correlation(rdm, model[None], comparison=how)[0]
            # pixel distances are those of principal component scores: ranks may swap by rounding
            assert_allclose(each[key], exact, atol=1e-4)
        others = {"token", "parts", "pixels"} - {name}
        controls = np.stack([m for k, m in models.items() if k in others])
        exact = partial_rank_correlation(rdm, model, controls)
        assert_allclose(each["model_beyond"], exact, atol=1e-4)
        assert each["model_low"] < each["model_rsa"] < each["model_high"]


def test_a_layer_compared_with_itself_is_nan_and_says_so(data):
    found = data["model_rsa"]
    assert np.isnan(found.sel(model="pixels", layer="pixels")).all()
    assert np.isnan(found.sel(model="last_step").isel(step=-1)).all()
    assert np.isnan(found.sel(model="last_layer", layer="fc1")[-1])
    assert np.isfinite(found.sel(model="last_layer", layer="fc1")[:-1]).all()
    assert "compared with itself" in found.attrs["missing"]
    assert found.sel(model="last_step", layer="conv1")[-2] > 0.9


def test_tokens_pass_their_threshold_where_planted_and_only_there(data):
    token = data.sel(model="token")
    above = (token["model_rsa"] > token["model_threshold"]).sel(layer="conv2")
    assert above.values.tolist() == [False] * 5 + [True] * 7
    assert token["model_p"].sel(layer="conv2") == pytest.approx(0.01)
    assert (token["model_beyond_p"].sel(layer=["conv2", "fc1"]) <= 0.01).all()


def test_a_factor_is_found_where_the_layer_follows_it(data):
    at = data.sel(layer="conv2")
    tilt = at["factor_rsa"].sel(factor="tilt")
    assert tilt[-1] > at["factor_threshold"].sel(factor="tilt") > tilt[0]
    assert at["factor_beyond_p"].sel(factor="tilt") == pytest.approx(0.01)
    assert at["factor_p"].sel(factor="idle") > 0.05
    assert data["factor_p"].sel(layer="conv1", factor="tilt") > 0.05


def test_models_of_tokens_are_tested_by_exchanging_whole_tokens(data):
    """Parts that are the same in all exemplars of a token cannot pass for tokens alone."""
    for name in ("part_hat", "part_nose"):
        assert data["factor_threshold"].sel(layer="fc1", factor=name) > 0.2
    assert data["model_threshold"].sel(layer="fc1", model="parts") > 0.2
    three = with_factors(make_record(strength=6.0), part_hat=np.repeat([0, 1, 1], 20))
    p = model_comparison(three, chance=FEW)["model_p"].sel(model="parts")
    assert (p > 0.15).all()  # three tokens have six arrangements


def test_without_structure_few_models_pass():
    passed = []
    for seed in range(8):
        free = make_record(rises={}, seed=seed)
        factor = np.random.default_rng(seed).normal(size=60)
        found = model_comparison(with_factors(free, idle=factor), everything=True, chance=FEW)
        p = found["model_p"].sel(model="token", layer=["conv1", "conv2", "fc1"]).values
        passed += [*(p <= 0.05), *(found["factor_p"].values[1:, 0] <= 0.05)]
    assert np.mean(passed) < 0.05 + 3 * (0.05 * 0.95 / len(passed)) ** 0.5


def test_exemplars_are_few_of_each_token_and_of_all():
    draws = draws_of(make_record(exemplars=40), FEW)
    assert len(chosen_exemplars(draws)) == 90
    many = draws_of(make_record(tokens=[f"t{k}" for k in range(10)], exemplars=20), FEW)
    assert np.bincount(many.probe.token[chosen_exemplars(many)]).tolist() == [15] * 10


def test_no_images_no_factors_silent_layers_nan_one_step_and_nothing_to_exchange():
    record = make_record().drop_vars("image")
    record["activation"][3, :, :6] = 1.0
    record["activation"][5, 7, 8] = np.nan
    data = model_comparison(record, chance=FEW)
    assert data["model"].values.tolist() == ["token", "last_step", "last_layer"]
    assert "factor_beyond" not in data
    assert np.isnan(data["model_rsa"].sel(layer="conv1", model="token")[3])
    assert np.isnan(data["model_rsa"].sel(layer="conv2", model="token")[5])
    assert np.isfinite(data["model_p"].sel(layer="conv1", model="token"))
    one = model_comparison(make_record(steps=(0,)), chance=FEW)
    assert np.isfinite(one["model_rsa"].sel(model="token")).all()
    grouped = make_record(exemplars=6).assign_coords(
        group=("exemplar", np.repeat([0, 1, 2], [5, 6, 7])))  # fmt: skip
    stuck = model_comparison(grouped, chance=FEW)
    assert np.isfinite(stuck["model_rsa"].sel(model="token", layer="fc1")).all()
    assert "nothing that could be exchanged" in stuck["model_p"].attrs["missing"]
    absent = make_record().isel(exemplar=slice(0, 40))
    assert np.isfinite(model_comparison(absent, chance=FEW)["model_rsa"].sel(model="token")).all()


def test_every_quantity_has_units_a_definition_and_a_reason_for_nan(data):
    for name in data.data_vars:
        in_steps = str(name).startswith("model_beyond_") and str(name).endswith(("after", "by"))
        assert data[name].attrs["units"] == ("steps" if in_steps else "1")
        assert len(data[name].attrs["long_name"]) > 10
        assert ("missing" in data[name].attrs) == bool(np.isnan(data[name]).any())


def test_nothing_collected_gives_nothing():
    assert not Comparison(make_record(tokens=TOKENS)).result()
