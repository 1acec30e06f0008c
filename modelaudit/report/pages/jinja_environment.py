"""The Jinja environment: strict about undefined values, escaped, no invisible characters."""

from __future__ import annotations

import base64
import hashlib
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from modelaudit.errors import UsageError
from modelaudit.report.pages.assets import templates_root
from modelaudit.report.wording import vocabulary
from modelaudit.report.wording.text import printable

REPLACEABLE = (".j2", ".css", ".js")
OURS = "modelaudit"


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


def _visible(value: object) -> object:
    """Make invisible characters of an expression's value visible before it is escaped."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


@cache
def environment(templates_dir: Path | None = None) -> Environment:
    """The environment; templates in `templates_dir` take precedence over ours of the same name.

    Ours are also available as `modelaudit/NAME`, so that a template can extend the one it replaces.
    User templates run in Jinja's sandbox: they see what a report shows, and can neither call nor
    modify anything else.

    Raises:
        UsageError: `templates_dir` is not a directory, or a file in it has a wrong name.
    """
    ours = FileSystemLoader(templates_root())
    kind: type[Environment] = Environment
    loaders: list[BaseLoader] = [ours]
    if templates_dir is not None:
        if not templates_dir.is_dir():
            raise UsageError(f"not a template directory: {templates_dir}")
        check(templates_dir)
        kind = ImmutableSandboxedEnvironment
        loaders = [FileSystemLoader(templates_dir), ours, PrefixLoader({OURS: ours})]
    made = kind(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["mark"] = vocabulary.mark
    made.globals["counted"] = vocabulary.counted
    made.globals["style_name"] = vocabulary.style_name
    return made


def render(env: Environment, name: str, **values: object) -> str:
    """The template called `name` with these values.

    Raises:
        UsageError: a user template is wrong; gives file, line and error.
    """
    try:
        return env.get_template(name).render(**values)
    except TemplateSyntaxError as error:
        raise UsageError(f"{error.filename or name}:{error.lineno}: {error.message}") from error
    except TemplateNotFound as error:
        raise UsageError(f"template file missing: {error.name}") from error
    except UnicodeDecodeError as error:  # from a file that a user template includes
        raise UsageError(f"{name}: an included file is not UTF-8 text: {error}") from error
    except Exception as error:
        # With a user template, the error is the user's; without one, it is our own bug.
        if isinstance(env, ImmutableSandboxedEnvironment) and (place := _place(error)):
            raise UsageError(f"{place}: {type(error).__name__}: {error}") from error
        raise


def _place(error: Exception) -> str:
    """File and line of the innermost template in an error's traceback."""
    places = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(".j2")
    ]
    return places[-1] if places else ""


def asset(env: Environment, *names: str) -> Markup:
    """Style sheets or scripts joined into one, to be inlined verbatim.

    Raises:
        UsageError: one is missing, or contains a closing tag.
    """
    if env.loader is None:  # cannot be: `environment` always sets one
        raise UsageError("the template environment has no loader")
    try:
        text = "\n".join(env.loader.get_source(env, name)[0].strip() for name in names)
    except TemplateNotFound as error:
        raise UsageError(f"template file missing: {error.name}") from error
    if "</" in text:
        raise UsageError(f"a style sheet or script must not contain '</': {', '.join(names)}")
    return Markup(text)


def csp_hash(text: str) -> str:
    """The Content-Security-Policy source that allows exactly this inline text (CSP level 2)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
