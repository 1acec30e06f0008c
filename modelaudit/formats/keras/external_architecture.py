"""Weights combined with an architecture from another file.

With the architecture, the names, shapes and order of the weights can be checked, and the model can
be run.
"""

from __future__ import annotations

from pathlib import Path

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Artifact, Document, Format, Json, fits
from modelaudit.file_formats import Content, formats
from modelaudit.formats.checkpoint.variable_names import saved_variable_names
from modelaudit.formats.io.bounded import json_loads, read_bytes
from modelaudit.formats.keras.architecture_files import common_names, likely_names, own_name
from modelaudit.formats.keras.checkpoint_models import bind_one_model
from modelaudit.formats.keras.common import claim, with_binding
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.json_config import mapping
from modelaudit.formats.keras.variables.matching import Binding, bind
from modelaudit.formats.reader import read
from modelaudit.settings import Limits
from modelaudit.structs import replace

# A NumPy archive does not say to which variables its arrays belong.
WEIGHTS = formats(Content.WEIGHTS) - {Format.NPZ_WEIGHTS}


def find_architecture(artifact: Artifact, limits: Limits) -> Document | None:
    """The architecture in the directory of a weights file, as written by `model.to_json()`.

    Of a file whose name is only likely, each weight has to have its place and shape there. One
    of a common name, such as `model.json`, is refused if the weights name none of its layers.
    """
    root = artifact.root
    if found := _tried(root.with_name(own_name(root)), limits):
        return found
    for name in likely_names(root):
        found = _tried(root.with_name(name), limits)
        if found and _has_places(with_architecture(artifact, found, limits)):
            return found
    for name in common_names(root):
        found = _tried(root.with_name(name), limits)
        if found and not _lost_all(with_architecture(artifact, found, limits)):
            return found
    return None


def _tried(path: Path, limits: Limits) -> Document | None:
    """The architecture in a file; None if there is none, as in other JSON files."""
    try:
        return read_architecture(path, limits) if path.is_file() else None
    except (ReadError, UsageError):
        return None


def _has_places(bound: Artifact) -> bool:
    """Whether weights and layers were matched without a rest, and all shapes agree."""
    if bound.architecture is None or not bound.kernels:
        return False
    if any(bound.extra.get(key) for key in ("unclaimed", "misordered", "lost_layers")):
        return False
    shapes = {tensor.name: tensor.shape for tensor in bound.tensors}
    return all(
        role in layer.variables and fits(shapes[layer.variables[role]], expected)
        for layer in bound.architecture.layers
        for role, expected in layer.expected.items()
        if not layer.is_model
    )


def _lost_all(bound: Artifact) -> bool:
    """Whether the config has none of the layers that the weights name."""
    lost, h5 = bound.extra.get("lost_layers"), mapping(bound.extra.get("h5"))
    listed = h5.get("layer_names") or [*mapping(h5.get("vars_names")).values()]
    return isinstance(listed, list) and isinstance(lost, list) and 0 < len(listed) == len(lost)


def read_architecture(path: Path, limits: Limits) -> Document:
    """The architecture in a file chosen by the user: JSON, or a saved model.

    Raises:
        UsageError: the file does not exist, or has no Keras architecture.
    """
    try:
        if path.suffix.lower() == ".json":
            return _json(path, limits)
        architecture = read(path, limits).architecture
    except ReadError as error:
        raise UsageError(f"{path}: {error.reason}") from error
    if architecture is None or not architecture.layers:
        raise UsageError(f"{path}: contains no Keras architecture")
    return Document(path.name, "", dict(architecture.config))


def _json(path: Path, limits: Limits) -> Document:
    value = json_loads(read_bytes(path, limits.config_bytes, path.name), limits, path.name)
    if isinstance(value, str):  # json.dump(model.to_json()) encodes it twice
        value = json_loads(value.encode(), limits, path.name)
    if not {"class_name", "config"} <= mapping(value).keys():
        raise UsageError(f"{path}: is JSON but not a Keras architecture")
    parse_architecture(value, limits=limits, file=path.name)
    return Document(path.name, "", value)


def with_architecture(artifact: Artifact, document: Document, limits: Limits) -> Artifact:
    """Weights combined with an architecture; artefacts of other formats are returned unchanged.

    Raises:
        ReadError: the document is not a config that Keras could have written.
    """
    if artifact.format not in WEIGHTS or artifact.architecture is not None:
        return artifact
    architecture = parse_architecture(document.value, limits=limits, file=document.file)
    h5 = mapping(artifact.extra.get("h5"))
    binding: Binding
    if artifact.format is Format.WEIGHTS_H5_LEGACY:
        groups = {name: _texts(routes) for name, routes in mapping(h5.get("groups")).items()}
        binding = bind(architecture, artifact.tensors, "h5_legacy", groups=groups)
    elif artifact.format is Format.WEIGHTS_H5_V3:
        said = mapping(h5.get("vars_names"))
        names = {
            tensor.name: str(said[group])
            for tensor in artifact.tensors
            if (group := tensor.name.rpartition("/")[0]) in said
        }
        binding = bind(architecture, artifact.tensors, "h5_v3", var_names=names)
    else:
        artifact, binding = bind_one_model(artifact, architecture, saved_variable_names(artifact))
    bound = with_binding(artifact, binding)
    said = mapping(document.value)
    provenance = replace(
        bound.provenance,
        keras=bound.provenance.keras or claim(said.get("keras_version")),
        backend=bound.provenance.backend or claim(said.get("backend")),
    )
    extra: dict[str, Json] = {**bound.extra, "architecture_from": document.file}
    documents = (document, *artifact.documents)
    return replace(bound, documents=documents, extra=extra, provenance=provenance)


def _texts(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
