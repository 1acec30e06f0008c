"""What was not checked, and why. "Could not look" is never a pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from modelaudit.findings import Outcome, RuleResult
from modelaudit.report import text, words
from modelaudit.report.blocks import (
    Block,
    Bullets,
    Cell,
    Facts,
    Section,
    Span,
    Table,
    bullets,
    num,
    prose,
    spans,
)
from modelaudit.report.ruleinfo import Rules
from modelaudit.report.values import as_map, as_maps, as_text, plain
from modelaudit.schema import Audit

NO_REASON = "no reason was recorded"


def _question(rules: Rules, code: str, name: str) -> str:
    info = rules.get(code)
    return info.pass_title if info and info.pass_title else name.replace("-", " ") or code


def unanswered(audit: Audit) -> tuple[RuleResult, ...]:
    """Rules whose question arises and has no answer."""
    return tuple(result for result in audit.skipped if not result.moot)


def _by_reason(results: Iterable[RuleResult]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for result in results:
        reason = text.one_line(result.reason) or NO_REASON
        groups.setdefault((result.outcome.value, reason), []).append(result.code)
    return groups


def measurements(audit: Audit) -> tuple[str, ...]:
    """Measurements that were not made, each with its reason."""
    found: list[str] = []
    if reason := as_text(as_map(audit.behaviour).get("skipped_reason")):
        found.append(f"Running the model: {reason}")
    for section in (audit.symmetry, audit.behaviour):
        for what, why in as_map(as_map(section).get("skipped")).items():
            found.append(f"{words.measurement(what)}: {plain(why, 300)}")
    for observation in as_maps(audit.observations):
        if as_text(observation.get("status")) in ("refused", "unavailable"):
            where, error = plain(observation.get("runtime"), 60), plain(observation.get("error"))
            found.append(f"Loading in {words.runtime(where)}: {error}")
    return tuple(dict.fromkeys(found))


def lines(audit: Audit, limit: int) -> tuple[tuple[Span, ...], ...]:
    """The shortest honest summary for the first page, at most `limit` lines."""
    groups = sorted(
        _by_reason(unanswered(audit)).items(), key=lambda item: (item[0][0], -len(item[1]))
    )
    found = [
        f"{text.plural(len(codes), 'question')} "
        f"{'ended in an error' if outcome == Outcome.ERROR.value else 'not answered'}: "
        f"{text.cut(reason, 130)}"
        for (outcome, reason), codes in groups
    ]
    found += [text.cut(line, 150) for line in measurements(audit)]
    if len(found) > limit:
        more = len(found) - limit + 1
        found = [*found[: limit - 1], f"and {more} more, listed under “What was not checked”"]
    return tuple(map(spans, found))


def _moot(results: Sequence[RuleResult]) -> Table:
    """Questions that do not arise, a row for each reason."""
    rows = tuple(
        (Cell(_ranges(codes)), num(f"{len(codes):,}"), Cell(text.plain_text(reason, 200)))
        for (_, reason), codes in sorted(
            _by_reason(results).items(), key=lambda item: (-len(item[1]), item[1])
        )
    )
    caption = "Questions that do not arise for a model of this kind"
    columns = ("Rules", "Questions", "Because")
    return Table(caption, columns, rows, print_rows=0, open=len(rows) <= 8)


def _passed(passed: list[RuleResult], rules: Rules) -> Facts:
    """Codes of the rules that passed, by family."""
    families: dict[str, list[str]] = {}
    for result in passed:
        info = rules.get(result.code)
        families.setdefault(info.family if info else "other", []).append(result.code)
    return Facts(
        tuple(
            (f"{family} ({len(codes)})", Cell(_ranges(codes))) for family, codes in families.items()
        )
    )


def _ranges(codes: list[str]) -> str:
    """`MA101–MA103, MA105`: neighbours in number are drawn together."""
    runs: list[list[str]] = []
    for code in codes:
        if runs and code[2:].isdigit() and f"MA{int(code[2:]) - 1}" == runs[-1][-1]:
            runs[-1].append(code)
        else:
            runs.append([code])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _passed_in_words(passed: list[RuleResult], rules: Rules) -> Bullets:
    title = "What each rule that passed says"
    items = [
        f"{r.code} {text.one_line(r.reason) or _question(rules, r.code, r.name)}" for r in passed
    ]
    return replace(bullets(title, items, is_open=False), print_items=0)


def build(audit: Audit, rules: Rules) -> Section:
    """The chapter: unanswered questions, measurements not made, waivers, and what passed."""
    blocks: list[Block] = []
    if missing := unanswered(audit):
        rows = tuple(
            (
                Cell(result.code),
                Cell(text.cut(_question(rules, result.code, result.name), 140)),
                Cell(
                    "Error" if result.outcome is Outcome.ERROR else "No answer",
                    mark="error" if result.outcome is Outcome.ERROR else "not-applicable",
                ),
                Cell(text.plain_text(result.reason, 300) or NO_REASON),
            )
            for result in missing
        )
        blocks.append(
            prose(
                "These questions have no answer for this model. Read none of them as passed: the "
                "reason says what was missing."
            )
        )
        columns = ("Rule", "What would hold if it passed", "State", "Why it was not answered")
        blocks.append(Table("Questions without an answer", columns, rows, open=len(rows) <= 12))
    if not_made := measurements(audit):
        blocks.append(bullets("Measurements that were not made", not_made))
    waived = [f for f in audit.findings if f.outcome is Outcome.WAIVED]
    if waived:
        blocks.append(
            bullets(
                "Findings that somebody waived",
                [
                    f"{f.code} {text.cut(f.title, 120)} – {text.cut(f.waived_by or '', 200)}"
                    for f in waived
                ],
            )
        )
    if not blocks:
        blocks.append(prose("Every question that arises was answered.", tone="good"))
    if moot := [result for result in audit.skipped if result.moot]:
        said = f"{text.plural(len(moot), 'more question')} "
        said += "do not arise" if len(moot) > 1 else "does not arise"
        blocks += [prose(f"{said} for a model of this kind."), _moot(moot)]
    passed = [r for r in audit.results if r.outcome is Outcome.PASS]
    if passed:
        blocks += [
            prose(f"What passed, {text.plural(len(passed), 'rule')}:"),
            _passed(passed, rules),
            _passed_in_words(passed, rules),
        ]
    return Section("not-checked", "What was not checked, and what passed", tuple(blocks))
