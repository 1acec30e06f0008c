"""Other TensorFlow versions for the tests: three runtimes in two environments, made once and kept.

They are made from requirements in the cache directory, as for a user. The versions depend on the
installed Pythons: TensorFlow 2.15, the last one with Keras 2, needs Python 3.11.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from modelaudit.errors import ProbeError
from modelaudit.probe.host import environments
from modelaudit.settings import OtherRuntime

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
# Python version -> requirements of the older and the newer environment.
BY_PYTHON = {
    "3.11": (
        ["tensorflow-cpu==2.15.*"],
        ["tensorflow-cpu==2.16.*", "keras==3.3.*", "tf-keras==2.16.*"],
    ),
    "3.12": (
        ["tensorflow-cpu==2.16.*", "keras==3.3.*"],
        ["tensorflow-cpu==2.18.*", "keras==3.8.*", "tf-keras==2.18.*"],
    ),
    "3.13": (
        ["tensorflow-cpu==2.20.*", "keras==3.10.*"],
        ["tensorflow-cpu==2.20.*", "keras==3.11.*", "tf-keras==2.20.*"],
    ),
}
OFFLINE = (
    *("dns error", "error sending request", "Could not connect", "tcp connect error"),
    *("Failed to establish a new connection", "Temporary failure in name resolution"),
    *("Network is unreachable", "timed out", "operation timed out"),
)


def _there(version: str) -> bool:
    """Whether that Python is installed: on the PATH (and not an empty shim), or known to uv."""
    if version == HERE:
        return True
    uv = environments.find_uv()
    command = [uv, "python", "find", version] if uv else [f"python{version}", "--version"]
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def wanted() -> tuple[OtherRuntime, ...]:
    """Three runtimes: an old one, a newer one, and the newer one's tf-keras."""
    python = "3.11" if _there("3.11") else HERE
    older, newer = (tuple(each) for each in BY_PYTHON[python])
    return (
        OtherRuntime("older", python, older),
        OtherRuntime("newer", python, newer),
        OtherRuntime("newer-legacy", python, newer, legacy_keras=True),
    )


def interpreters() -> dict[str, str]:
    """The interpreter of each wanted runtime, by name.

    Skips the test without network access, except in CI, where it fails.
    """
    found = {}
    for runtime in wanted():
        try:
            found[runtime.name] = environments.interpreter(runtime)
        except ProbeError as error:
            if "CI" not in os.environ and any(word in str(error) for word in OFFLINE):
                pytest.skip(f"no network to install another TensorFlow by: {error}")
            raise
    return found
