"""Which of a directory's names belong to a model that the directory itself is."""

from __future__ import annotations

from pathlib import Path

from modelaudit.formats.keras.preset_names import DIRECTORIES, is_preset, preset_files
from modelaudit.formats.orbax.sniff import is_orbax
from modelaudit.formats.sniff import is_unpacked, plain_graph
from modelaudit.registry import file_groups
from modelaudit.registry.directory_listing import DirectoryListing


def own_of_directory(directory: Path, listing: DirectoryListing, inside: bool) -> frozenset[str]:
    """Names in the directory that belong to the model that it is, if it is one.

    An Orbax checkpoint contains directories that look like checkpoints themselves.
    """
    has_variables = "variables" in listing.directories
    variables = _names(directory / "variables") if has_variables else []
    if file_groups.is_saved_model(listing.files, variables) and not plain_graph(directory):
        own = file_groups.SAVED_MODEL_FILES | file_groups.SAVED_MODEL_DIRECTORIES
        # Copied without their directory, they are not a checkpoint whose graph is missing.
        flat = {
            name for name in listing.files if file_groups.checkpoint_prefix(name) == "variables"
        }
        return own if has_variables else own | flat
    if is_preset(directory, listing.files):
        return preset_files(listing.files) | DIRECTORIES
    if is_unpacked(directory, listing.files):
        return file_groups.KERAS_FILES | file_groups.KERAS_DIRECTORIES
    everything = frozenset((*listing.files, *listing.directories))
    if not inside and is_orbax(everything):
        return everything
    return frozenset()


def is_variables(directory: Path) -> bool:
    """Whether `directory` is the `variables/` of a SavedModel."""
    return directory.name == "variables" and file_groups.is_saved_model((), _names(directory))


def _names(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except OSError:
        return []
