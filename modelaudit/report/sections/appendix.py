"""Appendix: environment, sandbox, files and the command that reproduces the audit."""

from __future__ import annotations

import shlex

from modelaudit.report.blocks import (
    Block,
    Cell,
    FactList,
    Paragraph,
    Prose,
    Section,
    Span,
    Table,
    name,
    num,
    prose,
)
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.json_access import Map, as_count, as_map, as_maps, as_text, plain
from modelaudit.schema import Audit

TOOL = {"name": "Tool", "version": "Version", "rules_digest": "Rule set"}


def command(audit: Audit) -> str:
    """The shell command that repeats this audit, safe to paste whatever the path contains."""
    model = as_map(audit.model)
    root, path = as_text(model.get("root")), as_text(model.get("path"))
    whole = "/".join(part for part in (root.rstrip("/"), path) if part and part != ".")
    inputs = as_map(as_map(audit.behaviour).get("inputs"))
    options = ""
    if inputs.get("kind") == "user" and as_text(inputs.get("source")):
        options = f" --probe-data {shlex.quote(text.printable(as_text(inputs['source'])))}"
    elif not inputs and not audit.observations:
        options = " --no-probe"
    tried = dict.fromkeys(as_text(seen.get("runtime")) for seen in as_maps(audit.observations))
    for runtime in tried:
        if runtime and vocabulary.runtime(runtime) == runtime:  # not an installed one
            options += f" --runtime {shlex.quote(text.printable(runtime))}"
    return (
        f"modelaudit audit {shlex.quote(text.printable(whole) or '.')}{options} --out audit-again"
    )


def _sandbox(layers: Map) -> str:
    """How many sandbox layers were active, and which were partial."""
    partly = [str(name).replace("-", " ") for name, state in layers.items() if state is not True]
    held = f"{len(layers) - len(partly)} of {text.plural(len(layers), 'layer')} active"
    return held + (f"; partial: {text.listing(partly)}" if partly else "")


def _environment(audit: Audit) -> FactList:
    rows = [
        (TOOL.get(str(key), text.shorten(str(key).replace("_", " "), 40)), Cell(plain(value, 140)))
        for key, value in as_map(audit.tool).items()
        if key != "rules"
    ]
    for observation in as_maps(audit.observations):
        runtime = plain(observation.get("runtime"), 40)
        if versions := as_map(observation.get("versions")):
            rows.append((f"Versions in {runtime}", Cell(plain(versions, 240))))
        if sandbox := as_map(observation.get("sandbox")):
            rows.append((f"Sandbox in {runtime}", Cell(_sandbox(sandbox))))
    return FactList(tuple(dict.fromkeys(rows)))


def _files(audit: Audit) -> Table | None:
    rows = tuple(
        (
            name(text.shorten(as_text(entry.get("path")), 80)),
            Cell(text.shorten(as_text(entry.get("role")), 20)),
            num(text.file_size(as_count(entry.get("size")))),
            name(as_text(entry.get("sha256")) or "not computed"),
        )
        for entry in as_maps(audit.files)
    )
    if not rows:
        return None
    columns = ("File", "Role", "Size", "SHA-256")
    return Table("Files of the model", columns, rows, print_rows=20, open=len(rows) <= 20)


def build(audit: Audit) -> Section:
    """The chapter's content."""
    repeat = Paragraph((Span(command(audit), code=True),), code=True)
    blocks: list[Block] = [prose("To repeat this audit:"), Prose((repeat,)), _environment(audit)]
    if files := _files(audit):
        blocks.append(files)
    blocks.append(
        prose(
            "All numbers of this report, and those omitted from it, are in `audit.json`: next to "
            "the HTML report, and attached to the PDF (see the attachments in your PDF reader)."
        )
    )
    return Section("appendix", "Appendix", tuple(blocks))
