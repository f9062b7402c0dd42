"""A flipped bit in any file of a run: the same numbers as before or one sentence, never others."""

import re
import shutil

import numpy as np
import pytest
import xarray as xr

from ontogeny.checksums import read_metadata
from ontogeny.errors import DamagedError, OntogenyError
from ontogeny.measure import SETS, measure_run, open_measures
from ontogeny.measure.keeping import PICTURES, open_kept
from ontogeny.page.bundle import bundle_run
from ontogeny.page.table import SKETCHED
from ontogeny.record import open_record
from ontogeny.report import report
from ontogeny.run import Row, RunFolder
from ontogeny.statements import harvest_run
from ontogeny.statements.harvest import read
from ontogeny.tasks.task import Task
from records import keep_pictures, make_record, make_run

FLIPS = 60
SMALL = {"steps": (0, 1, 2, 3), "layers": {"conv1": 3, "fc1": 4}, "rises": {"fc1": 2, "logits": 1},
         "exemplars": 8}  # fmt: skip


def pictures(record):
    """Return a picture of each unit, as pictures.zarr keeps them."""
    n, exemplar, names = record.sizes["unit"], record["exemplar"].values, record["unit"].values
    unit, ones = ("unit",), np.full((n, 2), 3)
    return xr.Dataset(
        {
            "picture": ((*unit, "y", "x", "channel"), np.full((n, 6, 6, 3), 200, np.uint8)),
            "height": (unit, np.full(n, 6)), "width": (unit, np.full(n, 6)),
            "has_picture": (unit, np.full(n, True)), "achieved": (unit, np.full(n, 2.0)),
            "best_exemplar": (unit, np.ones(n)),
            "top_exemplar": ((*unit, "rank"), np.tile(exemplar[:2], (n, 1))),
            **{f"top_{name}": ((*unit, "rank"), ones)
               for name in ("response", "top", "left", "height", "width")},
            "film_picture": (("film_step", "film_unit", "y", "x", "channel"),
                             np.zeros((2, n, 6, 6, 3), np.uint8)),
            "film_height": (("film_step", "film_unit"), np.full((2, n), 6)),
            "film_width": (("film_step", "film_unit"), np.full((2, n), 6)),
        },
        coords={"unit": names, "layer": record["layer"], "film_unit": names, "film_step": [0, 3]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A small run with all that is kept of one."""
    run = make_run(tmp_path_factory.mktemp("whole") / "run", make_record(**SMALL))
    with run.writing(), run.append_curve() as curve:
        for step in range(1, 4):
            curve.append(Row(step, 1 / step, 0.5, 0.01, [1, 2, 3], [4, 4, 4]))
    for name in SETS:
        measure_run(run, name)
    keep_pictures(run, pictures(make_record(**SMALL)))
    harvest_run(run)
    return run


@pytest.fixture
def run(whole, tmp_path):
    """A copy of the run, to be damaged."""
    shutil.copytree(whole.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def flip(file, rng):
    """Flip one bit of a file and return what it was before."""
    before = file.read_bytes()
    changed = bytearray(before)
    changed[rng.integers(len(before))] ^= 1 << rng.integers(8)
    file.write_bytes(changed)
    return before


def files_of(run):
    """Return the files that hold anything, by the part of the run that they belong to."""
    parts = {}
    for file in sorted(run.path.rglob("*")):
        if file.is_file() and file.stat().st_size and not file.name.endswith("lock"):
            place = file.relative_to(run.path)
            kind = "metadata" if file.name == "zarr.json" else "data"
            parts.setdefault((place.parts[0], kind, len(place.parts) == 2), []).append(file)
    return parts


def seen(look):
    """Return what a look at a run gives, or the one sentence that it is refused by."""
    try:
        return look()
    except OntogenyError as error:
        assert re.match(r"expected .*, got .*: \S", str(error)), str(error)
        assert "\n" not in str(error)
        return None


def looks(run):
    """Return all looks at a run's numbers, by name."""
    found = {
        "record": lambda: open_record(run.path).load(),
        "curve": lambda: run.curve(), "description": lambda: run.description,
        "observations": lambda: read(run.path),
        **{name: (lambda name=name: open_measures(run, name)) for name in SETS},
        "pictures": lambda: open_kept(run, PICTURES),
    }  # fmt: skip
    for step in (0, 1, 2, 3):
        found[f"weights {step}"] = lambda step=step: run.weights(step)
    return found


def assert_same(actual, expected):
    if isinstance(expected, xr.Dataset):
        xr.testing.assert_identical(actual, expected)
    elif isinstance(expected, dict) and "conv1.weight" in expected:
        assert np.array_equal(actual["conv1.weight"], expected["conv1.weight"])
    else:
        assert repr(actual) == repr(expected)


def decoded(bundle):
    """Return the numbers and pictures of a bundle by name, and its texts."""
    found = {}
    for name, array in bundle.manifest["arrays"].items():
        size = int(np.prod(array["shape"])) * np.dtype(array["dtype"]).itemsize
        data = bundle.blobs[array["blob"]][array["offset"] : array["offset"] + size]
        found[name] = (data, {n: v for n, v in array.items() if n not in {"offset", "blob"}})
    found |= {f"sheet {name}": (bundle.blobs[sheet["blob"]], sheet)
              for name, sheet in bundle.manifest["sheets"].items()}  # fmt: skip
    said = {name: bundle.manifest[name] for name in ("steps", "texts", "observations", "layers")}
    return found, said | {"run": {**bundle.manifest["run"], "name": ""}}


def assert_bundle_is_honest(bundle, expected):
    """What it shows is what it showed; what it does not is named with the reason."""
    (found, said), (before, told) = decoded(bundle), decoded(expected)
    for name, values in found.items():
        if name in SKETCHED and name not in before:
            continue  # what is damaged is sketched from the record, which is whole, and marked so
        assert values == before[name], name
    named = {entry["what"] for entry in bundle.manifest["missing"]}
    named_before = {entry["what"] for entry in expected.manifest["missing"]}
    if set(found) != set(before) or said != told:
        assert named - named_before
    for name, words in said.items():
        empty = words in ([], {"answers": []}) or name == "run"
        fewer = name == "texts" and all(
            any(sentence in whole for whole in told[name]["answers"])
            for sentence in words["answers"]
        )
        assert words == told[name] or empty or fewer, name
    run = {n: v for n, v in said["run"].items() if v is not None}
    assert not {n for n, v in run.items() if n in told["run"] and v != told["run"][n]}


def test_a_flipped_bit_is_the_same_numbers_or_one_sentence(whole, run):
    rng, expected = np.random.default_rng(0), {n: look() for n, look in looks(whole).items()}
    parts, refused = list(files_of(run).values()), 0
    for k in range(FLIPS):
        files = parts[k % len(parts)]
        file = files[rng.integers(len(files))]
        before = flip(file, rng)
        for name, look in looks(run).items():
            found = seen(look)
            refused += found is None
            if found is not None:
                assert_same(found, expected[name])
        file.write_bytes(before)
    assert refused > FLIPS / 2  # most bits matter
    assert all(seen(look) is not None for look in looks(run).values())


def test_the_page_shows_no_number_of_a_damaged_file_and_names_it(whole, run):
    rng, expected = np.random.default_rng(1), bundle_run(whole)
    parts, noticed = list(files_of(run).values()), 0
    for k in range(FLIPS // 2):
        files = parts[k % len(parts)]
        file = files[rng.integers(len(files))]
        before = flip(file, rng)
        found = seen(lambda: bundle_run(run))
        noticed += found is None or len(found.manifest["missing"]) > len(
            expected.manifest["missing"]
        )
        if found is not None:
            assert_bundle_is_honest(found, expected)
        file.write_bytes(before)
    assert noticed > FLIPS / 6
    assert_bundle_is_honest(bundle_run(run), expected)


@pytest.mark.parametrize(
    ("name", "is_drawn"), [("loss", False), ("coupling", False), ("image", True)]
)
def test_the_report_draws_nothing_of_a_damaged_array_and_names_it(run, name, is_drawn):
    """What it does not draw from the record it has from measures, which are whole."""
    shutil.rmtree(run.path / "pictures.zarr")  # they are of no network
    shown = re.compile(r"<(?:p|h1|h2|h3|li|figcaption)[^>]*>(.*?)</", re.DOTALL)
    before = set(shown.findall(report(run).read_text()))
    file = max((run.path / "record.zarr" / name / "c").rglob("*"), key=lambda f: f.is_file())
    flip(file, np.random.default_rng(2))
    text = report(run).read_text()
    assert (f"so {name}" in text and "ontogeny observe" in text) is is_drawn
    new = {words for words in shown.findall(text) if words not in before}
    assert all(words.startswith(("Not shown", "Of its own record")) for words in new), new


def test_a_chunk_that_is_lost_is_not_filled_with_nothing(run):
    for name in ("record.zarr/logit", "structure.zarr/readout"):
        file = next(f for f in (run.path / name / "c").rglob("*") if f.is_file())
        file.unlink()
    with open_record(run.path) as record, pytest.raises(DamagedError, match="got no such file"):
        record["logit"].load()
    with pytest.raises(DamagedError, match=r"readout.*is lost: run `ontogeny measure "):
        open_measures(run, "structure")


def test_damage_of_a_record_names_the_file_the_array_the_snapshot_and_the_command(run):
    file = run.path / "record.zarr" / "activation" / "c" / "0" / "0" / "0"
    flip(file, np.random.default_rng(3))
    words = (
        rf"expected {file} as it was written, got other bytes, so activation of snapshot 0 .*"
        r"is lost: run `ontogeny observe .*run`"
    )
    with open_record(run.path) as record, pytest.raises(DamagedError, match=words):
        record["activation"].load()


def test_a_damaged_task_is_refused_or_the_same(tmp_path):
    rng, file = np.random.default_rng(4), tmp_path / "task.npz"
    token = np.repeat([0, 1], 6)
    task = Task.from_arrays(rng.integers(0, 255, (12, 4, 4, 3)).astype(np.uint8), token, probe=2)
    task.save(file)
    refused = 0
    for _ in range(FLIPS):
        before = flip(file, rng)
        found = seen(lambda: Task.load(file))
        refused += found is None
        assert found is None or found.hash == task.hash
        file.write_bytes(before)
    assert refused > FLIPS / 4


def test_metadata_of_earlier_versions_are_taken_as_they_are(tmp_path):
    (tmp_path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    assert read_metadata(tmp_path, "make it anew")["zarr_format"] == 3
