import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import ontogeny as ont
from ontogeny.datasets import stored_dataset
from ontogeny.errors import InputError, RunError
from ontogeny.measure.couplings.ancestry import serving_units
from ontogeny.pictures import store
from ontogeny.pictures.album import FILE, crop, open_album
from ontogeny.pictures.preferred import Recipe
from ontogeny.pictures.responses import best_responses
from ontogeny.pictures.store import Choice, film_steps, picture_run
from records import make_record

pytestmark = pytest.mark.torch
QUICK = Choice(recipe=Recipe(steps=2, warm_steps=1), frames=2, filmed=8, pictured=6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two steps on drawn faces, with its record."""
    torch.set_num_threads(1)
    task = ont.load_task("faces", density=12, size=28, tokens=3, probe=6)
    config = ont.Config(steps=2, batch=6, snapshots=[0, 1, 2])
    run = ont.train(task, config=config, out=tmp_path_factory.mktemp("run") / "faces")
    ont.observe(run)
    return run


@pytest.fixture(scope="module")
def pictures(run):
    return picture_run(run, choice=QUICK)


@pytest.fixture(scope="module")
def album(run, pictures):
    with ont.open_record(run.path) as record:
        return open_album(run, record.load())


def test_all_units_have_their_row_in_the_records_order(run, pictures):
    with ont.open_record(run.path) as record:
        assert pictures["unit"].values.tolist() == record["unit"].values.tolist()
        assert set(pictures["top_exemplar"].values.ravel().tolist()) <= {
            -1, *record["exemplar"].values.tolist(),
        }  # fmt: skip


def test_films_end_in_the_picture_of_the_last_step(album, pictures):
    assert album.steps == [0, 2]
    assert len(album.filmed) == 8
    for unit in album.filmed:
        assert np.array_equal(album.strip(unit)[-1], album.preferred(unit))


def test_a_few_units_of_each_layer_and_the_filmed_ones_are_pictured(run, pictures):
    with ont.open_record(run.path) as record:
        trees = [ont.measure.construction(record, token) for token in record["token"].values]
        shown = {str(node) for tree in trees for node in tree["node"].values}
        wanted = {*serving_units(record, limit=6), *pictures["film_unit"].values.tolist()}
    pictured = pictures["pictured"].values
    found = set(pictures["unit"].values[pictured].tolist())
    assert wanted <= found
    assert {n for n in shown if not n.startswith("pixels")} <= found, "a tree lacks no picture"
    assert len(found) < len(pictured), "not all units are pictured"
    assert not pictures["has_picture"].values[~pictured].any()
    assert np.isnan(pictures["achieved"].values[~pictured]).all()
    assert pictures["picture"].dtype == np.uint8


def test_best_exemplar_is_the_largest_response_of_the_whole_probe(run, pictures):
    task, model = run.task, run.network(run.steps[-1])
    best = best_responses(model, task.images[task.probe])
    one = pictures.isel(unit=pictures["has_picture"].values)
    expected = [best[n.rpartition(":")[0]].response[int(n.rpartition(":")[2])]
                for n in one["unit"].values.tolist()]  # fmt: skip
    np.testing.assert_allclose(one["best_exemplar"], expected, rtol=1e-5)


def test_all_pictures_are_fresh_also_where_fewer_are_wanted(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns(FILE))
    few = replace(QUICK, recipe=Recipe(steps=1, warm_steps=1), frames=1, filmed=1)
    all_of = picture_run(copy, choice=replace(few, pictured=None))
    assert all_of["pictured"].all()
    said = []
    assert picture_run(copy, choice=few, progress=lambda what, *_: said.append(what))[
        "pictured"
    ].all()
    assert said == ["pictures: fresh"]


def test_a_stopped_making_leaves_the_first_pictures_which_are_not_fresh(run, tmp_path, monkeypatch):
    copy = tmp_path / "run"
    shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns(FILE))

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    monkeypatch.setattr(store._Sitting, "_frame", stop)
    with pytest.raises(Stop):
        picture_run(copy, choice=QUICK)
    first = stored_dataset(copy / FILE)
    assert (first["top_exemplar"].values[:, 0] >= 0).any() and "part_iou" in first
    with (
        ont.open_record(copy) as record,
        pytest.raises(RunError, match="got the first of them, by a making that was stopped"),
    ):
        open_album(copy, record)
    with pytest.raises(Stop):
        picture_run(copy, choice=QUICK)


def test_impossible_choices_are_refused():
    with pytest.raises(InputError, match="at least 1, got frames 0, pictured -1"):
        Choice(frames=0, pictured=-1)


def test_parts_and_filters_are_told_where_they_are_known(pictures):
    assert pictures["filter"].dims[0] == "film_step"
    assert pictures["part_iou"].sizes["part"] == 9
    assert np.nanmax(pictures["part_iou"].values) <= 1


def test_fresh_pictures_are_not_made_again(run, pictures):
    said = []
    again = picture_run(run.path, choice=QUICK, progress=lambda what, *_: said.append(what))
    assert said == ["pictures: fresh"]
    assert again.identical(stored_dataset(run.path / FILE))
    assert np.array_equal(again["picture"], pictures["picture"])


def test_another_recipe_makes_pictures_stale(run, pictures, monkeypatch):
    said = []

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    monkeypatch.setattr(store, "_Sitting", stop)
    other = Choice(recipe=Recipe(steps=3), frames=2, filmed=8)
    with pytest.raises(Stop):
        picture_run(run, choice=other, progress=lambda what, *_: said.append(what))
    assert said == ["pictures: stale, made again"]


def test_crops_of_exemplars_are_cut_from_the_records_images(album):
    unit = next(u for u in album.filmed if album.best(u))
    one = album.pictures.sel(unit=unit).isel(rank=0)
    image = album.images[album.exemplars.tolist().index(int(one["top_exemplar"]))]
    expected = crop(image, *(int(one[f"top_{n}"]) for n in ("top", "left", "height", "width")))
    assert np.array_equal(album.best(unit)[0], expected)


def test_a_crop_is_grey_beyond_the_border():
    image = np.full((4, 4, 1), 9, np.uint8)
    cut = crop(image, -1, 2, 3, 4)
    assert cut.shape == (3, 4, 1)
    assert (cut[1:, :2] == 9).all()
    assert (cut[0] == 128).all()
    assert (cut[:, 2:] == 128).all()


@pytest.mark.parametrize(
    ("steps", "count", "expected"),
    [((0, 1, 2), 5, [0, 1, 2]), (tuple(range(101)), 3, [0, 9, 100]), ((7,), 4, [7])],
)
def test_film_steps_are_spread_along_the_logarithm(steps, count, expected):
    assert film_steps(steps, count) == expected


def test_what_is_not_there_is_refused(album, tmp_path):
    with pytest.raises(InputError, match="expected a unit with pictures, got fc9:1: units are of"):
        album.preferred("fc9:1")
    with pytest.raises(InputError, match=r"expected a unit with a film, got conv1:\d+: there are"):
        album.strip(next(u for u in album.pictures["unit"].values if u not in album.filmed))


def test_a_run_without_pictures_or_images_is_refused(run, pictures, tmp_path):
    with ont.open_record(run.path) as record, pytest.raises(InputError, match="with the images"):
        open_album(run, record.drop_vars("image"))
    empty = ont.RunFolder(tmp_path)
    with pytest.raises(RunError, match=r"expected pictures of .* run `ontogeny pictures "):
        open_album(empty, make_record())
