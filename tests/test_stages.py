"""What a stage shows and notes: shares done, time left, cost."""

import argparse
import signal
import time

import pytest

from ontogeny.cli import stages
from ontogeny.cli.stages import Bar, TrainingCost, Work, note_costs, uninterrupted
from ontogeny.schedule import snapshot_steps
from records import make_record, make_run


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is set forward."""
    now = [100.0]
    monkeypatch.setattr(stages.time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize("observing", [3.0, 0.3, 0.0])
@pytest.mark.parametrize("at", [20, 60, 300])
def test_time_left_of_training_is_right_though_snapshots_are_dense_early(observing, at, clock):
    """A step costs 0.1 s, a snapshot's observing so much more; the first step is slow."""
    steps = 1200
    snapshots = set(snapshot_steps(steps, 60))
    told = []
    cost = TrainingCost(snapshots, lambda *state: told.append(state))
    step_costs = [0.1 + (observing if step in snapshots else 0.0) for step in range(1, steps + 1)]
    for step in range(1, at + 1):
        clock[0] += 5.0 if step == 1 else step_costs[step - 1]
        cost("", step, steps)
    _, done, total = told[-1]
    spent = sum(step_costs[1:at])
    share = told[0][1] / told[0][2]
    estimate = spent * (1 - done / total) / (done / total - share)
    left = sum(step_costs[at:])
    assert estimate == pytest.approx(left, rel=0.25)
    naive = spent / (at - 1) * (steps - at)
    assert observing < 1 or naive > 2 * left or at == 300


def test_shares_never_fall_while_costs_are_even(clock):
    told = []
    cost = TrainingCost({0, 2, 4, 10}, lambda *state: told.append(state[1] / state[2]))
    for step in range(1, 11):
        clock[0] += 1.0
        cost("", step, 10)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_a_bar_shows_share_time_left_and_what_is_done(capsys):
    with Bar("measure", quiet=False) as bar:
        bar("token signal", 1, 4)
        time.sleep(0.2)
        bar("maps of exemplars", 3, 4)
        time.sleep(0.2)
        bar("only words")
    said = capsys.readouterr().err
    assert ": ," not in said and "None" not in said
    assert "measure: 100%|" in said.split("\r")[-1]
    assert "maps of exemplars" in said


def test_time_left_counts_neither_the_set_up_nor_what_was_there_before(clock, capsys):
    with Bar("train", quiet=False) as bar:
        clock[0] += 60  # set up
        bar("", 50, 100)  # a run that goes on
        clock[0] += 10
        bar("", 60, 100)
        bar._bar.refresh()
    assert " 00:40 left" in capsys.readouterr().err


def test_a_stage_that_fails_does_not_show_that_it_is_done(capsys):
    with pytest.raises(ValueError, match="x"), Bar("measure", quiet=False) as bar:
        bar("half", 1, 2)
        raise ValueError("x")
    assert "100%" not in capsys.readouterr().err


def test_a_quiet_bar_says_nothing(capsys):
    with Bar("measure", quiet=True) as bar:
        bar("half", 1, 2)
    assert capsys.readouterr().err == ""


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_work_notes_wall_and_processor_seconds_of_its_stages():
    work = Work(argparse.Namespace(quiet=True))
    with work.stage("busy"):
        burn(0.3)
    for _ in range(2):
        with work.stage("idle"):
            time.sleep(0.15)
    assert work.stages["busy"]["processor_seconds"] >= 0.25
    assert work.stages["idle"]["processor_seconds"] <= 0.2
    assert work.stages["idle"]["wall_seconds"] >= 0.3
    assert work.costs()["peak_memory_mb"] > 10


def test_costs_of_the_longest_time_are_kept_and_a_run_that_is_written_is_left_alone(tmp_path):
    run = make_run(tmp_path / "run", make_record(steps=(0, 1, 2)))
    cost = {"wall_seconds": 10.0, "processor_seconds": 15.0}
    less = {"wall_seconds": 0.1, "processor_seconds": 20.0}
    note_costs(run, {"measure": cost})
    note_costs(run, {"measure": less, "report": less})
    assert run.description["stages"] == {"measure": cost, "report": less}
    with run.writing():
        note_costs(run, {"measure": {"wall_seconds": 99.0, "processor_seconds": 99.0}})
    assert run.description["stages"]["measure"] == cost


def test_ctrl_c_waits_for_what_is_imported_to_be_whole():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("whole")
    assert done == ["whole"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
