"""Runs every rule on one model and derives the verdict."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from modelaudit.audit_types.loading import Status
from modelaudit.errors import WorkSpent
from modelaudit.facts import Artifact, Format, ProblemKind
from modelaudit.file_formats import Content, formats
from modelaudit.findings import Finding, Outcome, RuleResult, Severity, Verdict
from modelaudit.formats.export_names import EXPORTS
from modelaudit.probe.protocol import ENDED, runtime_name
from modelaudit.rules.absent_values import holds_counters, variables_without_values
from modelaudit.rules.assumed_parts import qualified
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.rules.plain_names import with_plain_names
from modelaudit.rules.unread import UNREAD_KINDS, unread_input
from modelaudit.terminal_text import plain
from modelaudit.work_budget import Phase, current_budget, spend, within

# Formats that contain layers and weights, but never a graph.
GRAPHLESS = formats(Content.MODEL, Content.WEIGHTS, Content.PRESET, Content.EXPORT)
# A probe that ended like this leaves the model only partially audited.
UNFINISHED = frozenset(
    {Status.CRASHED, Status.TIMEOUT, Status.MEMORY, Status.DISK, Status.UNAVAILABLE}
)
WORK_SPENT = (
    "not determined: the audit took as much work as a model of this size may take (setting work)"
)
_FINDING = 20  # parts of work that a finding is
# What is judged first, so that no other rule can take the work away from it.
_URGENT = (Family.SECURITY, Family.INTEGRITY)
_LONG_NAME = re.compile(r"\S{73,}")  # longer than any digest


_NO_LAYERS = "the file contains no Keras architecture, and no graph of which the layers can be told"
# Whether each need is met, and else why not.
_NEEDS: Mapping[Need, tuple[Callable[[Facts], object], Callable[[Facts], str]]] = {
    Need.ARTIFACT: (lambda _: True, lambda _: ""),
    Need.CONFIG: (
        lambda facts: facts.artifact.documents,
        lambda _: "the model contains no readable config",
    ),
    Need.ARCHITECTURE: (
        lambda facts: facts.artifact.architecture is not None,
        lambda _: "the file contains no Keras architecture",
    ),
    Need.LAYERS: (
        lambda facts: shown_architecture(facts.artifact) is not None,
        lambda _: _NO_LAYERS,
    ),
    Need.TENSORS: (lambda facts: facts.artifact.tensors, lambda _: "no tensor could be read"),
    Need.GRAPH: (
        lambda facts: facts.artifact.graphs,
        lambda _: "the model contains no TensorFlow graph",
    ),
    Need.MEASUREMENTS: (
        lambda facts: facts.measurements is not None,
        lambda _: "the weights were not measured",
    ),
    Need.OBSERVATION: (
        lambda facts: facts.observations,
        lambda facts: facts.probe_skipped or "the model was not run",
    ),
    Need.BEHAVIOUR: (
        lambda facts: facts.behaviour is not None,
        lambda facts: facts.probe_skipped or "the model produced no output",
    ),
    Need.DIAGNOSIS: (
        lambda facts: facts.diagnosis is not None,
        lambda _: "the behaviour was not diagnosed",
    ),
    Need.SIDES: (
        lambda facts: facts.words.oriented,
        lambda facts: f"the model takes {facts.words.many}, which have no left and right",
    ),
}


def missing_need(need: Need, facts: Facts) -> str:
    """Why `need` is not met, or "" when it is."""
    known = facts.unmet
    if need not in known:
        met, why = _NEEDS[need]
        known[need] = "" if met(facts) else why(facts)
    return known[need]


def run_rule(rule: Rule, facts: Facts) -> RuleResult:
    """One rule's outcome. An exception in a check is an outcome and never aborts the audit."""
    if facts.unseen:
        return RuleResult(rule.code, rule.name, Outcome.NOT_APPLICABLE, facts.unseen)
    work = current_budget()
    # Told behind the rule before: a clock that is read once a rule is enough.
    if work is not None and work.is_cut():
        return _unfinished(rule)
    try:
        if unmet := _unmet(rule, facts):
            return unmet
        result = _judged(rule, facts)
    except WorkSpent:
        return _unfinished(rule)
    # What was cut short inside a rule, and went on with less, is no answer.
    spent = work is not None and work.is_spent()
    return result if not spent or result.findings else _unfinished(rule)


def _unfinished(rule: Rule) -> RuleResult:
    return RuleResult(rule.code, rule.name, Outcome.NOT_APPLICABLE, WORK_SPENT)


def _unmet(rule: Rule, facts: Facts) -> RuleResult | None:
    """Why the rule cannot be asked, if a need of it is not met."""
    for need in rule.needs:
        reason = missing_need(need, facts)
        if reason:
            graphless = need is Need.GRAPH and (
                facts.artifact.format in GRAPHLESS or facts.artifact.lite is not None
            )
            moot = graphless or need is Need.SIDES
            return RuleResult(rule.code, rule.name, Outcome.NOT_APPLICABLE, reason, moot=moot)
    return None


def _judged(rule: Rule, facts: Facts) -> RuleResult:
    try:
        findings = _worst(rule, rule.check(rule, facts), facts.settings.limits.findings)
    except NotApplicable as reason:
        moot = isinstance(reason, NotRelevant)
        return RuleResult(
            rule.code, rule.name, Outcome.NOT_APPLICABLE, plain(str(reason)), moot=moot
        )
    except WorkSpent:
        raise
    except Exception as error:
        detail = f"the rule raised {type(error).__name__}: {error}"
        return RuleResult(rule.code, rule.name, Outcome.ERROR, plain(detail)[:500])
    if findings:
        told = qualified(rule, findings, facts.artifact)
        findings = tuple(with_plain_names(each, facts.artifact) for each in told)
        return RuleResult(rule.code, rule.name, Outcome.FAIL, findings=findings)
    if unread := unread_input(rule, facts):
        return RuleResult(rule.code, rule.name, Outcome.NOT_APPLICABLE, plain(unread))
    chosen = rule.chosen(facts) if rule.limit else None
    line = "" if chosen is None else f" (threshold set to {chosen:g})"
    return RuleResult(rule.code, rule.name, Outcome.PASS, rule.pass_title + line)


def _worst(rule: Rule, made: Iterable[Finding], most: int) -> tuple[Finding, ...]:
    """The findings, or the most severe ones if there are more than `most`, and their number.

    Raises:
        WorkSpent: the work is spent, and nothing was found until then.
    """
    kept: list[Finding] = []
    count = 0
    more: list[Finding] = []
    try:
        for each in made:
            count += 1
            kept.append(each)
            if len(kept) > 2 * most:
                kept = _most_severe(kept)[: most + 1]
            spend(_FINDING)
    except WorkSpent:
        if not kept:
            raise
        least = min(kept, key=lambda finding: finding.severity.rank).severity
        more = [rule.finding(f"The rest is {WORK_SPENT}.", key="unfinished", severity=least)]
    if count <= most:
        return (*kept, *more)
    kept = _most_severe(kept)
    detail = f"{count - most:,} more findings of this rule are not listed (setting findings)."
    rest = rule.finding(detail, key="more", severity=kept[most].severity)
    return (*kept[:most], rest, *more)


def _most_severe(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: -finding.severity.rank)


def _lacks_layers(artifact: Artifact) -> str:
    """What a file of weights lacks to compute anything; "" if nothing."""
    if artifact.architecture is not None or artifact.graphs:
        return ""
    if artifact.format is Format.PLUGIN and artifact.tensors:
        return "no layers (the plug-in reads none)"
    if artifact.format in formats(Content.WEIGHTS):
        return "no architecture (--architecture)"
    if artifact.format is Format.TF1_CHECKPOINT:
        return f"no graph ({artifact.root.name}.meta)"
    return "no layers (KerasHub builds them)" if artifact.format is Format.KERASHUB_PRESET else ""


def run_rules(
    rules: Sequence[Rule], facts: Facts, judged: Sequence[RuleResult] = ()
) -> tuple[RuleResult, ...]:
    """Every rule's outcome, in the catalogue's order; those in `judged` are known already.

    Rules on security and then those on integrity run before all others.
    """
    known = {each.code: each for each in judged}
    urgent = [rule for family in _URGENT for rule in rules if rule.family is family]
    others = [rule for rule in rules if rule.family not in _URGENT]
    for phase, chosen in ((Phase.SECURITY, urgent), (Phase.JUDGING, others)):
        with within(facts.work, phase):
            for rule in chosen:
                if rule.code not in known:
                    known[rule.code] = run_rule(rule, facts)
    return tuple(known[rule.code] for rule in rules)


def _cut_short(facts: Facts) -> str:
    """Why a part of the model was not read, or not judged; "" if all was."""
    artifact = facts.artifact
    if facts.unseen:
        return f"{artifact.root.name}: {facts.unseen}"
    for problem in artifact.problems:
        if problem.kind in UNREAD_KINDS:
            return plain(f"{problem.file or artifact.root.name}: {problem.detail}")
    return f"{artifact.root.name}: {WORK_SPENT}" if facts.work and facts.work.cut else ""


def partial_audit_reason(facts: Facts) -> str:
    """Why this model was only partially audited, or "" when it was audited completely."""
    if reason := _cut_short(facts):
        return reason
    artifact = facts.artifact
    if names := variables_without_values(artifact):
        return f"{artifact.root.name}: the values of {len(names)} variables are not in the file"
    # Other damage is the finding of a rule, which may be waived.
    unnamed = all(each.kind is ProblemKind.SUFFIX_MISMATCH for each in artifact.problems)
    if artifact.format in formats(Content.DAMAGED) and artifact.problems and unnamed:
        return plain(f"{artifact.root.name}: {artifact.problems[0].detail}")
    loaded = any(each.status is Status.LOADED for each in facts.observations)
    if not loaded and (lacks := _lacks_layers(artifact)):
        stored = artifact.tensors and not holds_counters(artifact)
        held = f"has weights but {lacks}" if stored else f"has no weights and {lacks}"
        asked = "they are complete, in their places, and what they compute"
        return (
            f"{artifact.root.name}: {held}, so it is open whether "
            f"{asked if stored else 'it should'}"
        )
    for observation in facts.observations:
        where = runtime_name(observation.runtime)
        if observation.status in UNFINISHED:
            why = f" ({observation.error.splitlines()[-1]})" if observation.error else ""
            return f"running it in {where}: {ENDED[observation.status]}{why}"
        contained = all(state is True for state in observation.sandbox.values())
        refused = observation.status is Status.REFUSED and observation.sandbox
        # What only stands in for the model's own runtime may not take a sound model.
        unsuited = artifact.format in EXPORTS and not loaded
        if refused and (unsuited or not contained):
            why = plain(observation.error)
            return f"running it in {where}: {ENDED[observation.status]} ({why})"
    if loaded and facts.behaviour is None and facts.probe_skipped:
        return f"it was loaded but not run: {plain(facts.probe_skipped)}"
    for observation in facts.elsewhere:
        if observation.status is Status.UNAVAILABLE:
            return f"the runtime {observation.runtime} is not available: {observation.error}"
    return ""


def judge(results: Iterable[RuleResult], facts: Facts, fail_on: Severity) -> tuple[Verdict, str]:
    """The verdict and the sentence that gives its reason.

    A finding at or above `fail_on` fails the model. Without one, a model that was only partially
    audited is incomplete. Findings of severity low or higher warn.
    """
    results = tuple(results)
    findings = [f for result in results for f in result.findings if not f.waived_by]
    # Of equal findings, that which keeps the model from being run tells most.
    unrun = bool(facts.observations) and facts.behaviour is None
    findings.sort(key=lambda each: (-each.severity.rank, not (unrun and each.code == "MA715")))
    worst = findings[0] if findings else None
    if worst and worst.severity.rank >= fail_on.rank:
        others = [f.severity for f in findings[1:] if f.severity.rank >= fail_on.rank]
        return Verdict.FAIL, _with_others(_short_names(worst.detail), worst.severity, others)
    reason = partial_audit_reason(facts)
    selection = facts.settings.selection
    some = bool(selection.select or selection.ignore)
    if some and not reason and not facts.artifact.complete:
        reason = f"{facts.artifact.root.name} is damaged, which the selected rules do not report"
    if reason:
        return Verdict.INCOMPLETE, f"Partially audited: {reason}"
    broken = [result for result in results if result.outcome is Outcome.ERROR]
    if broken:
        return Verdict.INCOMPLETE, f"Rule {broken[0].code} failed to run: {broken[0].reason}"
    if worst and worst.severity.rank >= Severity.LOW.rank:
        return Verdict.WARN, _short_names(worst.detail)
    waived = [f for result in results for f in result.findings if f.waived_by]
    if waived:
        return Verdict.PASS, _but_for(waived)
    if some:
        return Verdict.PASS, "The selected rules found nothing; the others are not reported."
    if facts.behaviour and any(each.collapse.collapsed for each in facts.behaviour.outputs):
        return Verdict.PASS, (
            "Nothing was found that argues against using this model, but its output is nearly the same "
            "for all inputs it was run on: whether real ones change it shows only with your own "
            "(--probe-data)."
        )
    return Verdict.PASS, "Nothing was found that argues against using this model."


def _short_names(detail: str) -> str:
    """The reason with overlong layer names shortened; the finding has them in full."""
    return _LONG_NAME.sub(lambda found: f"{found[0][:40]}…{found[0][-20:]}", detail)


def _with_others(reason: str, worst: Severity, others: Sequence[Severity]) -> str:
    """The reason, and how many further findings fail the model."""
    if not others:
        return reason
    one = len(others) == 1
    said = f"also fail{'s' if one else ''} the model"
    if all(severity is worst for severity in others):
        said = "of the same severity"
    stop = "" if reason.endswith((".", "…", "!", "?")) else "."
    return f"{reason}{stop} ({len(others)} more finding{'' if one else 's'} {said}.)"


def _but_for(waived: Sequence[Finding]) -> str:
    """The reason of a pass that depends on waivers, so that it does not read like a plain pass."""
    first = max(waived, key=lambda finding: finding.severity.rank)
    rest = f", and {len(waived) - 1} more" if len(waived) > 1 else ""
    return (
        f"Nothing unwaived argues against using this model. Waived: {first.code}, "
        f"{first.severity.value} ({first.waived_by}){rest}."
    )


def rules_digest(rules: Sequence[Rule]) -> str:
    """Identity of a rule set: changes when a rule is added, removed or declared differently.

    Functions are left out because they have no value that two processes share. A change to a
    check alone therefore does not change the digest.
    """
    digest = hashlib.sha256()
    for rule in rules:
        said = (name for name in rule.__struct_fields__ if name not in {"check", "bad", "good"})
        digest.update(repr([getattr(rule, name) for name in said]).encode())
    return digest.hexdigest()[:16]
