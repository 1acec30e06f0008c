"""The HTML report: one file that makes no request and escapes everything from the model.

It contains no script, except one to search and sort long tables.
"""

from __future__ import annotations

from pathlib import Path

from modelaudit.report import report as view
from modelaudit.report.pages.jinja_environment import asset, csp_hash, environment, render
from modelaudit.report.rule_info import Rules
from modelaudit.schema import Audit


def render_html(
    audit: Audit,
    rules: Rules,
    *,
    previous: Audit | None = None,
    templates_dir: Path | None = None,
    report: view.Report | None = None,
) -> str:
    """The report as one self-contained HTML page.

    Args:
        audit: the audit to report on; nothing else about the model is read.
        rules: texts of the rules, by code; an unknown code is shown without explanation.
        previous: an earlier audit of the same model, for what changed since.
        templates_dir: templates that replace ours of the same name.
        report: the audit's `view.build`, if several formats share it; built here if None.

    Raises:
        UsageError: `templates_dir` is not a directory, or a file in it is wrong.
    """
    env = environment(templates_dir)
    report = report or view.build(audit, rules, previous)
    style = asset(env, "css/base.css", "css/screen.css", "css/extra.css")
    script = asset(env, "js/tables.js") if any(t.long for t in report.tables) else ""
    return render(
        env,
        "report.html.j2",
        report=report,
        medium="screen",
        style=style,
        script=script,
        style_hash=csp_hash(style),
        script_hash=csp_hash(script) if script else "",
    )
