"""Where findings offer `modelaudit repair`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelaudit import api
from modelaudit.cli.commands.explain import screen
from modelaudit.cli.terminal import table
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.compatibility.repair_advice import repair_command
from modelaudit.rules.engine import run_rule
from modelaudit.runs.explain import explanations
from modelaudit.settings import ProbeSettings, Settings

SAMPLES = Path(__file__).resolve().parents[3] / "sample_models"
TEACHABLE = SAMPLES / "teachable_digits" / "keras_model.h5"


def test_the_command_names_the_file_and_the_runtime(tmp_path: Path) -> None:
    path = Path(shutil.copy(TEACHABLE, tmp_path / "cats.h5"))
    found = repair_command(static_facts(path, Settings()), "tf==2.21.0")
    assert found == "modelaudit repair cats.h5 --for tf==2.21.0 --out repaired.h5"


def test_a_finding_about_a_target_offers_it() -> None:
    facts = static_facts(TEACHABLE, Settings(targets=("tf==2.21",)))
    (found,) = run_rule(rule("MA220"), facts).findings
    assert found.repair == "modelaudit repair keras_model.h5 --for tf==2.21.0 --out repaired.h5"
    assert f"    {found.repair}" in found.fix


@pytest.mark.parametrize("name", ["digits_lambda.keras", "digits_tf1_savedmodel"])
def test_what_cannot_be_translated_is_not_offered(name: str) -> None:
    assert repair_command(static_facts(SAMPLES / name, Settings()), "tf==2.21") == ""


def test_a_scan_and_an_explanation_end_with_the_command() -> None:
    command = "modelaudit repair keras_model.h5 --for tf==2.15.1 --out repaired.h5"
    settings = Settings(targets=("tf==2.15",), probe=ProbeSettings(enabled=False))
    rows = api.scan([TEACHABLE], settings).rows
    assert table(rows).splitlines()[-1].strip() == command
    (told,) = explanations(TEACHABLE, settings)
    assert told.repair == command
    assert told.diagnosis is not None
    assert screen(TEACHABLE.name, told.diagnosis, told.repair).splitlines()[-1].strip() == command
    assert command not in screen(TEACHABLE.name, told.diagnosis)


def test_lost_statistics_are_computed_again_for_the_runtime_that_serves_the_model() -> None:
    settings = Settings(serving="tf-keras==2.21", probe=ProbeSettings(enabled=False))
    (told,) = explanations(SAMPLES / "digits_statistics_lost", settings)
    assert told.diagnosis is not None
    codes = [step.code for step in told.diagnosis.causes[0].next_steps]
    assert (
        "modelaudit repair digits_statistics_lost --for tf-keras==2.21 --out recalibrated.keras "
        "--recalibrate IMAGES"
    ) in codes
