"""The page of a run that is being made: what is served when, at what cost, and until when."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from ontogeny.page import live as module
from ontogeny.page.address import PORT, listen
from ontogeny.page.live import Feed, Live
from ontogeny.page.side import NICENESS, Side
from ontogeny.record import RecordWriter
from ontogeny.run import CurveFile, Row, RunFolder
from records import make_record, make_run

WAIT = 120
"""Seconds within which a busy machine does what takes a second."""


def grow(run, record, n_steps):
    """Bring a run's record up to so many steps, one commit each."""
    names = [str(name) for name, v in record.variables.items() if v.dims[:1] == ("step",)]
    with RecordWriter(run.path / "record.zarr") as writer:
        for k in range(writer.n_steps, n_steps):
            writer.append({name: record[name].values[k] for name in names})


@pytest.fixture
def growing(tmp_path):
    record = make_record()
    run = make_run(tmp_path / "growing", record.isel(step=slice(0, 2)), state="training")
    return run, record


def in_loop(work):
    """Run one visitor's session: a `Live` belongs to one event loop.

    On a thread of its own, since a browser that other tests drive holds a loop on this one.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def events_of(text):
    """Return the events of a stream as pairs of kind and data."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block]
    return [(a.removeprefix("event: "), json.loads(b.removeprefix("data: "))) for a, b in blocks]


# What is served -------------------------------------------------------------------------------


def test_before_the_run_begins_there_is_no_bundle_and_progress_is_what_the_feed_says(tmp_path):
    async def work():
        live = Live(RunFolder(tmp_path / "none"), feed=Feed({"stage": "load exemplars", "done": 3}))
        assert await live.bundle() is None and live.is_working
        return live.progress()

    said = in_loop(work)
    assert (said["state"], said["stage"], said["done"]) == ("beginning", "load exemplars", 3)


def test_a_bundle_is_made_when_the_run_has_grown_and_the_last_one_has_rested(growing, monkeypatch):
    run, record = growing

    async def work():
        live = Live(run)
        first = await live.bundle()
        monkeypatch.setattr(live, "_rested", float("inf"))  # however fast this machine is
        assert await live.bundle() is first, "nothing is new"
        grow(run, record, 5)
        assert await live.bundle() is first, "the last one was made just now"
        monkeypatch.setattr(live, "_rested", 0.0)
        second = await live.bundle()
        return first.manifest["steps"], second.manifest["steps"]

    first, second = in_loop(work)
    assert (len(first), len(second)) == (2, 5)


def test_making_bundles_takes_a_small_share_of_the_time(growing, monkeypatch):
    run, _ = growing
    took = 0.5

    async def work():
        live = Live(run)
        make = live._make
        monkeypatch.setattr(live, "_make", lambda stamp: (time.sleep(took), make(stamp))[1])
        began = time.monotonic()
        await live.bundle()
        return live._rested - began

    assert in_loop(work) >= took + module.REST * took


def test_a_page_gets_the_blobs_of_the_bundle_that_it_was_given(growing, monkeypatch):
    run, record = growing

    async def work():
        live = Live(run)
        old = await live.bundle()
        grow(run, record, 5)
        monkeypatch.setattr(live, "_rested", 0.0)
        new = await live.bundle()
        for bundle in (old, new):
            for name, data in bundle.blobs.items():
                assert await live.blob(name, bundle.hash_of(name)) == data
        assert await live.blob("base", None) == new.blobs["base"]
        assert await live.blob("base", "of no bundle") is None
        assert old.blobs["base"] != new.blobs["base"]

    in_loop(work)


def test_what_was_computed_of_a_step_is_kept_for_the_next_bundle(growing, monkeypatch):
    run, record = growing

    async def work():
        live = Live(run)
        await live.bundle()
        grow(run, record, 4)
        monkeypatch.setattr(live, "_rested", 0.0)
        known = dict(live._known)
        made = await live.bundle()
        assert set(known) < set(live._known) and len(live._known) == 4
        assert all(live._known[key] is value for key, value in known.items())
        return made.manifest["arrays"]

    arrays = in_loop(work)
    assert "so far" in arrays["sketch_map"]["definition"]
    assert arrays["sketch_response"]["source"] == "ontogeny.measure.sketch(record)/sketch_response"


def test_a_sketch_goes_when_the_measure_comes(tmp_path):
    from ontogeny.measure import Chance, measure_run
    from ontogeny.page.bundle import bundle_run

    run = make_run(tmp_path / "run", make_record())
    before = set(bundle_run(run).manifest["arrays"])
    measure_run(run, "detectors", chance=Chance(n_shuffles=19, n_resamples=20))
    after = set(bundle_run(run).manifest["arrays"])
    assert {"sketch_response", "sketch_map"} <= before and "token_response" not in before
    assert "token_response" in after and "sketch_response" not in after
    assert "sketch_map" in after, "categories are not measured yet"


def test_events_go_on_until_the_command_has_ended(growing, monkeypatch):
    run, _ = growing
    monkeypatch.setattr(module, "PAUSE", 0.01)

    async def work():
        feed = Feed({"stage": "measure"})
        live, text = Live(run, feed=feed), ""
        run.amend(state="complete")
        async for event in live.events():
            text += event
            assert live.listeners == 1
            if text.count("event: state") == 3:
                feed.has_ended = True
            if "event: end" in text:
                break
        return text

    kinds = [kind for kind, _ in events_of(in_loop(work))]
    assert kinds == ["grown", "state", "state", "state", "state", "end"]


def test_a_damaged_run_ends_the_events_with_a_sentence(growing, monkeypatch):
    run, _ = growing
    monkeypatch.setattr(module, "PAUSE", 0.01)
    (run.path / "run.json").write_text("{")

    async def work():
        return "".join([event async for event in Live(run).events()])

    *_, (kind, said), (end, _) = events_of(in_loop(work))
    assert (kind, end, said["state"]) == ("state", "end", "failed")
    assert "damaged" in said["stage"]


def test_the_last_row_of_a_long_curve_is_read_without_the_rest(growing):
    run, _ = growing
    assert run.last_row() is None
    with CurveFile(run.path / "curve.csv") as curve:
        for step in range(1, 3001):
            curve.append(Row(step, 1 / step, 0.5, 1e-3, [1, 2, 3], [4, 5, 6]))
    with (run.path / "curve.csv").open("a") as file:
        file.write("3001,0.00")  # a row that is just being written
    assert run.last_row() == (3000, 1 / 3000)


# The process beside a command -----------------------------------------------------------------


def asked(url, path="data/manifest.json"):
    with urlopen(url + path, timeout=WAIT) as answer:
        return json.loads(answer.read())


def until(holds, *, within=WAIT):
    """Wait until something holds."""
    end = time.monotonic() + within
    while not (found := holds()):
        assert time.monotonic() < end, "it never held"
        time.sleep(0.05)
    return found


def test_the_page_is_served_beside_a_command_and_ends_with_it(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    with Side() as side:
        assert asked(side.url)["run"]["state"] == "beginning", "it answers before there is a run"
        side.tell("train", what="steps", done=3, total=40)
        side.show(run.path)
        until(lambda: asked(side.url).get("steps"))
        manifest = asked(side.url)
        assert manifest["run"]["name"] == "run" and manifest["is_live"]
        with urlopen(side.url + "events", timeout=WAIT) as stream:
            until(lambda: b'"stage": "train"' in stream.readline())
        process = side._process
    assert process.returncode == 0
    with pytest.raises(URLError):
        urlopen(side.url, timeout=5)


def test_two_commands_at_once_have_a_page_each():
    with Side() as one, Side() as other:
        assert one.url != other.url
        assert asked(one.url)["run"] == asked(other.url)["run"]


def test_the_usual_port_is_taken_where_it_is_free_and_another_one_where_not():
    with listen() as first, listen() as second:
        ports = [each.getsockname()[1] for each in (first, second)]
    assert ports[0] != ports[1] and ports[1] != PORT


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_from_the_first_view_on_its_priority_is_low(tmp_path):
    run = make_run(tmp_path / "run", make_record())
    with Side() as side:
        side.show(run.path)
        until(lambda: asked(side.url).get("steps"))
        pid = side._process.pid
        until(lambda: os.getpriority(os.PRIO_PROCESS, pid) >= NICENESS)


def test_it_ends_when_the_command_is_killed():
    script = (
        "from ontogeny.page.side import Side; import time; side = Side();"
        "print(side.url, side._process.pid, flush=True); time.sleep(600)"
    )
    command = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert command.stdout
    url, pid = command.stdout.readline().split()
    assert asked(url)
    command.send_signal(signal.SIGKILL)
    command.wait()
    command.stdout.close()
    until(lambda: not os.path.exists(f"/proc/{pid}") or _is_dead(int(pid)))  # noqa: PTH110


def _is_dead(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_command_goes_on_when_its_page_has_died():
    with Side() as side:
        side._process.kill()
        side._process.wait()
        for k in range(20):
            side.tell(f"stage {k}")
        side.show("somewhere")


def test_nothing_heavy_is_imported_before_the_address_is_known():
    script = (
        "import sys; from ontogeny.page.side import Side; side = Side();"
        "heavy = {'torch', 'xarray', 'zarr', 'scipy', 'matplotlib', 'uvicorn'} & {*sys.modules};"
        "side.close(); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
