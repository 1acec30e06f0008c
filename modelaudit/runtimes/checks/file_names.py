"""Names of files by which loaders choose a format or look for variables, and too new formats."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.io.bounded import ending
from modelaudit.runtimes.model import CheckContext, Reason

_SET = re.compile(r"\[[^\]]+\]")  # in a pattern, one of these letters


def pattern(artifact: Artifact) -> Iterator[Reason]:
    """Brackets in the name of a model: TensorFlow looks for the variables by a pattern."""
    name, form = artifact.root.name, artifact.format
    checkpoint = form in (Format.TF1_CHECKPOINT, Format.TF2_CHECKPOINT)
    if artifact.tensors and (checkpoint or form.is_saved_model) and _SET.search(name):
        yield Reason(
            "name-is-a-pattern",
            LoadOutcome.FAILS,
            f"the name {name} has brackets, which TensorFlow reads as a set of letters when it "
            "looks for the variables",
            "NotFoundError: Unsuccessful TensorSliceReader constructor: Failed to find any "
            "matching files",
            "Give it a name without [ and ].",
        )


def archive_in_old_keras(context: CheckContext) -> Reason:
    """A .keras archive for a Keras that reads none."""
    profile = context.profile
    return Reason(
        "archive-in-old-keras",
        LoadOutcome.FAILS,
        f"{profile.name} does not support the .keras archive (introduced in Keras 2.12) and "
        "mistakes it for another format",
        "OSError: SavedModel file does not exist at: …/{saved_model.pbtxt|saved_model.pb}"
        if profile.keras < (2, 5)
        else "OSError: Unable to … file (file signature not found)",
        "Load it in TensorFlow 2.13 or newer and save it again as .h5.",
        repairs=True,
    )


def other_suffix(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A file that the loader takes for another format because of its name."""
    archive, suffix = artifact.format is Format.KERAS_ARCHIVE, ending(artifact.root)
    by_name = archive or (artifact.format is Format.LEGACY_H5_FULL and context.profile.keras3)
    if not by_name or artifact.root.is_dir() or suffix in artifact.format.info.suffixes:
        return
    what, wanted = ("is a .keras archive", ".keras") if archive else ("contains HDF5", ".h5")
    named_keras = not archive and suffix == ".keras"
    error = "ValueError: File format not supported: filepath=…"
    if named_keras:
        error = "ValueError: File not found: filepath=… Please ensure the file is an accessible "
        error += "`.keras` zip file"
    elif not context.profile.keras3:
        error = "OSError: Unable to … file (file signature not found)"
    yield Reason(
        "hdf5-named-keras" if named_keras else "other-suffix",
        LoadOutcome.FAILS,
        f"the file {what}, but has {f'the suffix {suffix}' if suffix else 'no suffix'}"
        + (
            ", and Keras then says of the existing file that it is not found" if named_keras else ""
        ),
        error,
        f"Rename it to {wanted}.",
        repairs=True,
        unless=f"the file is renamed to {wanted}",
        sign="filepath=",
    )
