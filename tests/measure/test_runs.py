import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import Chance
from ontogeny.measure.runs import noise_ceiling, run_similarity
from ontogeny.stats.cka import cka_matrix, procrustes_distance, within_token_cka
from ontogeny.stats.rdm import squared_euclidean_rdm
from oracles.geometry import ceiling_twin, condensed_twin
from records import make_record

FEW = Chance(n_shuffles=19, n_resamples=10)


def seeds(n=3, **options):
    return {f"seed {k}": make_record(seed=k, strength=6.0, **options) for k in range(n)}


@pytest.fixture(scope="module")
def records():
    return seeds()


@pytest.fixture(scope="module")
def data(records):
    return run_similarity(records, chance=FEW)


def of_layer(record, layer, k=-1):
    return record["activation"].values[k][:, record["layer"].values == layer]


def test_likeness_is_that_of_the_kernels(records, data):
    token = np.repeat(np.arange(3), 20)
    for k in (0, 7):
        x = [of_layer(record, "fc1", k) for record in records.values()]
        at = data.sel(layer="fc1").isel(step=k)
        assert_allclose(at["run_cka"], cka_matrix(x), rtol=1e-5, atol=1e-6)  # stored in single
        assert_allclose(at["run_cka_within"], within_token_cka(x, token, 3), rtol=1e-5, atol=1e-6)
    x = [of_layer(record, "fc1") for record in records.values()]
    found = data["run_procrustes_end"].sel(layer="fc1")
    assert_allclose(found[1, 2], procrustes_distance(x[1], x[2]), rtol=1e-6)
    assert_allclose(np.diagonal(found), 0)
    assert_allclose(data["run_cka_end"].sel(layer="fc1"), data["run_cka"].sel(layer="fc1")[-1])


def test_runs_become_alike_where_tokens_rise_and_beat_their_null(data):
    pair = {"run": "seed 0", "run_b": "seed 1", "layer": "fc1"}
    cka = data["run_cka"].sel(pair)
    assert abs(cka[0]) < 0.15
    assert cka[-1] > 0.5
    assert abs(data["run_cka_within"].sel(pair)[-1]) < 0.15  # what is shared is the tokens
    assert data["run_procrustes_end"].sel(pair) < data["run_procrustes_null"].sel(pair)
    free = run_similarity(
        {k: make_record(rises={}, seed=i) for i, k in enumerate("ab")}, chance=FEW
    )
    unrelated = free.sel(run="a", run_b="b")
    near = unrelated["run_procrustes_end"] < unrelated["run_procrustes_null"]
    assert near.sum() <= 1
    assert np.isnan(free["run_procrustes_null"].sel(run="a", run_b="a")).all()
    assert "a run with itself" in free["run_procrustes_null"].attrs["missing"]


def test_a_run_is_like_itself_rotated():
    one = make_record(rises={}, seed=0)
    other = one.copy(deep=True)
    units = np.flatnonzero(one["layer"].values == "conv2")
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0].astype("f4")
    other["activation"].values[:, :, units] = 3 * one["activation"].values[:, :, units] @ turn
    found = run_similarity({"a": one, "b": other}, chance=FEW).sel(
        layer="conv2", run="a", run_b="b"
    )
    assert_allclose(found["run_cka"], 1, rtol=1e-5)
    assert_allclose(found["run_procrustes_end"], 0, atol=1e-3)  # single precision, under a root


def test_ceiling_equals_its_twin_and_rises_with_what_runs_share(records):
    found = noise_ceiling(records, chance=FEW)
    assert found["layer"].values.tolist() == ["conv1", "conv2", "fc1", "logits"]
    few = {k: r.isel(exemplar=np.r_[0:4, 20:24, 40:44]) for k, r in records.items()}
    at = noise_ceiling(few, chance=FEW).sel(layer="fc1").isel(step=-1)
    rdms = [condensed_twin(squared_euclidean_rdm(of_layer(r, "fc1").astype(float)).tolist())
            for r in few.values()]  # fmt: skip
    low, high = ceiling_twin(rdms)
    assert_allclose([at["ceiling_low"], at["ceiling_high"]], [low, high], rtol=1e-6)
    fc1 = found.sel(layer="fc1")
    assert abs(fc1["ceiling_low"][0]) < 0.1
    assert fc1["ceiling_low"][-1] > 0.4
    assert (found["ceiling_high"] > found["ceiling_low"]).all()


def test_only_common_steps_are_compared():
    records = {"a": make_record(), "b": make_record(seed=1, steps=(0, 3, 5, 8, 42, 60))}
    data = run_similarity(records, chance=FEW)
    assert data["step"].values.tolist() == [0, 3, 8, 42]
    exact = cka_matrix([of_layer(records["a"], "fc1", 6), of_layer(records["b"], "fc1", 3)])
    assert_allclose(data["run_cka"].sel(layer="fc1", step=8), exact, rtol=1e-5, atol=1e-6)
    ends = cka_matrix([of_layer(r, "fc1") for r in records.values()])
    assert_allclose(data["run_cka_end"].sel(layer="fc1"), ends, rtol=1e-5, atol=1e-6)
    ceiling = noise_ceiling(records, chance=FEW)["ceiling_low"]
    assert ceiling["step"].values.tolist() == [0, 3, 8, 42]
    common = {name: record.sel(step=[0, 3, 8, 42]) for name, record in records.items()}
    assert_allclose(ceiling, noise_ceiling(common, chance=FEW)["ceiling_low"])


def test_widths_may_differ_and_silent_layers_are_nan():
    wide = make_record(seed=1, layers={"conv1": 9, "conv2": 4, "fc1": 20})
    wide["activation"][2, :, :9] = 1.0
    data = run_similarity({"a": make_record(), "b": wide}, chance=FEW)
    pair = data["run_cka"].sel(run="a", run_b="b")
    assert np.isnan(pair.sel(layer="conv1")[2])
    assert np.isfinite(pair.sel(layer="fc1")).all()
    assert "a silent layer" in data["run_cka"].attrs["missing"]


def changed(kind):
    record = make_record(seed=1)
    if kind == "task":
        record.attrs["data_hash"] = "1" * 64
    if kind == "exemplars":
        record = record.isel(exemplar=slice(0, 50))
    if kind == "layers":
        record = make_record(layers={"conv1": 6, "fc1": 8})
    if kind == "steps":
        record = record.assign_coords(step=record["step"].values + 1000)
    return record


@pytest.mark.parametrize("measure", [run_similarity, noise_ceiling])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("task", "the same task, got another in b than in a"),
        ("exemplars", "the same exemplars, got another in b than in a"),
        ("layers", "the same layers, got another in b than in a"),
        ("steps", r"some common steps, got none \(a: 0 to 42; b: 1000 to 1042\)"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(measure, kind, said):
    with pytest.raises(InputError, match=said):
        measure({"a": make_record(), "b": changed(kind)}, chance=FEW)


def test_one_run_and_no_activations_are_refused():
    with pytest.raises(InputError, match="at least 2 runs, got 1: add a run"):
        run_similarity({"a": make_record()})
    bare = make_record(seed=1).drop_vars("activation")
    with pytest.raises(InputError, match="expected a record with activation"):
        noise_ceiling({"a": make_record(), "b": bare})


def test_every_quantity_has_units_and_a_definition(data, records):
    for name, values in {**data.data_vars, **noise_ceiling(records, chance=FEW).data_vars}.items():
        assert values.attrs["units"] == "1", name
        assert len(values.attrs["long_name"]) > 10
