"""Problems that say in their evidence which limit ended reading."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, Problem, ProblemKind


def problem_of(error: ReadError, file: str = "", route: str = "", detail: str = "") -> Problem:
    """An error as a problem of `file`, or of the file that it names.

    The evidence of a limit is its name, the setting that sets it, and both numbers.
    """
    evidence: dict[str, Json] = {"setting": error.setting} if error.setting else {}
    if isinstance(error, LimitExceeded):
        evidence = {
            "limit": error.limit,
            "measured": error.measured,
            "threshold": error.allowed,
            "setting": error.setting,
        }
    kind = ProblemKind(error.kind)
    return Problem(kind, file or error.file, detail or error.reason, route, evidence)


def limit_problem(
    file: str,
    detail: str,
    setting: str,
    route: str = "",
    evidence: Mapping[str, Json] | None = None,
) -> Problem:
    """A problem of reading that ended at a limit which a setting changes; "" for a fixed one."""
    said = f"{detail} (setting {setting})" if setting else detail
    told = {**(evidence or {}), **({"setting": setting} if setting else {})}
    return Problem(ProblemKind.LIMIT_EXCEEDED, file, said, route, told)
