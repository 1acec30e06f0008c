"""The template environment: nothing undefined passes, nothing unescaped, nothing invisible."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, TemplateNotFound
from markupsafe import Markup

from modelaudit.errors import UsageError
from modelaudit.report import words
from modelaudit.report.resources import templates_root
from modelaudit.report.text import printable


def _visible(value: object) -> object:
    """Every expression's value passes here before it is escaped."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


@cache
def environment(templates_dir: Path | None = None) -> Environment:
    """The environment; templates in `templates_dir` come before ours of the same name.

    Raises:
        UsageError: `templates_dir` is not a directory.
    """
    folders = [templates_root()]
    if templates_dir is not None:
        if not templates_dir.is_dir():
            raise UsageError(f"not a directory of templates: {templates_dir}")
        folders.insert(0, templates_dir)
    made = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["mark"] = words.mark
    made.globals["style_name"] = words.style_name
    return made


def asset(env: Environment, *names: str) -> Markup:
    """Style sheets or scripts joined into one, to be placed inline as they are.

    Raises:
        UsageError: one is missing, or would end its own element.
    """
    if env.loader is None:  # cannot be: `environment` always sets one
        raise UsageError("the template environment has no loader")
    try:
        text = "\n".join(env.loader.get_source(env, name)[0].strip() for name in names)
    except TemplateNotFound as error:
        raise UsageError(f"template file missing: {error.name}") from error
    if "</" in text:
        raise UsageError(f"a style sheet or script must not hold '</': {', '.join(names)}")
    return Markup(text)


def csp_hash(text: str) -> str:
    """The Content-Security-Policy source that allows exactly this inline text (CSP level 2)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
