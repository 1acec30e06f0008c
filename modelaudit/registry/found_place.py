"""What was found at a path or a URL."""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec import Struct

from modelaudit.registry.candidates import Discovery


class FoundPlace(Struct, frozen=True):
    """What was found at a place.

    Attributes:
        models: the models, and everything else.
        address: the URL of which `models.root` is a copy; "" if it is no copy.
        unread: paths below it of models that could not be fetched.
        units: paths of what is fetched as a whole: models, archives and other files.
        elsewhere: how many models were not fetched because they are in other shards.
        older: paths of versions that exist, and are not audited because there are newer ones.
    """

    models: Discovery
    address: str = ""
    unread: tuple[str, ...] = ()
    units: frozenset[str] = frozenset()
    elsewhere: int = 0
    older: tuple[str, ...] = ()

    def unit_of(self, path: str) -> str:
        """The path that decides on the shard of a model: its own, or that of what it is in."""
        if not self.units:
            return path
        whole = PurePosixPath(path)
        places = [str(place) for place in (whole, *whole.parents[:-1])]
        return next((place for place in reversed(places) if place in self.units), path)
