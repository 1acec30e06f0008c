"""Run code that restricts itself, in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
needs_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Landlock and seccomp are parts of Linux"
)


def run_restricted(body: str) -> dict[str, Any]:
    """Run `body`, which fills a dictionary `outcome`, and return that dictionary."""
    ending = "\nimport json, os\nos.write(1, json.dumps(outcome).encode())\n"
    done = subprocess.run(
        [sys.executable, "-c", "import json\n" + body + ending],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
