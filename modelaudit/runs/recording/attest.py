"""Writes the attestations of a finished run, beside the audits of its models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from modelaudit.errors import ReadError, SchemaError, UsageError
from modelaudit.registry.output_directory import write_atomic
from modelaudit.result_row import ResultRow
from modelaudit.schema import Audit, load
from modelaudit.settings import Limits
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.settings.installation import require
from modelaudit.signing.attestation import FILE, attest
from modelaudit.signing.check import NEEDS, adds
from modelaudit.signing.comparison import listed_files

if TYPE_CHECKING:
    from modelaudit.signing.keys import PrivateKey


def attesting_key(path: Path, password: str | None) -> PrivateKey:
    """The private key in a file.

    Args:
        path: PEM.
        password: of an encrypted key.

    Raises:
        UsageError: the file has none, or the password is wrong or missing.
        MissingPackage: what signs is not installed.
    """
    require(NEEDS, "attestations need", adds=adds("signing"))
    from modelaudit.signing import keys

    try:
        return keys.private_key(path.read_bytes(), password.encode() if password else None)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def write_attestations(
    out: Path,
    rows: Iterable[ResultRow],
    key: PrivateKey,
    targets: Iterable[AuditTarget],
    limits: Limits,
) -> Iterator[str]:
    """Attest the audit of each model; yields why a model has no attestation.

    Args:
        out: directory of the reports.
        key: who attests.
        targets: where the models are.
        limits: `files` is the largest number of files of a directory.
    """
    roots = {each.slug: each.path for each in targets}
    for row in rows:
        folder = out / "models" / row.slug
        try:
            audit = load(folder / "audit.json")
            _check_complete(audit, roots.get(row.slug), limits)
            write_atomic(folder / FILE, attest(audit, key))
        except (ValueError, SchemaError, ReadError) as error:
            yield f"{row.path}: not attested: {error}"


def _check_complete(audit: Audit, root: Path | None, limits: Limits) -> None:
    """Check that a directory has nothing that the audit did not read.

    Raises:
        ValueError: it has a link, a special file, or another model.
        LimitExceeded: it has more than `limits.files`.
    """
    if root is None or not root.is_dir():
        return
    unread = listed_files(root, limits).keys() - {each.path for each in audit.files}
    if unread:
        raise ValueError(f"the audit did not read {min(unread)}, which is in it")
