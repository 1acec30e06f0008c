"""Models on real servers: S3, and HTTP with ranges and faults."""

from __future__ import annotations

import http.server
import os
import threading
from collections import Counter
from pathlib import Path

import pytest
import s3fs
from moto.server import ThreadedMotoServer

from modelaudit import api
from modelaudit.registry.remote import files as remote_files
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.mirror import mirror
from modelaudit.settings import CacheSettings, Limits, Settings
from modelaudit.settings.selection import Selection
from tests.command_line import ROOT
from tests.made import files

pytestmark = pytest.mark.slow


@pytest.fixture
def cache(tmp_path):
    return CacheSettings(os.fspath(tmp_path / "cache"))


class _Files(http.server.SimpleHTTPRequestHandler):
    """Files of a directory by HTTP, with ranges, ETags and the faults that a test asks for."""

    sent: Counter[str]
    broken: set[str]
    refused: Counter[str]

    def log_message(self, format, *arguments):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        if Path(self.translate_path(self.path)).is_dir():
            super().do_GET()  # a list of links
        else:
            self.answer(with_body=True)

    def answer(self, *, with_body):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        if self.refused[path.name]:
            self.refused[path.name] -= 1
            self.send_error(503)
            return
        data, status = path.read_bytes(), 200
        first, last = 0, len(data)
        if asked := self.headers.get("Range"):
            start, _, end = asked.removeprefix("bytes=").partition("-")
            first, last, status = int(start), min(int(end) + 1, last) if end else last, 206
        body = data[first:last]
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        self.end_headers()
        if with_body:
            self.sent[path.name] += len(body)
            half = path.name in self.broken
            self.wfile.write(body[: len(body) // 2] if half else body)
            if half:
                self.close_connection = True


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A directory, the URL under which a server shows it, and the server's notes."""
    monkeypatch.setattr(remote_files, "_FIRST_PAUSE_SECONDS", 0.0)
    folder = tmp_path / "site" / "models"
    folder.mkdir(parents=True)
    notes = {"sent": Counter(), "broken": set(), "refused": Counter()}
    handler = type("Handler", (_Files,), notes)

    def make(*arguments):
        return handler(*arguments, directory=os.fspath(tmp_path / "site"))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}/models", handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_models_of_a_web_server(site, cache):
    folder, url, server = site
    files.minimal_h5(folder / "a.h5")
    (folder / "photo.jpg").write_bytes(bytes(9000))
    ran = api.scan(url, Settings(cache=cache))
    assert [row.path for row in ran.rows] == ["a.h5"]
    assert ran.found.others == {".jpg": 1}
    assert server.sent == {"a.h5": (folder / "a.h5").stat().st_size}
    api.scan(url, Settings(cache=cache))
    assert server.sent == {"a.h5": (folder / "a.h5").stat().st_size}


def test_a_single_file_of_a_web_server(site, cache):
    folder, url, _ = site
    files.minimal_h5(folder / "a.h5")
    (row,) = api.scan(f"{url}/a.h5", Settings(cache=cache)).rows
    assert (row.path, row.verdict.value) == ("a.h5", "pass")


def test_a_file_behind_a_signature_is_read_and_its_signature_not_shown(site, cache):
    folder, url, server = site
    files.minimal_h5(folder / "a.h5")
    ran = api.scan(f"{url}/a.h5?X-Sig=secret", Settings(cache=cache))
    assert [(row.path, row.verdict.value) for row in ran.rows] == [("a.h5", "pass")]
    assert "secret" not in ran.found.root
    server.refused["a.h5"] = 99
    (problem,) = api.scan(f"{url}/a.h5?X-Sig=secret", Settings(cache=cache)).found.problems
    assert "secret" not in problem.file + problem.detail


def test_a_server_that_is_busy_for_a_moment_is_asked_again(site, cache):
    folder, url, server = site
    files.minimal_h5(folder / "a.h5")
    server.refused["a.h5"] = 1
    assert len(api.scan(url, Settings(cache=cache)).rows) == 1


def test_a_connection_that_ends_early_costs_one_model(site, cache):
    folder, url, server = site
    files.minimal_h5(folder / "a.h5")
    files.minimal_h5(folder / "b.h5")
    server.broken.add("a.h5")
    ran = api.scan(url, Settings(cache=cache))
    assert [row.path for row in ran.rows] == ["b.h5"]
    (problem,) = ran.found.problems
    assert problem.file == "a.h5"
    assert ran.code == 3


@pytest.fixture(scope="module")
def bucket():
    """An S3 bucket with the sample models, and the system that reads it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    system = s3fs.S3FileSystem()
    system.mkdir("team")
    system.put(os.fspath(ROOT / "sample_models"), "team/models", recursive=True)
    yield system
    patch.undo()
    server.stop()


def test_a_bucket_is_judged_like_the_directory(bucket, cache):
    at_home = api.scan(ROOT / "sample_models", Settings(cache=cache))
    remote = api.scan("s3://team/models", Settings(cache=cache))
    assert [(row.path, row.verdict, row.sha256) for row in remote.rows] == [
        (row.path, row.verdict, row.sha256) for row in at_home.rows
    ]
    assert remote.found.others == at_home.found.others
    assert remote.found.root == "s3://team/models"


def test_nothing_of_an_unchanged_bucket_is_fetched(bucket, cache):
    def fetched():
        return mirror(Url("s3://team/models"), cache, Limits(), Selection()).fetched

    first = fetched()
    assert first > 1_000_000
    assert fetched() == 0
    bucket.pipe("team/models/digits_noaug.h5", bucket.cat("team/models/digits_robust.keras"))
    assert fetched() == bucket.info("team/models/digits_robust.keras")["size"]


def test_a_model_of_a_bucket_by_its_own_url(bucket, cache):
    for path in ("digits_tf1_savedmodel", "digits_tf1_checkpoint/lenet.ckpt"):
        (row,) = api.scan(f"s3://team/models/{path}", Settings(cache=cache)).rows
        assert row.path == path.rpartition("/")[2]
