"""The option that writes results into the registry of the models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelaudit.cli.options.common import option
from modelaudit.cli.terminal import warn
from modelaudit.errors import UsageError
from modelaudit.registry.remote.address import Place, Url

if TYPE_CHECKING:
    from modelaudit.runs.run_result import RunResult
    from modelaudit.settings import Settings

WRITE_BACK = option(
    "--write-back",
    is_flag=True,
    help="Tag each model version of an MLflow registry with its verdict, and add the reports to "
    "the artifacts of its run.",
)


def check_write_back(places: Iterable[Place], *, wanted: bool) -> None:
    """Check before the work that there is something to write to.

    Raises:
        UsageError: results are to be written back, and no place is a registry.
    """
    if wanted and not any(isinstance(each, Url) and each.scheme == "models" for each in places):
        raise UsageError("--write-back needs models of an MLflow registry: models:/")


def write_back_to_registry(ran: RunResult, settings: Settings) -> None:
    """Write the results of a run back, and print what failed."""
    from modelaudit.runs.recording.write_back import write_back

    for failure in write_back(ran, settings):
        warn(f"not written back: {failure}")
