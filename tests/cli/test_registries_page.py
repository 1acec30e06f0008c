"""The commands of docs/registries.md do what the page says."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import time

import pytest

from tests.command_line import ROOT
from tests.registry.tracking.served import layout, registry

__all__ = ["layout", "registry"]

PAGE = (ROOT / "docs" / "registries.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SERVER, *COMMANDS = BLOCKS[0].splitlines()
WRITING = BLOCKS[1].splitlines()
TRACKING, *TRACKED = BLOCKS[2].splitlines()


@pytest.fixture
def port(sound):
    """A free port at which the server of the page shows the models."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    program, *arguments = shlex.split(SERVER.replace("8321", str(number)).rstrip("& "))
    assert program == "python"
    server = subprocess.Popen(
        [sys.executable, *arguments], cwd=sound.parent, stderr=subprocess.DEVNULL
    )
    for _ in range(200):
        with socket.socket() as client:
            if not client.connect_ex(("127.0.0.1", number)):
                break
        time.sleep(0.05)
    yield str(number)
    server.terminate()
    server.wait()


@pytest.mark.slow
def test_the_commands_of_the_page_work(modelaudit, sound, port):
    said = []
    for line in COMMANDS:
        program, *arguments = shlex.split(line.replace("8321", port))
        assert program == "modelaudit"
        ran = modelaudit(*arguments, env={"XDG_CACHE_HOME": str(sound.parent / "cache")})
        assert (ran.returncode, ran.stderr) == (0, ""), line
        said.append(ran.stdout)
    assert said[-1] == ""
    assert all(said[:-1])


@pytest.mark.slow
def test_the_commands_that_write_to_a_url_work(modelaudit, sound, tmp_path):
    said = []
    for line in WRITING:
        program, *arguments = shlex.split(line.replace("/srv/bucket", str(tmp_path / "bucket")))
        assert program == "modelaudit"
        ran = modelaudit(*arguments, env={"TMPDIR": str(tmp_path)})
        assert (ran.returncode, ran.stderr) == (0, ""), line
        said.append(ran.stdout)
    assert [bool(each) for each in said] == [True, False, True, False]
    assert f"reports: local://{tmp_path}/bucket/reports/index.html" in said[0]
    assert (tmp_path / "bucket" / "a.md").read_text().startswith("#")
    assert not list(tmp_path.glob("modelaudit-*"))


@pytest.mark.slow
def test_the_commands_on_mlflow_work(modelaudit, registry, tmp_path):
    """The server is a fake one; `tests/registry/tracking/test_real_server.py` has a real one."""
    variable, _, _ = TRACKING.removeprefix("export ").partition("=")
    registry.aliases["digits", "champion"] = 2
    said = []
    for line in TRACKED:
        program, *arguments = shlex.split(line)
        assert program == "modelaudit"
        env = {variable: registry.address, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        ran = modelaudit(*arguments, env=env)
        assert (ran.returncode, ran.stderr) == (0, ""), line
        said.append(ran.stdout)
    assert said[-1] == ""
    assert all(said[:-1])
    tags = {tag["key"] for tag in registry.versions["digits", 2]["tags"]}
    assert all(f"`{tag}`" in PAGE for tag in tags)
    assert len(tags) == 4


def test_the_page_has_every_extra_for_urls():
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = pyproject.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    others = {"full", "hub", "litert", "zstd", "signing", "sigstore", "ray"}
    assert {*re.findall(r"^(\w+) = ", section, re.MULTILINE)} - others == {
        *re.findall(r"tf-modelaudit\[(\w+)\]", PAGE)
    }
