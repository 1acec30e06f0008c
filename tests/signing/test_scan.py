"""What `scan` and `audit` say of signed models, in the terminal and in reports."""

from __future__ import annotations

import json
import shutil

import pytest

from modelaudit.settings import installation
from tests.command_line import run_command
from tests.made.signing import Authority
from tests.signing.models import copy_of, damage, signature_of


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """One model for each state, with the settings that say whom to trust."""
    folder = tmp_path_factory.mktemp("fleet")
    acme = Authority(folder / "keys")
    foreign = Authority(folder / "foreign", "Foreign")
    models = {}
    for name in ("good", "tampered", "foreign", "unsigned", "unusable"):
        model = copy_of("npz", folder / "models" / name)
        models[name] = model
        if name != "unsigned":
            (foreign if name == "foreign" else acme).sign(model, "key", signature_of(model))
    damage(models["tampered"])
    signature_of(models["unusable"]).write_text("{}")
    settings = folder / "modelaudit.toml"
    settings.write_text('[signing]\npublic_keys = "keys/pub"\n')
    return folder


def _scan(folder, *arguments):
    ran = run_command("--config", folder / "modelaudit.toml", "scan", *arguments, folder / "models")
    rows = json.loads(ran.stdout) if "--json" in arguments else []
    return ran, {row["path"].split("/")[0]: row for row in rows}


def _codes(row):
    return {code for code in row["rules"] if "MA762" <= code <= "MA768"}


def test_each_state_has_its_finding(fleet):
    _, rows = _scan(fleet, "--json")
    assert {name: _codes(row) for name, row in rows.items()} == {
        "good": set(),
        "tampered": {"MA762"},
        "foreign": {"MA764"},
        "unusable": {"MA766"},
        "unsigned": set(),
    }
    assert {name: row["signing"] for name, row in rows.items()} == {
        "good": "intact",
        "tampered": "files differ",
        "foreign": "unknown signer",
        "unusable": "not verifiable",
        "unsigned": "",
    }
    severity = {f["code"]: f["severity"] for row in rows.values() for f in row["findings"]}
    assert [severity[code] for code in ("MA762", "MA764", "MA766")] == ["high", "medium", "medium"]


def test_the_summary_counts_them(fleet):
    ran, _ = _scan(fleet)
    assert ran.returncode == 1
    line = next(line for line in ran.stdout.splitlines() if line.startswith("signatures: "))
    assert set(line.removeprefix("signatures: ").split(", ")) == {
        *("1 intact", "1 files differ", "1 unknown signer", "1 not verifiable"),
    }


def test_what_must_be_signed_fails_without(fleet, tmp_path):
    shutil.copytree(fleet, tmp_path, dirs_exist_ok=True)
    asked = '[signing]\npublic_keys = "keys/pub"\nrequired = ["*unsigned*", "*foreign*"]\n'
    (tmp_path / "modelaudit.toml").write_text(asked)
    _, rows = _scan(tmp_path, "--json")
    severity = {f["code"]: f["severity"] for row in rows.values() for f in row["findings"]}
    assert _codes(rows["unsigned"]) == {"MA767"}
    assert (severity["MA767"], severity["MA764"]) == ("high", "high")
    assert (rows["unsigned"]["signing"], severity["MA766"]) == ("none", "medium")


def test_the_reports_have_a_row(fleet, tmp_path):
    out = tmp_path / "reports"
    forms = ("-f", "html", "-f", "json")
    told = ("--config", fleet / "modelaudit.toml", "audit", "--no-probe", "--out", out, *forms)
    run_command(*told, fleet / "models" / "good", fleet / "models" / "tampered")
    pages = {
        json.loads(path.read_text())["model"]["path"].split("/")[0]: path.parent
        for path in out.glob("models/*/audit.json")
    }
    for name, said in (("good", "1 file as signed"), ("tampered", "files differ: 1 changed")):
        text = (pages[name] / "report.html").read_text()
        assert f"weights.npz.sig: signed by key keys/pub; {said}" in text


def test_what_is_not_installed_is_told(fleet, tmp_path, monkeypatch):
    monkeypatch.setattr(installation, "_installed", lambda module: module != "cryptography")
    for told in (
        ("--config", fleet / "modelaudit.toml", "scan", fleet / "models"),
        ("audit", "--attest", fleet / "keys" / "key", "--out", tmp_path / "out", fleet / "models"),
        ("verify", fleet / "keys" / "pub", fleet / "models", "--key", fleet / "keys" / "pub"),
    ):
        ran = run_command(*told)
        assert ran.returncode == 2
        assert "needs cryptography" in ran.stderr or "need cryptography" in ran.stderr
        assert "pip install 'tf-modelaudit[signing]'" in ran.stderr
    assert not (tmp_path / "out").exists()
    ran = run_command("scan", "--json", fleet / "models" / "tampered")  # trusts nobody
    assert json.loads(ran.stdout)[0]["signing"] == "files differ"


def test_a_key_that_is_none_is_an_error_of_use(fleet, tmp_path):
    settings = tmp_path / "modelaudit.toml"
    settings.write_text('[signing]\npublic_keys = "absent"\n')
    ran = run_command("--config", settings, "scan", fleet / "models")
    assert ran.returncode == 2
    assert "[signing]" in ran.stderr and "absent" in ran.stderr
