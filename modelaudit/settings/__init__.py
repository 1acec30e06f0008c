"""Settings as frozen values. `settings_file` reads them; `cli` hands options in."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePath

from modelaudit.findings import Severity

MIB = 1 << 20
GIB = 1 << 30
# More than these is no limit, and more than the system calls take that they are for.
MOST_BYTES = 1 << 60
MOST_SECONDS = 30 * 86_400
MOST_JOBS = 8  # unless told otherwise: each may take the memory that a model is allowed


def default_jobs() -> int:
    """One worker for each core."""
    return min(os.cpu_count() or 1, MOST_JOBS)


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
    read_memory: int = 8 * GIB  # address space of a process that reads models


SANDBOXES = ("builtin", "bwrap")


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How models are run. `memory` in bytes, `timeout` in seconds of wall clock per model.

    `sandbox` is `builtin` (what the child takes on itself) or `bwrap` (the same inside bubblewrap).
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
    "flip": "reversed in order",
    "x0": "mirrored along depth",
    "x1": "mirrored along height",
    "x2": "mirrored along width",
}


def _fits(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the user declares of an output: how it must move when the input is transformed.

    `path` and `output` are globs, `transform` is one of `TRANSFORMS`. `action` is invariant
    (stays), equivariant (a map that moves along), odd (changes sign), swap (classes change places)
    or none (do not judge).
    """

    action: str
    path: str = "*"
    output: str = "*"
    transform: str = "H"

    def about(self, names: Iterable[str]) -> bool:
        """Whether it is about the model that has these names."""
        return _fits(self.path, names)

    def covers(self, output: str, transform: str) -> bool:
        """Whether it is about that transform of that output of a model that it is about."""
        return fnmatchcase(output, self.output) and transform == self.transform


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that somebody answers for. `reason` is required; `path` is a glob.

    What is left out (`rule` "", `path` "*", `fingerprint` None) may be anything. A waiver holds
    up to and including the day `expires`.
    """

    rule: str
    reason: str
    path: str = "*"
    fingerprint: str | None = None
    expires: datetime.date | None = None
    owner: str = ""

    def about(self, names: Iterable[str]) -> bool:
        """Whether it is about findings of the model that has these names."""
        return _fits(self.path, names)

    def covers(self, codes: tuple[str, str], fingerprint: str) -> bool:
        """Whether it is about that finding of a model that it is about, be it expired or not.

        Args:
            codes: the rule's code and name.
            fingerprint: of the finding.
        """
        return self.rule in ("", *codes) and self.fingerprint in (None, fingerprint)

    def expired(self, today: datetime.date) -> bool:
        """It no longer holds."""
        return self.expires is not None and today > self.expires


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for some models only; `path` is a glob. What is empty is as for all others.

    `severities` are (rule's code or name, severity) that its findings get instead of their own,
    `thresholds` (rule's code or name, value) from which there is a finding.
    """

    path: str
    fail_on: Severity | None = None
    targets: tuple[str, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()

    def about(self, names: Iterable[str]) -> bool:
        """Whether it holds for the model that has these names."""
        return _fits(self.path, names)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model of a baseline and its findings then, as (fingerprint, severity).

    `weights` is a digest over its weights that is the same in every format, "" if unknown.
    """

    path: str
    sha256: str
    weights: str
    findings: frozenset[tuple[str, Severity]]


_TOLD_BY = ("path", "sha256", "weights")


@dataclass(frozen=True, slots=True)
class Baseline:
    """Findings that were there on a day, and that are not to fail a model from then on."""

    created: str
    models: tuple[KnownModel, ...]
    _by: dict[tuple[str, str], list[KnownModel]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index the models, for every one of a run is looked up."""
        for known in self.models:
            for name in _TOLD_BY:
                self._by.setdefault((name, getattr(known, name)), []).append(known)

    def model(self, path: str, sha256: str, weights: str) -> KnownModel | None:
        """What is known of a model: told by its path, else by its bytes, else by its weights.

        A path may be in several registries, and bytes or weights in several models. Of such the
        one is meant that has the rest in common, too; where none has, all of them are.
        """
        told = [pair for pair in zip(_TOLD_BY, (path, sha256, weights), strict=True) if pair[1]]
        for pair in told:
            found = self._by.get(pair, [])
            for name, value in told:
                found = [each for each in found if getattr(each, name) == value] or found
            if found:
                findings = frozenset().union(*(each.findings for each in found))
                return replace(found[0], findings=findings)
        return None


@dataclass(frozen=True, slots=True)
class Nightly:
    """What a nightly run does besides printing: the only settings that can reach a network.

    Attributes:
        notify: program and arguments that get the text of what changed on standard input.
        webhook: address that gets the same as JSON.
        ping: address of a health check, asked for at the start and the end of every run.
        keep: number of runs that the history holds.
    """

    notify: tuple[str, ...] = ()
    webhook: str = ""
    ping: str = ""
    keep: int = 400


@dataclass(frozen=True, slots=True)
class OtherRuntime:
    """Another TensorFlow that models are tried in.

    Attributes:
        name: the user's word for it.
        python: path of an interpreter that has TensorFlow; with `requirements` the version of
            Python (`3.11`) that an environment is made with, "" for the running one's.
        requirements: what to install into that environment (`tensorflow-cpu==2.15.*`).
        legacy_keras: use its tf-keras in place of Keras 3.
    """

    name: str
    python: str = ""
    requirements: tuple[str, ...] = ()
    legacy_keras: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run can be told."""

    limits: Limits = field(default_factory=Limits)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    fail_on: Severity = Severity.HIGH
    jobs: int = field(default_factory=default_jobs)
    expectations: tuple[Expectation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    targets: tuple[str, ...] = ()  # runtimes to predict for; empty: the installed and the newest
    policies: tuple[Policy, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()  # as in `Policy`
    thresholds: tuple[tuple[str, float], ...] = ()  # as in `Policy`
    base: str = ""  # the settings file's directory, resolved; patterns of paths may begin there
    baseline: Baseline | None = None
    runtimes: tuple[OtherRuntime, ...] = ()  # to try models in, besides what is installed here
    profiles: tuple[str, ...] = ()  # files of the user's own profiles, for predictions
    architecture: str | None = None  # file with the architecture of weights and checkpoints
    custom_objects: tuple[str, ...] = ()  # names that the user's code will give to loaders

    def names(self, path: str, place: PurePath) -> tuple[str, ...]:
        """What patterns of paths are held against: a model has one name or two.

        Args:
            path: of the model below what is audited, as in its audit.
            place: where it is, absolute.

        Returns:
            `path` and, if the model lies below the settings file's directory, its path there.
        """
        if not self.base or not place.is_relative_to(self.base):
            return (path,)
        below = os.fsencode(place.relative_to(self.base).as_posix())
        return path, below.decode("utf-8", "backslashreplace")

    def for_model(self, path: str, place: PurePath) -> Settings:
        """These settings as they hold for one model, without what is about others only.

        Policies come in their order, so the last one wins.

        Args:
            path, place: of the model, see `names`.
        """
        names = self.names(path, place)
        mine = replace(
            self,
            policies=(),
            waivers=tuple(each for each in self.waivers if each.about(names)),
            expectations=tuple(each for each in self.expectations if each.about(names)),
        )
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
        """What the settings say of a rule's threshold; None where they say nothing.

        Args:
            names: the rule's code and name.
        """
        return next((value for rule, value in self.thresholds if rule in names), None)
