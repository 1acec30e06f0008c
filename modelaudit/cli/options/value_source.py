"""Where the value of an option was said, so that an error names the place that is to be mended."""

from __future__ import annotations

import click
from click.core import ParameterSource

from modelaudit.settings.file import SettingsFile


class ConfigurableOption(click.Option):
    """An option that a variable or the settings file may give the value of."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """What an error calls it: the option, or what stood for it."""
        elsewhere = _elsewhere(ctx, self) if ctx else ""
        return elsewhere or super().get_error_hint(ctx)


def value_source(name: str) -> str:
    """The parameter `name` of the running command, by the place where its value was said."""
    context = click.get_current_context(silent=True)
    for parameter in context.command.params if context else ():
        if context and parameter.name == name:
            return _elsewhere(context, parameter) or parameter.opts[0]
    return name


def _elsewhere(context: click.Context, parameter: click.Parameter) -> str:
    """The variable, or the key and the settings file, that gave the value; "" if neither did."""
    name = str(parameter.name)
    source = context.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return f"the variable {parameter.envvar}"
    file = context.find_object(SettingsFile)
    if source is ParameterSource.DEFAULT_MAP and file:
        return f"{name} in {file.path}"
    return ""
