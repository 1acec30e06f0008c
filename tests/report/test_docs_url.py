"""The address of the documentation as a site: reports link to the rules there."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import modelaudit
from modelaudit import schema
from modelaudit.cli import cli
from modelaudit.rules import catalogue
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.runs.write_reports import render_format, rule_infos
from modelaudit.structs import replace
from tests.command_line import ROOT

SAMPLE = ROOT / "sample_models" / "digits_partial_restore.keras"
SITE = "https://docs.example.org/ma"
PAGE = f"{SITE}/rules/MA405.html"
STATIC = modelaudit.Settings(probe=modelaudit.ProbeSettings(enabled=False))


@pytest.fixture(scope="module")
def audit():
    (found,) = modelaudit.audit(SAMPLE, STATIC)
    return found


def rendered(audit, name, address):
    options = modelaudit.ReportOptions(docs_url=address)
    return render_format(name, [audit], options).decode()


@pytest.mark.parametrize("address", [SITE, f"{SITE}/"])
def test_reports_link_to_the_rule(audit, address):
    assert f"[MA405](<{PAGE}>)" in rendered(audit, "markdown", address)
    assert f'<a href="{PAGE}">MA405</a>' in rendered(audit, "html", address)
    rules = json.loads(rendered(audit, "sarif", address))["runs"][0]["tool"]["driver"]["rules"]
    assert PAGE in {rule.get("helpUri") for rule in rules}


@pytest.mark.parametrize("name", ["markdown", "html", "sarif"])
def test_without_an_address_there_is_no_link(audit, name):
    assert "MA405.html" not in rendered(audit, name, "")


def test_rules_of_others_have_no_page_there(monkeypatch):
    own, other = CATALOGUE[0], replace(CATALOGUE[0], code="ACME101")
    monkeypatch.setattr(catalogue, "all_rules", lambda: (own, other))
    infos = rule_infos(SITE)
    assert infos[own.code].page == f"{SITE}/rules/{own.code}.html"
    assert (ROOT / "docs" / "rules" / f"{own.code}.md").is_file()
    assert infos["ACME101"].page == ""


def test_the_address_stands_in_the_settings_file(audit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit.json").write_text(schema.dumps(audit))
    (tmp_path / "modelaudit.toml").write_text(f'docs_url = "{SITE}"\n')
    ran = CliRunner().invoke(cli, ["render", "audit.json", "-f", "markdown"])
    assert f"(<{PAGE}>)" in ran.output


@pytest.mark.parametrize("address", ["docs.example.org", "javascript:alert(1)", "https://a/><b"])
def test_what_is_no_address_is_a_usage_error(audit, tmp_path, address):
    file = tmp_path / "audit.json"
    file.write_text(schema.dumps(audit))
    ran = CliRunner().invoke(cli, ["render", str(file), "-f", "markdown", "--docs-url", address])
    assert ran.exit_code == 2
    assert "--docs-url" in ran.output
