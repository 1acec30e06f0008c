"""All report formats. Options, help, file names, docs and tests are derived from this list."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.report.export.job import Job
from modelaudit.settings.installation import WRITES_PDF, missing, require

Renderer = Callable[[Job], bytes]
# GitLab reads files below 30 MB ("Unit test reports", GitLab documentation, 2026). A model takes
# about 15 kB: 2,000 took 29 MB.
MOST_JUNIT_MODELS = 1_000


class ReportFormat(Struct, frozen=True):
    """A report format.

    Attributes:
        name: its name for `-f NAME`.
        file: file name: in the directory of the model if `per_model`, else of the run.
        media_type: IANA media type.
        audience: one line on its readers, for the docs.
        load: imports and returns the renderer; deferred because `--help` lists all formats.
        per_model: whether there is one report per model instead of one per run.
        default: whether it is written if no `-f` is given.
        most_models: models in one file; more are in further files, `NAME-2.xml`. None for no limit.
        across: whether it shows cross-model findings.
        needs: top-level modules that only the full installation has.
    """

    name: str
    file: str
    media_type: str
    audience: str
    load: Callable[[], Renderer]
    per_model: bool = False
    default: bool = False
    most_models: int | None = None
    across: bool = False
    needs: tuple[str, ...] = ()

    def render(self, job: Job) -> bytes:
        """The report.

        Raises:
            UsageError: the format shows one audit and there are several, or an option is invalid.
        """
        if self.per_model and len(job.audits) != 1:
            raise UsageError(f"{self.name} shows one audit, not {len(job.audits)}")
        return self.load()(job)


def _html() -> Renderer:
    from modelaudit.report.pages.html import render_html

    def render(job: Job) -> bytes:
        templates = job.options.templates
        page = render_html(job.audit, job.rules, report=job.report, templates_dir=templates)
        return page.encode()

    return render


def _pdf() -> Renderer:
    from modelaudit.report.pages.pdf import render_pdf

    def render(job: Job) -> bytes:
        return render_pdf(
            job.audit,
            job.rules,
            report=job.report,
            previous=job.previous,
            first=job.first,
            paper=job.options.paper,
            templates_dir=job.options.templates,
            appendix=job.options.appendix,
        )

    return render


def _json() -> Renderer:
    from modelaudit.schema import dumps

    return lambda job: dumps(job.audit).encode()


def _sarif() -> Renderer:
    from modelaudit.report.export import sarif

    return lambda job: sarif.render(job.audits, job.rules, job.base).encode()


def _junit() -> Renderer:
    from modelaudit.report.export import junit

    return lambda job: junit.render(job.audits, job.rules, job.options.fail_on).encode()


def _gitlab() -> Renderer:
    from modelaudit.report.export import gitlab

    return lambda job: gitlab.render(job.audits, job.rules, job.base).encode()


def _cyclonedx() -> Renderer:
    from modelaudit.report.export import cyclonedx

    return lambda job: cyclonedx.render(job.audits, job.rules).encode()


def _markdown() -> Renderer:
    from modelaudit.report.export import markdown

    return lambda job: markdown.render(job.audits, job.rules, job.across).encode()


_LIST = (
    ReportFormat(
        name="html",
        file="report.html",
        media_type="text/html",
        audience="people; a single self-contained file",
        load=_html,
        per_model=True,
        default=True,
    ),
    ReportFormat(
        name="pdf",
        file="report.pdf",
        media_type="application/pdf",
        audience="people; archiving, printing, attaching to a review",
        load=_pdf,
        needs=WRITES_PDF,
        per_model=True,
        default=True,
    ),
    ReportFormat(
        name="json",
        file="audit.json",
        media_type="application/json",
        audience="programs; the complete data",
        load=_json,
        per_model=True,
        default=True,
    ),
    ReportFormat(
        name="sarif",
        file="report.sarif",
        media_type="application/sarif+json",
        audience="code-scanning services and editors",
        load=_sarif,
    ),
    ReportFormat(
        name="junit",
        file="junit.xml",
        media_type="application/xml",
        audience="CI servers that show test results",
        load=_junit,
        most_models=MOST_JUNIT_MODELS,
    ),
    ReportFormat(
        name="gitlab",
        file="gl-code-quality-report.json",
        media_type="application/json",
        audience="GitLab's merge request widget",
        load=_gitlab,
    ),
    ReportFormat(
        name="cyclonedx",
        file="bom.cdx.json",
        media_type="application/vnd.cyclonedx+json",
        audience="inventories and supply-chain tools",
        load=_cyclonedx,
    ),
    ReportFormat(
        name="markdown",
        file="report.md",
        media_type="text/markdown",
        audience="pull-request comments",
        load=_markdown,
        across=True,
    ),
)
FORMATS: dict[str, ReportFormat] = {each.name: each for each in _LIST}
PER_MODEL = tuple(each.name for each in _LIST if each.per_model)
PER_RUN = tuple(each.name for each in _LIST if not each.per_model)
DEFAULT = tuple(each.name for each in _LIST if each.default)


def add(report: ReportFormat) -> None:
    """Add the report of a plug-in."""
    FORMATS[report.name] = report


def per_model() -> tuple[str, ...]:
    """The names of the formats with one report per model, those of plug-ins among them."""
    return tuple(name for name, each in FORMATS.items() if each.per_model)


def format_called(name: str) -> ReportFormat:
    """The format called `name`.

    Raises:
        UsageError: there is no such format.
        MissingPackage: the installation cannot write it.
    """
    if name not in FORMATS:
        raise UsageError(f"unknown format {name!r}; choose from {', '.join(FORMATS)}")
    require(FORMATS[name].needs, f"{name} reports need")
    return FORMATS[name]


def default_formats() -> tuple[str, ...]:
    """The formats without any `-f`, as far as the installation can write them."""
    return tuple(name for name in DEFAULT if not missing(FORMATS[name].needs))
