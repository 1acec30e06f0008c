"""Runs the collector in another interpreter: what its TensorFlow and Keras accept."""

from __future__ import annotations

import json
import os
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.facts import Json
from modelaudit.runtimes.profile import RuntimeProfile, as_profile
from modelaudit.runtimes.subprocesses import QUIET, output_of

# Appended to the path, not prepended: `profile` is also a module of the standard library.
_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); from collecting.collector import main; main()"
)


def collect(python: Path, *, legacy: bool = False, timeout: float = 600.0) -> RuntimeProfile:
    """The profile of the TensorFlow in the interpreter `python` (of its tf-keras, if `legacy`).

    The interpreter runs in its own environment and imports its TensorFlow; nothing is written.

    Args:
        python: an interpreter, Python 3.7 or newer.
        legacy: describe tf-keras instead of Keras 3.
        timeout: seconds of wall clock.

    Raises:
        UsageError: it could not be run, has no TensorFlow, or exceeded the time limit.
    """
    command = [str(python), "-c", _START, str(Path(__file__).parent.parent)]
    command += ["--legacy-keras"] * legacy
    output = output_of(
        command,
        seconds=timeout,
        environment=os.environ | QUIET,
        failed=f"{python}: could not describe its TensorFlow",
        error=UsageError,
    )
    # The document, which is on the last line: libraries may print before it
    lines = output.decode("utf-8", "backslashreplace").strip().splitlines()
    try:
        data: Json = json.loads(lines[-1]) if lines else None
    except ValueError as error:
        raise UsageError(f"{python}: its output is not valid JSON: {error}") from error
    return as_profile(data, f"what {python} says")


def write(profile: RuntimeProfile, directory: Path) -> Path:
    """Write a profile as `tf-2.15.1+keras-2.15.0.json` to `directory` and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{profile.stem}.json"
    text = json.dumps(dict(profile.data), sort_keys=True, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")
    return path
