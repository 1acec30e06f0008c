"""Reads untrusted YAML as strings, lists and mappings.

MLflow describes a model in YAML. PyYAML's `BaseLoader` creates only strings, lists and dicts;
remaining dangers are rejected before anything is built: aliases, by which a small file expands to
a huge tree, tags, and depth, because it builds recursively.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import ProblemKind

MOST_EVENTS = 50_000  # keys, values, and starts and ends of collections
DEEPEST = 32

Node = Mapping[str, "Node"] | list["Node"] | str


def parse(text: str, file: str) -> Node:
    """The document in `text`. All scalars are strings, including `1`, `true` and `null`.

    Args:
        text: one YAML document.
        file: name to use in errors.

    Raises:
        ReadError: `corrupt`, if it is not YAML, or has aliases or tags.
        LimitExceeded: larger or deeper than any model description.
    """
    try:
        _check(text, file)
        found = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise ReadError(ProblemKind.CORRUPT, file, f"{where}{error.problem}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ReadError(ProblemKind.CORRUPT, file, f"is not valid YAML: {error}") from error
    return found if isinstance(found, dict | list | str) else ""


def _check(text: str, file: str) -> None:
    """Reject features that model descriptions do not use, without building anything."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
        if count >= MOST_EVENTS:
            raise LimitExceeded(file, "YAML events", count, MOST_EVENTS)
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, file, "an alias")
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None):
            raise _refused(event, file, f"the tag {getattr(event, 'tag', '')}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise LimitExceeded(file, "YAML levels", depth, DEEPEST)


def _refused(event: yaml.Event, file: str, what: str) -> ReadError:
    where = f"line {event.start_mark.line + 1}: " if event.start_mark else ""
    return ReadError(ProblemKind.CORRUPT, file, f"{where}{what}, which is not supported")
