"""MA1xx: are the bytes all there, and are they what they seem to be?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelaudit.facts import Problem, ProblemKind
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.examples import healthy, with_problem
from modelaudit.rules.model import Check, Facts, Family, Need, Rule


@dataclass(frozen=True, slots=True)
class Damage:
    """One kind of damage that a reader can meet, and what it means."""

    kind: ProblemKind
    code: str
    name: str
    severity: Severity
    summary: str
    pass_title: str
    why: str
    fix: str


DAMAGES = (
    Damage(
        ProblemKind.UNREADABLE,
        "MA101",
        "unreadable-file",
        Severity.MEDIUM,
        "A file of the model cannot be read",
        "Every file of the model can be read",
        "What cannot be read was not audited. The model may be fine or not: nobody looked.",
        "Give the auditing user read permission, or repair the storage, and audit again.",
    ),
    Damage(
        ProblemKind.TRUNCATED,
        "MA102",
        "truncated-file",
        Severity.HIGH,
        "A file ends before its own header says it should",
        "No file ends early",
        "An upload, copy or save stopped half-way. Weights behind the cut are gone.",
        "Copy the file again from its source and compare sizes; re-export the model if the source "
        "is cut too.",
    ),
    Damage(
        ProblemKind.TEXT_MANGLED,
        "MA103",
        "text-mangled-file",
        Severity.HIGH,
        "A binary file was passed through a text conversion",
        "No file was converted as text",
        "Some tool treated the file as UTF-8 text and replaced every byte that is not, so the "
        "numbers are lost for good.",
        "The file cannot be repaired. Fetch the original again in binary mode (for git: mark the "
        "suffix as `binary` in .gitattributes).",
    ),
    Damage(
        ProblemKind.LFS_POINTER,
        "MA104",
        "git-lfs-pointer",
        Severity.HIGH,
        "The file is a Git LFS pointer, not the model",
        "No file is a Git LFS pointer",
        "The repository keeps the model elsewhere and this copy holds just its address.",
        "Run `git lfs pull` in the checkout that this file came from.",
    ),
    Damage(
        ProblemKind.EMPTY,
        "MA105",
        "empty-file",
        Severity.HIGH,
        "The file is empty",
        "No file is empty",
        "Saving or copying never got to the first byte.",
        "Save or copy the model again; check for a full disk.",
    ),
    Damage(
        ProblemKind.CORRUPT,
        "MA106",
        "corrupt-file",
        Severity.HIGH,
        "The content is not what its name or first bytes promise",
        "Every file parses as what it is",
        "A loader will refuse the file, or read something else than was saved.",
        "Restore the file from its source. Compare the digest in this report with the original's.",
    ),
    Damage(
        ProblemKind.MISSING_FILE,
        "MA107",
        "missing-file",
        Severity.HIGH,
        "A file that the model needs is not there",
        "Every file that the model needs is there",
        "Without it the model cannot be loaded, or is loaded with fresh random weights.",
        "Copy the whole model, not single files; for a SavedModel that means the whole directory.",
    ),
    Damage(
        ProblemKind.MISSING_SHARD,
        "MA108",
        "missing-variable-shard",
        Severity.HIGH,
        "A data shard that the checkpoint index names is not there",
        "Every data shard is there",
        "The index lists weights whose bytes are absent. Loading raises an error, or, where only "
        "object matching is used, leaves them at random values.",
        "Copy the missing `.data-…-of-…` file beside the index. Check .gitignore and upload limits.",
    ),
    Damage(
        ProblemKind.SIZE_MISMATCH,
        "MA109",
        "size-mismatch",
        Severity.HIGH,
        "Stored sizes and declared sizes differ",
        "Stored sizes are the declared ones",
        "The file that holds the numbers is not the one that the index or header describes.",
        "Restore index and data from one save. Never mix files of two saves.",
    ),
    Damage(
        ProblemKind.CRC_MISMATCH,
        "MA110",
        "checksum-mismatch",
        Severity.HIGH,
        "Stored bytes do not match their checksum",
        "Every checksum that is stored holds",
        "Bytes changed after saving: a storage fault, a partial overwrite or an edit. The values "
        "named here are not those that were saved.",
        "Restore the file from a good copy. If the values were edited on purpose, save the model "
        "again with TensorFlow so that the checksum is right.",
    ),
    Damage(
        ProblemKind.LEFTOVER,
        "MA115",
        "leftover-file",
        Severity.LOW,
        "Files lie in the model that are no part of it",
        "Nothing lies in the model that is no part of it",
        "Leftovers of an interrupted save or foreign files get shipped along, and loaders that "
        "pick files by pattern can take the wrong one.",
        "Delete what is not part of the model, or keep it outside the model's directory.",
    ),
    Damage(
        ProblemKind.STATE_FILE_MISMATCH,
        "MA116",
        "checkpoint-state-mismatch",
        Severity.MEDIUM,
        "The `checkpoint` state file names something else than what lies here",
        "The `checkpoint` state file fits what lies here",
        "`tf.train.latest_checkpoint` follows this file. It then restores another checkpoint, or "
        "finds none, and code that does not check runs on with fresh weights.",
        "Restore by explicit prefix, or correct `model_checkpoint_path` to a relative name.",
    ),
    Damage(
        ProblemKind.SUFFIX_MISMATCH,
        "MA117",
        "suffix-mismatch",
        Severity.MEDIUM,
        "The file's name says one format, its content is another",
        "The file is what its name says",
        "Keras 3 chooses its reader by the suffix: it answers 'file not found' or 'not a zip' for "
        "a model that is fine.",
        "Rename the file to the suffix of its true format, which this report names.",
    ),
    Damage(
        ProblemKind.LIMIT_EXCEEDED,
        "MA118",
        "limit-exceeded",
        Severity.HIGH,
        "Reading stopped at a safety limit",
        "No safety limit was hit",
        "The file asks for more memory, nesting or expansion than an honest model needs. What lies "
        "behind the limit was not looked at.",
        "If the model is honest and large, raise the limit that is named in the settings file.",
    ),
    Damage(
        ProblemKind.TENSOR_UNREADABLE,
        "MA119",
        "unreadable-tensor",
        Severity.HIGH,
        "A stored tensor cannot be read",
        "Every stored tensor can be read",
        "The weight is named in the file, but its bytes are damaged or of a kind that no weight "
        "has.",
        "Restore the file from a good copy, or save the model again.",
    ),
    Damage(
        ProblemKind.CONFIG_INVALID,
        "MA120",
        "invalid-config",
        Severity.HIGH,
        "The saved architecture is not a valid Keras config",
        "The saved architecture is valid",
        "A loader cannot rebuild the model from it.",
        "Save the model again from the code that made it.",
    ),
    Damage(
        ProblemKind.UNSUPPORTED,
        "MA121",
        "unsupported-format",
        Severity.MEDIUM,
        "The format is recognised, but too old or too foreign to be read",
        "The format is one that can be read",
        "Its content was not audited.",
        "Convert it with the TensorFlow version that wrote it: restore there, then save as a "
        "SavedModel or `.keras`.",
    ),
    Damage(
        ProblemKind.OTHER,
        "MA122",
        "reader-remark",
        Severity.INFO,
        "The reader met something unusual",
        "The reader met nothing unusual",
        "It has no meaning of its own, but explains differences between tools.",
        "Nothing needs to be done.",
    ),
)

# What the readers meet where a file, or a directory of files, is still being written.
HALF_WRITTEN = frozenset(
    damage.code
    for damage in DAMAGES
    if damage.kind
    in {
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


VERBS = ("is ", "has ", "ends ", "names ")


def check_problem(kind: ProblemKind) -> Check:
    """A check that reports every problem of one kind."""

    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        for problem in facts.artifact.problems:
            if problem.kind is kind:
                yield describe(rule, problem)

    return check


def describe(rule: Rule, problem: Problem) -> Finding:
    """The finding that says what a reader met."""
    # What begins with a verb is a sentence whose subject is the file.
    gap = " " if problem.detail.startswith(VERBS) else ": "
    where = f"{problem.file}{gap}" if problem.file else ""
    return rule.finding(
        f"{where}{problem.detail}",
        file=problem.file,
        route=problem.route,
        evidence=problem.evidence,
        key=problem.kind.value,
    )


RULES = tuple(
    Rule(
        code=damage.code,
        name=damage.name,
        family=Family.INTEGRITY,
        severity=damage.severity,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary=damage.summary,
        pass_title=damage.pass_title,
        why=damage.why,
        fix=damage.fix,
        check=check_problem(damage.kind),
        bad=with_problem(damage.kind),
        good=healthy,
    )
    for damage in DAMAGES
)
