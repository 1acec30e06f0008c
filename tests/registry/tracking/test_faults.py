"""A tracking server that fails, or lies."""

from __future__ import annotations

import base64
import json

import pytest

from modelaudit.errors import ReadError, UsageError
from modelaudit.registry.remote.address import Url
from modelaudit.registry.tracking import client
from modelaudit.registry.tracking.artifacts import place_of_files
from modelaudit.registry.tracking.client import TrackingServer
from modelaudit.registry.tracking.registered import Registered
from modelaudit.runs.found_models import find_models

ELSEWHERE = ("http://127.0.0.2:1/", "https://example.com/x")


def reasons(url, settings):
    return " ".join(f"{x.file}: {x.detail}" for x in find_models((Url(url),), settings).problems)


def test_a_moment_of_trouble_is_waited_for(registry, settings, layout):
    registry.refusals |= {"search": 1, "model.h5": 2, "artifacts": 1}
    (model,) = find_models((Url("models:/faces"),), settings).targets
    assert model.relative == "faces/1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        b"[" * 100_000,
        b'{"model_versions": 3}',
        b'{"model_versions": [{"name": 1}]}',
        b'{"model_versions": [{"name": "a", "version": "1", "creation_timestamp": -5}]}',
    ],
)
def test_an_answer_of_another_form(registry, settings, body):
    registry.answers["model-versions/search"] = body
    assert "not an answer of MLflow" in reasons("models:/", settings)


def test_an_answer_without_an_end(registry, settings, monkeypatch):
    monkeypatch.setattr(client, "_MOST_ANSWER_BYTES", 1000)
    registry.answers["model-versions/search"] = b" " * 1001
    assert "more than 1,000 bytes" in reasons("models:/", settings)


def test_pages_without_an_end(registry, settings, monkeypatch):
    monkeypatch.setattr(client, "_MOST_PAGES", 3)
    numbers = iter(range(99))
    monkeypatch.setattr(type(registry), "paged", lambda *_: {"next_page_token": str(next(numbers))})
    assert "more than 3 pages" in reasons("models:/", settings)


def test_pages_without_an_end_in_bytes(registry, settings, monkeypatch):
    monkeypatch.setattr(client, "_MOST_LIST_BYTES", 250)
    numbers = iter(range(10, 99))
    monkeypatch.setattr(type(registry), "paged", lambda *_: {"next_page_token": str(next(numbers))})
    assert "pages of more than 250 bytes" in reasons("models:/", settings)
    assert len(registry.asked) == 11  # each answer has 25 bytes


def test_an_answer_that_drips(registry, settings, monkeypatch):
    monkeypatch.setattr(client, "_ANSWER_SECONDS", 0.1)
    registry.drip = 0.02
    assert "takes more than 0.1 s" in reasons("models:/", settings)
    assert len(registry.asked) == 1


@pytest.mark.parametrize("target", ELSEWHERE)
@pytest.mark.parametrize("request_of", ["model-versions/search", "data/model.h5"])
def test_redirects_are_not_followed(registry, settings, target, request_of):
    registry.answers[request_of] = (302, b"", [("Location", target)])
    assert "redirects are not followed" in reasons("models:/faces", settings)


def test_a_body_that_ends_early_costs_one_version(registry, settings):
    registry.short.add("model.h5")
    said = reasons("models:/faces", settings)
    assert "faces/1" in said
    assert "ended early" in said or "arrived" in said


def test_a_file_of_another_size_than_listed(registry, settings):
    registry.answers["data/model.h5"] = b"x"
    assert "of which 1 arrived" in reasons("models:/faces", settings)


@pytest.mark.parametrize("name", ["../../x.h5", "/etc/x.h5", "a\\b.h5", "x" * 300 + ".h5"])
def test_hostile_names_of_files_are_not_fetched(registry, settings, tmp_path, name):
    registry.listed["1/faces-1/artifacts"] = [{"path": name, "file_size": 3}]
    assert "not fetched" in reasons("models:/faces", settings)
    assert registry.sent["x.h5"] == 0


@pytest.mark.parametrize("name", ["..", ".", "", "../up"])
def test_hostile_names_of_directories_are_not_entered(registry, settings, name):
    registry.listed["1/faces-1/artifacts"] = [{"path": name, "is_dir": True}]
    find_models((Url("models:/faces"),), settings)
    folders = sum(path.endswith("/artifacts") for _, path, _ in registry.asked)
    assert folders == 2  # the root, and data


def test_directories_without_an_end(registry, settings):
    registry.answers["/artifacts"] = json.dumps({"files": [{"path": "a", "is_dir": True}]}).encode()
    assert "directories in each other" in reasons("models:/faces", settings)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "x" * 256, "a\0b"])
def test_hostile_names_of_models_are_problems_of_their_own(registry, settings, layout, name):
    registry.add(name, 1, layout)
    found = find_models((Url("models:/"),), settings)
    assert [each.relative for each in found.targets] == ["digits/2", "faces/1"]
    assert [each.file for each in found.problems] == [f"{name}/1"]


def test_a_version_that_is_no_number(registry, settings, layout):
    registry.add("faces", 2, layout)
    registry.versions["faces", 2]["version"] = "../2"
    assert "not a number" in reasons("models:/", settings)


@pytest.mark.parametrize(
    "source",
    ["http://169.254.169.254/latest", "mlflow-artifacts://example.com/1", "models:/../x",
     "simplecache::s3://a/b", "s3::http://127.0.0.1:1/x", "s3://a/b::http://127.0.0.1:1/x",
     "sftp://example.com/a", "ssh://example.com/a", "hdfs://example.com/a", "http://[x",
     "github://a:b@c/d", "ftp://example.com/a", "relative/path", ""],
)  # fmt: skip
def test_places_that_are_not_read(registry, settings, source):
    registry.add("faces", 2, {}, source=source or " ")
    assert "faces/2: its files are at" in reasons("models:/faces", settings)


def test_paths_of_this_machine_only_in_the_directory_that_the_user_named(tmp_path):
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "link").symlink_to(tmp_path)

    def place(path, named):
        near = TrackingServer("http://127.0.0.1:5000", "models:/", named)
        return place_of_files(near, Registered("a/1", "x"), path)

    root = str(tmp_path / "mlruns")
    inside = tmp_path / "mlruns" / "a"
    refused = (f"{tmp_path}/other", f"{tmp_path}/mlruns/../other", f"{tmp_path}/mlruns/link/other")
    for named, paths in (("", (inside, *refused)), (root, refused)):
        for path in paths:
            for start in ("", "file://"):
                with pytest.raises(ReadError, match="--local-artifacts"):
                    place(f"{start}{path}", named)
    assert place(str(inside), root) == place(f"file://{inside}", root) == inside.resolve()


def test_credentials(registry, settings, monkeypatch):
    def sent():
        registry.asked.clear()
        find_models((Url("models:/faces"),), settings)
        return {headers.get("Authorization") for _, _, headers in registry.asked}

    assert sent() == {None}
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert sent() == {"Bearer secret"}
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pass:word")
    assert sent() == {"Basic " + base64.b64encode(b"ann:pass:word").decode()}


def test_credentials_of_the_address_are_sent_and_not_shown(registry):
    address = registry.address.replace("http://", "http://ann:sesame@")
    server = TrackingServer(address, "models:/")
    assert server.name == registry.address
    registry.answers["runs/get"] = (403, b'{"message": "not for you"}')
    with pytest.raises(ReadError, match="not for you") as caught:
        server.get("runs/get", dict, run_id="1")
    assert "sesame" not in str(caught.value)
    sent = registry.asked[-1][2]["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"ann:sesame"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN", "sesame\r"),
        ("TOKEN", "sesame\n"),
        ("TOKEN", "sésame"),
        ("PASSWORD", "sesame\r"),
        ("PASSWORD", "sesame\udcff"),
    ],
)
def test_credentials_that_cannot_be_sent_are_not_shown(monkeypatch, name, value):
    monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    with pytest.raises(UsageError, match="cannot be sent") as caught:
        TrackingServer("http://ann@127.0.0.1", "models:/")
    assert "same" not in f"{caught.value}{caught.value.__cause__}"


def test_a_request_that_cannot_be_sent_is_not_quoted(registry):
    server = TrackingServer(registry.address, "models:/")
    server._headers["Authorization"] = "Bearer sesame\r"
    with pytest.raises(ReadError, match="cannot be sent") as caught:
        server.get("runs/get", dict, run_id="1")
    assert "sesame" not in str(caught.value)
