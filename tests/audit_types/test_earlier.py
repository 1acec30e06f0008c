"""Audits of earlier versions are read, and come out as they went in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from modelaudit import schema

EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.json"))
VALIDATOR = jsonschema.Draft202012Validator(schema.json_schema())


# Keys of the kernels that were never documented and that nothing read.
GONE = ("mean_kernel", "mean_kernel_q99", "health")


def known(text: str) -> dict[str, Any]:
    """An audit of an earlier version without the keys that are gone."""
    data: dict[str, Any] = json.loads(text)
    for layer in data["symmetry"].get("layers", ()):
        for key in GONE:
            del layer[key]
    return data


@pytest.fixture(params=EARLIER, ids=lambda path: path.stem)
def text(request) -> str:
    return request.param.read_text(encoding="utf-8")


def objects(data: Any, node: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every object of an audit whose keys have types, with its schema; inner ones first."""
    node = resolved(node, data)
    if isinstance(data, list):
        for item in data:
            yield from objects(item, node.get("items", {}))
    elif isinstance(data, dict):
        for key, value in data.items():
            free = node.get("additionalProperties", {})
            yield from objects(value, node.get("properties", {}).get(key, free))
        if "properties" in node:
            yield data, node


def resolved(node: Any, data: object) -> dict[str, Any]:
    """The schema of `data`, references and alternatives resolved."""
    kind = {dict: "object", list: "array"}.get(type(data))
    while isinstance(node, dict) and ("$ref" in node or "anyOf" in node):
        if "$ref" in node:
            node = VALIDATOR.schema["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            fitting = (resolved(each, data) for each in node["anyOf"])
            node = next((each for each in fitting if each.get("type") == kind), {})
    return node if isinstance(node, dict) else {}


def without_added(new: Any, old: Any) -> Any:
    """`new` without the keys that `old` lacks and that are empty."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {
            key: without_added(value, old.get(key))
            for key, value in new.items()
            if key in old or value
        }
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [without_added(*pair) for pair in zip(new, old, strict=True)]
    return new


def test_what_was_written_is_written_again_byte_for_byte(text: str) -> None:
    """But for keys that were added since, which are empty."""
    audit = schema.loads(text)
    again = without_added(json.loads(schema.dumps(audit)), known(text))
    assert json.dumps(again, indent=2) == json.dumps(known(text), indent=2)
    assert schema.loads(schema.dumps(audit)) == audit


def test_it_is_valid_by_the_schema_of_today(text: str) -> None:
    VALIDATOR.validate(json.loads(text))


def test_optional_keys_may_be_missing(text: str) -> None:
    data = json.loads(text)
    thinned = 0
    for owner, node in list(objects(data, VALIDATOR.schema)):
        for key in owner.keys() & (node["properties"].keys() - set(node.get("required", ()))):
            del owner[key]
            thinned += 1
    assert thinned > 50
    VALIDATOR.validate(data)
    audit = schema.loads(json.dumps(data))
    assert (audit.verdict.value, len(audit.findings)) == (data["verdict"], len(data["findings"]))
    schema.loads(schema.dumps(audit))


def test_unknown_keys_are_ignored_wherever_they_are(text: str) -> None:
    data = json.loads(text)
    for owner, _ in list(objects(data, VALIDATOR.schema)):
        owner["added"] = [{"later": 1}]
    assert schema.loads(json.dumps(data)) == schema.loads(text)
