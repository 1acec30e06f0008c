"""The examples in contrib/serving and docs/training.md: a server starts only with its own model."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

import modelaudit
from tests.command_line import ROOT, command

SERVING = ROOT / "contrib" / "serving"
SAMPLES = ROOT / "sample_models"
GUIDE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.fixture
def start(tmp_path):
    """Run start.sh over a registry with one model, `digits`; the server only says its arguments."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in (
        ("modelaudit", f'exec {" ".join(map(str, command()))} "$@"'),
        ("tensorflow_model_server", 'echo "serving $*"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    config = tmp_path / "models.config"
    text = (SERVING / "models.config").read_text()
    assert "/models/digits" in text
    config.write_text(text.replace("/models", str(tmp_path / "models")))
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}

    def run():
        script = [SERVING / "start.sh", config, "--rest_api_port=8501"]
        return subprocess.run(script, env=env, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    ("config", "scanned"),
    [
        ('model_config_list { config { name: "a" base_path: "/m/a" } }', ["/m/a"]),
        ('model_config_list{config{base_path:"/m/a"}config{base_path:"/m/b"}}', ["/m/a", "/m/b"]),
        ('config {\n\tname: "a"\n\tbase_path:\t"/m/a"\n}', ["/m/a"]),
        ("config { name: 'a', base_path: '/m/a'; }", ["/m/a"]),
        ('base_path: "/m/a" # was "/m/b"\n# base_path: "/m/c"\n', ["/m/a"]),
        ('base_path # here\n:\n  "/m/a"', ["/m/a"]),
        ('name: "a#b" base_path: "/m/a b#1"', ["/m/a b#1"]),
        ('name: "base_path: \\"/m/c" base_path: "/m/it\'s"', ["/m/it's"]),
        ('base_path: "/m/a"\nbase_path: "/m/" "b"', None),
        ('base_path: "/m/a"\nbase_path: "/m/\\142"', None),
        ('base_path: "/m/a"\nbase_path: "/m/b', None),
        ('base_path: "/m/a"\nbase_path: ""', None),
        ('base_path: "/m/a"\nbase_path', None),
        ('# base_path: "/m/a"', None),
    ],
)
def test_every_model_of_a_configuration_is_scanned_however_it_is_written(tmp_path, config, scanned):
    for name, line in (("modelaudit", 'echo "$3"'), ("tensorflow_model_server", "echo served")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "models.config").write_text(config)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = [SERVING / "start.sh", tmp_path / "models.config"]
    ran = subprocess.run(script, env=env, capture_output=True, text=True, check=False)
    if scanned is None:
        assert (ran.returncode, ran.stdout) == (2, "")
    else:
        assert (ran.returncode, ran.stdout.splitlines()) == (0, [*scanned, "served"])


@pytest.fixture
def served(tmp_path):
    """The directory of the newest version of `digits`, beside an older one that is damaged."""
    models = tmp_path / "models" / "digits"
    for version in ("1", "2"):
        shutil.copytree(SAMPLES / "digits_tf1_savedmodel", models / version)
    (models / "1" / "saved_model.pb").write_bytes(b"damaged")
    return models / "2"


@pytest.mark.slow
def test_tensorflow_serving_starts_with_an_intact_version(start, served, tmp_path):
    ran = start()
    assert (ran.returncode, ran.stderr) == (0, "")
    config = tmp_path / "models.config"
    assert ran.stdout.splitlines()[-1] == (
        f"serving --model_config_file={config} --rest_api_port=8501"
    )


@pytest.mark.slow
def test_tensorflow_serving_does_not_start_with_a_damaged_version(start, served):
    (data,) = (served / "variables").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:-100])
    ran = start()
    assert ran.returncode == 1
    assert "serving --model" not in ran.stdout
    assert "must not be served (exit code 1)" in ran.stderr


@pytest.mark.slow
def test_tensorflow_serving_does_not_start_without_a_model(start, tmp_path):
    (tmp_path / "models" / "digits").mkdir(parents=True)
    ran = start()
    assert ran.returncode == 4
    assert "serving --model" not in ran.stdout


@pytest.fixture(scope="module")
def app(keras):
    spec = importlib.util.spec_from_file_location("serving_app", SERVING / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(keras, tmp_path):
    """A saved model with its golden record."""
    path = tmp_path / "digits.keras"
    shutil.copy(SAMPLES / "digits_robust.keras", path)
    modelaudit.record(keras.models.load_model(path, compile=False), path)
    return path


def started(app, model, monkeypatch, *requests):
    """The answers of the application to POST requests, from its start to its end, over ASGI."""
    monkeypatch.setenv("MODEL", str(model))

    async def answer(body):
        said, given = [], iter([{"type": "http.request", "body": json.dumps(body).encode()}])

        async def receive():
            return next(given)

        async def send(message):
            said.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b""}
        await app.app({**scope, "headers": [(b"content-type", b"application/json")]}, receive, send)
        return said[0]["status"], json.loads(said[1]["body"])

    async def run():
        async with app.app.router.lifespan_context(app.app):
            return [await answer(body) for body in requests]

    return asyncio.run(run())


@pytest.mark.slow
def test_the_application_starts_and_recognises_digits(app, model, monkeypatch):
    data = np.load(SAMPLES / "digits_probe.npz")
    images = data["x"][:64].tolist()
    (status, found), (refused, _) = started(app, model, monkeypatch, images, [[[[0.0]]]])
    assert (status, refused) == (200, 422)
    assert np.mean(np.array(found) == data["y"][:64]) > 0.9


@pytest.mark.slow
def test_the_application_does_not_start_with_another_model(app, model, monkeypatch):
    shutil.copy(SAMPLES / "digits_mirrored.keras", model)  # intact, but not what was recorded
    with pytest.raises(app.WrongModel, match="record"):
        started(app, model, monkeypatch)


@pytest.mark.slow
def test_the_application_does_not_start_without_a_record(app, model):
    model.with_name(f"{model.name}.golden.json").unlink()
    with pytest.raises(app.WrongModel, match="no golden record"):
        app.load(str(model))


@pytest.mark.slow
def test_the_application_does_not_start_with_weights_that_were_not_restored(
    app, model, keras, monkeypatch
):
    real = keras.models.load_model

    def forgetful(*arguments, **options):
        loaded = real(*arguments, **options)
        kernel = next(each for each in loaded.weights if each.path.endswith("kernel"))
        kernel.assign(np.zeros(kernel.shape))
        return loaded

    monkeypatch.setattr(keras.models, "load_model", forgetful)
    with pytest.raises(app.WrongModel, match="kernel"):
        app.load(str(model))


def test_the_page_shows_the_code_of_the_application():
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert shown in (SERVING / "app.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_code_of_the_training_page_records_and_audits(keras, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_models").symlink_to(SAMPLES)
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 2
    exec(compile("\n".join(blocks), "docs/training.md", "exec"), {})
    assert (tmp_path / "digits.keras.golden.json").is_file()
    assert "MA412" not in capsys.readouterr().out
