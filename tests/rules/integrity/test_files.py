"""MA101 to MA122: each problem found by a reader is one finding of one rule."""

from __future__ import annotations

import pickle

import pytest

from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.facts import FileEntry, Format, Problem, ProblemKind
from modelaudit.findings import Confidence, Outcome, Severity
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.pipeline import static_facts
from modelaudit.rules import catalogue, examples
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import ROOT
from modelaudit.rules.integrity.files import DAMAGES, HALF_WRITTEN, RULES
from modelaudit.rules.model import Facts
from modelaudit.settings import Settings
from modelaudit.structs import replace

BY_KIND = {damage.kind: rule for damage, rule in zip(DAMAGES, RULES, strict=True)}
UNREADABLE = BY_KIND[ProblemKind.UNREADABLE]


def met(*problems):
    return Facts(examples.model(examples.layer(), problems=problems))


def findings(rule, *problems):
    return run_rule(rule, met(*problems)).findings


def test_no_kind_of_problem_has_two_rules():
    assert len(BY_KIND) == len(DAMAGES)


@pytest.mark.parametrize("kind", BY_KIND, ids=lambda kind: kind.value)
def test_a_problem_fails_the_rule_of_its_kind_alone(kind):
    facts = met(Problem(kind, "model.keras", "what the reader saw"))
    failed = [rule.code for rule in RULES if run_rule(rule, facts).outcome is Outcome.FAIL]
    assert failed == [BY_KIND[kind].code]


@pytest.mark.parametrize(
    "kind", [kind for kind in ProblemKind if kind not in BY_KIND], ids=lambda kind: kind.value
)
def test_problems_of_the_other_families_are_left_to_them(kind):
    facts = met(Problem(kind, "model.keras", "what the reader saw"))
    assert {run_rule(rule, facts).outcome for rule in RULES} == {Outcome.PASS}
    failed = [rule for rule in CATALOGUE if run_rule(rule, facts).outcome is Outcome.FAIL]
    assert failed


def test_every_problem_is_a_finding_in_the_reader_s_order():
    one, other = (
        Problem(ProblemKind.UNREADABLE, "b", "x"),
        Problem(ProblemKind.UNREADABLE, "a", "y"),
    )
    unrelated = Problem(ProblemKind.EMPTY, "c", "z")
    found = findings(UNREADABLE, one, unrelated, other)
    assert [finding.location.file for finding in found] == ["b", "a"]


def test_a_finding_has_the_reader_s_location_and_evidence():
    evidence = {"expected": 12, "stored": 10}
    problem = Problem(
        ProblemKind.CRC_MISMATCH, "variables.data", "2 bytes", "dense/kernel", evidence
    )
    (finding,) = findings(BY_KIND[ProblemKind.CRC_MISMATCH], problem)
    assert finding.evidence == evidence
    assert (finding.location.file, finding.location.route) == ("variables.data", "dense/kernel")
    assert finding.confidence is Confidence.CERTAIN
    assert finding.key == ProblemKind.CRC_MISMATCH.value


@pytest.mark.parametrize(
    ("file", "detail", "said"),
    [
        ("a.h5", "is empty", "`a.h5` is empty"),
        ("a.h5", "has 3 bytes", "`a.h5` has 3 bytes"),
        ("a.h5", "ends at byte 3", "`a.h5` ends at byte 3"),
        ("a.h5", "names b.h5", "`a.h5` names b.h5"),
        ("a.h5", "no permission", "`a.h5`: no permission"),
        ("a.h5", "hashes differ", "`a.h5`: hashes differ"),  # begins with letters of a verb only
        ("", "no permission", "no permission"),
        ("", "is empty", "is empty"),
    ],
)
def test_the_file_is_the_subject_of_a_detail_that_begins_with_a_verb(file, detail, said):
    (finding,) = findings(UNREADABLE, Problem(ProblemKind.UNREADABLE, file, detail))
    assert finding.detail == said


def test_one_problem_at_two_routes_has_two_fingerprints():
    one, other = (Problem(ProblemKind.UNREADABLE, "a.h5", "no permission", route) for route in "xy")
    first, second = findings(UNREADABLE, one, other)
    assert first.fingerprint != second.fingerprint


def test_measured_values_are_not_part_of_a_fingerprint():
    one, other = (
        Problem(ProblemKind.UNREADABLE, f"{n}.h5", f"{n} bytes", "x", {"n": n}) for n in (1, 2)
    )
    first, second = findings(UNREADABLE, one, other)
    assert first.fingerprint == second.fingerprint


def test_only_remarks_and_leftovers_do_not_warn():
    mild = {code for code, severity in severities().items() if severity.rank < Severity.MEDIUM.rank}
    assert mild == {"MA115", "MA122"}


def test_unread_files_are_not_high():
    """An unreadable or unsupported file makes the verdict incomplete."""
    medium = {code for code, severity in severities().items() if severity is Severity.MEDIUM}
    assert medium == {"MA101", "MA116", "MA117", "MA121"}


def severities():
    return {rule.code: rule.severity for rule in RULES}


def test_a_file_that_is_still_being_written_looks_damaged():
    for kind in (ProblemKind.TRUNCATED, ProblemKind.EMPTY, ProblemKind.MISSING_SHARD):
        assert BY_KIND[kind].code in HALF_WRITTEN
    # None of these comes from a write that is not finished.
    for kind in (ProblemKind.LFS_POINTER, ProblemKind.TEXT_MANGLED, ProblemKind.UNSUPPORTED):
        assert BY_KIND[kind].code not in HALF_WRITTEN


@pytest.mark.parametrize(
    ("evidence", "alone"),
    [
        ({"npy": "object"}, False),
        ({"hdf5": "type", "type": "string"}, False),
        ({"npy": "type"}, True),
        ({}, True),
    ],
)
def test_an_unread_part_that_another_rule_names_is_reported_once(evidence, alone):
    problem = Problem(ProblemKind.UNSUPPORTED, "model.keras", "not loaded", evidence=evidence)
    found = [each for rule in CATALOGUE for each in run_rule(rule, met(problem)).findings]
    failed = [each.code for each in found if each.severity is not Severity.INFO]
    assert ("MA121" in failed) is alone
    assert len(failed) == 1


@pytest.mark.parametrize(
    ("name", "severity"), [("input_0.pb", Severity.LOW), ("model.keras", Severity.MEDIUM)]
)
def test_an_unknown_message_of_protocol_buffers_need_be_no_model(name, severity):
    facts = met(Problem(ProblemKind.UNSUPPORTED, name, "is not a known model format"))
    artifact = replace(facts.artifact, format=Format.UNKNOWN, root=ROOT.with_name(name))
    (found,) = run_rule(BY_KIND[ProblemKind.UNSUPPORTED], Facts(artifact)).findings
    assert found.severity is severity


@pytest.mark.parametrize(
    ("problem", "severity"),
    [
        (limit_problem("m.h5", "more than 5,000 links", "density"), Severity.MEDIUM),
        (limit_problem("m.h5", "stopped", "work"), Severity.MEDIUM),
        (problem_of(LimitExceeded("m.h5", "layers", 41, 40, "layers")), Severity.MEDIUM),
        (problem_of(LimitExceeded("m.h5", "nested models", 41, 40)), Severity.MEDIUM),
        (problem_of(LimitExceeded("m.h5", "function calls followed", 41, 40)), Severity.MEDIUM),
        (problem_of(WorkSpent(5)), Severity.MEDIUM),
        (problem_of(LimitExceeded("m.h5", "depth", 41, 40)), Severity.HIGH),
        (limit_problem("m.h5", "would decode to 33,554,432", "hdf5_ratio"), Severity.HIGH),
        (limit_problem("m.h5", "link to `x (setting work)`", ""), Severity.HIGH),  # a name
    ],
)
def test_a_limit_of_parts_is_no_attack_by_itself(problem: Problem, severity: Severity) -> None:
    (found,) = findings(BY_KIND[ProblemKind.LIMIT_EXCEEDED], problem)
    assert found.severity is severity
    assert "`[limits]`" in found.fix


class Unpickled:
    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize(
    ("content", "code"),
    [(pickle.dumps(Unpickled()), "MA739"), (b"some text, and no model", "MA121")],
)
def test_a_pickle_with_the_name_of_a_model_is_called_one(tmp_path, content, code):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    found = [
        finding
        for each in (*RULES, catalogue.rule("MA739"))
        for finding in run_rule(each, static_facts(path, Settings())).findings
    ]
    assert [each.code for each in found] == [code]
    said = "names builtins.print" in found[0].detail and "runs whatever code" in found[0].detail
    assert said is (code == "MA739")
    assert found[0].severity is (Severity.HIGH if code == "MA739" else Severity.MEDIUM)


@pytest.mark.parametrize(
    ("beside", "head", "size", "told"),
    [
        ("model_1.pb", "080112b4", 7, {"MA107": ("high", "Rename model_1.pb to saved_model.pb")}),
        (
            "notes.pb",
            "0a0b0c0d",
            7,
            {"MA107": ("high", "Copy the whole directory"), "MA115": ("low", "")},
        ),
        ("best.keras", "504b0304", 0, {"MA107": ("low", "Delete the empty files")}),
        (
            "best.keras",
            "504b0304",
            7,
            {"MA107": ("high", "Copy the whole directory"), "MA115": ("low", "")},
        ),
    ],
)
def test_a_saved_model_without_a_graph_is_one_with_another_name_or_remains(
    beside, head, size, told
):
    lost = Problem(ProblemKind.MISSING_FILE, "saved_model.pb", "neither this file exists")
    leftover = Problem(ProblemKind.LEFTOVER, beside, "does not belong", evidence={"head": head})
    empty = Problem(ProblemKind.EMPTY, "variables/variables.index", "0 bytes")
    problems = (leftover, lost) if size else (leftover, lost, empty)
    files = (FileEntry("variables/variables.index", size, "", "index"),)
    form = Format.CORRUPT_SAVEDMODEL
    made = Facts(replace(examples.model(), problems=problems, files=files, format=form))
    found = {each.code: each for rule in RULES for each in rule.check(rule, made)}
    assert {code: str(each.severity) for code, each in found.items()} == {
        code: severity for code, (severity, _) in told.items()
    }
    assert all(fix in found[code].fix for code, (_, fix) in told.items())
    other = Problem(ProblemKind.UNREADABLE, "assets", "permission denied")
    both = Facts(replace(made.artifact, problems=(*problems, other)))
    (unread,) = UNREADABLE.check(UNREADABLE, both)
    assert (unread.severity, "Remains" in unread.title) == (UNREADABLE.severity, False)


def test_files_of_one_model_that_are_not_there_are_one_finding():
    """As where a repository takes none above a size; the data of two checkpoints are two."""
    names = [f"group1-shard{n}of3.bin" for n in range(1, 4)]
    rule = BY_KIND[ProblemKind.MISSING_SHARD]
    alike = [
        Problem(ProblemKind.MISSING_SHARD, "model.json", f"{name} is listed but not there", name)
        for name in names
    ]
    (found,) = findings(rule, *alike)
    assert all(name in found.detail for name in names)
    assert "2 other files" in found.detail
    apart = [
        Problem(ProblemKind.MISSING_SHARD, f"{name}.data-00000-of-00001", "the shard is missing")
        for name in "ab"
    ]
    assert len(findings(rule, *apart)) == 2
