"""A command of whose every run the health check in the settings hears."""

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
    """Tells the health check that a run begins and how it ends, a mistyped command line's too.

    Only where the settings cannot be read it hears nothing: its address is among them.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the command line; a wrong one is a run that ended."""
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
    """Send notices and print which of them failed."""
    for failure in failures:
        warn(f"could not notify: {failure}")


def _nightly(context: click.Context | None) -> Nightly:
    file = context.find_object(SettingsFile) if context else None
    return file.nightly if file else Nightly()
