"""A user's templates: a file that takes no other's place is most likely misspelt."""

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
    """The files of ours that one of the same name replaces, relative to the templates."""
    root = templates_root()
    files = (path for path in sorted(root.rglob("*")) if path.suffix in REPLACEABLE)
    return tuple(path.relative_to(root).as_posix() for path in files)


def check(folder: Path) -> None:
    """Refuse a directory of templates with a file in it that nothing would ever read.

    The user's own are names that start with `_`, for templates to include or extend, and all in
    folders that ours do not have. Hidden files are no one's business.

    Raises:
        UsageError: a file has the name of none of ours (says the nearest), or none has one; or a
            file is no UTF-8 text.
    """
    names = list(_in_our_places(folder))
    if not names:
        raise UsageError(f"{folder} replaces no template; there are {', '.join(known())}")
    for name in names:
        if name not in known():
            near = get_close_matches(name, known(), n=1, cutoff=0.0)[0]
            raise UsageError(
                f"{folder / name} replaces no template; the nearest name is {near}. "
                f"(A file of your own to include: let its name start with _, or use a folder.)"
            )
        try:
            (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{folder / name} is not read as UTF-8 text: {error}") from error


def _in_our_places(folder: Path) -> Iterator[str]:
    """Files where ours are, without those that are plainly the user's own."""
    root = templates_root()
    ours = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    for place in ours:
        here = place.relative_to(root)
        for path in sorted((folder / here).glob("*")):
            if path.is_file() and not path.name.startswith(("_", ".")):
                yield (here / path.name).as_posix()
