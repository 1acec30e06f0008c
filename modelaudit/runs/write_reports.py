"""Writes finished audits to files: the requested formats and the reports of each model."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from modelaudit.errors import SchemaError, UsageError
from modelaudit.registry.cross_model import cross_model_facts
from modelaudit.registry.output_directory import write_atomic
from modelaudit.registry.remote.address import Place, Url, is_url
from modelaudit.report.export.job import Job, ReportOptions
from modelaudit.report.export.registry import (
    FORMATS,
    default_formats,
    format_called,
    per_model,
)
from modelaudit.result_row import result_row
from modelaudit.runs.batch import AuditHandler
from modelaudit.schema import Audit, dumps, load, to_json, weights_digest
from modelaudit.signing.attestation import FILE as ATTESTATION
from modelaudit.structs import converted

if TYPE_CHECKING:
    from modelaudit.report.rule_info import RuleInfo


class SelectedFormats(Struct, frozen=True):
    """Per-model formats, and per-run formats with the file to write, or None."""

    per_model: tuple[str, ...]
    per_run: Mapping[str, Path | None]
    options: ReportOptions = field(default_factory=ReportOptions)


def rule_infos(docs_url: str = "") -> dict[str, RuleInfo]:
    """The texts of the rules for reports, which do not import the rules.

    Args:
        docs_url: address of the documentation as a site, to which the rules then link.
    """
    from modelaudit.report.rule_info import RuleInfo
    from modelaudit.rules.catalogue import CATALOGUE, all_rules
    from modelaudit.rules.model import Need

    described = {rule.code for rule in CATALOGUE} if docs_url else set()  # rules of others are not
    return {
        rule.code: converted(
            RuleInfo,
            rule,
            family=rule.family.value,
            observed=bool({Need.OBSERVATION, Need.BEHAVIOUR}.intersection(rule.needs)),
            page=f"{docs_url.rstrip('/')}/rules/{rule.code}.html" if rule.code in described else "",
        )
        for rule in all_rules()
    }


def parse_formats(formats: Sequence[str]) -> SelectedFormats:
    """Parses `-f` options; without any, the default formats.

    Raises:
        UsageError: an unknown format, a file for a per-model format, or a URL as a file.
        MissingPackage: a format that the installation cannot write.
    """
    per_model: dict[str, None] = {}
    per_run: dict[str, Path | None] = {}
    for each in formats:
        name, _, file = each.partition("=")
        if not format_called(name).per_model:
            if is_url(file):
                raise UsageError(f"-f {each}: a file, not a URL; with --out a URL, all are there")
            per_run[name] = Path(file) if file else None
        elif file:
            raise UsageError(
                f"{name} is written per model, so it cannot go to a single file ({file})"
            )
        else:
            per_model[name] = None
    return SelectedFormats(tuple(per_model) or (() if per_run else default_formats()), per_run)


def render_format(name: str, audits: Sequence[Audit], options: ReportOptions) -> bytes:
    """One report in one format.

    Raises:
        UsageError: an unknown format, or several audits for a per-model format.
        MissingPackage: a format that the installation cannot write.
    """
    chosen = format_called(name)
    rows = map(result_row, audits) if chosen.across else ()
    job = Job(
        audits,
        rule_infos(options.docs_url),
        options,
        base=str(Path.cwd()),
        across=[(each.title, each.models) for each in cross_model_facts([*rows])],
    )
    return chosen.render(job)


def write_report(name: str, audits: Sequence[Audit], path: Place, options: ReportOptions) -> None:
    """Write one report in one format, in one step: a file that is there is replaced whole.

    Raises:
        UsageError: see `render_format`; or the file cannot be written.
        ReadError: the URL cannot be written to.
    """
    report = render_format(name, audits, options)
    if isinstance(path, Url):
        from modelaudit.registry.remote.files import write_file  # for few runs

        write_file(path, report)
    else:
        write_atomic(path, report)


class ReportOrder(Struct, frozen=True):
    """What is written of every audit: always JSON, and the requested formats.

    Attributes:
        out: the output directory.
        formats: which to write, and how.
        moved: slugs of models that are gone, by the digest of their files or weights: a model may
            have reappeared under another name.
    """

    out: Path
    formats: SelectedFormats
    moved: Mapping[str, str] = {}


def report_writer(order: ReportOrder) -> AuditHandler:
    """A writer of finished audits.

    Reports of an earlier run in other formats are removed if they belong to a different audit.
    """
    out, formats = order.out, order.formats
    pages = [FORMATS[name] for name in formats.per_model if name != "json"]
    for page in pages:
        page.load()  # before workers are forked, so that they share the imports

    infos = rule_infos(formats.options.docs_url)

    def deliver(audit: Audit) -> None:
        folder = out / "models" / audit.model.slug
        previous = _previous(out, audit, order.moved)
        if not _is_of(folder, audit):
            (folder / ATTESTATION).unlink(missing_ok=True)
            for name in per_model():
                if name != "json":
                    (folder / FORMATS[name].file).unlink(missing_ok=True)
        write_atomic(folder / FORMATS["json"].file, dumps(audit).encode())
        job = Job([audit], infos, formats.options, previous=previous, first=previous is None)
        for page in pages:
            write_atomic(folder / page.file, page.render(job))

    return deliver


def _is_of(folder: Path, audit: Audit) -> bool:
    """Whether the existing audit is the same, except for its time."""
    with contextlib.suppress(SchemaError):
        said = [to_json(each) for each in (load(folder / "audit.json"), audit)]
        for each in said:
            del each["created"], each["timings"]
        return said[0] == said[1]
    return False


def _previous(out: Path, audit: Audit, moved: Mapping[str, str]) -> Audit | None:
    """The last audit of the same model, if it exists and can be read."""
    slugs = [audit.model.slug]
    digests = (audit.model.sha256 or "", weights_digest(audit.weights))
    slugs += [moved[digest] for digest in digests if digest in moved]
    for slug in slugs:
        with contextlib.suppress(SchemaError):
            return load(out / "models" / slug / "audit.json")
    return None
