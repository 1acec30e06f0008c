"""Detects changes of a model's files while they are read."""

from __future__ import annotations

import time
from pathlib import Path

from modelaudit.registry.snapshot import Snapshot, SnapshotReader
from modelaudit.settings import Limits

PAUSE_SECONDS = 0.25  # pause of a writer between two chunks; few pause longer


class FileStability:
    """The state of a model's files when this object is created.

    Args:
        model: a file, a directory or the prefix of a checkpoint.
        limits: bounds on what is read.

    Attributes:
        before: the files at that time.
    """

    def __init__(self, model: Path, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self.before: Snapshot = SnapshotReader(limits).snapshot(model)

    def unchanged(self, *, patient: bool = False) -> bool:
        """Whether the files are unchanged.

        With `patient`, recently modified files get a little more time: their writer may have
        paused in the middle of one.
        """
        if patient and not self.before.settled:
            time.sleep(PAUSE_SECONDS)
        return SnapshotReader(self._limits).snapshot(self._model).files == self.before.files
