"""What was not checked, and why. An unanswered question is never a pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelaudit.audit_types.loading import Status
from modelaudit.findings import Outcome, RuleResult
from modelaudit.measures.architecture.modality_words import words_for
from modelaudit.report.blocks import (
    Block,
    Bullets,
    Cell,
    FactList,
    Section,
    Span,
    Table,
    bullets,
    num,
    prose,
    spans,
)
from modelaudit.report.rule_info import Rules
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit
from modelaudit.structs import replace

NO_REASON = "no reason recorded"
LIMIT = (
    "An audit does not cover accuracy on your task, the training data or the licence: a pass is "
    "not a guarantee."
)
LABELLED = (
    "An audit does not cover accuracy on other inputs, the training data or the licence: a pass is "
    "not a guarantee."
)


def _question(rules: Rules, code: str, name: str) -> str:
    info = rules.get(code)
    return info.pass_title if info and info.pass_title else name.replace("-", " ") or code


def unanswered(audit: Audit) -> tuple[RuleResult, ...]:
    """Rules that apply to the model but could not be answered."""
    return tuple(result for result in audit.skipped if not result.moot)


def _by_reason(results: Iterable[RuleResult]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for result in results:
        reason = text.one_line(result.reason) or NO_REASON
        groups.setdefault((result.outcome.value, reason), []).append(result.code)
    return groups


def measurements(audit: Audit) -> tuple[str, ...]:
    """Skipped measurements, each with its reason."""
    found: list[str] = []
    if reason := audit.behaviour.skipped_reason:
        found.append(f"Running the model: {reason}")
    twins: dict[str, list[str]] = {}  # reason -> tensors it applies to
    oriented = words_for(audit.model.modality).oriented
    for skipped in (audit.symmetry.skipped, audit.behaviour.skipped):
        for what, why in skipped.items():
            kind, _, tensor = what.partition(":")
            if kind == "twins" and not oriented:
                continue
            if kind == "twins" and tensor:
                twins.setdefault(text.shorten(why, 300), []).append(f"`{text.shorten(tensor, 80)}`")
            else:
                found.append(f"{vocabulary.measurement(what)}: {text.shorten(why, 300)}")
    found += [
        f"Mirror pairs of filters in {text.listing(tensors)}: {why}"
        for why, tensors in twins.items()
    ]
    for observation in audit.observations:
        if observation.status in (Status.REFUSED, Status.UNAVAILABLE):
            where = vocabulary.runtime(text.shorten(observation.runtime, 60))
            found.append(f"Loading in {where}: {text.shorten(observation.error, 160)}")
    return tuple(dict.fromkeys(found))


def lines(audit: Audit, limit: int) -> tuple[tuple[Span, ...], ...]:
    """A short summary for the first page: at most `limit` lines, and what no audit covers.

    Questions and measurements are counted separately, so that the counts match the chapter's.
    """
    groups = sorted(
        _by_reason(unanswered(audit)).items(), key=lambda item: (item[0][0], -len(item[1]))
    )
    not_made = measurements(audit)
    room = limit - bool(not_made)
    shown = groups if len(groups) <= room else groups[: room - 1]
    found = [_questions(codes, outcome, reason) for (outcome, reason), codes in shown]
    if rest := groups[len(shown) :]:
        more = text.plural(sum(len(codes) for _, codes in rest), "more question")
        found.append(f"{more} not answered, for {len(rest):,} other reasons")
    if len(not_made) == 1:
        found.append(f"1 measurement skipped. {text.cut(not_made[0], 150)}")
    elif not_made:
        told = "listed under “What was not checked”"
        found.append(f"{len(not_made):,} measurements skipped, {told}")
    if not found:
        found.append("Every applicable question was answered.")
    unsaid = LABELLED if audit.behaviour.accuracies else LIMIT
    return tuple(map(spans, [*found, unsaid]))


def _questions(codes: Sequence[str], outcome: str, reason: str) -> str:
    """How many questions have no answer for one reason, and their family if they share one."""
    kinds = {vocabulary.FAMILIES.get(code[:3], "") for code in codes}
    kind = f"{kinds.pop()} question" if len(kinds) == 1 else "question"
    ended = "ended in an error" if outcome == Outcome.ERROR.value else "not answered"
    named = f" ({_ranges(codes)})" if len(codes) == 1 or kind != "question" else ""
    return f"{text.plural(len(codes), kind.strip())} {ended}{named}: {text.cut(reason, 130)}"


def _moot(results: Sequence[RuleResult]) -> Table:
    """Questions that do not apply, a row for each reason."""
    rows = tuple(
        (Cell(_ranges(codes)), num(f"{len(codes):,}"), Cell(text.plain_text(reason, 200)))
        for (_, reason), codes in sorted(
            _by_reason(results).items(), key=lambda item: (-len(item[1]), item[1])
        )
    )
    caption = "Questions that do not apply to this kind of model"
    columns = ("Rules", "Questions", "Reason")
    return Table(caption, columns, rows, print_rows=0, open=len(rows) <= 8)


def _passed(passed: list[RuleResult], rules: Rules) -> FactList:
    """Codes of the rules that passed, by family."""
    families: dict[str, list[str]] = {}
    for result in passed:
        info = rules.get(result.code)
        families.setdefault(info.family if info else "other", []).append(result.code)
    return FactList(
        tuple(
            (f"{family} ({len(codes)})", Cell(_ranges(codes))) for family, codes in families.items()
        )
    )


def _ranges(codes: Iterable[str]) -> str:
    """`MA101–MA103, MA105`: consecutive codes are merged into ranges."""
    runs: list[list[str]] = []
    for code in codes:
        if runs and code[2:].isdigit() and f"MA{int(code[2:]) - 1}" == runs[-1][-1]:
            runs[-1].append(code)
        else:
            runs.append([code])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def _passed_in_words(passed: list[RuleResult], rules: Rules) -> Bullets:
    title = "Results of the rules that passed"
    items = [
        f"{r.code} {text.one_line(r.reason) or _question(rules, r.code, r.name)}" for r in passed
    ]
    return replace(bullets(title, items, is_open=False), print_items=0)


def build(audit: Audit, rules: Rules) -> Section:
    """The chapter: unanswered questions, skipped measurements, waivers, and what passed."""
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
                "These questions could not be answered for this model. None of them counts as "
                "passed; the reason says what was missing."
            )
        )
        caption = f"Unanswered questions ({len(rows):,})"
        columns = ("Rule", "If it had passed", "State", "Reason")
        blocks.append(Table(caption, columns, rows, open=len(rows) <= 12))
    if not_made := measurements(audit):
        blocks.append(bullets(f"Skipped measurements ({len(not_made):,})", not_made))
    waived = [f for f in audit.findings if f.outcome is Outcome.WAIVED]
    if waived:
        blocks.append(
            bullets(
                "Waived findings",
                [
                    f"{f.code} {text.cut(f.title, 120)} – {text.cut(f.waived_by or '', 200)}"
                    for f in waived
                ],
            )
        )
    if not blocks:
        blocks.append(prose("Every applicable question was answered.", tone="good"))
    if moot := [result for result in audit.skipped if result.moot]:
        said = f"{text.plural(len(moot), 'more question')} "
        said += "do not apply" if len(moot) > 1 else "does not apply"
        blocks += [prose(f"{said} to this kind of model."), _moot(moot)]
    passed = [r for r in audit.results if r.outcome is Outcome.PASS]
    if passed:
        blocks += [
            prose(f"{text.plural(len(passed), 'rule')} passed:"),
            _passed(passed, rules),
            _passed_in_words(passed, rules),
        ]
    return Section("not-checked", "What was not checked, and what passed", tuple(blocks))
