"""The command line: the only package that prints, reads the environment and sets the exit code.

Command modules import heavy dependencies (numpy, readers, renderers) inside functions, so that
`--help` stays fast.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from modelaudit import __version__
from modelaudit.errors import Interrupted, LockHeld, ModelAuditError
from modelaudit.exit_codes import ExitCode

COMMANDS = {
    "audit": "modelaudit.cli.commands.audit:audit",
    "nightly": "modelaudit.cli.commands.nightly:nightly",
    "merge": "modelaudit.cli.commands.merge:merge",
    "history": "modelaudit.cli.commands.history:history",
    "baseline": "modelaudit.cli.commands.baseline:baseline",
    "scan": "modelaudit.cli.commands.audit:scan",
    "explain": "modelaudit.cli.commands.explain:explain",
    "inspect": "modelaudit.cli.commands.inspect:inspect",
    "render": "modelaudit.cli.commands.render:render",
    "diff": "modelaudit.cli.commands.diff:diff",
    "verify": "modelaudit.cli.commands.verify:verify",
    "repair": "modelaudit.cli.commands.repair:repair",
    "record": "modelaudit.cli.commands.record:record",
    "rules": "modelaudit.cli.commands.rules:rules",
    "runtimes": "modelaudit.cli.commands.runtimes:runtimes",
    "settings": "modelaudit.cli.commands.settings:settings",
    "doctor": "modelaudit.cli.commands.doctor:doctor",
}


class LazyGroup(click.Group):
    """A group whose commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order in which a new user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, imported on access."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for; an unknown one is an error that says what was meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            meant = get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean {meant[0]}?" if meant else ""
            with suppress(OSError):  # a name that is too long
                if Path(name).exists():
                    hint = f" To audit it: modelaudit audit {name!r}"
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


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
    help="Settings file. Default: ./modelaudit.toml, or [tool.modelaudit] in ./pyproject.toml. "
    "Its path patterns are relative to the audited directory or to the file's own directory.",
)
@click.option(
    "--no-plugins",
    is_flag=True,
    envvar="MODELAUDIT_NO_PLUGINS",
    help="Load no rules, formats and reports of other distributions (see docs/plugins.md).",
)
@click.pass_context
def cli(context: click.Context, config: Path | None, no_plugins: bool) -> None:
    """Audit saved TensorFlow and Keras models without trusting them.

    Each option can also be set by an environment variable: MODELAUDIT_FAIL_ON sets --fail-on.

    \b
    Exit codes:
      0    complete, no finding at or above --fail-on
      1    findings at or above --fail-on
      2    invalid usage or settings
      3    incomplete
      4    no model found
      70   internal error
      75   another run holds the lock
      130  interrupted

    \b
    Verdicts:
      pass        no findings above info
      warn        only findings below --fail-on
      fail        findings at or above --fail-on
      incomplete  partially audited, and no finding at or above --fail-on
    """
    from modelaudit.settings import file as settings_file
    from modelaudit.settings.installation import plugin_declarations

    if not no_plugins and plugin_declarations():
        from modelaudit import plugins  # which imports all rules

        plugins.load()
    path = config or settings_file.find(Path.cwd())
    if path:
        found = settings_file.load(path)
        context.obj = found
        context.default_map = {name: dict(found.options) for name in COMMANDS}


def main() -> None:
    """Entry point: maps every outcome to a documented exit code."""
    gc.set_threshold(20_000)  # imports make objects that stay: looking for cycles slows the start
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopping a service interrupts it
    # Worker processes provide the parallelism: BLAS threads would only compete with them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        # `python -c` puts the current directory, which may be the audited one, first on the path.
        if sys.path[0] in ("", str(Path.cwd())):
            del sys.path[0]
        plain = False if os.environ.get("NO_COLOR") else None  # None: colour on terminals
        code = cli.main(standalone_mode=False, color=plain)
    except click.exceptions.Exit as request:
        code = request.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt) as error:
        cause = error.__cause__ or error  # click turns interrupts into Abort
        said = f": {cause}" if isinstance(cause, Interrupted) else ""
        click.echo(f"modelaudit: interrupted{said}", err=True)
        code = ExitCode.INTERRUPTED
    except LockHeld as error:
        click.echo(f"modelaudit: {error}", err=True)
        code = ExitCode.LOCKED
    except ModelAuditError as error:
        click.echo(f"modelaudit: {error}", err=True)
        code = ExitCode.USAGE
    except SystemExit:  # click exits if the reader of stdout is gone
        code = ExitCode.OK
    except OSError as error:  # full disk, missing permission: not a bug
        click.echo(f"modelaudit: {error}", err=True)
        code = ExitCode.USAGE
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("modelaudit: internal error (this is a bug, please report it)", err=True)
        code = ExitCode.INTERNAL
    gc.freeze()  # the end of the process frees its memory: nobody needs to look for cycles
    sys.exit(code if isinstance(code, int) else ExitCode.OK)
