"""MA1xx: file integrity: missing, damaged and mismatched files."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from modelaudit.facts import Format, Json, Problem, ProblemKind
from modelaudit.findings import Finding, Severity
from modelaudit.rules.examples import healthy, with_problem
from modelaudit.rules.file_advice import and_then
from modelaudit.rules.grouped import by_cause
from modelaudit.rules.integrity.saved_model_remains import with_remains
from modelaudit.rules.model import Check, Facts, Family, Need, Rule, RuleTexts, rules_of
from modelaudit.rules.problem_findings import describe, sentence
from modelaudit.rules.program_files import executable_severity, head_of
from modelaudit.rules.security.container.threats import THREATS
from modelaudit.structs import replace


class Damage(RuleTexts, frozen=True, kw_only=True):
    """One kind of damage that a reader can detect, and what it means."""

    kind: ProblemKind


DAMAGES = (
    Damage(
        "MA101",
        "unreadable-file",
        Severity.MEDIUM,
        "A file of the model cannot be read",
        "Every file of the model can be read",
        "A file that cannot be read was not audited. It may be intact or damaged.",
        "Grant the auditing user read permission, or repair the storage, then audit again.",
        kind=ProblemKind.UNREADABLE,
    ),
    Damage(
        "MA102",
        "truncated-file",
        Severity.HIGH,
        "A file is shorter than its own header declares",
        "No file is truncated",
        "An upload, copy or save was interrupted. The weights after the truncation point are lost.",
        "Copy the file again from its source and compare the sizes. If the source is truncated "
        "too, export the model again.",
        kind=ProblemKind.TRUNCATED,
    ),
    Damage(
        "MA103",
        "text-mangled-file",
        Severity.HIGH,
        "A binary file was converted as if it were text",
        "No binary file was converted as text",
        "A tool treated the file as UTF-8 text and replaced every byte that is not valid UTF-8. "
        "The original values cannot be recovered.",
        "The file cannot be repaired. Fetch the original again in binary mode (for Git: mark the "
        "suffix as `binary` in .gitattributes).",
        kind=ProblemKind.TEXT_MANGLED,
    ),
    Damage(
        "MA104",
        "git-lfs-pointer",
        Severity.HIGH,
        "The file is a Git LFS pointer, not the model",
        "No file is a Git LFS pointer",
        "The repository stores the model elsewhere. This copy contains only a reference to it.",
        "Run `git lfs pull` in the checkout that this file comes from.",
        kind=ProblemKind.LFS_POINTER,
    ),
    Damage(
        "MA105",
        "empty-file",
        Severity.HIGH,
        "The file is empty",
        "No file is empty",
        "Saving or copying the file failed before the first byte was written.",
        "Save or copy the model again. Check whether the disk is full.",
        kind=ProblemKind.EMPTY,
    ),
    Damage(
        "MA106",
        "corrupt-file",
        Severity.HIGH,
        "The content does not match the file's name or its first bytes",
        "Every file can be parsed as the format it claims to be",
        "A loader rejects the file, or reads something other than what was saved.",
        "Restore the file from its source. Compare the digest in this report with the digest of "
        "the original.",
        kind=ProblemKind.CORRUPT,
    ),
    Damage(
        "MA107",
        "missing-file",
        Severity.HIGH,
        "A file that the model needs is missing",
        "Every file that the model needs is present",
        "Without it the model cannot be loaded, or is loaded with randomly initialised weights.",
        "Save or export the model again, or copy it again with all of its files.",
        kind=ProblemKind.MISSING_FILE,
    ),
    Damage(
        "MA108",
        "missing-variable-shard",
        Severity.HIGH,
        "A file of weights that the model lists is missing",
        "Every file of weights that the model lists is present",
        "The weights in it are missing. Loading raises an error or, with object-based restoring of a "
        "checkpoint, silently leaves them at their initial random values.",
        "Copy the missing file to its place: the `.data-…-of-…` files of a checkpoint belong next to "
        "its index, those of TensorFlow.js next to the JSON file that lists them. Check .gitignore "
        "and upload limits.",
        kind=ProblemKind.MISSING_SHARD,
    ),
    Damage(
        "MA109",
        "size-mismatch",
        Severity.HIGH,
        "A stored size differs from the declared size",
        "Every stored size matches its declared size",
        "The data file does not belong to this index or header.",
        "Restore the index and the data from the same save. Never mix files from two saves.",
        kind=ProblemKind.SIZE_MISMATCH,
    ),
    Damage(
        "MA110",
        "checksum-mismatch",
        Severity.HIGH,
        "Stored bytes do not match their checksum",
        "Every stored checksum matches",
        "The bytes changed after saving: a storage fault, a partial overwrite or an edit. The "
        "listed values are not the ones that were saved.",
        "Restore the file from an intact copy. If the values were edited on purpose, save the "
        "model again with TensorFlow so that the checksum is correct.",
        kind=ProblemKind.CRC_MISMATCH,
    ),
    Damage(
        "MA115",
        "leftover-file",
        Severity.LOW,
        "The model directory contains files that are not part of the model",
        "The model contains only files that belong to it",
        "Files from an interrupted save and unrelated files are distributed with the model. A "
        "loader that selects files by pattern may pick the wrong one.",
        "Delete what is not part of the model, or move it out of the model's directory.",
        kind=ProblemKind.LEFTOVER,
    ),
    Damage(
        "MA116",
        "checkpoint-state-mismatch",
        Severity.MEDIUM,
        "The `checkpoint` state file does not match the checkpoints in the directory",
        "The `checkpoint` state file matches the checkpoints in the directory",
        "`tf.train.latest_checkpoint` reads this file. It then restores another checkpoint or "
        "finds none, and code that does not check continues with untrained weights.",
        "Restore with an explicit prefix, or set `model_checkpoint_path` to the correct relative "
        "name.",
        kind=ProblemKind.STATE_FILE_MISMATCH,
    ),
    Damage(
        "MA117",
        "suffix-mismatch",
        Severity.MEDIUM,
        "The file's name does not match its format",
        "The file's name matches its format",
        "Keras 3 selects the reader by the suffix: it reports 'file not found', 'not a zip' or "
        "'file format not supported' for a model that is intact.",
        "Give the file the suffix of its format.",
        kind=ProblemKind.SUFFIX_MISMATCH,
    ),
    Damage(
        "MA118",
        "limit-exceeded",
        Severity.HIGH,
        "Reading stopped at a safety limit",
        "No safety limit was reached",
        "The file needs more memory, nesting, decompression or parts than legitimate models do, "
        "except very large ones. The part beyond the limit was not audited.",
        "If the model is legitimate and large, raise the setting that the finding names, under "
        "`[limits]` in the settings file.",
        kind=ProblemKind.LIMIT_EXCEEDED,
    ),
    Damage(
        "MA119",
        "unreadable-tensor",
        Severity.HIGH,
        "A stored tensor cannot be read",
        "Every stored tensor can be read",
        "The file lists the weight, but its bytes are damaged or have a type that weights cannot "
        "have.",
        "Restore the file from an intact copy, or save the model again.",
        kind=ProblemKind.TENSOR_UNREADABLE,
    ),
    Damage(
        "MA120",
        "invalid-config",
        Severity.HIGH,
        "The saved architecture is not a valid Keras config",
        "The saved architecture is a valid Keras config",
        "Keras cannot rebuild the model from this config.",
        "Save the model again with the code that built it.",
        kind=ProblemKind.CONFIG_INVALID,
    ),
    Damage(
        "MA121",
        "unsupported-format",
        Severity.MEDIUM,
        "The format is not supported",
        "The format is supported",
        "The content was not audited.",
        "If TensorFlow wrote it, restore it with that version, then save it as a SavedModel or "
        "`.keras` file. Check a model of another framework with tools for that framework.",
        kind=ProblemKind.UNSUPPORTED,
    ),
    Damage(
        "MA122",
        "reader-remark",
        Severity.INFO,
        "The reader found something unusual",
        "The reader found nothing unusual",
        "It is harmless on its own, but can explain why tools disagree.",
        "No action is needed.",
        kind=ProblemKind.OTHER,
    ),
)

# What a problem of one place is of, where many places can have it.
_PLACES = {
    ProblemKind.TENSOR_UNREADABLE: "tensor",
    ProblemKind.UNSUPPORTED: "tensor",
    ProblemKind.MISSING_SHARD: "file",
}
_DECIMAL = re.compile(r"(?<![0-9])[0-9]+\.[0-9]+(?![0-9])")
_NUMBER = re.compile(r"(?<=[-_.])[0-9]{1,18}(?![0-9])")
_OF_PARTS = ("density", "layers", "work")  # settings that bound many small parts
# Fixed limits on what sound models nest, which TensorFlow and Keras load all the same.
_OF_DEPTH = ("nested models", "function calls followed")
# Readers report the same of a model that is being written.
_UNWRITTEN_KINDS = frozenset(
    {
        ProblemKind.TRUNCATED,
        ProblemKind.EMPTY,
        ProblemKind.CORRUPT,
        ProblemKind.MISSING_FILE,
        ProblemKind.MISSING_SHARD,
        ProblemKind.SIZE_MISMATCH,
        ProblemKind.CRC_MISMATCH,
        ProblemKind.TENSOR_UNREADABLE,
    }
)
HALF_WRITTEN = frozenset(damage.code for damage in DAMAGES if damage.kind in _UNWRITTEN_KINDS)
# A part of the model is missing or damaged.
LOST_KINDS = _UNWRITTEN_KINDS | {ProblemKind.LFS_POINTER}


def lost_part(facts: Facts) -> str:
    """What is missing or damaged, if loading fails because of it; another rule reports it."""
    if facts.artifact.complete:
        return ""
    lost = [each for each in facts.artifact.problems if each.kind in LOST_KINDS]
    return sentence(lost[0]) if lost else ""


def check_problem(kind: ProblemKind) -> Check:
    """A check that reports every problem of one kind, unless a rule of MA72x to MA73x does."""

    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        empty = {entry.path for entry in facts.artifact.files if not entry.size}
        told = with_remains(
            facts.artifact,
            (
                (
                    problem,
                    replace(describe(rule, problem), severity=_severity(rule, problem)),
                )
                for problem in facts.artifact.problems
                if problem.kind is kind and not _told_elsewhere(problem, empty)
            ),
        )
        if kind is ProblemKind.SUFFIX_MISMATCH:
            told = (and_then(facts, each) for each in told)
        # `.pb` is the suffix of every message of Protocol Buffers, of any program.
        unknown = facts.artifact.format is Format.UNKNOWN and facts.artifact.root.suffix == ".pb"
        if unknown:
            told = (replace(each, severity=Severity.LOW) for each in told)
        yield from by_cause(told, _PLACES[kind]) if kind in _PLACES else told

    return check


def _severity(rule: Rule, problem: Problem) -> Severity:
    """That of the rule; less for a limit that sound models of very many small parts reach, too.

    And for a checkpoint that the state file does not list beside the latest, if that is there:
    another series, or an earlier save, which is kept while the list drops it. A later one is what
    a program that restores the latest does not get; the last of all may have a name without a
    number. Weights that are there under another name may be given to the loader by the program.
    """
    if problem.evidence.get("as_large"):
        return Severity.MEDIUM
    unlisted = problem.evidence.get("exists") and problem.evidence.get("in_order")
    if problem.kind is ProblemKind.STATE_FILE_MISMATCH and unlisted:
        saves = (_save_of(problem.evidence.get(key)) for key in ("prefix", "latest"))
        (series, own), (listed, latest) = saves
        later = series == listed and own > latest
        return rule.severity if later else Severity.LOW
    many = problem.kind is ProblemKind.LIMIT_EXCEEDED and (
        problem.evidence.get("setting") in _OF_PARTS or problem.evidence.get("limit") in _OF_DEPTH
    )
    return Severity.MEDIUM if many else rule.severity


def _save_of(prefix: Json) -> tuple[str, tuple[int, ...]]:
    """Name and numbers of a save, as of `ckpt-3` or `weights.07-0.28`, in whatever directory.

    Decimals are no numbers of a save, but losses and versions.
    """
    name = _DECIMAL.sub("#", re.split(r"[/\\]", str(prefix))[-1])
    return _NUMBER.sub("#", name), tuple(map(int, _NUMBER.findall(name)))


def _told_elsewhere(problem: Problem, empty: Container[str]) -> bool:
    """Whether a threat, foreign data or a program is reported of it; `empty` files are none."""
    if problem.kind is ProblemKind.UNSUPPORTED and "program" in problem.evidence:
        return True
    if problem.evidence.get("hdf5") == "type" or any(each.named_by(problem) for each in THREATS):
        return True
    name = problem.route or problem.file
    left = problem.kind is ProblemKind.LEFTOVER and name not in empty
    return left and bool(executable_severity(name, head_of(problem))[0])


RULES = rules_of(
    DAMAGES,
    Family.INTEGRITY,
    Need.ARTIFACT,
    check=lambda damage: check_problem(damage.kind),
    bad=lambda damage: with_problem(damage.kind),
    good=healthy,
)
