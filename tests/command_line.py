"""The command as a user runs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_models"


def command(*arguments):
    """The command line that starts modelaudit in a new process."""
    return [sys.executable, "-m", "modelaudit", *map(os.fspath, arguments)]
