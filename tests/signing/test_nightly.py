"""A nightly run audits a model again when its signature, or whom the settings trust, changes."""

from __future__ import annotations

import pytest

from tests.command_line import run_command
from tests.made.signing import NOW, Authority
from tests.signing.models import copy_of, signature_of


@pytest.fixture
def registry(tmp_path):
    acme = Authority(tmp_path / "acme", days=(-3000, 3000))
    foreign = Authority(tmp_path / "foreign", "Foreign")
    model = copy_of("keras", tmp_path / "models")
    acme.sign(model, "key", signature_of(model))
    return tmp_path, model, acme, foreign


def nightly(folder, signing):
    settings = folder / "modelaudit.toml"
    settings.write_text(f"[signing]\n{signing}\n")
    told = ("nightly", folder / "models", "--no-probe", "-f", "json", "--out", folder / "out")
    return run_command("--config", settings, *told)


def test_what_is_signed_otherwise_is_told(registry):
    folder, model, acme, foreign = registry
    trusted = 'public_keys = "acme/pub"'
    assert nightly(folder, trusted).returncode == 0
    assert nightly(folder, trusted).stdout == ""
    foreign.sign(model, "key", signature_of(model))
    assert "MA764" in nightly(folder, trusted).stdout
    acme.sign(model, "key", signature_of(model))
    assert "MA764" in nightly(folder, trusted).stdout  # it is gone


def test_a_key_that_is_no_longer_trusted_is_told(registry):
    folder, _, _, foreign = registry
    assert nightly(folder, 'public_keys = "acme/pub"').returncode == 0
    (folder / "acme" / "pub").write_bytes((foreign.folder / "pub").read_bytes())
    assert "MA764" in nightly(folder, 'public_keys = "acme/pub"').stdout


def test_a_signature_by_a_certificate_is_checked_every_night(registry, monkeypatch):
    from modelaudit import clock

    folder, model, acme, _ = registry
    acme.sign(model, "certificate", signature_of(model))
    trusted = 'certificates = "acme/root.pem"'
    monkeypatch.setattr(clock, "utc_now", lambda: f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
    assert nightly(folder, trusted).returncode == 0
    late = NOW.replace(year=NOW.year + 20)
    monkeypatch.setattr(clock, "utc_now", lambda: f"{late:%Y-%m-%dT%H:%M:%SZ}")
    assert "MA76" in nightly(folder, trusted).stdout
