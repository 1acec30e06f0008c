"""Markdown for a pull-request comment: short, and inert whatever a model's names contain."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from modelaudit.findings import WORST_FIRST, Outcome
from modelaudit.report.rule_info import RuleInfo, Rules
from modelaudit.report.sections.diagnosis import UNDECIDED
from modelaudit.report.wording import evidence, text, vocabulary
from modelaudit.schema import Audit
from modelaudit.terminal_text import first_of

LIMIT = 65_000  # code-hosting services refuse comments of 65,536 characters
MOST_FINDINGS = 20
MOST_GROUPS, MOST_NAMED = 10, 5  # for cross-model findings
Across = Sequence[tuple[str, Sequence[str]]]
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~@:$-])")


def escape(value: str, limit: int = 160) -> str:
    """Text escaped for Markdown: no link, mention, image, markup or table cell break."""
    inert = _SPECIAL.sub(r"\\\1", html.escape(text.cut(value, limit), quote=False))
    return inert.replace("\\@", "&#64;").replace("www.", "www&#46;")


def _code(value: str, limit: int = 100) -> str:
    """A name as inline code; backticks, which would end it, become apostrophes."""
    flat = text.shorten(value, limit).replace("`", "'")
    return f"`{flat}`" if flat else "–"


def _cell(code: str) -> str:
    """Inline code for a table cell, which a pipe would end; elsewhere the backslash would show."""
    return code.replace("|", "\\|")


def _rule(code: str, info: RuleInfo | None) -> str:
    """The code, linked to the rule's page where there is one."""
    return f"[{escape(code)}](<{info.page}>)" if info and info.page else escape(code)


def _findings(audit: Audit, rules: Rules) -> list[str]:
    ordered = sorted(audit.findings, key=lambda finding: finding.outcome is Outcome.WAIVED)
    if not ordered:
        return []
    lines = ["| | Rule | What | Where | Evidence |", "|---|---|---|---|---|"]
    for finding in ordered[:MOST_FINDINGS]:
        state = "waived" if finding.waived_by else finding.severity.value
        mark = vocabulary.mark(state)
        numbers = escape(evidence.short(finding)) or "–"
        said = escape(f"waived: {finding.waived_by}") if finding.waived_by else numbers
        what = f"{escape(finding.title, 110)}<br>{escape(finding.detail)}"
        info = rules.get(finding.code)
        if fix := "" if finding.waived_by else finding.fix or (info.fix if info else ""):
            first = fix.partition("\n")[0].rstrip(":")  # code follows, for which a cell has no room
            what += f"<br>**Fix:** {escape(first, 240)}"
        lines.append(
            f"| {mark.glyph} {mark.word} | {_rule(finding.code, info)} | {what} "
            f"| {_cell(_code(str(finding.location), 70))} | {said} |"
        )
    if len(ordered) > MOST_FINDINGS:
        lines.append(f"\n… and {len(ordered) - MOST_FINDINGS} more in the full report.")
    return lines


def _is_dangerous(audit: Audit) -> bool:
    return any(
        vocabulary.forbids_loading(finding.severity, finding.code)
        for finding in audit.findings
        if finding.outcome is not Outcome.WAIVED
    )


def _model(audit: Audit, rules: Rules, *, opened: bool) -> str:
    mark = vocabulary.VERDICTS[audit.verdict]
    path = text.shorten(audit.model.path or "unnamed model", 100)
    title = f"{mark.glyph} <b>{mark.word}</b> <code>{html.escape(path)}</code>"
    lines = [
        f"<details{' open' if opened else ''}><summary>{title}</summary>",
        "",
        escape(audit.reason, 300) or vocabulary.VERDICT_MEANING[audit.verdict],
        *(("", f"**{escape(vocabulary.DANGER)}**") if _is_dangerous(audit) else ()),
        "",
        *_findings(audit, rules),
    ]
    if first := next(iter(audit.diagnosis.causes), None):
        cause = escape(first.title or vocabulary.cause(first.cause))
        lines += ["", cause if first.cause in UNDECIDED else f"**Most likely cause:** {cause}"]
    if missing := [result for result in audit.skipped if not result.moot]:
        said = text.plural(len(missing), "question")
        lines += ["", f"Not answered: {said}. An unanswered question is not a pass."]
    return "\n".join([*lines, "", "</details>"])


def render(audits: Sequence[Audit], rules: Rules, across: Across = ()) -> str:
    """A summary of all audits, worst first, in at most 65,000 characters.

    `across` holds cross-model findings: (title, paths of the models).

    Models that no longer fit are counted at the end.
    """
    ordered = sorted(audits, key=lambda audit: WORST_FIRST.index(audit.verdict))
    counts = [
        f"{sum(a.verdict is v for a in audits)} {vocabulary.VERDICTS[v].said}"
        for v in WORST_FIRST
        if any(a.verdict is v for a in audits)
    ]
    parts = [f"## Model audit: {', '.join(counts) or 'no model'}"]
    # Cross-model findings, one per line
    lines = []
    for title, paths in across[:MOST_GROUPS]:
        named = first_of([_code(path, 70) for path in paths], MOST_NAMED)
        lines.append(f"- {escape(title)}: {named}")
    if len(across) > MOST_GROUPS:
        lines.append(f"- and {len(across) - MOST_GROUPS} more such groups")
    parts += ["\n".join(lines)] if lines else []
    room = LIMIT - sum(len(part) + 2 for part in parts) - 100
    for index, audit in enumerate(ordered):
        part = _model(audit, rules, opened=index == 0)
        if len(part) + 2 > room:
            left = len(ordered) - index
            parts.append(f"… and {text.plural(left, 'model')} more in the full report.")
            break
        room -= len(part) + 2
        parts.append(part)
    return "\n\n".join(parts) + "\n"
