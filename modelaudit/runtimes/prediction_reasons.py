"""The reasons of predictions: no more than anybody reads, and none if one cannot be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.errors import WorkSpent
from modelaudit.runtimes.model import NOT_READ, Reason

_MOST_REASONS = 1_000


def bounded(reasons: Iterator[Reason]) -> Iterator[Reason]:
    """No more reasons than anybody reads; each takes time and a place in `audit.json`."""
    yield from islice(reasons, _MOST_REASONS)
    if next(reasons, None):
        why = f"there are more than {_MOST_REASONS:,} reasons; the rest was not looked at"
        yield Reason(NOT_READ, LoadOutcome.UNKNOWN, why)


def all_reasons(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons, or why they could not be found.

    Raises:
        WorkSpent: there is too little work left to find them.
    """
    try:
        return tuple(reasons)
    except WorkSpent:
        raise
    except Exception as error:  # a fault here must not take the findings on security away
        why = f"the prediction raised {type(error).__name__}: {error}"[:500]
        return (Reason(NOT_READ, LoadOutcome.UNKNOWN, why),)
