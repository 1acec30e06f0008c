"""What the parent and the isolated child say to each other, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modelaudit.facts import Json, Shape


class Status(StrEnum):
    """How an attempt to load and run a model in one runtime ended."""

    LOADED = "loaded"
    FAILED = "failed"  # the loader raised
    CRASHED = "crashed"  # the child died of a signal or exited without answering
    TIMEOUT = "timeout"
    MEMORY = "out-of-memory"
    REFUSED = "refused"  # we did not run it (critical finding, no sandbox, unsupported format)
    UNAVAILABLE = "unavailable"  # the runtime itself could not start


@dataclass(frozen=True, slots=True)
class Port:
    """A named input or output of a loaded model; shape with None for open axes."""

    name: str
    dtype: str
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class VariableDigest:
    """A variable as the restored model holds it; sha256 over C-order little-endian bytes."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One runtime's attempt at one model.

    `call` is the loading call that was tried (load_model, saved_model.load, session …).
    `error` is what a user would have seen, cut at 2,000 characters. `seconds` is wall clock and
    stays out of anything that is compared between runs.
    """

    runtime: str
    call: str
    status: Status
    error_type: str = ""
    error: str = ""
    signal: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    sandbox: Mapping[str, Json] = field(default_factory=dict)
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    variables: tuple[VariableDigest, ...] = ()
    log: str = ""
    seconds: float = 0.0
