"""Reader of Keras HDF5 files: full models and weights, Keras 1 to 3."""

from __future__ import annotations

from pathlib import Path

from modelaudit.facts import Artifact, Format, Json, Problem, ProblemKind, Provenance
from modelaudit.formats.hdf5.contents import read_contents
from modelaudit.formats.hdf5.keras_layout import FORMATS, OTHER, V3
from modelaudit.formats.io.bounded import (
    display_path,
    ending,
    file_entry,
    free_name,
    model_digest,
)
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.keras.common import (
    ReadNotes,
    architecture_of,
    binding_of,
    json_part,
    keras_versions,
    mapping_of,
    stray_configs,
    with_binding,
    with_names,
)
from modelaudit.formats.keras.variables.unbound import numbered_names
from modelaudit.settings import Limits

SUFFIXES = Format.LEGACY_H5_FULL.info.suffixes  # from which Keras 3 reads HDF5


def read_hdf5(path: Path, limits: Limits) -> Artifact:
    """Read a Keras HDF5 file.

    `extra["h5"]` has `layout`, `superblock`, `user_block` (bytes), `foreign_attributes`, and by
    layout `layer_names`, `groups`, `layer_names_missing_groups`, `weight_names_missing` or
    `vars_names`. For `unclaimed` and `misordered` see `with_binding`, for
    `variable_names` see `with_names`.

    Raises:
        ReadError: the file cannot be opened as HDF5.
    """
    file = display_path(path, path)
    contents = read_contents(FileWindow.of_file(path, file), limits)
    notes = ReadNotes(list(contents.problems))
    suffix = ending(path)
    if contents.layout != OTHER and suffix not in SUFFIXES:
        its = f"its suffix is {suffix}" if suffix else "it has no suffix"
        detail = f"is an HDF5 file, but {its}; Keras 3 knows HDF5 only by {' or '.join(SUFFIXES)}"
        wanted = ".weights.h5" if contents.layout == V3 else ".h5"
        evidence: dict[str, Json] = {"rename": free_name(path, wanted)}
        notes.problems.append(Problem(ProblemKind.SUFFIX_MISMATCH, file, detail, "", evidence))
    if contents.layout == OTHER:
        detail = "HDF5 file without a Keras model or Keras weights"
        notes.problems.append(Problem(ProblemKind.UNSUPPORTED, file, detail))
    config = json_part(contents.texts.get("model_config"), file, "model_config", limits, notes)
    training = json_part(
        contents.texts.get("training_config"), file, "training_config", limits, notes
    )
    architecture = architecture_of(config, file, "model_config", limits, notes)
    stray_configs(contents, file, limits, notes)
    version, backend = keras_versions(contents)
    files = (file_entry(path, path, "weights", limits),)
    extra: dict[str, Json] = {"h5": dict(contents.extra)}
    artifact = Artifact(
        root=path.absolute(),
        format=FORMATS[contents.layout],
        files=files,
        sha256=model_digest(files),
        complete=notes.complete,
        provenance=Provenance(keras=version, backend=backend),
        architecture=architecture,
        training=mapping_of(training),
        tensors=contents.tensors,
        problems=tuple(notes.problems),
        extra=extra,
        documents=tuple(notes.documents),
    )
    if architecture is None:
        return with_names(artifact, numbered_names(contents.tensors, contents.var_names))
    return with_binding(artifact, binding_of(architecture, contents))
