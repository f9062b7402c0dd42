"""The downloader against a loopback server: checksums, broken transfers, unsafe archives."""

import hashlib
import http.server
import io
import logging
import socket
import tarfile
import threading

import numpy as np
import pooch
import pytest

from ontogeny.errors import InputError, RunError
from ontogeny.files import FolderLock
from ontogeny.tasks.fetch import Archive, fetch, unpack

NAME = "flower_photos.tgz"
FOLDER = "flower_photos"


def tar_of(*members, mode="w:gz"):
    """Pack (name, bytes) or ready-made TarInfo."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


NOISE = np.random.default_rng(0).bytes(300_000)
CONTENT = {"roses/1.jpg": b"one", "tulips/2.jpg": NOISE, "LICENSE.txt": b"CC BY 2.0"}
PACKED = tar_of(*((f"{FOLDER}/{name}", data) for name, data in CONTENT.items()))


class Server(http.server.ThreadingHTTPServer):
    """Serves `data`, breaks off after `breaks[i]` bytes of the i-th answer, and keeps what was
    asked."""

    def __init__(self, data=PACKED, breaks=(), ranges=True):
        super().__init__(("127.0.0.1", 0), Answer)
        self.data, self.breaks, self.ranges = data, list(breaks), ranges
        self.asked = []

    @property
    def archive(self):
        url = f"http://127.0.0.1:{self.server_port}/{NAME}"
        return Archive(url, hashlib.sha256(PACKED).hexdigest(), FOLDER)


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self.server.asked.append(start)
        start = start if self.server.ranges else 0
        rest = self.server.data[start:]
        if start and not rest:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.breaks.pop(0)] if self.server.breaks else rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    servers = []

    def start(**options):
        server = Server(**options)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def assert_fetched(root):
    found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert found == CONTENT
    left = {path.name for path in root.parent.iterdir()} - {f".{FOLDER}.lock"}
    assert left == {FOLDER}


def test_an_archive_is_fetched_once(serve, tmp_path):
    server = serve()
    home = tmp_path / "not" / "there"
    assert fetch(server.archive, home) == home / FOLDER
    assert_fetched(home / FOLDER)
    fetch(server.archive, home)
    assert server.asked == [0]


def test_progress_is_told_in_bytes(serve, tmp_path):
    seen = []
    fetch(serve().archive, tmp_path, progress=lambda *state: seen.append(state))
    assert seen[-1] == ("bytes", len(PACKED), len(PACKED))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert {total for _, _, total in seen} == {len(PACKED)}


def test_a_broken_transfer_goes_on_where_it_stopped(serve, tmp_path):
    server, seen = serve(breaks=[100_000, 50_000]), []
    fetch(server.archive, tmp_path, progress=lambda *state: seen.append(state))
    assert_fetched(tmp_path / FOLDER)
    assert server.asked[0] == 0
    assert 0 < server.asked[1] <= 100_000
    assert server.asked[1] < server.asked[2] <= 150_000
    assert seen[-1] == ("bytes", len(PACKED), len(PACKED))


def test_a_later_call_goes_on_where_an_earlier_one_stopped(serve, tmp_path):
    server = serve(breaks=[100_000])
    with pytest.raises(InputError, match=r"got no whole transfer \(.*\): connect to the network"):
        fetch(server.archive, tmp_path, retries=0)
    assert not (tmp_path / FOLDER).exists()
    fetch(server.archive, tmp_path, retries=0)
    assert_fetched(tmp_path / FOLDER)
    assert 0 < server.asked[1] <= 100_000


def test_a_server_that_cannot_resume_sends_it_all_again(serve, tmp_path):
    server, seen = serve(breaks=[100_000], ranges=False), []
    fetch(server.archive, tmp_path, progress=lambda *state: seen.append(state))
    assert_fetched(tmp_path / FOLDER)
    assert seen[-1] == ("bytes", len(PACKED), len(PACKED))


def test_a_transfer_that_was_whole_already_is_begun_again(serve, tmp_path):
    server = serve()
    (tmp_path / f".{NAME}.part").write_bytes(PACKED)
    fetch(server.archive, tmp_path)
    assert_fetched(tmp_path / FOLDER)
    assert server.asked == [len(PACKED), 0]


def test_a_wrong_rest_is_thrown_away_and_fetched_anew(serve, tmp_path):
    (tmp_path / f".{NAME}.part").write_bytes(b"of another version")
    fetch(serve().archive, tmp_path)
    assert_fetched(tmp_path / FOLDER)


def test_a_wrong_checksum_is_told_and_nothing_is_kept(serve, tmp_path):
    server = serve(data=PACKED[:-1] + b"?")
    with pytest.raises(InputError) as caught:
        fetch(server.archive, tmp_path, retries=1)
    sha = server.archive.sha256[:12]
    assert str(caught.value) == (
        f"expected {server.archive.url} to have the SHA-256 {sha}..., got another file, which was "
        f"deleted: try again, or put the images into {tmp_path / FOLDER}/TOKEN/ yourself"
    )
    assert server.asked == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == [f".{FOLDER}.lock"]


def test_no_network_is_one_clear_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/{NAME}"
        with pytest.raises(InputError, match=r"Connection refused\): connect to the") as caught:
            fetch(Archive(url, "0" * 64, FOLDER), tmp_path, retries=0)
    assert str(caught.value).startswith(f"expected to fetch {url}, got no whole transfer (")


def test_a_missing_archive_is_told(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(Answer, "do_GET", lambda self: self.send_error(404))
    with pytest.raises(InputError, match="404 Client Error: Not Found"):
        fetch(serve().archive, tmp_path, retries=0)


def test_a_home_that_cannot_be_written_is_told(serve, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"expected to write .*file"):
        fetch(serve().archive, tmp_path / "file" / "home")


def test_a_full_disk_is_told(serve, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ontogeny.tasks.fetch.shutil.copyfileobj", full)
    with pytest.raises(RunError, match=r"expected room for .*No space left"):
        fetch(serve().archive, tmp_path)
    assert not (tmp_path / FOLDER).exists()
    monkeypatch.undo()
    monkeypatch.setattr("ontogeny.tasks.fetch._download", lambda *_: tmp_path / NAME)
    fetch(serve().archive, tmp_path)
    assert_fetched(tmp_path / FOLDER)


def test_two_cannot_fetch_at_once(serve, tmp_path):
    with (
        FolderLock(tmp_path / f".{FOLDER}.lock"),
        pytest.raises(RunError, match="expected to be the only writer"),
    ):
        fetch(serve().archive, tmp_path)


def test_what_a_killed_unpacking_left_is_removed(serve, tmp_path):
    half = tmp_path / f".{FOLDER}.part" / FOLDER / "roses"
    half.mkdir(parents=True)
    (half / "stale.jpg").write_text("half")
    fetch(serve().archive, tmp_path)
    assert_fetched(tmp_path / FOLDER)


def test_pooch_is_quiet_and_left_as_it_was(serve, tmp_path, capfd):
    before = pooch.get_logger().level
    fetch(serve().archive, tmp_path)
    assert capfd.readouterr() == ("", "")
    assert pooch.get_logger().level == before
    assert pooch.get_logger().level != logging.CRITICAL


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil"),
        member("/tmp/evil"),
        member(f"{FOLDER}/../../evil"),
        member("other/evil"),
        member(f"{FOLDER}\\..\\evil"),
        member(f"{FOLDER}/evil", tarfile.SYMTYPE, "/etc/passwd"),
        member(f"{FOLDER}/evil", tarfile.LNKTYPE, "/etc/passwd"),
        member(f"{FOLDER}/evil", tarfile.FIFOTYPE),
        member(f"{FOLDER}/evil", tarfile.CHRTYPE),
        member(f"{FOLDER}"[:-1]),
    ],
)
def test_unsafe_members_are_refused(tmp_path, bad):
    packed = tmp_path / "a.tar"
    packed.write_bytes(tar_of(bad, mode="w"))
    with pytest.raises(InputError, match="expected plain files below flower_photos/"):
        unpack(packed, tmp_path / "deep" / "into", FOLDER)
    assert not list(tmp_path.rglob("evil"))


def test_an_archive_is_unpacked_with_its_folders(tmp_path):
    packed = tmp_path / "a.tgz"
    folder = member(f"./{FOLDER}/roses", tarfile.DIRTYPE)
    packed.write_bytes(tar_of(folder, (f"./{FOLDER}/roses/1.jpg", b"one")))
    unpack(packed, tmp_path / "into", FOLDER)
    assert (tmp_path / "into" / FOLDER / "roses" / "1.jpg").read_bytes() == b"one"


def test_a_damaged_archive_is_told(tmp_path):
    packed = tmp_path / "a.tgz"
    for data in (PACKED[:1000], b"no archive", b""):
        packed.write_bytes(data)
        with pytest.raises(InputError, match=r"expected a whole archive in .*: fetch it again"):
            unpack(packed, tmp_path / hashlib.sha256(data).hexdigest(), FOLDER)
