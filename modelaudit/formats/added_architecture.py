"""Weights with the layers that another file, or the settings, say they belong to."""

from __future__ import annotations

from pathlib import Path

from modelaudit.facts import Artifact
from modelaudit.file_formats import Content, formats
from modelaudit.formats.io.bounded import file_entry
from modelaudit.settings import Settings
from modelaudit.structs import replace

BESIDE = "../"  # how the path of a file beside a model that is a directory begins


def add_architecture(artifact: Artifact, settings: Settings) -> Artifact:
    """Weights with the architecture from the settings, or from a file next to them.

    That next to them is then one of the model's files.

    Raises:
        UsageError: the file in the settings contains no architecture.
    """
    if artifact.format not in formats(Content.WEIGHTS):
        return artifact
    from modelaudit.formats.keras.external_architecture import (  # importing h5py takes long
        find_architecture,
        read_architecture,
        with_architecture,
    )

    limits = settings.limits
    if settings.architecture:
        return with_architecture(
            artifact, read_architecture(Path(settings.architecture), limits), limits
        )
    found = find_architecture(artifact, limits)
    bound = with_architecture(artifact, found, limits) if found else artifact
    if found is None or bound is artifact:
        return artifact
    place = artifact.root.with_name(found.file)
    entry = file_entry(place, place, "config", limits)
    if artifact.root.is_dir():
        entry = replace(entry, path=BESIDE + entry.path)
    return replace(bound, files=(*bound.files, entry))
