"""A JSON Schema of the settings file, by which editors complete and check it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Struct, field

from modelaudit.facts import Json
from modelaudit.findings import Severity
from modelaudit.settings import Expectation, Limits, Nightly, Waiver, Word
from modelaudit.settings.file import (
    Number,
    OneOrMore,
    OptionDefaults,
    RuntimeTable,
    ServingTable,
)
from modelaudit.settings.signing import SigningTable

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class DescribedPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Other settings for the models whose path matches the glob `path`."""

    path: Word
    fail_on: Severity | None = None
    targets: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    thresholds: Mapping[str, Number] = field(default_factory=dict)


class DescribedFile(OptionDefaults, frozen=True, forbid_unknown_fields=True):
    """What `FileTables` holds, with the types of its tables."""

    limits: Annotated[Limits, _about("Bounds on what is read.")] = Limits()
    expect: Annotated[
        tuple[Expectation, ...],
        _about("How outputs are meant to change when an input is mirrored or rotated."),
    ] = ()
    ignore: Annotated[
        tuple[Waiver, ...], _about("Findings that were accepted, each with the reason.")
    ] = ()
    policy: Annotated[
        tuple[DescribedPolicy, ...], _about("Other settings for some of the models.")
    ] = ()
    thresholds: Annotated[Mapping[str, Number], _about("Limits of rules, by code or name.")] = (
        field(default_factory=dict)
    )
    nightly: Annotated[Nightly, _about("Notifications of nightly runs.")] = Nightly()
    runtimes: Annotated[
        Mapping[Word, RuntimeTable], _about("Other TensorFlow versions to run models in, by name.")
    ] = field(default_factory=dict)
    serving: Annotated[
        ServingTable | None, _about("Where the models are served, which decides the verdict.")
    ] = None
    profiles: Annotated[
        OneOrMore, _about("Files with profiles of further versions, or their directories.")
    ] = ()
    custom_objects: Annotated[
        OneOrMore, _about("Names that the code around the models registers with Keras.")
    ] = ()
    source_code: Annotated[
        OneOrMore,
        _about("Python files with the models' own classes, or their directories; never run."),
    ] = ()
    signing: Annotated[SigningTable, _about("Whose signatures of models are trusted.")] = (
        SigningTable()
    )


def settings_schema() -> dict[str, Json]:
    """The schema, in draft 2020-12, of what `settings.file.load` reads."""
    (shape,), parts = msgspec.json.schema_components(
        (DescribedFile,), ref_template="#/$defs/{name}"
    )
    return {"$schema": DIALECT, **shape, "$defs": parts}
