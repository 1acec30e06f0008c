"""Advice for each cause: text for all, and code that does what the text says."""

from __future__ import annotations

import ast
import re
from types import SimpleNamespace

import pytest

from modelaudit.diagnosis.advice import ADVICE
from modelaudit.diagnosis.answer import SENTENCES
from modelaudit.diagnosis.augmentation_layers import TRAIN_WITH
from modelaudit.diagnosis.loading_code import loading_code
from modelaudit.diagnosis.model import CauseFound
from modelaudit.diagnosis.next_steps import next_steps
from modelaudit.diagnosis.procedure import PROCEDURE
from modelaudit.measures.architecture.modality_words import in_words, words_for
from modelaudit.measures.input_corrections import AUGMENT, NUMPY, PUT_IN, WORDS
from modelaudit.rules import examples
from modelaudit.structs import replace

IMAGES = words_for(None)
LOAD = loading_code(examples.healthy())
NAMES = {step.cause for step in PROCEDURE}


@pytest.mark.parametrize("cause", sorted({*NAMES, *ADVICE}))
def test_every_cause_has_title_sentence_and_refutation(cause):
    assert ADVICE[cause].title
    assert in_words(SENTENCES[cause], IMAGES).endswith((".", "{evidence}", "{meaning}"))
    if cause in NAMES:
        assert ADVICE[cause].refute
        assert ADVICE[cause].steps


def test_no_bracket_of_a_template_is_closed_by_what_fills_it():
    for code in (TRAIN_WITH, *(step.code for each in ADVICE.values() for step in each.steps)):
        if "{" in code and not code.startswith("modelaudit "):
            ast.parse(code.replace("{form}", ""))  # a line of its own; other names are sets


@pytest.mark.parametrize("cause", ADVICE)
def test_code_is_valid_python(cause):
    for flip in [*NUMPY, "V + BGR", "0-255>imagenet", "H + imagenet>caffe", ""]:
        for step in next_steps(cause, CauseFound((), transform=flip), LOAD, IMAGES):
            assert not re.search(r"\{[a-z]+\}", step.text + step.code), flip
            if step.code and not step.code.startswith(("modelaudit ", "sha256sum ")):
                ast.parse(step.code, f"{cause} {flip}")


def test_code_does_what_its_text_says():
    import numpy as np

    from modelaudit.measures.dihedral import elements

    images = np.arange(2 * 4 * 4 * 3.0).reshape(2, 4, 4, 3)
    for element in elements((4, 4)):
        if element.name in NUMPY:
            done = eval(NUMPY[element.name], {"np": np, "images": images})
            expected = [[element.apply(image[..., c]) for c in range(3)] for image in images]
            np.testing.assert_array_equal(done, np.moveaxis(np.array(expected), 1, -1))
    assert set(AUGMENT) <= set(NUMPY)
    assert set(NUMPY) == set(WORDS) - {"e"}


@pytest.mark.slow
@pytest.mark.parametrize("high", [1.0, 255.0])
def test_code_for_scales_does_what_was_tried(high):
    import keras
    import numpy as np

    from modelaudit.measures.value_transforms import domain_transforms

    tried = 0
    for low in (-1.0, 0.0):
        images = np.linspace(low, high, 48, dtype="float32").reshape(1, 4, 4, 3)
        for scale in domain_transforms(images, 3):
            found = CauseFound((), transform=scale.name)
            steps = next_steps("input-domain", found, LOAD, IMAGES, (low, high))
            line = next(x for x in steps[0].code.splitlines() if x.startswith("images = "))
            given = {"np": np, "keras": keras, "images": images}
            done = eval(line.removeprefix("images = "), given)
            np.testing.assert_allclose(done, scale.apply(images), atol=1e-3)
            if scale.name in PUT_IN:
                first = next(x for x in steps[1].code.splitlines() if x.startswith("first = "))
                layer = eval(first.removeprefix("first = "), given)
                np.testing.assert_allclose(layer(images), scale.apply(images), atol=1e-3)
                tried += 1
            assert (len(steps) == 2) == (scale.name in PUT_IN)
    assert tried >= 4


@pytest.mark.parametrize("bias", [[0.1, -0.2, 60.0], [60.0]])
def test_code_centres_the_bias_of_the_named_layer(bias):
    import numpy as np

    class Layer:
        name, weights = "digit", [np.ones((2, len(bias))), np.array(bias)]

        def get_weights(self):
            return self.weights

        def set_weights(self, weights):
            self.weights = weights

    head, last = Layer(), Layer()
    last.name = "odd"
    model = SimpleNamespace(_flatten_layers=lambda: [head, last])
    found = CauseFound((), where="trunk/digit")
    code = next_steps("head-bias", found, LOAD, IMAGES)[0].code
    exec(code.partition("compile=False)\n")[2], {"np": np, "model": model, "print": str})
    assert np.ptp(head.weights[1]) == 0
    assert abs(head.weights[1]).max() < 1
    assert last.weights is Layer.weights


@pytest.mark.parametrize(
    ("cause", "exported", "told"),
    [
        ("nondeterministic", True, True),
        ("nondeterministic", False, False),
        ("never-loaded", True, False),
    ],
)
def test_only_random_exports_of_keras_3_are_to_be_exported_again(cause, exported, told):
    load = replace(loading_code(examples.healthy()), exported=exported)
    steps = next_steps(cause, CauseFound(()), load, IMAGES)
    assert any("A Keras 3 export keeps random" in step.text for step in steps) is told


@pytest.mark.parametrize("head", ["", "keras.layers.Dense(1)"])
def test_labels_that_are_numbers_get_a_head_for_numbers(head):
    steps = next_steps("labels-outside-output", CauseFound((), head=head), LOAD, IMAGES)
    (code,) = [step.code for step in steps]
    assert code.endswith(head) and ("softmax" in code) is (head == "")


def test_only_variables_of_code_are_called_by_the_kind_of_inputs():
    """Not a directory that has the same name."""
    load = replace(LOAD, predict='predict = load("images/model.keras")')
    words = replace(IMAGES, one="time series", many="time series")
    (first, _) = next_steps("input-domain", CauseFound((), transform="standardised"), load, words)
    assert 'load("images/model.keras")' in first.code
    assert "series = (series - series.mean()) / series.std()" in first.code
