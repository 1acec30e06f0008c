"""Environments created from requirements: once, completely or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from modelaudit.errors import ProbeError
from modelaudit.probe.host import environments
from modelaudit.settings import OtherRuntime

WANTED = OtherRuntime("x", "3.11", ("tensorflow-cpu==2.15.*",))


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands, recorded instead of run; interpreters are empty files."""
    seen: list[list[str]] = []

    def run(command: list[str], seconds: float) -> None:
        seen.append([*map(str, command)])
        if "venv" in command:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(environments, "_run", run)
    monkeypatch.setattr(environments, "find_uv", lambda: "/bin/uv")
    return seen


def test_a_named_interpreter_is_used_unchanged(commands: list[list[str]]) -> None:
    assert environments.interpreter(OtherRuntime("x", "/opt/tf/bin/python")) == "/opt/tf/bin/python"
    assert commands == []


def test_an_environment_is_made_once(commands: list[list[str]], tmp_path: Path) -> None:
    first = environments.interpreter(WANTED)
    assert Path(first).is_relative_to(tmp_path / "modelaudit" / "runtimes")
    assert [command[0] for command in commands] == ["/bin/uv", "/bin/uv", first]
    assert commands[0][-3:-1] == ["--python", "3.11"]
    assert commands[1][-2:] == ["--", "tensorflow-cpu==2.15.*"]
    made = len(commands)
    assert environments.interpreter(WANTED) == first
    assert environments.interpreter(OtherRuntime("y", "3.11", WANTED.requirements, True)) == first
    assert len(commands) == made
    other = OtherRuntime("x", "3.12", WANTED.requirements)
    assert environments.interpreter(other) != first


def test_another_environment_is_not_waited_for(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, others = environments._run, []
    another = OtherRuntime("y", "3.12", WANTED.requirements)

    def meanwhile(command: list[str], seconds: float) -> None:
        if not others:
            others.append(Thread(target=environments.interpreter, args=(another,), daemon=True))
            others[0].start()
            others[0].join(10)
            assert not others[0].is_alive()
        run(command, seconds)

    monkeypatch.setattr(environments, "_run", meanwhile)
    environments.interpreter(WANTED)
    assert len(commands) == 6


def test_an_incomplete_environment_is_made_again(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Callable[[list[str], float], None] = environments._run

    def broken(command: list[str], seconds: float) -> None:
        whole(command, seconds)
        if "install" in command:
            raise ProbeError("no network")

    monkeypatch.setattr(environments, "_run", broken)
    with pytest.raises(ProbeError, match="no network"):
        environments.interpreter(WANTED)
    monkeypatch.setattr(environments, "_run", whole)
    place = Path(environments.interpreter(WANTED)).parents[1]
    assert json.loads((place / environments.READY).read_text())["python"] == "3.11"
    (place / environments.READY).unlink()  # killed before it was ready
    (place / "rubbish").touch()
    environments.interpreter(WANTED)
    assert not (place / "rubbish").exists()


def test_without_uv_a_python_on_the_path_will_do(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "find_uv", lambda: None)
    python = environments.interpreter(OtherRuntime("x", "", WANTED.requirements))
    assert commands[0][:3] == [sys.executable, "-m", "venv"]
    assert commands[1][:3] == [python, "-m", "pip"]
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ProbeError, match=r"neither uv nor a Python 3\.7"):
        environments.interpreter(OtherRuntime("x", "3.7", WANTED.requirements))


def test_a_failed_command_is_reported_with_its_output() -> None:
    with pytest.raises(ProbeError, match=r"failed: .*swordfish"):
        environments._run([sys.executable, "-c", "raise SystemExit('swordfish')"], 60)
    with pytest.raises(ProbeError, match="cannot be run"):
        environments._run(["/nowhere/python"], 60)
    with pytest.raises(ProbeError, match="did not finish within 0 s"):
        environments._run([sys.executable, "-c", "import time; time.sleep(9)"], 0.1)
