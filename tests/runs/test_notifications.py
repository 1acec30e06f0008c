"""Notifications of nightly runs: webhooks, health checks and programs."""

from __future__ import annotations

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelaudit.cli import cli
from modelaudit.errors import UsageError
from modelaudit.registry.output_directory import locked
from modelaudit.runs import notifications
from tests.made import files

headers: list[dict[str, str]] = []  # of the requests to `server`


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(notifications, "PAUSES", (0.0, 0.0))


@pytest.fixture
def server():
    """A web server that records its requests.

    A path with `broken` returns 500, one with `moved` redirects to `/elsewhere`, and one with
    `nonsense` returns invalid HTTP.
    """
    asked: list[tuple[str, str, bytes]] = []
    headers.clear()

    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name: str):
            if name in {"do_GET", "do_POST"}:  # called by the library for a request
                return self._take
            raise AttributeError(name)

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.command, self.path, body))
            headers.append(dict(self.headers))
            if "nonsense" in self.path:
                self.wfile.write(b"220 this is another service\r\n")
                return
            codes = {"broken": 500, "moved": 302, "denied": 403}
            if "busy" in self.path and len(asked) < 3:
                codes["busy"] = 503
            self.send_response(next((c for word, c in codes.items() if word in self.path), 200))
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", asked
        web.shutdown()
        thread.join()


@pytest.fixture
def night(tmp_path: Path):
    """Run a night with the settings given as TOML."""
    models = tmp_path / "models"
    models.mkdir()
    files.minimal_h5(models / "a.h5")

    def run(settings: str, *more: str) -> Result:
        config = tmp_path / "modelaudit.toml"
        config.write_text(settings)
        words = ["--config", str(config), "nightly", str(models), "--out", str(tmp_path / "out")]
        return CliRunner().invoke(cli, [*words, "--no-probe", "-f", "json", *more])

    run.models = models
    return run


def test_a_webhook_and_a_health_check(server, night):
    address, asked = server
    settings = f'[nightly]\nwebhook = "{address}/hook"\nping = "{address}/check/"\n'
    first = night(settings)
    assert first.exit_code == 0
    assert [(method, path) for method, path, _ in asked] == [
        ("GET", "/check/start"),
        ("POST", "/hook"),
        ("GET", "/check"),
    ]
    sent = json.loads(asked[1][2])
    assert sent["text"] == first.stdout.rstrip("\n")
    assert (sent["models"], sent["since"], sent["changes"]) == (1, None, [])

    asked.clear()
    assert night(settings).stdout == ""
    assert [path for _, path, _ in asked] == ["/check/start", "/check"]  # no changes, no webhook

    asked.clear()
    files.minimal_keras(night.models / "b.keras")
    night(settings)
    (change,) = json.loads(asked[1][2])["changes"]
    assert (change["kind"], change["path"], change["now"]) == ("new", "b.keras", "pass")

    asked.clear()
    shutil.copy(night.models / "a.h5", night.models / "z.h5")
    night(settings)
    across = json.loads(asked[1][2])["across"]
    assert [(each["kind"], each["models"]) for each in across] == [
        ("same-content", ["a.h5", "z.h5"])
    ]


def test_the_first_run_sends_the_findings_of_failing_models(server, night):
    address, asked = server
    files.truncated_h5(night.models)
    night(f'[nightly]\nwebhook = "{address}/hook"\n')
    sent = json.loads(asked[0][2])
    (change,) = sent["changes"]
    assert (change["kind"], change["path"], change["was"]) == ("new", "truncated.h5", None)
    assert "MA102" in {finding["code"] for finding in change["appeared"]}
    assert sent["text"].count("MA102 truncated-file (high): ") == 1


def test_the_health_check_is_notified_of_failed_runs(server, night, tmp_path):
    address, asked = server
    settings = f'[nightly]\nping = "{address}/check"\n'
    with locked(tmp_path / "out"):
        night(settings)
    (night.models / "a.h5").unlink()
    night(settings)
    night.models.rmdir()
    night(settings)
    paths = [path for _, path, _ in asked]
    assert paths[1::2] == ["/check/75", "/check/4", "/check/2"]


@pytest.mark.parametrize(
    "wrong", [("--probe-data", "nowhere"), ("--no-such-option",), ("-f", "odt"), ("--target", "x")]
)
def test_the_health_check_is_notified_of_an_invalid_command_line(server, night, wrong):
    address, asked = server
    done = night(f'[nightly]\nping = "{address}/check"\n', *wrong)
    assert done.exit_code != 0
    assert [path for _, path, _ in asked] == ["/check/start", "/check/2"]


def test_no_run_over_a_shard_is_told_to_the_health_check(server, night):
    address, asked = server
    for shard in ("1/1", "9/8"):
        night(f'[nightly]\nping = "{address}/check"\n', "--shard", shard)
    assert not asked


def test_help_is_not_a_run(server, night):
    address, asked = server
    assert night(f'[nightly]\nping = "{address}/check"\n', "--help").exit_code == 0
    assert not asked


def test_findings_do_not_fail_a_health_check(server, night):
    address, asked = server
    files.truncated_h5(night.models)
    assert night(f'[nightly]\nping = "{address}/check"\n').exit_code == 1
    assert [path for _, path, _ in asked] == ["/check/start", "/check"]


def test_an_unreachable_address_does_not_change_the_run(server, night):
    address, _ = server
    settings = (
        f'[nightly]\nwebhook = "{address}/broken/secret"\nping = "http://127.0.0.1:9/secret"\n'
    )
    done = night(settings)
    assert done.exit_code == 0
    assert "first run" in done.stdout
    place = address.removeprefix("http://")
    told = f"notification failed: webhook at {place}: 500 Internal Server Error"
    assert done.stderr.splitlines().count(f"modelaudit: {told}") == 1
    assert done.stderr.count("notification failed: health check at 127.0.0.1:9: ") == 2
    assert "secret" not in done.output


@pytest.mark.parametrize(("path", "times"), [("busy", 3), ("broken", 3), ("denied", 1)])
def test_what_may_pass_is_tried_again(server, night, path, times):
    address, asked = server
    done = night(f'[nightly]\nwebhook = "{address}/{path}"\n')
    assert [(method, path) for method, path, _ in asked] == [("POST", f"/{path}")] * times
    assert ("notification failed" in done.stderr) == (path != "busy")
    assert len({body for *_, body in asked}) == 1


def test_a_webhook_gets_its_token_and_nobody_else(server, night, monkeypatch):
    address, asked = server
    monkeypatch.setenv("CHAT_TOKEN", "Bearer abc")
    night(
        f'[nightly]\nwebhook = "{address}/hook"\nwebhook_token = "CHAT_TOKEN"\n'
        f'ping = "{address}/check"\n'
    )
    sent = {
        path: header.get("Authorization")
        for (_, path, _), header in zip(asked, headers, strict=True)
    }
    assert sent == {"/check/start": None, "/hook": "Bearer abc", "/check": None}


@pytest.mark.parametrize("value", [None, "", "a\r\nX: b"])
def test_a_token_that_is_missing_is_an_error(night, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("CHAT_TOKEN", value)
    done = night('[nightly]\nwebhook = "http://127.0.0.1:9"\nwebhook_token = "CHAT_TOKEN"\n')
    assert isinstance(done.exception, UsageError)
    assert "CHAT_TOKEN" in str(done.exception)


def test_the_text_links_to_the_reports(night):
    done = night('[nightly]\nreports_url = "https://example.org/models/"\n')
    assert done.stdout.endswith("reports: https://example.org/models/index.html\n")


def test_redirects_are_not_followed(server, night):
    address, asked = server
    done = night(f'[nightly]\nwebhook = "{address}/moved/secret"\n')
    assert done.exit_code == 0
    assert [(method, path) for method, path, _ in asked] == [("POST", "/moved/secret")]
    place = address.removeprefix("http://")
    assert (
        f"notification failed: webhook at {place}: 302 Found (redirects are not followed)"
        in done.stderr
    )
    assert "secret" not in done.output


def test_an_invalid_http_response_is_reported_in_a_line(server, night):
    address, _ = server
    done = night(f'[nightly]\nping = "{address}/nonsense"\n')
    assert done.exit_code == 0
    assert "first run" in done.stdout
    assert done.stderr.count(f"health check at {address.removeprefix('http://')}: ") == 2


def test_a_program_gets_the_text(night, tmp_path):
    said = tmp_path / "said"
    settings = f"[nightly]\nnotify = ['sh', '-c', 'cat > \"$1\"', 'sh', '{said}']\n"
    done = night(settings)
    assert said.read_text() == done.stdout
    said.unlink()
    assert night(settings).stdout == ""
    assert not said.exists()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["/nowhere/notify"], "No such file"),
        (
            ["sh", "-c", "cat >/dev/null; echo no route >&2; exit 3"],
            "exited with status 3: no route",
        ),
    ],
)
def test_a_failing_program_is_reported_in_a_line(night, command, why):
    done = night(f"[nightly]\nnotify = {json.dumps(command)}\n")
    assert done.exit_code == 0
    assert "notification failed" in done.stderr
    assert why in done.stderr


def test_without_settings_nothing_is_notified(night, monkeypatch):
    def refused(*_args, **_options):
        raise AssertionError("no network without a setting")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", refused)
    monkeypatch.setattr("modelaudit.runs.notifications._run", refused)
    assert night("").exit_code == 0
