"""Root may read everything; for a moment, without that."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534


@contextlib.contextmanager
def folder_of_a_plain_user() -> Iterator[Path]:
    """A folder that the process owns without root's rights over files, which are back afterwards.

    pytest's own folders are root's alone, so this one lies beside them.
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
