"""The identity of the model."""

from __future__ import annotations

from msgspec import UNSET

from modelaudit.audit_types.model import ModelSection
from modelaudit.facts import Artifact


def model_section(
    artifact: Artifact, root: str, path: str, slug: str, origin: str = ""
) -> ModelSection:
    """The identity of the model: path, format, versions and origin."""
    return ModelSection(
        root=root,
        path=path,
        slug=slug,
        format=artifact.format.value,
        format_label=artifact.format.label,
        sha256=artifact.sha256,
        bytes=artifact.nbytes,
        files=len(artifact.files),
        saved_with=artifact.provenance,
        complete=artifact.complete,
        origin=origin or UNSET,
    )
