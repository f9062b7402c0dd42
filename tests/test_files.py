import errno
import os
import subprocess
import sys
import threading

import pytest
import xarray as xr

from ontogeny.datasets import replace_dataset
from ontogeny.errors import RunError
from ontogeny.files import Background, FolderLock, plain_words, sweep, write_all, write_atomically


def test_a_file_is_written_of_its_parts_and_nothing_else_is_left(tmp_path):
    write_atomically(tmp_path / "a", b"one ", memoryview(b"two"))
    assert (tmp_path / "a").read_bytes() == b"one two"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a", b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"expected room for .*No space left.*make room and resume"):
        write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_data_are_synchronised_before_the_rename(tmp_path, monkeypatch):
    names_at_sync = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: names_at_sync.append((tmp_path / "a").exists()) or fsync(fd)
    )
    write_atomically(tmp_path / "a", b"x")
    assert names_at_sync == [False, True]


def test_write_all_goes_on_after_a_short_write(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:3]))
    with (tmp_path / "a").open("wb") as file:
        write_all(file.fileno(), b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EFBIG, "expected room for"),
        (errno.EDQUOT, "expected room for"),
        (errno.EROFS, "expected to be allowed to write"),
        (errno.EACCES, "choose another folder or change its permissions"),
        (errno.EIO, "check the disk"),
    ],
)
def test_failures_of_the_system_are_told_in_plain_words(tmp_path, number, words):
    with pytest.raises(RunError, match=words), plain_words(tmp_path / "a"):
        raise OSError(number, os.strerror(number))


def test_sweep_removes_temporaries_only(tmp_path):
    (tmp_path / ".a.12-3.tmp").write_bytes(b"half")
    (tmp_path / "a").write_bytes(b"whole")
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_sweep_leaves_folders_to_those_who_write_them(tmp_path):
    (tmp_path / ".graph.zarr.new.tmp").mkdir()
    sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".graph.zarr.new.tmp"]


def test_reading_needs_no_locks_of_the_system(tmp_path):
    """As on a system without fcntl, and where filelock is not installed."""
    code = (
        "import sys; sys.modules['fcntl'] = sys.modules['filelock'] = None\n"
        "import ontogeny.run, ontogeny.record, ontogeny.datasets, ontogeny.measure, ontogeny.page\n"
        "ontogeny.datasets.stored_dataset(ontogeny.datasets.Path(sys.argv[1]))\n"
    )
    replace_dataset(xr.Dataset({"a": ("x", [1.0, 2.0])}), tmp_path / "a.zarr")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.zarr")], check=True)


def test_a_patient_writer_waits_and_any_thread_may_let_go(tmp_path):
    first = FolderLock(tmp_path / ".lock").__enter__()
    timer = threading.Timer(0.2, first.__exit__, (None, None, None))
    timer.start()
    with FolderLock(tmp_path / ".lock", patience=30):
        pass
    timer.join()


def test_a_second_writer_is_refused_and_told_who_holds_the_folder(tmp_path):
    with (
        FolderLock(tmp_path / ".lock"),
        pytest.raises(RunError, match=rf"only writer of .*got process {os.getpid()} on"),
        FolderLock(tmp_path / ".lock"),
    ):
        pass
    with FolderLock(tmp_path / ".lock"):
        pass
    assert (tmp_path / ".lock").read_bytes() == b""


def test_a_killed_writer_lets_go(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from ontogeny.files import FolderLock\n"
        "FolderLock(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / ".lock")], check=False)
    assert killed.returncode == -9
    assert (tmp_path / ".lock").read_bytes() != b""
    with FolderLock(tmp_path / ".lock"):
        pass


def test_background_does_all_jobs_in_order():
    done = []
    with Background(room=2) as background:
        for index in range(20):
            background.put(lambda index=index: done.append(index))
    assert done == list(range(20))


def test_background_does_no_job_after_one_that_failed():
    done = []
    with (
        pytest.raises(RunError, match="first"),
        Background() as background,
    ):
        background.put(_failure)
        background.put(lambda: done.append(1))
    assert done == []


def test_background_raises_in_the_caller_at_the_next_job():
    with pytest.raises(RunError, match="first"), Background() as background:
        background.put(_failure)
        for _ in range(1000):
            background.put(threading.Event().set)
            threading.Event().wait(0.001)
        pytest.fail("the failure never reached the caller")


def test_the_callers_exception_goes_before_a_jobs():
    with pytest.raises(KeyError), Background() as background:
        background.put(_failure)
        raise KeyError


def test_background_leaves_no_thread():
    before = threading.active_count()
    with Background():
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def _failure():
    msg = "the first failure"
    raise RunError(msg)
