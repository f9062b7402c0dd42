import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ontogeny.errors import InputError
from ontogeny.measure import SETS, Chance, measure_run
from ontogeny.measure.quantity import Quantity, label
from ontogeny.record.layers import hidden, last_hidden
from records import make_record, make_run

FEW = Chance(n_shuffles=19, n_resamples=10)
TABLE = {
    "height": Quantity(("step", "unit"), "m", "how high it is", "it is not there", "0 by chance"),
    "name": Quantity(("unit",), "1", "what it is called"),
}


def test_arrays_are_labelled_by_their_table():
    values = {"height": [[1.0, np.nan, 2.0]], "name": ["a", "b", "c"]}
    data = label(values, TABLE, {"step": [7]}, attributes={"seed": 0})
    assert data["height"].dims == ("step", "unit")
    assert_array_equal(data["height"], values["height"])
    assert data["height"].attrs == {
        "units": "m", "long_name": "how high it is", "missing": "NaN: it is not there",
        "null": "0 by chance",
    }  # fmt: skip
    assert data["name"].attrs == {"units": "1", "long_name": "what it is called"}
    assert data.attrs == {"seed": 0}
    assert list(data.coords) == ["step"]


def test_why_it_is_missing_is_said_only_where_it_is_unless_asked_for():
    there = {"height": np.zeros((1, 2))}
    assert "missing" not in label(there, TABLE)["height"].attrs
    assert "missing" in label(there, TABLE, always_missing=True)["height"].attrs
    assert "missing" not in label({"name": ["a"]}, TABLE, always_missing=True)["name"].attrs


def test_a_name_that_the_table_lacks_is_refused():
    with pytest.raises(InputError, match=r"expected quantities .*\(height, name\), got width: "):
        label({"width": 1.0}, TABLE)


@pytest.mark.parametrize(
    "values", [{"height": np.zeros(3)}, {"height": np.zeros((2, 3))},
               {"name": ["a", "b"], "height": np.zeros((1, 3))}],
)  # fmt: skip
def test_an_array_of_another_shape_is_refused(values):
    with pytest.raises(InputError, match=r"expected height along .*, got the shape"):
        label(values, TABLE, {"step": [0]})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("sets") / "run", make_record())


@pytest.mark.parametrize("name", SETS)
def test_every_variable_of_every_set_says_what_it_is(run, name):
    data = measure_run(run, name, chance=FEW)
    for variable in data.data_vars:
        attributes = data[variable].attrs
        assert attributes["units"], variable
        assert len(attributes["long_name"]) > 8, variable
        assert attributes.get("missing", "NaN: ").startswith("NaN: "), variable


TESTED = {
    "measures": ("accuracy", "token_signal", "layer_token_signal", "cluster", "layer_change",
                 "token_margin", "after", "by"),
    "structure": ("nc1", "nc2_angle", "cdnv", "separation_worst", "crossnobis",
                  "split_separation", "model_rsa", "model_beyond", "readout", "phase", "clone_gap",
                  "clone_gap_by"),
    "detectors": ("auroc", "score", "tuned_after", "tuned_by", "tuned_share"),
    "graph": ("layer_sharing", "edges_present", "edge_births", "edge_deaths",
              "born_by", "quality", "quality_excess"),
    "gains": ("gain", "p", "constructed_share", "emergent", "p_feature", "building", "edge_gain",
              "readout_gain"),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_what_is_held_against_a_null_names_it(run, name):
    data = measure_run(run, name, chance=FEW)
    for variable in TESTED[name]:
        assert len(data[variable].attrs["null"]) > 3, variable


def test_hidden_layers_are_neither_pixels_nor_logits():
    names = np.array(["pixels", "conv1", "fc1", "logits"])
    assert hidden(names) == ["conv1", "fc1"]
    assert last_hidden(names) == "fc1"
    assert last_hidden(["pixels", "logits"]) == "logits"
