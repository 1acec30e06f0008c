"""Arguments that are paths or URLs."""

from __future__ import annotations

from pathlib import Path

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


class OutputType(PlaceType):
    """A directory, or a URL.

    Args:
        exists: whether the directory must exist.
    """

    def __init__(self, *, exists: bool = False) -> None:
        self._exists = exists

    def convert(
        self, value: str | Place, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        """The directory or URL that the text names."""
        place = super().convert(value, param, ctx)
        if isinstance(place, Path):
            directory = click.Path(exists=self._exists, file_okay=False, path_type=Path)
            return directory.convert(str(place), param, ctx)
        return place


PATHS = click.argument("paths", nargs=-1, required=True, type=PlaceType())
