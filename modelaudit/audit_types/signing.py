"""Signatures beside a model: who signed it, and whether its files are the signed ones."""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, UnsetType

from modelaudit.audit_types.values import AuditSection, Count, OptionalSection


class Signer(StrEnum):
    """What is known of who made a signature."""

    TRUSTED = "trusted"  # an identity that the settings trust
    EXPIRED = "expired"  # the same, but a certificate has expired, or is not valid yet
    UNKNOWN = "unknown"  # none that the settings trust
    INVALID = "invalid"  # it names a trusted identity, which did not make it
    UNCHECKED = "unchecked"  # the settings trust nobody


class SignedFiles(StrEnum):
    """What is known of the files that a signature is for."""

    INTACT = "intact"  # all files of the model are as they were signed
    DIFFER = "differ"  # some are not
    UNVERIFIABLE = "unverifiable"  # the signature cannot be used


class SignatureRow(AuditSection, frozen=True, kw_only=True):
    """One signature beside the model."""

    file: str
    """Name of the signature's file."""
    signer: Signer
    """What is known of who made it."""
    files: SignedFiles
    """What is known of the files that it is for."""
    identity: str = ""
    """Who made it: the name of a trusted key, or what the signature says of itself."""
    signed_as: str = ""
    """Name of what was signed, where that has another name now."""
    problem: str = ""
    """Why it cannot be used, or why the signer is not trusted."""
    covered: Count = 0
    """Number of files of the model that are as they were signed."""
    changed: tuple[str, ...] = ()
    """Files with other bytes than the signed ones."""
    missing: tuple[str, ...] = ()
    """Signed files that are gone."""
    added: tuple[str, ...] = ()
    """Files of the model that were not signed."""
    left_out: tuple[str, ...] = ()
    """Files of the model that the signature leaves out: it ignores their paths."""
    loaded_left_out: tuple[str, ...] = ()
    """Those of `left_out` that loaders read."""
    valid_until: str | UnsetType = UNSET
    """When the first of its certificates expires or expired, ISO 8601 in UTC."""


# What a signature by a signer is worth, if its files are as signed; the first one counts.
STATES = {
    Signer.TRUSTED: "intact",
    Signer.EXPIRED: "signer expired",
    Signer.UNKNOWN: "unknown signer",
    Signer.UNCHECKED: "intact, signer not checked",
}


class SigningSection(OptionalSection, frozen=True, kw_only=True):
    """Signatures beside the model, as OpenSSF Model Signing makes them."""

    required: bool = False
    """Whether the settings ask for a signature of this model."""
    found: tuple[SignatureRow, ...] = ()
    """Every signature that is about this model."""

    @property
    def state(self) -> str:
        """All signatures in a word or two, the worst first; "" if there is nothing to say."""
        if not self.found:
            return "none" if self.required else ""
        usable = [row for row in self.found if row.files is not SignedFiles.UNVERIFIABLE]
        if any(row.files is SignedFiles.DIFFER for row in usable):
            return "files differ"
        if self.by(Signer.INVALID):
            return "invalid"
        if any(row.loaded_left_out for row in usable):
            return "leaves out files"
        for signer, said in STATES.items():
            if self.by(signer):
                return said
        return "not verifiable"

    def by(self, signer: Signer) -> tuple[SignatureRow, ...]:
        """The usable signatures whose signer is in this state."""
        return tuple(
            row
            for row in self.found
            if row.signer is signer and row.files is not SignedFiles.UNVERIFIABLE
        )
