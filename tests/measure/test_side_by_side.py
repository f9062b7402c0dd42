"""Kinds measured side by side are those measured one by one, wherever the call is made."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import pytest
import xarray as xr

from ontogeny import companion
from ontogeny.datasets import stored_dataset
from ontogeny.errors import InputError, RunError
from ontogeny.measure import measure_all, measure_run
from records import make_record, make_run

ROOT = Path(__file__).parents[2]
NAMES = ("measures", "structure", "detectors", "graph")
MEASURES = 'import ontogeny as ont\nont.measure.measure_all("run")\nprint("measured once")\n'


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A small run with all its measures."""
    record = make_record(steps=(0, 1, 2), layers={"conv1": 3, "logits": 3}, exemplars=6)
    run = make_run(tmp_path_factory.mktemp("measured") / "run", record)
    for name in NAMES:
        measure_run(run, name)
    return run.path


@pytest.fixture
def run(measured, tmp_path):
    """A copy of a run whose couplings were not measured; a script may run beside it."""
    shutil.copytree(measured, tmp_path / "run", ignore=shutil.ignore_patterns("graph.zarr"))
    return tmp_path / "run"


def is_measured(run):
    return all(stored_dataset(run / f"{name}.zarr") is not None for name in NAMES)


def python(*arguments, run, **how):
    """Run Python beside the run, as a user would; PYTHONPATH leads to the package under test."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | how.pop("environment", {})
    done = subprocess.run(
        [sys.executable, *arguments], cwd=run.parent, env=environment, check=False,
        capture_output=True, text=True, timeout=300, **how,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def assert_once(done, run):
    assert done.stdout == "measured once\n"
    assert "Traceback" not in done.stderr
    assert is_measured(run)


def test_all_kinds_are_kept_and_are_those_of_one_process(run, measured):
    said = []
    measure_all(run, progress=lambda what, *_: said.append(what))
    assert {"category structure: fresh", "couplings over steps: done"} <= set(said)
    assert any(words.startswith("couplings over steps: ") for words in said)
    assert is_measured(run)
    xr.testing.assert_identical(
        stored_dataset(run / "graph.zarr"), stored_dataset(measured / "graph.zarr")
    )


def test_a_plain_script_may_measure(run):
    script = run.parent / "script.py"
    script.write_text(MEASURES)
    assert_once(python(str(script), run=run), run)


def test_standard_input_may_measure(run):
    assert_once(python("-", run=run, input=MEASURES), run)


def test_a_typed_session_may_measure(run):
    assert_once(python("-i", "-q", run=run, input=MEASURES), run)


def test_a_cell_of_a_notebook_may_measure(run):
    """A notebook executes text in a name space whose `__main__` has no file."""
    cells = f"exec(compile({MEASURES!r}, '<ipython-input-1>', 'exec'), {{'__name__': '__main__'}})"
    assert_once(python("-c", cells, run=run), run)


def test_a_package_on_a_path_of_the_script_only_is_found(run):
    script = run.parent / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\n" + MEASURES)
    assert_once(python(str(script), run=run, environment={"PYTHONPATH": ""}), run)


def test_a_path_with_a_colon_and_a_file_that_shadows_a_library_do_no_harm(run):
    odd = run.parent / "a:b"
    odd.mkdir()
    (odd / "ontogeny").symlink_to(ROOT / "src" / "ontogeny")
    (run.parent / "xarray.py").write_text("raise SystemExit('the wrong xarray')")
    script = odd / "script.py"
    script.write_text(MEASURES)
    assert_once(python(str(script), run=run), run)


def test_warnings_as_errors_and_a_replaced_output_do_no_harm(run):
    script = run.parent / "script.py"
    script.write_text(
        "import io, sys, warnings\nwarnings.simplefilter('error')\n"
        "kept, sys.stdout, sys.stderr = sys.stdout, io.StringIO(), io.StringIO()\n"
        'import ontogeny as ont\nont.measure.measure_all("run")\n'
        'print("measured once", file=kept)\n'
    )
    environment = {"PYTHONWARNINGS": "error::UserWarning", "PYTHONINSPECT": ""}
    assert_once(python(str(script), run=run, environment=environment), run)


def test_a_daemonic_worker_of_a_pool_may_measure(run):
    with get_context("spawn").Pool(1) as pool:
        pool.apply(measure_all, (str(run),))
    assert is_measured(run)


@pytest.mark.parametrize("executable", ["", "/nowhere/python", "/bin/echo", "/bin/false"])
def test_where_no_process_can_be_started_it_is_done_in_this_one(run, monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    measure_all(run)
    assert is_measured(run)


def test_a_fault_in_one_kind_is_told_as_it_is(run, tmp_path):
    (run / "record.zarr").rename(tmp_path / "away")
    with pytest.raises(RunError, match="expected"):
        measure_all(run)


def test_what_a_process_refuses_is_the_same_class_and_sentence(tmp_path):
    record = make_record(steps=(0, 1, 2), layers={"conv1": 3, "logits": 3}, exemplars=6)
    run = make_run(tmp_path / "run", record.drop_vars("coupling_contrast"))
    with pytest.raises(InputError) as alone:
        measure_run(run, "graph")
    with pytest.raises(InputError) as together:
        measure_all(run)
    assert str(together.value) == str(alone.value)
    assert type(together.value) is type(alone.value)


def test_a_process_that_is_killed_is_a_sentence_with_its_exit_code(run, monkeypatch):
    killed = """
import os
print('{"companion": "ready"}', flush=True)
os.kill(os.getpid(), 9)
"""
    monkeypatch.setattr(companion, "START", killed)
    with pytest.raises(RuntimeError, match=r"failed: its process ended with -9"):
        measure_all(run, workers=1)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_so_many_kinds_are_at_work_at_a_time(run, monkeypatch, workers):
    """One of them is made by the caller, who has its place taken when it has done."""
    module = import_module("ontogeny.measure.side_by_side")
    for name in ("structure", "detectors"):
        shutil.rmtree(run / f"{name}.zarr")
    said = []
    monkeypatch.setattr(module, "measure_run", lambda *_, **__: said.append("measures"))
    monkeypatch.setattr(module, "_start", lambda *_: said.append("start"))
    monkeypatch.setattr(module, "_await_one", lambda *_: said.append("await"))
    measure_all(run, workers=workers)
    assert said[:workers] == ["start"] * (workers - 1) + ["measures"]
    assert said[: said.index("await")].count("start") == workers
    assert (said.count("start"), said.count("await")) == (4, 4)


def workers_of(process):
    """Return the ids of the processes that a process has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children]


def is_alive(process_id):
    with contextlib.suppress(OSError):
        return (
            "Z" not in re.sub(r".*\)", "", Path(f"/proc/{process_id}/stat").read_text()).split()[0]
        )
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are listed by Linux")
def test_nothing_is_left_running_when_the_caller_ends(run, how):
    for name in ("structure", "detectors"):
        shutil.rmtree(run / f"{name}.zarr")
    slow = textwrap.dedent("""
        import ontogeny as ont, sys
        ont.measure.measure_all("run", progress=lambda what, *_: print(what, flush=True))
    """)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", slow], cwd=run.parent, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as caller:  # fmt: skip
        assert caller.stdout is not None
        while not caller.stdout.readline().startswith("category structure: "):
            assert caller.poll() is None
        # The first kind speaks, and the others are still to come: the caller has not done yet.
        started = workers_of(caller)
        assert started
        caller.send_signal(how)
        assert caller.wait(timeout=60) != 0
    end = time.monotonic() + 60
    while any(map(is_alive, started)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, started))
