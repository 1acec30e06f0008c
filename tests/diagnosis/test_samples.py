"""The diagnoses of the sample models match the conditions in their manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelaudit import schema
from modelaudit.diagnosis import diagnose
from modelaudit.pipeline import add_probe, static_facts
from modelaudit.probe.run import local_probe
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow
SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
UNDECIDED = "undecided-without-images"

# Condition in the manifest, up to its colon or comma -> (cause with images, cause without).
EXPECTED = {
    "healthy; trained with random mirroring and therefore robust to it": (
        "learned-invariance", UNDECIDED,
    ),
    "nondeterministic": ("nondeterministic", "nondeterministic"),
    "input orientation mismatch": ("orientation-mismatch", UNDECIDED),
    "input range mismatch": ("input-domain", UNDECIDED),
    "intact": ("orientation-sensitive-data", UNDECIDED),
    "partial restore": ("partial-restore", "partial-restore"),
    "collapsed": ("head-bias", "head-bias"),
    "constant by construction": ("constant-by-construction", "constant-by-construction"),
    "batch normalization statistics lost": ("bn-statistics-lost", "bn-statistics-lost"),
    "unsafe": ("not-run", "not-run"),  # loading would run code
}  # fmt: skip
PREFIXES = {"digits_tf1_checkpoint": "digits_tf1_checkpoint/lenet.ckpt"}
MODELS = {
    row["file"]: row["condition"]
    for row in json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["models"]
}


@pytest.fixture(scope="module")
def probe():
    with local_probe(Settings()) as running:
        yield running


def expected(file: str) -> tuple[str, str]:
    condition = MODELS[file]
    return next(causes for start, causes in EXPECTED.items() if condition.startswith(start))


@pytest.fixture(scope="module")
def audits(readme_run):
    """The audits of the README, with the images of digits_probe.npz, by path."""
    found = map(schema.load, readme_run.glob("reports/models/*/audit.json"))
    return {audit.model.path: audit for audit in found}


@pytest.mark.parametrize("file", MODELS)
def test_sample_with_images(file, audits):
    (found, *_) = audits[PREFIXES.get(file, file)].diagnosis.causes
    assert found.cause == expected(file)[0]
    if found.cause == "orientation-mismatch":
        assert found.transform == "H"
    if found.cause == "partial-restore":
        assert found.where == "conv_mid"


@pytest.mark.parametrize("file", MODELS)
def test_sample_without_images(file, probe):
    facts = add_probe(static_facts(SAMPLES / PREFIXES.get(file, file), Settings()), probe)
    (found, *_) = diagnose(facts, run_rules(CATALOGUE, facts)).causes
    assert found.cause == expected(file)[1]
