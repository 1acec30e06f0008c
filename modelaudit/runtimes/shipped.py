"""The profiles in this package, in one file: what they have in common is stored once.

`profiles.tsv.gz` has a line for each fact that any profile has: a hexadecimal number with a bit for
each profile that has it, the section of the profile, the fact's name as JSON, and its value as
JSON. A section that is not an object is one line without a name. The first line names the profiles,
in the order of the bits.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modelaudit.facts import Json

FILE = Path(__file__).with_name("profiles.tsv.gz")
_GZIP = 16 + zlib.MAX_WBITS  # as zlib takes it: with the header of gzip
_HEAD = 4096  # characters that hold the first line
Line = tuple[int, str, str, str]  # bits, section, name, value


@cache
def names() -> tuple[str, ...]:
    """The names of the profiles, such as `tf-2.15.1+keras-2.15.0`."""
    head = zlib.decompressobj(_GZIP).decompress(FILE.read_bytes(), _HEAD)
    return tuple(head.decode().partition("\n")[0].split("\t"))


def document(name: str) -> Mapping[str, Any]:
    """The document of one profile, as it was collected."""
    bit = 1 << names().index(name)
    sections: dict[str, list[str]] = {}
    whole = {}
    for bits, section, key, value in _lines():
        if not bits & bit:
            continue
        if key:
            sections.setdefault(section, []).append(f"{key}:{value}")
        else:
            whole[section] = value
    whole |= {section: "{" + ",".join(facts) + "}" for section, facts in sections.items()}
    text = ",".join(f'"{section}":{value}' for section, value in whole.items())
    found: Mapping[str, Any] = json.loads("{" + text + "}")
    return found


def pack(documents: Mapping[str, Mapping[str, Json]]) -> bytes:
    """The content of the file for these documents by name."""
    bits: dict[tuple[str, str, str], int] = {}
    for place, name in enumerate(documents):
        for fact in _facts(documents[name]):
            bits[fact] = bits.get(fact, 0) | 1 << place
    lines = ("\t".join((f"{each:x}", *fact)) for fact, each in sorted(bits.items()))
    return gzip.compress("\n".join(("\t".join(documents), *lines)).encode(), mtime=0)


def _facts(of: Mapping[str, Json]) -> Iterator[tuple[str, str, str]]:
    for section, value in of.items():
        if isinstance(value, dict) and value:
            for key, each in value.items():
                yield section, json.dumps(key), _compact(each)
        else:
            yield section, "", _compact(value)


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


@cache
def _lines() -> tuple[Line, ...]:
    content = zlib.decompress(FILE.read_bytes(), _GZIP).decode()
    split = (line.split("\t", 3) for line in content.split("\n")[1:])
    return tuple((int(bits, 16), section, key, value) for bits, section, key, value in split)
