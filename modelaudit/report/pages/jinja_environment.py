"""The Jinja environment: strict about undefined values, escaped, no invisible characters."""

from __future__ import annotations

import base64
import hashlib
import traceback
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
from modelaudit.report.pages.custom_templates import check
from modelaudit.report.wording import vocabulary
from modelaudit.report.wording.text import printable


def _visible(value: object) -> object:
    """Make invisible characters of an expression's value visible before it is escaped."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


OURS = "modelaudit"


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
