"""Checks of a user's template directory: a file that replaces none of ours is likely misspelt."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from modelaudit.errors import UsageError
from modelaudit.report.pages.assets import templates_root

REPLACEABLE = (".j2", ".css", ".js")


@cache
def known() -> tuple[str, ...]:
    """Our files that can be replaced by one of the same name, relative to the templates."""
    root = templates_root()
    files = (path for path in sorted(root.rglob("*")) if path.suffix in REPLACEABLE)
    return tuple(path.relative_to(root).as_posix() for path in files)


def check(folder: Path) -> None:
    """Reject a directory of templates with a file in it that nothing would ever read.

    Names that start with `_`, for templates to include or extend, and folders that ours do not
    have are the user's own. Hidden files are ignored.

    Raises:
        UsageError: a file replaces none of ours (the nearest name is given), or no file does; or a
            file is not UTF-8 text.
    """
    names = list(_in_our_places(folder))
    if not names:
        raise UsageError(f"{folder} replaces no template; choose from {', '.join(known())}")
    for name in names:
        if name not in known():
            near = get_close_matches(name, known(), n=1, cutoff=0.0)[0]
            raise UsageError(
                f"{folder / name} replaces no template; did you mean {near}? (To add a file that "
                f"your templates include, start its name with _ or put it into a folder.)"
            )
        try:
            (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {folder / name} as UTF-8 text: {error}") from error


def _in_our_places(folder: Path) -> Iterator[str]:
    """Files in folders that ours are in, except those that are clearly the user's own."""
    root = templates_root()
    ours = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    for place in ours:
        here = place.relative_to(root)
        for path in sorted((folder / here).glob("*")):
            if path.is_file() and not path.name.startswith(("_", ".")):
                yield (here / path.name).as_posix()
