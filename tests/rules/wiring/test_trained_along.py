"""MA344 to MA346: what trains along, what a base takes, and calls of Keras 2, with sound twins."""

from __future__ import annotations

import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace
from tests.rules.saved import codes, found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
class TestJudges:
    @pytest.fixture
    def told(self, keras, tmp_path):
        layers = keras.layers

        def adversarial(frozen, names=("generator", "discriminator"), last="sigmoid", units=1):
            made = keras.Sequential(
                [keras.Input((5,)), layers.Dense(16), layers.Reshape((4, 4, 1))], name=names[0]
            )
            discriminator = keras.Sequential(
                [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(units, last)],
                name=names[1],
            )
            discriminator.trainable = not frozen
            given = keras.Input((5,))
            model = keras.Model(given, discriminator(made(given)))
            loss = "binary_crossentropy" if units == 1 else "categorical_crossentropy"
            model.compile("adam", loss)
            return codes([rule("MA344")], model, tmp_path)

        return adversarial

    def test_a_discriminator_that_trains_along(self, told, tmp_path):
        assert told(frozen=False) == [("MA344", "low")]
        (only,) = found([rule("MA344")], tmp_path / "model.keras")
        assert "discriminator.trainable = False" in only.fix
        assert told(frozen=False, names=("g", "d")) == [("MA344", "low")]
        assert told(frozen=True) == []

    def test_models_in_a_row_without_a_discriminator(self, told):
        assert told(frozen=False, names=("decoder", "classifier"), units=3, last="softmax") == []

    def test_a_base_and_its_head(self, keras, tmp_path):
        layers = keras.layers
        base = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(3, 3)], name="base")
        head = keras.Sequential([keras.Input((2, 2, 3)), layers.Flatten(), layers.Dense(1)])
        model = keras.Sequential([base, head])
        model.compile("adam", "binary_crossentropy")
        assert codes([rule("MA344")], model, tmp_path) == []


MOBILE = ("Conv1", "block_1_expand", "block_13_expand")
RESIDUAL = ("conv1_conv", "conv1_bn", "conv2_block1_1_bn", "conv2_block1_out")
LATER = ("conv1_conv", "conv2_block1_preact_bn")


@pytest.mark.parametrize(
    "names, scaling, severities",
    [
        (MOBILE, (1 / 255, 0.0), ["low"]),
        (MOBILE, (1 / 127.5, -1.0), []),
        (MOBILE, (1 / 128, -1.0), []),
        (MOBILE, None, []),
        (RESIDUAL, (1 / 255, 0.0), ["low"]),
        (RESIDUAL, (1 / 127.5, -1.0), ["low"]),
        (RESIDUAL, None, []),
        (LATER, (1 / 127.5, -1.0), []),
        (LATER, (1 / 255, 0.0), ["low"]),
        (("conv", "conv_1"), (1 / 255, 0.0), []),
    ],
)
@pytest.mark.parametrize("frozen", [True, False])
def test_a_scaling_of_another_base(names, scaling, severities, frozen):
    base = [replace(examples.layer(name, "Conv2D"), trainable=not frozen) for name in names]
    scaled = [
        examples.layer("pixels", "Rescaling", {}, {"scale": each[0], "offset": each[1]})
        for each in (scaling,)
        if each
    ]
    facts = examples.chain(*scaled, *base, examples.dense("head", "softmax"))
    found_ = run_rule(rule("MA346"), facts).findings
    expected = severities if frozen else ["info"] * len(severities)
    assert [str(each.severity) for each in found_] == expected


@pytest.mark.parametrize(
    "name, does", [("BatchNormalization", "statistics"), ("Dropout", "does nothing")]
)
@pytest.mark.parametrize(
    "dialect, calls, told",
    [
        ("keras2", ({"training": False},), True),
        ("keras2", ({},), False),
        ("keras2", ({"training": None},), False),
        ("keras2", ({"training": True},), False),
        ("keras2", ({"training": False}, {}), False),
        ("keras3", ({"training": False},), False),  # which it writes of every call of a dropout
    ],
)
@pytest.mark.parametrize("trainable", [True, False])
def test_calls_in_inference_mode(name, does, dialect, calls, told, trainable):
    layer = replace(
        examples.layer("between", name, {}, {"rate": 0.5}), call_kwargs=calls, trainable=trainable
    )
    facts = examples.chain(examples.dense("hidden"), layer, examples.dense("head"))
    architecture = replace(facts.artifact.architecture, dialect=dialect)
    facts = replace(facts, artifact=replace(facts.artifact, architecture=architecture))
    found_ = run_rule(rule("MA345"), facts).findings
    assert [does in each.detail for each in found_] == [True] * (told and trainable)


@pytest.mark.parametrize(
    "name, calls, told",
    [
        ("RandomFlip", ({"training": True},), True),
        ("RandomFlip", ({},), False),
        ("RandomFlip", ({"training": True}, {}), False),
        ("Dropout", ({"training": True},), False),  # whose answers may be meant to vary
    ],
)
def test_augmentations_that_are_called_in_training_mode(name, calls, told):
    layer = replace(examples.layer("between", name, {}, {"rate": 0.5}), call_kwargs=calls)
    facts = examples.chain(examples.dense("hidden"), layer, examples.dense("head"))
    architecture = replace(facts.artifact.architecture, dialect="keras2")
    facts = replace(facts, artifact=replace(facts.artifact, architecture=architecture))
    found_ = run_rule(rule("MA345"), facts).findings
    assert ["at random" in each.detail for each in found_] == [True] * told
