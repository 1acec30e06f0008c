"""Audits whose work is spent: they are incomplete, are not reused, and nothing is run unjudged."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelaudit import pipeline
from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.repair import RepairStatus
from modelaudit.errors import WorkSpent
from modelaudit.findings import Confidence, Finding, Outcome, RuleResult, Severity, Verdict
from modelaudit.formats.reader import read
from modelaudit.probe.protocol import Observation
from modelaudit.probe.result import ProbeResult
from modelaudit.repairs import repair
from modelaudit.rules import kept
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import WORK_SPENT
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.security.config.code_sites import code_sites
from modelaudit.runs.cache_notes import repeatable
from modelaudit.schema import Audit
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace
from modelaudit.work_budget import UNIT_SECONDS, Phase, WorkBudget, spend
from tests.formats import dense_files
from tests.made import files
from tests.work_clock import UNITS, Clock, budget_with, facts_with

CREATED = "2026-01-01T00:00:00Z"


def audited(path: Path, work: float, monkeypatch: pytest.MonkeyPatch, *at: Phase) -> Audit:
    """An audit whose clock is at the end of phases when they begin."""
    settings = Settings(limits=Limits(work=work))
    clock = Clock()
    budget = budget_with(clock)
    during = budget.during

    @contextmanager
    def late(phase: Phase) -> Iterator[None]:
        with during(phase):
            if phase in at:
                clock.reach(phase)
            yield

    monkeypatch.setattr(budget, "during", late)
    monkeypatch.setattr(pipeline, "budget_of", lambda *_: budget)
    facts = pipeline.static_facts(path, settings)
    target = pipeline.AuditTarget(path, path.parent, path.name, "x")
    return pipeline.finish_audit(facts, target, CREATED, {})


def test_words_from_a_file_do_not_keep_an_audit_from_reuse(tmp_path, monkeypatch):
    whole = audited(files.minimal_h5(tmp_path / "m.h5"), 26.0, monkeypatch)
    detail = "the layer d (setting work) has none"
    made = Finding("MA412", "x", Severity.LOW, Confidence.HIGH, "t", detail)
    result = RuleResult("MA412", "x", Outcome.FAIL, findings=(made,))
    assert repeatable(replace(whole, results=(*whole.results, result)))


@pytest.mark.parametrize("phase", Phase)
def test_an_audit_that_is_cut_short_is_incomplete_and_not_reused(phase, tmp_path, monkeypatch):
    path = files.minimal_h5(tmp_path / "m.h5")
    whole = audited(path, 26.0, monkeypatch)
    assert repeatable(whole)
    cut = audited(path, 26.0, monkeypatch, phase)
    assert not repeatable(cut)
    assert cut.verdict is Verdict.INCOMPLETE
    assert "(setting work)" in cut.reason
    assert "MA118" in {each.code for each in cut.findings}
    passed = {each.code for each in cut.results if each.outcome is Outcome.PASS}
    assert passed < {each.code for each in whole.results if each.outcome is Outcome.PASS}


def test_an_honest_audit_is_the_same_without_a_bound(tmp_path, monkeypatch):
    path = files.minimal_h5(tmp_path / "m.h5")
    target = pipeline.AuditTarget(path, path.parent, path.name, "x")
    facts = pipeline.static_facts(path, Settings())
    bounded = pipeline.finish_audit(facts, target, CREATED, {})
    assert facts.work.cut == []
    assert bounded == pipeline.finish_audit(replace(facts, work=None), target, CREATED, {})


def test_code_that_was_found_before_the_end_stays_and_the_rest_is_not_called_plain(tmp_path):
    path = tmp_path / "m.keras"
    dense_files.functions_of_layers(path, 4)
    whole = len(code_sites(read(path, Limits())))
    seen = set()
    for after in range(2, 40):
        reads = itertools.count()
        budget = WorkBudget(
            1.0, lambda reads=reads, after=after: 1e9 * (next(reads) > after), lambda: UNIT_SECONDS
        )
        artifact = read(path, Limits())
        with budget.during(Phase.SECURITY):
            try:
                sites = code_sites(artifact)
            except WorkSpent:
                continue
        seen.add((len(sites), any("(setting work)" in each.unreadable for each in sites)))
    assert (whole, False) in seen
    assert any(cut and 1 < count <= whole + 1 for count, cut in seen)


def test_what_the_runtimes_do_is_unknown_if_no_work_is_left(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    dense_files.functions_of_layers(path, 4)
    cut = audited(path, 26.0, monkeypatch, Phase.MEASURING)
    assert cut.verdict in {Verdict.INCOMPLETE, Verdict.FAIL}
    assert "MA118" in {each.code for each in cut.findings}
    assert not repeatable(cut)


@pytest.mark.parametrize("cut", [Phase.READING, Phase.SECURITY])
def test_a_model_whose_security_was_not_judged_is_not_run(cut) -> None:
    facts = facts_with(Clock())
    facts.work.cut.append(cut)
    why = pipeline.why_not_run(facts)
    assert "(setting work)" in why
    unsafe = replace(facts.settings, probe=replace(facts.settings.probe, unsafe=True))
    assert pipeline.why_not_run(replace(facts, settings=unsafe)) == ""


def test_a_model_whose_other_rules_were_cut_short_is_run() -> None:
    facts = facts_with(Clock())
    facts.work.cut.append(Phase.JUDGING)
    assert pipeline.why_not_run(facts) == ""


def test_a_model_whose_security_was_not_judged_is_not_repaired(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(repair, "static_facts", _cut_short)
    path = files.minimal_keras(tmp_path / "m.keras")
    done = repair.repair_model(path, "tf==2.21.0", tmp_path / "new.h5", Settings(), None)
    assert done.status is RepairStatus.REFUSED
    assert "(setting work)" in done.reason
    assert "(setting work)" in repair._dangerous(path, Settings())


def _cut_short(path: Path, settings: Settings) -> Facts:
    facts = pipeline.static_facts(path, settings)
    facts.work.cut.append(Phase.SECURITY)
    return facts


OF_PREDICTIONS = {"MA213", "MA220", "MA221", "MA222"}


def compiled(path: Path, name: str) -> Path:
    """A dense layer of a class of that name, and settings to compile it."""
    whole = files.minimal_keras(path.with_name("whole.keras"))
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for part in old.namelist():
            content = old.read(part)
            if part == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1]["class_name"] = name
                config["compile_config"] = {
                    "optimizer": {"class_name": "OddOptimizer", "config": {}}
                }
                content = json.dumps(config).encode()
            new.writestr(part, content)
    return path


@pytest.mark.parametrize(("name", "outcome"), [("Odd", Outcome.FAIL), ("Dense", Outcome.PASS)])
@pytest.mark.parametrize("seen", [0, 1, 2, 3, 5, 8, 1_000])
def test_rules_on_predictions_do_not_pass_if_some_were_cut(
    name, outcome, seen, tmp_path, monkeypatch
):
    path = compiled(tmp_path / "m.keras", name)
    whole = {each.code: each for each in audited(path, 26.0, monkeypatch).results}
    clock, asked = Clock(), itertools.count()
    budget = budget_with(clock)
    spent = budget.is_spent

    def late() -> bool:
        if budget._phase is Phase.PREDICTING and next(asked) == seen:
            clock.reach(Phase.PREDICTING)
        return spent()

    monkeypatch.setattr(budget, "is_spent", late)
    monkeypatch.setattr(pipeline, "budget_of", lambda *_: budget)
    facts = pipeline.static_facts(path, Settings())
    target = pipeline.AuditTarget(path, path.parent, path.name, "x")
    audit = pipeline.finish_audit(facts, target, CREATED, {})
    results = {each.code: each for each in audit.results}
    assert whole["MA220"].outcome is outcome
    if next(asked) <= seen:  # there was work for all
        assert facts.work.cut == []
        assert results == whole
        return
    assert facts.work.cut == [Phase.PREDICTING]
    assert audit.verdict in {Verdict.INCOMPLETE, Verdict.FAIL}
    assert "MA118" in {each.code for each in audit.findings}
    judged = [results[each] for each in OF_PREDICTIONS]
    assert {(each.outcome, each.reason) for each in judged} == {
        (Outcome.NOT_APPLICABLE, WORK_SPENT)
    }
    assert results["MA715"].outcome is not Outcome.PASS


def audited_twice(
    path: Path, monkeypatch: pytest.MonkeyPatch, share: float, *, run: bool
) -> tuple[Audit, WorkBudget, int]:
    """An audit in which each pass of the rules on security takes a share of the work.

    Args:
        run: whether the model is run, so that these rules are judged before it and behind it.

    Returns:
        The audit, its budget, and the number of passes.
    """
    clock, passes = Clock(), []
    budget = budget_with(clock)

    def slow(_rule: Rule, facts: Facts) -> Iterator[Finding]:
        passes.append(len(facts.observations))
        clock.now += share * UNITS * UNIT_SECONDS
        spend()
        yield from ()

    (first,) = (each for each in CATALOGUE if each.code == "MA701")
    rules = tuple(replace(each, check=slow) if each is first else each for each in CATALOGUE)
    monkeypatch.setattr(pipeline, "budget_of", lambda *_: budget)
    monkeypatch.setattr(pipeline, "all_rules", lambda: rules)
    monkeypatch.setattr(kept, "all_rules", lambda: rules)
    target = pipeline.AuditTarget(path, path.parent, path.name, "x")
    seen = ProbeResult((Observation("tf", "load_model", Status.FAILED, error="no file"),))
    probe = (lambda *_: seen) if run else None
    return pipeline.audit_model(target, Settings(), CREATED, probe), budget, len(passes)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.4, 0.69, 0.71])
def test_a_model_that_is_run_has_as_much_work_as_one_that_is_not(share, tmp_path, monkeypatch):
    path = files.minimal_keras(tmp_path / "m.keras")
    still, budget, passes = audited_twice(path, monkeypatch, share, run=False)
    run, other, more = audited_twice(path, monkeypatch, share, run=True)
    enough = share < Phase.SECURITY.value
    assert budget.cut == other.cut == ([] if enough else [Phase.SECURITY])
    assert (passes, more) == ((1, 2) if enough else (1, 1))  # what is not judged is not run
    before = {each.code: each for each in still.results}
    after = {each.code: each for each in run.results}
    same = [code for code in before if code.startswith(("MA1", "MA3", "MA4", "MA7"))]
    without_run = [code for code in same if before[code].reason != after[code].reason]
    assert all("running models is disabled" in before[code].reason for code in without_run)
    assert WORK_SPENT not in {each.reason for each in run.results} or not enough


def test_what_is_done_again_is_counted_once() -> None:
    clock = Clock()
    budget = budget_with(clock)
    step = 0.3 * UNITS * UNIT_SECONDS
    for phase in (Phase.READING, Phase.SECURITY):
        with budget.during(phase):
            clock.now += step
            assert not budget.is_spent()
    budget.begin_again(Phase.SECURITY)
    with budget.during(Phase.SECURITY):
        clock.now += step
        assert not budget.is_spent()
        clock.now += step
        assert budget.is_spent()
    assert budget.cut == [Phase.SECURITY]
