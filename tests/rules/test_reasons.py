"""Sentences for users: a file is their subject, not a prefix."""

from __future__ import annotations

import re
import shutil
import zipfile

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Document, Problem, ProblemKind
from modelaudit.formats.reader import read
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.problem_findings import describe
from modelaudit.settings import Limits
from modelaudit.structs import replace


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("is empty: 0 bytes", "`a.h5` is empty: 0 bytes"),
        ("ends at byte 9, its header says 12", "`a.h5` ends at byte 9, its header says 12"),
        ("zip archive without an end record", "`a.h5`: zip archive without an end record"),
        ("isolated bytes", "`a.h5`: isolated bytes"),
    ],
)
def test_a_problem_that_begins_with_a_verb_has_the_file_as_its_subject(detail, said):
    assert describe(CATALOGUE[0], Problem(ProblemKind.EMPTY, "a.h5", detail)).detail == said


def test_a_model_that_loads_nowhere_is_described_without_option_names():
    facts = examples.observed(Status.FAILED, Status.FAILED)()
    (found,) = (r for r in run_rules(CATALOGUE, facts) if r.code == "MA210")
    assert found.findings[0].detail.startswith(
        "Neither the installed TensorFlow and Keras nor the installed TensorFlow with tf-keras "
        "loads the model. First error"
    )


@pytest.mark.parametrize(("member", "told"), [("notes.txt", True), ("assets/words.txt", False)])
@pytest.mark.parametrize("packed", [True, False])
def test_what_else_a_model_of_keras_holds_is_named(tmp_path, member, told, packed):
    """Also of a directory, as Keras 3 writes it with `zipped=False`, whose files are no members."""
    path = tmp_path / "m.keras"
    shutil.copy("sample_models/digits_mirrored.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "")
        if not packed:
            archive.extractall(tmp_path / "m")
    found = run_rule(rule("MA115"), Facts(read(path if packed else tmp_path / "m", Limits())))
    said = [each.detail for each in found.findings]
    name = "`m.keras:notes.txt`" if packed else "`notes.txt`"
    assert said == [f"{name} is a file that Keras does not write into models"] * told


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RandomFourierFeatures", "which Keras 2 has in layers.experimental"),
        ("Mix", "which is not part of Keras"),
    ],
)
def test_a_class_of_keras_that_its_loader_does_not_find(name, said):
    """`tf_keras.models.load_model` says "Unknown layer", although the package has the class."""
    layer = examples.layer(name, name)
    facts = Facts(examples.model(replace(layer, custom=True)))
    documents = (Document("m.h5", "model_config", {"class_name": "Sequential"}),)
    artifact = replace(facts.artifact, documents=documents)
    (finding,) = run_rule(rule("MA715"), replace(facts, artifact=artifact)).findings
    assert said in finding.detail
    own = "custom_objects={'RandomFourierFeatures': keras.layers.experimental."
    assert (own in finding.fix) is (name != "Mix")


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_one_of_a_kind_is_in_the_singular(rule):
    for finding in run_rule(rule, rule.bad()).findings:
        told = re.search(
            r"(?<![0-9.,])(?:All )?\b1 (?:[a-z]+ )?(?:times\b|[a-z]+s (?:are|have|hold|belong)\b)",
            finding.detail,
        )
        assert told is None, finding.detail
