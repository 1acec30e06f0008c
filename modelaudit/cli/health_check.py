"""A command that reports the start and end of every run to a health check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from modelaudit.cli.terminal import warn
from modelaudit.errors import LockHeld, ModelAuditError
from modelaudit.exit_codes import ExitCode
from modelaudit.settings import Nightly
from modelaudit.settings.file import SettingsFile


class Monitored(click.Command):
    """Reports start and end of a run to the health check, including usage errors.

    Nothing is reported if the settings, which hold the address, cannot be read.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the command line; a usage error counts as a failed run."""
        from modelaudit.runs import notifications as notices

        try:
            return super().make_context(info_name, args, parent, **extra)
        except (click.ClickException, ModelAuditError):
            settings = _nightly(parent)
            warn_of(notices.ping_start(settings))
            warn_of(notices.ping_end(settings, ExitCode.USAGE))
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from modelaudit.runs import notifications as notices

        settings, code = _nightly(ctx), None
        warn_of(notices.ping_start(settings))
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit as end:
            code = end.exit_code
            raise
        except LockHeld:
            code = ExitCode.LOCKED
            raise
        except (click.ClickException, ModelAuditError):
            code = ExitCode.USAGE
            raise
        finally:
            warn_of(notices.ping_end(settings, code))


def warn_of(failures: Iterable[str]) -> None:
    """Send notifications and print the failed ones."""
    for failure in failures:
        warn(f"notification failed: {failure}")


def _nightly(context: click.Context | None) -> Nightly:
    file = context.find_object(SettingsFile) if context else None
    return file.nightly if file else Nightly()
