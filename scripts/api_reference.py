"""The reference of the Python calls, from their source, for docs/api.md (see page_tables.py)."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence

import modelaudit
from modelaudit import golden

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):$")
ENTRY = re.compile(r"^    (\w+): (.*)")
TITLES = {"Args": "Parameters", "Attributes": "Attributes", "Returns": "Returns"}
TITLES |= {"Yields": "Yields", "Raises": "Raises"}


def text() -> str:
    """A heading for each public name: functions, then classes."""
    public = {name: getattr(modelaudit, name) for name in modelaudit.__all__}
    functions = {n: v for n, v in public.items() if inspect.isfunction(v)}
    functions["golden.callback"] = golden.callback
    classes = {n: v for n, v in public.items() if inspect.isclass(v)}
    parts = ["## Functions\n"]
    parts += [function(f"modelaudit.{name}", value) for name, value in functions.items()]
    parts += ["## Classes\n"]
    parts += [class_(f"modelaudit.{name}", value) for name, value in classes.items()]
    return "\n".join(parts)


def function(name: str, value: object) -> str:
    """A function: its signature as in the source, and what its docstring says."""
    node = _source(value)
    assert isinstance(node, ast.FunctionDef)
    return f"### {name}\n\n{_block(_signature(name, node))}\n{described(value)}"


def class_(name: str, value: type) -> str:
    """A class: what its docstring says, and its public fields, properties and methods."""
    node = _source(value)
    assert isinstance(node, ast.ClassDef)
    parts = [f"### {name}\n", described(value)]
    if fields := [*_fields(node)]:
        parts.append(_block("\n".join(fields)))
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
            shown = each.name
            if not any(isinstance(d, ast.Name) and d.id == "property" for d in each.decorator_list):
                shown = _signature(each.name, each, own=True).replace("\n", " ")
            about = " ".join((ast.get_docstring(each) or "").split("\n\n")[0].split())
            parts.append(f"* `{shown}`: {about}" if about else f"* `{shown}`")
    return "\n".join(parts).rstrip("\n") + "\n"


def _source(value: object) -> ast.stmt:
    assert inspect.isfunction(value) or inspect.isclass(value)
    return ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]


def _signature(name: str, node: ast.FunctionDef, *, own: bool = False) -> str:
    """The definition on one line, or a parameter a line if that is longer than 88 characters."""
    arguments = node.args
    if own:
        arguments.args = arguments.args[1:]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    found = re.split(r", (?=\**\w+(?:: |,|=|$)|\*)", ast.unparse(arguments))
    parts = [part.replace("=", " = ", 1) for part in found]
    line = f"{name}({', '.join(parts)}){returns}"
    if len(line) <= 88 or own:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """The declared fields, as in the source; the members of an enumeration."""
    for each in node.body:
        target = each.target if isinstance(each, ast.AnnAssign) else None
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            target = each.targets[0]
        if isinstance(target, ast.Name) and not target.id.startswith("_"):
            yield ast.unparse(each).replace("'", '"')  # as the formatter writes them


def _block(code: str) -> str:
    return f"```python\n{code}\n```\n"


def described(value: object) -> str:
    """A docstring as Markdown: sections become lists of names."""
    lines = (inspect.getdoc(value) or "").splitlines()
    parts: list[str] = []
    while lines:
        if found := SECTION.match(lines[0]):
            end = next((i for i, each in enumerate(lines) if i and each[:1].strip()), len(lines))
            parts.append(f"**{TITLES[found[1]]}**\n\n{_entries(lines[1:end])}")
            lines = lines[end:]
        else:
            end = next((i for i, each in enumerate(lines) if SECTION.match(each)), len(lines))
            parts.append("\n".join(lines[:end]).strip())
            lines = lines[end:]
    return "\n\n".join(part for part in parts if part) + "\n"


def _entries(lines: Sequence[str]) -> str:
    """`name: text` lines, with their continuations, as a list; other text as it is."""
    if not any(ENTRY.match(line) for line in lines):
        return " ".join(line.strip() for line in lines if line.strip())
    entries: list[str] = []
    for line in lines:
        if found := ENTRY.match(line):
            entries.append(f"* `{found[1]}`: {found[2]}")
        elif line.strip():
            entries[-1] += f" {line.strip()}"
    return "\n".join(entries)
