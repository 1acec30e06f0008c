"""MA801 and MA803: versions that break clients, and exports that differ from their source."""

from __future__ import annotations

import pytest

from modelaudit.changes.interface import with_known_names
from modelaudit.facts import Endpoint, Signature
from modelaudit.findings import Outcome, Severity
from modelaudit.formats.reader import read_artifact
from modelaudit.probe.pair.model import PairVerdict
from modelaudit.restore.model import WeightComparison
from modelaudit.rules import examples
from modelaudit.rules.compatibility.registry import RULES
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.command_line import SAMPLES

BREAKING = next(rule for rule in RULES if rule.name == "breaking-version")
DIFFERS = next(rule for rule in RULES if rule.name == "export-differs")


def signature(takes, gives):
    taken, given = (
        tuple(Endpoint(name, "", "float32", (None, size)) for name, size in side.items())
        for side in (takes, gives)
    )
    return Signature("serving_default", "predict", taken, given)


def names(port):
    return [each.name for each in port]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (["dense_1"], ["dense_4"], True),
        (["dense"], ["dense_12"], True),
        (["keras_tensor"], ["keras_tensor_17"], True),
        (["input_1"], ["input_layer_3"], True),
        (["conv2d_input"], ["conv2d_3_input"], True),
        (["dense_1", "dense_9"], ["dense_2", "dense_10"], True),
        (["scores_1"], ["scores_2"], False),  # no class of Keras
        (["image"], ["dense_2"], False),
        (["dense_1"], ["dense_1", "dense_2"], False),
        (["dense_1", "dense_2"], ["dense_3"], False),
    ],
)
def test_names_that_keras_counts(old, new, same):
    was, now = (signature(dict.fromkeys(each, 3), {}) for each in (old, new))
    assert (set(names(with_known_names(was, now).inputs)) == set(old)) is same


def breaking(old, new, **options):
    artifact = examples.healthy().artifact
    before, after = (replace(artifact, signatures=(each,)) for each in (old, new))
    return run_rule(BREAKING, Facts(after, previous=before, **options))


def test_counted_names_matter_only_where_inputs_are_named():
    old, new = signature({"input_1": 8}, {"dense": 3}), signature({"input_2": 8}, {"dense_5": 3})
    assert breaking(old, new).outcome is Outcome.FAIL
    mlflow = {"previous_name": "1"}
    assert breaking(old, new, **mlflow).outcome is Outcome.PASS
    (found,) = breaking(old, signature({"input_2": 9}, {"dense_5": 3}), **mlflow).findings
    assert found.evidence["previous"] == "1"
    assert "input input_1: shape [?, 8] became [?, 9]" in found.evidence["change"]


def test_keras_files_are_compared_by_their_config():
    one, other = (
        read_artifact(SAMPLES / name, Limits())
        for name in ("digits_robust.keras", "digits_noaug.h5")
    )
    facts = Facts(one, previous=other, previous_name="1")
    assert run_rule(BREAKING, facts).outcome is Outcome.PASS
    assert run_rule(BREAKING, replace(facts, previous_name="")).outcome is (Outcome.NOT_APPLICABLE)
    first, *rest = one.architecture.layers
    shape = (None, 32, 32, 1)
    wide = replace(first, output_shape=shape)
    changed = replace(one, architecture=replace(one.architecture, layers=(wide, *rest)))
    (found,) = run_rule(BREAKING, replace(facts, artifact=changed)).findings
    assert "shape [?, 16, 16, 1] became [?, 32, 32, 1]" in found.detail


@pytest.mark.parametrize(
    ("named", "found", "ran", "severity"),
    [
        (True, 0, False, Severity.LOW),  # a converter may have changed them all
        (True, 0, True, Severity.HIGH),
        (False, 6, False, None),  # trained from the same base
        (False, 6, True, None),
        (False, 10, True, Severity.HIGH),
    ],
)
def test_only_running_both_fails_an_export(named, found, ran, severity):
    """A sound one may be of another model, of a part, or with constants folded in."""
    facts = DIFFERS.bad()
    weights = WeightComparison(10, found, missing=("kernel",) * (10 - found))
    other = replace(facts.source.pair, verdict=PairVerdict.DIFFERENT, causes=())
    source = replace(facts.source, named=named, weights=weights, pair=other, ran=ran)
    found_by_it = run_rule(DIFFERS, replace(facts, source=source)).findings
    assert [each.severity for each in found_by_it] == ([severity] if severity else [])
