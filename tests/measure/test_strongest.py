import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import strongest_couplings
from records import make_record


def planted():
    """A chain pixels:1 -> conv1:2 -> conv2:5 -> fc1:7 -> every logit, above weak noise."""
    record = make_record()
    rng = np.random.default_rng(0)
    strength = 0.01 * rng.uniform(0.5, 1, record.sizes["edge"]).astype(np.float32)
    chain = {"conv1:2": "pixels:1", "conv2:5": "conv1:2", "fc1:7": "conv2:5"}
    chain |= {f"logits:{k}": "fc1:7" for k in range(3)}
    for k, (source, target) in enumerate(
        zip(record["source"].values, record["target"].values, strict=True)
    ):
        if chain.get(str(target)) == str(source):
            strength[k] = -0.8 if target == "fc1:7" else 0.8
    record["coupling"][-1] = strength
    return record


def test_the_planted_chain_is_followed_back_to_the_pixels():
    found = strongest_couplings(planted(), units=1)
    pairs = set(zip(found["source"].values.tolist(), found["target"].values.tolist(), strict=True))
    chain = {("pixels:1", "conv1:2"), ("conv1:2", "conv2:5"), ("conv2:5", "fc1:7")}
    assert pairs == chain | {("fc1:7", f"logits:{k}") for k in range(3)}
    assert found.attrs["layers"] == ["pixels", "conv1", "conv2", "fc1", "logits"]
    assert found["strength"].values[found["target"].values == "fc1:7"] == np.float32(-0.8)
    assert (found["rank"].values[:-3] <= 3).all()


def test_nothing_is_dropped_silently():
    record = make_record()
    found = strongest_couplings(record, edges=5)
    assert found.attrs["shown"] == found.sizes["edge"]
    assert found.attrs["shown"] + found.attrs["hidden"] == record.sizes["edge"]
    layers = [str(t).partition(":")[0] for t in found["target"].values]
    assert max(layers.count(name) for name in set(layers)) == 5


def test_flow_of_a_layer_is_shared_out_by_magnitude():
    found = strongest_couplings(planted(), units=99, edges=999)
    for layer in found.attrs["layers"]:
        flow = found["flow"].values[found["node_layer"].values == layer]
        assert_allclose(flow.sum(), 1, rtol=1e-10)
    assert found["flow"].sel(node="fc1:7") > 0.9


def test_one_token_starts_from_its_logit_and_uses_contrast():
    record = make_record()
    found = strongest_couplings(record, token="bo", step=8)
    top = found["target"].values[found["node_layer"].sizes["node"] * 0 :]
    assert {str(t) for t in top if str(t).startswith("logits")} == {"logits:1"}
    edge = np.flatnonzero(
        (record["source"].values == found["source"].values[0])
        & (record["target"].values == found["target"].values[0])
    )[0]
    expected = record["coupling_contrast"].sel(step=8, token="bo").values[edge]
    assert found["strength"].values[0] == expected


def test_couplings_beyond_all_untrained_ones_are_marked():
    record = planted()
    record["coupling"][0] = 0.5
    found = strongest_couplings(record)
    assert_allclose(found["beyond_untrained"], np.abs(found["strength"]) > 0.5)
    assert not strongest_couplings(record.isel(step=slice(1, None)))["beyond_untrained"].any()


def test_dead_units_have_no_couplings():
    record = planted()
    dead = record["target"].values == "fc1:3"
    record["coupling"][-1, dead] = np.nan
    found = strongest_couplings(record, units=99, edges=999)
    assert np.isfinite(found["strength"]).all()
    assert "fc1:3" not in found["target"].values


def test_unknown_token_and_missing_couplings_are_refused():
    record = make_record()
    with pytest.raises(InputError, match=r"a token of the record \(ada, bo, cy\), got di"):
        strongest_couplings(record, token="di")
    with pytest.raises(InputError, match="a record with coupling, got"):
        strongest_couplings(record.drop_vars("coupling"))
