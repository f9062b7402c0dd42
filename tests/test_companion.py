"""A function at work in a process of its own: what it says and raises, and that it ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ontogeny.companion import POOLS, Companion
from ontogeny.errors import InputError

HERE = "companions"


@pytest.fixture(autouse=True)
def functions(tmp_path, monkeypatch):
    """Put functions where only this process's path finds them."""
    (tmp_path / f"{HERE}.py").write_text(
        "import os, time\n"
        "from ontogeny.errors import InputError\n"
        "def counts(to, send):\n"
        "    print('to standard error')\n"
        "    for k in range(int(to)): send({'k': k})\n"
        "def refuses(send): raise InputError('expected a, got b: do c')\n"
        "def breaks(send): raise ZeroDivisionError('oh')\n"
        "def vanishes(send): os._exit(3)\n"
        f"def threads(send): send({{n: os.environ.get(n) for n in {list(POOLS)!r}}})\n"
        "def sleeps(file, send):\n"
        "    send({'pid': os.getpid()})\n"
        "    time.sleep(600)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_events_come_in_order_and_end():
    with Companion(f"{HERE}:counts", "3") as companion:
        assert list(companion.events()) == [{"k": 0}, {"k": 1}, {"k": 2}]


def test_its_end_is_silent(capfd):
    with Companion(f"{HERE}:counts", "1") as companion:
        companion.wait()
        companion._process.wait()
    assert capfd.readouterr().err == "to standard error\n"


def test_a_users_mistake_is_raised_as_it_is():
    with (
        Companion(f"{HERE}:refuses") as companion,
        pytest.raises(InputError, match=r"^expected a, got b: do c$"),
    ):
        companion.wait()


@pytest.mark.parametrize(("name", "words"), [("breaks", "ZeroDivisionError"), ("vanishes", "3")])
def test_a_fault_is_told_with_its_reason(name, words):
    with Companion(f"{HERE}:{name}") as companion, pytest.raises(RuntimeError, match=words):
        companion.wait()


def test_no_process_is_told_apart(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with Companion(f"{HERE}:counts", "1") as companion, pytest.raises(ChildProcessError):
        companion.wait()


def test_its_libraries_have_one_thread():
    with Companion(f"{HERE}:threads") as companion:
        assert next(companion.events()) == dict.fromkeys(POOLS, "1")


def test_it_ends_with_its_context():
    with Companion(f"{HERE}:sleeps", "x") as companion:
        pid = next(companion.events())["pid"]
    assert not _is_running(pid)


def test_it_ends_with_its_parent_however_that_goes(tmp_path):
    script = (
        f"import sys, time; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from ontogeny.companion import Companion\n"
        f"c = Companion('{HERE}:sleeps', 'x'); print(next(c.events())['pid'], flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        parent.stdin.write(script.encode())
        parent.stdin.close()
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 60
    while _is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return status != "Z"  # a zombie has ended
