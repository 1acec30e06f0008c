"""Cache keys: what an audit depends on besides the model, such as code, settings and runtimes."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from modelaudit.audit_types.json_form import jsonable
from modelaudit.facts import Json
from modelaudit.findings import Severity
from modelaudit.formats.source_code.reading import source_files
from modelaudit.settings import Limits, ProbeSettings, Settings

PACKAGE = Path(__file__).resolve().parent.parent
# Packages that determine facts, as opposed to judging or displaying them: all that probes import.
FACT_PACKAGES = (
    *("errors.py", "facts.py", "findings.py", "graphs.py", "file_formats.py", "model_versions.py"),
    *(
        "structs.py",
        "terminal_text.py",
        "layer_classes.py",
        "thresholds",
        "settings",
        "audit_types",
    ),
    *("formats", "measures", "probe", "restore", "runtimes/subprocesses.py", "work_budget"),
)
RUNTIME_PACKAGES = (
    *("tensorflow", "tensorflow-cpu", "keras", "tf-keras"),
    *("numpy", "scipy", "h5py", "protobuf"),
)


_written = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def digest(*parts: Json) -> str:
    """A short digest over JSON values, in their order."""
    text = _written(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@cache
def code_digest(rooms: Sequence[str] = ("",)) -> str:
    """A digest of all files of this package, or of some of its subpackages.

    A version number does not suffice: during development, rules change without one.
    """
    return bytes_digest([PACKAGE / room for room in rooms])


def bytes_digest(places: Iterable[Path]) -> str:
    """A digest of the names and bytes of files, and of all files in directories.

    Bytecode caches and the location are ignored: another installation of the same files has the
    same digest.
    """
    found = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{place.name}/{path.relative_to(place).as_posix()}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:32]


@cache
def runtime_digest() -> str:
    """A digest of the interpreter and of the packages that read and run models."""
    versions: dict[str, Json] = {}
    for name in RUNTIME_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return digest(sys.version, platform.machine(), versions)


def user_input_digest(settings: Settings) -> str:
    """A digest of the user's other inputs: names, sizes and times of their files.

    These are probe data, an architecture, profiles, the code of the models' own classes, and other
    runtimes with their installed packages.
    """
    probe = settings.probe
    places = [Path(each) for each in (settings.architecture, *settings.profiles) if each]
    runtimes = settings.runtimes if probe.enabled else ()
    for runtime in runtimes:
        if not runtime.requirements:
            home = Path(runtime.python).parent.parent
            places += [Path(runtime.python), *home.glob("lib/python*/site-packages")]
    rows = [_state(path) for path in places]
    if probe.data is not None and probe.enabled:
        rows.append(files_digest(Path(probe.data)))
    rows += [[*each] for each in source_files(settings.source_code)]
    return digest(rows, jsonable(runtimes), [*settings.custom_objects])


def files_digest(place: Path) -> str:
    """A digest of the names, sizes and times of a file or of all files in a directory."""
    paths = sorted([place, *place.rglob("*")] if place.is_dir() else [place])
    return digest([_state(path) for path in paths])


def _state(path: Path) -> Json:
    try:
        status = path.stat()
    except OSError:  # a missing runtime becomes an observation
        return [str(path), None, None]
    return [str(path), status.st_size, status.st_mtime_ns]


@cache
def probe_key(probe: ProbeSettings, data: str) -> str:
    """The key of the observations of a model: what they depend on besides its files.

    Args:
        data: `user_input_digest` of the same settings.
    """
    return digest(code_digest(FACT_PACKAGES), runtime_digest(), jsonable(probe), data)


@cache
def _general(
    limits: Limits,
    probe: ProbeSettings,
    fail_on: Severity,
    runtimes: tuple[str, ...],
    data: str,
    plugins: tuple[str, ...],
) -> str:
    settings: list[Json] = [
        *plugins,
        jsonable(limits),
        jsonable(probe),
        fail_on.value,
        [*runtimes],
    ]
    return digest(code_digest(), runtime_digest(), data, settings)


def audit_key(settings: Settings, today: datetime.date, data: str) -> str:
    """The key of a whole audit: what it depends on besides the model's files.

    The key changes on the day after which a waiver is expired.

    Args:
        settings: of the run, for this model.
        today: date of the run.
        data: `user_input_digest` of the same settings.
    """
    from modelaudit.rules.catalogue import plugin_sources  # importing the rules takes long

    runtimes = (settings.serving, *settings.targets)
    of_run = (settings.limits, settings.probe, settings.fail_on, runtimes, data)
    return digest(
        _general(*of_run, plugin_sources()),
        jsonable((settings.selection.select, settings.selection.ignore)),
        jsonable(settings.expectations),
        jsonable(settings.severities),
        jsonable(settings.thresholds),
        jsonable(settings.signing),
        [[jsonable(each), each.expired(today)] for each in settings.waivers],
    )
