"""The path of the audited model in advice and code, in place of MODEL."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from modelaudit.findings import RuleResult
from modelaudit.structs import replace

_LONGEST = 200  # characters; a longer path hides the code around it
_LINE = 2_000  # characters before a place in which its line begins
_PYTHON = re.compile(r'"MODEL"')
_CLOSED = re.compile(r"""(?:[^'"]|'(?:\\.|[^'\\])*+'|"(?:\\.|[^"\\])*+")*+""")  # all its quotes
_COMMAND = re.compile(r"\b(modelaudit [a-z]+|saved_model_cli show --dir) MODEL\b")


def in_shell(path: str) -> str:
    """A path as one word of a command, or MODEL if a terminal would not show it as it is."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path) if _shown(path) else "MODEL"


def with_model(advice: str, path: str) -> str:
    """Advice about the model at `path`: `"MODEL"` in Python and MODEL in commands are replaced.

    Args:
        advice: sentences and code to paste.
        path: as reports show it, relative to what was audited; from the file system, so not
            trusted. "" leaves MODEL in place.
    """
    if not _shown(path):
        return advice
    quoted, word = json.dumps(path, ensure_ascii=False), in_shell(path)
    # A name from the file may contain MODEL too: there, a quote in the path would end its string.
    advice = _PYTHON.sub(
        lambda found: found[0] if "'" in path and _in_string(found) else quoted, advice
    )
    return _COMMAND.sub(
        lambda found: found[0] if "'" in word and _in_string(found) else f"{found[1]} {word}",
        advice,
    )


def _in_string(found: re.Match[str]) -> bool:
    """Whether it is within a quoted text of its line, or so far behind that nothing tells."""
    before = found.string[max(0, found.start() - _LINE) : found.start()]
    start, _, line = before.rpartition("\n")
    whole = bool(start) or len(before) < _LINE or before.startswith("\n")
    return not whole or _CLOSED.fullmatch(line) is None


def name_model(
    results: Sequence[RuleResult], path: str, serving: str = ""
) -> tuple[RuleResult, ...]:
    """Results whose fixes are about the model at `path`, and the runtime that is to load it."""
    runtime = f"--for {serving or 'RUNTIME'} "
    return tuple(
        result
        if not result.findings
        else replace(
            result,
            findings=tuple(
                replace(
                    finding,
                    fix=with_model(finding.fix, path).replace("--for RUNTIME ", runtime),
                    repair=with_model(finding.repair, path),
                )
                for finding in result.findings
            ),
        )
        for result in results
    )


def _shown(path: str) -> bool:
    return 0 < len(path) <= _LONGEST and path.isprintable()
