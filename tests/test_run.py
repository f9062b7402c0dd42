import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from ontogeny.errors import InputError, RunError
from ontogeny.run import Row, RunFolder, read_tensors, write_tensors

TOKENS = ("ada", "bo, the second")


@pytest.fixture
def folder(tmp_path):
    return begun(tmp_path / "run")


def begun(path):
    folder = RunFolder(path)
    with folder.writing():
        folder.begin({"task": {"tokens": TOKENS}}, TOKENS)
        folder.task_path.write_bytes(b"task")
        folder.amend(state="training")
    return folder


def weights(seed=0):
    generator = np.random.default_rng(seed)
    return {
        "conv1.weight": generator.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "count": np.array(7, dtype=np.int64),
        "empty": np.empty((0, 2)),
        "mask": np.array([True, False]),
    }


def row(step, loss=0.1):
    return Row(step, loss, 0.5, 1e-3, (1, 0), (1, 1))


def same(a, b):
    return a.keys() == b.keys() and all(
        np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a
    )


# Snapshots ------------------------------------------------------------------------------------


def test_weights_come_back_as_they_were_written(folder):
    folder.write_snapshot(12, weights())
    assert folder.steps == (12,)
    assert same(folder.weights(12), weights())
    assert (folder.path / "snapshots" / "00000012.safetensors").exists()


def test_equal_weights_give_equal_files(folder):
    folder.write_snapshot(1, weights())
    first = (folder.path / "snapshots" / "00000001.safetensors").read_bytes()
    folder.write_snapshot(1, weights())
    assert (folder.path / "snapshots" / "00000001.safetensors").read_bytes() == first


def test_any_damage_to_a_snapshot_is_found_and_the_file_is_named(folder):
    folder.write_snapshot(1, weights())
    file = folder.path / "snapshots" / "00000001.safetensors"
    whole = file.read_bytes()
    padding = whole.index(b"}   ") if b"}   " in whole else -1
    for place in range(0, len(whole), 13):
        if padding <= place < padding + 8 and padding > 0:
            continue
        damaged = bytearray(whole)
        damaged[place] ^= 4
        file.write_bytes(damaged)
        with pytest.raises(RunError, match=r"00000001.safetensors.*damaged.*restore it"):
            folder.weights(1)


@pytest.mark.parametrize("kept", [0, 5, 100, 600])
def test_a_cut_snapshot_is_found(folder, kept):
    folder.write_snapshot(1, weights())
    file = folder.path / "snapshots" / "00000001.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(RunError, match=r"expected whole weights in .*00000001"):
        folder.weights(1)


def test_a_snapshot_under_another_steps_content_is_found_by_its_notes(tmp_path):
    write_tensors(tmp_path / "a", weights(), {"step": 3})
    arrays, notes = read_tensors(tmp_path / "a")
    assert notes == {"step": 3}
    assert same(arrays, weights())


def test_a_file_without_checksum_is_refused(folder):
    from safetensors.numpy import save

    (folder.path / "snapshots" / "00000004.safetensors").write_bytes(save({"w": np.ones(3)}))
    with pytest.raises(RunError, match="expected whole weights"):
        folder.weights(4)


def test_a_missing_step_lists_those_there_are(folder):
    folder.write_snapshot(0, weights())
    folder.write_snapshot(5, weights())
    with pytest.raises(InputError, match=r"expected a step with a snapshot \(0, 5\), got 3"):
        folder.weights(3)


def test_a_run_without_snapshots_says_so(folder):
    with pytest.raises(InputError, match=r"\(none yet\), got 0"):
        folder.weights(0)


# Checkpoints ----------------------------------------------------------------------------------


def test_the_last_two_checkpoints_and_the_lasting_ones_are_kept(folder):
    for step in (0, 10, 20, 30, 40):
        folder.write_checkpoint(step, weights(step))
        folder.keep_checkpoints({0, 20})
    assert folder.checkpoints == (0, 20, 30, 40)
    assert same(folder.checkpoint(20), weights(20))


def test_a_damaged_checkpoint_is_named(folder):
    folder.write_checkpoint(10, weights())
    (folder.path / "resume" / "00000010.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match=r"resume/00000010.*damaged"):
        folder.checkpoint(10)


# The curve ------------------------------------------------------------------------------------


def test_the_curve_comes_back_exactly(folder):
    with folder.append_curve() as curve:
        for step, loss in ((1, 0.1 + 0.2), (2, 1e-30)):
            curve.append(row(step, loss))
    curve = folder.curve()
    assert curve.step.tolist() == [1, 2]
    assert curve.loss.tolist() == [0.1 + 0.2, 1e-30]
    assert curve.hits.tolist() == [[1, 0], [1, 0]]
    assert curve.shown.tolist() == [[1, 1], [1, 1]]


def test_an_empty_curve_has_no_rows(folder):
    curve = folder.curve()
    assert len(curve.step) == len(curve.loss) == 0


def test_the_head_of_the_curve_is_csv_that_keeps_tokens_on_one_line(tmp_path):
    import csv

    folder = RunFolder(tmp_path)
    with folder.writing():
        folder.begin({}, ("a,\nb", 'c"d'))
    with (tmp_path / "curve.csv").open(newline="") as file:
        head = list(csv.reader(file))
    assert head[0][4:] == ["hits:a, b", 'hits:c"d', "shown:a, b", 'shown:c"d', "crc32"]
    assert len(head) == 1


def test_a_reader_leaves_out_a_row_that_is_being_written(folder):
    with folder.append_curve() as curve:
        curve.append(row(1))
    with (folder.path / "curve.csv").open("ab") as file:
        file.write(b"2,0.3")
    assert folder.curve().step.tolist() == [1]


@pytest.mark.parametrize("steps", [(1, 3), (1, 1), (2,)])
def test_a_gap_or_a_repeat_in_the_curve_is_found(folder, steps):
    with folder.append_curve() as curve:
        for step in steps:
            curve.append(row(step))
    with pytest.raises(RunError, match="expected each step once"):
        folder.curve()


@pytest.mark.parametrize("damage", [b"1,x,0,0,0,0,0,0\n", b"1,2\n", b"\x00\x00\n"])
def test_damage_to_the_curve_is_found(folder, damage):
    with (folder.path / "curve.csv").open("ab") as file:
        file.write(damage)
    with pytest.raises(RunError, match="got a gap, repeat or damage"):
        folder.curve()


def test_rewinding_removes_all_that_lies_after_a_step(folder):
    with folder.append_curve() as curve:
        for step in range(1, 8):
            curve.append(row(step))
    for step in (0, 4, 5, 7):
        folder.write_snapshot(step, weights())
        folder.write_checkpoint(step, weights())
    with (folder.path / "curve.csv").open("ab") as file:
        file.write(b"8,0.")
    folder.rewind(5)
    assert folder.steps == folder.checkpoints == (0, 4, 5)
    assert folder.curve().step.tolist() == [1, 2, 3, 4, 5]
    assert (folder.path / "curve.csv").read_bytes().endswith(b"\n")
    folder.rewind(0)
    assert len(folder.curve().step) == 0


def test_a_curve_that_lacks_a_step_cannot_be_gone_on_from(folder):
    with folder.append_curve() as curve:
        curve.append(row(1))
    with pytest.raises(RunError, match="expected each step from 1 to 3 once"):
        folder.rewind(3)


def test_a_missing_curve_is_told(folder):
    (folder.path / "curve.csv").unlink()
    with pytest.raises(RunError, match=r"expected the learning curve .*No such file"):
        folder.curve()


def test_a_full_disk_is_told_where_a_row_is_appended(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with folder.append_curve() as curve:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(RunError, match=r"expected room for .*curve.csv"):
            curve.append(row(1))
        monkeypatch.undo()


# The folder -----------------------------------------------------------------------------------


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"expected the folder of a run, got .* without run.json"):
        RunFolder.open(tmp_path)


def test_a_run_of_a_newer_schema_is_refused(folder):
    folder.amend(schema=99)
    with pytest.raises(RunError, match=r"schema 1 or lower, got 99: update ontogeny"):
        RunFolder.open(folder.path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": "training"}', '{"schema": null}'])
def test_a_damaged_description_is_told(folder, content):
    (folder.path / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"expected a whole .*run.json, got"):
        RunFolder.open(folder.path)


def test_a_run_that_never_began_is_not_opened_but_can_be_begun_again(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.writing():
        folder.begin({}, TOKENS)
        folder.write_checkpoint(30, weights())
        folder.write_snapshot(30, weights())
    with pytest.raises(RunError, match="got one that never began: train it again"):
        RunFolder.open(tmp_path)
    with folder.writing():
        folder.begin({}, TOKENS)
    assert folder.steps == folder.checkpoints == ()


def test_a_folder_that_holds_a_run_is_not_begun_anew(folder):
    before = (folder.path / "run.json").read_bytes()
    with folder.writing(), pytest.raises(RunError, match=r"resume it \(--resume\) or choose"):
        folder.begin({}, TOKENS)
    assert (folder.path / "run.json").read_bytes() == before


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    folder = RunFolder(tmp_path)
    with folder.writing(), pytest.raises(RunError, match=r"new or empty folder.*thesis.tex"):
        folder.begin({}, TOKENS)
    assert (tmp_path / "thesis.tex").read_text() == "dear"


def test_a_folder_cannot_be_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="expected to write"), RunFolder(tmp_path / "file").writing():
        pass


def test_a_folder_that_may_not_be_written_is_told(folder, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RunError, match="expected to be allowed to write"), folder.writing():
        pass
    monkeypatch.undo()


def test_two_writers_are_refused(folder):
    with (
        folder.writing(),
        pytest.raises(RunError, match="expected to be the only writer"),
        folder.writing(),
    ):
        pass


def test_writing_sweeps_what_a_killed_writer_left(folder):
    debris = [folder.path / ".run.json.1-2.tmp", folder.path / "snapshots" / ".x.1-2.tmp"]
    for file in debris:
        file.write_bytes(b"half")
    assert folder.steps == ()
    with folder.writing():
        assert not any(file.exists() for file in debris)


def test_amending_keeps_what_else_is_described(folder):
    folder.amend(state="complete")
    assert folder.state == "complete"
    assert folder.description["task"] == {"tokens": list(TOKENS)}
    assert json.loads((folder.path / "run.json").read_bytes())["schema"] == 1


def test_a_child_shares_history_without_copying_it(folder, tmp_path):
    with folder.append_curve() as curve:
        for step in range(1, 8):
            curve.append(row(step))
    for step in (0, 4, 7):
        folder.write_snapshot(step, weights(step))
        folder.write_checkpoint(step, weights(step))
    child = begun(tmp_path / "child")
    folder.share(child, 5)
    assert child.steps == child.checkpoints == (0, 4)
    assert child.curve().step.tolist() == [1, 2, 3, 4, 5]
    assert child.task_path.read_bytes() == b"task"
    assert child.task_path.samefile(folder.task_path)


def test_where_the_disk_cannot_link_history_is_copied(folder, tmp_path, monkeypatch):
    folder.write_snapshot(0, weights())

    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    child = begun(tmp_path / "child")
    folder.share(child, 0)
    assert same(child.weights(0), weights())
    assert not child.task_path.samefile(folder.task_path)


def test_a_run_is_read_without_torch():
    code = "import sys; import ontogeny.run, ontogeny.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
