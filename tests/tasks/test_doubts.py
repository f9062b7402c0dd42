"""What is said of copies: under two tokens, across the split, and of patterns that miss some."""

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ontogeny.tasks import Task, load_task
from ontogeny.tasks.doubts import doubts
from ontogeny.tasks.split import PROBE, TRAIN
from photographs import folder_of, photographs


def images_of(n=120, size=12, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def with_a_copy(**changes):
    """A task in which one probe exemplar is a training exemplar with a little noise."""
    images = images_of()
    task = Task.from_arrays(images, np.repeat(["ash", "elm"], 60), probe=10)
    shown, known = (task.__getattribute__(key)[0] for key in ("probe", "train"))
    images[shown] = np.clip(images[known].astype(int) + np.arange(12)[:, None], 0, 255)
    return replace(task, images=images, **changes), shown, known


def test_tasks_of_independent_pictures_leave_no_doubt():
    assert doubts(Task.from_arrays(images_of(), np.repeat(["ash", "elm"], 60))) == []
    assert doubts(load_task("faces", density=60, size=16)) == []


def test_a_near_copy_across_the_split_is_counted_and_named():
    task, shown, known = with_a_copy()
    (words,) = doubts(task)
    assert words.startswith(
        f"1 of 20 exemplars of the probe is nearly a copy of a training exemplar (ash {shown} of "
        f"ash {known}): "
    )
    assert "--group REGEX" in words
    names = tuple(f"x/{k}.png" for k in range(120))
    assert f"(x/{shown}.png of x/{known}.png)" in doubts(with_a_copy(exemplars=names)[0])[0]


def test_near_copies_in_the_holdout_are_counted_too():
    images = images_of()
    held = np.arange(120) % 60 < 10
    images[:3] = np.clip(images[20:23].astype(int) + 9, 0, 255)
    task = Task.from_arrays(images, np.repeat(["ash", "elm"], 60), holdout=held, probe=1, seed=1)
    (words,) = doubts(task)
    assert words.startswith("3 of 20 exemplars of the holdout are nearly copies")


@pytest.mark.parametrize("how", ["bytes", "pixels"])
def test_a_picture_under_two_tokens_is_counted_and_named(tmp_path, how):
    root = folder_of(tmp_path, n=12, size=(32, 32))
    source, copy = root / "ash" / "3.png", root / "elm" / "copy.png"
    if how == "bytes":
        copy.write_bytes(source.read_bytes())
    else:
        with Image.open(source) as image:
            image.save(copy.with_suffix(".bmp"))
        copy = copy.with_suffix(".bmp")
    (words,) = doubts(load_task(root))
    assert words.startswith(
        f"1 picture stands under two tokens (ash/3.png and elm/{copy.name} are equal pixel by"
    )


def test_what_the_pattern_of_groups_misses_is_counted(tmp_path):
    root = folder_of(tmp_path, n=12)
    (words,) = doubts(load_task(root, group=r"^([0-7])\."))
    assert words.startswith(r"8 of 24 exemplars do not match the pattern of groups '^([0-7])\\.'")


@photographs
def test_flowers_have_one_picture_under_two_tokens_and_few_near_copies():
    picture, near = doubts(load_task("flowers", density=500))
    assert picture.startswith("1 picture stands under two tokens (roses/")
    assert int(near.split()[0]) <= 5


@photographs
def test_apples_divided_at_random_are_copies_and_by_sectors_they_are_not():
    home = os.environ["ONTOGENY_DATA"]
    (words,) = doubts(load_task(f"{home}/apples"))
    count, _, total = words.split()[:3]
    assert int(count) > 0.9 * int(total)
    assert doubts(load_task("apples")) == []


def test_duplicates_that_were_divided_on_purpose_are_near_copies():
    task = Task.from_arrays(images_of(), np.repeat(["ash", "elm"], 60), probe=10)
    images, split = task.images.copy(), task.split.copy()
    images[1] = images[0]
    split[[0, 1]] = TRAIN, PROBE
    assert "nearly a copy of" in doubts(replace(task, images=images, split=split))[0]
