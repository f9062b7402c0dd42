"""A bundle holds what the record and the measures hold, and names what is not there."""

import io
import json
import shutil

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from ontogeny.errors import RunError
from ontogeny.measure import Chance, measure_run
from ontogeny.measure.couplings.wiring import wiring_of
from ontogeny.page import bundle as packing_module
from ontogeny.page import edges
from ontogeny.page.bundle import bundle_run
from ontogeny.page.pictures import CELL, GROUND, fitted
from ontogeny.page.sheets import sheet
from ontogeny.page.sources import Sources
from ontogeny.page.table import ARRAYS
from ontogeny.run import RunFolder
from records import TOKENS, make_record, make_run

FEW = Chance(n_shuffles=19, n_resamples=20)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("page") / "run", make_record())
    measure_run(run, chance=FEW)
    measure_run(run, "structure", chance=FEW)
    return run


def values(bundle, name):
    """Read an array as the page does."""
    array = bundle.manifest["arrays"][name]
    kind = np.dtype(array["dtype"]).newbyteorder("<")
    count = int(np.prod(array["shape"]))
    raw = np.frombuffer(bundle.blobs[array["blob"]], kind, count, array["offset"])
    found = raw.astype(float).reshape(array["shape"]) * array["scale"] + array["add"]
    if array["missing"] is not None:
        found = np.where(raw.reshape(array["shape"]) == array["missing"], np.nan, found)
    return found


def test_every_number_is_that_of_the_record(measured):
    record, bundle = make_record(), bundle_run(measured)
    assert bundle.manifest["steps"] == record["step"].values.tolist()
    for name in ("accuracy", "loss", "token_accuracy", "logit", "unit_maximum"):
        error = bundle.manifest["arrays"][name]["error"] + 1e-6
        np.testing.assert_allclose(values(bundle, name), record[name].values, atol=error)


def test_every_array_says_what_it_is_and_where_it_comes_from(measured):
    manifest = bundle_run(measured).manifest
    missing = {entry["what"] for entry in manifest["missing"]}
    assert {"pictures of detectors", "observations"} <= missing
    for name, array in manifest["arrays"].items():
        assert array["definition"] and array["blob"] in manifest["blobs"], name
        if array["dims"][:1] == ["step"]:
            where = array["source"].partition("/")[0]
            assert where.endswith(".zarr") or where == "ontogeny.measure.sketch(record)", name
            assert array["shape"][0] == len(manifest["steps"]), name
    assert {"map", "crossnobis", "separation_worst", "onset_by"} <= set(manifest["arrays"])
    assert set(manifest["arrays"]) <= set(ARRAYS)
    assert manifest["coordinates"]["layer_all"][0] == "pixels"


def test_edges_are_the_strongest_and_keep_their_ends(measured):
    record, bundle = make_record(), bundle_run(measured)
    chosen = edges.chosen_edges(record, wiring_of(record))
    error = bundle.manifest["arrays"]["coupling"]["error"] + 1e-6
    np.testing.assert_allclose(
        values(bundle, "coupling"), record["coupling"].values[:, chosen], atol=error
    )
    units = record["unit"].values.tolist()
    for k, place in enumerate(chosen):
        source = int(values(bundle, "edge_source")[k])
        name = units[source] if source < len(units) else f"pixels:{edges.PIXEL - source}"
        assert name == record["source"].values[place]
    assert bundle.manifest["run"]["edges"] == {
        "kept": len(chosen), "all": record.sizes["edge"], "rule": edges.RULE,
    }  # fmt: skip


def test_chosen_edges_are_those_of_a_loop():
    record = make_record()
    last = np.abs(record["coupling"].values[-1])
    target = record["target"].values
    chosen = set(edges.chosen_edges(record, wiring_of(record)).tolist())
    for name in np.unique(target):
        own = np.flatnonzero(target == name)
        best = own[np.argsort(-last[own])[: edges.LAST]]
        assert set(best.tolist()) <= chosen


def test_dead_targets_have_no_edges():
    record = make_record()
    record["coupling"][:, record["target"].values == "fc1:3"] = np.nan
    record["coupling_contrast"][:, record["target"].values == "fc1:3"] = np.nan
    assert "fc1:3" not in record["target"].values[edges.chosen_edges(record, wiring_of(record))]


def test_thumbnails_lie_where_the_manifest_says(measured):
    bundle, record = bundle_run(measured), make_record()
    said = bundle.manifest["sheets"]["probe"]
    board = np.asarray(Image.open(io.BytesIO(bundle.blobs[said["blob"]])))
    k, (width, height) = 31, said["cell"]
    y, x = k // said["columns"] * height, k % said["columns"] * width
    found = board[y : y + height, x : x + width].astype(int)
    assert np.abs(found - record["image"].values[k]).mean() < 20


def test_grey_pictures_make_a_grey_sheet():
    made = sheet(np.full((5, 4, 6, 1), 128, np.uint8))
    assert Image.open(io.BytesIO(made.data)).mode == "L"
    assert (made.columns, made.cell, made.count) == (2, (6, 4), 5)


def test_stale_measures_are_not_shown_as_fresh(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    measure_run(run, chance=FEW)
    other = make_run(tmp_path / "other", make_record(strength=3.0))
    (run.path / "measures.zarr").rename(other.path / "measures.zarr")
    manifest = bundle_run(other).manifest
    assert "onset_by" not in manifest["arrays"]
    why = {entry["what"]: entry["why"] for entry in manifest["missing"]}
    assert "another state of the record" in why["curves, token signals and onsets"]


def test_a_run_without_record_says_so(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    (run.path / "record.zarr").rename(tmp_path / "away.zarr")
    manifest = bundle_run(run).manifest
    assert manifest["steps"] == [] and manifest["tokens"] == list(TOKENS)
    assert "the record" in {entry["what"] for entry in manifest["missing"]}


def test_no_folder_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match="expected the folder of a run"):
        bundle_run(tmp_path / "none")


def test_hostile_names_cannot_leave_their_script(tmp_path):
    names = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "a&b\u2028")
    run = make_run(tmp_path / "run", make_record(tokens=names))
    text = bundle_run(run).text()
    assert not set("<>&\u2028") & set(text)
    assert tuple(json.loads(text)["tokens"]) == names


def test_pictures_are_brought_to_one_size():
    tiny = np.zeros((3, 3, 3), np.uint8)
    tiny[1, 1] = 255
    cell = fitted(tiny)
    assert cell.shape == (CELL, CELL, 3) and (cell[20, 20] == 255).all() and cell[2, 2].max() == 0
    wide = fitted(np.full((10, 20, 1), 9, np.uint8))
    assert (wide[20] == 9).all() and (wide[0] == GROUND).all()
    assert (fitted(np.zeros((0, 0, 3), np.uint8)) == GROUND).all()


def test_pictures_lie_beside_their_units(measured):
    record = make_record()
    found = pictures(record, units=["conv2:1", "fc1:0", "conv1:5"])
    packing = packing_of(measured)
    packing.pictures(record, found)
    units = record["unit"].values.tolist()
    named = [units[k] for k in packing.coordinates["picture_unit"]]
    assert named == ["conv2:1", "conv1:5"]  # fc1:0 has neither picture nor exemplar
    assert packing.sheets["film"]["count"] == 2 and packing.sheets["film"]["dims"] == [
        "film_unit", "film_step",
    ]  # fmt: skip
    bundle = packing.bundle()
    assert values(bundle, "top_exemplar")[:, 0].tolist() == [7, 7]
    assert values(bundle, "has_preferred").tolist() == [1, 0]


def test_top_exemplars_are_shown_while_preferred_images_are_made(measured):
    record = make_record()
    found = pictures(record, units=["conv2:1", "fc1:0", "conv1:5"])
    later = ["picture", "height", "width", "has_picture", "achieved", "best_exemplar"]
    film = [n for n in [*found.data_vars, *found.coords] if str(n).startswith("film_")]
    packing = packing_of(measured)
    packing.pictures(record, found.drop_vars([*later, *film]))
    bundle = packing.bundle()
    assert values(bundle, "top_exemplar")[:, 0].tolist() == [7, 7]
    assert "has_preferred" not in packing.arrays and set(packing.sheets) == set()


def packing_of(run):
    return packing_module._Packing(Sources(run))


def pictures(record, units):
    """Two units that can be shown, one of them without a preferred picture, and one that cannot."""
    n, exemplar = len(units), int(record["exemplar"][7])
    unit = ("unit",)
    return xr.Dataset(
        {
            "picture": ((*unit, "y", "x", "channel"), np.full((n, 6, 6, 3), 200, np.uint8)),
            "height": (unit, [6, 0, 0]), "width": (unit, [4, 0, 0]),
            "has_picture": (unit, [True, False, False]),
            "achieved": (unit, [2.0, np.nan, np.nan]), "best_exemplar": (unit, [1.0, 0.0, 1.0]),
            "top_exemplar": ((*unit, "rank"), [[exemplar], [-1], [exemplar]]),
            **{f"top_{name}": ((*unit, "rank"), np.ones((n, 1)))
               for name in ("response", "top", "left", "height", "width")},
            "film_picture": (("film_step", "film_unit", "y", "x", "channel"),
                             np.zeros((2, 1, 6, 6, 3), np.uint8)),
            "film_height": (("film_step", "film_unit"), [[6], [6]]),
            "film_width": (("film_step", "film_unit"), [[6], [6]]),
        },
        coords={"unit": units, "film_unit": units[:1], "film_step": [0, 42]},
    )  # fmt: skip


def test_another_run_lies_beside_with_its_own_manifest_and_blobs(measured, tmp_path):
    other = make_run(tmp_path / "twin", make_record(strength=3.0))
    other.amend(parent={"path": "/home/somebody/first", "step": 3})
    both = bundle_run(measured, beside=other)
    alone = bundle_run(other)
    assert both.manifest["beside"] == alone.manifest
    assert alone.manifest["run"]["parent"] == {"name": "first", "step": 3}
    for name, data in alone.blobs.items():
        assert both.blobs[f"beside/{name}"] == data
    assert both.manifest["blobs"] == bundle_run(measured).manifest["blobs"]


def test_snapshots_without_a_record_say_what_to_do(measured, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(measured.path, bare, ignore=shutil.ignore_patterns("*.zarr"))
    count = len(RunFolder.open(bare).steps)
    why = {one["what"]: one["why"] for one in bundle_run(bare).manifest["missing"]}
    assert count > 0
    assert why["the record"] == (
        f"{count} snapshots are there, not yet observed: run `ontogeny observe bare`"
    )
    assert why["observations"] == "none were harvested yet: run `ontogeny report bare`"
