"""The commands as a user types them, without torch where they can do without: run in both jobs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from ontogeny.cli import listing, main
from ontogeny.cli.commands import COMMANDS, NEEDS
from ontogeny.cli.parser import SHELLS, parser
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
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{url}ask/map?step=0&unit=conv1:0&exemplar=0", timeout=120)
        assert refused.value.code == 400
        assert 'pip install "ontogeny[train]"' in refused.value.read().decode()
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
    [commands] = [set(a.choices) for a in parser()._actions if isinstance(a.choices, dict)]
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
    [commands] = [a.choices for a in parser()._actions if isinstance(a.choices, dict)]
    for action in commands[command]._actions:
        assert action.help and len(action.help.split()) >= 3, action


def test_list_shows_the_runs_of_a_folder_without_torch(measured, tmp_path):
    copy, _ = measured
    shutil.copytree(copy, tmp_path / "sound")
    shutil.copytree(copy, tmp_path / "damaged")
    (tmp_path / "damaged" / "run.json").write_text('{"schema": 1')
    (tmp_path / "no run").mkdir()
    done = typed("list", str(tmp_path), "--json", absent=["torch"])
    assert (done.returncode, done.stderr) == (0, "")
    runs = {run["name"]: run for run in json.loads(done.stdout)["runs"]}
    assert set(runs) == {"sound", "damaged"}
    sound = runs["sound"]
    assert (sound["task"], sound["state"], sound["of"]) == ("faces", "complete", 8)
    assert sound["problem"] is None and 0 <= sound["probe_accuracy"] <= 1
    files = [file for file in (tmp_path / "sound").rglob("*") if file.is_file()]
    assert sound["bytes"] == sum(file.stat().st_size for file in files)
    assert runs["damaged"]["state"] == "damaged"
    assert "run.json" in runs["damaged"]["problem"]


def test_list_in_words_names_what_is_wrong(measured, tmp_path, capsys, monkeypatch):
    shutil.copytree(measured[0], tmp_path / "runs" / "mine")
    (tmp_path / "runs" / "mine" / "curve.csv").unlink()
    monkeypatch.chdir(tmp_path)
    assert main(["list"]) == 0
    head, row, _, problem = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["run", "task", "state"]
    assert row.split()[:3] == ["runs/mine", "-", "damaged"]
    assert problem.startswith("mine: ") and "curve.csv" in problem


def test_list_takes_runs_and_refuses_what_is_not_there(measured, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["list", str(measured[0]), "--json"]) == 0
    assert [run["name"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["faces"]
    assert main(["list"]) == 0
    assert "ontogeny run" in capsys.readouterr().out
    assert main(["list", "nowhere"]) == 2
    assert "no folder nowhere" in capsys.readouterr().err


def test_files_with_two_names_are_counted_once(measured, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(measured[0], run)
    before = listing.describe(run)["bytes"]
    (run / "snapshots" / "second").hardlink_to(run / "curve.csv")
    assert listing.describe(run)["bytes"] == before


def test_doctor_names_what_is_missing_and_the_command_that_mends_it():
    done = typed("doctor", "--json", absent=["torch", "pooch", "matplotlib"])
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    commands = [one["command"] for one in found["missing"]]
    assert 'pip install "ontogeny[train]"' in commands
    assert 'pip install "ontogeny[plot]"' in commands
    assert found["threads"] is None
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["numpy"] == version("numpy")


def test_doctor_in_words_says_where_data_live(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ONTOGENY_DATA", str(tmp_path))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path} (ONTOGENY_DATA)" in said
    assert "OMP_WAIT_POLICY=PASSIVE" in said


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_every_command_and_its_options(shell):
    done = typed("--print-completion", shell, absent=["torch"])
    assert (done.returncode, done.stderr) == (0, "")
    for word in (*COMMANDS, "--snapshots" if shell != "tcsh" else "run"):
        assert word in done.stdout


def test_a_shell_completes_commands_and_options(tmp_path):
    script = tmp_path / "ontogeny.bash"
    script.write_text(typed("--print-completion", "bash").stdout)
    lines = (
        f"source {script}",
        "COMP_WORDS=(ontogeny me) COMP_CWORD=1; _shtab_ontogeny; echo ${COMPREPLY[@]}",
        "COMP_WORDS=(ontogeny run --sna) COMP_CWORD=2; _shtab_ontogeny; echo ${COMPREPLY[@]}",
    )
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["measure", "--snapshots"]


def test_the_version_is_printed_on_standard_output():
    done = typed("--version")
    assert done.stdout == f"ontogeny {version('ontogeny')}\n"


def test_a_caller_keeps_its_own_way_to_be_ended(capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert main(["doctor"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
