"""Options and result of a run with a history."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from modelaudit.changes.models import ModelChange
from modelaudit.exit_codes import ExitCode, worst
from modelaudit.registry.cross_model import CrossModelFact
from modelaudit.registry.remote.address import Place, Url
from modelaudit.result_row import ResultRow, tally
from modelaudit.runs.found_models import FoundModels
from modelaudit.runs.run_index import model_files, run_files
from modelaudit.runs.scan import unreadable_notes
from modelaudit.runs.write_reports import SelectedFormats
from modelaudit.settings import Nightly
from modelaudit.structs import NotebookResult


class Output(Struct, frozen=True):
    """Where a run writes its reports.

    Attributes:
        folder: the directory.
        address: the URL that it is uploaded to; "" if it stays.
        publish: uploads what was written so far, except the history, which is uploaded at the end:
            a run counts only when its changes were told.
    """

    folder: Path
    address: str = ""
    publish: Callable[[], None] = lambda: None

    @property
    def place(self) -> Place:
        """Where the reports are in the end."""
        return Url(self.address) if self.address else self.folder

    def named(self, text: str) -> str:
        """A text in which paths in the directory are those at the URL."""
        return text.replace(os.fspath(self.folder), self.address) if self.address else text


class RunOptions(Struct, frozen=True):
    """How a run uses its history.

    Attributes:
        output: where the reports and the history are.
        formats: reports to write.
        command: name under which the run is stored.
        all_versions: include all numbered versions, not only the newest.
        reuse: reuse earlier audits of unchanged models.
        verify: compare the bytes of their files, not only sizes, times and inodes.
        resume: continue the last run if it was not completed.
        moved: the registry of the earlier runs has moved to this path.
        keep: number of runs to keep in the history.
    """

    output: Output
    formats: SelectedFormats
    command: str
    all_versions: bool = False
    reuse: bool = False
    verify: bool = False
    resume: bool = False
    moved: bool = False
    keep: int = Nightly().keep

    @property
    def out(self) -> Path:
        """The directory to write into."""
        return self.output.folder


class RunResult(NotebookResult, frozen=True):
    """A completed run.

    Attributes:
        rows: results, worst first, whether audited now or earlier.
        found: the search results.
        code: the exit code of the whole run.
        exit_code: the exit code of the command: that of the run or, if it is compared with an
            earlier one, that of the changed models.
        output: where the reports are.
        formats: the requested reports.
        audited: number of models audited instead of reused from the history.
        since: start time of the run that this one is compared with; "" for the first.
        before: its number of models.
        changes: models that changed since.
        across: new cross-model findings.
        notes: new notes about the run.
        beside: a note if `out` also holds audits of another registry.
        nightly: it is one of a series of which the changes are told.
    """

    rows: list[ResultRow]
    found: FoundModels
    code: ExitCode
    exit_code: ExitCode
    output: Output
    formats: SelectedFormats
    audited: int
    since: str
    before: int
    changes: tuple[ModelChange, ...]
    across: tuple[CrossModelFact, ...]
    notes: tuple[str, ...]
    beside: str
    nightly: bool

    def __repr__(self) -> str:
        """How many models, their verdicts, and where the reports are."""
        return (
            f"<RunResult {tally(self.rows)}; {self.audited} audited; in {str(self.output.place)!r}>"
        )

    @property
    def out(self) -> Path:
        """The directory of the reports. If they are uploaded, it exists only until then."""
        return self.output.folder

    @property
    def quiet(self) -> bool:
        """There is nothing to report: there was an earlier run, and nothing changed."""
        return bool(self.since) and not (self.changes or self.across or self.notes)

    @property
    def index(self) -> Place:
        """The index page, written by this run or an earlier one."""
        return self.output.place / "index.html"

    @property
    def run_reports(self) -> dict[str, Path]:
        """The reports on the run as a whole, by format."""
        return run_files(self.out, self.formats)

    def reports_of(self, row: ResultRow) -> dict[str, Path]:
        """The reports on one model of `rows`, by format."""
        return model_files(self.out, row)


def exit_code_of_changes(ran: RunResult) -> ExitCode:
    """The exit code: of the whole run for the first one, of the changed models later."""
    if not ran.since or not ran.rows:
        return ran.code
    codes = [change.now.exit for change in ran.changes if change.now]
    if set(unreadable_notes(ran.found)) & set(ran.notes):
        codes.append(ExitCode.INCOMPLETE)
    return worst(codes)
