"""The bytes that the text of a function in a Keras config stands for."""

from __future__ import annotations

import base64
import binascii


def code_bytes(text: str) -> bytes:
    """A marshalled code object as `func_load` of Keras takes it from the text.

    Keras writes base64. Keras 1 and the first versions of Keras 2 made each byte a character, which
    is what a text that is no base64 is taken for.
    """
    try:
        return base64.b64decode(text.encode("ascii"), validate=False)
    except (UnicodeEncodeError, binascii.Error):
        return text.encode("raw_unicode_escape")
