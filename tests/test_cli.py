import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from ontogeny.cli import main

pytestmark = pytest.mark.torch
SMALL = ["--size", "16", "--probe", "4", "--steps", "4", "--snapshots", "2", "--batch", "8"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures whose tokens differ in colour."""
    folder = tmp_path_factory.mktemp("task") / "colours"
    rng = np.random.default_rng(0)
    for channel, token in enumerate(["red", "green", "blue"]):
        (folder / token).mkdir(parents=True)
        for k in range(20):
            pixels = rng.integers(0, 120, (18, 20, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / token / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory):
    """A run made by the command line, and the summary that it printed."""
    out = tmp_path_factory.mktemp("runs") / "first"
    printed = command("run", str(pictures), *SMALL, "--out", str(out), "--json")
    assert printed.returncode == 0, printed.stderr
    return out, json.loads(printed.stdout), printed.stderr


def command(*arguments, **how):
    return subprocess.run(
        [sys.executable, "-m", "ontogeny", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **how,
    )


def test_run_leaves_all_that_it_promises(finished):
    out, _, _ = finished
    for name in ("run.json", "curve.csv", "task.npz", "record.zarr", "measures.zarr"):
        assert (out / name).exists(), name
    assert "colours" in (out / "report.html").read_text()
    assert len(list((out / "snapshots").glob("*.safetensors"))) == 3


def test_summary_is_one_json_object_on_standard_output(finished):
    out, summary, _ = finished
    assert summary["run"] == str(out)
    assert summary["tokens"] == ["blue", "green", "red"]
    assert summary["steps"] == 4
    assert summary["snapshots"] == 3
    assert summary["chance"] == pytest.approx(1 / 3)
    assert 0 <= summary["probe_accuracy"] <= 1
    assert summary["parameters"] > 1_000_000
    assert summary["seconds"] > 0
    assert summary["report"] == str(out / "report.html")
    assert str(out / "record.zarr") in summary["files"]


STAGES = {
    "load": "load exemplars", "train": "train", "observe": "observe",
    "measure": "measure", "pictures": "pictures", "report": "report", "page": "page",
}  # fmt: skip


def test_progress_of_every_stage_goes_to_standard_error_with_a_share_and_the_time_left(finished):
    for title in STAGES.values():
        lines = [x for x in re.split("[\r\n]", finished[2]) if x.startswith(f"{title}: ")]
        assert "100%" in lines[-1], title
        assert all(re.search(r"\d%\|.*\d\d:\d\d, .* left", line) for line in lines)
    assert ": ," not in finished[2]


def test_the_cost_of_every_stage_stands_in_the_summary_and_in_the_run(finished):
    out, summary, _ = finished
    assert set(summary["stages"]) == set(STAGES)
    for cost in summary["stages"].values():
        assert set(cost) == {"wall_seconds", "processor_seconds"}
        assert cost["wall_seconds"] > 0
        assert cost["processor_seconds"] >= 0
    assert sum(c["wall_seconds"] for c in summary["stages"].values()) <= summary["seconds"] + 0.1
    assert 50 < summary["peak_memory_mb"] < 20_000
    noted = json.loads((out / "run.json").read_text())["stages"]
    assert noted.keys() >= summary["stages"].keys()


def test_a_stage_that_finds_all_fresh_leaves_the_cost_of_the_work(finished, capsys):
    out, _, _ = finished
    before = json.loads((out / "run.json").read_text())["stages"]["measure"]
    assert main(["measure", str(out), "--json", "--quiet"]) == 0
    again = json.loads(capsys.readouterr().out)["stages"]["measure"]
    assert again["wall_seconds"] < before["wall_seconds"]
    assert json.loads((out / "run.json").read_text())["stages"]["measure"] == before


def test_every_stage_skips_what_is_done_and_fresh(finished, capsys):
    out, _, _ = finished
    before = {p: p.stat().st_mtime_ns for p in (out / "snapshots").iterdir()}
    record = (out / "record.zarr" / "zarr.json").stat().st_mtime_ns
    for stage in ("train", "observe", "measure"):
        assert main([stage, str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["snapshots"] == 3
    assert {p: p.stat().st_mtime_ns for p in (out / "snapshots").iterdir()} == before
    assert (out / "record.zarr" / "zarr.json").stat().st_mtime_ns == record


def test_quiet_says_nothing(finished, capfd):
    assert main(["measure", str(finished[0]), "--quiet"]) == 0
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_summary_in_words_names_accuracy_and_chance(finished, capsys):
    assert main(["measure", str(finished[0])]) == 0
    said = capsys.readouterr().out
    assert "accuracy on the probe" in said
    assert "chance 33.3%" in said


def test_fork_reproduces_its_parent(finished, tmp_path):
    out, _, _ = finished
    assert main(["fork", str(out), "--at", "2", "--out", str(tmp_path / "twin"), "--quiet"]) == 0
    last = "snapshots/00000004.safetensors"
    assert (tmp_path / "twin" / last).read_bytes() == (out / last).read_bytes()
    costs = json.loads((tmp_path / "twin" / "run.json").read_text())["stages"]
    assert set(costs) == {"replay", "train"}  # and not those of the parent


def test_a_run_stopped_by_a_signal_says_how_to_go_on_and_does(pictures, tmp_path, capsys):
    out = tmp_path / "stopped"
    arguments = ["train", str(pictures), *SMALL, "--steps", "4000", "--out", str(out), "--quiet"]
    child = subprocess.Popen(
        [sys.executable, "-m", "ontogeny", *arguments], stderr=subprocess.PIPE, text=True
    )
    wait_for(out / "snapshots" / "00000000.safetensors")
    os.kill(child.pid, signal.SIGTERM)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 130
    assert "--resume goes on" in said
    assert json.loads((out / "run.json").read_text())["state"] == "training"
    assert main([*arguments, "--steps", "4", "--resume"]) == 2
    assert "steps 4 (it has 4000)" in capsys.readouterr().err


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere"], "faces, flowers"),
        (["run", "faces", "--density", "0"], "density"),
        (["run", "faces", "--steps", "0"], "steps 0"),
        (["run", "faces", "--learning-rate", "-1"], "learning_rate -1"),
        (["run", "faces", "--size", "8"], "size"),
        (["observe", "nowhere"], "nowhere"),
        (["report", "nowhere"], "nowhere"),
        (["run", "faces", "--snapshots", "often"], 'got "often"'),
    ],
)
def test_mistakes_end_in_one_sentence_and_code_two(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert exit_code(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert "expected" in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def exit_code(arguments):
    try:
        return main([*arguments, "--quiet"])
    except SystemExit as leave:
        return leave.code


def test_an_occupied_folder_is_refused_with_the_way_out(finished, pictures, capsys):
    out, _, _ = finished
    assert main(["run", str(pictures), *SMALL, "--out", str(out), "--quiet"]) == 2
    assert "resume" in capsys.readouterr().err


def test_one_token_is_refused(tmp_path, capsys):
    (tmp_path / "task" / "only").mkdir(parents=True)
    Image.new("RGB", (20, 20)).save(tmp_path / "task" / "only" / "a.png")
    assert main(["run", str(tmp_path / "task"), "--out", str(tmp_path / "run"), "--quiet"]) == 2
    assert "two" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
