"""The path of the audited model in advice and code, in place of MODEL."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from modelaudit.findings import RuleResult
from modelaudit.structs import replace

_LONGEST = 200  # characters; a longer path hides the code around it
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
    advice = advice.replace('"MODEL"', quoted)
    return _COMMAND.sub(lambda found: f"{found[1]} {word}", advice)


def name_model(
    results: Sequence[RuleResult], path: str, serving: str = ""
) -> tuple[RuleResult, ...]:
    """Results whose fixes are about the model at `path`, and the runtime that is to load it."""
    runtime = f"--for {serving or 'RUNTIME'} "
    return tuple(
        replace(
            result,
            findings=tuple(
                replace(
                    finding, fix=with_model(finding.fix, path).replace("--for RUNTIME ", runtime)
                )
                for finding in result.findings
            ),
        )
        for result in results
    )


def _shown(path: str) -> bool:
    return 0 < len(path) <= _LONGEST and path.isprintable()
