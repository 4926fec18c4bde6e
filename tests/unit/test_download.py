"""Downloads against a server on 127.0.0.1 that fails in every way that is handled, and against mirror folders."""

import hashlib
import http.server
import json
import logging
import re
import ssl
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from emergent.cli import download as download_cli
from emergent.config.downloads import RawFile
from emergent.datasets.download import fetch
from emergent.datasets.transfer import Patience
from emergent.errors import ConfigError, DataError

CERTIFICATE = Path(__file__).with_name("localhost.pem")
CONTENT = bytes(range(256)) * 1000
HASTE = Patience(attempts=3, first_pause=0.001, timeout=5.0, progress=False)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the first path component says how."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        visits = sum(path == self.path for path, _ in server.requests)
        kind = self.path.split("/")[1]
        body, start = CONTENT, 0
        if self.headers.get("Range") and kind != "norange":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if kind == "missing":
            self._answer(404, b"")
        elif kind == "busyforever" or (kind == "busy" and visits < 3):
            self._answer(503, b"")
        elif kind == "broken":
            self._answer(500, b"")
        elif kind in server.redirects:
            self._answer(302, b"", location=server.redirects[kind])
        elif kind == "wrong":
            self._answer(200, bytes(len(CONTENT)))
        elif kind == "short":
            self._answer(200, CONTENT[:100])
        elif kind == "long":
            self._answer(200, CONTENT + b"more")
        elif kind == "strict" and start:
            self._answer(416, b"")
        else:
            cut = 70_000 if kind == "cut" and visits <= 3 else None
            self._answer(206 if start else 200, body[start:], start, cut)

    def _answer(self, status, body, start=0, cut=None, location=None):
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(CONTENT)}")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2][:cut])
        if self.path.startswith("/slow"):
            self.wfile.flush()
            time.sleep(0.7)
        if self.path.startswith("/stall"):
            self.wfile.flush()
            self.server.resumed.wait(10)
        self.wfile.write(body[len(body) // 2 : cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    """Serves over TLS, with a certificate that requests is told to trust."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"https://127.0.0.1:{self.server_address[1]}"
        self.requests = []
        self.resumed = threading.Event()
        self.redirects = {
            "moved": f"{self.address}/plain/data.bin",
            "relative": "/plain/data.bin",
            "downgraded": f"http://127.0.0.1:{self.server_address[1]}/plain/data.bin",
            "local": "file:///etc/passwd",
            "circle": f"{self.address}/circle/data.bin",
        }

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    instance = _Server()
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield instance
    instance.resumed.set()
    instance.shutdown()
    instance.server_close()
    thread.join()


def _file(*urls, name="data.bin", content=CONTENT, md5_only=False):
    return RawFile(
        name=name,
        bytes=len(content),
        sha256=None if md5_only else hashlib.sha256(content).hexdigest(),
        md5=hashlib.md5(content).hexdigest() if md5_only else None,
        urls=urls,
        mirror=f"folder/{name}",
    )


def _fetch(file, destination, mirror=None):
    return fetch("toy", file, destination, mirror=mirror, patience=HASTE)


@pytest.mark.parametrize("md5_only", [False, True])
def test_plain_download_leaves_only_the_verified_file(server, tmp_path, md5_only):
    destination = tmp_path / "raw" / "data.bin"
    url = f"{server.address}/plain/data.bin"
    assert _fetch(_file(url, md5_only=md5_only), destination) == url
    assert destination.read_bytes() == CONTENT
    assert [path.name for path in destination.parent.iterdir()] == ["data.bin"]


def test_progress_is_drawn_for_what_takes_long(server, tmp_path, capsys):
    patience = Patience(attempts=3, first_pause=0.001, timeout=5.0, progress=True)
    file = _file(f"{server.address}/slow/data.bin")
    fetch("toy", file, tmp_path / "data.bin", mirror=None, patience=patience)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert "data.bin" in capsys.readouterr().err


def test_connection_cut_three_times_is_resumed_by_range(server, tmp_path):
    destination = tmp_path / "data.bin"
    _fetch(_file(f"{server.address}/cut/data.bin"), destination)
    assert destination.read_bytes() == CONTENT
    # 70000 bytes hold two whole chunks of 32768.
    assert [part for _, part in server.requests] == [None, "bytes=65536-", "bytes=131072-", "bytes=196608-"]


def test_part_of_a_killed_run_is_resumed(server, tmp_path):
    destination = tmp_path / "data.bin"
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:7777])
    _fetch(_file(f"{server.address}/plain/data.bin"), destination)
    assert destination.read_bytes() == CONTENT
    assert server.requests == [("/plain/data.bin", "bytes=7777-")]


def test_complete_part_needs_no_request(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    _fetch(_file(f"{server.address}/plain/data.bin"), tmp_path / "data.bin")
    assert server.requests == []


@pytest.mark.parametrize("kind", ["plain", "norange", "strict"])
def test_damaged_part_is_replaced(server, tmp_path, kind):
    destination = tmp_path / "data.bin"
    (tmp_path / "data.bin.part").write_bytes(b"x" * 5000)
    _fetch(_file(f"{server.address}/{kind}/data.bin"), destination)
    assert destination.read_bytes() == CONTENT


def test_part_longer_than_the_file_is_replaced(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT * 2)
    _fetch(_file(f"{server.address}/plain/data.bin"), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_server_that_ignores_range_does_not_duplicate_bytes(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:5000])
    _fetch(_file(f"{server.address}/norange/data.bin"), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_503_is_retried(server, tmp_path):
    _fetch(_file(f"{server.address}/busy/data.bin"), tmp_path / "data.bin")
    assert len(server.requests) == 3


def test_404_moves_on_to_the_second_address_at_once(server, tmp_path):
    urls = [f"{server.address}/missing/data.bin", f"{server.address}/plain/data.bin"]
    assert _fetch(_file(*urls), tmp_path / "data.bin") == urls[1]
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", ["moved", "relative"])
def test_a_redirect_to_https_is_followed(server, tmp_path, kind):
    url = f"{server.address}/{kind}/data.bin"
    assert _fetch(_file(url), tmp_path / "data.bin") == url
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("downgraded", r"redirects to http://127\.0\.0\.1:\d+/plain/data\.bin, expected https$"),
        ("local", "redirects to file:///etc/passwd, expected https$"),
        ("circle", r"Exceeded 30 redirects\.$"),
    ],
)
def test_other_redirects_are_refused_at_once(server, tmp_path, kind, reason):
    with pytest.raises(DataError) as caught:
        _fetch(_file(f"{server.address}/{kind}/data.bin"), tmp_path / "data.bin")
    (line,) = [line for line in str(caught.value).splitlines() if f"/{kind}/data.bin: " in line]
    assert re.search(reason, line), line
    assert {path for path, _ in server.requests} == {f"/{kind}/data.bin"}
    assert list(tmp_path.iterdir()) == []


def test_a_server_of_unknown_certificate_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(DataError, match=r"/data\.bin: TLS certificate or handshake refused"):
        _fetch(_file(f"{server.address}/plain/data.bin"), tmp_path / "data.bin")
    assert server.requests == []


def test_what_stalls_is_given_up_and_resumed_elsewhere(server, tmp_path):
    patience = Patience(attempts=1, first_pause=0.001, timeout=0.3, progress=False)
    stalled, good = f"{server.address}/stall/data.bin", f"{server.address}/plain/data.bin"
    with pytest.raises(DataError, match=r"/stall/data\.bin: nothing came for 0\.3 s"):
        fetch("toy", _file(stalled), tmp_path / "data.bin", mirror=None, patience=patience)
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin.part"]
    assert fetch("toy", _file(good), tmp_path / "data.bin", mirror=None, patience=patience) == good
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    # Half of what was asked for came each time; the last chunk, which was not whole, was lost.
    assert server.requests[:2] == [("/stall/data.bin", None), ("/stall/data.bin", "bytes=98304-")]
    assert server.requests[-1] == ("/plain/data.bin", "bytes=196608-")


def test_500_is_retried_then_named(server, tmp_path):
    with pytest.raises(DataError, match=r"/data\.bin: HTTP 500 \(3 attempts in a row without progress\)"):
        _fetch(_file(f"{server.address}/broken/data.bin"), tmp_path / "data.bin")
    assert len(server.requests) == HASTE.attempts
    assert list(tmp_path.iterdir()) == []


def test_no_more_is_taken_than_the_file_has(server, tmp_path):
    """A server that sends without end cannot fill the disk."""
    small = _file(f"{server.address}/plain/data.bin", content=CONTENT[:50_000])
    with pytest.raises(DataError, match=r"sends more than the expected 50000 bytes"):
        _fetch(small, tmp_path / "data.bin")
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["wrong", "short", "long"])
def test_wrong_content_moves_on_and_is_never_under_the_final_name(server, tmp_path, kind):
    urls = [f"{server.address}/{kind}/data.bin", f"{server.address}/plain/data.bin"]
    assert _fetch(_file(*urls), tmp_path / "data.bin") == urls[1]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_failure_names_everything_tried_and_what_is_expected(server, tmp_path):
    file = _file(
        f"{server.address}/missing/data.bin", f"{server.address}/wrong/data.bin", f"{server.address}/busyforever/x"
    )
    other = _file(name="other.bin", content=b"other")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with pytest.raises(DataError) as caught:
        fetch("toy", file, tmp_path / "data.bin", mirror=mirror, all_files=(file, other), patience=HASTE)
    message = str(caught.value)
    for part in (
        "data set 'toy': data.bin",
        str(mirror / "folder/data.bin"),
        str(mirror / "toy/data.bin"),
        str(mirror / "data.bin") + ": no such file",
        "/missing/data.bin: HTTP 404",
        f"/wrong/data.bin: sha256 {hashlib.sha256(bytes(len(CONTENT))).hexdigest()}, expected {file.sha256}",
        "/busyforever/x: HTTP 503",
        file.expectation(),
        other.expectation(),
        "EMERGENT_MIRROR",
        "config/config.yaml",
    ):
        assert part in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mirror"]


def test_unreachable_server_is_one_short_reason(server, tmp_path):
    address = server.address
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"/data\.bin: no connection .*3 attempts"):
        _fetch(_file(f"{address}/plain/data.bin"), tmp_path / "data.bin")


@pytest.mark.parametrize("place", ["folder/data.bin", "toy/data.bin", "data.bin"])
def test_mirror_comes_first_in_each_of_its_places(server, tmp_path, place):
    path = tmp_path / "mirror" / place
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    path.chmod(0o444)
    source = _fetch(_file(f"{server.address}/plain/data.bin"), tmp_path / "out" / "data.bin", tmp_path / "mirror")
    assert source == str(path)
    assert (tmp_path / "out" / "data.bin").read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"?"])
def test_corrupt_mirror_file_is_reported_and_the_address_used(server, tmp_path, caplog, content):
    (tmp_path / "data.bin").write_bytes(content)
    destination = tmp_path / "out" / "data.bin"
    with caplog.at_level(logging.WARNING):
        _fetch(_file(f"{server.address}/plain/data.bin"), destination, tmp_path)
    assert destination.read_bytes() == CONTENT
    assert "corrupt or another version" in caplog.text


def test_corrupt_mirror_file_without_address_says_mirror_only(tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1])
    destination = tmp_path / "out" / "data.bin"
    with pytest.raises(DataError, match="corrupt or another version: 255999 bytes, expected 256000") as caught:
        _fetch(_file(), destination, tmp_path)
    assert "can only come from a mirror folder" in str(caught.value)
    assert list(destination.parent.iterdir()) == []


def test_a_dead_address_does_not_matter_where_the_file_is(tmp_path):
    """Neither when it was fetched before nor when a mirror has it: nobody answers at this address."""
    dead = _file("https://127.0.0.1:9/data.bin")
    (tmp_path / "cached.bin").write_bytes(CONTENT)
    assert _fetch(dead, tmp_path / "cached.bin") == str(tmp_path / "cached.bin")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/data.bin").write_bytes(CONTENT)
    assert _fetch(dead, tmp_path / "new.bin", tmp_path / "mirror") == str(tmp_path / "mirror/data.bin")


def test_missing_mirror_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        _fetch(_file(), tmp_path / "data.bin", tmp_path / "nowhere")


def test_verified_file_is_kept_and_corrupt_one_replaced(server, tmp_path):
    destination = tmp_path / "data.bin"
    file = _file(f"{server.address}/plain/data.bin")
    destination.write_bytes(CONTENT)
    assert _fetch(file, destination) == str(destination)
    assert server.requests == []
    destination.write_bytes(CONTENT[::-1])
    _fetch(file, destination)
    assert destination.read_bytes() == CONTENT


def _run_cli(monkeypatch, tmp_path, file, *, name="data.bin", mirror="", expected=None):
    config, registry = tmp_path / "download.json", tmp_path / "datasets.yaml"
    config.write_text(json.dumps({"files": [(expected or file).identity().model_dump(mode="json")]}))
    entry = {"title": "", "module": "mnist", "licence": "", "citation": "", "splits": {}}
    entry |= {"stand_in_for": None, "notes": None, "files": [file.model_dump(mode="json")]}
    registry.write_text(yaml.safe_dump({"datasets": {"toy": entry}}))
    output = tmp_path / "raw" / "data.bin"
    flags = {
        "--config": config,
        "--registry": registry,
        "--dataset": "toy",
        "--file": name,
        "--mirror": mirror,
        "--output": output,
    }
    monkeypatch.setattr(sys, "argv", ["download", *(str(item) for pair in flags.items() for item in pair)])
    download_cli.main()
    return output


def test_cli_takes_the_mirror_from_the_environment(monkeypatch, tmp_path, capsys):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    monkeypatch.setenv("EMERGENT_MIRROR", str(tmp_path))
    output = _run_cli(monkeypatch, tmp_path, _file())
    assert output.read_bytes() == CONTENT
    assert "verified, from" in capsys.readouterr().out


def test_cli_flag_beats_the_environment(monkeypatch, tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    monkeypatch.setenv("EMERGENT_MIRROR", "/nonexistent")
    assert _run_cli(monkeypatch, tmp_path, _file(), mirror=tmp_path).read_bytes() == CONTENT


def test_cli_suggests_the_nearest_file(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=r"did you mean 'data\.bin'"):
        _run_cli(monkeypatch, tmp_path, _file(), name="dat.bin")


def test_cli_notes_a_registry_edited_while_the_run_was_going(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=r"The registry was edited while the run was going: run again\."):
        _run_cli(monkeypatch, tmp_path, _file(), expected=_file(content=b"another version"))
    assert not (tmp_path / "raw").exists()


def test_addresses_that_are_not_encrypted_are_refused():
    with pytest.raises(ValueError, match="expected an address that begins with https://"):
        _file("http://example.org/data.bin")
