"""Write docs/audit-json.md from the JSON schema of the audit file, or check that it is current.

python scripts/schema_page.py            write the page
python scripts/schema_page.py --check    exit 1 if the page does not match the schema
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from modelaudit.schema import json_schema

PAGE = Path(__file__).resolve().parent.parent / "docs" / "audit-json.md"
HEAD = """<!-- Made by `make docs` from modelaudit/schemas/audit-1.0.json; edit that. -->

# audit.json

{title}: `modelaudit audit` writes it for every model, and every report is made from
it. {description}
The schema is `modelaudit/schemas/audit-1.0.json`, which is also in the package.

Keys in **bold** are always present. `[]` means a list: the keys below it are those of each element.
Numbers that JSON cannot represent are the strings `"nan"`, `"inf"` and `"-inf"`.
"""

Node = dict[str, Any]


def page(schema: Node) -> str:
    """The whole page."""
    parts = [HEAD.format(title=schema["title"], description=schema["description"])]
    required = schema["required"]
    short = [key for key, node in schema["properties"].items() if not _deeper(schema, node)]
    parts.append(_table([_row(schema, schema["properties"][key], key, required) for key in short]))
    for key, node in schema["properties"].items():
        if key not in short:
            text = node.get("description", "")
            parts.append(f"## {key}\n\n{text[:1].upper()}{text[1:]}.\n")
            parts.append(_table(list(_rows(schema, node, ""))))
    return "\n".join(parts)


def _rows(schema: Node, node: Node, prefix: str) -> Iterator[str]:
    """A row for every key below `node`, in the order of the schema."""
    inner = _element(schema, node)
    for key, child in inner.get("properties", {}).items():
        yield _row(schema, child, f"{prefix}{key}", inner.get("required", ()), key)
        deeper = _element(schema, child)
        mark = "[]" if _resolve(schema, child).get("type") == "array" else ""
        if deeper.get("properties"):
            yield from _rows(schema, child, f"{prefix}{key}{mark}.")


def _row(schema: Node, node: Node, path: str, required: Sequence[str], key: str = "") -> str:
    shown = f"**`{path}`**" if (key or path) in required else f"`{path}`"
    text = node.get("description", _resolve(schema, node).get("description", ""))
    return f"| {shown} | {_type(schema, node)} | {text.replace('|', chr(92) + '|')} |"


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | type | what it is |", "|---|---|---|", *rows, ""])


def _resolve(schema: Node, node: Node) -> Node:
    """`node`, or the definition it refers to; of alternatives, the first that is not null."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
        else:
            node = next(each for each in node["anyOf"] if each.get("type") != "null")
    return node


def _element(schema: Node, node: Node) -> Node:
    """The node whose keys are listed: `node` itself, or the elements of its list."""
    node = _resolve(schema, node)
    return _resolve(schema, node["items"]) if node.get("type") == "array" else node


def _deeper(schema: Node, node: Node) -> bool:
    return bool(_element(schema, node).get("properties"))


def _type(schema: Node, node: Node) -> str:
    """The type in words: `string`, `list of integer`, `pass, warn, fail` …, `… or null`."""
    if "anyOf" in node:
        words = [_type(schema, each) for each in node["anyOf"]]
        return " or ".join(dict.fromkeys(words))
    node = _resolve(schema, node)
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "array":
        return f"list of {_type(schema, node['items'])}" if "items" in node else "list"
    kind = str(node.get("type", "any"))
    extra = node.get("additionalProperties")
    return f"object of {_type(schema, extra)}" if isinstance(extra, dict) else kind


def main() -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wanted = page(json_schema())
    fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted
    if not fresh and check:
        sys.stderr.write(f"docs/{PAGE.name} is out of date: run `make docs`\n")
        return 1
    if not fresh:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
