"""Audits one model, from path to `Audit`; the only module that knows all steps."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from modelaudit import __version__
from modelaudit.audit_sections import (
    architecture_section,
    behaviour_section,
    compatibility_section,
    exit_section,
    model_section,
    observation_sections,
    restore_section,
    symmetry_section,
    weights_section,
)
from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.model import ToolSection
from modelaudit.audit_types.signing import SigningSection
from modelaudit.clock import Stopwatch
from modelaudit.diagnosis import diagnose
from modelaudit.errors import ProbeError, WorkSpent
from modelaudit.facts import Artifact, Format
from modelaudit.findings import Outcome, RuleResult
from modelaudit.formats.added_architecture import add_architecture
from modelaudit.formats.io.work_allowance import budget_of, with_work_spent
from modelaudit.formats.plugin_formats import with_failures
from modelaudit.formats.reader import read_artifact, unreadable_artifact
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.measures.kernels.directions import with_filters
from modelaudit.measures.measure import measure
from modelaudit.probe.pair.source import ExportSource, find_source
from modelaudit.probe.protocol import Observation, can_run, endings
from modelaudit.probe.result import ProbeResult
from modelaudit.restore.golden_check import read_golden, with_tolerance
from modelaudit.restore.repair_record import read_repair
from modelaudit.rules import policies
from modelaudit.rules.catalogue import all_rules, plugin_sources
from modelaudit.rules.engine import judge, rules_digest, run_rules
from modelaudit.rules.kept import (
    changed_while_run_result,
    reason_not_to_run,
    security_results,
    severe,
    with_kept,
    with_limit_told,
)
from modelaudit.rules.model import Facts, Need
from modelaudit.rules.model_in_advice import name_model
from modelaudit.rules.unsafe_advice import withhold_unsafe_fixes
from modelaudit.runtimes.catalogue import default_targets, installed_target, specifier
from modelaudit.runtimes.model import Prediction
from modelaudit.runtimes.predict import predict
from modelaudit.schema import Audit, weights_digest
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.settings.installation import ADDS_HUB, BUILDS_PRESETS, missing
from modelaudit.signing.check import check_signatures
from modelaudit.structs import replace
from modelaudit.work_budget import Phase, WorkBudget, within


@cache
def _catalogue_digest(_plugins: tuple[str, ...]) -> str:
    return rules_digest(all_rules())


CHANGED_WHILE_READ = "it was modified while it was read, and again during a second attempt"

# Runs a model in the available runtimes, and an export with its source.
Probe = Callable[[Artifact, Settings, ExportSource | None], ProbeResult]
# Stores findings on security where nothing that the model does reaches them.
Keep = Callable[[tuple[RuleResult, ...]], None]


def static_facts(path: Path, settings: Settings) -> Facts:
    """All facts that do not require running the model."""
    budget = budget_of(path, settings.limits)
    with budget.during(Phase.READING):
        artifact = add_architecture(read_artifact(path, settings.limits), settings)
    measurements = None
    with budget.during(Phase.MEASURING):
        if artifact.tensors or artifact.architecture:
            measurements = with_filters(measure(artifact, limits=settings.limits), artifact)
            artifact = with_failures(artifact)
    artifact = with_work_spent(artifact, budget)
    return Facts(
        artifact=artifact,
        settings=settings,
        measurements=measurements,
        predictions=predictions_for(artifact, settings, targets_of(settings), budget),
        installed=installed_target(),
        golden=read_golden(artifact, settings.limits),
        repaired=read_repair(artifact, settings.limits),
        work=budget,
    )


def targets_of(settings: Settings) -> tuple[str, ...]:
    """The runtimes to predict for: the one that serves the models, then the targets."""
    serving = (settings.serving,) if settings.serving else ()
    return serving + (settings.targets or default_targets())


def predictions_for(
    artifact: Artifact, settings: Settings, targets: Sequence[str], work: WorkBudget | None
) -> tuple[Prediction, ...]:
    """The prediction for each runtime, with the user's profiles and custom objects.

    There are none if there is too little work left for all; rules ask the budget for that.
    """
    custom, own = frozenset(settings.custom_objects), tuple(map(Path, settings.profiles))
    with within(work, Phase.PREDICTING), suppress(WorkSpent):
        return predict(artifact, targets, custom, own, read_source_code(settings.source_code))
    return ()


def why_not_run(facts: Facts) -> str:
    """Why this model must not be run, or "" if it may be."""
    artifact = facts.artifact
    if not facts.settings.probe.enabled:
        return "running models is disabled (--no-probe)"
    if not can_run(artifact.format):
        if artifact.format is Format.UNKNOWN:
            return "it could not be read as a model"
        return f"this format ({artifact.format.label}) cannot be run on its own"
    if not facts.settings.probe.unsafe:
        found = security_results(facts) if facts.kept is None else facts.kept
        reason = reason_not_to_run(found, facts)
        if reason:
            return reason
    if artifact.format is Format.KERASHUB_PRESET and missing(BUILDS_PRESETS):
        return f"KerasHub, which builds its layers, is not installed: {ADDS_HUB}"
    return ""


def add_source(facts: Facts, places: Sequence[Path]) -> Facts:
    """`facts` of an export with the model that it was made from, if that is at one of `places`."""
    settings = facts.settings
    if not places:
        return facts

    def read(place: Path) -> Artifact:
        return add_architecture(read_artifact(place, settings.limits), settings)

    source = find_source(facts.artifact, places, read)
    if source is None:
        return facts
    reason = why_not_run(facts) or why_not_run(Facts(source.artifact, settings))
    if not reason and not settings.probe.data:
        reason = "there are no images to run both on (--probe-data)"
    return replace(facts, source=replace(source, not_run=reason))


def add_probe(facts: Facts, probe: Probe | None) -> Facts:
    """`facts` with the results of running the model, or why it was not run."""
    reason = why_not_run(facts) if probe else "running models is disabled (--no-probe)"
    if probe is None or reason:
        return replace(facts, probe_skipped=reason)
    if facts.work:  # the same rules are judged again, with what is known from running it
        facts.work.begin_again(Phase.SECURITY)
    source = facts.source
    try:
        seen = probe(facts.artifact, facts.settings, None if source and source.not_run else source)
    except (ProbeError, MemoryError) as error:  # what was read of the model still counts
        reason = f"the probe itself failed: {str(error) or 'out of memory for the outputs'}"
        failed = Observation("here", "", Status.UNAVAILABLE, type(error).__name__, reason)
        return replace(facts, observations=(failed,), probe_skipped=reason)
    observations, elsewhere = _targets(seen.observations), _targets(seen.elsewhere)
    # The record's outputs with the tolerance from the settings
    golden = seen.golden or facts.golden
    share = facts.settings.threshold("MA410", "golden-outputs-differ")
    return replace(
        facts,
        observations=observations,
        elsewhere=elsewhere,
        predictions=facts.predictions + _predicted(facts, (*observations, *elsewhere)),
        behaviour=seen.behaviour,
        restore=seen.restore,
        golden=golden if golden is None or share is None else with_tolerance(golden, share),
        source=source and source.after(seen.pair),
        probe_skipped="" if seen.behaviour else seen.skipped or endings(seen.observations),
    )


def _targets(seen: Sequence[Observation]) -> tuple[Observation, ...]:
    """The observations with the runtime names that predictions use."""
    return tuple(
        replace(each, target=specifier(each.versions)) if "tensorflow" in each.versions else each
        for each in seen
    )


def _predicted(facts: Facts, seen: Sequence[Observation]) -> tuple[Prediction, ...]:
    """Predictions for runtimes that were used but not requested as targets.

    If models run only in the installed runtimes, the requested targets suffice.
    """
    if not facts.settings.runtimes:
        return ()
    asked = {each.runtime for each in facts.predictions}
    met = dict.fromkeys(each.target for each in seen if each.target)
    others = [target for target in met if target not in asked]
    if others and facts.work:
        facts.work.begin_again(Phase.PREDICTING)
    return predictions_for(facts.artifact, facts.settings, others, facts.work)


def run_all_rules(facts: Facts, judged: Sequence[RuleResult] = ()) -> tuple[RuleResult, ...]:
    """Every rule's outcome: first of all rules, then of those that judge the diagnosis.

    `judged` are outcomes that are known already.
    """
    results = run_rules(all_rules(), facts, judged)
    if facts.behaviour is not None:  # which those need as well
        facts = replace(facts, diagnosis=diagnose(facts, with_limit_told(results, facts)))
        late = {rule.code for rule in all_rules() if Need.DIAGNOSIS in rule.needs}
        others = [each for each in results if each.code not in late]
        results = run_rules(all_rules(), facts, others)
    return with_limit_told(results, facts)


def finish_audit(
    facts: Facts,
    target: AuditTarget,
    created: str,
    timings: dict[str, float],
    judged: Sequence[RuleResult] = (),
) -> Audit:
    """From facts to `Audit`: rules, verdict and sections, with the settings for the model.

    `judged` are outcomes of rules that are known already.
    """
    settings = facts.settings.for_model(target.relative, target.path)
    facts = replace(facts, settings=settings)
    results = with_kept(run_all_rules(facts, judged), facts.kept or ())
    results = policies.apply_severities(results, settings.severities)
    today = datetime.date.fromisoformat(created[:10])
    results = policies.apply_waivers(results, settings.waivers, today)
    weights = weights_section(facts)
    if settings.baseline:
        known = settings.baseline.model(
            target.shown, facts.artifact.sha256 or "", weights_digest(weights)
        )
        results = policies.apply_baseline(results, known, settings.baseline.created)
    serving = settings.serving or facts.installed
    results = name_model(withhold_unsafe_fixes(results, all_rules()), facts.path, serving)
    found = diagnose(facts, results)  # of all rules: which of them are reported changes no cause
    results = policies.apply_selection(results, all_rules(), settings.selection)
    verdict, reason = judge(results, facts, settings.fail_on)
    outcomes = [result.outcome for result in results]
    return Audit(
        tool=ToolSection(
            name="tf-modelaudit",
            version=__version__,
            rules_digest=_catalogue_digest(plugin_sources()),
            rules={outcome.value: outcomes.count(outcome) for outcome in Outcome},
        ),
        created=created,
        model=model_section(facts, target.shown_base, target.shown, target.slug, target.origin),
        verdict=verdict,
        reason=reason,
        results=results,
        compatibility=compatibility_section(facts),
        architecture=architecture_section(facts),
        weights=weights,
        symmetry=symmetry_section(facts.measurements),
        behaviour=behaviour_section(facts),
        restore=restore_section(facts),
        signing=facts.signing or SigningSection(),
        diagnosis=found,
        signatures=facts.artifact.signatures,
        files=facts.artifact.files,
        observations=observation_sections((*facts.observations, *facts.elsewhere)),
        exit=exit_section(verdict, reason, settings.fail_on),
        timings=timings,
    )


def audit_model(
    target: AuditTarget,
    settings: Settings,
    created: str,
    probe: Probe | None = None,
    keep: Keep | None = None,
    earlier: tuple[RuleResult, ...] = (),
) -> Audit:
    """Audit one model. Never raises because of the content of the model's files.

    Args:
        settings: of the run; those for this model are applied.
        created: ISO 8601 time in UTC for the audit.
        probe: runs the model in isolation; None for a static audit.
        keep: receives the findings on security before the model is run.
        earlier: such findings of an earlier attempt; the audit also has the severe ones.
    """
    settings = settings.for_model(target.relative, target.path)
    timings: dict[str, float] = {}
    with Stopwatch(timings, "static"):
        facts = static_facts(target.path, settings)
        facts = replace(facts, path=target.relative, declared_signature=target.declared_signature)
        signing = check_signatures(facts.artifact, settings, created)
        facts = replace(facts, signing=signing, previous_name=target.previous_name)
        if target.previous:
            facts = replace(facts, previous=read_artifact(target.previous, settings.limits))
        judged = security_results(facts)
        kept = (*severe(earlier), *(each for each in judged if each.findings))
        if keep:
            keep(kept)
        facts = add_source(replace(facts, kept=kept), target.sources)
    with Stopwatch(timings, "probe"):
        facts = add_probe(facts, probe)
    if facts.observations or facts.elsewhere:
        judged = ()  # again, with what is known from running it
    with Stopwatch(timings, "judge"):
        return finish_audit(facts, target, created, timings, judged)


def incomplete_audit(
    target: AuditTarget,
    settings: Settings,
    created: str,
    why: str,
    sha256: str | None = None,
    kept: tuple[RuleResult, ...] = (),
    *,
    changed_while_run: bool = False,
    not_run: str = "it was being written",
) -> Audit:
    """The incomplete audit of a model that could not be read consistently.

    Args:
        created: ISO 8601 time in UTC for the audit.
        why: the reason, as a phrase after the model's name.
        sha256: the digest of the files, if known.
        kept: findings on security from before it was run; it has no others.
        changed_while_run: whether the files were modified while it was run, which is another.
        not_run: why it was not run.
    """
    artifact = replace(unreadable_artifact(target.path), sha256=sha256)
    if changed_while_run:
        kept += changed_while_run_result(Facts(artifact, settings))
    facts = Facts(artifact, settings, unseen=why, probe_skipped=not_run, kept=kept)
    return finish_audit(facts, target, created, {})
