"""Requests to an MLflow tracking server: bounded, typed, repeated where that may help.

The server's answers are untrusted. Redirects are not followed and these requests go to no other
host, so that the credentials reach only the server that the user named.
"""

from __future__ import annotations

import base64
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from modelaudit import __version__
from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import ProblemKind
from modelaudit.registry.remote.http import may_pass, opener, reason_of

_API = "api/2.0/mlflow/"
_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"
_SECONDS = 60.0  # without a byte from the server
_PAUSES = (0.5, 2.0)  # seconds before a request is tried again
_MOST_ANSWER_BYTES = 64 << 20  # of an answer in JSON: a page of 1,000 versions has about 1 MB
_ANSWER_SECONDS = 300.0  # until the last byte of such an answer
_MOST_PAGES = 10_000
_MOST_LIST_BYTES = 512 << 20  # of all pages of a list
_PAGE = 1000  # the most that servers allow for registered models
_PIECE_BYTES = 1 << 20
# Of a variable that was read from a file with other line ends, or is no text.
_NOT_SENT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Answer = TypeVar("Answer")
Result = TypeVar("Result")


class _Page(Protocol):
    @property
    def next_page_token(self) -> str:
        """What asks for the next page; "" after the last one."""


PageType = TypeVar("PageType", bound=_Page)


class TrackingServer:
    """An MLflow tracking server.

    Credentials are those that MLflow's own client takes: MLFLOW_TRACKING_TOKEN, or
    MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or those in the address.

    Args:
        address: `https://host/path`; "" for the variable MLFLOW_TRACKING_URI.
        wanted: the URL that the server is needed for, for errors.
        local: the directory of this machine in which the server may name paths; "" for none.

    Attributes:
        name: the address without credentials.
        local: as above, resolved; None for none.

    Raises:
        UsageError: there is no address, it is not that of a server, or the credentials cannot be
            sent.
    """

    def __init__(self, address: str, wanted: str, local: str = "") -> None:
        address = address or os.environ.get("MLFLOW_TRACKING_URI", "")
        if not address:
            raise UsageError(
                f"{wanted}: no tracking server; give --tracking-uri or set MLFLOW_TRACKING_URI"
            )
        if not _is_server(address):
            raise UsageError(
                f"{wanted}: the tracking server must be at an http:// or https:// address; start "
                "one for a database or a directory with `mlflow server --backend-store-uri …`"
            )
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        self.name = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self.local = Path(local).resolve() if local else None
        self._host = host
        self._headers = {"User-Agent": f"tf-modelaudit/{__version__}", **_authorization(address)}
        self._opener = opener()

    def get(self, path: str, kind: type[Answer], **query: str) -> Answer:
        """The answer to a question.

        Args:
            path: of the API, such as `runs/get`.
            kind: the type of the answer; fields that it does not have are ignored.
            query: parameters.

        Raises:
            ReadError: there is no answer of this type.
        """
        return self._decoded(path, self._asked(path, f"{_API}{path}", query), kind)

    def pages(self, path: str, kind: type[PageType], **query: str) -> Iterator[PageType]:
        """All pages of a list.

        Raises:
            ReadError: a page is not of this type, or they do not end.
        """
        token, left = "", _MOST_LIST_BYTES
        for _ in range(_MOST_PAGES):
            more = {"page_token": token} if token else {}
            asked = {"max_results": str(_PAGE), **query, **more}
            data = self._asked(path, f"{_API}{path}", asked)
            left -= len(data)
            if left < 0:
                raise self._error(f"{path}: pages of more than {_MOST_LIST_BYTES:,} bytes")
            page = self._decoded(path, data, kind)
            yield page
            if page.next_page_token in ("", token):
                return
            token = page.next_page_token
        raise self._error(f"{path}: more than {_MOST_PAGES:,} pages")

    def post(self, path: str, **body: str) -> None:
        """Change something.

        Raises:
            ReadError: the server does not confirm it.
        """
        address, data = f"{self.name}/{_API}{path}", msgspec.json.encode(body)
        self._tried(path, lambda: self._answer(self._request("POST", address, data)))

    def artifacts(self, folder: str, kind: type[Answer]) -> Answer:
        """What is in a directory of the artifact store behind the server.

        Raises:
            ReadError: it cannot be listed.
        """
        what = f"artifacts of {folder}"
        return self._decoded(what, self._asked(what, _ARTIFACTS, {"path": folder}), kind)

    def download(self, artifact: str, target: Path, most: int) -> int:
        """Copy an artifact to `target`.

        Args:
            artifact: its path in the store.
            target: a file, which is replaced.
            most: bytes after which to stop.

        Returns:
            How many bytes arrived.

        Raises:
            ReadError: it cannot be copied, or ends before its announced length.
        """
        request = self._request("GET", self._artifact(artifact))

        def copy() -> int:
            with self._opened(request) as source, target.open("wb") as copied:
                left = most
                while left and (piece := source.read(min(_PIECE_BYTES, left))):
                    left -= len(piece)
                    copied.write(piece)
                if left and source.length:  # bytes that were announced and did not come
                    raise TimeoutError("the connection ended early")
                return most - left

        return self._tried(artifact, copy)

    def head(self, artifact: str, size: int) -> bytes:
        """The first bytes of an artifact: the rest is not waited for.

        Raises:
            ReadError: it cannot be read.
        """
        request = self._request("GET", self._artifact(artifact))

        def read() -> bytes:
            with self._opened(request) as source:
                return source.read(size)

        return self._tried(artifact, read)

    def upload(self, artifact: str, data: bytes) -> None:
        """Write an artifact.

        Raises:
            ReadError: the server does not confirm it.
        """
        request = self._request("PUT", self._artifact(artifact), data)
        self._tried(artifact, lambda: self._answer(request))

    def is_own(self, host: str) -> bool:
        """Whether a host in an artifact's address is that of this server; "" is."""
        return host in ("", self._host)

    def _artifact(self, path: str) -> str:
        return f"{self.name}/{_ARTIFACTS}/{quote(path)}"

    def _request(
        self, method: str, address: str, data: bytes | None = None
    ) -> urllib.request.Request:
        kind = "application/octet-stream" if method == "PUT" else "application/json"
        headers = self._headers | ({"Content-Type": kind} if data is not None else {})
        return urllib.request.Request(address, data, headers, method=method)

    def _asked(self, what: str, path: str, query: Mapping[str, str]) -> bytes:
        request = self._request("GET", f"{self.name}/{path}?{urlencode(query)}")
        return self._tried(what, lambda: self._answer(request))

    def _decoded(self, what: str, data: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(data, type=kind, strict=False)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise self._error(f"{what}: not an answer of MLflow ({error})") from error

    def _answer(self, request: urllib.request.Request) -> bytes:
        end = time.monotonic() + _ANSWER_SECONDS
        data = bytearray()
        with self._opened(request) as source:
            left = _MOST_ANSWER_BYTES + 1
            if source.length is not None:
                left = min(left, source.length)
            while left and (piece := source.read1(min(_PIECE_BYTES, left))):
                left -= len(piece)
                data += piece
                if time.monotonic() > end:
                    raise self._error(f"an answer that takes more than {_ANSWER_SECONDS:g} s")
        if len(data) > _MOST_ANSWER_BYTES:
            raise self._error(f"an answer of more than {_MOST_ANSWER_BYTES:,} bytes")
        return bytes(data)

    def _opened(self, request: urllib.request.Request) -> HTTPResponse:
        opened: HTTPResponse = self._opener.open(request, timeout=_SECONDS)
        return opened

    def _tried(self, what: str, work: Callable[[], Result]) -> Result:
        for pause in (*_PAUSES, None):
            try:
                return work()
            except (OSError, ValueError, HTTPException) as error:
                passing = may_pass(error) or isinstance(error, HTTPException)
                if pause is None or not passing:
                    raise self._error(f"{what}: {_told(error)}") from error
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _error(self, reason: str) -> ReadError:
        return ReadError(ProblemKind.UNREADABLE, self.name, f"{self.name}: {reason}"[:500])


def _is_server(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the brackets of an IPv6 address, or of the port
        return False


def _authorization(address: str) -> Mapping[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    parts = urlsplit(address)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or unquote(parts.username or "")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or unquote(parts.password or "")
    if _NOT_SENT.search(f"{token}{user}{password}") or not token.isascii():
        raise UsageError(
            "the credentials of the tracking server have characters that cannot be sent, such as "
            "the end of a line; see the variables MLFLOW_TRACKING_…"
        )
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


class _Refusal(msgspec.Struct, frozen=True):
    """What MLflow says of a request that it refuses."""

    message: str = ""
    error_code: str = ""


def _told(error: Exception) -> str:
    """Why a request failed, in the server's words if it has any."""
    if isinstance(error, ValueError):  # of a header or an address: it may quote credentials
        return f"a request that cannot be sent ({type(error).__name__})"
    reason = reason_of(error) or type(error).__name__
    if not isinstance(error, urllib.error.HTTPError):
        return reason
    try:
        said = msgspec.json.decode(error.read(_PIECE_BYTES), type=_Refusal)
    except (OSError, HTTPException, msgspec.MsgspecError, RecursionError):
        return reason
    return f"{reason} ({said.message.partition(chr(10))[0][:200]})" if said.message else reason
