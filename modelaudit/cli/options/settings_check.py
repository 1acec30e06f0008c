"""Checks that the rules, thresholds and runtimes named in a settings file exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.settings import OtherRuntime
from modelaudit.settings.file import SettingsFile


def check(file: SettingsFile) -> None:
    """Reject entries for things that do not exist.

    Raises:
        UsageError: a rule, a threshold or a runtime does not exist, a threshold is out of range,
            or a rule is set twice, by its code and by its name; a key that is trusted is none.
    """
    try:
        if file.thresholds:  # importing all rules takes long
            _thresholds(file.thresholds, "[thresholds]")
        for number, waiver in enumerate(file.waivers, start=1):
            if waiver.rule:
                _rules([waiver.rule], f"[[ignore]] number {number}")
        for number, policy in enumerate(file.policies, start=1):
            where = f"[[policy]] number {number}"
            _once([rule for rule, _ in policy.severities], where)
            _thresholds(policy.thresholds, where)
            check_targets(policy.targets, file.profiles, where)
        if file.signing.trusts:
            from modelaudit.signing.check import check_trust

            check_trust(file.signing)
        check_targets([file.serving] if file.serving else [], file.profiles, "[serving]")
    except UsageError as error:
        raise UsageError(f"{file.path}: {error}") from error


def check_targets(words: Sequence[str], profiles: Iterable[str], where: str) -> None:
    """Reject runtimes of an unknown generation.

    Raises:
        UsageError: one of them is not a runtime, or is unknown.
    """
    if not words:
        return
    from modelaudit.runtimes.catalogue import known_generation

    for word in words:
        try:
            known_generation(word, tuple(map(Path, profiles)))
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error


def _rules(names: Iterable[str], where: str) -> None:
    from modelaudit.rules.catalogue import rule, unknown

    for name in names:
        try:
            rule(name)
        except KeyError:
            raise UsageError(f"{where}: {unknown(name)}") from None


def _once(names: Sequence[str], where: str) -> None:
    """Reject rules that do not exist, or that are given both by code and by name."""
    from modelaudit.rules.catalogue import rule

    _rules(names, where)
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(rule(name).code, name)
        if first != name:
            raise UsageError(f"{where}: {first} and {name} are the same rule, set twice")


def _thresholds(chosen: Sequence[tuple[str, float]], where: str) -> None:
    from modelaudit.rules.catalogue import all_rules, rule

    _once([name for name, _ in chosen], where)
    for name, value in chosen:
        limit = rule(name).limit
        if limit is None:
            those = ", ".join(f"{each.code} ({each.name})" for each in all_rules() if each.limit)
            raise UsageError(f"{where}: {name} has no threshold; rules with one: {those}")
        if not limit.low <= value <= limit.high:
            raise UsageError(
                f"{where}: the threshold of {name} must be between {limit.low:g} and "
                f"{limit.high:g} {limit.unit}, not {value:g}"
            )


def checked_profiles(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The user's profiles, checked once instead of for every model.

    Raises:
        UsageError: one of them is invalid.
    """
    if paths:
        from modelaudit.runtimes.profile import read_profile

        for path in paths:
            read_profile(Path(path))
    return paths


def chosen_runtimes(
    names: tuple[str, ...], known: tuple[OtherRuntime, ...]
) -> tuple[OtherRuntime, ...]:
    """The requested runtimes.

    A settings file only describes them: it may come from the same source as the models, so that
    only the user may decide to start an interpreter that it names.

    Raises:
        UsageError: the settings file has no runtime of that name.
    """
    if "all" in names:
        return known
    by_name = {each.name: each for each in known}
    for name in names:
        if name not in by_name:
            there = ", ".join(by_name) or "none"
            raise UsageError(f"no [runtimes.{name}] in the settings file; it defines: {there}")
    return tuple(by_name[name] for name in dict.fromkeys(names))
