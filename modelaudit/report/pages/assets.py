"""Locations of templates, style sheets and fonts, in a wheel and in a source checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from modelaudit.errors import ModelAuditError

SANS = "Inter-Regular.otf"
SANS_BOLD = "Inter-SemiBold.otf"
MONO = "JetBrainsMonoNL-Regular.ttf"
FONTS = (SANS, SANS_BOLD, MONO)


@cache
def templates_root() -> Path:
    """The directory of the templates that ship with modelaudit.

    Raises:
        ModelAuditError: they are missing from the installation.
    """
    package = Path(__file__).resolve().parents[2]
    for candidate in (package / "_templates", package.parent / "templates"):
        if (candidate / "report.html.j2").is_file():
            return candidate
    raise ModelAuditError("the report templates are missing from the installation")


def font(name: str) -> Path:
    """The path of a bundled font.

    Raises:
        KeyError: not a bundled font.
    """
    if name not in FONTS:
        raise KeyError(name)
    return templates_root() / "fonts" / name
