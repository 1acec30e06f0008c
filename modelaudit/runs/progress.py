"""Progress of a run, for its caller."""

from __future__ import annotations


class Progress:
    """Receives the progress of a run. This one does nothing; subclasses may display it.

    Worker processes are forked between the calls, so an implementation must not start threads.
    """

    def begin(self, models: int) -> None:
        """Auditing of this many models starts."""

    def advance(self, path: str) -> None:
        """The model at `path` has been audited."""

    def end(self) -> None:
        """No more models follow, whether or not all were audited."""

    def warn(self, text: str) -> None:
        """Something went wrong that does not stop the run."""


SILENT = Progress()
