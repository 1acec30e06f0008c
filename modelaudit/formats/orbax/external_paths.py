"""Detection of paths and URLs outside an Orbax checkpoint in its JSON files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.keras.json_config import mapping
from modelaudit.formats.zip.problems import unsafe_name

_PLACES = ("path", "kvstore", "base", "base_url", "url")  # TensorStore's keys for data locations
_OWN_WORDS = "custom_metadata"  # free-form data of the program; not used as locations
_ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# TensorStore's URL form of a specification: the location, then the formats after a bar.
_PIPELINE = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]*://|/|\.\.).*\|\s*[\w.-]+:", re.IGNORECASE | re.DOTALL
)
_IN_MEMORY = "memory"


def escaping_asset_paths(tree: Json, file: str) -> Iterator[Problem]:
    """Names in the tree of values that are unsafe as paths of assets."""
    for key, leaf in mapping(mapping(tree).get("tree_metadata")).items():
        steps = mapping(leaf).get("key_metadata")
        names = [
            str(step.get("key"))
            for step in (steps if isinstance(steps, list) else ())
            if isinstance(step, dict)
        ]
        # Orbax joins names with dots, which can create `..` from harmless names.
        for name in dict.fromkeys((*names, ".".join(names))):
            if reason := unsafe_name(name):
                evidence: dict[str, Json] = {"orbax": "name", "name": name}
                yield Problem(ProblemKind.UNSAFE_PATH, file, reason, key, evidence)
                break


def external_locations(document: Json, file: str) -> Iterator[Problem]:
    """Locations outside the checkpoint in a TensorStore specification.

    A specification is an object with a `driver`; inside it, all URLs count. A URL that is followed
    by a bar and a format counts anywhere. URLs of local files count anywhere but in the program's
    own metadata.
    """
    pending: list[tuple[str, Json, bool, bool]] = [("", document, False, False)]
    while pending:
        key, value, inside, own = pending.pop()
        if isinstance(value, list):
            pending.extend((key, each, inside, own) for each in value)
        elif isinstance(value, dict):
            inside = inside or "driver" in value
            for name, each in value.items():
                if "driver" in value and name in _PLACES and isinstance(each, str):
                    reason = _address(each) if _ADDRESS.match(each) else unsafe_name(each)
                    if reason:
                        yield _problem(file, name, each, reason)
                else:
                    pending.append((name, each, inside, own or name == _OWN_WORDS))
        elif isinstance(value, str) and (reason := _address(value)):
            local = value.lstrip()[:7].lower() == "file://" and not own
            if inside or local or _PIPELINE.match(value):
                yield _problem(file, key, value, reason)


def _address(place: str) -> str:
    """Why a string is a location outside the checkpoint; "" for names and in-memory data."""
    found = _ADDRESS.match(place)
    if found is None:
        return f"{place} is a path followed by a format" if _PIPELINE.match(place) else ""
    return "" if found[1].lower() == _IN_MEMORY else f"{place} is a URL"


def _problem(file: str, key: str, place: str, reason: str) -> Problem:
    evidence: dict[str, Json] = {"orbax": "place", "name": place}
    return Problem(ProblemKind.UNSAFE_PATH, file, reason, key, evidence)
