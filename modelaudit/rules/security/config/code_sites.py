"""Python code in a model's configs, in all of its encodings.

Keras 1 and early Keras 2 wrote marshal bytes directly into the JSON, Keras 2 writes base64 as the
first item of a list, Keras 3 base64 in a `__lambda__` object. Some files contain source text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from msgspec import Struct

from modelaudit.facts import Artifact, Json
from modelaudit.formats.bytecode.marshal_reader import (
    SHORTEST,
    Unreadable,
    looks_like_bytecode,
    read_bytecode,
)
from modelaudit.rules.security.config.allowed_code import (
    Judgement,
    judge_bytecode,
    judge_source,
)
from modelaudit.rules.security.config.own_imports import only_imports
from modelaudit.rules.security.config.read_attributes import only_reads
from modelaudit.rules.security.config_walk import (
    ConfigObject,
    ConfigText,
    config_tree,
)
from modelaudit.structs import PerObject
from modelaudit.work_budget import is_spent, spend

_WORD = re.compile(r"[^\W\d]\w*")
_QUOTED = re.compile(r"""'([^'\\\n]{0,200})'|"([^"\\\n]{0,200})\"""")
# Possessive, so that matching hostile text takes linear time.
_NAME = re.compile(r"[^\W\d]\w*+(?:[.>][^\W\d]\w*+)*+")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{16,}+={0,2}\s*+")
# Python's decoder, and so Keras, skips everything that is not in the alphabet.
# The first eight bits of a code object's type are followed by those of its argument count.
_IN_BASE64 = re.compile(r"[^A-Za-z0-9+/]*+[Y4][^A-Za-z0-9+/]*+[w-z0-9+/]")

# Where a Lambda stores functions, and how each says that it is one.
_SLOTS = ("function", "output_shape", "mask")
_KEYS = frozenset((*_SLOTS, "code", "items"))
_SHOWN = 24
_SHOWN_TEXT = 200
_MOST = 1_000  # pieces of code to judge, which takes a millisecond each; honest models have ten


class CodeSite(Struct, frozen=True, eq=False):
    """A piece of code and what it refers to.

    Attributes:
        text: the string that contains it.
        encoding: base64, raw or source.
        names: identifiers in it; () if it could not be read.
        constants: string literals in it.
        origin: `file:line` recorded in the code; empty for source.
        python: Python versions whose bytecode it is; empty for source.
        unreadable: why it could not be read; empty if it could.
        judged: what in it is not on the allow list.
        digest: SHA-256 of its bytes.
        only_reads: whether it calls nothing, and all that is unlisted is attributes that it reads.
        only_imports: whether all that is unlisted is imports of what it computes with, and its names.
    """

    text: ConfigText
    encoding: str
    names: tuple[str, ...]
    constants: tuple[str, ...]
    origin: str
    python: str
    unreadable: str
    digest: str
    judged: Judgement = Judgement()
    only_reads: bool = False
    only_imports: bool = False

    def evidence(self) -> dict[str, Json]:
        """As JSON, shortened for display."""
        found: dict[str, Json] = {
            "layer": self.text.site.layer,
            "encoding": self.encoding,
            "sha256": self.digest,
        }
        if self.unreadable:
            return found | {"unreadable": self.unreadable}
        found["names"] = [name[:_SHOWN_TEXT] for name in self.names[:_SHOWN]]
        if self.constants:
            found["constants"] = [text[:_SHOWN_TEXT] for text in self.constants[:_SHOWN]]
        if self.python:
            found |= {"python": self.python, "origin": self.origin[:_SHOWN_TEXT]}
        if self.judged.unlisted:
            found["unlisted"] = [each[:_SHOWN_TEXT] for each in self.judged.unlisted[:_SHOWN]]
        if self.judged.unsound:
            found["unsound"] = list(self.judged.unsound)
        return found


def _find(artifact: Artifact) -> tuple[CodeSite, ...]:
    found: list[CodeSite] = []
    for text in config_tree(artifact).texts:
        if len(found) > _MOST:
            found.append(_unreadable(text, f"it is after the first {_MOST:,} pieces of code"))
            break
        if found and is_spent():
            found.append(_unreadable(text, "the audit took too much work before it (setting work)"))
            break
        spend(5)
        if site := _code_at(text):
            found.append(site)
    return tuple(found)


def _code_at(text: ConfigText) -> CodeSite | None:
    """The code in a text, if there is any; any text can be bytecode, only a slot's can be source."""
    if len(text.value) < SHORTEST and text.key.partition("/")[0] not in _KEYS:
        return None
    for encoding, data in _decoded(text.value):
        if looks_like_bytecode(data):
            return _bytecode(text, encoding, data)
    if not _in_slot(text) or (text.key in _SLOTS and _NAME.fullmatch(text.value)):
        return None  # a bare word in a slot names a function
    if _BASE64.fullmatch(text.value) or (not text.value.isprintable() and "\n" not in text.value):
        return _unreadable(text, "neither bytecode of a known form nor source text")
    words = tuple(dict.fromkeys(_WORD.findall(text.value)))
    quoted = tuple(dict.fromkeys(a or b for a, b in _QUOTED.findall(text.value)))
    digest = hashlib.sha256(text.value.encode("utf-8", "surrogatepass")).hexdigest()
    return CodeSite(text, "source", words, quoted, "", "", "", digest, judge_source(text.value))


def _decoded(value: str) -> Iterator[tuple[str, bytes]]:
    """The bytes that a text may encode, if its first characters match a code object's."""
    if value[:1] in {"c", "\xe3"} and value[3:5] == "\0\0":
        yield "raw", value.encode("raw_unicode_escape")  # as the old Keras decodes it
    elif _IN_BASE64.match(value):
        try:
            yield "base64", base64.b64decode(value.encode("ascii", "replace"))
        except binascii.Error:
            return


def _in_slot(text: ConfigText) -> bool:
    """Whether a loader would turn this text into a function."""
    site, key = text.site, text.key
    if site.parent is not None and site.parent.class_name == "__lambda__":
        return key == "code"
    holder = site
    if site.class_name == "__tuple__" and key == "items/0" and site.parent is not None:
        slot, holder = site.step, site.parent
    else:
        slot = key.removesuffix("/0")
    if slot not in _SLOTS or holder.parent is None or holder.parent.class_name != "Lambda":
        return False
    kind = holder.value.get(f"{slot}_type", "lambda" if slot == "function" else "raw")
    return kind == "lambda" and holder.step == "config"


def _bytecode(text: ConfigText, encoding: str, data: bytes) -> CodeSite:
    result = read_bytecode(data)
    digest = hashlib.sha256(data).hexdigest()
    if isinstance(result, Unreadable):
        return CodeSite(text, encoding, (), (), "", "", result.reason, digest)
    judged = judge_bytecode(result, _modules(text), _given(text))
    return CodeSite(
        text,
        encoding,
        names=result.all_names(),
        constants=result.texts(),
        origin=f"{result.code.filename}:{result.code.first_line}",
        python=result.python,
        unreadable="",
        digest=digest,
        judged=judged,
        only_reads=only_reads(result, judged.unlisted),
        only_imports=only_imports(result, judged.unlisted),
    )


def _lambda_config(text: ConfigText) -> ConfigObject:
    """The config of the layer that the code belongs to; the innermost object if there is none."""
    site: ConfigObject | None = text.site
    while site is not None:
        if site.step == "config" and site.parent is not None and site.parent.class_name == "Lambda":
            return site
        site = site.parent
    return text.site


def _modules(text: ConfigText) -> tuple[str, ...]:
    """Modules whose names Keras 2 adds to the code's globals."""
    config = _lambda_config(text).value
    named = (config.get(key) for key in ("module", *(f"{slot}_module" for slot in _SLOTS)))
    return tuple(module for module in named if isinstance(module, str))


def _given(text: ConfigText) -> Json:
    """Defaults and closure next to the code, and arguments that the layer passes to it."""
    beside: Json = [
        value for key, value in text.site.value.items() if key not in {text.key, "code"}
    ]
    slot, _, index = text.key.rpartition("/")
    if index == "0":
        held = text.site.value.get(slot)
        beside = held[1:] if isinstance(held, list) else None
    elif text.site.parent is None or text.site.parent.class_name != "__lambda__":
        beside = None
    return [beside, _lambda_config(text).value.get("arguments")]


def _unreadable(text: ConfigText, reason: str) -> CodeSite:
    digest = hashlib.sha256(text.value.encode("utf-8", "surrogatepass")).hexdigest()
    return CodeSite(text, "unknown", (), (), "", "", reason, digest)


code_sites = PerObject(_find)
"""Every piece of code in an artifact's configs."""
