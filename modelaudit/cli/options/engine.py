"""Options of commands that can audit on several machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from modelaudit.cli.options.common import option
from modelaudit.settings.engine import ENGINES, Engine

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    option(
        "--engine",
        type=click.Choice(ENGINES),
        default=Engine().name,
        show_default=True,
        help="Audit models on this machine, or on the nodes of a Ray cluster (docs/fleet.md).",
    ),
    option(
        "--ray-address",
        default="",
        metavar="ADDRESS",
        help="Address of the cluster. Default: RAY_ADDRESS, or the cluster on this machine.",
    ),
)


def engines(function: Function) -> Function:
    """Add the options to a command."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return function
