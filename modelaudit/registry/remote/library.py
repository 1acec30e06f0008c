"""The library of fsspec that reads URLs of a scheme, and what it says of files and of errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from modelaudit.errors import UsageError
from modelaudit.registry.remote.address import Url

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# The extra that installs what reads URLs of a scheme; others need a package that fsspec names.
_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "azure"),
    **dict.fromkeys(("http", "https"), "http"),
    **dict.fromkeys(("sftp", "ssh"), "sftp"),
    "hf": "hf",
}
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[^\s'\"<>)]+")
_BUCKETS = ("s3", "gcs", "azure", "hf")  # where a file is there whole or not
# What tells one state of an object from another, as the libraries of fsspec call it.
_VERSIONS = (
    *("ETag", "etag", "generation", "VersionId", "version_id", "md5Hash", "content_md5"),
    *("Content-MD5", "blob_id", "xet_hash", "oid", "checksum"),
)
_TIMES = ("LastModified", "Last-Modified", "last_modified", "updated", "mtime", "created")


def open_url(url: Url) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL, and the URL's path in it.

    Raises:
        UsageError: no installed library reads such URLs, or it cannot be used.
    """
    try:
        import fsspec
    except ImportError as error:
        raise UsageError(f"{url}: no package for URLs: {_install(url)}") from error
    # Libraries for SFTP keep no listings, and refuse options that they do not know.
    fresh = {} if _EXTRAS.get(url.scheme) == "sftp" else {"use_listings_cache": False}
    try:
        system, root = fsspec.core.url_to_fs(url.text, **fresh)
    except ImportError as error:
        raise UsageError(f"{url}: no package for such URLs: {_install(url)}") from error
    except Exception as error:  # unknown scheme, missing credentials, no such host
        raise UsageError(f"{url}: {error_text(error)}") from error
    return system, str(root).rstrip("/")


def is_bucket(url: Url) -> bool:
    """Whether a file at the URL is there whole or not at all, even while it is written."""
    return _EXTRAS.get(url.scheme) in _BUCKETS


def path_below(inner: Url, outer: Url) -> str | None:
    """The path of a URL below another, "" for the same place; None if it is not below it."""
    kinds = {_EXTRAS.get(each.scheme, each.scheme) for each in (inner, outer)}
    depth = len(outer.parts)
    if len(kinds) > 1 or inner.parts[:depth] != outer.parts:
        return None
    return "/".join(inner.parts[depth:])


def _install(url: Url) -> str:
    return f"pip install 'tf-modelaudit[{_EXTRAS.get(url.scheme, 'remote')}]'"


def version_of(details: Mapping[str, object]) -> str:
    """What tells this state of a file from others: the server's own name for it, or its time."""
    modified = modified_at(details)
    written = "" if modified is None else f"modified {modified:.6f}"
    return next((f"{name} {details[name]}" for name in _VERSIONS if details.get(name)), written)


def modified_at(details: Mapping[str, object]) -> float | None:
    """The time of the last change: a number, a date, or a date as HTTP or ISO 8601 write it."""
    for name in _TIMES:
        value = details.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
        for parse in (datetime.fromisoformat, parsedate_to_datetime):
            with suppress(ValueError, TypeError):
                return parse(str(value)).timestamp()
    return None


def error_text(error: Exception) -> str:
    """An error on one line, with addresses as reports show them: libraries put in whole ones."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    said = _ADDRESS.sub(lambda found: str(Url(found[0])), said)
    return said.strip().partition("\n")[0][:200] or type(error).__name__
