"""The HTML report: one file, no request, nothing from the model taken as markup.

It holds no script, but where a table is long one that searches and sorts it.
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
        audit: what to report on; nothing else about the model is read.
        rules: wording of the rules by code; a code that is missing is shown without explanation.
        previous: an earlier audit of the same model, for what changed since.
        templates_dir: templates that take the place of ours of the same name.
        report: the same audit's `view.build`, where several formats share it; made here if None.

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
