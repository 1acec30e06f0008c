"""What is said of a model whose kernels are all as they were drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.facts import TensorStats
from modelaudit.file_formats import Format
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.rules.initial_kernels import drawn

OPTIMIZER = replace(examples.tensor("optimizer/m", (48, 96)), role="optimizer")
STEPS = replace(
    examples.tensor("optimizer/iterations", (), TensorStats(9.0, 9.0, 9.0, 0.0, 0, 0)),
    role="optimizer",
)


@pytest.mark.parametrize(
    ("form", "name", "given", "severity"),
    [
        (Format.WEIGHTS_H5_LEGACY, "initial.h5", {}, "medium"),
        (Format.WEIGHTS_H5_V3, "start.weights.h5", {}, "medium"),
        (Format.WEIGHTS_H5_V3, "start.weights.h5", {"tensors": STEPS}, "high"),
        (Format.TF2_CHECKPOINT, "ckpt-1", {}, "medium"),
        (Format.TF1_CHECKPOINT, "model.ckpt", {}, "medium"),
        (Format.TF1_CHECKPOINT, "model.ckpt-0", {}, "medium"),
        (Format.TF1_CHECKPOINT, "model.ckpt-1200", {}, "high"),
        (Format.LEGACY_H5_FULL, "model.h5", {}, "high"),
        (Format.KERAS_ARCHIVE, "model.keras", {}, "high"),
        (Format.KERAS_ARCHIVE, "model.keras", {"training": {"loss": "mse"}}, "high"),
        (Format.LEGACY_H5_FULL, "model.h5", {"tensors": OPTIMIZER}, "high"),
        (Format.TFLITE, "model.tflite", {}, "high"),
        (Format.TFJS_LAYERS, "model.json", {}, "high"),
    ],
)
def test_no_model_fails_for_weights_that_may_be_meant_as_a_start(form, name, given, severity):
    """Nothing says of weights alone that they are trained; a whole model is saved to be used."""
    artifact = examples.model(examples.layer("a"), tensors=(examples.tensor("a/kernel", (48, 96)),))
    if form in {Format.WEIGHTS_H5_LEGACY, Format.WEIGHTS_H5_V3, Format.TF2_CHECKPOINT}:
        artifact = replace(artifact, architecture=None)
    kept = (*artifact.tensors, *([given["tensors"]] if "tensors" in given else []))
    artifact = replace(artifact, format=form, root=Path(name), tensors=kept)
    artifact = replace(artifact, training=given.get("training"))
    facts = Facts(artifact, measurements=Measurements(initialization=(drawn("a"),)))
    (found,) = run_rule(rule("MA404"), facts).findings
    assert found.severity.value == severity
    assert ("waive this finding" in found.fix) is (severity == "medium")
    assert ("start of trainings" in found.detail) is (severity == "medium")
