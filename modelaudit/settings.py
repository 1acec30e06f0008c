"""Settings as frozen values. Reading them from a file is at the end of this module.

Nothing here reads the environment: `cli` does, and hands values in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from modelaudit.findings import Severity

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on untrusted input. Sizes in bytes. Each is named in the finding when hit."""

    config_bytes: int = 64 * MIB
    json_depth: int = 200
    json_nodes: int = 2_000_000
    proto_bytes: int = 2 * GIB
    proto_depth: int = 100
    graph_nodes: int = 2_000_000
    layers: int = 100_000
    tensors: int = 200_000
    tensor_bytes: int = 16 * GIB
    total_bytes: int = 64 * GIB
    archive_members: int = 10_000
    archive_ratio: float = 200.0
    archive_bytes: int = 16 * GIB
    hdf5_objects: int = 500_000
    hdf5_chunks: int = 1_000_000
    hdf5_ratio: float = 200.0
    files: int = 100_000
    text_bytes: int = 1 * MIB
    read_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How models are run. `memory` in bytes, `timeout` in seconds of wall clock per model."""

    enabled: bool = True
    timeout: float = 120.0
    memory: int = 8 * GIB
    samples: int = 64
    seed: int = 20240229
    data: str | None = None
    resize: bool = False
    unsafe: bool = False
    require_sandbox: bool = False
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run can be told."""

    limits: Limits = field(default_factory=Limits)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    fail_on: Severity = Severity.HIGH
    jobs: int = 2
    formats: tuple[str, ...] = ("html", "pdf", "json")
