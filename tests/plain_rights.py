"""Temporarily dropping root's right to read everything."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534


@contextlib.contextmanager
def folder_of_a_plain_user() -> Iterator[Path]:
    """A folder owned by the process while it lacks root's rights over files, restored afterwards.

    pytest's own folders are private to root, so this one is outside them.
    """
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        if root:
            os.chown(name, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)
