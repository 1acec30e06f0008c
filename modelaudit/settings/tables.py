"""Settings for single models, outputs and findings: `[[expect]]`, `[[ignore]]`, `[[policy]]`,
`[thresholds]`.

`cli.options.settings_check` checks that the named rules and runtimes exist, which are unknown here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.settings import ACTIONS, TRANSFORMS, Expectation, Policy, Waiver
from modelaudit.settings.validation import no_others, number, severity, table, text, texts

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


def expectation(data: Mapping[str, object], where: str, path: Path) -> Expectation:
    """One `[[expect]]`.

    Raises:
        UsageError: its action or transform does not exist, or another key is invalid.
    """
    no_others(data, {"action", "path", "output", "transform"}, where, path)
    action = text(data, "action", where, path)
    if action not in ACTIONS:
        raise _none_of("action", action, ", ".join(ACTIONS), where, path)
    transform = text(data, "transform", where, path) or "H"
    if transform not in TRANSFORMS:
        allowed = ", ".join(f"{name} ({words})" for name, words in TRANSFORMS.items())
        raise _none_of("transform", transform, allowed, where, path)
    return Expectation(
        action=action,
        path=text(data, "path", where, path) or "*",
        output=text(data, "output", where, path) or "*",
        transform=transform,
    )


def _none_of(key: str, value: str, allowed: str, where: str, path: Path) -> UsageError:
    return UsageError(f"{path}: {key} in {where} must be one of {allowed}; not {value!r}")


def waiver(data: Mapping[str, object], where: str, path: Path) -> Waiver:
    """One `[[ignore]]`.

    Raises:
        UsageError: it does not say what is waived or why, or a key is invalid.
    """
    no_others(data, {"rule", "path", "fingerprint", "reason", "expires", "owner"}, where, path)
    rule, models, mark, reason = (
        text(data, key, where, path).strip() for key in ("rule", "path", "fingerprint", "reason")
    )
    if not (rule or models or mark):
        raise UsageError(f"{path}: {where} requires a rule, a path or a fingerprint")
    if not reason:
        raise UsageError(f"{path}: {where} requires a reason")
    if mark and not _FINGERPRINT.fullmatch(mark):
        raise UsageError(
            f"{path}: fingerprint in {where} must be the 32 hexadecimal digits shown by "
            f"`modelaudit scan --json` and in audit.json, not {mark!r}"
        )
    expires = data.get("expires")
    if expires is not None and type(expires) is not datetime.date:
        raise UsageError(f"{path}: expires in {where} must be a date such as 2027-03-01")
    return Waiver(
        rule=rule,
        reason=reason,
        path=models or "*",
        fingerprint=mark or None,
        expires=expires,
        owner=text(data, "owner", where, path),
    )


def policy(data: Mapping[str, object], where: str, path: Path) -> Policy:
    """One `[[policy]]`.

    Raises:
        UsageError: it has no path, or a key is invalid.
    """
    no_others(data, {"path", "fail_on", "targets", "severity", "thresholds"}, where, path)
    models = text(data, "path", where, path)
    if not models:
        raise UsageError(f"{path}: {where} requires a path, such as 'production/*'")
    fail_on = data.get("fail_on")
    return Policy(
        path=models,
        fail_on=None if fail_on is None else severity(fail_on, "fail_on", where, path),
        targets=texts(data, "targets", where, path),
        severities=tuple(
            (rule, severity(value, rule, where, path))
            for rule, value in table(data, "severity", path).items()
        ),
        thresholds=thresholds(data, where, path),
    )


def thresholds(data: Mapping[str, object], where: str, path: Path) -> tuple[tuple[str, float], ...]:
    """`thresholds`, for all models or in a policy.

    Raises:
        UsageError: one of them is not a number.
    """
    found = table(data, "thresholds", path)
    return tuple((rule, float(number(each, rule, where, path))) for rule, each in found.items())
