"""What `make.py` knows of a faulty program."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Setup:
    """How a program builds and trains its model, in the words of `make.build`."""

    data: str  # a set of `data` and what the program does to it
    layers: str  # separated by ";"
    loss: str
    optimizer: str = "adam"
    train: str = "5 32 1000"  # epochs, batch size, rows
    then: str = ""  # untrained, constant, scheduled: see `faulty_programs.train`
    served: str = ""  # the data that the trained model is given later, where it differs
    metric: str = "accuracy"


@dataclass(frozen=True)
class Program:
    """A program that people asked about, its fault, and what should be said of it.

    All of this was written before any audit of these models.
    """

    name: str
    source: str  # so:NUMBER, gh:OWNER/REPO/PATH, or an address
    does: str
    fault: str
    fix: str
    basis: str  # answer, paper (of its benchmark), author (of the question), reading (ours)
    kind: str  # of fault, as in `table.KINDS`
    trace: str  # where the saved file shows it: config, training, data (only with it), none
    setup: Setup
    remedy: str  # a regular expression that the advice has to match to be right
    fixed: dict[str, str] = field(default_factory=dict)  # what the fixed twin does otherwise

    @property
    def address(self) -> str:
        """The address of the source."""
        where, _, rest = self.source.partition(":")
        if where == "so":
            return f"https://stackoverflow.com/questions/{rest}"
        return f"https://github.com/{rest}" if where == "gh" else self.source
