"""The source of an option's value, so that an error names the place to fix."""

from __future__ import annotations

import click
from click.core import ParameterSource

from modelaudit.settings.file import SettingsFile


class ConfigurableOption(click.Option):
    """An option that an environment variable or the settings file can set."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Its name in errors: the option, or the source of its value."""
        elsewhere = _elsewhere(ctx, self) if ctx else ""
        return elsewhere or super().get_error_hint(ctx)


def value_source(name: str) -> str:
    """The name of the running command's parameter `name` in errors, by the source of its value."""
    context = click.get_current_context(silent=True)
    for parameter in context.command.params if context else ():
        if context and parameter.name == name:
            return _elsewhere(context, parameter) or parameter.opts[0]
    return name


def _elsewhere(context: click.Context, parameter: click.Parameter) -> str:
    """The environment variable, or key and settings file, that set the value; "" if neither did."""
    name = str(parameter.name)
    source = context.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return f"environment variable {parameter.envvar}"
    file = context.find_object(SettingsFile)
    if source is ParameterSource.DEFAULT_MAP and file:
        return f"{name} in {file.path}"
    return ""
