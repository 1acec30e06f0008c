"""Signatures beside a model, in words."""

from __future__ import annotations

from modelaudit.audit_types.signing import SignatureRow, SignedFiles, Signer, SigningSection
from modelaudit.report.wording import text
from modelaudit.terminal_text import first_of

_SIGNERS = {
    Signer.TRUSTED: "signed by {}",
    Signer.EXPIRED: "signed by {}, whose certificate is not valid now",
    Signer.UNKNOWN: "signed by {}, whom the settings do not trust",
    Signer.INVALID: "claims to be signed by {}, who did not sign it",
    Signer.UNCHECKED: "signed by {}, which was not checked: the settings trust nobody",
}
NONE = "none, though the settings ask for one"
_LEFT_OUT_SHOWN = 5


def signatures(section: SigningSection) -> list[str]:
    """A sentence for each signature; [] if there is none and none was asked for."""
    if not section.found:
        return [NONE] if section.required else []
    return [f"{row.file}: {_signature(row)}" for row in section.found]


def _signature(row: SignatureRow) -> str:
    if row.files is SignedFiles.UNVERIFIABLE:
        return f"cannot be verified ({row.problem})"
    signer = _SIGNERS[row.signer].format(row.identity)
    if row.files is SignedFiles.INTACT:
        files = f"{text.plural(row.covered, 'file')} as signed"
    else:
        counts = {"changed": row.changed, "missing": row.missing, "not signed": row.added}
        told = [f"{len(names):,} {word}" for word, names in counts.items() if names]
        files = f"files differ: {text.listing(told) if told else 'none of them is covered'}"
    renamed = f"; signed as {row.signed_as}" if row.signed_as else ""
    left = ""
    if row.left_out:
        left = f"; left out: {first_of(row.left_out, _LEFT_OUT_SHOWN)}"
    return f"{signer}; {files}{renamed}{left}"
