"""`[signing]` of the settings file: whose signatures of models are trusted.

The files that it names are read with the settings, so that their bytes are part of every key of a
cache. `signing.trust` parses them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from modelaudit.structs import replace

MOST_BYTES = 1 << 20  # of a file with keys, certificates or a trusted root


class TrustedFile(Struct, frozen=True):
    """A file with a key, certificates or a trusted root: its name in the settings, and its text."""

    name: str
    text: str


class SigstoreIdentity(Struct, frozen=True, forbid_unknown_fields=True):
    """Who signs with Sigstore: an address or workflow, and who vouches for it."""

    identity: str
    issuer: str

    def __post_init__(self) -> None:
        """Check that neither is empty."""
        if not self.identity or not self.issuer:
            raise ValueError("identity and issuer must not be empty")


class Signing(Struct, frozen=True):
    """Whose signatures are trusted, and which models must have one.

    Attributes:
        required: globs on the paths of models that must be signed; `*` for all.
        public_keys: each with one key in PEM.
        certificates: certificates in PEM that a signer's chain must lead to.
        identities: of Sigstore, which need `trusted_root`.
        trusted_root: Sigstore's certificates and keys of logs, as JSON.
        allow_symlinks: whether symbolic links to files count as the files that they lead to.
    """

    required: tuple[str, ...] = ()
    public_keys: tuple[TrustedFile, ...] = ()
    certificates: tuple[TrustedFile, ...] = ()
    identities: tuple[SigstoreIdentity, ...] = ()
    trusted_root: TrustedFile | None = None
    allow_symlinks: bool = False

    @property
    def trusts(self) -> bool:
        """Whether it trusts anybody."""
        return bool(self.public_keys or self.certificates or self.identities)

    def for_model(self, fits: Callable[[str], bool]) -> Signing:
        """The settings for one model, with `required` empty if it need not be signed."""
        return replace(self, required=tuple(filter(fits, self.required)))


class SigningTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[signing]` as it is written; paths are relative to the settings file."""

    required: bool | str | tuple[str, ...] = ()
    public_keys: str | tuple[str, ...] = ()
    certificates: str | tuple[str, ...] = ()
    identities: tuple[SigstoreIdentity, ...] = ()
    trusted_root: str = ""
    allow_symlinks: bool = False

    def __post_init__(self) -> None:
        """Check that what is asked for can be answered."""
        if self.identities and not self.trusted_root:
            raise ValueError("identities require trusted_root: nothing is fetched from the network")
        if self.required and not (self.public_keys or self.certificates or self.identities):
            raise ValueError("required needs public_keys, certificates or identities to trust")


def read_signing(table: SigningTable, folder: Path) -> Signing:
    """What a table says, with the files that it names.

    Raises:
        ValueError: one of the files cannot be read, or is no text.
    """
    asked = ("*",) if table.required is True else table.required or ()
    return Signing(
        required=_all(asked),
        public_keys=tuple(_file(folder, name) for name in _all(table.public_keys)),
        certificates=tuple(_file(folder, name) for name in _all(table.certificates)),
        identities=table.identities,
        trusted_root=_file(folder, table.trusted_root) if table.trusted_root else None,
        allow_symlinks=table.allow_symlinks,
    )


def _all(words: str | tuple[str, ...]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _file(folder: Path, name: str) -> TrustedFile:
    try:
        with (folder / Path(name).expanduser()).open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"{name}: larger than {MOST_BYTES:,} bytes")
        return TrustedFile(name, data.decode("utf-8"))
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: not a text file") from error
