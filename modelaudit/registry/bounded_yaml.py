"""YAML of unknown origin, as text, lists and mappings.

MLflow describes a model in YAML. PyYAML's `BaseLoader` makes nothing but texts, lists and dicts;
what could still hurt is refused before it builds anything: aliases, which let a small file stand
for a huge tree, tags, and depth, since it builds by recursion.
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
    """The document in `text`. Scalars stay text: `1`, `true` and `null` too.

    Args:
        text: one YAML document.
        file: name to use in errors.

    Raises:
        ReadError: `corrupt`, for what is no YAML, or has aliases or tags.
        LimitExceeded: larger or deeper than any description of a model is.
    """
    try:
        _check(text, file)
        found = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise ReadError(ProblemKind.CORRUPT, file, f"{where}{error.problem}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ReadError(ProblemKind.CORRUPT, file, f"is no YAML: {error}") from error
    return found if isinstance(found, dict | list | str) else ""


def _check(text: str, file: str) -> None:
    """Refuse what a description of a model has no use for, without building it."""
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
    return ReadError(ProblemKind.CORRUPT, file, f"{where}{what}, which is not read")
