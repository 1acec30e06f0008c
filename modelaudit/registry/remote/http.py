"""What all our HTTP requests have in common: no redirects, and which failures may pass."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPMessage
from typing import IO, NoReturn

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers that another try may change


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Rejects redirects: the target may be anyone's, and a POST would arrive without its data."""

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> NoReturn:
        """Treat a redirect as a failure."""
        reason = f"{msg} (redirects are not followed)"
        raise urllib.error.HTTPError(req.full_url, code, reason, headers, fp)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def opener() -> urllib.request.OpenerDirector:
    """What sends requests, and follows no redirect."""
    return urllib.request.build_opener(_NoRedirects)


def may_pass(error: Exception) -> bool:
    """Whether another try may succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in PASSING
    return isinstance(error, OSError)


def reason_of(error: Exception) -> str:
    """Why a request failed, without its address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}".strip()
    return str(error.reason if isinstance(error, urllib.error.URLError) else error)
