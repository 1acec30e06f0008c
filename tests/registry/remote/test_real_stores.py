"""Azure, Google Cloud Storage and SFTP, by servers on this machine: `make test-stores`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import h5py
import numpy as np
import pytest

from modelaudit import api
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.library import open_url
from modelaudit.settings import CacheSettings, ProbeSettings, Settings
from tests.made import files

PYTHON = os.environ.get("STORES_PYTHON", "")
AZURITE = os.environ.get("AZURITE", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (PYTHON and AZURITE), reason="STORES_PYTHON and AZURITE name no servers"
    ),
]
MEGABYTE = 1 << 20
# The account that every Azurite has, and its key, which is public.
AZURE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmE"
    "tlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
)
SFTP = """
import asyncio, sys, asyncssh

class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True
    def password_auth_supported(self):
        return True
    def validate_password(self, username, password):
        return (username, password) == ("ann", "secret")

async def main():
    await asyncssh.listen(
        "127.0.0.1", int(sys.argv[1]), server_factory=Server,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=sys.argv[2]),
    )
    await asyncio.Event().wait()

asyncio.run(main())
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Counted:
    """Passes connections on to a server, and counts what it sends."""

    def __init__(self, port):
        self.sent, self._port = 0, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listening.accept()
            server = socket.create_connection(("127.0.0.1", self._port))
            for source, target, counts in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pass, args=(source, target, counts), daemon=True
                ).start()

    def _pass(self, source, target, counts):
        try:
            while data := source.recv(1 << 16):
                if counts:
                    self.sent += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()


@pytest.fixture(scope="module")
def libraries():
    """The libraries that read these URLs, behind those that the tests have."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    told = subprocess.run([PYTHON, "-c", where], capture_output=True, text=True, check=True)
    sys.path.append(told.stdout.strip())
    yield
    sys.path.remove(told.stdout.strip())


@pytest.fixture(params=["azure", "gcs", "sftp"])
def store(request, libraries, tmp_path, monkeypatch):
    """The URL of an empty directory in a store, and what counts the bytes that it sends."""
    import fsspec

    port = free_port()
    counted = Counted(port)
    (tmp_path / "served").mkdir()
    if request.param == "azure":
        places = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence")
        command = (AZURITE, *places, "--silent", "--skipApiVersionCheck", "--disableTelemetry")
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", AZURE.format(port=counted.port))
        url = "az://team"
    elif request.param == "gcs":
        places = ("--host", "127.0.0.1", "--port", str(port), "--in-memory")
        command = (PYTHON, "-m", "gcp_storage_emulator", "start", *places, "--default-bucket=team")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{counted.port}")
        # Otherwise gcsfs asks Google for the kind of the bucket, by a protocol that this lacks.
        monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        url = "gs://team"
    else:
        command = (PYTHON, "-c", SFTP, str(port), os.fspath(tmp_path / "served"))
        url = f"sftp://ann:secret@127.0.0.1:{counted.port}/team"
    running = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE)
    for _ in range(240):
        with socket.socket() as client:
            if not client.connect_ex(("127.0.0.1", port)):
                break
        time.sleep(0.25)
    if request.param == "azure":
        fsspec.filesystem("az").mkdir("team")
    yield url, counted
    running.terminate()
    running.wait()


def model(path):
    """A model of more than a megabyte."""
    files.minimal_h5(path)
    with h5py.File(path, "r+") as file:
        file["other"] = np.random.default_rng(ord(path.stem)).integers(
            256, size=MEGABYTE, dtype="u1"
        )
    return path


def test_nights_fetch_what_changed(store, tmp_path):
    """Models and reports are in the store; bytes are counted between it and us."""
    url, counted = store
    system, root = open_url(Url(url))

    def put(name, source):
        system.put_file(os.fspath(source), f"{root}/models/{name}")

    first, other = model(tmp_path / "a.h5"), model(tmp_path / "b.h5")
    for each in (first, other):
        put(each.name, each)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(bytes(3 * MEGABYTE))
    put(photo.name, photo)
    settings = Settings(
        cache=CacheSettings(os.fspath(tmp_path / "cache")), probe=ProbeSettings(enabled=False)
    )
    sent = []

    def night():
        before = counted.sent
        ran = api.nightly(
            f"{url}/models", f"{url}/reports", settings, formats=("json", "html", "sarif")
        )
        sent.append(counted.sent - before)
        return ran

    ran = night()
    assert [row.path for row in ran.rows] == ["a.h5", "b.h5"]
    assert ran.found.others == {".jpg": 1}
    assert "secret" not in str(ran.index)
    size = first.stat().st_size
    assert 2 * size < sent[0] < 3 * size
    ran = night()
    assert (ran.quiet, ran.audited) == (True, 0)
    assert sent[1] < MEGABYTE / 2  # lists and the history
    with h5py.File(other, "r+") as file:
        file["model_weights/dense/dense/kernel:0"][...] *= 2
    put("b.h5", other)
    ran = night()
    assert [change.now.path for change in ran.changes] == ["b.h5"]
    assert size < sent[2] < size + MEGABYTE / 2
    reports = {path.rpartition("/reports/")[2] for path in system.find(f"{root}/reports")}
    models = {f"models/{name}.h5/{kind}" for name in "ab" for kind in ("audit.json", "report.html")}
    rest = {".lock", "history.sqlite3", "index.html", "index.json", "report.sarif"}
    assert models | rest == {name for name in reports if not name.startswith("runs/")}
    assert len([name for name in reports if name.startswith("runs/")]) == 4
