import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import Chance, maps
from ontogeny.measure.categories.maps import SHOWN
from ontogeny.measure.probe import held_out
from ontogeny.stats.embedding import mds_map
from ontogeny.stats.mapquality import map_quality
from records import make_record

FEW = Chance(n_shuffles=19, n_resamples=5)


def test_a_map_has_frames_for_every_layer_and_says_what_it_keeps():
    data = maps(make_record(strength=8.0), frames=3, everything=True, chance=FEW)
    assert data["map"].dims == ("map_step", "layer", "exemplar", "axis")
    assert data["map_step"].values.tolist() == [0, 8, 42]
    assert np.isfinite(data["map"]).all()
    assert (data["trustworthiness"].sel(layer="fc1") > 0.7).all()
    assert np.isnan(data["jitter"].values[0]).all()
    assert np.isfinite(data["jitter"].sel(layer="fc1").values[1:]).all()
    assert "t-SNE" in data["map"].attrs["long_name"]
    for name in ("map", "trustworthiness", "continuity", "jitter"):
        for beside in ("mds", "pca"):
            assert data[f"{name}_{beside}"].dims == data[name].dims
            assert np.isfinite(data[f"{name}_{beside}"].sel(layer="fc1").values[1:]).all()
    assert "metric scaling" in data["map_mds"].attrs["long_name"]


def test_maps_beside_are_those_of_the_kernels_and_the_same_when_asked_for():
    record = make_record()
    data = maps(record, frames=2, everything=True, chance=FEW)
    asked = {kind: maps(record, kind=kind, frames=2, everything=True, chance=FEW)
             for kind in ("mds", "pca")}  # fmt: skip
    for kind, same in asked.items():
        for name in ("map", "trustworthiness", "continuity", "jitter"):
            assert_allclose(data[f"{name}_{kind}"].values, same[name].values, rtol=1e-6)
    alone = maps(record, frames=2, chance=FEW)
    assert set(alone) == set(SHOWN)
    for name in SHOWN:
        assert alone[name].identical(data[name])
    x = record["activation"].sel(unit=record["layer"] == "fc1").values[[0, -1]]
    half = held_out(record).position
    desired = map_quality(x[:, half], mds_map(x[:, half]))
    actual = data.sel(layer="fc1")
    assert_allclose(actual["trustworthiness_mds"], desired.trustworthiness, rtol=1e-6)
    assert_allclose(actual["continuity_mds"], desired.continuity, rtol=1e-6)


def test_tokens_far_apart_are_apart_on_the_map():
    data = maps(make_record(strength=20.0), frames=3, chance=FEW)
    frame = data["map"].sel(layer="fc1").isel(map_step=-1).values.reshape(3, 20, 2)
    centre = frame.mean(axis=1)
    spread = np.linalg.norm(frame - centre[:, None], axis=-1).max()
    gaps = np.linalg.norm(centre[:, None] - centre, axis=-1)[np.triu_indices(3, k=1)]
    assert gaps.min() > spread


@pytest.mark.parametrize("kind", ["mds", "pca"])
def test_other_maps(kind):
    record = make_record()
    record["activation"][0, :, :6] = 0.0
    data = maps(record, kind=kind, frames=2, chance=FEW)
    assert np.isnan(data["map"].sel(layer="conv1").values[0]).all()
    assert np.isfinite(data["map"].sel(layer="fc1")).all()


def test_too_few_exemplars_have_no_map_and_strange_kinds_are_refused():
    data = maps(make_record(exemplars=3), frames=2, chance=FEW)
    assert np.isnan(data["map"]).all()
    assert "too few exemplars" in data["map"].attrs["missing"]
    with pytest.raises(InputError, match=r"expected a map of kind neighbour, .* got umap"):
        maps(make_record(), kind="umap")
    with pytest.raises(InputError, match=r"at least 1 frame, got neighbour, 0"):
        maps(make_record(), frames=0)
