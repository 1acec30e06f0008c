"""Runs another program, usually an interpreter, and returns its output or the reason it failed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from modelaudit.errors import ProbeError, UsageError

# Makes TensorFlow quiet and keeps it off the GPUs.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
QUOTED = 600  # characters from the end of a program's error output


def output_of(
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str],
    failed: str,
    error: type[ProbeError] | type[UsageError],
) -> bytes:
    """Run a program and return its standard output.

    Args:
        environment: all environment variables of the program.
        failed: the error message if the exit code is not 0.
        error: the exception type to raise.

    Raises:
        error: the program could not be run, exceeded the time limit, or failed.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=seconds, env=environment
        )
    except OSError as reason:
        raise error(f"{command[0]}: cannot be run: {reason.strerror or reason}") from reason
    except subprocess.TimeoutExpired as reason:
        raise error(f"{command[0]}: did not finish within {seconds:.0f} s") from reason
    if done.returncode:
        said = done.stderr.decode("utf-8", "backslashreplace").strip()[-QUOTED:]
        raise error(f"{failed}: {said}")
    return done.stdout
