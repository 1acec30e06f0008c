"""Commands that the terminal shows for a model, so that they run from the working directory."""

from __future__ import annotations

from pathlib import Path

from modelaudit.rules.model_in_advice import in_shell
from modelaudit.settings.audit_target import AuditTarget

_REPAIR = "modelaudit repair"


def from_here(command: str, target: AuditTarget) -> str:
    """A command about a model with its path from the working directory.

    Reports name a model by its path in what was audited, so that they are the same on each
    machine. Models in archives or at a URL keep that name: the local copy is not for the user.
    """
    if target.archive is not None or target.address:
        return command
    here = Path.cwd()
    path = target.path.absolute()
    path = path.relative_to(here) if path.is_relative_to(here) else path
    shown = f"{_REPAIR} {in_shell(target.shown)} "
    return command.replace(shown, f"{_REPAIR} {in_shell(str(path))} ", 1)
