"""The command line: the only place that prints, reads the environment and exits.

Command modules import what is heavy (numpy, readers, renderers) inside their functions, so that
`--help` stays instant.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

import click

from modelaudit import __version__
from modelaudit.errors import Interrupted, LockHeld, ModelAuditError
from modelaudit.exit_codes import ExitCode

COMMANDS = {
    "audit": "modelaudit.cli.commands.audit:audit",
    "nightly": "modelaudit.cli.commands.nightly:nightly",
    "history": "modelaudit.cli.commands.history:history",
    "baseline": "modelaudit.cli.commands.baseline:baseline",
    "scan": "modelaudit.cli.commands.audit:scan",
    "explain": "modelaudit.cli.commands.explain:explain",
    "inspect": "modelaudit.cli.commands.inspect:inspect",
    "render": "modelaudit.cli.commands.render:render",
    "diff": "modelaudit.cli.commands.diff:diff",
    "record": "modelaudit.cli.commands.record:record",
    "rules": "modelaudit.cli.commands.rules:rules",
    "runtimes": "modelaudit.cli.commands.runtimes:runtimes",
    "doctor": "modelaudit.cli.commands.doctor:doctor",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="modelaudit")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="MODELAUDIT_CONFIG",
    help="Settings file; without it modelaudit.toml here, or [tool.modelaudit] in pyproject.toml. "
    "Patterns of paths in it are relative to what is audited or to its directory.",
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Audit saved TensorFlow and Keras models without trusting them.

    Each option can also be set by a variable: MODELAUDIT_FAIL_ON is --fail-on.

    \b
    Exit codes: 0 complete, nothing at or over --fail-on · 1 findings at or over it
    2 usage or settings · 3 incomplete · 4 no model found · 70 internal error
    75 another run holds the lock · 130 interrupted

    \b
    Verdicts: pass · warn, findings under --fail-on · fail, findings at or over it
    incomplete, not all could be looked at and nothing at or over it was found
    """
    from modelaudit.settings import file as settings_file

    path = config or settings_file.find(Path.cwd())
    if path:
        found = settings_file.load(path)
        context.obj = found
        context.default_map = {name: dict(found.options) for name in COMMANDS}


def main() -> None:
    """Entry point: turns every ending into an exit code of the contract."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service's stop is an interrupt
    # The workers are the parallelism: linear algebra threads would only compete with them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        plain = False if os.environ.get("NO_COLOR") else None  # None: colour on terminals
        code = cli.main(standalone_mode=False, color=plain)
    except click.exceptions.Exit as request:
        code = request.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt) as error:
        cause = error.__cause__ or error  # click makes an Abort of every interrupt
        said = f": {cause}" if isinstance(cause, Interrupted) else ""
        click.echo(f"modelaudit: interrupted{said}", err=True)
        code = ExitCode.INTERRUPTED
    except LockHeld as error:
        click.echo(f"modelaudit: {error}", err=True)
        code = ExitCode.LOCKED
    except ModelAuditError as error:
        click.echo(f"modelaudit: {error}", err=True)
        code = ExitCode.USAGE
    except SystemExit:  # click's end where whoever read our output has gone away
        code = ExitCode.OK
    except OSError as error:  # a full disk, a path without permission: nothing of ours
        click.echo(f"modelaudit: {error}", err=True)
        code = ExitCode.USAGE
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("modelaudit: internal error (this is a bug in modelaudit)", err=True)
        code = ExitCode.INTERNAL
    sys.exit(code if isinstance(code, int) else ExitCode.OK)
