"""The container: what it refuses, what its hash depends on, how it is stored."""

import dataclasses
import json
import resource

import numpy as np
import pytest

from ontogeny.errors import InputError, RunError
from ontogeny.tasks.npz import write_arrays
from ontogeny.tasks.task import ARRAYS, SPLITS, TEXT, Task

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 5, 3), dtype=np.uint8)


def task_of(**changes):
    fields = {
        "images": IMAGES,
        "token": np.repeat([0, 1], 6),
        "tokens": ("ash", "beech"),
        "split": np.tile([0, 0, 0, 1, 1, 2], 2),
        "group": np.arange(12),
        "factors": {"hue": np.linspace(0, 1, 12), "leaf": np.array(["cut", "whole"] * 6)},
        "parts": ("stem", "crown"),
        "part_map": IMAGES[..., 0] % 3,
        "name": "trees",
        "origin": {"source": "drawn", "size": [4, 5]},
        "exemplars": tuple(f"{i}.png" for i in range(12)),
    }
    return Task(**(fields | changes))


def test_properties():
    task = task_of()
    assert (task.n_tokens, task.channels, task.size) == (2, 3, (4, 5))
    assert task.density == {"ash": 3, "beech": 3}
    assert task.train.tolist() == [0, 1, 2, 6, 7, 8]
    assert task.probe.tolist() == [3, 4, 9, 10]
    assert SPLITS == ("train", "probe", "spare", "holdout")
    assert repr(task) == "Task('trees': 2 tokens, 6 train, 4 probe, 2 spare, 4 x 5 x 3)"


def test_every_field_is_stored():
    assert {*ARRAYS, *TEXT, "factors", "part_map"} == {f.name for f in dataclasses.fields(Task)}


def test_arrays_cannot_be_written_to_and_the_callers_own_can():
    own = IMAGES.copy()
    task = task_of(images=own)
    with pytest.raises(ValueError, match="read-only"):
        task.images[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"  # pyright: ignore
    own[0, 0, 0, 0] = 1


def test_integers_are_widened():
    task = task_of(token=np.repeat([0, 1], 6).astype(np.uint8), split=np.tile([0, 1], 6))
    assert (task.token.dtype, task.split.dtype, task.group.dtype) == (np.int64, np.int8, np.int64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES / 255}, r"uint8, got float64 \(give \(images \* 255\).round"),
        ({"images": IMAGES.astype(int)}, r"uint8, got int64 \(give images\.astype"),
        ({"images": IMAGES.transpose(0, 3, 1, 2)}, r"\[12, 3, 4, 5\] \(channels come last"),
        ({"images": np.zeros((12, 4, 5, 4), np.uint8)}, r"\(drop the transparency"),
        ({"images": IMAGES[:, :0]}, r"got \[12, 0, 5, 3\]"),
        ({"token": np.zeros(11, int)}, r"token: expected 12 integers, one per image, got int64 \["),
        ({"token": np.zeros(12)}, "token: expected 12 integers, one per image, got float64"),
        ({"tokens": ("ash",)}, "two or more different names, got ash"),
        ({"tokens": ("ash", "ash")}, "two or more different names, got ash, ash"),
        ({"token": np.repeat([0, 2], 6)}, "token: expected values from 0 to 1, got 0 to 2"),
        ({"split": np.tile([0, 1, 4], 4)}, "split: expected values from 0 to 3, got 0 to 4"),
        ({"split": np.repeat([0, 1], 6)}, "every token in train, got ash 6, beech 0; .* in probe"),
        ({"group": np.zeros(12, int)}, "group: expected each within one split, got 1 that strad"),
        (
            {"factors": {"hue": np.ones(3)}},
            r"factor hue: expected 12 numbers or texts, got f.*\[3\]",
        ),
        ({"factors": {"hue": np.array([{}] * 12)}}, "factor hue: .* got object"),
        ({"part_map": IMAGES[..., 0].astype(int)}, r"part_map: expected uint8 \[12, 4, 5\], got i"),
        ({"parts": ("stem",)}, "part_map: expected values to 1, got 2"),
        ({"exemplars": ("a", "b")}, "exemplars: expected 12 names or none, got 2"),
        ({"origin": {"path": np.arange(3)}}, "origin: expected what JSON can hold"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        task_of(**changes)


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError) as caught:
        task_of(images=IMAGES / 255, token=np.zeros(3), tokens=())
    assert all(word in str(caught.value) for word in ("images:", "token:", "tokens:"))


def test_the_hash_depends_on_all_that_training_or_observing_uses():
    other = IMAGES.copy()
    other[3, 2, 1, 0] ^= 1
    changes = [
        {},
        {"images": other},
        {"token": 1 - np.repeat([0, 1], 6)},
        {"tokens": ("ash", "birch")},
        {"split": np.tile([0, 0, 1, 0, 1, 2], 2)},
        {"group": np.arange(12)[::-1]},
        {"factors": task_of().factors | {"hue": np.linspace(0, 2, 12)}},
        {"factors": {"hue": np.linspace(0, 1, 12)}},
        {"factors": {}},
        {"parts": ("stem", "leaves")},
        {"part_map": None},
    ]
    assert len({task_of(**change).hash for change in changes}) == len(changes)


def test_the_hash_does_not_depend_on_names_origin_memory_or_byte_order():
    same = [
        {"name": "forest"},
        {"origin": {}},
        {"exemplars": ()},
        {"images": np.asfortranarray(IMAGES)},
        {"group": np.arange(12, dtype=">i8")},
        {"factors": dict(reversed(task_of().factors.items()))},
        {"factors": task_of().factors | {"hue": np.linspace(0, 1, 12).astype(">f8")}},
    ]
    assert {task_of(**change).hash for change in same} == {task_of().hash}


def test_the_hash_is_the_same_in_every_version():
    images = np.arange(48, dtype=np.uint8).reshape(4, 2, 2, 3)
    split = np.array([0, 1, 0, 1])
    task = Task(images, np.array([0, 0, 1, 1]), ("a", "b"), split, np.arange(4))
    assert task.hash == "95494f3477b63ffb1b1dcb1091a3265d1718d19ea96bd737bddbc2439c91a9fb"


def assert_same(one, two):
    assert one.hash == two.hash
    for key in TEXT:
        assert getattr(one, key) == getattr(two, key)


@pytest.mark.parametrize("changes", [{}, {"part_map": None, "parts": (), "factors": {}}])
def test_a_task_is_stored_whole(tmp_path, changes):
    task = task_of(**changes)
    path = task.save(tmp_path / "task.npz")
    assert_same(Task.load(path), task)
    assert [file.name for file in tmp_path.iterdir()] == ["task.npz"]


def test_names_of_any_kind_survive(tmp_path):
    factors = {"file": np.arange(12), "träger/ω": np.arange(12)}
    task = task_of(factors=factors, tokens=("ash ", "日本\0"), exemplars=("",) * 12)
    again = Task.load(task.save(tmp_path / "task.npz"))
    assert_same(again, task)
    assert set(again.factors) == set(factors)


def test_storing_replaces_what_was_there(tmp_path):
    path = task_of().save(tmp_path / "task.npz")
    task_of(name="forest").save(path)
    assert Task.load(path).name == "forest"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(RunError, match=r"expected to write .*missing/task\.npz"):
        task_of().save(tmp_path / "missing" / "task.npz")


def test_a_full_disk_leaves_what_was_there(tmp_path):
    path = task_of().save(tmp_path / "task.npz")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RunError, match=r"expected room for .*task\.npz"):
            task_of(name="forest").save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Task.load(path).name == "trees"
    assert [file.name for file in tmp_path.iterdir()] == ["task.npz"]


def stored(path, **changes):
    """Store a task with some of its arrays or words exchanged; None leaves one out."""
    task = task_of(factors={}, part_map=None)
    text = {key: getattr(task, key) for key in TEXT} | {"schema": 1, "hash": task.hash}
    arrays = {key: getattr(task, key) for key in ARRAYS}
    for key, value in changes.items():
        (arrays if key in arrays else text)[key] = value
    text = {key: value for key, value in text.items() if value is not None}
    arrays["task"] = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
    write_arrays(path, {key: value for key, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "of version 1 or older in .*, got version 2: update ontogeny"),
        ({"schema": None}, "to describe its task in JSON"),
        ({"split": None, "tokens": None}, "a whole task, got one without split, tokens"),
        ({"images": IMAGES[::-1]}, "got .*: the file was changed or damaged"),
    ],
)
def test_a_stored_task_that_is_not_whole(tmp_path, changes, message):
    path = stored(tmp_path / "task.npz", **changes)
    with pytest.raises(InputError, match=message):
        Task.load(path)


def test_files_that_are_no_tasks(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz, got no such file"):
        Task.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(InputError, match=r"whole \.npz, got what cannot be read as one"):
        Task.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", x=np.ones(3), y=np.ones(3))
    with pytest.raises(InputError, match=r"arrays x, y: read it with ontogeny\.load_task"):
        Task.load(tmp_path / "other.npz")


@pytest.mark.parametrize("where", [0.2, 0.5, 0.9])
def test_a_damaged_file_is_refused(tmp_path, where):
    path = task_of().save(tmp_path / "task.npz")
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: int(where * len(data))])
    with pytest.raises(InputError, match="cannot be read as one"):
        Task.load(path)
    data[400] ^= 255  # a pixel of the images
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as one"):
        Task.load(path)


def test_python_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "objects.npz", token=np.array([{}, "x"], dtype=object))
    with pytest.raises(InputError, match="got Python objects in token, which are never unpickled"):
        Task.load(tmp_path / "objects.npz")


def distinct(n=60, shape=(3, 3, 3)):
    return np.random.default_rng(1).integers(0, 256, (n, *shape), dtype=np.uint8)


def test_from_arrays_takes_names_or_integers():
    by_name = Task.from_arrays(distinct(), np.repeat(["oak", "ash", "elm"], 20))
    assert by_name.tokens == ("ash", "elm", "oak")
    assert by_name.token[:20].tolist() == [2] * 20
    by_number = Task.from_arrays(distinct(), np.repeat([7, 3, 5], 20))
    assert by_number.tokens == ("3", "5", "7")
    named = Task.from_arrays(distinct(), np.repeat([2, 0, 1], 20), names=("ash", "elm", "oak"))
    assert named.tokens == by_name.tokens
    assert (named.token == by_name.token).all()
    ordered = Task.from_arrays(
        distinct(), np.repeat(["oak", "ash", "elm"], 20), names=("oak", "ash", "elm")
    )
    assert ordered.token.tolist() == np.repeat([0, 1, 2], 20).tolist()


def test_from_arrays_takes_grey_images_without_a_channel_axis():
    assert Task.from_arrays(distinct(shape=(3, 4)), np.repeat([0, 1], 30)).images.shape[1:] == (
        3,
        4,
        1,
    )


def test_from_arrays_groups_duplicates_across_tokens_too():
    images = distinct()
    images[[5, 25, 45]] = images[0]
    for seed in range(20):
        task = Task.from_arrays(images, np.repeat([0, 1, 2], 20), seed=seed, probe=8)
        assert len(set(task.split[[0, 5, 25, 45]])) == 1
        assert len(set(task.group)) == 57


def test_from_arrays_keeps_the_users_groups_together():
    groups = np.repeat([f"tree {i}" for i in range(30)], 2)
    task = Task.from_arrays(distinct(), np.repeat([0, 1], 30), groups=groups, density=10, probe=6)
    assert (task.split[::2] == task.split[1::2]).all()
    assert task.density == {"0": 10, "1": 10}


def test_from_arrays_selects_tokens_before_anything_is_counted():
    token = np.array(["ash"] * 29 + ["elm"] * 30 + ["yew"])
    task = Task.from_arrays(distinct(), token, tokens=["elm", "ash"], factors={"x": np.arange(60)})
    assert task.tokens == ("elm", "ash")
    assert task.token.tolist() == [1] * 29 + [0] * 30
    assert task.factors["x"].tolist() == list(range(59))


@pytest.mark.parametrize(
    ("token", "options", "message"),
    [
        (np.ones(60), {}, r"integers or text, got float64 \[60\]"),
        (np.repeat([0, 1], 29), {}, "one entry for each of 60 images, got 58 in tokens_of_ex"),
        (np.repeat([0, 1], 30), {"groups": [1]}, "got 1 in groups"),
        (np.repeat([0, 1], 30), {"factors": {"hue": [1, 2]}}, "got 2 in hue"),
        (np.repeat([0, 5], 30), {"names": ("a", "b")}, "from 0 to 1, since 2 names are given"),
        (np.repeat(["x", "y"], 30), {"names": ("x", "z")}, "out of x, z, got y: name these too"),
        (np.repeat([0, 1], 30), {"names": "abc"}, "got a 30, b 30, c 0: add exemplars or leave"),
        (np.zeros(60, int), {}, r"at least two tokens to classify, got 1 \(0\)"),
    ],
)
def test_arrays_that_do_not_fit(token, options, message):
    with pytest.raises(InputError, match=message):
        Task.from_arrays(distinct(), token, **options)


def test_float_images_are_refused_before_anything_else():
    with pytest.raises(InputError, match="uint8, got float64"):
        Task.from_arrays(distinct() / 255, np.ones(3))


def test_drawing_anew_keeps_exemplars_and_their_groups():
    images = distinct()
    images[3] = images[0]
    task = Task.from_arrays(
        images, np.repeat(["a", "b", "c"], 20), probe=5, factors={"i": np.arange(60)}
    )
    new = task.draw(density=8, tokens=["c", "a"], probe=5, seed=0)
    assert new.density == {"c": 8, "a": 8}
    assert new.factors["i"].tolist() == [*range(20), *range(40, 60)]
    assert new.split[0] == new.split[3]
    old = set(task.probe[task.token[task.probe] != 1])
    assert {int(new.factors["i"][i]) for i in new.probe} == old
    assert new.origin["density"] == 8
