"""What a run with a history is asked for, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelaudit.exit_codes import ExitCode, worst
from modelaudit.registry.cross_model import CrossModelFact
from modelaudit.runs.batch import FoundModels, ResultRowDict
from modelaudit.runs.run_index import model_files, run_files
from modelaudit.runs.scan import unreadable_notes
from modelaudit.runs.write_reports import SelectedFormats
from modelaudit.settings import Nightly
from modelaudit.store import run_changes as changes


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is to do with its history.

    Attributes:
        out: directory of the reports and the history.
        formats: reports to write.
        command: name under which the run is kept.
        all_versions: of numbered versions take all, not only the newest.
        reuse: take earlier audits of models that have not changed.
        verify: tell that by the bytes of their files, not by sizes, times and inodes.
        resume: go on with the last run if it did not come to its end.
        moved: the registry is that of the nights so far, in another place.
        keep: number of runs that the history holds.
    """

    out: Path
    formats: SelectedFormats
    command: str
    all_versions: bool = False
    reuse: bool = False
    verify: bool = False
    resume: bool = False
    moved: bool = False
    keep: int = Nightly().keep


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that came to its end.

    Attributes:
        rows: what was found, worst first, whether audited now or earlier.
        found: where the models came from.
        code: how the run as a whole ends.
        exit_code: how the command ends: as the run does or, where it is compared with an earlier
            one, as the models that changed.
        out: directory of the reports.
        formats: which reports were asked for.
        audited: number of models that were audited and not taken from the history.
        since: when the run began with which this one is compared; "" for the first.
        before: number of models that it had.
        changes: models that are not as they were then.
        across: what holds for several models together, and did not then.
        notes: sentences about the run that were not said then.
        beside: a sentence where `out` holds audits of another registry, too.
    """

    rows: list[ResultRowDict]
    found: FoundModels
    code: ExitCode
    exit_code: ExitCode
    out: Path
    formats: SelectedFormats
    audited: int
    since: str
    before: int
    changes: tuple[changes.ModelChange, ...]
    across: tuple[CrossModelFact, ...]
    notes: tuple[str, ...]
    beside: str

    @property
    def quiet(self) -> bool:
        """Nothing is to be told: there was a run before, and all is as it was."""
        return bool(self.since) and not (self.changes or self.across or self.notes)

    @property
    def index(self) -> Path:
        """The index page, as this run or an earlier one wrote it."""
        return self.out / "index.html"

    @property
    def run_reports(self) -> dict[str, Path]:
        """The reports on the run as a whole, by format."""
        return run_files(self.out, self.formats)

    def reports_of(self, row: ResultRowDict) -> dict[str, Path]:
        """The reports on one model of `rows`, by format."""
        return model_files(self.out, row)


def exit_code_of_changes(ran: RunResult) -> ExitCode:
    """Of the first run the whole run's code, later that of what changed."""
    if not ran.since or not ran.rows:
        return ran.code
    codes = [int(str(change.now["exit"])) for change in ran.changes if change.now]
    if set(unreadable_notes(ran.found)) & set(ran.notes):
        codes.append(ExitCode.INCOMPLETE)
    return worst(codes)
