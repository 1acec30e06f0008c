"""A model to audit, as runs hand it from discovery to the pipeline."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from modelaudit.facts import Format, Signature


class OuterArchive(Struct, frozen=True):
    """The outermost archive that a model is in, with the work that is left for its models.

    Attributes:
        path: of the archive.
        units: of plain work that its models may take together.
    """

    path: Path
    units: float


class AuditTarget(Struct, frozen=True):
    """One model to audit: its path, and the directory name of its report."""

    path: Path
    root: Path
    relative: str
    slug: str
    origin: str = ""  # its origin according to a registry, on one line
    previous: Path | None = None  # the previous version
    label: str = ""  # last parts of `root`, to distinguish models of several roots
    declared_signature: Signature | None = None  # inputs and outputs according to MLflow
    format: Format | None = None  # as it was found; None if unknown
    address: str = ""  # the URL of what `root` is a copy of
    sources: tuple[Path, ...] = ()  # what an export may have been made from, the likeliest first
    previous_name: str = ""  # what MLflow calls the previous version
    archive: OuterArchive | None = None  # the archive that it is in

    @property
    def shown(self) -> str:
        """Its path as shown in reports, relative to `base`."""
        return f"{self.label}/{self.relative}" if self.label else self.relative

    @property
    def base(self) -> Path:
        """`root` without the parts in `label`."""
        return self.root.parents[self.label.count("/")] if self.label else self.root

    @property
    def shown_base(self) -> str:
        """The same for reports: without `label`, the URL if `root` is the copy of one."""
        return self.address.removesuffix(f"/{self.label}") or str(self.base)
