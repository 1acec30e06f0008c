"""Writes the attestations of a finished run, beside the audits of its models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from modelaudit.errors import SchemaError, UsageError
from modelaudit.registry.output_directory import write_atomic
from modelaudit.result_row import ResultRow
from modelaudit.schema import load
from modelaudit.settings.installation import require
from modelaudit.signing.attestation import FILE, attest
from modelaudit.signing.check import NEEDS, adds

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


def write_attestations(out: Path, rows: Iterable[ResultRow], key: PrivateKey) -> Iterator[str]:
    """Attest the audit of each model; yields why a model has no attestation.

    Args:
        out: directory of the reports.
        rows: the models.
        key: who attests.
    """
    for row in rows:
        folder = out / "models" / row.slug
        try:
            write_atomic(folder / FILE, attest(load(folder / "audit.json"), key))
        except (ValueError, SchemaError) as error:
            yield f"{row.path}: not attested: {error}"
