"""Names in pickles, compared with what Python imports when it unpickles them."""

from __future__ import annotations

import collections
import datetime
import decimal
import io
import pickle

import pytest

from modelaudit.formats.pickle_names import PickleNames, pickle_names


class Importer(pickle.Unpickler):
    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.names = []

    def find_class(self, module, name):
        found = super().find_class(module, name)
        self.names.append(f"{found.__module__}.{found.__qualname__}")
        return found


VALUES = [
    {"a": collections.OrderedDict(a=1), "b": datetime.date(2020, 1, 2)},
    [decimal.Decimal(1), decimal.Decimal(2), collections.Counter("aab"), collections.Counter],
    {"accuracy": [0.5, 0.6], "name": "run", "more": (1, None, True, b"x", {"y"})},
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", VALUES)
def test_the_names_are_those_that_unpickling_imports(value, protocol):
    data = pickle.dumps(value, protocol)
    importer = Importer(data)
    importer.load()
    found = pickle_names(data)
    renamed = [name.replace("__builtin__", "builtins") for name in found.names]
    assert (renamed, found.whole) == ([*dict.fromkeys(importer.names)], True)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_cut_pickle_has_the_names_before_the_cut(protocol):
    data = pickle.dumps([collections.Counter("ab"), decimal.Decimal(1)], protocol)
    whole = pickle_names(data)
    assert len(whole.names) >= 2
    for size in range(len(data)):
        found = pickle_names(data[:size])
        assert not found.whole
        assert found.names == whole.names[: len(found.names)]


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x04", b"\x80\x04\x93\x93.", b"\x80\x04h\x09\x93", b"no."]
)
def test_what_is_no_pickle_has_no_names(data):
    assert [name for name in pickle_names(data).names if name.strip(".")] == []


def test_a_pickle_that_names_much_is_read_in_part():
    data = b"".join(b"cmodule\nname%d\n0" % index for index in range(1000)) + b"."
    found = pickle_names(data)
    assert (len(found.names), found.whole) == (64, False)
    data = b"c" + b"m" * 5000 + b"\nname\n."
    assert pickle_names(data + b"more") == PickleNames(("m" * 200,), True, len(data))
