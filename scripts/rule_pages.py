"""Write docs/rules/ from the declarations of the rules, or check that the pages are current.

python scripts/rule_pages.py            write the pages
python scripts/rule_pages.py --check    exit 1 and name the pages that are out of date
"""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from pathlib import Path

from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Rule

PAGES = Path(__file__).resolve().parent.parent / "docs" / "rules"
HEAD = "<!-- Made by `make docs` from the rule's declaration; edit that. -->\n\n"


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    made = {f"{rule.code}.md": page(rule) for rule in CATALOGUE}
    return {"README.md": index(), **made}


def index() -> str:
    """The list of all rules, by family."""
    lines = [f"{HEAD}# Rules\n", f"Every model is checked against {len(CATALOGUE)} rules.\n"]
    for family, rules in groupby(CATALOGUE, key=lambda rule: rule.family):
        lines += [f"## {family.value.capitalize()}\n", "| code | name | severity | what is wrong |"]
        lines.append("|---|---|---|---|")
        lines += [
            f"| [{rule.code}]({rule.code}.md) | `{rule.name}` | {rule.severity.value} "
            f"| {cell(rule.summary)} |"
            for rule in rules
        ]
        lines.append("")
    return "\n".join(lines)


def page(rule: Rule) -> str:
    """The page of one rule: its meaning, an example made by running it, and what to do."""
    parts = [
        f"{HEAD}# {rule.code} `{rule.name}`",
        f"**{rule.summary}**",
        f"When it passes: {rule.pass_title}",
        facts(rule),
        *(
            [f"Threshold: {rule.limit}, as in `[thresholds]` `{rule.code} = …`"]
            if rule.limit
            else []
        ),
        f"## Why it matters\n\n{rule.why}",
        f"## Example\n\n{example(rule)}",
        f"## What to do\n\n{fix(rule)}",
    ]
    if rule.references:
        parts.append("## References\n\n" + "\n".join(f"- {link}" for link in rule.references))
    return "\n\n".join(parts) + "\n"


def facts(rule: Rule) -> str:
    """The short fields of the declaration as a table."""
    values = {
        "severity": rule.severity.value,
        "confidence": rule.confidence.value,
        "family": rule.family.value,
        "needs": ", ".join(need.value for need in rule.needs),
        "since": rule.since,
    }
    rows = (values, ["---"] * len(values), values.values())
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def example(rule: Rule) -> str:
    """The finding of the rule on the smallest facts on which it fails."""
    finding = next(iter(rule.check(rule, rule.bad())))
    where = f"\n    at {finding.location}" if str(finding.location) else ""
    return f"```text\n{finding.severity.value}: {finding.title}{where}\n    {finding.detail}\n```"


def fix(rule: Rule) -> str:
    """Prose as it is; text that contains code lines as a code block."""
    text = rule.fix.strip()
    return f"```text\n{text}\n```" if "\n" in text else text


def cell(text: str) -> str:
    """Text with everything escaped that would end a table's cell."""
    return text.replace("|", "\\|")


def main() -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wanted = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    stale = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    if check:
        for name in stale:
            sys.stderr.write(f"docs/rules/{name} is out of date: run `make docs`\n")
        return 1 if stale else 0
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (PAGES / name).write_text(wanted[name], encoding="utf-8")
        else:
            (PAGES / name).unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
