"""A real MLflow server with a database, and its own client as the witness: `make test-mlflow`."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from modelaudit import api
from modelaudit.runs.recording.write_back import write_back
from modelaudit.settings import CacheSettings, ProbeSettings, Settings
from tests.cli.test_registries_page import TRACKED
from tests.command_line import SAMPLES
from tests.registry.tracking.served import MLMODEL

PYTHON = os.environ.get("MLFLOW_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="MLFLOW_PYTHON names no interpreter with MLflow"),
]
DOWNLOAD = "GET /api/2.0/mlflow-artifacts/artifacts/"

REGISTER = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
client.create_registered_model("digits")
for folder in sys.argv[2:]:
    with mlflow.start_run() as run:
        mlflow.log_artifacts(folder, "model")
        source = mlflow.get_artifact_uri("model")
        client.create_model_version("digits", source, run.info.run_id)
client.set_registered_model_alias("digits", "champion", "2")
"""
SEEN = """
import json, sys, mlflow
client = mlflow.MlflowClient(sys.argv[1])
found = {}
for version in client.search_model_versions("name='digits'"):
    (folder,) = client.list_artifacts(version.run_id, "modelaudit")
    listed = client.list_artifacts(version.run_id, folder.path)
    files = [each.path.rpartition("/")[2] for each in listed]
    path = client.download_artifacts(version.run_id, folder.path + "/audit.json")
    found[version.version] = [version.tags, sorted(files), json.load(open(path))["model"]["path"]]
print(json.dumps(found))
"""


def by_client(script, *arguments):
    """What a script prints that MLflow's own interpreter runs."""
    done = subprocess.run(
        [PYTHON, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server with two versions of a model, and its log."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    places = (
        "--backend-store-uri",
        f"sqlite:///{folder}/db",
        "--artifacts-destination",
        folder / "a",
    )
    listen = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    with log.open("w") as out:
        running = subprocess.Popen(
            [PYTHON, "-m", "mlflow", "server", *places, *listen], cwd=folder, stdout=out, stderr=out
        )
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.5)
    packages = []
    for number, name in enumerate(("digits_noaug.h5", "digits_robust.keras")):
        package = folder / f"package-{number}"
        (package / "data").mkdir(parents=True)
        (package / "MLmodel").write_bytes(MLMODEL)
        (package / "data" / f"model{Path(name).suffix}").write_bytes((SAMPLES / name).read_bytes())
        packages.append(package)
    by_client(REGISTER, address, *packages)
    yield address, log
    running.terminate()
    running.wait()


def test_a_registry_is_audited_and_told(server, tmp_path):
    address, log = server
    settings = Settings(
        cache=CacheSettings(os.fspath(tmp_path / "cache")),
        probe=ProbeSettings(enabled=False),
        tracking_uri=address,
    )

    def night():
        return api.nightly("models:/", tmp_path / "out", settings, formats=("json", "html"),
                           all_versions=True)  # fmt: skip

    first = night()
    assert sorted(row.path for row in first.rows) == ["digits/1", "digits/2"]
    assert list(write_back(first, settings)) == []
    seen = json.loads(by_client(SEEN, address))
    for row in first.rows:
        tags, files, path = seen[row.path.rpartition("/")[2]]
        assert tags["modelaudit.verdict"] == row.verdict.value
        assert tags["modelaudit.sha256"] == row.sha256
        assert (files, path) == (["audit.json", "report.html"], row.path)
    fetched = log.read_text().count(DOWNLOAD)
    assert fetched >= 4
    again = night()
    assert (again.quiet, again.audited) == (True, 0)
    assert log.read_text().count(DOWNLOAD) == fetched


def test_the_commands_of_the_page_work(server, modelaudit, tmp_path):
    for line in TRACKED:
        arguments = shlex.split(line)[1:]
        env = {"MLFLOW_TRACKING_URI": server[0], "XDG_CACHE_HOME": str(tmp_path / "cache")}
        ran = modelaudit(*arguments, env=env)
        assert (ran.returncode in (0, 1), ran.stderr) == (True, ""), line
