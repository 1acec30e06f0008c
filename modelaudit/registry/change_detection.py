"""Whether a model's files stay as they are while something looks at them."""

from __future__ import annotations

import time
from pathlib import Path

from modelaudit.registry.snapshot import Snapshot, SnapshotReader
from modelaudit.settings import Limits

PAUSE_SECONDS = 0.25  # between two pieces that a writer writes; few pause for longer


class FileStability:
    """A model's files from the moment at which this is made.

    Args:
        model: a file, a directory or the prefix of a checkpoint.
        limits: bounds on what is looked at.

    Attributes:
        before: the files at that moment.
    """

    def __init__(self, model: Path, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self.before: Snapshot = SnapshotReader(limits).snapshot(model)

    def unchanged(self, *, patient: bool = False) -> bool:
        """Whether the files are still as they were.

        With `patient` files that were written to shortly before get a moment more: their writer
        may have paused in the middle of one.
        """
        if patient and not self.before.settled:
            time.sleep(PAUSE_SECONDS)
        return SnapshotReader(self._limits).snapshot(self._model).files == self.before.files
