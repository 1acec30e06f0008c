"""Notes of a run on settings that have no effect or name missing things."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelaudit.cli import cli
from modelaudit.errors import UsageError
from modelaudit.runs.found_models import FoundModels
from modelaudit.runs.settings_notes import settings_notes
from modelaudit.settings import Expectation, Policy, ProbeSettings, Settings, Waiver
from modelaudit.settings.audit_target import AuditTarget
from tests import rows as rows_for_tests
from tests.rows import finding
from tests.runs.nights import audited, nightly

WHY = 'reason = "known"\n'
REG = Path("/reg")
STEERING = "the expectation of output steering for driving/* (odd under H)"
EVERY = '[[policy]]\npath = "*"\n'
TWO = f'[[ignore]]\nrule = "MA102"\n{WHY}[[ignore]]\nrule = "MA999"\n{WHY}'


def invoke(config, *words):
    return CliRunner().invoke(cli, ["--config", str(config), *map(str, words)])


@pytest.fixture
def config(tmp_path):
    """The settings file next to the registry `models`."""
    return tmp_path / "modelaudit.toml"


def verdicts(config, path):
    rows = json.loads(invoke(config, "scan", "--json", path).stdout)
    return {row["path"]: row["verdict"] for row in rows}


def test_a_pattern_relative_to_the_settings_file_matches_any_spelling_of_a_path(models, config):
    config.write_text(f'[[ignore]]\npath = "models/trunc*"\n{WHY}')
    assert verdicts(config, models)["truncated.h5"] == "pass"
    assert verdicts(config, models / "truncated.h5") == {"truncated.h5": "pass"}
    assert verdicts(config, models.parent)["models/truncated.h5"] == "pass"
    config.write_text(f'[[ignore]]\npath = "trunc*"\n{WHY}')
    assert verdicts(config, models)["truncated.h5"] == "pass"
    assert verdicts(config, models.parent)["models/truncated.h5"] == "fail"


def test_waivers_of_other_models_are_not_called_unused(models, config):
    config.write_text(
        f'[[ignore]]\nrule = "MA102"\npath = "models/trunc*"\n{WHY}'
        f'[[ignore]]\nrule = "MA102"\npath = "models/a.h5"\n{WHY}'
        f'[[ignore]]\nrule = "MA601"\n{WHY}'
    )
    said = invoke(config, "scan", models).stderr.splitlines()
    unused = (
        "modelaudit: the waiver of MA102 for models/a.h5 (known) matches no finding of this run"
    )
    assert said == [unused]  # MA601 needs models to be run, and a scan runs none
    for single in ("a.h5", "truncated.h5"):
        assert invoke(config, "scan", models / single).stderr == ""


def test_patterns_that_match_no_model_are_reported(models, config):
    config.write_text(
        f'[[ignore]]\npath = "left/*"\n{WHY}'
        '[[expect]]\npath = "driving/*"\noutput = "steering"\naction = "odd"\n'
        '[[policy]]\npath = "prood/*"\nfail_on = "low"\n'
    )
    assert invoke(config, "scan", models).stderr.splitlines() == [
        "modelaudit: the waiver of all findings for left/* (known) matches no model of this run",
        f"modelaudit: {STEERING} matches no model of this run",
        "modelaudit: the policy for prood/* matches no model of this run",
    ]
    assert invoke(config, "scan", models / "a.h5").stderr == ""


@pytest.mark.parametrize("path", ["./a.h5", "/models/a.h5", "../models/*", "~/models/*"])
def test_an_impossible_pattern_is_reported_with_the_syntax(models, config, path):
    config.write_text(f'[[policy]]\npath = "{path}"\nfail_on = "low"\n')
    for audited_path in (models, models / "a.h5"):
        (said,) = invoke(config, "scan", audited_path).stderr.splitlines()
        assert said.startswith(f"modelaudit: the policy for {path} can never match: ")
        assert "relative to REGISTRY or to the settings file's directory" in said


def test_an_expired_waiver_is_reported():
    def told(expires, path="*", **more):
        waiver = Waiver("MA405", "known", path, expires=datetime.date.fromisoformat(expires))
        return [each.partition("(known) ")[2] for each in notes(waiver, **more)]

    rows = [row("a.h5")]
    assert told("2026-02-28", rows=rows) == [
        "expired on 2026-02-28 and matches no finding of this run"
    ]
    assert told("2026-03-01", rows=rows) == ["matches no finding of this run"]
    assert told("2026-02-28", "b*", rows=rows) == [
        "expired on 2026-02-28 and matches no model of this run"
    ]
    assert told("2026-02-28", rows=rows, whole=False) == []
    failed = rows_for_tests.row("a.h5", "fail", finding(code="MA405"))
    assert told("2026-02-28", rows=[failed]) == []  # shown with the finding


def notes(*entries, rows=(), probed=True, whole=True):
    """Notes on a run over `/reg` with these rows."""
    targets = tuple(AuditTarget(REG / row.path, REG, row.path, row.slug) for row in rows)
    settings = Settings(
        waivers=tuple(each for each in entries if isinstance(each, Waiver)),
        expectations=tuple(each for each in entries if isinstance(each, Expectation)),
        policies=tuple(each for each in entries if isinstance(each, Policy)),
        probe=ProbeSettings(enabled=probed),
    )
    found = FoundModels("/reg", targets, {}, (), (), (), whole)
    return settings_notes(settings, found, rows, "2026-03-01T00:00:00Z")


def row(path, outputs=None, unanswered=()):
    return rows_for_tests.row(path, outputs=outputs or {}, unanswered=tuple(unanswered))


def test_an_expectation_that_matches_no_measured_output_is_reported():
    measured = row("drive/a.h5", {"steering": ("H", "V")})
    said = notes(Expectation("odd", "drive/*", "steer"), rows=[measured])
    there = "outputs: steering; measured transforms: H, V"
    told = f"the expectation of output steer for drive/* (odd under H) matches no output; {there}"
    assert said == [told]
    assert len(notes(Expectation("odd", transform="flip"), rows=[measured])) == 1
    assert notes(Expectation("odd", "drive/*", "steer*"), rows=[measured]) == []
    assert notes(Expectation("odd", "drive/*", "steer"), rows=[row("drive/a.h5")]) == []


def test_a_runtime_answered_by_another_profile_is_reported():
    def told(*targets):
        settings = Settings(targets=targets[:1], policies=(Policy("*", targets=targets),))
        return settings_notes(
            settings, FoundModels("/reg", (), {}, (), (), (), True), [], "2026-03-01"
        )

    assert told("tf==2.15", "tf==2.15.1", "tf-keras==2.21", "keras==3.5") == []
    said = told("tf==2.99", "tf==2.15")
    assert said == ["tf==2.99 is unknown: its predictions are those for tf==2.21.0"]


@pytest.mark.parametrize(
    ("waiver", "unanswered", "probed", "told"),
    [
        (Waiver("MA604", "r"), [], True, True),
        (Waiver("flip-sensitive-output", "r"), [], True, True),
        (Waiver("flip-sensitive-output", "r"), ["MA604"], True, False),
        (Waiver("MA604", "r"), ["MA604"], True, False),
        (Waiver("MA604", "r"), ["MA605"], True, True),
        (Waiver("", "r", fingerprint="0" * 32), [], True, True),
        (Waiver("", "r", fingerprint="0" * 32), [], False, False),
    ],
)
def test_a_waiver_is_unused_only_if_its_rule_was_checked(waiver, unanswered, probed, told):
    asked = [row("a.h5", unanswered=unanswered)]
    assert bool(notes(waiver, rows=asked, probed=probed)) is told
    assert notes(waiver, rows=asked, probed=probed, whole=False) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TWO, "[[ignore]] number 2: unknown rule 'MA999'"),
        (f'[[ignore]]\nrule = "ma102"\n{WHY}', "'ma102'; did you mean MA102 (truncated-file)?"),
        (f'[[ignore]]\nrule = "Dead-layers"\n{WHY}', "'Dead-layers'; did you mean dead-layer (MA6"),
        (f'[[ignore]]\nrule = "MA40"\n{WHY}', "'MA40'; `modelaudit rules` lists"),
        ("[thresholds]\ndeadlayer = 1", "'deadlayer'; did you mean dead-layer (MA606)?"),
        (EVERY + '[policy.severity]\nMA999 = "low"', "[[policy]] number 1: unknown rule"),
        (EVERY + "thresholds = { MA606 = 2 }", "[[policy]] number 1: the threshold of MA606"),
        (EVERY + 'targets = ["tf==9.15"]', "[[policy]] number 1: 'tf==9.15': unknown tf version 9"),
        (EVERY + 'targets = ["tf=2"]', "[[policy]] number 1: 'tf=2' is not a runtime"),
        ("[thresholds]\nMA999 = 1", "[thresholds]: unknown rule 'MA999'"),
        ("[thresholds]\nMA102 = 1", "MA102 has no threshold; rules with one: MA410 (golden"),
        ("[thresholds]\nMA604 = 0", "MA604 must be between 0.001 and 10 times"),
        (
            "[thresholds]\nMA606 = 0.5\ndead-layer = 0.7",
            "[thresholds]: MA606 and dead-layer are the same rule, set twice",
        ),
        (
            EVERY + 'severity = { truncated-file = "low", MA101 = "low", MA102 = "info" }',
            "[[policy]] number 1: truncated-file and MA102 are the same rule, set twice",
        ),
        (
            EVERY + "thresholds = { MA606 = 0.5, dead-layer = 0.5 }",
            "[[policy]] number 1: MA606 and dead-layer are the same rule, set twice",
        ),
        ("[thresholds]\ndead-layer = 1.5", "dead-layer must be between 0.01 and 1 as share"),
        ('target = "keras==7.1"', "toml: 'keras==7.1': unknown keras version 7; newest: 3."),
    ],
)
def test_missing_things_are_rejected_before_the_run(models, config, text, says):
    config.write_text(text)
    error = invoke(config, "scan", models).exception
    assert isinstance(error, UsageError)
    assert says in str(error)


def test_a_changed_threshold_is_applied_again_to_its_models(sound, config):
    config.write_text("")
    nightly(sound, config=config)
    nightly(sound, config=config)
    assert audited(sound) == 0
    config.write_text('[[policy]]\npath = "a.h5"\nthresholds = { MA604 = 0.3 }\n')
    nightly(sound, config=config)
    assert audited(sound) == 1
    config.write_text("[thresholds]\nMA604 = 0.3\n")
    nightly(sound, config=config)
    assert audited(sound) == 1  # b.keras; the threshold for a.h5 is unchanged
