"""Another program, most often an interpreter, run to its end: what it printed, or why it failed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from modelaudit.errors import ProbeError, UsageError

# For a TensorFlow that is to say nothing and to leave graphics cards alone.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
QUOTED = 600  # characters, from the end, of what a program complains of


def output_of(
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str],
    failed: str,
    error: type[ProbeError] | type[UsageError],
) -> bytes:
    """What a program prints.

    Args:
        command: the program and its arguments.
        seconds: of wall clock that it may take.
        environment: all variables that it is given.
        failed: what to say of a program that ends with another code than 0.
        error: what to raise.

    Raises:
        error: it could not be run, took too long, or failed.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=seconds, env=environment
        )
    except OSError as reason:
        raise error(f"{command[0]}: cannot be run: {reason.strerror or reason}") from reason
    except subprocess.TimeoutExpired as reason:
        raise error(f"{command[0]}: was not done in {seconds:.0f} s") from reason
    if done.returncode:
        said = done.stderr.decode("utf-8", "backslashreplace").strip()[-QUOTED:]
        raise error(f"{failed}: {said}")
    return done.stdout
