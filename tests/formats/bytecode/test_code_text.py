"""The bytes of a function in a config are those that Keras unmarshals."""

from __future__ import annotations

import base64
import marshal
from types import SimpleNamespace

import pytest

from modelaudit.formats.bytecode.code_text import code_bytes

CODE = (lambda x: x / 255).__code__


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(marshal.dumps(CODE)).decode(),
        base64.b64encode(marshal.dumps(CODE)).decode(),
        marshal.dumps(CODE, 2).decode("raw_unicode_escape"),  # as Keras 1 wrote it
        "abc",  # no base64 for want of a character
        "YWJj\u00e9",
        "",
    ],
)
def test_the_bytes_are_those_of_func_load(text, monkeypatch):
    utils = pytest.importorskip("keras.src.utils.python_utils")
    unmarshalled = []

    def loads(data):
        unmarshalled.append(data)
        return CODE

    monkeypatch.setattr(utils, "marshal", SimpleNamespace(loads=loads))
    utils.func_load(text)
    assert unmarshalled == [code_bytes(text)]
