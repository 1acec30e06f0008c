"""The commands of docs/provenance.md do what the page says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib

import msgspec
import pytest

from modelaudit.settings.signing import SigningTable
from tests.command_line import ROOT, SAMPLES, run_command
from tests.made.signing import model_signing

PAGE = (ROOT / "docs" / "provenance.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "modelaudit.toml").write_text('[signing]\npublic_keys = "team.pub"\n')
    shutil.copyfile(SAMPLES / "digits_robust.keras", tmp_path / "classifier.keras")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_page_work(folder):
    assert COMMANDS
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        if program == "openssl":
            subprocess.run([program, *arguments], check=True, capture_output=True)
        elif program == "model_signing":
            ran = model_signing(*arguments)
            assert ran.exit_code == 0, line
        else:
            assert program == "modelaudit"
            said = run_command(*arguments, cwd=folder)
            assert (said.returncode, said.stderr) == (0, ""), line
            expected = "verified: " if "verify" in arguments else "signatures: 1 intact"
            assert expected in said.stdout, line


def test_the_settings_of_the_page_are_valid():
    (block,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    table = msgspec.convert(tomllib.loads(block)["signing"], SigningTable)
    assert table.identities and table.public_keys and table.certificates
