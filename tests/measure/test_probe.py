import numpy as np
import pytest

from ontogeny.errors import InputError
from ontogeny.measure.probe import chosen_step, held_out, layer_names, require
from records import make_record


def test_only_held_out_exemplars_are_measured():
    record = make_record()
    split = record["exemplar_split"].values.astype(object)
    split[:30] = "train"
    probe = held_out(record.assign_coords(exemplar_split=("exemplar", split)))
    assert probe.position.tolist() == list(range(30, 60))
    assert np.bincount(probe.token).tolist() == [0, 10, 20]
    assert probe.chance == pytest.approx(2 / 3)


def test_record_without_splits_and_groups_is_a_probe_of_single_exemplars():
    probe = held_out(make_record(group_size=4).drop_vars(["exemplar_split", "group"]))
    assert len(probe.position) == 60
    assert len(np.unique(probe.group)) == 60


def test_one_held_out_token_is_refused():
    record = make_record().isel(exemplar=slice(0, 20))
    with pytest.raises(InputError, match="of at least 2 tokens, got 20 of 1: hold some out"):
        held_out(record)


def test_missing_variables_are_all_named():
    record = make_record().drop_vars(["logit", "loss"])
    with pytest.raises(InputError, match="a record with logit, loss, got one with accuracy"):
        require(record, "logit", "activation", "loss")


def test_layers_keep_their_forward_order():
    layers = {f"conv{k}": 2 for k in (1, 2, 10)}
    assert layer_names(make_record(layers=layers, rises={})) == [*layers, "logits"]


def test_step_that_is_not_recorded_is_refused_with_its_neighbours():
    record = make_record()
    assert chosen_step(record, None) == 42
    assert chosen_step(record, 8) == 8
    with pytest.raises(InputError, match="got 9: the nearest are 6, 8, 11"):
        chosen_step(record, 9)
