"""Names of tokens: Unicode forms, order, names that are missing, folders that are no tokens."""

import random

import numpy as np
import pytest

from ontogeny.errors import InputError
from ontogeny.tasks import Task
from ontogeny.tasks.folder import read_folder
from ontogeny.tasks.names import natural, same_form
from photographs import folder_of

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def test_folders_that_look_alike_are_refused_by_their_code_points(tmp_path):
    root = folder_of(tmp_path, tokens=("ash", COMPOSED, DECOMPOSED))
    with pytest.raises(InputError, match=r"'cafe\\u0301' and 'caf\\xe9', the same letters in two"):
        read_folder(root)
    assert read_folder(root, tokens=["ash", COMPOSED]).tokens == ("ash", COMPOSED)


def test_tokens_of_arrays_that_look_alike_are_refused():
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4), dtype=np.uint8)
    with pytest.raises(InputError, match=r"'cafe\\u0301' and 'caf\\xe9'"):
        Task.from_arrays(images, np.repeat([COMPOSED, DECOMPOSED], 20))


def test_a_token_is_found_in_whatever_form_it_is_asked_for(tmp_path):
    root = folder_of(tmp_path, tokens=("ash", DECOMPOSED))
    assert read_folder(root, tokens=[COMPOSED, "ash"]).tokens == (DECOMPOSED, "ash")
    assert same_form(DECOMPOSED) == COMPOSED


def test_ten_comes_after_two_and_zeros_stay(tmp_path):
    names = ("10", "2", "007", "b10", "b9", "a")
    task = read_folder(folder_of(tmp_path, tokens=names, n=12))
    assert task.tokens == ("2", "007", "10", "a", "b9", "b10")
    assert task.exemplars[1:3] == ("2/1.png", "2/2.png")
    assert task.exemplars[11] == "2/11.png"
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4), dtype=np.uint8)
    text = Task.from_arrays(images, np.repeat(["10", "007", "2"], 20))
    assert text.tokens == ("2", "007", "10")
    assert text.token[[0, 20, 40]].tolist() == [2, 1, 0]
    assert Task.from_arrays(images, np.repeat([10, 7, 2], 20)).tokens == ("2", "7", "10")


def test_natural_order_is_total():
    names = ["", "1", "01", "1a", "a1", "a01", "a", "\u0661", "Z9z10", "z9z9", "10", "9"]
    random.Random(0).shuffle(names)
    assert sorted(names, key=natural) == sorted(reversed(names), key=natural)
    assert sorted(["a10", "a9", "a", "9", "10"], key=natural) == ["9", "10", "a", "a9", "a10"]


def test_exemplars_without_a_name_are_counted():
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4), dtype=np.uint8)
    token = np.array(["ash"] * 20 + ["elm"] * 17 + ["", " ", ""])
    with pytest.raises(InputError, match=r"got 3 of 40 with an empty name \(exemplar 37 is the fi"):
        Task.from_arrays(images, token)
    with pytest.raises(InputError, match=r"got an empty one \(token 1\)"):
        Task.from_arrays(images, np.repeat([0, 1], 20), names=("ash", ""))


def test_folders_of_parts_of_a_data_set_are_no_tokens(tmp_path):
    for part in ("train", "val", "test"):
        folder_of(tmp_path / part)
    (tmp_path / "val" / "elm").rename(tmp_path / "kept")
    (tmp_path / "val" / "elm").mkdir()
    (tmp_path / "kept").rename(tmp_path / "test" / "kept")
    with pytest.raises(InputError, match=r"got test, train, val, .* the tokens, .*/train, or"):
        read_folder(tmp_path)
    assert read_folder(tmp_path / "train").tokens == ("ash", "elm")
    with pytest.raises(InputError, match=r"expected images in .*val/elm, got none"):
        read_folder(tmp_path / "val")


def test_a_folder_called_test_beside_tokens_is_none_unless_it_is_asked_for(tmp_path):
    root = folder_of(tmp_path, tokens=("ash", "elm", "test"))
    with pytest.raises(InputError, match=r"got test, which is how parts .*: move test out, or"):
        read_folder(root)
    assert read_folder(root, tokens=["ash", "elm"]).tokens == ("ash", "elm")
    assert read_folder(root, tokens=["ash", "test"]).tokens == ("ash", "test")
