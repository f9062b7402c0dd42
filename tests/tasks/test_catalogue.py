"""One function that makes a task of a name, a folder, an .npz or a task."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import ontogeny
from ontogeny.cli.parser import TASK_HELP
from ontogeny.errors import InputError
from ontogeny.tasks import Task, home, load_task
from ontogeny.tasks import flowers as flowers_module
from ontogeny.tasks.arrays import read_npz
from ontogeny.tasks.catalogue import TASKS
from ontogeny.tasks.flowers import flowers
from ontogeny.tasks.home import data_homes

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 9, 8, 3), dtype=np.uint8)
TOKEN = np.repeat(["ash", "elm", "oak"], 20)


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    """No test reads or writes the user's own data home or the network."""

    def refuse(*_, **__):
        pytest.fail("the network was asked")

    monkeypatch.delenv("ONTOGENY_DATA", raising=False)
    monkeypatch.setattr(home.pooch, "os_cache", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(flowers_module, "fetch", refuse)


def photographs(root, tokens=("daisy", "roses"), n=10):
    for token in tokens:
        (root / token).mkdir(parents=True)
        for i in range(n):
            pixels = RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / token / f"{i}_b.png")
    return root


def npz(path, **changes):
    arrays = {"images": IMAGES, "token": TOKEN} | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


# --- names -----------------------------------------------------------------------------------


def test_faces_are_the_default():
    task = load_task(density=30, tokens=3, probe=10, seed=2, size=16)
    assert (task.name, task.size, task.n_tokens) == ("faces", (16, 16), 3)
    assert set(task.density.values()) == {30}
    assert len(task.probe) == 30
    assert task.hash == load_task("faces", density=30, tokens=3, probe=10, seed=2, size=16).hash
    assert task.hash != load_task("faces", density=30, tokens=3, probe=10, size=16).hash


def test_more_faces_are_held_out_for_a_larger_probe():
    assert len(load_task(density=5, tokens=2, probe=210, size=16).probe) == 420


def test_faces_are_square():
    with pytest.raises(InputError, match="expected faces to be square, got a size of 16 x 20"):
        load_task(size=(16, 20))


@pytest.mark.parametrize("name", ["flowers", "flower_photos"])
def test_flowers_are_found_in_the_named_folder(tmp_path, monkeypatch, name):
    photographs(tmp_path / "data" / name)
    monkeypatch.setenv("ONTOGENY_DATA", str(tmp_path / "data"))
    task = load_task("flowers", density=5, probe=2, size=8)
    assert task.name == "flowers"
    assert task.density == {"daisy": 5, "roses": 5}
    assert task.exemplars[0] == "daisy/0_b.png"
    assert task.origin["source"] == "flowers"
    assert task.origin["licence"] == "CC BY 2.0"
    assert "Flickr id" in task.origin["credit"]


def test_flowers_are_found_in_the_cache_folder(tmp_path, monkeypatch):
    photographs(tmp_path / "cache" / "ontogeny" / "flower_photos")
    assert len(flowers().images) == 20
    monkeypatch.setenv("ONTOGENY_DATA", str(tmp_path / "elsewhere"))
    assert len(flowers().images) == 20


@pytest.mark.parametrize("named", [True, False])
def test_flowers_are_fetched_into_the_data_home(tmp_path, monkeypatch, named):
    home = tmp_path / ("named" if named else "cache/ontogeny")
    if named:
        monkeypatch.setenv("ONTOGENY_DATA", str(home))
    asked = []

    def fetch(archive, into, *, progress):
        asked.append((archive, into))
        progress("bytes", 1, 1)
        return photographs(into / archive.folder)

    monkeypatch.setattr(flowers_module, "fetch", fetch)
    seen = []
    load_task("flowers", progress=lambda what, *_: seen.append(what))
    load_task("flowers")
    assert asked == [(flowers_module.FLOWERS, home)]
    assert seen == ["bytes"] + 20 * ["images"]


def test_the_home_folder_is_understood(monkeypatch):
    monkeypatch.setenv("ONTOGENY_DATA", "~/data")
    assert data_homes()[0] == data_homes()[0].home() / "data"


def test_the_archive_is_the_one_that_tensorflow_datasets_records():
    assert flowers_module.FLOWERS.url.endswith("/flower_photos.tgz")
    assert flowers_module.FLOWERS.sha256[:8] == "4c54ace7"
    assert len(flowers_module.FLOWERS.sha256) == 64


@pytest.mark.parametrize("source", ["florwers", "no/such/folder", "photo.png"])
def test_an_unknown_source_lists_what_there_is(source):
    with pytest.raises(
        InputError, match=r"out of faces, flowers, apples, a folder .* or an \.npz, got"
    ) as e:
        load_task(source)
    assert repr(source) in str(e.value)


# --- folders ---------------------------------------------------------------------------------


def test_a_folder_is_read_with_every_option(tmp_path):
    root = photographs(tmp_path / "mine", tokens=("a", "b", "c"))
    task = load_task(root, density=4, tokens=["c", "a"], size=(6, 8), seed=3, probe=2, fit="pad")
    assert (task.name, task.tokens, task.size) == ("mine", ("c", "a"), (6, 8))
    assert task.density == {"c": 4, "a": 4}
    assert (task.origin["seed"], task.origin["fit"]) == (3, "pad")
    assert load_task(str(root)).size == (32, 32)


def test_a_name_goes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    photographs(tmp_path / "faces")
    monkeypatch.chdir(tmp_path)
    assert load_task("faces", density=2, tokens=2, size=16).name == "faces"
    assert load_task("./faces").tokens == ("daisy", "roses")


# --- arrays ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["token", "tokens", "labels"])
def test_an_npz_is_read(tmp_path, key):
    path = npz(tmp_path / "trees.npz", **{"token": None, key: TOKEN})
    task = load_task(path, density=10, probe=5)
    assert (task.name, task.tokens, task.size) == ("trees", ("ash", "elm", "oak"), (9, 8))
    assert task.density == {"ash": 10, "elm": 10, "oak": 10}
    assert task.origin["source"] == "npz"
    np.testing.assert_array_equal(task.images, IMAGES)


def test_an_npz_with_everything(tmp_path):
    path = npz(
        tmp_path / "x.npz",
        token=np.repeat([0, 1, 2], 20),
        token_names=np.array(["ash", "elm", "oak"]),
        groups=np.repeat(np.arange(30), 2),
        factor_hue=np.linspace(0, 1, 60),
    )
    task = load_task(path, tokens=["oak", "ash"], density=10, probe=6)
    assert task.tokens == ("oak", "ash")
    assert (task.split[::2] == task.split[1::2]).all()
    np.testing.assert_array_equal(task.factors["hue"], np.linspace(0, 1, 60)[np.r_[:20, 40:60]])


def test_images_of_an_npz_are_not_resized(tmp_path):
    path = npz(tmp_path / "x.npz")
    assert load_task(path, size=(9, 8)).size == (9, 8)
    with pytest.raises(InputError, match="have, 9 x 8, got 32: leave size out, or resize"):
        load_task(path, size=32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, "to hold images, one of token, tokens, labels, .* got token: rename"),
        ({"token": None}, "got images: rename or remove"),
        ({"labels": TOKEN}, "got images, labels, token"),
        ({"gruop": TOKEN}, "got gruop, images, token"),
        ({"group": TOKEN, "groups": TOKEN}, "got group, groups, images, token"),
        ({"images": IMAGES / 255}, r"uint8, got float64 \(give \(images \* 255\)"),
        ({"images": IMAGES[:50]}, "one entry for each of 50 images, got 60 in tokens_of_exem"),
        ({"groups": np.arange(3)}, "got 3 in groups"),
        ({"token": np.array([{}] * 60)}, "got Python objects in token, which are never unpickled"),
    ],
)
def test_an_npz_that_is_not_as_expected(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load_task(npz(tmp_path / "x.npz", **changes))


def test_an_npz_that_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"expected an \.npz at .*none\.npz, got no such file"):
        read_npz(tmp_path / "none.npz")


# --- tasks -----------------------------------------------------------------------------------


def test_a_task_is_taken_as_it_is_unless_a_draw_is_asked_for(tmp_path):
    task = Task.from_arrays(IMAGES, TOKEN, density=7, seed=5)
    assert load_task(task) is task
    stored = task.save(tmp_path / "task.npz")
    assert load_task(stored).hash == task.hash
    for source in (task, stored):
        assert set(load_task(source, density=3).density.values()) == {3}
        assert load_task(source, tokens=2).tokens == ("ash", "elm")
        assert len(load_task(source, probe=2).probe) == 6
    with pytest.raises(InputError, match="9 x 8, got 16"):
        load_task(stored, size=16)


@pytest.mark.parametrize("source", ["faces", "folder", "npz"])
def test_an_origin_can_be_stored_and_says_how(tmp_path, source):
    root = {"faces": "faces", "folder": photographs(tmp_path / "f"), "npz": npz(tmp_path / "x.npz")}
    origin = load_task(root[source], density=5, probe=2).origin
    assert json.loads(json.dumps(origin)) == origin
    assert (origin["source"], origin["density"], origin["probe"], origin["seed"]) == (
        source,
        5,
        2,
        0,
    )


def test_the_package_offers_it():
    assert ontogeny.load_task is load_task
    assert ontogeny.Task is Task
    assert os.environ.get("ONTOGENY_DATA") is None


def test_the_help_names_every_task():
    assert all(name in TASK_HELP for name in TASKS)
