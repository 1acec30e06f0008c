"""What one TensorFlow and Keras accept, as collected from a real installation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from modelaudit.errors import UsageError
from modelaudit.facts import Artifact

Fact = Any  # a value of the collector's document: JSON of a shape that its name tells

PROFILES = Path(__file__).parent / "profiles"
SCHEMA = 1
_SPECIFIER = re.compile(r"(tf|tensorflow|tf-keras)==(\d+(?:\.\d+){0,3})")


def numbers(version: str) -> tuple[int, ...]:
    """`2.15.1` as (2, 15, 1); letters end it."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


@dataclass(frozen=True)
class Profile:
    """One runtime. `data` is the collector's document; `asked` the version that it answers for.

    `exact` is False where it stands in for a version that nothing was collected from.
    """

    data: Mapping[str, Any]
    asked: str = ""
    exact: bool = True
    _tables: dict[tuple[str, ...], frozenset[str]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @cached_property
    def name(self) -> str:
        """`tf==2.15.1` or `tf-keras==2.21.0`, as asked for."""
        return self.asked or self.collected

    @property
    def collected(self) -> str:
        """The runtime that the data come from."""
        which = "keras" if self.legacy else "tensorflow"
        return f"{self.data['name']}=={self.data['versions'][which]}"

    @cached_property
    def legacy(self) -> bool:
        """Whether this is tf-keras, Keras 2 beside a TensorFlow that has Keras 3."""
        return bool(self.data["name"] == "tf-keras")

    @cached_property
    def tensorflow(self) -> tuple[int, ...]:
        """Version of TensorFlow."""
        return numbers(self.data["versions"]["tensorflow"])

    @cached_property
    def keras(self) -> tuple[int, ...]:
        """Version of Keras; of tf.keras in TensorFlow 1.15 that is 2.2.4."""
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
        """Whether `module` is a module inside the package with a savable class of this name."""
        return name in self._set("internal", module)

    def has_module(self, module: str) -> bool:
        """Whether `module` can be imported in this runtime."""
        return module in self.data["internal"]

    def has_class(self, kind: str, name: str) -> bool:
        """Whether something is known of a class of this kind and name."""
        return name in self.data["classes"].get(kind, {})

    def accepts(self, kind: str, name: str) -> frozenset[str] | None:
        """Config keys that the class takes; None where it takes any, or is not known."""
        entry = self.data["classes"].get(kind, {}).get(name)
        if entry is None or entry.get("open"):
            return None
        return self._set_of(("accepts", kind, name), entry["accepts"])

    def needs(self, kind: str, name: str) -> tuple[str, ...]:
        """Config keys without which the class cannot be made."""
        entry = self.data["classes"].get(kind, {}).get(name) or {}
        return tuple(entry.get("needs", ()))

    def attributes(self, operation: str) -> frozenset[str] | None:
        """Attributes of a registered operation; None where there is no such operation."""
        names = self.data["operations"].get(operation)
        return None if names is None else self._set_of(("operation", operation), names)

    def behaviour(self, name: str, default: Fact = None) -> Fact:
        """What came of an experiment; `default` where it could not be made."""
        return self.data["behaviours"].get(name, default)

    @cached_property
    def producer(self) -> int:
        """GraphDef version that this runtime writes."""
        return int(self.data["graph_def"]["producer"])

    def _set(self, table: str, key: str) -> frozenset[str]:
        return self._set_of((table, key), self.data[table].get(key, ()))

    def _set_of(self, key: tuple[str, ...], names: Iterable[str]) -> frozenset[str]:
        if key not in self._tables:
            self._tables[key] = frozenset(names)
        return self._tables[key]


@cache
def read_profile(path: Path) -> Profile:
    """A profile from the collector's file.

    Raises:
        UsageError: it is none.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as a runtime profile: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise UsageError(f"{path}: is no runtime profile of schema {SCHEMA}")
    return Profile(data)


@cache
def shipped() -> tuple[Path, ...]:
    """Files of the profiles that come with the package, oldest runtime first."""
    return tuple(sorted(PROFILES.glob("*.json"), key=_order))


def _order(path: Path) -> tuple[bool, tuple[int, ...]]:
    name, _, version = path.stem.rpartition("-")
    return name == "tf-keras", numbers(version)


@cache
def find(specifier: str, own: tuple[Path, ...] = ()) -> Profile:
    """The profile for `tf==2.15.1`, `tf==2.16` or `tf-keras==2.21`.

    A version that nothing was collected from is answered from the nearest one of its kind
    and Keras generation, and `exact` is then False.

    Args:
        specifier: the runtime.
        own: profiles of the user's own, which come first.

    Raises:
        UsageError: it is no specifier.
    """
    found = _SPECIFIER.fullmatch(specifier.strip().lower())
    if not found:
        raise UsageError(
            f"{specifier!r} is no runtime: say tf==VERSION or tf-keras==VERSION, as in tf==2.15.1"
        )
    legacy, version = found[1] == "tf-keras", numbers(found[2])
    paths = [path for path in (*own, *shipped()) if (_order(path)[0] or False) == legacy]
    nearest = min(paths, key=lambda path: _distance(_order(path)[1], version))
    profile = read_profile(nearest)
    collected = _order(nearest)[1]
    exact = collected[: len(version)] == version
    name = f"{'tf-keras' if legacy else 'tf'}=={found[2]}"
    return Profile(profile.data, asked=profile.collected if exact else name, exact=exact)


def _distance(collected: tuple[int, ...], asked: tuple[int, ...]) -> tuple[int, int, int, bool]:
    """Generation of Keras first (it changed with 2.16), then the minor version, then the rest."""
    generation = (collected >= (2, 16)) != (asked >= (2, 16))
    major = collected[0] - asked[0]
    if major:  # the last one before it, or the first one after
        return int(generation), abs(major), -collected[1] if major < 0 else collected[1], False
    minor = collected[1] - (asked[1] if len(asked) > 1 else 0)
    return int(generation), 0, abs(minor), collected < asked


def writer_of(artifact: Artifact) -> Profile | None:
    """The profile nearest to the runtime that saved a model, as far as the file tells."""
    said = artifact.provenance
    if said.tensorflow:
        version = numbers(said.tensorflow)
        if version >= (2, 16) and has_keras2_objects(artifact):
            return find(f"tf-keras=={version[0]}.{version[1]}")
        return _nearest(version, by_tensorflow=True)
    if said.keras:
        return _nearest(numbers(said.keras), by_tensorflow=False)
    return None


def has_keras2_objects(artifact: Artifact) -> bool:
    """Whether a SavedModel's objects are models and layers of Keras 2."""
    return any(
        str(node.detail.get("identifier", "")).startswith("_tf_keras_")
        for node in artifact.object_graph
    )


@cache
def _nearest(version: tuple[int, ...], by_tensorflow: bool) -> Profile:
    """The shipped profile whose TensorFlow (or Keras) comes nearest."""
    profiles = [read_profile(path) for path in shipped()]
    if by_tensorflow:
        profiles = [profile for profile in profiles if not profile.legacy]

    def distance(profile: Profile) -> tuple[int, int, int]:
        own = profile.tensorflow if by_tensorflow else profile.keras
        return (
            abs(own[0] - version[0]),
            abs(own[1] - (version[1] if len(version) > 1 else 0)),
            abs(own[2] - (version[2] if len(version) > 2 else 0)),
        )

    return min(profiles, key=distance)


def default_targets() -> tuple[str, ...]:
    """The runtime that is installed here and its tf-keras, and the newest profile."""
    found = {
        f"{name}=={version}"
        for name, package in (("tf", "tensorflow"), ("tf-keras", "tf-keras"))
        if (version := _installed(package))
    }
    newest = [path for path in shipped() if not _order(path)[0]][-1]
    found.add(read_profile(newest).collected)
    return tuple(sorted(found))


def _installed(package: str) -> str | None:
    """Version of an installed distribution; it is not imported."""
    for name in (package, f"{package}-cpu"):
        try:
            return ".".join(map(str, numbers(metadata.version(name))[:3]))
        except metadata.PackageNotFoundError:
            continue
    return None
