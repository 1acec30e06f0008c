"""What a run tells its caller while it goes on."""

from __future__ import annotations


class Progress:
    """Hears how far a run has come. This one keeps silent; subclasses show what they like.

    Worker processes are forked between the calls, so that an implementation starts no threads.
    """

    def begin(self, models: int) -> None:
        """So many models are going to be audited."""

    def advance(self, path: str) -> None:
        """The model at `path` has been audited."""

    def end(self) -> None:
        """No more models follow, whether or not all were audited."""

    def warn(self, text: str) -> None:
        """Something went wrong that does not stop the run."""


SILENT = Progress()
