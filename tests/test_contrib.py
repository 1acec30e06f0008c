"""The settings and commands in contrib/ and docs/nightly.md are valid.

`scripts/check_schedules.sh` tests the same files with cron, systemd and logrotate.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from modelaudit.cli import COMMANDS, cli
from modelaudit.settings import file as settings_file

ROOT = Path(__file__).resolve().parent.parent
CONTRIB = ROOT / "contrib"
CRON = (CONTRIB / "cron" / "modelaudit").read_text()
PAGE = (ROOT / "docs" / "nightly.md").read_text()
FLEET = (ROOT / "docs" / "fleet.md").read_text()
SERVICE = CONTRIB / "systemd" / "modelaudit-nightly.service"


def parsed(line: str) -> tuple[click.Command, dict]:
    """A command line parsed by the program; fails for unknown options."""
    words = shlex.split(line, comments=True)
    start = next(i for i, word in enumerate(words) if Path(word).name == "modelaudit")
    name, *arguments = words[start + 1 :]
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command, f"no command {name}"
    inner = click.Context(command, parent=context, info_name=name)
    values, rest, _ = command.make_parser(inner).parse_args(arguments)
    assert not rest
    return command, values


def variables(text: str) -> set[str]:
    return set(re.findall(r"^(?:Environment=)?(MODELAUDIT_[A-Z_]+)=", text, re.MULTILINE))


def known_variables(command: click.Command) -> set[str]:
    return {"MODELAUDIT_CONFIG", *(str(each.envvar) for each in command.params if each.envvar)}


def test_the_cron_table():
    (line,) = [each for each in CRON.splitlines() if re.match(r"[\d*]", each)]
    *times, user, command = line.split(maxsplit=6)
    assert len(times) == 5
    assert user == "modelaudit"
    place, command = command.split(" && ")
    assert place == "cd /etc/modelaudit"  # the directory of its settings
    nightly, values = parsed(command)
    assert [*values["registry"]] == ["/srv/models"]
    assert variables(CRON) == {"MODELAUDIT_OUT", "MODELAUDIT_LOG_FILE"} <= known_variables(nightly)


def test_the_service_does_the_same():
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(SERVICE)
    service = unit["Service"]
    nightly, _ = parsed(service["ExecStart"])
    assert variables(SERVICE.read_text()) <= known_variables(nightly)
    for name in ("StateDirectory", "LogsDirectory", "User"):
        assert service[name] == "modelaudit"
    assert service["WorkingDirectory"] == "/etc/modelaudit"
    assert service["ConfigurationDirectory"] == "modelaudit"
    assert service["ExecStart"].endswith("modelaudit nightly /srv/models")
    assert service["OOMPolicy"] == "continue"  # otherwise systemd ends a run when one model dies


def test_the_cron_job():
    text = (CONTRIB / "kubernetes" / "cronjob.yaml").read_text()
    words = re.search(r"command: \[(.*)\]", text)[1]
    nightly, values = parsed(words.replace(",", " "))
    assert str(values["out"]) == "/reports"
    env = dict(re.findall(r'name: (MODELAUDIT_\w+), value: "(\d+)"', text))
    assert env.keys() <= known_variables(nightly)
    limit = int(re.search(r"limits: {memory: (\d+)Gi}", text)[1])
    assert int(env["MODELAUDIT_JOBS"]) * int(env["MODELAUDIT_MEMORY"]) < 1024 * limit
    for mount in ("/models", "/reports", "/tmp"):
        assert f"mountPath: {mount}" in text


def test_the_pre_commit_hook():
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    script = (ROOT / re.search(r"entry: (.*)", text)[1]).read_text()
    words = re.search(r'bin/modelaudit" (.*) "\$@"', script)[1]
    command, _ = parsed(f"modelaudit {words} a.keras b.h5")
    assert command.name == "scan"
    pattern = re.compile(re.search(r"files: (.*)", text)[1])
    for name in ("a.keras", "a/b.weights.h5", "m/saved_model.pb", "m/saved_model.pbtxt", "c.index"):
        assert pattern.search(name), name
    for name in ("a.py", "saved_model.py", "x/keras", "index.html"):
        assert not pattern.search(name), name


def test_the_settings_on_the_page_are_understood(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "modelaudit.toml"
    path.write_text(text)
    found = settings_file.load(path)
    assert set(tomllib.loads(text)) == {"nightly"}
    assert found.nightly.notify[0] == "mail"
    assert found.nightly.ping


def test_every_command_on_the_page_exists():
    blocks = re.findall(r"```(?:console|yaml)\n(.*?)```", PAGE, re.DOTALL)
    lines = [
        line.strip(" $-").removeprefix("run: ")
        for block in blocks
        for line in block.splitlines()
        if re.match(r"\s*(\$|-|- run:) *modelaudit ", line)
    ]
    assert len(lines) >= 4
    for line in lines:
        command, _ = parsed(line.partition("   ")[0])
        assert command.name in COMMANDS


def test_the_pages_name_every_file_of_contrib():
    pages = (
        PAGE
        + FLEET
        + "".join((ROOT / "docs" / name).read_text() for name in ("plugins.md", "serving.md"))
    )
    example = CONTRIB / "example-plugin"  # a distribution with a page of its own
    files = [
        path
        for path in CONTRIB.rglob("*")
        if path.is_file() and example not in path.parents and path.suffix != ".pyc"
    ]
    for path in (*files, example / "README.md"):
        assert f"(../{path.relative_to(ROOT).as_posix()})" in pages, path


@pytest.mark.parametrize(
    "name", ["scripts/check_schedules.sh", ".ci/run", "contrib/slurm/modelaudit.sbatch"]
)
def test_scripts_can_be_parsed(name):
    assert subprocess.run(["bash", "-n", ROOT / name], check=False).returncode == 0
