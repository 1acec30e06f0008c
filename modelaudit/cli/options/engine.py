"""Options of commands that can audit on several machines."""

from __future__ import annotations

import click

from modelaudit.cli.options.common import group, option
from modelaudit.settings.engine import ENGINES, Engine

engines = group(
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
