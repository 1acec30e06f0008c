"""A file with one cause by which a runtime does not load it, and what is advised.

`ways` are the ways out that the advice names, by words in it, each as a function that follows the
words with a copy of the file; it raises an error where the advice does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from modelaudit.runtimes.model import LoadCall

K3 = "tf==2.21.0"
K2 = "tf-keras==2.21.0"
Way = Callable[[Path], Any]


class Case(Struct, frozen=True):
    """One file with one cause.

    `load` is what a user calls; `compile` says that it is `load_model` with its defaults, `later`
    the inputs of the call that fails where loading succeeds.
    """

    code: str
    target: str
    make: Callable[[Path], Path]
    ways: Mapping[str, Way] = field(default_factory=dict)
    call: LoadCall = LoadCall.LOAD_MODEL
    load: Way | None = None
    compile: bool = False
    later: tuple[int, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.code}, {self.target}{', ' * bool(self.note)}{self.note}"
