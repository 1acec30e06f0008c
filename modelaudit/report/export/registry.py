"""Reports for programs, by format name: each takes audits and the rules' wording, gives text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from modelaudit import schema
from modelaudit.findings import Severity
from modelaudit.report.export import cyclonedx, gitlab, junit, markdown, sarif
from modelaudit.report.rule_info import Rules
from modelaudit.schema import Audit

Renderer = Callable[[Sequence[Audit], Rules], str]


def render_json(audits: Sequence[Audit], _rules: Rules) -> str:
    """One audit as the audit file that the JSON Schema describes, several as an array of them."""
    if len(audits) == 1:
        return schema.dumps(audits[0])
    found = [schema.to_json(audit) for audit in audits]
    return json.dumps(found, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


FORMATS: Mapping[str, Renderer] = {
    "json": render_json,
    "sarif": sarif.render,
    "junit": junit.render,
    "gitlab": gitlab.render,
    "cyclonedx": cyclonedx.render,
    "markdown": markdown.render,
}


def render(
    name: str,
    audits: Sequence[Audit],
    rules: Rules,
    *,
    fail_on: Severity | None = None,
    base: str = "",
    across: Sequence[tuple[str, Sequence[str]]] = (),
) -> str:
    """The audits in the format called `name`.

    Args:
        name: a key of `FORMATS`.
        audits: what to report on.
        rules: wording of the rules by code.
        fail_on: severity from which a finding fails its rule (`junit` alone tells failures), in
            place of the one that each audit was made with.
        base: absolute directory that `gitlab` and `sarif` give paths relative to.
        across: what holds for several of the models, each with their paths (`markdown` tells it).
    """
    if name == "junit":
        return junit.render(audits, rules, fail_on)
    if name == "gitlab":
        return gitlab.render(audits, rules, base)
    if name == "sarif":
        return sarif.render(audits, rules, base)
    if name == "markdown":
        return markdown.render(audits, rules, across)
    return FORMATS[name](audits, rules)
