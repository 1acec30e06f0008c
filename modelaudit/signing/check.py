"""The signatures beside a model: who made them, and whether its files are as signed."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from msgspec import UNSET

from modelaudit.audit_types.signing import SignatureRow, SignedFiles, Signer, SigningSection
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact
from modelaudit.settings import Limits, Settings
from modelaudit.settings.installation import CORE, FULL, require, version
from modelaudit.settings.signing import Signing
from modelaudit.signing.bundle import Bundle, SignedBy, read_bundle
from modelaudit.signing.comparison import compare, placed
from modelaudit.signing.manifest import Manifest, read_manifest
from modelaudit.signing.signer import SignerCheck
from modelaudit.structs import replace
from modelaudit.terminal_text import plain

SUFFIX = ".sig"
USUAL = "model.sig"  # what OpenSSF Model Signing writes by default
MOST_SIGNATURES = 20
MOST_NAMES = 500  # in one list of a row
NEEDS = ("cryptography",)
NEEDS_SIGSTORE = ("cryptography", "sigstore")
NO_IDENTITIES = "the settings trust no identity of Sigstore"


def adds(extra: str) -> str:
    """The command that installs what an extra needs."""
    return f"pip install '{CORE if version(CORE) else FULL}[{extra}]'"


def check_trust(trusted: Signing) -> None:
    """Check that what the settings trust can be used.

    Raises:
        UsageError: a file has no key, certificate or trusted root.
        MissingPackage: what verifies signatures is not installed.
    """
    if not trusted.trusts:
        return
    require(NEEDS, "verifying signatures needs", adds=adds("signing"))
    from modelaudit.signing.trust import trusted_certificates, trusted_keys

    trusted_keys(trusted.public_keys)
    trusted_certificates(trusted.certificates)
    if trusted.identities and trusted.trusted_root:
        needed = "verifying signatures of Sigstore needs"
        require(NEEDS_SIGSTORE, needed, adds=adds("sigstore"))
        from modelaudit.signing.sigstore_signer import verifier

        verifier(trusted.trusted_root)


def signature_names(model: str) -> tuple[str, ...]:
    """What signatures beside a model of this name may be called."""
    return tuple(dict.fromkeys((model + SUFFIX, USUAL)))


def signature_paths(model: Path) -> list[Path]:
    """Where signatures of a model may be, whether or not they exist, beside it and inside.

    Beside it, a signature is called `model.sig` or like the model; listing the directory for every
    model in it would take long.
    """
    names = signature_names(model.name)
    try:
        with os.scandir(model) as entries:
            inside = [Path(each.path) for each in entries if each.name.endswith(SUFFIX)]
    except OSError:  # a file, or a directory that cannot be read, which the reader says
        inside = []
    return [*sorted(inside), *(model.parent / name for name in names)]


def check_signatures(artifact: Artifact, settings: Settings, created: str) -> SigningSection:
    """Every signature that is about a model, and what it shows.

    Args:
        artifact: the model.
        settings: for this model.
        created: when it is audited, ISO 8601 in UTC; certificates must be valid then.
    """
    trusted, now = settings.signing, datetime.datetime.fromisoformat(created)
    paths = [path for path in signature_paths(artifact.root) if os.path.lexists(path)]
    rows = [_row(path, artifact, trusted, settings.limits, now) for path in paths[:MOST_SIGNATURES]]
    for path in paths[MOST_SIGNATURES : MOST_SIGNATURES + 1]:
        more = len(paths) - MOST_SIGNATURES
        rows.append(_unverifiable(path, f"{more:,} signatures from this one on were not read"))
    found = tuple(row for row in rows if row is not None)
    return SigningSection(required=bool(trusted.required), found=found)


def _row(
    path: Path, artifact: Artifact, trusted: Signing, limits: Limits, now: datetime.datetime
) -> SignatureRow | None:
    """What a signature shows; None if it is about something else."""
    try:
        bundle = read_bundle(path, limits)
        manifest = read_manifest(bundle.envelope.payload, limits, path.name)
        signed = signed_place(path, manifest, artifact.root)
        if signed is None:
            return None
        one_file = manifest.of_one_file
        model = placed(artifact, signed=signed, one_file=one_file, limits=limits)
        found = compare(manifest, model, path, links=trusted.allow_symlinks, limits=limits)
    except (ReadError, OSError) as error:
        return _unverifiable(path, plain(str(error)))
    row = SignatureRow(
        file=path.name,
        signer=Signer.UNCHECKED,
        files=SignedFiles.INTACT if found.intact else SignedFiles.DIFFER,
        identity=_claimed(bundle),
        signed_as=_other_name(manifest.subject, artifact.root if one_file else signed),
        covered=len(found.same),
        changed=_names(found.changed),
        missing=_names(found.missing),
        added=_names(found.added),
        left_out=_names(found.left_out),
        loaded_left_out=_names(
            name for name in found.left_out if name in model.loaded and manifest.ignores(name)
        ),
    )
    return _with_signer(row, bundle, trusted, now) if trusted.trusts else row


def _unverifiable(path: Path, problem: str) -> SignatureRow:
    return SignatureRow(
        file=path.name,
        signer=Signer.UNCHECKED,
        files=SignedFiles.UNVERIFIABLE,
        problem=problem,
    )


def _other_name(subject: str, signed: Path) -> str:
    """The name of what was signed, if it is another than today's."""
    return "" if subject in ("", ".", signed.name) else plain(subject[:200])


def signed_place(path: Path, manifest: Manifest, model: Path) -> Path | None:
    """The directory whose files a signature names: the model, or the one that it is in.

    A signature that is called like the model, or whose subject is, is about it. One called
    `model.sig` may be about all files beside it, but not if it is about one of them.

    Returns:
        None if the signature is about something else.
    """
    whole = model.is_dir()
    if path.parent == model:
        return None if manifest.of_one_file else model
    about = path.name == model.name + SUFFIX or manifest.subject == model.name
    if manifest.of_one_file:
        return model.parent if about and not whole else None
    if about and whole:
        return model
    subject = manifest.subject
    of_neighbour = subject != model.parent.name and _is_neighbour(model.parent, subject)
    return model.parent if about or not of_neighbour else None


def _is_neighbour(directory: Path, name: str) -> bool:
    inside = name not in ("", ".", "..") and not set("/\0").intersection(name)
    try:
        return inside and os.path.lexists(directory / name)
    except (OSError, ValueError):
        return False


def _with_signer(
    row: SignatureRow, bundle: Bundle, trusted: Signing, now: datetime.datetime
) -> SignatureRow:
    seen = _signer(bundle, trusted, now)
    ends = seen.valid_until
    return replace(
        row,
        signer=seen.signer,
        identity=plain(seen.identity[:200]),
        problem=plain(seen.problem),
        valid_until=f"{ends:%Y-%m-%dT%H:%M:%SZ}" if ends else UNSET,
    )


def _signer(bundle: Bundle, trusted: Signing, now: datetime.datetime) -> SignerCheck:
    if bundle.by is SignedBy.SIGSTORE:
        if not trusted.identities:
            return SignerCheck(Signer.UNKNOWN, _claimed(bundle), NO_IDENTITIES)
        from modelaudit.signing.sigstore_signer import check_identity

        return check_identity(bundle, trusted)
    from modelaudit.signing.trust import check_signer

    return check_signer(bundle, trusted, now)


def _claimed(bundle: Bundle) -> str:
    if bundle.by is SignedBy.KEY:
        return f"key {plain(bundle.hint[:16])}" if bundle.hint else "a key that it does not name"
    return "an identity of Sigstore" if bundle.by is SignedBy.SIGSTORE else "a certificate"


def _names(found: Iterable[str]) -> tuple[str, ...]:
    """The first of the names, as text."""
    shown = (os.fsencode(name).decode("utf-8", "backslashreplace") for name in found)
    return tuple(islice(map(plain, shown), MOST_NAMES))
