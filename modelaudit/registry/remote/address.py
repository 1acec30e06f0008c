"""Where models are: a path of this machine, or a URL: of fsspec's libraries, or of MLflow."""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[^/]*)?://")
_WITH_CONTAINER = ("abfs", "abfss")  # abfs://container@account/path
_TRACKED = re.compile(r"(models|runs):(/|$)")  # of MLflow


class Url(Struct, frozen=True, order=True):
    """A URL such as `s3://bucket/models`, as it was given."""

    text: str

    def __str__(self) -> str:
        """The URL as reports and messages show it: without a password and a query."""
        if self.is_tracked:
            return self.text
        scheme, _, rest = self.text.partition("://")
        place = rest.partition("?")[0].rstrip("/")
        host, slash, path = place.partition("/")
        user = host.rpartition("@")[0]
        if scheme.lower() not in _WITH_CONTAINER or ":" in user:
            host = host.rpartition("@")[2]
        return f"{scheme}://{host}{slash}{path}"

    def __fspath__(self) -> str:
        """The URL as it was given, so that it is accepted wherever a path is."""
        return self.text

    @property
    def parts(self) -> tuple[str, ...]:
        """Host or bucket, and the parts of the path."""
        path = str(self).partition(":" if self.is_tracked else "://")[2]
        return tuple(part for part in path.split("/") if part)

    @property
    def name(self) -> str:
        """The last part of the path, as of a `Path`."""
        return self.parts[-1] if self.parts else ""

    def __truediv__(self, name: str) -> Url:
        """The URL of what is below this one, as of a `Path`."""
        return Url(f"{self.text.rstrip('/')}/{name}")

    @property
    def is_tracked(self) -> bool:
        """Whether MLflow's tracking server knows what it means: `models:/…`, `runs:/…`."""
        return _TRACKED.match(self.text) is not None

    @property
    def scheme(self) -> str:
        """The scheme in lower case: `s3`."""
        return urlsplit(self.text).scheme.lower() or self.text.partition("://")[0].lower()


Place: TypeAlias = Path | Url


def is_url(text: str) -> bool:
    """Whether a text is a URL and not a path."""
    return _SCHEME.match(text) is not None or Url(text).is_tracked


def place_of(given: str | PathLike[str]) -> Place:
    """A path or URL as the user gave it; `file://` URLs are paths."""
    if isinstance(given, Path):
        return given
    text = os.fspath(given)
    if not is_url(text):
        return Path(text)
    if text.lower().startswith("file://"):
        return Path(text[len("file://") :])
    return Url(text)


def full_name(place: Place) -> str:
    """One name for a place, however it was given: the resolved path, or the URL."""
    return str(place) if isinstance(place, Url) else str(place.resolve())
