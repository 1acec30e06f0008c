"""Reading settings from `modelaudit.toml` or `[tool.modelaudit]` of a `pyproject.toml`.

Every key is checked: a misspelt key is an error that names the file, not a setting without effect.
`cli.options.settings_check` checks that the named rules and runtimes exist, which are unknown here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, Struct, StructMeta, UnsetType, field

from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.settings import (
    MIB,
    MOST_BYTES,
    Expectation,
    Limits,
    Nightly,
    OtherRuntime,
    Policy,
    Seconds,
    Task,
    Waiver,
    Word,
)
from modelaudit.settings.signing import Signing, SigningTable, read_signing

T = TypeVar("T")
Count: TypeAlias = Annotated[int, Meta(ge=-MOST_BYTES, le=MOST_BYTES)]
Number: TypeAlias = Annotated[float, Meta(ge=-MOST_BYTES, le=MOST_BYTES)]  # finite
Table: TypeAlias = dict[str, object]
OneOrMore: TypeAlias = str | tuple[str, ...]

NAME = "modelaudit.toml"
LARGEST = 1 << 20
# Options with paths relative to the file's directory.
RELATIVE = ("probe_data", "log_file", "architecture", "baseline", "cache_dir")
REPEATED = ("include", "exclude", "select")


class OptionDefaults(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings that are also command-line options, which take precedence."""

    fail_on: str | UnsetType = UNSET
    jobs: Count | UnsetType = UNSET
    target: str | UnsetType = UNSET
    architecture: str | UnsetType = UNSET
    quiet: bool | UnsetType = UNSET
    baseline: str | UnsetType = UNSET
    log_file: str | UnsetType = UNSET
    include: OneOrMore | UnsetType = UNSET
    exclude: OneOrMore | UnsetType = UNSET
    select: OneOrMore | UnsetType = UNSET
    cache_dir: str | UnsetType = UNSET
    cache_size: Annotated[int, Meta(gt=0, le=MOST_BYTES // MIB)] | UnsetType = UNSET
    no_probe: bool | UnsetType = UNSET
    probe_data: str | UnsetType = UNSET
    task: Task | UnsetType = UNSET
    resize: bool | UnsetType = UNSET
    samples: Count | UnsetType = UNSET
    timeout: Seconds | UnsetType = UNSET
    memory: Annotated[int, Meta(gt=0, le=MOST_BYTES // MIB)] | UnsetType = UNSET
    sandbox: str | UnsetType = UNSET
    require_sandbox: bool | UnsetType = UNSET
    docs_url: str | UnsetType = UNSET


class FileTables(OptionDefaults, frozen=True, forbid_unknown_fields=True):
    """A settings file, its tables still unchecked."""

    limits: Table = {}
    expect: tuple[Table, ...] = ()
    ignore: tuple[Table, ...] = ()
    policy: tuple[Table, ...] = ()
    thresholds: Table = {}
    nightly: Table = {}
    runtimes: dict[str, Table] = {}
    serving: Table | None = None
    profiles: OneOrMore = ()
    custom_objects: OneOrMore = ()
    source_code: OneOrMore = ()
    signing: Table = {}


class PolicyTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[policy]]`."""

    path: Word
    fail_on: str | None = None
    targets: tuple[str, ...] = ()
    severity: Table = {}
    thresholds: Table = {}


class RuntimeTable(Struct, frozen=True, forbid_unknown_fields=True):
    """One `[runtimes.NAME]`."""

    python: str = ""
    requirement: OneOrMore = ()
    legacy_keras: bool = False


class ServingTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[serving]`."""

    runtime: Word


OPTIONS = OptionDefaults.__struct_fields__


class SettingsFile(Struct, frozen=True):
    """The content of a settings file. `options` are defaults for command-line options."""

    path: Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    expectations: tuple[Expectation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    policies: tuple[Policy, ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()
    nightly: Nightly = field(default_factory=Nightly)
    runtimes: tuple[OtherRuntime, ...] = ()
    profiles: tuple[str, ...] = ()
    serving: str = ""
    custom_objects: tuple[str, ...] = ()
    source_code: tuple[str, ...] = ()
    signing: Signing = field(default_factory=Signing)


def find(folder: Path) -> Path | None:
    """`modelaudit.toml` in this folder, or `pyproject.toml` if it has a [tool.modelaudit] table."""
    own = folder / NAME
    if own.is_file():
        return own
    project = folder / "pyproject.toml"
    if project.is_file() and "modelaudit" in _tools(project):
        return project
    return None


def load(path: Path) -> SettingsFile:
    """The settings in a file.

    Raises:
        UsageError: it cannot be read, is not TOML, or has an unknown key or invalid value.
    """
    project = path.name == "pyproject.toml"
    file = _read(
        FileTables, _tools(path).get("modelaudit", {}) if project else _parse(path), "", path
    )
    given = {key: getattr(file, key) for key in OPTIONS}
    options = {key: value for key, value in given.items() if value is not UNSET}
    options |= {key: str(path.parent / options[key]) for key in RELATIVE if key in options}
    options |= {key: _all(options[key]) for key in REPEATED if key in options}
    expect, ignore = _numbered(file.expect, "expect"), _numbered(file.ignore, "ignore")
    policy = _numbered(file.policy, "policy")
    return SettingsFile(
        path=path,
        options=options,
        limits=_read(Limits, file.limits, "[limits]", path),
        expectations=tuple(_read(Expectation, each, where, path) for where, each in expect),
        waivers=tuple(_waiver(each, where, path) for where, each in ignore),
        policies=tuple(_policy(each, where, path) for where, each in policy),
        thresholds=_by_rule(Number, file.thresholds, "[thresholds]", path),
        nightly=_nightly(file.nightly, path),
        runtimes=tuple(_runtime(name, each, path) for name, each in file.runtimes.items()),
        profiles=_profiles(file.profiles, path),
        serving=""
        if file.serving is None
        else _read(ServingTable, file.serving, "[serving]", path).runtime,
        custom_objects=_all(file.custom_objects),
        source_code=tuple(map(str, _existing("source_code", file.source_code, path))),
        signing=_signing(file.signing, path),
    )


def _parse(path: Path) -> Table:
    import tomllib  # without a settings file, it is not needed

    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: too large for a settings file (limit {LARGEST} bytes)")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    except ValueError as error:  # Python's limit on digits
        raise UsageError(f"{path}: contains a number with thousands of digits") from error


def _tools(project: Path) -> Table:
    return _read(Table, _parse(project).get("tool", {}), "[tool]", project)


def _read(kind: type[T], data: object, where: str, path: Path) -> T:
    """A value of the type.

    Raises:
        UsageError: it is no such value; the message names the file, the table and the key.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        said, _, key = str(error).partition(" - at `$.")
        place = " in ".join(filter(None, (key.rstrip("`"), where)))
        said = said.replace("Object contains unknown field", "unknown key")
        if kind is Severity:
            said += f"; known values: {', '.join(Severity)}"
        elif isinstance(kind, StructMeta) and said.startswith("unknown key"):
            said += f"; known keys: {', '.join(sorted(kind.__struct_fields__))}"
        raise UsageError(f"{path}: {place}{place and ': '}{said}") from error


def _numbered(tables: tuple[Table, ...], name: str) -> Iterator[tuple[str, Table]]:
    for number, each in enumerate(tables, start=1):
        yield f"[[{name}]] number {number}", each


def _by_rule(kind: type[T], data: Table, where: str, path: Path) -> tuple[tuple[str, T], ...]:
    """Values by the code or name of a rule."""
    return tuple(
        (rule, _read(kind, value, f"{rule} in {where}", path)) for rule, value in data.items()
    )


def _all(words: OneOrMore) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _waiver(data: Table, where: str, path: Path) -> Waiver:
    if not any(data.get(key) for key in ("rule", "path", "fingerprint")):
        raise UsageError(f"{path}: {where} requires a rule, a path or a fingerprint")
    return _read(Waiver, data, where, path)


def _policy(data: Table, where: str, path: Path) -> Policy:
    said = _read(PolicyTable, data, where, path)
    worst = said.fail_on
    return Policy(
        path=said.path,
        fail_on=_read(Severity, worst, f"fail_on in {where}", path) if worst else None,
        targets=said.targets,
        severities=_by_rule(Severity, said.severity, where, path),
        thresholds=_by_rule(Number, said.thresholds, where, path),
    )


def _nightly(data: Table, path: Path) -> Nightly:
    found = _read(Nightly, data, "[nightly]", path)
    for key in ("webhook", "ping", "reports_url"):
        address: str = getattr(found, key)
        if address and not is_web_address(address):
            raise UsageError(f"{path}: {key} in [nightly] must be an https:// or http:// address")
    return found


def _signing(data: Table, path: Path) -> Signing:
    try:
        return read_signing(_read(SigningTable, data, "[signing]", path), path.parent)
    except ValueError as error:
        raise UsageError(f"{path}: [signing]: {error}") from error


def is_web_address(address: str) -> bool:
    """Whether it is an http or https address with a host and, if given, a valid port."""
    if not address.isprintable() or {*" <>"}.intersection(address):
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # malformed IPv6 address, non-numeric port
        return False


def _profiles(names: OneOrMore, path: Path) -> tuple[str, ...]:
    """Profile files: the listed ones, and those in the listed directories."""
    found: list[Path] = []
    for place in _existing("profiles", names, path):
        found += sorted(place.glob("*.json")) if place.is_dir() else [place]
    return tuple(map(str, found))


def _existing(key: str, names: OneOrMore, path: Path) -> Iterator[Path]:
    """The places that a key lists, relative to the settings file.

    Raises:
        UsageError: one does not exist.
    """
    for name in _all(names):
        place = path.parent / name
        if not place.exists():
            raise UsageError(f"{path}: {key} lists {name}, which does not exist")
        yield place


def _runtime(name: str, data: Table, path: Path) -> OtherRuntime:
    where = f"[runtimes.{name}]"
    said = _read(RuntimeTable, data, where, path)
    python, requirements = said.python, _all(said.requirement)
    if not python and not requirements:
        raise UsageError(f"{path}: {where} requires python (a path) or requirement")
    if requirements and python and not re.fullmatch(r"\d+(\.\d+){1,2}", python):
        raise UsageError(f"{path}: python in {where} must be a version, such as 3.11")
    if python and not requirements:
        # Not resolved: the interpreter of a virtual environment is a symbolic link.
        python = str(path.parent.absolute() / Path(python).expanduser())
    return OtherRuntime(name, python, requirements, said.legacy_keras)
