"""Marshal streams: code of this interpreter and seven Python versions, then malicious ones."""

from __future__ import annotations

import base64
import marshal
import types
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelaudit.formats.bytecode.marshal_reader import (
    MAX_BYTES,
    Bytecode,
    Code,
    Unreadable,
    looks_like_bytecode,
    read_bytecode,
)
from tests.made.marshalled import STREAMS

FAMILIES = {
    "2.7": "2.3 to 2.7",
    "3.6": "3.0 to 3.7",
    "3.8": "3.8 to 3.10",
    "3.10": "3.8 to 3.10",
    "3.11": "3.11 to 3.14",
    "3.12": "3.11 to 3.14",
    "3.13": "3.11 to 3.14",
}

RICH = """
def outer(a, b=1, *args, **kw):
    import os, sys as s
    numbers = (1, 2.5, 3j, -7, 10**30, -(10**40), True, None, ..., frozenset([1, 2]))
    texts = ("text", b"bytes", "h\\xe9", "\\u20ac", "a" * 300)
    def inner(y):
        return [os.path.join(str(z), "x") for z in y if z in {1, 2, 3}] + [numbers[1:2]]
    class Inside(object):
        def method(self):
            return s.exit, lambda q: q + a
    try:
        return inner, Inside, texts
    except* ValueError:
        pass
"""


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def facts(code: types.CodeType) -> tuple[object, ...]:
    return code.co_name, code.co_filename, code.co_firstlineno, code.co_names, code.co_code


def read(data: bytes) -> Bytecode:
    result = read_bytecode(data)
    assert isinstance(result, Bytecode), result
    return result


@pytest.mark.parametrize("version", range(marshal.version + 1))
def test_agrees_with_this_interpreter(version: int) -> None:
    code = compile(RICH, "some/where.py", "exec")
    result = read(marshal.dumps(code, version))
    ours = [
        (each.name, each.filename, each.first_line, each.names, each.bytecode)
        for each in result.code.nested()
    ]
    assert sorted(ours) == sorted(facts(each) for each in codes(code))
    assert result.python == "3.11 to 3.14"


def leaves(value: object) -> Iterator[object]:
    """Numbers and strings in a constant, ours or the interpreter's."""
    if isinstance(value, (tuple, list, frozenset)):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, types.CodeType):
        yield from leaves(value.co_consts)
    elif isinstance(value, Code):
        yield from leaves(value.constants)
    elif isinstance(value, (int, float, complex, str, bytes)):
        yield value


def test_constants_keep_their_values() -> None:
    code = compile(RICH, "x.py", "exec")
    ours = {repr(leaf) for leaf in leaves(read(marshal.dumps(code)).code)}
    assert ours == {repr(leaf) for leaf in leaves(code)}
    assert {"2.5", "3j", str(10**30), "b'bytes'", repr("h\xe9"), repr("\u20ac")} <= ours


@pytest.mark.parametrize("version", STREAMS)
def test_reads_every_family(version: str) -> None:
    result = read(base64.b64decode(STREAMS[version]))
    assert result.python == FAMILIES[version]
    assert (result.code.name, result.code.filename, result.code.first_line) == (
        "scale",
        "layers.py",
        1,
    )
    assert set(result.all_names()) == {"os", "path", "join", "math", "pi"}
    assert {"os", "caf\xe9"} <= {text.replace("\\xe9", "\xe9") for text in result.texts()}
    inner = [each.name for each in result.code.nested()]
    assert inner == ["scale", "<lambda>"]
    assert {"x", "offset"} <= set(result.code.variables)


@pytest.mark.parametrize("version", STREAMS)
def test_truncation_at_any_byte_is_unreadable(version: str) -> None:
    data = base64.b64decode(STREAMS[version])
    assert looks_like_bytecode(data)
    for end in range(len(data)):
        assert isinstance(read_bytecode(data[:end]), Unreadable)


HEAD = b"\xe3" + bytes(20) + b"s\0\0\0\0"  # a code object of Python 3.11 up to its constants


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEAD + b"r" + bytes(4), "contains itself"),
        (HEAD + b"\xa9\x01r\x01\0\0\0", "contains itself"),
        (HEAD + b")\x01" * 5000, "too deeply"),
        (HEAD + b"(\xff\xff\xff\x7f", "fewer are present"),
        (HEAD + b"(\xff\xff\xff\xff", "fewer are present"),
        (HEAD + b"l\xff\xff\xff\x7f", "digits"),
        (HEAD + b"r\xff\0\0\0", "refers to"),
        (HEAD + b"!", "unknown type code"),
        (b"i\x01\0\0\0", "no code object"),
        (b"", "truncated"),
        (bytes(MAX_BYTES + 1), "more than"),
    ],
)
def test_hostile_streams_end_with_a_reason(data: bytes, reason: str) -> None:
    result = read_bytecode(data)
    assert isinstance(result, Unreadable)
    assert reason in result.reason


def test_shared_objects_are_not_copied() -> None:
    """Each tuple contains the previous one twice: 2**40 strings if they were expanded."""
    constants = b"\xa9\x01\xda\x01x"  # references 1 and 2
    for number in range(40):
        step = (number + 3 - 1 if number else 1).to_bytes(4, "little")
        constants += b"\xa9\x02r" + step + b"r" + step
    data = HEAD + b")\x29" + constants + b")\0)\0" + b"s\0\0\0\0" + b"z\0" * 3
    data += bytes(4) + b"s\0\0\0\0" * 2
    result = read(data)
    assert result.texts() == ("x",)
    assert len(list(result.code.nested())) == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(data: bytes) -> None:
    assert isinstance(read_bytecode(data), (Bytecode, Unreadable))


@settings(max_examples=300)
@given(st.sampled_from(sorted(STREAMS)), st.integers(0, 500), st.integers(0, 255))
def test_changed_bytes_are_read_or_unreadable(version: str, position: int, value: int) -> None:
    data = bytearray(base64.b64decode(STREAMS[version]))
    data[position % len(data)] = value
    result = read_bytecode(bytes(data))
    assert isinstance(result, (Bytecode, Unreadable))
    if isinstance(result, Bytecode):
        assert all(isinstance(code, Code) for code in result.code.nested())
        assert all(isinstance(text, str) for text in (*result.all_names(), *result.texts()))
