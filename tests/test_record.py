"""The record on disk: whole steps only, each once, readable while it grows and by plain xarray."""

import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ontogeny import checksums
from ontogeny import record as rec
from ontogeny.errors import DamagedError, InputError, RunError
from ontogeny.record import RecordWriter, definition, open_record, validate

UNITS = ["conv1:0", "conv1:1", "logits:0", "logits:1"]
EDGES = [("pixels:0", "conv1:0"), ("conv1:0", "logits:1"), ("conv1:1", "logits:1")]
SIZES = {
    "step": 0, "exemplar": 5, "unit": 4, "edge": 3, "token": 2, "split": 2, "level": 3, "pair": 3,
    "deal": 4, "depth": 2, "feature": 2, "fold": 3, "stage": 2,
}  # fmt: skip


def template(**sizes):
    sizes = SIZES | sizes
    coords = {
        "step": np.arange(sizes["step"]), "epoch": np.zeros(sizes["step"]),
        "weights_hash": np.array(["x"] * sizes["step"], dtype=object),
        "exemplar": [3, 4, 7, 9, 11], "exemplar_token": ["anna"] * 3 + ["zoë"] * 2,
        "factor_scale": np.linspace(0, 1, 5), "factor_light": list("lrlrl"),
        "unit": UNITS, "layer": ["conv1"] * 2 + ["logits"] * 2, "channel": [0, 1, 0, 1],
        "edge": np.arange(3), "source": [a for a, _ in EDGES], "target": [b for _, b in EDGES],
        "token": ["anna", "zoë"], "split": list(rec.SPLITS),
        "level": list(rec.LEVELS), "pair": np.arange(len(rec.PAIRS)),
        "exemplar_fold": [0, 1, -1, 2, -1], "deal": np.arange(4), "depth": [1, 2],
        "feature": ["anna", "light l"], "feature_also": ["zoë", ""], "fold": np.arange(3),
        "stage": ["conv1", "logits"],
    }  # fmt: skip
    names = [n for n in rec.VARIABLES if n not in coords and not definition(n).is_coordinate]
    shapes = {n: [sizes.get(d, 2) for d in definition(n).dims] for n in names}
    attrs = dict.fromkeys(rec.ATTRIBUTES) | {"schema": rec.SCHEMA, "config": {"steps": 9}}
    return xr.Dataset(
        {n: entry(n, np.zeros(s, definition(n).dtype)) for n, s in shapes.items()},
        coords={n: entry(n, v) for n, v in coords.items()},
        attrs=attrs,
    )


def entry(name, values):
    return definition(name).dims, values, {
        "units": definition(name).units, "long_name": definition(name).long_name,
    }  # fmt: skip


def row(step):
    rng = np.random.default_rng(step)
    growing = [n for n, v in template().variables.items() if v.dims and v.dims[0] == "step"]
    values = {n: rng.normal(size=[SIZES[d] for d in definition(n).dims[1:]]) for n in growing}
    return values | {"step": step, "epoch": step / 10, "weights_hash": f"hash {step}"}


def assert_holds(path, steps):
    """Expect these steps, each with the values that belong to it."""
    record = open_record(path)
    assert record.step.values.tolist() == list(steps)
    for k, step in enumerate(steps):
        for name, values in row(step).items():
            actual = record[name].values[k]
            expected = np.asarray(values).astype(actual.dtype)
            assert np.array_equal(actual, expected), (name, step)
    validate(record)


def written(path, steps):
    with RecordWriter.create(path, template()) as writer:
        for step in steps:
            writer.append(row(step))
    return path


def test_round_trip(tmp_path):
    steps = [0, 1, 2, 5, 300]
    path = written(tmp_path / "record.zarr", steps)
    assert_holds(path, steps)
    assert_holds(tmp_path, steps)  # the run's folder does as well
    record = open_record(path)
    assert record.attrs["config"] == {"steps": 9}
    assert record.token.values.tolist() == ["anna", "zoë"]
    assert record.activation.dtype == np.float32
    assert record.coupling_contrast.dtype == np.float16
    assert record.activation.sel(unit="conv1:1", step=5).dims == ("exemplar",)
    assert record.sel(unit=record.layer == "logits").sizes["unit"] == 2
    assert record.image.dims == ("exemplar", "y", "x", "channel")
    assert record.isel(exemplar=slice(0, 2)).load().sizes["exemplar"] == 2
    for variable in record.variables.values():
        assert {"units", "long_name"} <= set(variable.attrs)


@pytest.mark.parametrize("open_it", [xr.open_zarr, lambda p: xr.open_dataset(p, engine="zarr")])
def test_plain_xarray_reads_it(tmp_path, open_it):
    path = written(tmp_path / "record.zarr", [0, 3])
    plain = open_it(path)
    assert plain.step.values.tolist() == [0, 3]
    assert set(plain.coords) == set(template().coords)
    assert plain.source.values.tolist() == [a for a, _ in EDGES]
    validate(plain)


def test_growth_is_seen_step_by_step_and_an_open_record_stays_as_it_was(tmp_path):
    path = tmp_path / "record.zarr"
    with RecordWriter.create(path, template()) as writer:
        writer.append(row(0))
        early = open_record(path)
        writer.append(row(4))
        assert_holds(path, [0, 4])
        assert early.step.values.tolist() == [0]
        assert writer.column("weights_hash").tolist() == ["hash 0", "hash 4"]


def test_reopened_record_goes_on(tmp_path):
    path = written(tmp_path / "record.zarr", [0, 1])
    with RecordWriter(path) as writer:
        assert writer.n_steps == 2
        writer.append(row(2))
    assert_holds(path, [0, 1, 2])


def test_truncated_record_goes_on_with_new_rows(tmp_path):
    path = written(tmp_path / "record.zarr", [0, 1, 2, 3])
    with RecordWriter(path) as writer:
        writer.truncate(2)
        assert_holds(path, [0, 1])
        writer.append(row(7))
    assert_holds(path, [0, 1, 7])


def test_interrupted_append_leaves_no_trace(tmp_path, monkeypatch):
    path = written(tmp_path / "record.zarr", [0, 1])
    with RecordWriter(path) as writer:
        monkeypatch.setattr(writer, "_commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            writer.append(row(8))
    assert_holds(path, [0, 1])
    with RecordWriter(path) as writer:
        writer.append(row(2))
    assert_holds(path, [0, 1, 2])


def test_many_small_rows_share_chunks(tmp_path):
    path = written(tmp_path / "record.zarr", range(70))
    assert len(list((path / "loss" / "c").rglob("*"))) <= 3
    assert_holds(path, range(70))


WRITER = """
import sys; sys.path[:0] = {paths!r}
import test_record as t
from ontogeny.record import RecordWriter
import pathlib
path = pathlib.Path(sys.argv[1])
writer = RecordWriter(path) if path.exists() else RecordWriter.create(path, t.template())
print("ready", flush=True)
for step in range(writer.n_steps, 400):
    writer.append(t.row(step))
"""


@pytest.mark.slow
def test_killed_writer_leaves_each_step_once(tmp_path):
    path, here = tmp_path / "record.zarr", str(Path(__file__).parent)
    script = textwrap.dedent(WRITER.format(paths=[here]))
    rng, n, kills = np.random.default_rng(0), 0, 0
    while kills < 12 or (n <= 3 and kills < 60):  # a loaded machine needs more of them
        kills += 1
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE
        )
        process.stdout.read(6)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if path.exists():
            try:
                n = open_record(path).sizes["step"]
            except RunError as error:
                assert "none yet" in str(error)
            else:
                assert_holds(path, range(n))
    assert n > 3


def test_only_one_writer(tmp_path):
    path = written(tmp_path / "record.zarr", [0])
    with RecordWriter(path), pytest.raises(RunError, match="expected to be the only writer"):
        RecordWriter(path)
    with RecordWriter(path):
        pass


def test_patient_writer_waits_for_another(tmp_path):
    path = written(tmp_path / "record.zarr", [0])
    first = RecordWriter(path)
    timer = threading.Timer(0.3, first.close)
    timer.start()
    with RecordWriter(path, patience=30) as second:
        second.append(row(1))
    timer.join()
    assert_holds(path, [0, 1])


def test_row_that_does_not_fit_names_all_faults(tmp_path):
    path = written(tmp_path / "record.zarr", [5])
    wrong = row(5) | {"unit_mean": np.zeros(3), "colour": 1}
    del wrong["loss"]
    words = r"no loss; unknown colour; unit_mean of shape \(3,\), not \(4,\); step 5 after step 5"
    with RecordWriter(path) as writer, pytest.raises(InputError, match=words):
        writer.append(wrong)
    assert_holds(path, [5])


def test_full_disk_is_told_and_the_steps_before_are_whole(tmp_path, monkeypatch):
    path = written(tmp_path / "record.zarr", [0])
    with RecordWriter(path) as writer:

        def no_room(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(writer, "_synchronise", no_room)
            with pytest.raises(RunError, match=r"expected room for .*No space left on device"):
                writer.append(row(1))
        assert_holds(path, [0])
        writer.append(row(2))
    assert_holds(path, [0, 2])


@pytest.mark.slow
def test_file_size_limit_ends_in_a_sentence_and_goes_on_when_lifted(tmp_path):
    path = written(tmp_path / "record.zarr", [0])
    script = f"""
import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]
import resource, signal, test_record as t
from ontogeny.errors import RunError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with t.RecordWriter({str(path)!r}) as writer:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    try:
        writer.append(t.row(1))
    except RunError as error:
        sys.exit(0 if "expected room for" in str(error) else str(error))
sys.exit("no error")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert_holds(path, [0])
    with RecordWriter(path) as writer:
        writer.append(row(1))
    assert_holds(path, [0, 1])


def test_missing_empty_foreign_and_newer_records_are_told(tmp_path):
    with pytest.raises(RunError, match="got nothing there: observe the run first"):
        open_record(tmp_path / "record.zarr")
    (tmp_path / "half.zarr").mkdir()
    with pytest.raises(RunError, match=r"expected .*half.zarr.zarr.json as it was written, got"):
        open_record(tmp_path / "half.zarr")
    written(tmp_path / "empty.zarr", [])
    with pytest.raises(RunError, match="got none yet"):
        open_record(tmp_path / "empty.zarr")
    path = written(tmp_path / "record.zarr", [0])
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["schema"] = rec.SCHEMA + 1
    checksums.seal(path, metadata, {})
    with pytest.raises(RunError, match=f"got {rec.SCHEMA + 1}: update ontogeny"):
        open_record(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(DamagedError, match=r"expected .*zarr.json as it was written"):
        RecordWriter(path)


def test_record_is_not_overwritten(tmp_path):
    path = written(tmp_path / "record.zarr", [0])
    with pytest.raises(RunError, match=r"expected no record in .*, got one"):
        RecordWriter.create(path, template())
    assert_holds(path, [0])


def test_half_created_record_is_swept(tmp_path):
    (tmp_path / "record.zarr.new" / "left").mkdir(parents=True)
    assert_holds(written(tmp_path / "record.zarr", [0]), [0])
    assert not (tmp_path / "record.zarr.new").exists()


def test_validate_gathers_all_faults():
    faulty = template(step=2).drop_vars(["logit", "unit_mean"]).assign_attrs(schema=9)
    faulty["mood"] = ("unit", np.zeros(4))
    faulty["coupling"] = faulty["coupling"].astype(int)
    faulty["loss"].attrs.pop("units")
    faulty["accuracy"] = faulty["accuracy"].transpose()
    faulty = faulty.assign_coords(step=("step", [4, 4], faulty.step.attrs))
    faulty = faulty.drop_vars("source")
    del faulty.attrs["layers"]
    with pytest.raises(InputError) as error:
        validate(faulty)
    for words in (
        "no attribute layers", "schema 9", "no logit", "no unit_mean", "unknown variable mood",
        "coupling of int64, not float32", "loss without units", "accuracy over",
        "steps that do not ascend", "coupling without source and target",
    ):  # fmt: skip
        assert words in str(error.value)


def test_twice_named_unit_is_told():
    twice = template().assign_coords(unit=("unit", ["a", "a", "b", "c"]))
    twice["unit"].attrs.update(units="", long_name="x")
    with pytest.raises(InputError, match="units that share a name"):
        validate(twice)


def test_docs_page_names_every_variable_with_its_dims():
    page = (Path(__file__).parents[1] / "docs" / "record.md").read_text()
    for name, variable in rec.VARIABLES.items():
        dims = ", ".join(variable.dims)
        assert any(
            line.strip(" *").startswith(f"{name} ") and f"({dims})" in line
            for line in page.splitlines()
        ), name
    for attribute in rec.ATTRIBUTES:
        assert attribute in page


def test_unknown_name_has_no_definition():
    with pytest.raises(InputError, match=r"expected a variable of the record .* got mood"):
        definition("mood")


def test_values_of_all_kinds_survive(tmp_path):
    path = tmp_path / "record.zarr"
    odd = row(0)
    odd["coupling"] = np.array([np.nan, np.inf, -0.0])
    odd["unit_mean"] = np.full(4, np.nan)  # as fill values
    with RecordWriter.create(path, template()) as writer:
        writer.append(row(0) | odd)
    record = open_record(path)
    assert np.array_equal(record.coupling.values[0], odd["coupling"], equal_nan=True)
    assert np.isnan(record.unit_mean.values).all()
