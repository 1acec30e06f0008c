"""What one TensorFlow and Keras accept, as collected from a real installation."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.facts import Json
from modelaudit.structs import replace

Fact = Any  # a value of the collector's document: JSON whose structure depends on its name

SCHEMA = 1
_VERSION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}")
_GZIP = 16 + zlib.MAX_WBITS  # as zlib.decompress takes it: with the header of gzip
KINDS = ("tf", "tf-keras", "keras")
KERAS_PARTS = ("root", "tables", "classes", "public", "internal", "behaviours")
TENSORFLOW_PARTS = ("operations", "graph_def")
FUSIONS = "fusions_refused"  # a fact of TensorFlow, too, which older profiles do not have


def numbers(version: str) -> tuple[int, ...]:
    """`2.15.1` as (2, 15, 1); stops at letters and at numbers longer than any version has.

    Versions also come from files, and a file can contain anything: Python refuses to convert
    thousands of digits to an integer.
    """
    found = _VERSION.match(version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


class RuntimeProfile(Struct, frozen=True, dict=True):
    """One runtime. `data` is the collector's document; `asked` the version that was requested.

    `exact` is False if the profile was collected from a different version. `beside` says that
    tf-keras is known to be installed there, beside Keras 3. `on` reads the document of another
    runtime with the same Python, where `data` are of another Python.
    """

    data: Mapping[str, Any]
    asked: str = ""
    exact: bool = True
    beside: bool = False
    on: Callable[[], Mapping[str, Any]] | None = None

    @cached_property
    def _tables(self) -> dict[tuple[str, ...], frozenset[str]]:
        return {}

    @cached_property
    def name(self) -> str:
        """`tf==2.15.1` or `tf-keras==2.21.0`, as requested."""
        return self.asked or self.collected

    @property
    def collected(self) -> str:
        """The runtime that the data come from."""
        kind, versions = self.data["name"], self.data["versions"]
        if self.data.get("overlaid"):
            return f"tf=={versions['tensorflow']}+keras=={versions['keras']}"
        return f"{kind}=={versions['tensorflow' if kind == 'tf' else 'keras']}"

    @property
    def stem(self) -> str:
        """Name of the profile's file; for TensorFlow it includes the version of its Keras."""
        stem = self.collected.replace("==", "-")
        if self.data["name"] == "tf":
            stem += "+keras-" + ".".join(map(str, self.keras))
        return stem

    def with_keras(self, other: RuntimeProfile) -> RuntimeProfile:
        """The same TensorFlow with the Keras of another profile."""
        data = dict(self.data)
        data.update((key, other.data[key]) for key in KERAS_PARTS)
        keras = {"keras": other.data["versions"]["keras"]}
        data["versions"] = {**data["versions"], **keras}
        data["overlaid"] = True
        return RuntimeProfile(data)

    def on_python(self, version: str, on: Callable[[], Mapping[str, Any]]) -> RuntimeProfile:
        """The same packages on another Python, with the instructions of a document with it.

        Few models hold code, so the document is read only when its instructions are asked for.
        """
        versions = {**self.data["versions"], "python": version}
        return replace(self, data={**self.data, "versions": versions}, on=on)

    def without_tensorflow(self) -> RuntimeProfile:
        """Only the Keras part, to be combined with the profile of any TensorFlow."""
        data = {
            key: value
            for key, value in self.data.items()
            if key not in (*TENSORFLOW_PARTS, FUSIONS)
        }
        return RuntimeProfile({**data, "name": "keras"})

    @cached_property
    def legacy(self) -> bool:
        """Whether this is tf-keras, the Keras 2 package for a TensorFlow that has Keras 3."""
        return bool(self.data["name"] == "tf-keras")

    @cached_property
    def tensorflow(self) -> tuple[int, ...]:
        """Version of TensorFlow."""
        return numbers(self.data["versions"]["tensorflow"])

    @cached_property
    def keras(self) -> tuple[int, ...]:
        """Version of Keras; 2.2.4 for tf.keras in TensorFlow 1.15."""
        return numbers(self.data["versions"]["keras"])

    @cached_property
    def python(self) -> tuple[int, ...]:
        """Major and minor version of Python."""
        return numbers(self.data["versions"]["python"])[:2]

    @cached_property
    def keras3(self) -> bool:
        """Whether `load_model` is that of Keras 3."""
        return self.keras >= (3,)

    @cached_property
    def archives(self) -> bool:
        """Whether `load_model` reads .keras archives."""
        return self.keras >= (2, 12)

    def knows(self, kind: str, name: str) -> bool:
        """Whether the loader of `kind` (layers, initializers ...) finds `name` in its table."""
        return name in self._set("tables", kind)

    def is_function(self, kind: str, name: str) -> bool:
        """Whether `keras.<kind>` has a function, not a class, of this name."""
        return name in self._set("public", kind) and name not in self.data["classes"].get(kind, {})

    def is_public(self, module: str, name: str) -> bool:
        """Whether `module` (`keras.layers`) is a public module with this name in it."""
        return name in self._set("public", module.partition(".")[2])

    def is_internal(self, module: str, name: str) -> bool:
        """Whether `module` is an internal module with a serialisable class of this name."""
        return name in self._set("internal", module)

    def modules_of(self, name: str, package: str) -> tuple[str, ...]:
        """Internal modules of a package (`keras`) with a serialisable class of this name."""
        inside = f"{package}."
        internal = self.data["internal"]
        return tuple(m for m, names in internal.items() if m.startswith(inside) and name in names)

    def has_class(self, kind: str, name: str) -> bool:
        """Whether the profile describes a class of this kind and name."""
        return name in self.data["classes"].get(kind, {})

    def accepts(self, kind: str, name: str) -> frozenset[str] | None:
        """Config keys that the class accepts; None if it accepts any, or if this is unknown."""
        entry = self.data["classes"].get(kind, {}).get(name)
        if entry is None or entry.get("open"):
            return None
        return self._set_of(("accepts", kind, name), entry["accepts"])

    def needs(self, kind: str, name: str) -> tuple[str, ...]:
        """Config keys that the class requires."""
        entry = self.data["classes"].get(kind, {}).get(name) or {}
        return tuple(entry.get("needs", ()))

    def attributes(self, operation: str) -> frozenset[str] | None:
        """Attributes of a registered operation; None if there is no such operation."""
        names = self.data["operations"].get(operation)
        return None if names is None else self._set_of(("operation", operation), names)

    def behaviour(self, name: str, default: Fact = None) -> Fact:
        """The result of an experiment; `default` if it could not be run."""
        found = self.data["behaviours"].get(name)
        return default if found is None else found

    def tested(self, name: str) -> bool:
        """Whether the profile was collected with this experiment, even if it has no result."""
        return name in self.data["behaviours"]

    @cached_property
    def instructions(self) -> Mapping[int, tuple[str, int]]:
        """Instructions of this Python by number: the name, and the number of cache entries.

        Empty for Python before 3.11 and for a profile without this information.
        """
        found = (self.data if self.on is None else self.on()).get("instructions", {})
        return {int(number): (name, caches) for number, (name, caches) in found.items()}

    def _set(self, table: str, key: str) -> frozenset[str]:
        return self._set_of((table, key), self.data[table].get(key, ()))

    def _set_of(self, key: tuple[str, ...], names: Iterable[str]) -> frozenset[str]:
        if key not in self._tables:
            self._tables[key] = frozenset(names)
        return self._tables[key]


@cache
def read_profile(path: Path) -> RuntimeProfile:
    """A profile from the collector's file, which may be compressed (`.json.gz`).

    Raises:
        UsageError: it is not a profile.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = zlib.decompress(content, _GZIP)
        data = json.loads(content)
    except (OSError, ValueError, zlib.error) as error:
        raise UsageError(f"{path}: cannot be read as a runtime profile: {error}") from error
    return as_profile(data, str(path))


def as_profile(data: Json, where: str) -> RuntimeProfile:
    """A profile from the collector's document.

    Raises:
        UsageError: it is not a profile, or is incomplete.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise UsageError(f"{where}: not a runtime profile with schema {SCHEMA}")
    kind, versions = data.get("name"), data.get("versions")
    parts = KERAS_PARTS if kind == "keras" else (*KERAS_PARTS, *TENSORFLOW_PARTS)
    missing = [part for part in parts if part not in data]
    if isinstance(versions, dict):
        said = ("tensorflow", "keras", "python")
        missing += [f"versions.{name}" for name in said if not isinstance(versions.get(name), str)]
    else:
        missing.append("versions")
    if kind not in KINDS or missing:
        listed = ", ".join(missing) or "name"
        raise UsageError(f"{where}: incomplete runtime profile: {listed} is missing or invalid")
    return RuntimeProfile(data)
