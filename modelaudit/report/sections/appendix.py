"""Appendix: environment, sandbox, files and the command that reproduces the audit."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from modelaudit.facts import Json
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
from modelaudit.report.wording.json_value import plain
from modelaudit.schema import Audit


def command(audit: Audit) -> str:
    """The shell command that repeats this audit, safe to paste whatever the path contains."""
    root, path = audit.model.root, audit.model.path
    whole = "/".join(part for part in (root.rstrip("/"), path) if part and part != ".")
    inputs = audit.behaviour.inputs
    options = ""
    if inputs and inputs.kind == "user" and inputs.source:
        options = f" --probe-data {shlex.quote(text.printable(inputs.source))}"
    elif not inputs and not audit.observations:
        options = " --no-probe"
    tried = dict.fromkeys(seen.runtime for seen in audit.observations)
    for runtime in tried:
        if runtime and vocabulary.runtime(runtime) == runtime:  # not an installed one
            options += f" --runtime {shlex.quote(text.printable(runtime))}"
    return (
        f"modelaudit audit {shlex.quote(text.printable(whole) or '.')}{options} --out audit-again"
    )


def _sandbox(layers: Mapping[str, Json]) -> str:
    """How many sandbox layers were active, and which were partial."""
    partly = [name.replace("-", " ") for name, state in layers.items() if state is not True]
    held = f"{len(layers) - len(partly)} of {text.plural(len(layers), 'layer')} active"
    return held + (f"; partial: {text.listing(partly)}" if partly else "")


def _environment(audit: Audit) -> FactList:
    tool = audit.tool
    shown = {"Tool": tool.name, "Version": tool.version, "Rule set": tool.rules_digest}
    rows = [(what, Cell(text.shorten(value, 140))) for what, value in shown.items()]
    for observation in audit.observations:
        runtime = text.shorten(observation.runtime, 40)
        if observation.versions:
            rows.append((f"Versions in {runtime}", Cell(plain(observation.versions, 240))))
        if observation.sandbox:
            rows.append((f"Sandbox in {runtime}", Cell(_sandbox(observation.sandbox))))
    return FactList(tuple(dict.fromkeys(rows)))


def _files(audit: Audit) -> Table | None:
    rows = tuple(
        (
            name(text.shorten(entry.path, 80)),
            Cell(text.shorten(entry.role, 20)),
            num(text.file_size(entry.size)),
            name(entry.sha256 or "not computed"),
        )
        for entry in audit.files
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
