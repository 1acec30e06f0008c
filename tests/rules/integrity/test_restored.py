"""MA407, MA408, MA413 to MA418: the facts on which they fail, and their reports."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.facts import Format
from modelaudit.findings import Outcome, Severity
from modelaudit.restore.layers import LayerDifference
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.proof import RestoreProof
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

COMPARED = ("MA407", "MA408", "MA418")  # by a runtime that loaded the model
BY_NAME = ("MA415", "MA416", "MA417")  # by names in a checkpoint and a graph


def result_of(code, facts):
    return run_rule(rule(code), facts)


def only(code, facts):
    (finding,) = result_of(code, facts).findings
    return finding


def loaded(compared=2, differing=(), missing=(), unexpected=(), **proof):
    identical = compared - len(differing) - len(missing)
    comparison = WeightComparison(
        compared, identical, tuple(differing), tuple(missing), tuple(unexpected)
    )
    restored = RestoreProof("here", "load_model", comparison=comparison, **proof)
    return replace(examples.observed(Status.LOADED)(), restore=restored)


def saved(kind=Format.SAVEDMODEL_TF2, **extra):
    return Facts(examples.model(examples.layer(), extra=extra, kind=kind))


def restoring(kind=Format.SAVEDMODEL_TF2, **found):
    nothing = {"divergent": [], "unrestored": [], "missing": [], "shapes": []}
    return saved(kind, restore=nothing | found)


def scaled(name, factor=2.0):
    return TensorDifference(name, name, TensorChange.SCALED, factor=factor, distance=1.0)


@pytest.mark.parametrize("code", COMPARED)
def test_a_model_that_was_not_run_gives_the_probe_s_reason(code):
    facts = replace(examples.healthy(), probe_skipped="switched off")
    result = result_of(code, facts)
    assert (result.outcome, result.reason) == (Outcome.NOT_APPLICABLE, "switched off")


@pytest.mark.parametrize("code", COMPARED)
def test_a_model_that_did_not_load_has_nothing_to_compare(code):
    result = result_of(code, examples.observed(Status.CRASHED)())
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, False)
    assert "no runtime" in result.reason


def test_one_finding_counts_altered_and_missing_weights():
    facts = loaded(5, [scaled("a/kernel"), scaled("b/kernel", 0.5)], ["c/kernel"])
    finding = only("MA407", facts)
    assert finding.evidence["measured"] == 3
    assert (finding.evidence["threshold"], finding.evidence["n"]) == (0, 5)
    assert finding.evidence["runtime"] == "here"
    assert [each["factor"] for each in finding.evidence["differing"]] == [2.0, 0.5]
    assert finding.evidence["differing"][0]["change"] == "scaled"
    assert finding.evidence["missing"] == ["c/kernel"]
    assert finding.location.route == "a/kernel"
    assert finding.detail.startswith("3 of 5 ")


def test_a_missing_weight_alone_is_enough():
    finding = only("MA407", loaded(missing=["c/kernel"]))
    assert finding.location.route == "c/kernel"
    assert (finding.evidence["measured"], finding.evidence["differing"]) == (1, [])


def test_a_cast_is_no_difference():
    cast = TensorDifference("a/kernel", "a/kernel", TensorChange.ALTERED, how="cast-to-float32")
    assert result_of("MA407", loaded(cast=(cast,))).outcome is Outcome.PASS


def test_extra_variables_are_not_differing_weights():
    facts = loaded(unexpected=["head/kernel", "head/bias"])
    assert result_of("MA407", facts).outcome is Outcome.PASS
    finding = only("MA408", facts)
    assert finding.evidence == {
        "measured": 2,
        "unit": "variables",
        "threshold": 0,
        "variables": ["head/kernel", "head/bias"],
    }
    assert finding.location.route == "head/kernel"


@pytest.mark.parametrize(("count", "rest"), [(20, ""), (21, "1 more"), (25, "5 more")])
def test_a_detail_lists_twenty_weights(count, rest):
    names = [f"w{i:04}" for i in range(count)]
    finding = only("MA407", loaded(count, missing=names))
    assert [name for name in names if name in finding.detail] == names[:20]
    assert rest in finding.detail
    assert ("more" in finding.detail) == bool(rest)
    assert finding.evidence["missing"] == names


@pytest.mark.parametrize("count", [1000, 1001])
def test_evidence_keeps_a_thousand_names_and_counts_all(count):
    names = [f"w{i:04}" for i in range(count)]
    altered = only("MA407", loaded(count, [scaled(name) for name in names]))
    assert (altered.evidence["measured"], len(altered.evidence["differing"])) == (count, 1000)
    lost = only("MA407", loaded(count, missing=names))
    assert (lost.evidence["measured"], len(lost.evidence["missing"])) == (count, 1000)
    extra = only("MA408", loaded(unexpected=names))
    assert (extra.evidence["measured"], len(extra.evidence["variables"])) == (count, 1000)
    unrestored = only("MA416", restoring(unrestored=names))
    assert (unrestored.evidence["measured"], len(unrestored.evidence["variables"])) == (count, 1000)
    asked = only("MA417", restoring(missing=names))
    assert (asked.evidence["measured"], len(asked.evidence["missing"])) == (count, 1000)


def test_layers_are_compared_only_where_the_file_names_them():
    result = result_of("MA418", loaded(layers_compared=0))
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert "no layers" in result.reason
    assert result_of("MA418", loaded(layers_compared=1)).outcome is Outcome.PASS


def test_a_missing_layer_is_a_finding_even_if_none_was_compared():
    layers = (LayerDifference("conv", "is not in the restored model"),)
    finding = only("MA418", loaded(layers=layers))
    assert finding.location.route == "conv"
    assert (finding.evidence["measured"], finding.evidence["n"]) == (1, 0)
    assert finding.evidence["layers"][0]["route"] == "conv"


@pytest.mark.parametrize(
    ("fingerprint", "outcome"),
    [
        ({"checkpoint_hash": "12", "index_hash": "12"}, Outcome.PASS),
        ({"checkpoint_hash": "12", "index_hash": "13"}, Outcome.FAIL),
        ({"checkpoint_hash": "0", "index_hash": "13"}, Outcome.NOT_APPLICABLE),  # not written
        ({"checkpoint_hash": "12", "index_hash": ""}, Outcome.NOT_APPLICABLE),  # index unreadable
        ({"checkpoint_hash": "12"}, Outcome.NOT_APPLICABLE),
        ({"saved_model_checksum": "12", "model_hash": "12"}, Outcome.PASS),
        ({"saved_model_checksum": "12", "model_hash": "13"}, Outcome.FAIL),
        ({"saved_model_checksum": "12", "model_hash": ""}, Outcome.NOT_APPLICABLE),
        ({"checkpoint_hash": "1", "index_hash": "1", "model_hash": ""}, Outcome.PASS),
    ],
)
def test_a_fingerprint_is_compared_where_both_hashes_are_known(fingerprint, outcome):
    result = result_of("MA413", saved(fingerprint=fingerprint))
    assert result.outcome is outcome
    assert not result.moot


def test_a_stale_fingerprint_reports_both_hashes():
    facts = saved(fingerprint={"checkpoint_hash": "12", "index_hash": "13"})
    finding = only("MA413", facts)
    assert finding.evidence == {"measured": "13", "expected": "12"}
    assert (finding.location.file, finding.location.route) == ("fingerprint.pb", "checkpoint_hash")


def test_metadata_of_another_save_is_told_once() -> None:
    (found,) = result_of("MA414", saved(foreign_metadata=True, config_differs=[])).findings
    assert "another save" in found.detail
    assert found.location.file == "keras_metadata.pb"


@pytest.mark.parametrize("code", ["MA413", "MA414", *BY_NAME])
def test_the_rule_does_not_apply_to_other_formats(code):
    result = result_of(code, examples.healthy())
    assert (result.outcome, result.moot) == (Outcome.NOT_APPLICABLE, True)
    assert result.reason


def test_each_contradiction_of_config_and_graph_is_a_finding():
    told = [
        {"tensor": "conv", "field": "strides", "config": [1, 1], "graph": [2, 2]},
        {"tensor": "conv", "field": "activation", "config": "relu", "graph": None},
        {"tensor": "dense", "field": "activation", "config": "relu", "graph": "tanh"},
    ]
    found = result_of("MA414", saved(config_differs=told)).findings
    assert [finding.location.route for finding in found] == ["conv", "conv", "dense"]
    assert found[0].detail.startswith("`conv`: strides [1, 1] in the config, [2, 2] in the graph.")
    assert found[1].detail.startswith("`conv`: activation relu in the config, none in the graph.")
    assert {finding.location.file for finding in found} == {"keras_metadata.pb"}
    assert len({finding.fingerprint for finding in found}) == 3


def test_each_pair_of_divergent_copies_is_a_finding():
    pairs = [{"used": "a", "copy": "v/0"}, {"used": "b", "copy": "v/1"}]
    first, second = result_of("MA415", restoring(divergent=pairs)).findings
    assert first.evidence == pairs[0]
    assert second.location.route == "b"


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        (Format.SAVEDMODEL_TF2, Severity.MEDIUM),
        (Format.SAVEDMODEL_TF1, Severity.HIGH),
    ],
)
def test_unrestored_variables_are_less_severe_in_object_checkpoints(kind, severity):
    finding = only("MA416", restoring(kind, unrestored=["a", "b"]))
    assert finding.severity is severity
    assert ("tf.saved_model.load" in finding.detail) == (kind is Format.SAVEDMODEL_TF2)
    assert finding.evidence["measured"] == 2


def test_absent_variables_and_those_of_another_shape_are_one_finding():
    shape = {"name": "b", "expected": [3], "stored": [2]}
    finding = only("MA417", restoring(missing=["a"], shapes=[shape]))
    assert finding.evidence["measured"] == 2
    assert (finding.evidence["missing"], finding.evidence["shapes"]) == (["a"], [shape])
    assert finding.location.route == "a"
    assert "[3]" in finding.detail
    assert "[2]" in finding.detail


def test_another_shape_alone_is_located_by_its_variable():
    shape = {"name": "b", "expected": [3], "stored": [2]}
    assert only("MA417", restoring(shapes=[shape])).location.route == "b"


@pytest.mark.parametrize("code", BY_NAME)
def test_a_restore_that_covers_everything_passes(code):
    assert result_of(code, restoring()).outcome is Outcome.PASS
