"""Finds plug-ins by their entry points, loads them, and contains what they do wrong."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.file_formats import BY_MAGIC, ZIP_SIGNATURES, Format
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats import plugin_formats
from modelaudit.formats.plugin_formats import PluginFormat
from modelaudit.formats.tar.streams import COMPRESSED
from modelaudit.report.export import registry
from modelaudit.report.export.job import Job
from modelaudit.report.export.registry import ReportFormat
from modelaudit.rules import catalogue
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.settings.installation import plugin_declarations
from modelaudit.store.typed_json import decode, encode
from modelaudit.structs import checked, replace
from modelaudit.terminal_text import plain

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS = ("modelaudit.rules", "modelaudit.formats", "modelaudit.reports")
_CODE = re.compile(r"(?!MA\d)[A-Z]{2,12}\d{3}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Neither a file nor a directory that a run writes itself: history.sqlite3, index.*, latest, .lock.
_FILE = re.compile(r"(?!(history|index)\.)[a-z0-9][\w.-]*\.\w+", re.ASCII | re.IGNORECASE)


class PluginStatus(Struct, frozen=True):
    """One entry point.

    Attributes:
        name: of the entry point.
        distribution: the distribution and its version.
        provides: codes of its rules, or the name of its format or report.
        problem: why it could not be loaded; "" if it was.
    """

    name: str
    distribution: str
    provides: tuple[str, ...] = ()
    problem: str = ""

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"plug-in {self.name} of {self.distribution}"


_loaded: list[PluginStatus] = []


def loaded() -> tuple[PluginStatus, ...]:
    """The plug-ins that `load` found."""
    return tuple(_loaded)


@cache
def load() -> tuple[PluginStatus, ...]:
    """Load every plug-in of the environment, once; later calls change nothing.

    A plug-in that cannot be loaded is a rule that fails to run, so that no model passes without it.
    """
    for declared in plugin_declarations():
        _loaded.extend(_of_distribution(declared))
    return loaded()


def _of_distribution(declared: Path) -> Iterator[PluginStatus]:
    from importlib.metadata import Distribution  # importing it takes 15 ms

    found = Distribution.at(declared.parent)
    try:
        title = f"{found.name} {found.version}"
        entries = [entry for entry in found.entry_points if entry.group in GROUPS]
    except Exception as error:  # a damaged file: importlib.metadata documents no errors
        yield _failed(PluginStatus(declared.name, str(declared.parent)), error)
    else:
        yield from (_of_entry(entry, title) for entry in entries)


def _of_entry(entry: EntryPoint, distribution: str) -> PluginStatus:
    status = PluginStatus(entry.name, distribution)
    try:
        with redirect_stdout(sys.stderr):
            value = entry.load()
        if entry.group == "modelaudit.rules":
            provides = _add_rules(value, status, _source(entry))
        elif entry.group == "modelaudit.formats":
            provides = _add_format(value, status, _source(entry))
        else:
            provides = _add_report(value, status)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also SystemExit: importing it must not end the program
        return _failed(status, error)
    return replace(status, provides=provides)


def _failed(status: PluginStatus, error: BaseException) -> PluginStatus:
    problem = plain(f"{type(error).__name__}: {error}")[:500]
    catalogue.add([_broken(status, problem)], problem)
    return replace(status, problem=problem)


def _source(entry: EntryPoint) -> str:
    """A digest of the plug-in's module: audits are made again when it changes."""
    file = getattr(sys.modules[entry.module], "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def _add_rules(value: object, status: PluginStatus, source: str) -> tuple[str, ...]:
    if not isinstance(value, Sequence):
        raise TypeError(f"{type(value).__name__} is not a sequence of rules")
    rules: list[Rule] = []
    taken = {word for each in catalogue.all_rules() for word in (each.code, each.name)}
    for each in value:
        if not isinstance(each, Rule):
            raise TypeError(f"{type(each).__name__} is not a rule")
        if not _CODE.fullmatch(each.code) or not _NAME.fullmatch(each.name):
            raise ValueError(
                f"{each.code} {each.name}: a code is 2 to 12 capital letters, not MA, and three "
                "digits; a name is lower-case words joined by hyphens"
            )
        if each.code in taken or each.name in taken:
            raise ValueError(f"{each.code} {each.name}: another rule has this code or name")
        taken |= {each.code, each.name}
        rules.append(replace(checked(each), check=partial(_check, status.title, each.check)))
    catalogue.add(rules, f"{status.distribution} {source}")
    return tuple(rule.code for rule in rules)


def _check(
    title: str, check: Callable[[Rule, Facts], Iterable[Finding]], rule: Rule, facts: Facts
) -> list[Finding]:
    """The findings of a check, whose errors name the plug-in."""
    try:
        with redirect_stdout(sys.stderr):
            found = list(check(rule, facts))
        made = [decode(Finding, encode(each)) for each in found if isinstance(each, Finding)]
    except NotApplicable:
        raise
    except (Exception, SystemExit) as error:
        raise RuntimeError(f"{title}: {type(error).__name__}: {error}") from error
    if len(made) != len(found) or any(each.code != rule.code for each in made):
        raise RuntimeError(f"{title}: its check returned something else than its findings")
    return made


def _broken(status: PluginStatus, problem: str) -> Rule:
    """A rule that fails to run, in place of a plug-in that could not be loaded."""

    def check(*_: object) -> Iterable[Finding]:
        raise RuntimeError(f"{status.title} could not be loaded: {problem}")

    number = 1 + sum(each.code.startswith("PLUGIN") for each in catalogue.all_rules())
    return Rule(
        code=f"PLUGIN{number:03}",
        name=f"plugin-not-loaded-{number}",
        family=Family.REGISTRY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary=f"The {status.title} could not be loaded",
        pass_title=f"The {status.title} was loaded",
        why="Its rules did not look at the model, so nothing is known of what they look for.",
        fix="Mend or uninstall the distribution, or run without plug-ins (`--no-plugins`).",
        check=check,
        bad=_no_example,
        good=_no_example,
    )


def _no_example() -> Facts:
    raise LookupError("a plug-in that could not be loaded has no example")


def _add_report(value: object, status: PluginStatus) -> tuple[str, ...]:
    if not isinstance(value, ReportFormat):
        raise TypeError(f"{type(value).__name__} is not a report format")
    value = checked(value)
    if not _NAME.fullmatch(value.name) or value.name in registry.FORMATS:
        raise ValueError(f"{value.name!r} is not a new name of lower-case words")
    files = {each.file for each in registry.FORMATS.values()}
    if not _FILE.fullmatch(value.file) or value.file.lower() in files:
        raise ValueError(f"{value.file!r} is not the name of a file of its own")
    registry.add(replace(value, load=partial(_renderer, status.title, value), default=False))
    return (value.name,)


def _add_format(value: object, status: PluginStatus, source: str) -> tuple[str, ...]:
    if not isinstance(value, PluginFormat):
        raise TypeError(f"{type(value).__name__} is not a format")
    value = checked(value)
    names = {each.value for each in Format} | {each.name for each in plugin_formats.added()}
    if not _NAME.fullmatch(value.name) or value.name in names:
        raise ValueError(f"{value.name!r} is not a new name of lower-case words")
    known = [magic for magic, _ in BY_MAGIC] + [*ZIP_SIGNATURES, *COMPRESSED]
    known += [magic for each in plugin_formats.added() for magic in each.magic]
    for magic in value.magic or (b"",):
        if not 4 <= len(magic) <= plugin_formats.HEAD:
            raise ValueError(f"{magic!r} is not 4 to {plugin_formats.HEAD} bytes long")
        if any(magic.startswith(each) or each.startswith(magic) for each in known):
            raise ValueError(f"{magic!r} begins like another format")
    plugin_formats.add(value)
    catalogue.add([], f"{status.distribution} {source}")
    return (value.name,)


def _renderer(title: str, report: ReportFormat) -> Callable[[Job], bytes]:
    """The renderer of a report, whose errors name the plug-in."""

    def render(job: Job) -> bytes:
        try:
            with redirect_stdout(sys.stderr):
                made = report.load()(job)
        except UsageError:
            raise
        except (Exception, SystemExit) as error:
            raise UsageError(f"{title}: {type(error).__name__}: {error}") from error
        if not isinstance(made, bytes):
            raise UsageError(f"{title}: its report is {type(made).__name__}, not bytes")
        return made

    return render
