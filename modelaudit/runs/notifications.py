"""Notifications about a nightly run: a program, a webhook, a health check.

Only addresses from the settings file are requested, and redirects are not followed. What may be a
passing failure is tried again. Failures are returned as text and do not affect the run.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from urllib.parse import urlsplit

from modelaudit import __version__
from modelaudit.exit_codes import ExitCode
from modelaudit.facts import Json
from modelaudit.registry.remote.http import may_pass, opener, reason_of
from modelaudit.settings import Nightly
from modelaudit.terminal_text import clean

NETWORK_SECONDS = 20.0
PAUSES = (1.0, 4.0)  # seconds before a request is tried again
PROGRAM_SECONDS = 300.0
# The run did its job; its findings are reported in other ways.
COMPLETED_CODES = frozenset({ExitCode.OK, ExitCode.FINDINGS})


def ping_start(settings: Nightly) -> Iterator[str]:
    """Tell the health check that a run starts, and yield failures."""
    if settings.ping:
        yield from _ask("health check", settings.ping.rstrip("/") + "/start")


def ping_end(settings: Nightly, code: int | None) -> Iterator[str]:
    """Tell the health check how the run ended, and yield failures.

    `code` is None if the run was not completed.
    """
    if settings.ping:
        end = "" if code in COMPLETED_CODES else "/fail" if code is None else f"/{code}"
        yield from _ask("health check", settings.ping.rstrip("/") + end)


def notify_changes(
    settings: Nightly, text: str, details: dict[str, Json], authorization: str = ""
) -> Iterator[str]:
    """Pass the text to the program and both forms to the webhook, and yield failures.

    Args:
        settings: the program and the address.
        text: for people.
        details: the same for programs.
        authorization: the value of the webhook's `Authorization` header, "" for none.
    """
    if settings.notify:
        yield from _run(settings.notify, text + "\n")
    if settings.webhook:
        data = json.dumps({"text": text} | details).encode()
        yield from _ask("webhook", settings.webhook, data, authorization)


def _run(command: tuple[str, ...], text: str) -> Iterator[str]:
    try:
        done = subprocess.run(
            command,
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        yield f"{command[0]}: {error}"
        return
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-500:]
        yield f"{command[0]} exited with status {done.returncode}{': ' + said if said else ''}"


def _ask(
    which: str, address: str, data: bytes | None = None, authorization: str = ""
) -> Iterator[str]:
    headers = {"User-Agent": f"tf-modelaudit/{__version__}"}
    if data is not None:
        headers["Content-Type"] = "application/json"
    if authorization:
        headers["Authorization"] = authorization
    requests = opener()
    for pause in (*PAUSES, None):
        try:
            request = urllib.request.Request(address, data, headers)
            with requests.open(request, timeout=NETWORK_SECONDS):
                return
        except (OSError, ValueError, HTTPException) as error:
            if pause is None or not may_pass(error):
                yield f"{which} at {_place(address)}: {clean(reason_of(error))}"
                return
        time.sleep(pause)


def _place(address: str) -> str:
    """Only host and port: the path is often a secret, and stderr may end up in a mail."""
    parts = urlsplit(address)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port}" if parts.port else str(host)
