"""Cached virtual environments for requirements such as `tensorflow-cpu==2.15.*`.

They are stored in the user's cache directory and named by a hash of their requirements. With uv
installed, any version of Python can be requested; without it, those on the PATH.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelaudit.errors import ProbeError
from modelaudit.runtimes.subprocesses import QUIET, output_of
from modelaudit.settings import OtherRuntime

INSTALL_SECONDS = 1800.0
CHECK_SECONDS = 300.0
READY = "modelaudit-ready.json"  # written last; an environment without it is incomplete
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def interpreter(runtime: OtherRuntime) -> str:
    """Path of the runtime's interpreter; its environment is created if it does not exist.

    Creating one downloads and installs packages, which needs the network and takes about a minute.
    Processes that need the same environment wait for each other.

    Raises:
        ProbeError: the Python version is not available, or the requirements cannot be installed
            or imported.
    """
    if not runtime.requirements:
        return runtime.python
    version = runtime.python or HERE
    made_of = json.dumps([version, sorted(runtime.requirements)])
    place = cache_directory() / f"py{version}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
    python = place / "bin" / "python"
    with _locked(place):
        if not (place / READY).is_file():
            shutil.rmtree(place, ignore_errors=True)
            try:
                _make(place, python, version, list(runtime.requirements))
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
    return str(python)


def cache_directory() -> Path:
    """Directory of cached environments; it can be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "modelaudit" / "runtimes"


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(place: Path, python: Path, version: str, requirements: list[str]) -> None:
    uv = find_uv()
    if uv:
        _run([uv, "venv", "--quiet", "--python", version, str(place)], INSTALL_SECONDS)
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        _run([_on_path(version), "-m", "venv", str(place)], INSTALL_SECONDS)
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-compile"]
    _run([*install, "--", *requirements], INSTALL_SECONDS)
    # Imported once to write bytecode; runtimes only read it.
    _run([str(python), "-c", "import tensorflow"], CHECK_SECONDS)
    ready = {"python": version, "requirements": requirements}
    (place / READY).write_text(json.dumps(ready), encoding="utf-8")


def find_uv() -> str | None:
    """Path of uv on the PATH or next to this interpreter, if it can be run (a shim may fail)."""
    for path in (shutil.which("uv"), str(Path(sys.executable).with_name("uv"))):
        if path and _runs([path, "--version"]):
            return path
    return None


def _on_path(version: str) -> str:
    """Path of an interpreter of that version.

    Raises:
        ProbeError: there is none.
    """
    if version == HERE:
        return sys.executable
    for name in (f"python{version}", "python3", "python"):
        path = shutil.which(name)
        if path and _runs([path, "-c", f"import sys; sys.exit({_test(version)})"]):
            return path
    raise ProbeError(f"neither uv nor a Python {version} is on the PATH")


def _test(version: str) -> str:
    wanted = version.split(".")
    return f"[str(n) for n in sys.version_info[:{len(wanted)}]] != {wanted!r}"


def _runs(command: Sequence[str]) -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        return done.returncode == 0
    return False


def _run(command: Sequence[str], seconds: float) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
    output_of(
        command,
        seconds=seconds,
        environment=environment | QUIET,
        failed=f"{' '.join(command[:4])} … failed",
        error=ProbeError,
    )
