"""The time of a run."""

from __future__ import annotations

import datetime


def utc_now() -> str:
    """The current time for `created`: UTC, whole seconds, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
