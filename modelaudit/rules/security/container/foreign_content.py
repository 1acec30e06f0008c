"""MA736, MA737 and MA739: content of the model that is not weights, or is a program."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import FileEntry, Format, Problem, ProblemKind
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.executables import executable_kind, is_native
from modelaudit.rules.examples import healthy, model, with_problem
from modelaudit.rules.grammar import counted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.problem_findings import describe
from modelaudit.rules.program_files import NATIVE, executable_severity, head_of
from modelaudit.rules.security.container.pickles import instead
from modelaudit.structs import replace


def check_programs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Members and files identified as foreign or as programs by their bytes, then by name."""
    files = facts.artifact.files
    seen = {entry.path for entry in files if not entry.size}  # empty: their names say nothing
    beside: dict[str, str] = {}
    whole = _is_directory(facts)
    own = whole and not facts.artifact.format.is_saved_model
    foreign = {entry.path for entry in files if entry.role == "foreign"}
    if facts.artifact.format is Format.UNKNOWN:
        yield from (instead(rule, each) for each in facts.artifact.problems if _is_program(each))
        return
    for problem in facts.artifact.problems:
        data = "hdf5" in problem.evidence
        name = problem.route or problem.file
        if name in seen:
            continue
        if "inside" in problem.evidence:
            seen.add(name)
            yield instead(rule, problem)
            continue
        program = "program" in problem.evidence and not data
        left = problem.kind is ProblemKind.LEFTOVER or (program and own and name in foreign)
        if left or program:
            seen.add(name)
            head = head_of(problem)
            what, _ = executable_severity(name, head)
            if left and whole and what and not is_native(head):
                beside[name] = what
            else:
                yield from _program(rule, problem.file, problem.route, head)
    for entry in files:
        what, _ = executable_severity(entry.path, b"")
        if own and entry.path in foreign - seen and what and what != NATIVE:
            beside[entry.path] = what
        elif entry.path not in seen and (len(files) > 1 or entry.role == "foreign"):
            # Its reader looked at the first bytes of every asset, and noted those of programs.
            asset = facts.artifact.format.is_saved_model and entry.role == "asset"
            yield from _program(rule, entry.path, "", b"", read=asset and entry.sha256 is not None)
    for name in (each for each in _members(facts) if each not in seen):
        yield from _program(rule, files[0].path, name, b"")
    if beside:
        yield _beside(rule, beside, facts.artifact.format)


def _is_program(problem: Problem) -> bool:
    return problem.kind is ProblemKind.UNSUPPORTED and "program" in problem.evidence


def _is_directory(facts: Facts) -> bool:
    """Whether the model is a directory of known files, in which a project may keep its own."""
    artifact = facts.artifact
    zipped = any(entry.role == "archive" for entry in artifact.files)
    unpacked = artifact.format is Format.KERAS_ARCHIVE and bool(artifact.files) and not zipped
    return unpacked or artifact.format is Format.KERASHUB_PRESET or artifact.format.is_saved_model


def _beside(rule: Rule, beside: dict[str, str], form: Format) -> Finding:
    """One finding on all files next to those of a model that nothing of it refers to."""
    listed = ", ".join(f"{name} ({what})" for name, what in [*beside.items()][:LISTED])
    where = "beside the SavedModel" if form.is_saved_model else "beside the files of the model"
    return rule.finding(
        counted(len(beside), f"file {where} is", f"files {where} are")
        + f" or may contain a program or pickle: {listed}{' …' if len(beside) > LISTED else ''}. "
        "Loading this model does not open them.",
        title="Beside the model are programs or pickles",
        file=next(iter(beside)),
        evidence={"measured": len(beside), "unit": "files", "content": dict(beside)},
        key="beside",
        severity=Severity.LOW,
        fix="If other code of the project uses them, keep them in another directory than the model.",
    )


def _members(facts: Facts) -> Iterator[str]:
    """Names of an archive's members."""
    archive = facts.artifact.extra.get("archive")
    members = archive.get("members") if isinstance(archive, dict) else None
    for member in members if isinstance(members, list) else ():
        name = member.get("name") if isinstance(member, dict) else None
        if isinstance(name, str):
            yield name


def _program(
    rule: Rule, file: str, route: str, head: bytes, *, read: bool = False
) -> Iterator[Finding]:
    what, severity = executable_severity(route or file, head, read=read)
    if what:
        yield rule.finding(
            f"`{route or file}` is {what}.",
            file=file,
            route=route,
            evidence={"content": what, "head": head[:16].hex()},
            key=what,
            severity=severity,
            confidence=Confidence.HIGH if head else Confidence.MEDIUM,
        )


def _is_foreign_data(problem: Problem) -> bool:
    return problem.kind is ProblemKind.UNSUPPORTED and problem.evidence.get("hdf5") == "type"


def check_pickled_data(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Datasets and attributes whose bytes are a pickle or a program."""
    for problem in facts.artifact.problems:
        what = executable_kind(head_of(problem)) if _is_foreign_data(problem) else ""
        if problem.evidence.get("hdf5") == "program":
            what = str(problem.evidence.get("program"))
        if what:
            yield rule.finding(
                f"`{problem.file}`: `{problem.route}` contains {what}.",
                file=problem.file,
                route=problem.route,
                evidence={**problem.evidence, "content": what},
                key=what,
            )


def check_foreign_data(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Datasets of text, references and other non-numeric data."""
    for problem in facts.artifact.problems:
        if _is_foreign_data(problem) and not executable_kind(head_of(problem)):
            found = describe(rule, problem)
            # Names of classes, which programs of the author's keep there, and data that are no weights.
            usual = problem.evidence.get("type") == "string"
            usual = usual or facts.artifact.format is Format.HDF5_OTHER
            yield replace(found, severity=Severity.LOW) if usual else found


def _with_script() -> Facts:
    archive = FileEntry("example.keras", 20, None, "archive")
    entries = (archive, FileEntry("run.py", 12, None, "foreign"))
    problem = Problem(ProblemKind.LEFTOVER, "run.py", "no part of a model")
    return Facts(replace(model(), files=entries, problems=(problem,)))


RULES = (
    Rule(
        code="MA736",
        name="pickle-in-weights",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="A dataset or attribute contains a pickle or a program",
        pass_title="No dataset or attribute contains a pickle or a program",
        why="Keras never reads it, so it is meant for other code, and unpickling runs whatever the "
        "bytes contain. It is also a way to get a program past scanners.",
        fix="Do not unpickle it. Ask the author for the model without it.",
        check=check_pickled_data,
        bad=with_problem(ProblemKind.UNSUPPORTED, hdf5="type", type="opaque", head="80049517"),
        good=healthy,
    ),
    Rule(
        code="MA737",
        name="non-numeric-weights",
        family=Family.SECURITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="A dataset contains data that is not numeric",
        pass_title="All datasets are numeric",
        why="Text, references and opaque bytes are not weights. Readers that expect numbers fail "
        "on them or misinterpret them.",
        fix="Ask what the data is for, or remove it: Keras never stores such data.",
        check=check_foreign_data,
        bad=with_problem(ProblemKind.UNSUPPORTED, hdf5="type", type="reference"),
        good=healthy,
    ),
    Rule(
        code="MA739",
        name="program-in-model",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARTIFACT,),
        summary="The model contains a program, library or pickle",
        pass_title="The model contains no program",
        why="Loading the model does not run it, but it is distributed with the model, and a config "
        "or a careless script can run it. Models consist of numbers and settings.",
        fix="Delete it, or move it out of the model. If the model comes from an untrusted source, "
        "distrust the rest as well.",
        check=check_programs,
        bad=_with_script,
        good=healthy,
    ),
)
