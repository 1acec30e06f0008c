"""Shared by HDF5 files and .keras archives: config, training config, variable binding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from modelaudit.errors import ReadError
from modelaudit.facts import (
    Architecture,
    Artifact,
    Document,
    Json,
    Layer,
    Problem,
    ProblemKind,
)
from modelaudit.formats.io.bounded import json_loads
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.json_config import impossible_sizes, infinite_limits, names_a_class
from modelaudit.formats.keras.variables.matching import Binding, bind
from modelaudit.formats.keras.variables.unbound import named_kernels
from modelaudit.settings import Limits
from modelaudit.structs import replace

if TYPE_CHECKING:  # importing h5py takes long, and a SavedModel does not need it
    from modelaudit.formats.hdf5.contents import Hdf5Contents

# Problems that make a model incomplete: something it needs is missing or unreadable.
LOSSES = frozenset(
    (
        ProblemKind.UNREADABLE,
        ProblemKind.UNSUPPORTED,
        ProblemKind.TRUNCATED,
        ProblemKind.TEXT_MANGLED,
        ProblemKind.CORRUPT,
        ProblemKind.LIMIT_EXCEEDED,
        ProblemKind.MISSING_FILE,
        ProblemKind.SIZE_MISMATCH,
        ProblemKind.CRC_MISMATCH,
        ProblemKind.EXTERNAL_REFERENCE,
        ProblemKind.CONFIG_INVALID,
        ProblemKind.TENSOR_UNREADABLE,
    )
)


# The group of a layer of the model itself, not of an inner one.
_OWN_GROUP = re.compile(r"(?:layers|_layer_checkpoint_dependencies)[/\\][^/\\]+/vars")
_COUNTER = re.compile(r"_\d+\Z")
LISTED = 12  # groups of a class by name
_CONFIG = re.compile(r"@(?:model|training)_config(?:\[\d+\])?$")  # an item of a list, or a scalar


STRAY_BYTES = 1 << 20  # of all texts like configs that are stored where Keras does not look


class ReadNotes(Struct):
    """Problems and JSON documents collected while reading a model."""

    problems: list[Problem] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)

    def add(self, error: ReadError, file: str, route: str = "") -> None:
        """Add an error as a problem of `file`."""
        self.problems.append(problem_of(error, file, route))

    @property
    def complete(self) -> bool:
        """Whether everything that the model needs was read."""
        return not any(problem.kind in LOSSES for problem in self.problems)


def json_part(data: bytes | None, file: str, route: str, limits: Limits, notes: ReadNotes) -> Json:
    """Parse a JSON document of the model; None if it is absent or invalid (adds a problem)."""
    if data is None:
        return None
    duplicates: list[str] = []
    impossible: list[str] = []
    try:
        value = json_loads(data, limits, file, duplicates, impossible)
    except ReadError as error:
        notes.add(error, file, route)
        return None
    notes.problems.extend(document_problems(value, duplicates, impossible, file, route))
    notes.documents.append(Document(file, route, value))
    return value


def stray_configs(contents: Hdf5Contents, file: str, limits: Limits, notes: ReadNotes) -> None:
    """Add configs that are stored where Keras does not look, so that rules check them too."""
    left = STRAY_BYTES
    for where, text in contents.stray:
        left -= len(text)
        if left < 0:
            detail = f"texts like configs after the first {STRAY_BYTES:,} bytes are not parsed"
            notes.problems.append(Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, where))
            break
        found = ReadNotes()
        value = json_part(text, file, where, limits, found)
        broken = any(problem.kind is ProblemKind.CONFIG_INVALID for problem in found.problems)
        if broken or not (value is None or names_a_class(value) or _CONFIG.search(where)):
            continue  # not a config
        notes.problems.extend(found.problems)
        notes.documents.extend(found.documents)
        detail = "a Keras config that Keras 2.2 and 2.3 use if they are passed this group; other "
        detail += "versions ignore it. It is checked like the model's own config"
        evidence: dict[str, Json] = {"hdf5": "config"}
        notes.problems.append(Problem(ProblemKind.OTHER, file, detail, where, evidence))


def document_problems(
    value: Json, duplicates: list[str], impossible: list[str], file: str, route: str
) -> Iterator[Problem]:
    """Problems of a document that is valid JSON, but not as Keras writes it."""
    if duplicates:
        shown = ", ".join(sorted(set(duplicates))[:8])
        detail = f"JSON objects have duplicate keys, of which the last wins: {shown}"
        evidence: dict[str, Json] = {"json": "keys", "measured": len(duplicates)}
        yield Problem(ProblemKind.DUPLICATE_MEMBER, file, detail, route, evidence)
    infinite = [word for word in impossible if word.lstrip("-") == "Infinity"]
    # Python's parser takes them, and a limit that is infinite is none.
    if infinite and infinite_limits(value) == len(infinite):
        impossible = [word for word in impossible if word not in infinite]
    if found := {*impossible, *impossible_sizes(value)}:
        detail = f"contains what Keras does not write: {', '.join(sorted(found)[:8])}"
        evidence = {"json": "values", "measured": len(found)}
        yield Problem(ProblemKind.OTHER, file, detail, route, evidence)


def architecture_of(
    config: Json, file: str, route: str, limits: Limits, notes: ReadNotes
) -> Architecture | None:
    """The saved architecture; None if there is none or it is not a Keras config (a problem)."""
    if config is None:
        return None
    try:
        return parse_architecture(config, limits=limits, file=file)
    except ReadError as error:
        notes.add(error, file, route)
        return None


def claim(value: Json) -> str | None:
    """What a file says of itself, such as a version, cut to a length that reports can show."""
    return value[:256] if isinstance(value, str) else None


def mapping_of(value: Json) -> Mapping[str, Json] | None:
    """`value` if it is a JSON object, else None."""
    return value if isinstance(value, dict) else None


def binding_of(architecture: Architecture | None, contents: Hdf5Contents) -> Binding | None:
    """Match the architecture's variables with the file's tensors; None without an architecture."""
    if architecture is None:
        return None
    if not contents.by_container:
        return bind(architecture, contents.tensors, "h5_legacy", groups=contents.groups)
    names = {
        tensor.name: contents.var_names[group]
        for tensor in contents.tensors
        if (group := tensor.name.rpartition("/")[0]) in contents.var_names
    }
    return bind(architecture, contents.tensors, "h5_v3", var_names=names)


def with_binding(artifact: Artifact, binding: Binding | None) -> Artifact:
    """The artefact with bound variables and kernels, and what did not match in `extra`.

    `extra["unclaimed"]` lists weights that belong to no layer, unless a class may have made them,
    `extra["misordered"]` weights at the position of another variable, `extra["lost_layers"]`
    layers that only the weights name.
    """
    if binding is None:
        return artifact
    extra: dict[str, Json] = {
        **artifact.extra,
        "unclaimed": [] if binding.architecture.assumed else list(binding.unclaimed),
        "misordered": list(binding.misordered),
    }
    if "lost_layers" not in extra:
        h5 = mapping_of(artifact.extra.get("h5"))
        extra["lost_layers"] = [*lost_layers(binding.architecture, h5)]
    return replace(
        artifact, architecture=binding.architecture, kernels=binding.kernels, extra=extra
    )


def lost_layers(architecture: Architecture, h5: Mapping[str, Json] | None) -> Iterator[str]:
    """Layers of the model that saved the weights, with or without weights, that the config lacks.

    A legacy file lists all layers of the model, a v3 file of Keras 3 has a named group for each,
    and one of Keras 2 a group that is named by the class and a counter.

    Args:
        architecture: the saved config.
        h5: the file's own lists, see `Hdf5Contents.extra`.
    """
    names = {layer.name for layer in _outermost(architecture)}
    if h5 is None or not names or architecture.assumed:  # a class may hold others
        return
    listed, grouped = h5.get("layer_names"), h5.get("vars_names")
    if isinstance(listed, list) and not _numbered_anew(architecture, [*map(str, listed)]):
        yield from (str(each) for each in listed if each not in names)
    for route, name in grouped.items() if isinstance(grouped, dict) else ():
        if _OWN_GROUP.fullmatch(route) and name not in names:
            yield str(name)
    groups = h5.get("layer_groups")
    if isinstance(groups, list) and not grouped:
        yield from _more_of_a_class(architecture, map(str, groups))


def _outermost(architecture: Architecture) -> list[Layer]:
    """The layers of the model itself, whose names may have slashes, as in DenseNet of Keras 2."""
    return [x for x in architecture.layers if "/config/" not in x.config_route]


def _numbered_anew(architecture: Architecture, listed: list[str]) -> bool:
    """Whether the layers are those of the config in this order, but for the numbers of names.

    Keras numbers layers without a name anew in each program, and reads such a file by order.
    """
    layers = _outermost(architecture)
    inputs = {_COUNTER.sub("", each.name) for each in layers if each.class_name == "InputLayer"}
    here, there = ([_COUNTER.sub("", x) for x in xs] for xs in ((e.name for e in layers), listed))
    return [x for x in here if x not in inputs] == [x for x in there if x not in inputs]


def _more_of_a_class(architecture: Architecture, groups: Iterable[str]) -> Iterator[str]:
    """One text for each layer that a class has fewer of in the config than there are groups."""
    classes = (layer.class_name.rpartition(">")[2] for layer in _outermost(architecture))
    here = Counter(map(snake_case, classes))
    there: dict[str, list[str]] = {}
    for group in groups:
        there.setdefault(_COUNTER.sub("", group), []).append(group)
    for kind, names in there.items():
        for _ in range(len(names) - here[kind]):
            yield names[0] if len(names) == 1 else f"one of {', '.join(sorted(names)[:LISTED])}"


def with_names(artifact: Artifact, names: Mapping[str, str]) -> Artifact:
    """Weights without an architecture, with the kernels that their names identify.

    Args:
        artifact: the weights.
        names: tensor name -> variable name, where it is not the tensor's own; they are kept in
            `extra["variable_names"]`.
    """
    kernels = named_kernels(artifact.tensors, names)
    return replace(
        artifact, kernels=kernels, extra={**artifact.extra, "variable_names": dict(names)}
    )


def keras_versions(contents: Hdf5Contents) -> tuple[str | None, str | None]:
    """`keras_version` and `backend` in the root attributes of an HDF5 file."""
    words = [contents.texts.get(name) for name in ("keras_version", "backend")]
    version, backend = (
        None if word is None else word.decode("utf-8", "backslashreplace")[:256] for word in words
    )
    return version, backend
