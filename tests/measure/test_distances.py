import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.measure import Chance, cka, differentiation, dimension, rdm
from ontogeny.measure.categories.distances import _resampled_distances
from ontogeny.measure.categories.layers import draws_of, layers_of
from ontogeny.stats.cka import cka_matrix
from ontogeny.stats.dimension import participation_ratio, two_nn
from ontogeny.stats.rdm import crossnobis_rdm, fold_means, noise_precision
from records import STEPS, make_record

FEW = Chance(n_shuffles=19, n_resamples=30)


def planted(exemplars=20):
    """Cy parts from ada and bo at snapshot 3, ada from bo at snapshot 7, in fc1."""
    record = make_record(rises={}, exemplars=exemplars)
    units = np.flatnonzero(record["layer"].values == "fc1")
    token = np.repeat(np.arange(3), exemplars)
    x = record["activation"].values
    x[3:, token == 2, units[0]] += 12
    x[7:, token == 1, units[1]] += 5
    record["activation"].values = x
    return record


def test_crossnobis_is_the_kernels_and_zero_on_average_without_tokens():
    record = make_record(strength=4.0)
    data = rdm(record, chance=FEW)
    draws = draws_of(record, FEW)
    x = record["activation"].values[-1][:, record["layer"].values == "conv2"]
    precision = noise_precision(x, draws.probe.token, 3)
    exact = crossnobis_rdm(fold_means(x, draws.probe.token, draws.fold, 3), precision)
    found = data["crossnobis"].sel(layer="conv2").isel(step=-1)
    assert_allclose(found, exact, rtol=1e-6)  # stored in single precision
    free = rdm(make_record(rises={}, exemplars=60), chance=FEW)["crossnobis"]
    hidden = free.sel(layer=["conv1", "conv2", "fc1"]).values[..., *np.triu_indices(3, k=1)]
    assert abs(np.mean(hidden)) < 0.05


def test_resampled_distances_with_every_exemplar_once_are_the_estimate():
    record = make_record(strength=4.0)
    draws = draws_of(record, FEW)
    draws.weights[0] = 1
    x = list(layers_of(record, draws))[2].patterns[-1]
    precision = noise_precision(x, draws.probe.token, 3)
    exact = crossnobis_rdm(fold_means(x, draws.probe.token, draws.fold, 3), precision)
    found = _resampled_distances(x, precision, draws)[0]
    assert_allclose(found, exact, rtol=1e-4, atol=1e-4)  # float32 throughout


def test_splits_part_where_they_were_planted():
    data = differentiation(planted(), chance=FEW).sel(layer="fc1")
    assert abs(data["split_side"].values).tolist() == [[1, 1, 1], [1, 1, 0]]
    assert data["split_side"].values[0, 0] == -data["split_side"].values[0, 2]
    assert data["split_after"].values.tolist() == [STEPS[2], STEPS[6]]
    assert data["split_by"].values.tolist() == [STEPS[3], STEPS[7]]
    assert (data["split_confidence_after"] <= data["split_after"]).all()
    assert (data["split_confidence_by"] >= data["split_by"]).all()


def test_distances_come_to_resemble_tokens_and_not_pixels():
    data = rdm(make_record(strength=6.0), chance=FEW)
    fc1 = data["rsa_token"].sel(layer="fc1").values
    assert abs(fc1[0]) < 0.1
    assert fc1[-1] > 0.6
    assert data["rsa_pixels"].sel(layer="pixels").values[0] == pytest.approx(1)
    beyond = data["rsa_token_beyond_pixels"]
    assert np.isnan(beyond.sel(layer="pixels")).all()
    assert "pixels themselves" in beyond.attrs["missing"]
    assert beyond.sel(layer="fc1").values[-1] > 0.3


def test_without_images_there_are_no_pixels():
    data = rdm(make_record().drop_vars("image"), chance=FEW)
    assert data["layer"].values.tolist() == ["conv1", "conv2", "fc1", "logits"]
    assert np.isnan(data["rsa_pixels"]).all()


def test_dimension_is_that_of_independent_units_and_falls_with_tokens_apart():
    data = dimension(make_record(rises={"fc1": 6}, exemplars=60, strength=20.0), chance=FEW)
    full = data["participation_ratio"].sel(layer="fc1").values
    assert full[0] == pytest.approx(8, rel=0.15)  # 8 independent units, 180 exemplars
    assert full[-1] < 3
    assert data["participation_ratio_within"].sel(layer="fc1").values[-1] > 6
    assert data["two_nn"].sel(layer="fc1").values[0] == pytest.approx(7, rel=0.3)


def test_duplicated_exemplars_do_not_ruin_the_dimension():
    record = make_record(exemplars=40, rises={})
    twice = record["activation"].values
    twice[:, 1::2] = twice[:, ::2]
    record["activation"].values = twice
    alone = dimension(record, chance=FEW)["two_nn"].sel(layer="fc1").values[0]
    assert 3 < alone < 12


def test_cka_between_steps_and_layers_is_the_kernels():
    record = make_record(strength=4.0)
    data = cka(record, chance=FEW)
    x = record["activation"].values[:, :, record["layer"].values == "fc1"]
    found = data["cka"].sel(layer="fc1")
    assert_allclose(found, cka_matrix(list(x)), rtol=1e-5)
    assert found.dims == ("step", "step_b")
    assert np.isnan(data["cka"].sel(layer="pixels")).all()
    assert data["layer_cka"].dims == ("similarity_step", "layer", "layer_b")
    assert data["similarity_step"].values.tolist() == [0, 8, 42]
    assert_allclose(np.diagonal(data["layer_cka"].values[-1]), 1)


def test_few_groups_leave_nothing_to_cross_validate():
    record = make_record(exemplars=4, group_size=4)
    record = record.assign_coords(group=("exemplar", np.repeat(np.arange(3), 4)))
    data = rdm(record, chance=FEW)
    assert np.isnan(data["crossnobis"]).all()
    assert data["crossnobis"].attrs["missing"].startswith("NaN: too few groups for folds")


@pytest.mark.parametrize("measure", [rdm, differentiation, dimension, cka])
def test_one_step_silent_layers_and_nan(measure):
    record = make_record(steps=(0, 5))
    record["activation"][0, :, :6] = 0.0
    record["activation"][1, 3, 7] = np.nan
    data = measure(record, chance=FEW)
    assert data.sizes["step"] == 2
    one = measure(make_record(steps=(0,)), chance=FEW)
    for name in one.data_vars:
        assert one[name].attrs["units"]
        assert one[name].attrs["long_name"]


def test_each_token_has_the_dimensions_of_its_own_exemplars():
    record = make_record(exemplars=60, rises={})
    units = np.flatnonzero(record["layer"].values == "fc1")
    x, token = record["activation"].values, np.repeat(np.arange(3), 60)
    x[6:, token == 1, units[2] :] = 0.0  # bo is left with two dimensions
    record["activation"].values = x
    data = dimension(record, chance=FEW).sel(layer="fc1")
    ratio, intrinsic = data["token_participation_ratio"], data["token_two_nn"]
    own = x[-1][token == 0][:, units]
    assert_allclose(ratio.sel(token="ada")[-1], participation_ratio(own), rtol=1e-5)
    assert_allclose(intrinsic.sel(token="ada")[-1], two_nn(own), rtol=1e-5)
    assert ratio.sel(token="bo")[0] > 5 > 2.2 > ratio.sel(token="bo")[-1]
    assert intrinsic.sel(token="bo")[-1] == pytest.approx(2, rel=0.3)


def test_scales_start_at_two_nn_and_few_exemplars_have_few():
    data = dimension(make_record(exemplars=30, rises={}), chance=FEW)
    scales = data["gride"].sel(layer="fc1")
    assert scales["scale_step"].values.tolist() == [0, 3, 8, 15, 42]
    first = data["two_nn"].sel(layer="fc1", step=scales["scale_step"].values)
    assert_allclose(scales.sel(scale=1), first, rtol=1e-5)
    few = dimension(make_record(exemplars=7, group_size=1), chance=FEW)["gride"]
    assert np.isfinite(few.sel(layer="fc1", scale=8)).all()
    assert np.isnan(few.sel(scale=16)).all()
    assert "fewer than 2k + 1 patterns" in few.attrs["missing"]


def test_duplicates_of_a_group_are_no_neighbours_at_any_scale():
    record = make_record(exemplars=40, group_size=2, rises={})
    x = record["activation"].values
    x[:, 1::2] = x[:, ::2] + 1e-4
    record["activation"].values = x
    told = dimension(record, chance=FEW)["gride"].sel(layer="fc1", scale=1)
    alone = record.assign_coords(group=("exemplar", np.arange(120)))
    untold = dimension(alone, chance=FEW)["gride"].sel(layer="fc1", scale=1)
    assert (told > 3).all()
    assert (untold < 1).all()
