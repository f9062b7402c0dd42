"""Groups and second probes by file names: in folders, arrays and tasks; what does not fit."""

import numpy as np
import pytest

from ontogeny.errors import InputError
from ontogeny.tasks import Task, load_task
from ontogeny.tasks.patterns import Patterns
from ontogeny.tasks.split import HOLDOUT, SPARE, TRAIN
from photographs import photograph

VIDEOS, FRAMES = 8, 6
NAMES = [f"{'x' if video > 5 else ''}v{video}_{frame}.png"
         for video in range(VIDEOS) for frame in range(FRAMES)]  # fmt: skip


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for token in ("ash", "elm"):
        for name in NAMES:
            photograph(root / token / name, size=(8, 8))
    return root


def arrays_of(root):
    task = load_task(root, size=8)
    names = np.array(task.tokens)[task.token]
    return {"images": task.images, "token": names, "exemplars": np.array(task.exemplars)}


def video_of(task):
    return np.array([name.split("v")[1].split("_")[0] for name in task.exemplars])


@pytest.mark.parametrize("source", ["folder", "npz", "task"])
def test_exemplars_that_match_alike_stay_on_one_side(videos, tmp_path, source):
    given = videos
    if source != "folder":
        np.savez(tmp_path / "x.npz", **arrays_of(videos))  # pyright: ignore
        given = tmp_path / "x.npz" if source == "npz" else load_task(videos, size=8)
    size = 8 if source == "folder" else None
    for seed in range(5):
        task = load_task(given, size=size, group=r"v(\d+)_", probe=12, seed=seed)
        video = video_of(task)
        for one in np.unique(video):
            assert len(set(task.split[video == one])) == 1  # across both tokens
        assert len(task.probe) == 24
        assert task.origin["group"] == r"v(\d+)_"


def test_the_whole_match_is_the_group_where_the_expression_has_none(videos):
    one, other = (load_task(videos, size=8, group=g) for g in (r"v\d+", r"v(\d+)"))
    np.testing.assert_array_equal(one.group, other.group)
    assert one.density == {"ash": 42, "elm": 42}  # the least probe there is: one video


def test_what_does_not_match_stands_alone(videos):
    patterns = Patterns(group=r"^v([0-3])")
    names = load_task(videos, size=8).exemplars
    group = patterns.groups(names)
    assert group is not None
    assert len(np.unique(group)) == 4 + 2 * FRAMES * (VIDEOS - 4)
    assert patterns.n_unmatched(names) == 2 * FRAMES * (VIDEOS - 4)


@pytest.mark.parametrize("source", ["folder", "npz", "array", "task"])
def test_a_holdout_is_neither_trained_on_nor_in_the_probe(videos, tmp_path, source):
    given, pattern = videos, "^x"
    if source != "folder":
        arrays = arrays_of(videos)
        held = np.array(["/x" in name for name in arrays["exemplars"]])
        arrays |= {"holdout": held} if source == "array" else {}
        pattern = None if source == "array" else "^x"
        np.savez(tmp_path / "x.npz", **arrays)  # pyright: ignore
        given = load_task(videos, size=8) if source == "task" else tmp_path / "x.npz"
    size = 8 if source == "folder" else None
    task = load_task(given, size=size, holdout=pattern, density=20, probe=10)
    assert {task.exemplars[i].split("/")[1][0] for i in task.holdout} == {"x"}
    assert np.bincount(task.split).tolist() == [40, 20, 12, 24]
    assert repr(task).endswith("12 spare, 24 holdout, 8 x 8 x 3)")
    again = Task.load(task.save(tmp_path / "task.npz"))
    np.testing.assert_array_equal(again.split, task.split)
    redrawn = load_task(again, density=7)
    np.testing.assert_array_equal(redrawn.holdout, task.holdout)
    assert redrawn.density == {"ash": 7, "elm": 7}


def test_what_belongs_with_the_holdout_is_spare():
    images = np.random.default_rng(0).integers(0, 256, (80, 3, 3), dtype=np.uint8)
    images[5] = images[0]  # a copy of a held-out picture
    held = np.arange(80) % 40 < 4
    task = Task.from_arrays(images, np.repeat([0, 1], 40), holdout=held, groups=np.arange(80) // 2)
    assert task.split[[5, 4]].tolist() == [SPARE, SPARE]
    assert (task.split[held] == HOLDOUT).all()
    assert (task.split == TRAIN).sum() + len(task.probe) + 2 == (~held).sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "v("}, r"regular expression \(--group\), got 'v\(', in which there is missing"),
        ({"holdout": "[z"}, r"regular expression \(--holdout\), got '\[z', in which there is unt"),
        ({"group": "frame"}, "one that no file name matches"),
        ({"group": "png"}, "one that all 96 match alike"),
        ({"group": r"v\d_\d|.*", "tokens": ["elm", "ash"], "holdout": "zz"}, "holds out elm 0, as"),
        ({"holdout": "v"}, "holds out ash 48, elm 48 and leaves ash 0, elm 0"),
        ({"holdout": "v[0-7]_[1-5]|v[1-7]"}, "leaves ash 1, elm 1"),
    ],
)
def test_patterns_that_do_not_fit(videos, options, message):
    with pytest.raises(InputError, match=message):
        load_task(videos, size=8, **options)


def test_a_pattern_that_groups_nothing_is_refused(tmp_path):
    for token in ("ash", "elm"):
        for k in range(6):
            photograph(tmp_path / token / f"{token}{k}.png")
    with pytest.raises(InputError, match="one that each of 12 matches in its own way"):
        load_task(tmp_path, group=".*")


def test_groups_too_large_for_both_sides_are_refused(videos):
    with pytest.raises(InputError, match="1 exemplars per token in train, got ash 0, elm 0, bec"):
        load_task(videos, size=8, group="^(x?)")  # the first of two groups is the probe ...
        load_task(videos, size=8, group="^(x?)", holdout="^x")  # ... or the only one there is


def test_exemplars_without_names_have_none_to_match():
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 3), dtype=np.uint8)
    task = Task.from_arrays(images, np.repeat([0, 1], 20))
    with pytest.raises(InputError, match="file names for --group and --holdout, got arrays, whose"):
        load_task(task, group="a", holdout="b")
    with pytest.raises(InputError, match="file names for --holdout, got faces, whose exemplars"):
        load_task("faces", holdout="b")
    with pytest.raises(InputError, match=r"expected holdout \[exemplar\] of True and False, got f"):
        Task.from_arrays(images, np.repeat([0, 1], 20), holdout=np.linspace(0, 1, 40))
