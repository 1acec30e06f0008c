"""Paths of models, for formats whose readers show findings next to files of a repository."""

from __future__ import annotations

from pathlib import PurePosixPath

from modelaudit.file_formats import Format
from modelaudit.schema import Audit


def path_of(audit: Audit) -> str:
    """The model's path in the audited directory."""
    return audit.model.path or audit.model.slug


def path_below(base: str, audit: Audit) -> str | None:
    """The model's path relative to the absolute directory `base`; None if it is elsewhere."""
    whole = PurePosixPath(audit.model.root) / path_of(audit)
    if not base or not whole.is_relative_to(base):
        return None
    return whole.relative_to(base).as_posix()


def file_of(path: str, audit: Audit, file: str) -> str:
    """The path of a file of the model at `path`.

    Args:
        path: the model's path, relative to any directory.
        file: the file as a finding names it, or empty. A single-file model has its own name; a
            member of an archive follows a colon.
    """
    name = audit.model.format
    form = Format(name) if name in set(Format) else Format.UNKNOWN
    whole = PurePosixPath(path)
    if not file or file.partition(":")[0] == whole.name:
        return path
    if form.is_prefix:
        return whole.with_name(file).as_posix() if "/" not in file else path
    unpacked = form is Format.KERAS_ARCHIVE and file in {entry.path for entry in audit.files}
    return f"{path}/{file}" if form.is_directory or unpacked else path
