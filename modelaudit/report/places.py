"""Where a model lies, for formats whose readers show findings beside the files of a repository."""

from __future__ import annotations

from pathlib import PurePosixPath

from modelaudit.report.values import as_map, as_text
from modelaudit.schema import Audit


def path_of(audit: Audit) -> str:
    """The model's path in the directory that was audited."""
    model = as_map(audit.model)
    return as_text(model.get("path")) or as_text(model.get("slug")) or "model"


def path_below(base: str, audit: Audit) -> str | None:
    """The model's path relative to the absolute directory `base`; None where it lies elsewhere."""
    whole = PurePosixPath(as_text(as_map(audit.model).get("root"))) / path_of(audit)
    if not base or not whole.is_relative_to(base):
        return None
    return whole.relative_to(base).as_posix()
