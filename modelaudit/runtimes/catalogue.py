"""Finds the profile for a runtime, and the one nearest to the runtime that saved a model."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.facts import Artifact
from modelaudit.runtimes import shipped
from modelaudit.runtimes.profile import KINDS, RuntimeProfile, numbers, read_profile
from modelaudit.structs import replace

_VERSION = r"(\d+(?:\.\d+){0,3})"
_SPECIFIER = re.compile(rf"(tf|tensorflow|tf-keras|keras)=={_VERSION}(?:\+keras=={_VERSION})?")
_STEM = re.compile(rf"(tf|tf-keras|keras)-{_VERSION}(?:\+keras-{_VERSION})?")
_METADATA = re.compile(r"([^-]+)-(.+?)(?:-py[\d.]+)?\.(?:dist|egg)-info")
_KERAS_3_BEGINS = (2, 16)  # of TensorFlow
_BESIDE = re.compile(rf"(.+)\+tf-keras=={_VERSION}")
_FORMS = (
    "use tf==VERSION, tf==VERSION+keras==VERSION, keras==VERSION or tf-keras==VERSION, the first "
    "two with +tf-keras==VERSION where tf-keras is installed beside Keras 3"
)


class ProfileFile(Struct, frozen=True):
    """Where a profile is. Shipped ones are identified by name, which avoids reading them all."""

    place: Path | str
    kind: str
    version: tuple[int, ...]
    keras: tuple[int, ...]

    def read(self) -> RuntimeProfile:
        """The profile: of the user's file, or by the name of one in this package."""
        if isinstance(self.place, Path):
            return read_profile(self.place)
        return shipped_profile(self.place)


@cache
def shipped_profile(name: str) -> RuntimeProfile:
    """The profile of this name in this package, read once."""
    return RuntimeProfile(shipped.document(name))


@cache
def shipped_profiles() -> tuple[ProfileFile, ...]:
    """The profiles in this package: TensorFlow, tf-keras, Keras, each with the oldest first."""
    found = []
    for name in shipped.names():
        if named := _STEM.fullmatch(name):
            version = numbers(named[2])
            found.append(ProfileFile(name, named[1], version, numbers(named[3] or named[2])))
    return tuple(sorted(found, key=lambda entry: (KINDS.index(entry.kind), entry.version)))


@cache
def _of_user(paths: tuple[Path, ...]) -> tuple[ProfileFile, ...]:
    """The user's profiles, identified by content: their files can have any name."""
    found = []
    for path in paths:
        profile = read_profile(path)
        kind = profile.data["name"]
        version = profile.tensorflow if kind == "tf" else profile.keras
        found.append(ProfileFile(path, kind, version, profile.keras))
    return tuple(found)


@cache
def find_profile(specifier: str, own: tuple[Path, ...] = ()) -> RuntimeProfile:
    """The profile for `tf==2.15.1`, `tf==2.16`, `tf==2.18+keras==3.5`, `keras==3.5` or
    `tf-keras==2.21`.

    A TensorFlow comes with the Keras of its time unless another one is named; a Keras comes with
    the TensorFlow of its time. If there is no profile of a version, the nearest one of its kind
    and Keras generation is used, and `exact` is False. `+tf-keras==2.18` after a TensorFlow with
    Keras 3 says that this package is installed there too.

    Args:
        own: the user's own profiles, which take precedence.

    Raises:
        UsageError: it is not a specifier, or a file of the user is not a profile.
    """
    asked = specifier.strip().lower()
    if pair := _BESIDE.fullmatch(asked):
        profile = find_profile(pair[1], own)
        if not profile.keras3:
            raise UsageError(f"{specifier!r}: tf-keras is only used beside Keras 3")
        return replace(profile, asked=f"{profile.name}+tf-keras=={pair[2]}", beside=True)
    found = _SPECIFIER.fullmatch(asked)
    if not found or (found[3] and found[1] not in ("tf", "tensorflow")):
        raise UsageError(f"{specifier!r} is not a runtime: {_FORMS}, for example tf==2.15.1")
    kind, version = found[1].replace("tensorflow", "tf"), numbers(found[2])
    name = f"{kind}=={found[2]}"
    known = (*_of_user(own), *shipped_profiles())
    if kind == "keras":
        return replace(_keras(version, known), asked=name)
    profile, exact = _nearest([entry for entry in known if entry.kind == kind], version)
    if found[3] and (profile.keras3 or numbers(found[3]) >= (3,)):
        name = f"{name}+keras=={found[3]}"
        keras = _keras(numbers(found[3]), known)
        if keras.keras != profile.keras:
            profile = profile.with_keras(keras)
        return replace(profile, asked=name, exact=exact and keras.exact)
    return replace(profile, asked=profile.collected if exact else name, exact=exact)


def known_generation(specifier: str, own: tuple[Path, ...] = ()) -> None:
    """Reject a runtime whose major version has no profile.

    `find_profile` accepts these too, with the nearest profile, because a model can claim any
    origin. A user who requests one has mistyped.

    Raises:
        UsageError: see above, or it is not a specifier.
    """
    find_profile(specifier, own)
    for name, version in re.findall(r"(tf-keras|keras|tf|tensorflow)==(\d+)", specifier.lower()):
        kind = name.replace("tensorflow", "tf")
        known = [
            entry.keras if kind == "keras" else entry.version
            for entry in (*_of_user(own), *shipped_profiles())
            if kind in (entry.kind, "keras")
        ]
        if int(version) not in {each[0] for each in known}:
            newest = ".".join(map(str, max(known)))
            raise UsageError(f"{specifier!r}: unknown {kind} version {version}; newest: {newest}")


def specifier(versions: Mapping[str, str]) -> str:
    """The specifier of the runtime with these versions, for `find_profile`: `tf==2.15.1`.

    Its Keras is named if it differs from the Keras in the profile of that TensorFlow.
    """
    if "tf-keras" in versions:
        return f"tf-keras=={_plain(versions['tf-keras'])}"
    name, keras = f"tf=={_plain(versions['tensorflow'])}", _plain(versions.get("keras", ""))
    if numbers(keras) < (3,) or numbers(keras) == find_profile(name).keras:
        return name
    return f"{name}+keras=={keras}"


def _plain(version: str) -> str:
    return ".".join(map(str, numbers(version)[:3]))


def _nearest(
    candidates: list[ProfileFile], version: tuple[int, ...]
) -> tuple[RuntimeProfile, bool]:
    """The profile with the nearest version, and whether it is exactly that version."""
    entry = min(candidates, key=lambda entry: _distance(entry.version, version))
    return entry.read(), entry.version[: len(version)] == version


def _keras(version: tuple[int, ...], known: tuple[ProfileFile, ...]) -> RuntimeProfile:
    """The nearest Keras; a Keras-only profile is combined with the TensorFlow nearest to it."""
    candidates = [entry for entry in known if entry.kind != "tf-keras"]
    entry = min(candidates, key=lambda entry: (_apart(entry.keras, version), entry.kind != "tf"))
    exact = entry.keras[: len(version)] == version
    if entry.kind == "tf":
        return replace(entry.read(), exact=exact)
    keras = entry.read()
    base, _ = _nearest([entry for entry in known if entry.kind == "tf"], keras.tensorflow)
    return replace(base.with_keras(keras), exact=exact)


def _apart(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, int, int, bool]:
    """The distance of two versions; of two equally near ones, the newer is nearer."""
    first, second, third = (
        abs((one[i] if len(one) > i else 0) - (other[i] if len(other) > i else 0)) for i in range(3)
    )
    return first, second, third, one < other


def _distance(
    collected: tuple[int, ...], asked: tuple[int, ...]
) -> tuple[int, int, int, int, bool]:
    """By Keras generation first (it changed with TensorFlow 2.16), then as `_apart`."""
    generation = (collected >= _KERAS_3_BEGINS) != (asked >= _KERAS_3_BEGINS)
    if collected[0] != asked[0]:  # the last one before it, or the first one after
        minor = collected[1] if collected[0] > asked[0] else -collected[1]
        return int(generation), abs(collected[0] - asked[0]), minor, 0, False
    return (int(generation), *_apart(collected, asked))


def saving_runtime(artifact: Artifact) -> RuntimeProfile | None:
    """The profile nearest to the runtime that saved a model, as far as the file says."""
    said = artifact.provenance
    if said.tensorflow:
        version = numbers(said.tensorflow)
        if version >= _KERAS_3_BEGINS and has_keras2_objects(artifact):
            return find_profile(f"tf-keras=={'.'.join(map(str, version[:2]))}")
        return _writer(version, by_tensorflow=True)
    if said.keras:
        return _writer(numbers(said.keras), by_tensorflow=False)
    return None


def has_keras2_objects(artifact: Artifact) -> bool:
    """Whether a SavedModel's objects are Keras 2 models and layers."""
    return any(
        str(node.detail.get("identifier", "")).startswith("_tf_keras_")
        for node in artifact.object_graph
    )


def is_keras2_model(artifact: Artifact) -> bool:
    """Whether `load_model` of Keras 2 makes a Keras object of a SavedModel's root object.

    A root of another class, as policies of TF-Agents have, may hold Keras layers and is no model.
    """
    return any(
        node.index == 0 and str(node.detail.get("identifier", "")).startswith("_tf_keras_")
        for node in artifact.object_graph
    )


@cache
def _writer(version: tuple[int, ...], by_tensorflow: bool) -> RuntimeProfile | None:
    """The shipped profile with the nearest TensorFlow (or Keras); None without a version."""
    if not version:
        return None
    known = shipped_profiles()
    if by_tensorflow:
        return _nearest([entry for entry in known if entry.kind == "tf"], version)[0]
    return min(known, key=lambda entry: _apart(entry.keras, version)).read()


def default_targets() -> tuple[str, ...]:
    """The installed TensorFlow, the installed tf-keras, and the newest profile."""
    found = set(filter(None, (installed_target(),)))
    if legacy := _installed("tf-keras"):
        found.add(f"tf-keras=={legacy}")
    newest = [entry for entry in shipped_profiles() if entry.kind == "tf"][-1]
    found.add(newest.read().collected)
    return tuple(sorted(found))


def installed_target() -> str:
    """The installed TensorFlow with the installed Keras; "" without TensorFlow."""
    tensorflow = _installed("tensorflow")
    if not tensorflow:
        return ""
    return specifier({"tensorflow": tensorflow, "keras": _installed("keras") or ""})


def covers(asked: str, runtime: str) -> bool:
    """Whether a runtime with all its versions is the one asked for: tf==2.16 covers tf==2.16.2.

    A Keras that `asked` does not name is the one of that TensorFlow's time.
    """
    pair = _BESIDE.fullmatch(asked.strip().lower())
    wanted = _SPECIFIER.fullmatch(pair[1] if pair else asked.strip().lower())
    found = _SPECIFIER.fullmatch(runtime)
    if not wanted or not found:
        return False
    keras = numbers(found[3]) if found[3] else find_profile(runtime).keras
    if wanted[1] == "keras":
        return _within(keras, wanted[2])
    named = _within(keras, wanted[3]) if wanted[3] else not found[3]
    same_kind = wanted[1].replace("tensorflow", "tf") == found[1]
    return same_kind and named and _within(numbers(found[2]), wanted[2])


def _within(version: tuple[int, ...], asked: str) -> bool:
    return version[: len(numbers(asked))] == numbers(asked)


def as_installed(profile: RuntimeProfile) -> RuntimeProfile:
    """The profile; that of the installed TensorFlow on this Python, with tf-keras if installed.

    TensorFlow imports tf-keras by itself to restore the optimizer of a Keras 2 SavedModel.
    """
    if profile.tensorflow != numbers(_installed("tensorflow") or ""):
        return profile
    here = replace(profile, beside=profile.keras3 and bool(_installed("tf-keras")))
    return on_python(here, platform.python_version())


def on_python(profile: RuntimeProfile, version: str) -> RuntimeProfile:
    """The profile on another Python; its instructions are known if any profile has this Python."""
    if profile.python == numbers(version)[:2]:  # the same instructions
        return profile.on_python(version, lambda: profile.data)
    return profile.on_python(version, partial(_with_python, numbers(version)[:2]))


def _with_python(version: tuple[int, ...]) -> Mapping[str, Any]:
    """The document of the newest TensorFlow that was collected on this Python, or nothing."""
    newest = (entry for entry in reversed(shipped_profiles()) if entry.kind == "tf")
    profiles = (entry.read() for entry in newest)
    return next((each.data for each in profiles if each.python == version), {})


def _installed(package: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    installed = _installed_versions()
    version = installed.get(package) or installed.get(f"{package}-cpu")
    return ".".join(map(str, numbers(version)[:3])) if version else None


@cache
def _installed_versions() -> dict[str, str]:
    """Versions of all installed distributions, by normalized name.

    They are read from the names of the directories with their metadata, as the specification of
    installed packages allows: importing `importlib.metadata` takes 15 ms of CPU.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = [path.name for path in Path(folder).iterdir()]
        except OSError:  # not there, a zip archive, or not readable
            continue
        for name in names:
            if named := _METADATA.fullmatch(name):
                found.setdefault(re.sub(r"[-_.]+", "-", named[1]).lower(), named[2])
    return found
