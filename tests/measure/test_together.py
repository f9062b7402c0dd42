"""Kinds measured side by side are those measured one by one."""

import pytest
import xarray as xr

from ontogeny.datasets import stored_dataset
from ontogeny.errors import RunError
from ontogeny.measure import detectors_run, measure_all
from records import make_record, make_run


def test_all_kinds_are_kept_and_are_those_of_one_process(tmp_path):
    record = make_record()
    together, alone = (make_run(tmp_path / name, record) for name in ("together", "alone"))
    said = []
    measure_all(together, progress=lambda what, *_: said.append(what))
    assert "category structure: done" in said
    for name in ("measures", "structure", "detectors", "graph"):
        assert (together.path / f"{name}.zarr").is_dir()
    xr.testing.assert_identical(
        stored_dataset(together.path / "detectors.zarr"), detectors_run(alone)
    )


def test_a_fault_in_one_kind_is_told_as_it_is(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    (run.path / "record.zarr").rename(tmp_path / "away")
    with pytest.raises(RunError, match="expected"):
        measure_all(run)
