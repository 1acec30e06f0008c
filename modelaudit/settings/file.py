"""Reading settings from `modelaudit.toml` or `[tool.modelaudit]` of a `pyproject.toml`.

Every key is checked: a misspelt key is an error that names the file, not a setting without effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from modelaudit.errors import UsageError
from modelaudit.settings import (
    MIB,
    MOST_BYTES,
    MOST_SECONDS,
    Expectation,
    Limits,
    Nightly,
    OtherRuntime,
    Policy,
    Waiver,
)
from modelaudit.settings import tables as entries
from modelaudit.settings.validation import (
    no_others,
    one_or_more,
    positive,
    table,
    tables,
    text,
    texts,
    typed,
    whole_numbers,
)

NAME = "modelaudit.toml"
LARGEST = 1 << 20
# Settings that are also command-line options, which take precedence.
OPTIONS: Mapping[str, type | tuple[type, ...]] = {
    "fail_on": str,
    "jobs": int,
    "target": str,
    "architecture": str,
    "quiet": bool,
    "baseline": str,
    "log_file": str,
    "no_probe": bool,
    "probe_data": str,
    "resize": bool,
    "samples": int,
    "timeout": (int, float),
    "memory": int,
    "sandbox": str,
    "require_sandbox": bool,
}


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
    custom_objects: tuple[str, ...] = ()


def find(folder: Path) -> Path | None:
    """`modelaudit.toml` in this folder, or `pyproject.toml` if it has a [tool.modelaudit] table."""
    own = folder / NAME
    if own.is_file():
        return own
    project = folder / "pyproject.toml"
    if project.is_file() and "modelaudit" in table(_parse(project), "tool", project):
        return project
    return None


def load(path: Path) -> SettingsFile:
    """The settings in a file.

    Raises:
        UsageError: it cannot be read, is not TOML, or has an unknown key or invalid value.
    """
    data = _parse(path)
    if path.name == "pyproject.toml":
        data = table(table(data, "tool", path), "modelaudit", path)
    known = {*OPTIONS, "limits", "expect", "ignore", "policy", "nightly"}
    known |= {"runtimes", "profiles", "custom_objects", "thresholds"}
    no_others(data, known, "the file", path)
    whole_numbers(data, path)
    options = {key: typed(data[key], OPTIONS[key], key, path) for key in OPTIONS if key in data}
    for key, most in (("timeout", MOST_SECONDS), ("memory", MOST_BYTES // MIB)):
        if key in options:
            positive(options[key], most, key, "the file", path)
    for key in ("probe_data", "log_file", "architecture", "baseline"):
        if key in options:  # relative to the file, not to the working directory
            options[key] = str(path.parent / str(options[key]))
    return SettingsFile(
        path=path,
        options=options,
        limits=_limits(table(data, "limits", path), path),
        expectations=tuple(entries.expectation(*e, path) for e in tables(data, "expect", path)),
        waivers=tuple(entries.waiver(*e, path) for e in tables(data, "ignore", path)),
        policies=tuple(entries.policy(*e, path) for e in tables(data, "policy", path)),
        thresholds=entries.thresholds(data, "[thresholds]", path),
        nightly=_nightly(table(data, "nightly", path), path),
        runtimes=_runtimes(table(data, "runtimes", path), path),
        profiles=_profiles(data, path),
        custom_objects=one_or_more(data, "custom_objects", "the file", path),
    )


def _parse(path: Path) -> dict[str, object]:
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


def _profiles(data: Mapping[str, object], path: Path) -> tuple[str, ...]:
    """Profile files: the listed ones, and those in the listed directories."""
    found = []
    for name in one_or_more(data, "profiles", "the file", path):
        place = path.parent / name
        if not place.exists():
            raise UsageError(f"{path}: profiles lists {name}, which does not exist")
        found += sorted(place.glob("*.json")) if place.is_dir() else [place]
    return tuple(map(str, found))


def _runtimes(data: Mapping[str, object], path: Path) -> tuple[OtherRuntime, ...]:
    """`[runtimes.NAME]`, in the order of the file."""
    found = []
    for name in data:
        entry, where = table(data, name, path), f"[runtimes.{name}]"
        no_others(entry, {"python", "requirement", "legacy_keras"}, where, path)
        python = text(entry, "python", where, path)
        requirements = one_or_more(entry, "requirement", where, path)
        if not python and not requirements:
            raise UsageError(f"{path}: {where} requires python (a path) or requirement")
        if requirements and python and not re.fullmatch(r"\d+(\.\d+){1,2}", python):
            raise UsageError(f"{path}: python in {where} must be a version, such as 3.11")
        if python and not requirements:
            # Not resolved: the interpreter of a virtual environment is a symbolic link.
            python = str(path.parent.absolute() / Path(python).expanduser())
        legacy = bool(
            typed(entry.get("legacy_keras", False), bool, f"legacy_keras in {where}", path)
        )
        found.append(OtherRuntime(name, python, requirements, legacy))
    return tuple(found)


def _limits(data: Mapping[str, object], path: Path) -> Limits:
    fields = {each.name: each for each in msgspec.structs.fields(Limits)}
    no_others(data, set(fields), "[limits]", path)
    values: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(fields[key].default, int) and isinstance(value, float):
            raise UsageError(f"{path}: {key} in [limits] must be an integer, not {value!r}")
        most = MOST_SECONDS if key == "read_seconds" else MOST_BYTES
        values[key] = positive(value, most, key, "[limits]", path)
    return Limits(**values)


def _nightly(data: Mapping[str, object], path: Path) -> Nightly:
    no_others(data, {"notify", "webhook", "ping", "keep"}, "[nightly]", path)
    keep = typed(data.get("keep", Nightly().keep), int, "keep", path)
    if not isinstance(keep, int) or keep < 2:
        raise UsageError(
            f"{path}: keep in [nightly] must be at least 2 (the current and the previous run)"
        )
    addresses = {key: text(data, key, "[nightly]", path) for key in ("webhook", "ping")}
    for key, address in addresses.items():
        if address and not _is_web_address(address):
            raise UsageError(f"{path}: {key} in [nightly] must be an https:// or http:// address")
    return Nightly(notify=texts(data, "notify", "[nightly]", path), keep=keep, **addresses)


def _is_web_address(address: str) -> bool:
    """Whether it is an http or https address with a host and, if given, a valid port."""
    if not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # malformed IPv6 address, non-numeric port
        return False
