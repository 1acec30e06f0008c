"""What is known of who made a signature."""

from __future__ import annotations

import datetime

from msgspec import Struct

from modelaudit.audit_types.signing import Signer

UNTRUSTED = "the settings do not trust it"


class SignerCheck(Struct, frozen=True):
    """What is known of a signer; see `SignatureRow`."""

    signer: Signer
    identity: str = ""
    problem: str = ""
    valid_until: datetime.datetime | None = None
