"""Arguments that are paths or URLs."""

from __future__ import annotations

import click

from modelaudit.registry.remote.address import Place, place_of


class PlaceType(click.ParamType[Place]):
    """A path, or a URL that a library of fsspec reads."""

    name = "path"

    def convert(
        self, value: str | Place, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        """The path or URL that the text names."""
        return place_of(value)


PATHS = click.argument("paths", nargs=-1, required=True, type=PlaceType())
