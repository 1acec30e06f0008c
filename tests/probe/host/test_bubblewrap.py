"""Runtimes inside bubblewrap, and models refused without a sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Format
from modelaudit.probe.host import bubblewrap, runtime
from modelaudit.probe.host.observe import open_session
from modelaudit.probe.host.runtime import installed_runtime, start_runtime
from modelaudit.probe.protocol import Observation
from modelaudit.settings import ProbeSettings
from tests.probe.restricted import needs_linux
from tests.sharing import output_of

pytestmark = needs_linux
needs_bubblewrap = pytest.mark.skipif(
    bool(bubblewrap.unavailable_reason()), reason=bubblewrap.unavailable_reason()
)
LOOK = """
import json, os, socket
def attempt(action):
    try:
        return action() or 0
    except OSError as error:
        return type(error).__name__
print(json.dumps({
    "home": attempt(lambda: os.listdir(os.path.expanduser("~/.."))),
    "visible": attempt(lambda: sorted(os.listdir(VISIBLE))),
    "add": attempt(lambda: os.mkdir(VISIBLE + "/new")),
    "root": attempt(lambda: os.mkdir("/new")),
    "private": attempt(lambda: os.mkdir("new")),
    "neighbour": attempt(lambda: os.listdir(NEIGHBOUR)),
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit())[:2],
    "interfaces": [name for _, name in socket.if_nameindex()],
}))
"""


@needs_bubblewrap
def test_inside_only_the_given_paths_exist(tmp_path: Path) -> None:
    for name in ("visible", "neighbour", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "visible" / "model").touch()
    names = f"VISIBLE, NEIGHBOUR = {str(tmp_path / 'visible')!r}, {str(tmp_path / 'neighbour')!r}"
    command = bubblewrap.bubblewrap_command(
        [sys.executable, "-E", "-c", f"{names}\n{LOOK}"],
        [tmp_path / "visible"],
        tmp_path / "private",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["visible"] == ["model"]
    assert seen["private"] == 0
    assert (tmp_path / "private" / "new").is_dir()
    assert seen["add"] == seen["root"] == "OSError"  # a read-only file system
    assert seen["neighbour"] == "FileNotFoundError"
    assert seen["processes"][0] == 1
    assert seen["interfaces"] == ["lo"]
    assert os.listdir(tmp_path / "visible") == ["model"]


def test_a_machine_without_bubblewrap_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bubblewrap, "PROGRAM", "no-such-program")
    assert "not installed" in bubblewrap.unavailable_reason()
    with start_runtime(installed_runtime(), fork=False, jail=[tmp_path]) as handle:
        session = open_session(handle, tmp_path, Format.KERAS_ARCHIVE, ProbeSettings())
        assert session.observation.status is Status.UNAVAILABLE
        assert "bubblewrap is not installed" in session.observation.error


@needs_bubblewrap
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root has a right to give up"
)
def test_a_container_without_namespaces_is_reported() -> None:
    ask = "from modelaudit.probe.host import bubblewrap; print(bubblewrap.unavailable_reason())"
    command = ["setpriv", "--bounding-set=-sys_admin", sys.executable, "-c", ask]
    said = output_of(command)
    assert "namespace" in said
    assert "the other layers do not need them" in said


@pytest.fixture
def no_landlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start runtimes from child files that report a kernel without Landlock."""
    copy = tmp_path / "probe"
    shutil.copytree(runtime.ZYGOTE.parent, copy)
    with (copy / "landlock.py").open("a") as file:
        file.write("\nCREATE_RULESET = 9999\n")
    monkeypatch.setattr(runtime, "ZYGOTE", copy / "zygote.py")


def first_word(model: Path, jail: list[Path] | None, *, require: bool) -> Observation:
    settings = ProbeSettings(require_sandbox=require, timeout=100)
    with (
        start_runtime(installed_runtime(), fork=False, jail=jail) as handle,
        open_session(handle, model, Format.KERAS_ARCHIVE, settings) as session,
    ):
        assert session.alive == (session.observation.status is Status.FAILED)  # nothing is loaded
        return session.load(["load_model"])


@pytest.mark.slow
@pytest.mark.usefixtures("no_landlock")
def test_uncontained_models_are_refused_on_request(tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    model.touch()
    refused = first_word(model, None, require=True)
    assert refused.status is Status.REFUSED
    assert "landlock (not available" in refused.error
    assert "--require-sandbox" in refused.error
    taken = first_word(model, None, require=False)
    assert taken.status is Status.FAILED  # tried: the file is empty
    assert "not available" in str(taken.sandbox["landlock"])


@needs_bubblewrap
@pytest.mark.slow
@pytest.mark.usefixtures("no_landlock")
def test_bubblewrap_replaces_landlock(tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    model.touch()
    tried = first_word(model, [tmp_path], require=True)
    assert tried.status is Status.FAILED
    assert tried.sandbox["bubblewrap"] is True
    assert "not available" in str(tried.sandbox["landlock"])
