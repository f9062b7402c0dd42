"""The exported page is one file that holds everything and allows nothing else."""

import base64
import gzip
import hashlib
import re

import pytest

from ontogeny.errors import RunError
from ontogeny.page import assets, page
from ontogeny.page import export as exporting
from ontogeny.page.bundle import bundle_run
from records import make_record, make_run

FILES = {
    "index.html": b"<!doctype html><html><head><title>x</title>"
    b'<script type="module" crossorigin src="./assets/page.js"></script>'
    b'<link rel="stylesheet" crossorigin href="./assets/page.css"></head>'
    b'<body><div id="app"></div></body></html>',
    "./assets/page.js": b'console.log("</script>");',
    "./assets/page.css": b"body{margin:0}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("export") / "run", make_record())


@pytest.fixture
def run(folder, monkeypatch):
    monkeypatch.setattr(exporting, "asset", FILES.__getitem__)
    return folder


def test_one_file_holds_script_style_and_blobs(run, tmp_path):
    html = exporting.export(run, tmp_path / "deep" / "page.html").read_text()
    assert "src=" not in html.replace("img-src", "") and "href=" not in html
    assert html.count("</script>") == html.count("<script")
    for name, data in bundle_run(run).blobs.items():
        kind, text = re.search(
            f'id="blob-{re.escape(name)}" data-encoding="(.*?)">(.*?)</script>', html
        ).groups()
        found = base64.b64decode(text)
        assert (gzip.decompress(found) if kind == "gzip" else found) == data


def test_the_policy_allows_what_is_inside_by_its_hash(run, tmp_path):
    html = exporting.export(run, tmp_path / "page.html").read_text()
    allowed = re.findall(r"'(sha256-[^']+)'", html)
    inside = re.findall(r'<script type="module">(.*?)</script>|<style>(.*?)</style>', html)
    digests = [
        "sha256-" + base64.b64encode(hashlib.sha256((a or b).encode()).digest()).decode()
        for a, b in inside
    ]
    assert sorted(allowed) == sorted(digests) and len(digests) == 2
    assert "default-src 'none'" in html and "unsafe" not in html


def test_the_same_run_gives_the_same_file(run, tmp_path):
    first = exporting.export(run, tmp_path / "a.html").read_bytes()
    assert exporting.export(run, tmp_path / "b.html").read_bytes() == first


def test_a_notebook_gets_a_frame_that_can_reach_nothing(run):
    frame = page(run)._repr_html_()
    assert 'sandbox="allow-scripts allow-downloads"' in frame
    assert "<script" not in frame and "&lt;script" in frame


def test_a_page_that_was_not_built_says_how(tmp_path, monkeypatch):
    monkeypatch.setattr(assets.resources, "files", lambda _: tmp_path)
    with pytest.raises(RunError, match=r"got no index.html: run `make page` once"):
        exporting.asset("index.html")


def test_another_run_is_inside_the_same_file(run, tmp_path):
    other = make_run(tmp_path / "other", make_record(strength=3.0))
    html = exporting.export(run, tmp_path / "both.html", beside=other).read_text()
    for name in bundle_run(other).blobs:
        assert f'id="blob-beside/{name}"' in html
    assert "id=&quot;blob-beside/base&quot;" in page(run, beside=other)._repr_html_()
