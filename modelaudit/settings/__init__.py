"""Settings as frozen structs. `settings.file` reads them; `cli` adds options.

Types say which values a settings file may hold, or else a `ValueError` of `__post_init__`.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct, field

from modelaudit.findings import Severity
from modelaudit.settings.engine import Engine
from modelaudit.settings.known_models import Baseline
from modelaudit.settings.selection import Selection
from modelaudit.settings.signing import Signing
from modelaudit.structs import replace

MIB = 1 << 20
GIB = 1 << 30
# Larger values are no limit in practice, and exceed what system calls accept.
MOST_BYTES = 1 << 60
MOST_SECONDS = 30 * 86_400
MOST_JOBS = 8  # by default: each may use the memory that one model is allowed
Limit: TypeAlias = Annotated[int, Meta(gt=0, le=MOST_BYTES)]
Ratio: TypeAlias = Annotated[float, Meta(gt=0, le=MOST_BYTES)]
Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=MOST_SECONDS)]
Word: TypeAlias = Annotated[str, Meta(min_length=1)]


def default_jobs() -> int:
    """One worker for each core."""
    return min(os.cpu_count() or 1, MOST_JOBS)


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds on untrusted input. Sizes are in bytes. A finding names the limit that was hit."""

    config_bytes: Limit = 64 * MIB
    json_depth: Limit = 200
    json_nodes: Limit = 2_000_000
    proto_bytes: Limit = 2 * GIB
    proto_depth: Limit = 100
    graph_nodes: Limit = 2_000_000
    layers: Limit = 3_000
    tensors: Limit = 200_000
    tensor_bytes: Limit = 16 * GIB
    result_bytes: Limit = 4 * GIB  # of a tensor that a layer or an operation makes of constants
    total_bytes: Limit = 64 * GIB
    archive_members: Limit = 10_000
    archive_ratio: Ratio = 200.0
    archive_bytes: Limit = 16 * GIB
    hdf5_objects: Limit = 500_000
    hdf5_chunks: Limit = 1_000_000
    hdf5_ratio: Ratio = 200.0
    files: Limit = 100_000
    density: Ratio = 1.0  # how many times the usual number of parts a file of some size may have
    findings: Limit = 500  # of one rule
    text_bytes: Limit = 1 * MIB
    read_seconds: Seconds = 300.0
    work: Ratio = 26.0  # units of plain work for each 10 MB of a model, and for less
    cpu_seconds: Seconds = 10.0  # of processor time, for each 10 MB of a model, and for less
    memory_bytes: Limit = 300_000_000  # that reading adds, for each 10 MB of a model, and for less
    read_memory: Limit = 8 * GIB  # address space of a process that reads models


class CacheSettings(Struct, frozen=True):
    """Where archives are unpacked: a directory ("": that of the user), and its size in bytes."""

    directory: str = ""
    size: Limit = 20 * GIB


Task: TypeAlias = Literal[
    "classes", "multilabel", "regression", "ordinal", "map", "sequence", "embedding", "detection",
    "reconstruction"
]  # fmt: skip
TASKS = get_args(Task)
Tasks: TypeAlias = tuple[tuple[str, Task], ...]


def declared_task(tasks: Tasks, output: str) -> Task | None:
    """The task that is declared for an output; None if none is."""
    found = [task for pattern, task in tasks if fnmatchcase(output, pattern)]
    return found[-1] if found else None


SANDBOXES = ("builtin", "bwrap")


class ProbeSettings(Struct, frozen=True):
    """How models are run. `memory` in bytes, `timeout` in seconds of wall clock per model.

    `sandbox` is `builtin` (restrictions that the child applies to itself) or `bwrap` (the same
    inside bubblewrap). `tasks` are (glob on the names of outputs, task), the last one that matches
    counts.
    """

    enabled: bool = True
    timeout: float = 120.0
    memory: int = 8 * GIB
    samples: int = 128
    seed: int = 20240229
    data: str | None = None
    resize: bool = False
    unsafe: bool = False
    require_sandbox: bool = False
    sandbox: str = "builtin"
    tasks: Tasks = ()


ACTIONS = ("invariant", "equivariant", "odd", "swap", "none")
# Each transform as a phrase that follows "the input is".
TRANSFORMS = {
    "H": "mirrored left-right",
    "V": "mirrored up-down",
    "r90": "rotated 90° counter-clockwise",
    "r180": "rotated 180°",
    "r270": "rotated 90° clockwise",
    "T": "transposed",
    "AT": "transposed (anti-diagonal)",
    "flip": "reversed in time",
    "x0": "mirrored along depth",
    "x1": "mirrored along height",
    "x2": "mirrored along width",
}


FINGERPRINT = re.compile(r"[0-9a-f]{32}")


def _fits(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


class Expectation(Struct, frozen=True, forbid_unknown_fields=True):
    """Declared properties of an output: its task, and how it changes if the input is transformed.

    `path` and `output` are globs, `transform` is one of `TRANSFORMS`. `action` is invariant
    (unchanged), equivariant (a map that is transformed likewise), odd (changes sign), swap (classes
    are swapped) or none (not checked). Either `task` or `action` may be left out.
    """

    action: str = ""
    path: Word = "*"
    output: Word = "*"
    transform: str = "H"
    task: Task | None = None

    def __post_init__(self) -> None:
        """Check that the action and the transform exist."""
        if self.action not in ACTIONS and (self.action or self.task is None):
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}; not {self.action!r}")
        if self.transform not in TRANSFORMS:
            allowed = ", ".join(f"{name} ({words})" for name, words in TRANSFORMS.items())
            raise ValueError(f"transform must be one of {allowed}; not {self.transform!r}")

    def about(self, names: Iterable[str]) -> bool:
        """Whether it applies to the model with these names."""
        return _fits(self.path, names)

    def covers(self, output: str, transform: str) -> bool:
        """Whether it applies to this transform of this output, for a model that it applies to."""
        told = bool(self.action) and transform == self.transform
        return told and fnmatchcase(output, self.output)


class Waiver(Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that was accepted. `reason` is required; `path` is a glob.

    Omitted fields (`rule` "", `path` "*", `fingerprint` None) match anything. A waiver is valid
    up to and including the day `expires`.
    """

    rule: str = ""
    reason: str = ""
    path: Word = "*"
    fingerprint: str | None = None
    expires: datetime.date | None = None
    owner: str = ""

    def __post_init__(self) -> None:
        """Check the reason and the fingerprint."""
        if not self.reason.strip():
            raise ValueError("a reason is required")
        if self.fingerprint is not None and not FINGERPRINT.fullmatch(self.fingerprint):
            raise ValueError(
                "fingerprint must be the 32 hexadecimal digits shown by `modelaudit scan --json` "
                f"and in audit.json, not {self.fingerprint!r}"
            )

    def about(self, names: Iterable[str]) -> bool:
        """Whether it applies to findings of the model with these names."""
        return _fits(self.path, names)

    def covers(self, codes: tuple[str, str], fingerprint: str) -> bool:
        """Whether it matches this finding of a matching model, expired or not.

        Args:
            codes: the rule's code and name.
            fingerprint: of the finding.
        """
        return self.rule in ("", *codes) and self.fingerprint in (None, fingerprint)

    def expired(self, today: datetime.date) -> bool:
        """Whether it has expired."""
        return self.expires is not None and today > self.expires


class Policy(Struct, frozen=True):
    """Settings for some models only; `path` is a glob. Empty fields keep the general settings.

    `severities` are (rule's code or name, severity) overrides for findings, `thresholds` are
    (rule's code or name, value) from which there is a finding.
    """

    path: str
    fail_on: Severity | None = None
    targets: tuple[str, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()

    def about(self, names: Iterable[str]) -> bool:
        """Whether it applies to the model with these names."""
        return _fits(self.path, names)


class Nightly(Struct, frozen=True, forbid_unknown_fields=True):
    """Notifications of a nightly run: the only settings that can access the network.

    Attributes:
        notify: program with arguments; receives the text of the changes on stdin.
        webhook: address that receives the same as JSON.
        webhook_token: environment variable with the value of its `Authorization` header.
        ping: address of a health check, requested at the start and end of every run.
        reports_url: address at which the directory of the reports is served, for links to it.
        keep: number of runs to keep in the history: the current, the previous, and earlier ones.
    """

    notify: tuple[str, ...] = ()
    webhook: str = ""
    webhook_token: str = ""
    ping: str = ""
    reports_url: str = ""
    keep: Annotated[int, Meta(ge=2, le=MOST_BYTES)] = 400


class OtherRuntime(Struct, frozen=True):
    """Another TensorFlow to run models in.

    Attributes:
        name: its name in the settings.
        python: path of an interpreter with TensorFlow; with `requirements`, the Python version
            (`3.11`) of the environment to create, "" for that of the running interpreter.
        requirements: packages to install into that environment (`tensorflow-cpu==2.15.*`).
        legacy_keras: use its tf-keras instead of Keras 3.
    """

    name: str
    python: str = ""
    requirements: tuple[str, ...] = ()
    legacy_keras: bool = False


class Settings(Struct, frozen=True):
    """All settings of a run."""

    limits: Limits = field(default_factory=Limits)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    selection: Selection = field(default_factory=Selection)
    engine: Engine = field(default_factory=Engine)
    fail_on: Severity = Severity.HIGH
    jobs: int = field(default_factory=default_jobs)
    expectations: tuple[Expectation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    targets: tuple[str, ...] = ()  # to predict for; empty: the installed ones and the newest
    serving: str = ""  # the runtime that serves the models, as a target
    policies: tuple[Policy, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()  # as in `Policy`
    thresholds: tuple[tuple[str, float], ...] = ()  # as in `Policy`
    base: str = ""  # the settings file's directory, resolved; path patterns may be relative to it
    baseline: Baseline | None = None
    runtimes: tuple[OtherRuntime, ...] = ()  # to run models in, besides the installed ones
    profiles: tuple[str, ...] = ()  # files with the user's profiles, for predictions
    architecture: str | None = None  # file with the architecture for weights files and checkpoints
    custom_objects: tuple[str, ...] = ()  # names that the user's code registers with loaders
    source_code: tuple[str, ...] = ()  # places of the models' own classes
    signing: Signing = field(default_factory=Signing)
    tracking_uri: str = ""  # address of MLflow's tracking server; "": that of MLFLOW_TRACKING_URI
    local_artifacts: str = ""  # the directory of this machine in which that server may name paths

    def names(self, path: str, place: PurePath) -> tuple[str, ...]:
        """The names that path patterns are matched against: one or two per model.

        Args:
            path: the model's path below the audited directory, as in its audit.
            place: its absolute path.

        Returns:
            `path` and, if the model is below the settings file's directory, its path from there.
        """
        if not self.base or not place.is_relative_to(self.base):
            return (path,)
        below = os.fsencode(place.relative_to(self.base).as_posix())
        return path, below.decode("utf-8", "backslashreplace")

    def for_model(self, path: str, place: PurePath) -> Settings:
        """The settings for one model, without entries for other models.

        Policies are applied in order, so the last one wins.

        Args:
            path, place: of the model, see `names`.
        """
        if not (self.waivers or self.expectations or self.policies or self.signing.required):
            return self
        names = self.names(path, place)
        mine = replace(
            self,
            policies=(),
            waivers=tuple(each for each in self.waivers if each.about(names)),
            expectations=tuple(each for each in self.expectations if each.about(names)),
            signing=self.signing.for_model(lambda pattern: _fits(pattern, names)),
        )
        tasks = tuple((each.output, each.task) for each in mine.expectations if each.task)
        mine = replace(mine, probe=replace(self.probe, tasks=(*tasks, *self.probe.tasks)))
        for policy in self.policies:
            if policy.about(names):
                mine = replace(
                    mine,
                    fail_on=policy.fail_on or mine.fail_on,
                    targets=policy.targets or mine.targets,
                    severities=(*policy.severities, *mine.severities),
                    thresholds=(*policy.thresholds, *mine.thresholds),
                )
        return mine

    def threshold(self, *names: str) -> float | None:
        """The threshold of a rule, by its code and name; None if the settings do not set one."""
        return next((value for rule, value in self.thresholds if rule in names), None)
