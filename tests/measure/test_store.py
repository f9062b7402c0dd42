import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ontogeny.errors import DamagedError, InputError, RunError
from ontogeny.measure import SETS, Chance, MeasureSet, keeping, kept, measure_run, open_measures
from ontogeny.measure.keeping import Kind
from ontogeny.record import RecordWriter
from records import make_record, make_run, write_record

FEW = Chance(n_shuffles=19, n_resamples=5)


def measured(run, chance=FEW):
    said = []
    data = measure_run(run, chance=chance, progress=lambda what, *_: said.append(what))
    return data, said


def test_fresh_measures_are_not_made_again(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    first, said = measured(run)
    assert said[0] == "measures: none yet"
    again, said = measured(run.path)
    assert said == ["measures: fresh"]
    xr.testing.assert_identical(first, again)
    xr.testing.assert_identical(open_measures(run), first)


def test_every_measure_has_units_and_a_definition(tmp_path):
    data, _ = measured(make_run(tmp_path / "run", make_record()))
    stored = open_measures(tmp_path / "run")
    for name in data.data_vars:
        assert stored[name].attrs["units"]
        assert len(stored[name].attrs["long_name"]) > 3
    assert stored.sizes == {"step": 12, "unit": 25, "layer": 4, "token": 3, "token_b": 3,
                            "split": 2, "onset": 11, "cluster_map": 2}  # fmt: skip


def test_measures_of_a_record_that_has_grown_are_stale(tmp_path):
    record = make_record()
    run = make_run(tmp_path / "run", record.isel(step=slice(0, 9)))
    measured(run)
    with RecordWriter(run.path / "record.zarr") as writer:
        grows = writer.variables
        writer.append({name: record[name].values[9] for name in grows})
    with pytest.raises(RunError, match="of the record, or of another version: run `ontogeny m"):
        open_measures(run)
    data, said = measured(run)
    assert said[0] == "measures: stale, measured again"
    assert data["step"].values[-1] == 21
    assert open_measures(run).sizes["step"] == 10


def test_measures_of_another_record_of_the_same_shape_are_stale(tmp_path):
    run = make_run(tmp_path / "run", make_record(seed=0))
    other = make_run(tmp_path / "other", make_record(seed=1))
    measured(run)
    shutil.copytree(run.path / "measures.zarr", other.path / "measures.zarr")
    assert measured(other)[1][0].startswith("measures: stale")


def test_measures_of_another_version_or_other_draws_are_stale(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", make_record())
    measured(run)
    more = Chance(n_shuffles=39, n_resamples=5)
    assert measured(run, more)[1][0].startswith("measures: stale")
    own = SETS["measures"]
    next_one = replace(own.kind, version=own.kind.version + 1)
    monkeypatch.setitem(SETS, "measures", replace(own, kind=next_one))
    with pytest.raises(RunError, match="of another version"):
        open_measures(run)
    assert measured(run, more)[1][0].startswith("measures: stale")


def test_measures_of_a_record_written_again_with_the_same_values_stay_fresh(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    measured(run)
    shutil.rmtree(run.path / "record.zarr")
    write_record(make_record(), run.path / "record.zarr")
    assert measured(run)[1] == ["measures: fresh"]


def test_asking_whether_measures_are_fresh_opens_no_record(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", make_record())
    measured(run)
    monkeypatch.setattr(keeping, "open_record", None)
    monkeypatch.setattr(xr, "open_zarr", None)
    assert measured(run)[1] == ["measures: fresh"]
    open_measures(run)


def test_damaged_measures_are_told_and_made_again(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    first, _ = measured(run)
    for file in ("zarr.json", "chance/c"):
        (run.path / "measures.zarr" / file).write_text("{")
        with pytest.raises(DamagedError, match=rf"measures.zarr/{file} .*: run `ontogeny measure "):
            open_measures(run)
        assert measured(run)[1][0] == "measures: damaged, measured again"
        xr.testing.assert_identical(open_measures(run), first)


def test_a_failure_while_writing_leaves_the_old_measures_and_no_rubbish(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", make_record())
    old, _ = measured(run)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_zarr", full)
    with pytest.raises(RunError, match=r"expected room for .*measures\.zarr"):
        measured(run, Chance(n_shuffles=39, n_resamples=5))
    monkeypatch.undo()
    xr.testing.assert_identical(open_measures(run), old)
    assert not list(run.path.glob("*.tmp"))
    assert [file.name for file in run.path.glob(".measures*")] == [".measures.zarr.lock"]


def test_run_without_measures_or_record_is_told_what_to_do(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    with pytest.raises(RunError, match="got none yet: run `ontogeny measure "):
        open_measures(run)
    shutil.rmtree(run.path / "record.zarr")
    with pytest.raises(RunError, match="observe the run first"):
        measure_run(run)


def test_infinite_onsets_and_text_survive_the_disk(tmp_path):
    run = make_run(tmp_path / "run", make_record(rises={}, tokens=("ü", "a b", "<c>")))
    measured(run)
    data = open_measures(run)
    assert np.isinf(data["by"]).all()
    assert data["token"].values.tolist() == ["ü", "a b", "<c>"]


@pytest.mark.parametrize("ask", [measure_run, open_measures])
def test_a_set_that_is_not_there_is_refused_in_one_sentence(tmp_path, ask):
    run = make_run(tmp_path / "run", make_record())
    with pytest.raises(InputError, match=r"expected one of measures, .*, got detector: choose one"):
        ask(run, "detector")


def steps_of(record, *, chance=None, progress=None):
    """The least set of measures there can be."""
    return xr.Dataset({"steps": ((), record.sizes["step"])})


def test_a_row_of_the_table_is_all_that_a_new_set_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(SETS, "mine", MeasureSet(Kind("mine", "how many steps"), steps_of))
    run = make_run(tmp_path / "run", make_record())
    with pytest.raises(RunError, match=r"expected how many steps in mine\.zarr, got none yet"):
        open_measures(run, "mine")
    assert measure_run(run, "mine", chance=FEW)["steps"] == 12
    assert open_measures(run, "mine").attrs["n_shuffles"] == FEW.n_shuffles


def test_measures_of_your_own_are_kept_until_their_version_is_raised(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    made = []

    def measure(record, _):
        made.append(record.sizes["step"])
        return steps_of(record)

    for version in (1, 1, 2):
        found = kept(run, "mine.zarr", measure, chance=FEW, version=version)
    assert made == [12, 12]
    assert found["steps"] == 12
    assert (run.path / "mine.zarr").is_dir()
