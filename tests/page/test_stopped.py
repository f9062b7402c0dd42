"""A run that is stopped in any stage leaves a page that opens, and can go on."""

import json
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]

WAIT = 1500
"""Seconds within which a busy machine comes to the next stage."""
WHOLE = "import sys; from ontogeny.cli import main; sys.exit(main(sys.argv[1:]))"
"""The command; pictures of a whole network take longer than the rest of this test."""
WITHOUT_PICTURES = (
    "from ontogeny.pictures import store; store.picture_run = lambda run, **_: None;" + WHOLE
)
TINY = ("--steps", "12", "--snapshots", "4", "--density", "12", "--probe", "8", "--size", "16",
        "--threads", "1", "--port", "0")  # fmt: skip


class Command:
    """A run of `ontogeny run`, and what it said on standard error so far."""

    def __init__(self, *arguments, script=WITHOUT_PICTURES):
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, "run", *arguments, *TINY],
            stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.said = b""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self):
        while part := self.process.stderr.read1():
            self.said += part

    def until(self, holds):
        """Wait until something holds, while the command works."""
        end = time.monotonic() + WAIT
        while not holds():
            assert self.process.poll() is None, self.said.decode()
            assert time.monotonic() < end, self.said.decode()
            time.sleep(0.02)

    def comes_to(self, stage):
        self.until(lambda: re.search(rf"(^|[\r\n]){stage}:", self.said.decode()))

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        code = self.process.wait(WAIT)
        self._listener.join()
        self.process.stderr.close()
        self.process.stdout.close()
        return code


def manifest_of(page):
    found = re.search(r'<script type="application/json" id="manifest">(.*?)</script>', page)
    return json.loads(found[1])


def is_recorded(run):
    record = run / "record.zarr" / "zarr.json"
    if not record.exists():
        return False
    arrays = json.loads(record.read_bytes())["consolidated_metadata"]["metadata"]
    return arrays["step"]["shape"][0] >= 2


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Stop a run in every stage, one after the other; return what each left behind."""
    run, left = tmp_path_factory.mktemp("stopped") / "run", {}
    for stage, how in {
        "train": signal.SIGINT, "measure": signal.SIGTERM, "pictures": signal.SIGINT,
        "report": signal.SIGINT, "page": signal.SIGINT,
    }.items():  # fmt: skip
        script = WHOLE if stage == "pictures" else WITHOUT_PICTURES
        command = Command("faces", "--out", str(run), "--resume", script=script)
        command.comes_to(stage)
        if stage == "train":
            command.until(lambda: is_recorded(run))
        code = command.stop(how)
        page = run / "page.html"
        left[stage] = (code, command.said.decode(), page.exists() and page.read_text())
        page.unlink(missing_ok=True)
    return left


STAGES = ("train", "measure", "pictures", "report", "page")


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_that_is_stopped_leaves_a_page_and_says_so(stopped, stage):
    code, said, page = stopped[stage]
    assert code == 130
    assert "writing the page of what is there; Ctrl-C again ends at once" in said
    assert re.search(r"stopped; the page of what is there is \S+page\.html; the same command", said)
    assert "Traceback" not in said
    manifest = manifest_of(page)
    assert len(manifest["steps"]) in ({2, 3, 4, 5} if stage == "train" else {5})
    arrays = set(manifest["arrays"])
    assert {"accuracy", "coupling"} <= arrays
    assert ("sketch_map" in arrays) == (stage in {"train", "measure"})
    assert ("map" in arrays) == (stage not in {"train", "measure"})


def test_before_there_is_a_run_nothing_is_left(tmp_path):
    command = Command("faces", "--out", str(tmp_path / "run"))
    command.comes_to("load exemplars")
    assert command.stop() == 130
    assert "ontogeny: stopped; the same command with --resume goes on" in command.said.decode()
    assert not (tmp_path / "run" / "page.html").exists()


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    command = Command("faces", "--out", str(tmp_path / "run"))
    command.comes_to("train")
    command.until(lambda: is_recorded(tmp_path / "run"))
    command.process.send_signal(signal.SIGINT)
    command.until(lambda: b"again ends at once" in command.said)
    assert command.stop() == -signal.SIGINT
    assert not list((tmp_path / "run").glob("*page.html*")), "no half-written page is left"
