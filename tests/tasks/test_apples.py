"""Apples: sectors that never straddle, the axis that is held out, and where they are looked for."""

import numpy as np
import pytest

from ontogeny.errors import InputError
from ontogeny.tasks import home, load_task
from ontogeny.tasks.apples import GUARD, SECTOR, TURN, frames
from ontogeny.tasks.split import HOLDOUT, PROBE, SPARE, TRAIN
from photographs import photograph, photographs

FRAMES = 328


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(home.pooch, "os_cache", lambda name: str(tmp_path / "cache" / name))


@pytest.fixture(scope="module")
def orchard(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for token in ("braeburn", "red-1"):
        for prefix in ("", "r_"):
            for frame in range(FRAMES):
                photograph(root / "apples" / token / f"{prefix}{frame}_100.jpg", size=(4, 4))
    return root


def apples(orchard, monkeypatch, **options):
    monkeypatch.setenv("ONTOGENY_DATA", str(orchard))
    return load_task("apples", size=4, **options)


@pytest.mark.parametrize("seed", range(4))
def test_the_second_axis_is_held_out_and_the_probe_is_sectors_of_the_first(
    orchard, monkeypatch, seed
):
    task = apples(orchard, monkeypatch, seed=seed)
    axis, frame = frames(task.exemplars)
    np.testing.assert_array_equal(task.split == HOLDOUT, axis == 1)
    for split in (TRAIN, PROBE):
        assert set(axis[task.split == split]) == {0}
    for token in range(2):
        own = (axis == 0) & (task.token == token)
        for sector in range(TURN // SECTOR):
            within = own & (frame % TURN // SECTOR == sector)
            assert len(set(task.split[within]) - {SPARE}) <= 1
        shown, learned = (frame[own & (task.split == s)] for s in (PROBE, TRAIN))
        assert 30 <= len(shown) <= 65
        assert np.abs(shown[:, None] - learned).min() == GUARD + 1
        assert len(learned) >= 200
    assert not task.mirrors
    assert (task.name, task.origin["source"], task.origin["licence"]) == ("apples", "apples", "MIT")


def test_nothing_need_be_held_out_and_density_is_kept(orchard, monkeypatch):
    dense = apples(orchard, monkeypatch, holdout="", density=500)
    assert not len(dense.holdout)
    assert dense.density == {"braeburn": 500, "red-1": 500}
    thin = apples(orchard, monkeypatch, holdout="", density=90)
    assert set(thin.train) < set(dense.train)
    np.testing.assert_array_equal(thin.probe, dense.probe)


def test_another_division_may_be_asked_for(orchard, monkeypatch):
    task = apples(orchard, monkeypatch, group=r"^(?:r_)?(\d*)\d_", holdout="")
    decade = frames(task.exemplars)[1] // 10
    assert all(len(set(task.split[decade == d])) == 1 for d in np.unique(decade))


def test_where_they_are_missing_it_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("ONTOGENY_DATA", str(tmp_path))
    with pytest.raises(
        InputError, match=r"apples in .*/apples, got no such folder: make one .*MIT"
    ):
        load_task("apples")


def test_files_that_are_called_otherwise_are_counted(tmp_path, monkeypatch):
    for token in ("a", "b"):
        for k in range(8):
            photograph(tmp_path / "apples" / token / f"{k}_100.jpg")
    photograph(tmp_path / "apples" / "b" / "IMG_7.jpg")
    monkeypatch.setenv("ONTOGENY_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"got 1 called otherwise \(b/IMG_7\.jpg\)"):
        load_task("apples")


@photographs
def test_the_real_photographs():
    task = load_task("apples")
    assert np.bincount(task.token).tolist() == [656] * 5
    assert (task.split == HOLDOUT).sum() == 5 * 328
    assert min(task.density.values()) >= 200
    dense = load_task("apples", holdout="", density=500)
    assert set(dense.density.values()) == {500}
