from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from ontogeny.measure import (
    SETS,
    Chance,
    measure_run,
    neural_collapse,
    phases,
    readout,
    structure,
)
from records import make_record, make_run

FEW = Chance(n_shuffles=19, n_resamples=10)


@pytest.fixture(scope="module")
def data():
    return structure(make_record(strength=6.0), chance=FEW)


def test_one_pass_gives_what_each_measure_gives(data):
    record = make_record(strength=6.0)
    each = neural_collapse(record, chance=FEW).merge(readout(record, chance=FEW))
    for name in ("nc1", "things_by", "separation_low", "readout", "readout_few"):
        assert_allclose(data[name], each[name])


def test_every_measure_has_units_a_definition_and_a_reason_for_nan(data):
    assert {"crossnobis", "cka", "map", "kept_by", "phase", "two_nn"} <= set(data)
    assert {"mode_strength", "split_bound", "clone_gap"} <= set(data)
    for name in data.data_vars:
        attributes = data[name].attrs
        assert attributes["units"], name
        assert len(attributes["long_name"]) > 10, name
        if np.isnan(data[name].values).any() and name != "cdnv_null":
            assert attributes["missing"], name


def test_a_sudden_change_of_all_measures_is_a_phase():
    steps = tuple(range(0, 400, 10))
    rises = dict.fromkeys(("conv1", "conv2", "fc1", "logits"), 15)
    record = make_record(steps=steps, rises=rises, strength=8.0)
    found = phases(record, structure(record, chance=FEW))
    assert found["change"].isel(step=slice(14, 17)).any("step").sum() >= 4
    begins = np.flatnonzero(found["phase"].values)
    assert set(begins) & {14, 15, 16}
    assert found["phase_p"] <= 0.05
    for place in begins:
        at = found.isel(step=place)
        assert at["phase_first"] <= steps[place] <= at["phase_last"]


def test_measures_that_wander_have_no_phase():
    record = make_record(rises={})
    found = phases(record, structure(record, chance=FEW))
    assert found["phase_p"] > 0.05


def test_branches_pass_their_bound_only_with_token_structure(data):
    chance = Chance(n_shuffles=99, n_resamples=10)
    for record, fires in ((make_record(strength=6.0), True), (make_record(rises={}), False)):
        found = structure(record, chance=chance).sel(layer="fc1")
        beyond = found["split_separation"].isel(step=-1) > found["split_bound"]
        assert bool(beyond.any()) is fires


def test_measures_of_structure_are_kept_until_stale(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", make_record())
    said = []
    how = {"chance": FEW, "progress": lambda what, *_: said.append(what)}
    first = measure_run(run, "structure", **how)
    assert "category structure of fc1" in said
    said.clear()
    xr.testing.assert_identical(measure_run(run.path, "structure", **how), first)
    assert said == ["structure: fresh"]
    said.clear()
    own = SETS["structure"]
    monkeypatch.setitem(SETS, "structure", replace(own, kind=replace(own.kind, version=1000)))
    measure_run(run, "structure", **how)
    assert said[0] == "structure: stale, measured again"
