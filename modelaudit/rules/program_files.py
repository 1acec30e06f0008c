"""Which files in or beside a model are programs, by their names and first bytes."""

from __future__ import annotations

import re

from modelaudit.facts import Problem
from modelaudit.findings import Severity
from modelaudit.formats.executables import executable_kind

# Suffixes of files that can run, or that run code when they are loaded by the usual function.
_NATIVE = frozenset((".so", ".dll", ".dylib", ".exe", ".pyd", ".node", ".com", ".jar"))
NATIVE = "native code"  # by its name
_TORCH = frozenset((".pt", ".pth"))
_PICKLES = frozenset((".pkl", ".pickle", ".joblib", ".dill", ".p")) | _TORCH
_SCRIPTS = frozenset((".py", ".pyc", ".sh", ".bat", ".ps1", ".cmd", ".pyw", ".js", ".vbs"))


# Of these, the first bytes tell more: `vocab.pt` may be a list of Portuguese words. Pickles of the
# oldest protocols can also start like a text.
_TOLD_BY_BYTES = _NATIVE | _TORCH | {".p"}

# Weights and indexes of a checkpoint whose prefix ends like a program, such as `model.pt`.
_OF_CHECKPOINT = re.compile(r"\.(?:index|meta|data-\d+-of-\d+)\Z")


def executable_severity(path: str, head: bytes, *, read: bool = False) -> tuple[str, Severity]:
    """What kind of program a file is and how severe that is; ("", …) if it is none.

    Args:
        path: of the file or member.
        head: its first bytes, if they were kept.
        read: whether its first bytes were read, and are those of no program, without being kept.
    """
    name = path.rpartition("/")[2].lower()
    if _OF_CHECKPOINT.search(name) and not executable_kind(head):
        return "", Severity.INFO
    if name.endswith(".keras") and head.startswith(b"PK"):
        return "", Severity.INFO  # a zip file, and a model with an audit of its own
    suffixes = {f".{part}" for part in name.split(".")[1:][-2:]}
    if read and suffixes & _PICKLES & _TOLD_BY_BYTES:
        return "named like a pickle, which its first bytes do not show", Severity.LOW
    if read and ".jar" in suffixes:  # a zip file by its first bytes
        return "named like a Java program", Severity.LOW
    suffixes -= _TOLD_BY_BYTES if read else set()
    if suffixes & _NATIVE:
        return NATIVE, Severity.HIGH
    if suffixes & _TORCH and head.startswith(b"PK"):
        return "a PyTorch archive, which contains a pickle", Severity.HIGH
    if suffixes & _PICKLES:
        return "a pickle", Severity.HIGH
    what = executable_kind(head)
    if what:
        return what, Severity.MEDIUM if what == "a script" else Severity.HIGH
    if suffixes & _SCRIPTS:
        return "a script", Severity.MEDIUM
    return "", Severity.INFO


def head_of(problem: Problem) -> bytes:
    """The first bytes that a reader kept of a file, dataset or attribute; b"" if it kept none."""
    value = problem.evidence.get("head")
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""
