"""The server shows one run to its own page and to nobody else."""

import http.client
import io
import json
import threading
import time
from contextlib import closing, contextmanager

import numpy as np
import pytest
import uvicorn
from PIL import Image

from ontogeny.errors import InputError, RunError
from ontogeny.page import live, serve
from ontogeny.page.address import address
from records import make_record, make_run

FILES = {"index.html": b"<!doctype html><title>page</title>", "assets/page.js": b"1;"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("served") / "run", make_record())


@pytest.fixture
def run(folder, monkeypatch):
    monkeypatch.setattr(serve, "asset", FILES.__getitem__)
    return folder


@contextmanager
def served(run, **how):
    """Serve a run on a free port of this machine; yield a function that asks."""
    config = uvicorn.Config(serve.application(run, **how), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    def ask(path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        with closing(connection), connection.getresponse() as answer:
            return answer, answer.read()

    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join()


def test_page_manifest_and_blobs_are_served(run):
    with served(run) as ask:
        answer, text = ask("/")
        assert (answer.status, text) == (200, FILES["index.html"])
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert ask("/assets/page.js")[1] == b"1;"
        manifest = json.loads(ask("/data/manifest.json")[1])
        for name, said in manifest["blobs"].items():
            assert len(ask(f"/data/{name}")[1]) == said["bytes"]
        assert ask("/data/none")[0].status == 404


def test_nothing_of_the_disk_can_be_asked_for(folder):
    with served(folder) as ask:  # with the real assets
        for path in (
            "/../run.json", "/%2e%2e/run.json", "/data/..%2frun.json", "/run.json", "/task.npz",
            "/assets/../../../../etc/passwd.js", "//etc/passwd", "/data/%2fetc%2fpasswd",
            "/link.js",
        ):  # fmt: skip
            answer, text = ask(path)
            assert answer.status in {404, 409}, path
            assert b"root:" not in text and b"schema" not in text, path


def test_foreign_hosts_pages_and_methods_are_refused(run):
    with served(run) as ask:
        assert ask("/", Host="evil.example")[0].status == 403
        assert ask("/", Host="localhost:80")[0].status == 200
        assert ask("/", Origin="http://evil.example")[0].status == 403
        assert ask("/", "POST")[0].status == 405


def test_elsewhere_a_key_is_asked_for_once(run):
    with served(run, key="secret") as ask:
        assert ask("/")[0].status == 403
        assert ask("/?key=wrong")[0].status == 403
        answer, _ = ask("/?key=secret", Host="192.0.2.7:1234")
        assert answer.status == 200
        cookie = answer.headers["set-cookie"].partition(";")[0]
        assert ask("/data/manifest.json", Cookie=cookie)[0].status == 200
        assert ask("/?key=secret", Host="evil.example")[0].status == 403


def test_the_address_holds_a_key_only_beyond_loopback():
    assert address("127.0.0.1", 80) == ("http://127.0.0.1:80/", None)
    url, key = address("0.0.0.0", 80)
    assert key and url.endswith(f"?key={key}")
    assert address("0.0.0.0", 80)[1] != key


def test_events_tell_of_growth_and_end_with_the_run(run, monkeypatch):
    monkeypatch.setattr(live, "PAUSE", 0.01)
    with served(run) as ask:
        text = ask("/events")[1].decode()
    assert text.startswith('event: grown\ndata: {"steps": 12}')
    assert '"state": "complete"' in text


def test_a_damaged_run_is_told_not_hidden(tmp_path):
    run = make_run(tmp_path / "run", make_record(steps=(0, 1)))
    with served(run) as ask:
        (run.path / "run.json").write_text("{")
        answer, text = ask("/data/manifest.json")
        assert answer.status == 409 and b"damaged" in text


def test_an_address_that_is_taken_is_one_sentence(run):
    with served(run):
        taken = next(t for t in threading.enumerate() if t is not threading.main_thread())
        assert taken.is_alive()
    with pytest.raises(RunError, match=r"expected a free address, got 192\.0\.2\.1:80"):
        serve.view(run, host="192.0.2.1", port=80, ready=print)


class Network:
    """Answers as the network would."""

    def activation_map(self, step, unit, exemplar):
        return np.full((2, 3), step + exemplar, np.float32)

    def preferred_image(self, step, unit):
        return np.zeros((4, 5, 3), np.uint8) if unit == "conv1:0" else np.zeros((0, 0, 3), np.uint8)

    def without(self, step, unit):
        return {"token": ["ada"], "accuracy": [1.0], "accuracy_without": [None]}


def test_what_needs_the_network_is_answered_when_asked(run, monkeypatch):
    monkeypatch.setattr(serve.Questions, "network", Network())
    monkeypatch.setattr(
        serve.Questions, "graph", lambda self, step, exemplar: {"layers": [], "bias": step}
    )
    with served(run) as ask:
        text = ask("/ask/picture?step=3&exemplar=4")[1]
        assert json.loads(text) == {"layers": [], "bias": 3}
        assert ask("/ask/picture?step=3")[0].status == 400
        text = ask("/ask/map?step=3&unit=conv1:0&exemplar=4")[1]
        assert json.loads(text) == {"values": [[7.0] * 3] * 2}
        answer, picture = ask("/ask/preferred?step=3&unit=conv1:0")
        assert answer.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(picture)).size == (5, 4)
        assert ask("/ask/preferred?step=3&unit=conv1:1")[0].status == 204
        text = ask("/ask/without?step=3&unit=conv1:0")[1]
        assert json.loads(text)["accuracy_without"] == [None]
        assert ask("/ask/map?step=x&unit=conv1:0")[0].status == 400
        assert ask("/ask/else?step=1&unit=a")[0].status == 404


def test_another_run_is_served_beside(run, tmp_path):
    other = make_run(tmp_path / "other", make_record(strength=3.0))
    with served(run, beside=other) as ask:
        said = json.loads(ask("/data/manifest.json")[1])["beside"]
        assert said["run"]["name"] == "other"
        for path in ("/data/beside/base", "/data/beside%2Fbase"):
            answer, data = ask(path)
            assert answer.status == 200 and len(data) == said["blobs"]["base"]["bytes"]
        assert ask("/data/beside/none")[0].status == 404


def test_a_question_that_has_no_answer_is_refused_in_plain_words(run, monkeypatch):
    words = "expected a step from 0 to 9, which were trained, got 99"

    class Strict(Network):
        def activation_map(self, step, unit, exemplar):
            raise InputError(words)

    monkeypatch.setattr(serve.Questions, "network", Strict())
    with served(run) as ask:
        answer, text = ask("/ask/map?step=99&unit=conv1:0&exemplar=4")
        assert (answer.status, text.decode()) == (400, f"{words}\n")
