"""The code that loads a model: the Keras that loaded it, or else the one that saved it."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.diagnosis.loading_code import loading_code
from modelaudit.facts import Provenance
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.structs import replace


def imported(facts):
    return loading_code(facts).imports


def saved_by(version, exporter=None):
    facts = examples.healthy()
    provenance = Provenance(keras=version, exporter=exporter)
    return Facts(replace(facts.artifact, provenance=provenance))


@pytest.mark.parametrize("version", ["2.15.0", "2.2.4", "1.0.7"])
def test_a_file_of_keras_2_is_loaded_by_tf_keras(version):
    assert imported(saved_by(version)) == "import tf_keras as keras"


@pytest.mark.parametrize("version", ["3", "3.0.0", "3.15.1", "", None])
def test_a_file_of_keras_3_or_without_version_is_loaded_by_keras(version):
    assert imported(saved_by(version)) == "import keras"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((Status.LOADED, Status.FAILED), "import keras"),
        ((Status.FAILED, Status.LOADED), "import tf_keras as keras"),
        ((Status.LOADED, Status.LOADED), "import keras"),
        ((Status.FAILED, Status.FAILED), "import keras"),
    ],
)
def test_what_loaded_the_model_comes_before_what_saved_it(statuses, expected):
    assert imported(examples.observed(*statuses)()) == expected


@pytest.mark.parametrize(
    ("exporter", "exported"), [("keras3-export", True), ("keras", False), (None, False)]
)
def test_exports_of_keras_3_are_recognised(exporter, exported):
    assert loading_code(saved_by("3.4.0", exporter)).exported is exported


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        ("mse", '"mean_squared_error"'),
        (
            {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}},
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        ),
        ("my_loss", '"sparse_categorical_crossentropy"'),
        (None, '"sparse_categorical_crossentropy"'),
    ],
)
def test_code_that_trains_takes_the_loss_of_the_file(loss, code):
    artifact = replace(examples.healthy().artifact, training={"loss": loss})
    assert loading_code(Facts(artifact)).loss == code
