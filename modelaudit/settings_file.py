"""Reading settings from `modelaudit.toml` or `[tool.modelaudit]` of a `pyproject.toml`.

Every key is checked: a misspelt one is an error that names the file, not a setting that silently
does nothing.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelaudit.errors import UsageError
from modelaudit.findings import Severity
from modelaudit.settings import (
    ACTIONS,
    Expectation,
    ForeignRuntime,
    Limits,
    Nightly,
    Policy,
    Waiver,
)

NAME = "modelaudit.toml"
LARGEST = 1 << 20
# Settings that are options of the command line as well, where the command line wins.
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


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a settings file says. `options` are defaults for options of the command line."""

    path: Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    expectations: tuple[Expectation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    policies: tuple[Policy, ...] = ()
    nightly: Nightly = field(default_factory=Nightly)
    runtimes: tuple[ForeignRuntime, ...] = ()
    profiles: tuple[str, ...] = ()
    custom_objects: tuple[str, ...] = ()


def find(folder: Path) -> Path | None:
    """`modelaudit.toml` in this folder, else its `pyproject.toml` if that has our table."""
    own = folder / NAME
    if own.is_file():
        return own
    project = folder / "pyproject.toml"
    if project.is_file() and "modelaudit" in _table(_parse(project), "tool", project):
        return project
    return None


def load(path: Path) -> SettingsFile:
    """The settings in a file.

    Raises:
        UsageError: it cannot be read, is no TOML, or has a key or value that means nothing.
    """
    data = _parse(path)
    if path.name == "pyproject.toml":
        data = _table(_table(data, "tool", path), "modelaudit", path)
    known = {*OPTIONS, "limits", "expect", "ignore", "policy", "nightly"}
    known |= {"runtimes", "profiles", "custom_objects"}
    _no_others(data, known, "the file", path)
    options = {key: _typed(data[key], OPTIONS[key], key, path) for key in OPTIONS if key in data}
    for key in ("probe_data", "log_file", "architecture", "baseline"):
        if key in options:  # relative to the file, wherever the command is run
            options[key] = str(path.parent / str(options[key]))
    return SettingsFile(
        path=path,
        options=options,
        limits=_limits(_table(data, "limits", path), path),
        expectations=tuple(_expectation(e, path) for e in _tables(data, "expect", path)),
        waivers=tuple(_waiver(e, path) for e in _tables(data, "ignore", path)),
        policies=tuple(_policy(e, path) for e in _tables(data, "policy", path)),
        nightly=_nightly(_table(data, "nightly", path), path),
        runtimes=_runtimes(_table(data, "runtimes", path), path),
        profiles=_profiles(data, path),
        custom_objects=_one_or_more(data, "custom_objects", "the file", path),
    )


def _parse(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: larger than {LARGEST} bytes, this is no settings file")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def _table(data: Mapping[str, object], key: str, path: Path) -> dict[str, object]:
    found = data.get(key, {})
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {key} must be a table")
    return found


def _tables(data: Mapping[str, object], key: str, path: Path) -> Sequence[dict[str, object]]:
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UsageError(f"{path}: {key} must be an array of tables: [[{key}]]")
    return found


def _no_others(data: Mapping[str, object], known: set[str], where: str, path: Path) -> None:
    others = sorted(set(data) - known)
    if others:
        raise UsageError(
            f"{path}: unknown key {others[0]!r} in {where}; there are {', '.join(sorted(known))}"
        )


def _typed(value: object, kind: type | tuple[type, ...], key: str, path: Path) -> object:
    wrong_bool = isinstance(value, bool) and kind is not bool
    if wrong_bool or not isinstance(value, kind):
        names = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(each.__name__ for each in names)
        raise UsageError(f"{path}: {key} must be {wanted}, not {value!r}")
    return value


def _text(data: Mapping[str, object], key: str, where: str, path: Path) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{path}: {key} in {where} must be text, not {value!r}")
    return value


def _one_or_more(data: Mapping[str, object], key: str, where: str, path: Path) -> tuple[str, ...]:
    """One text, or an array of them."""
    value = data.get(key, [])
    return (value,) if isinstance(value, str) else _texts(data, key, where, path)


def _profiles(data: Mapping[str, object], path: Path) -> tuple[str, ...]:
    """Profile files: those named, and those in the directories named."""
    found = []
    for name in _one_or_more(data, "profiles", "the file", path):
        place = path.parent / name
        if not place.exists():
            raise UsageError(f"{path}: profiles names {name}, which is not there")
        found += sorted(place.glob("*.json")) if place.is_dir() else [place]
    return tuple(map(str, found))


def _runtimes(data: Mapping[str, object], path: Path) -> tuple[ForeignRuntime, ...]:
    """`[runtimes.NAME]`, in the order of the file."""
    found = []
    for name in data:
        entry, where = _table(data, name, path), f"[runtimes.{name}]"
        _no_others(entry, {"python", "requirement", "legacy_keras"}, where, path)
        python = _text(entry, "python", where, path)
        requirements = _one_or_more(entry, "requirement", where, path)
        if not python and not requirements:
            raise UsageError(f"{path}: {where} needs python (a path) or requirement")
        if requirements and python and not re.fullmatch(r"\d+(\.\d+){1,2}", python):
            raise UsageError(f"{path}: python in {where} must be a version, such as 3.11")
        if python and not requirements:
            # Not resolved: a virtual environment's interpreter is a link to another one.
            python = str(path.parent.absolute() / Path(python).expanduser())
        legacy = bool(
            _typed(entry.get("legacy_keras", False), bool, f"legacy_keras in {where}", path)
        )
        found.append(ForeignRuntime(name, python, requirements, legacy))
    return tuple(found)


def _limits(data: Mapping[str, object], path: Path) -> Limits:
    fields = {each.name: each for each in dataclasses.fields(Limits)}
    _no_others(data, set(fields), "[limits]", path)
    values: dict[str, Any] = {}
    for key, value in data.items():
        whole = isinstance(fields[key].default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise UsageError(f"{path}: {key} in [limits] must be a number, not {value!r}")
        if value <= 0:
            raise UsageError(f"{path}: {key} in [limits] must be over 0, not {value!r}")
        values[key] = value
    return Limits(**values)


def _expectation(data: Mapping[str, object], path: Path) -> Expectation:
    _no_others(data, {"action", "path", "output", "transform"}, "[[expect]]", path)
    action = _text(data, "action", "[[expect]]", path)
    if action not in ACTIONS:
        raise UsageError(f"{path}: action in [[expect]] must be one of {', '.join(ACTIONS)}")
    return Expectation(
        action=action,
        path=_text(data, "path", "[[expect]]", path) or "*",
        output=_text(data, "output", "[[expect]]", path) or "*",
        transform=_text(data, "transform", "[[expect]]", path) or "H",
    )


def _waiver(data: Mapping[str, object], path: Path) -> Waiver:
    keys = {"rule", "path", "fingerprint", "reason", "expires", "owner"}
    _no_others(data, keys, "[[ignore]]", path)
    rule, reason = (_text(data, key, "[[ignore]]", path) for key in ("rule", "reason"))
    if not rule or not reason.strip():
        raise UsageError(f"{path}: [[ignore]] needs a rule and a reason")
    expires = data.get("expires")
    if expires is not None and type(expires) is not datetime.date:
        raise UsageError(f"{path}: expires in [[ignore]] must be a date such as 2027-03-01")
    return Waiver(
        rule=rule,
        reason=reason,
        path=_text(data, "path", "[[ignore]]", path) or "*",
        fingerprint=_text(data, "fingerprint", "[[ignore]]", path) or None,
        expires=expires,
        owner=_text(data, "owner", "[[ignore]]", path),
    )


def _policy(data: Mapping[str, object], path: Path) -> Policy:
    _no_others(data, {"path", "fail_on", "targets", "severity"}, "[[policy]]", path)
    models = _text(data, "path", "[[policy]]", path)
    if not models:
        raise UsageError(f"{path}: [[policy]] needs a path, such as 'production/*'")
    fail_on = data.get("fail_on")
    return Policy(
        path=models,
        fail_on=None if fail_on is None else _severity(fail_on, "fail_on", path),
        targets=_texts(data, "targets", "[[policy]]", path),
        severities=tuple(
            (rule, _severity(value, rule, path))
            for rule, value in _table(data, "severity", path).items()
        ),
    )


def _severity(value: object, key: str, path: Path) -> Severity:
    try:
        return Severity(str(value))
    except ValueError:
        names = ", ".join(severity.value for severity in Severity)
        raise UsageError(f"{path}: {key} in [[policy]] must be one of {names}") from None


def _texts(data: Mapping[str, object], key: str, where: str, path: Path) -> tuple[str, ...]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"{path}: {key} in {where} must be an array of texts, not {value!r}")
    return tuple(value)


def _nightly(data: Mapping[str, object], path: Path) -> Nightly:
    _no_others(data, {"notify", "webhook", "ping", "keep"}, "[nightly]", path)
    keep = _typed(data.get("keep", Nightly().keep), int, "keep", path)
    if not isinstance(keep, int) or keep < 2:
        raise UsageError(f"{path}: keep in [nightly] must be 2 or more: a run and the one before")
    addresses = {key: _text(data, key, "[nightly]", path) for key in ("webhook", "ping")}
    for key, address in addresses.items():
        if address and not _is_web_address(address):
            raise UsageError(f"{path}: {key} in [nightly] must be an address with https://")
    return Nightly(notify=_texts(data, "notify", "[nightly]", path), keep=keep, **addresses)


def _is_web_address(text: str) -> bool:
    """Whether it is one of http or https, with a host and, if any, a port that there can be."""
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, a port of letters
        return False
