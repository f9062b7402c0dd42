"""The commands as a user types them, without torch where they can do without: run in both jobs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from ontogeny.cli import main
from ontogeny.cli.commands import COMMANDS, NEEDS
from ontogeny.cli.parser import parser
from records import make_record, make_run

HEAVY = {
    "torch", "scipy", "xarray", "zarr", "matplotlib", "numpy", "tqdm", "pandas", "safetensors",
    "starlette", "uvicorn", "PIL", "importlib.metadata",
}  # fmt: skip
NEED_TORCH = ("run", "train", "fork", "observe", "pictures")


def words(*arguments, absent=()):
    """Return the command line of `ontogeny` as if these modules were not installed."""
    start = [str(Path(__file__).with_name("without.py")), ",".join(absent)]
    return [sys.executable, *(start if absent else ["-m", "ontogeny"]), *arguments]


def typed(*arguments, absent=(), **how):
    """Run a command in a process of its own."""
    return subprocess.run(
        words(*arguments, absent=absent),
        capture_output=True, text=True, check=False, timeout=300, **how,
    )  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    layers, rises = {"conv1": 4, "conv2": 6, "fc1": 6}, {"conv2": 3, "fc1": 2, "logits": 2}
    record = make_record(steps=(0, 1, 2, 4, 8), layers=layers, rises=rises, exemplars=12)
    return make_run(tmp_path_factory.mktemp("original") / "faces", record).path


@pytest.fixture(scope="module")
def measured(original, tmp_path_factory):
    """A copy of a run on which `ontogeny measure` has been run, and what was printed."""
    copy = tmp_path_factory.mktemp("copied") / "runs" / "faces"
    shutil.copytree(original, copy)
    done = typed("measure", str(copy), "--json", absent=["torch"])
    assert done.returncode == 0, done.stderr
    return copy, done


def modules_of(*arguments):
    """Return the modules that a command has imported when it ends, of those that are heavy."""
    code = (
        "import sys, json\nfrom ontogeny.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(json.dumps([*sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("run", "--help"), ("view", "--help"), ("nonsense",)]
)
def test_nothing_heavy_is_imported_before_a_command_needs_it(arguments):
    assert modules_of(*arguments) == set()


def test_the_modules_that_a_command_needs_are_seen():
    assert "importlib.metadata" in modules_of("--version")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_needs_no_torch(command):
    done = typed(*command.split(), "--help", absent=["torch", "numpy"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: ontogeny" in done.stdout


def test_measures_are_made_by_the_command_without_torch(measured):
    copy, done = measured
    said = json.loads(done.stdout)
    assert said["run"] == str(copy)
    for name in ("measures", "structure", "detectors", "graph"):
        assert str(copy / f"{name}.zarr") in said["files"]


def test_the_report_is_written_by_the_command_without_torch(measured):
    copy, _ = measured
    done = typed("report", str(copy), "--json", absent=["torch"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["report"] == str(copy / "report.html")
    assert "faces" in (copy / "report.html").read_text()


def test_the_page_is_written_by_the_command_without_torch(measured, tmp_path):
    copy, _ = measured
    out = tmp_path / "page.html"
    done = typed("export", str(copy), str(out), "--json", absent=["torch"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["page"] == str(out)
    assert 'id="manifest"' in out.read_text()


def test_the_page_is_served_by_the_command_without_torch(measured):
    copy, _ = measured
    server = subprocess.Popen(
        words("view", str(copy), "--port", "0", absent=["torch"]),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = server.stderr.readline()
        assert " at http://127.0.0.1:" in line, line + server.stderr.read()
        url = line.split(" at ")[1].split()[0]
        with urlopen(f"{url}data/manifest.json", timeout=120) as answer:
            assert json.load(answer)
    finally:
        os.kill(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode == 130


@pytest.mark.parametrize("command", NEED_TORCH)
def test_without_torch_one_sentence_names_the_extra(command, original, tmp_path):
    more = {"run": (), "train": (), "fork": ("--at", "4", "--out", str(tmp_path / "twin"))}
    run = [] if command in {"run", "train"} else [str(original)]
    done = typed(command, *run, *more.get(command, ()), absent=["torch"], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"ontogeny: ontogeny {command} needs torch")
    assert 'pip install "ontogeny[train' in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "absent", "extra"),
    [
        ("report", "matplotlib", "[plot]"),
        ("export", "starlette", "[page]"),
        ("view", "uvicorn", "[page]"),
    ],
)
def test_a_command_does_not_begin_without_its_extra(command, absent, extra, original, tmp_path):
    more = [str(tmp_path / "page.html")] if command == "export" else []
    done = typed(command, str(original), *more, absent=[absent])
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"ontogeny: ontogeny {command} needs {absent}, which is not installed: "
        f'pip install "ontogeny{extra}"'
    ]


def test_every_command_has_its_needs():
    [commands] = [set(action.choices) for action in parser()._actions if action.choices]
    assert commands == set(COMMANDS) == set(NEEDS)


def help_of(capsys, *arguments):
    with pytest.raises(SystemExit) as leave:
        main([*arguments, "--help"])
    assert leave.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_help_teaches(capsys):
    said = help_of(capsys)
    for word in (*COMMANDS, "flowers", "--resume"):
        assert word in said


def test_help_of_a_command_shows_the_defaults_where_they_hold(capsys):
    said = help_of(capsys, "run")
    assert "number of updates of the weights (default: 1200)" in said
    assert "a list of steps such as 0,5,10 (default: 60)" in said
    assert "number of exemplars in one step (default: 50, or" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_no_inner_value_and_describes_every_option(command, capsys):
    assert "None" not in help_of(capsys, command)
    [commands] = [action.choices for action in parser()._actions if action.choices]
    for action in commands[command]._actions:
        assert action.help and len(action.help.split()) >= 3, action
