"""Layers that are applied several times, whose joined calls look like a ring; and many layers."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.findings import Outcome
from modelaudit.pipeline import static_facts
from modelaudit.restore.export_norms import foldable_norms
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.network.shared_objects import stored_elsewhere
from modelaudit.settings import Settings
from modelaudit.structs import replace


def ring(class_name, **config):
    """X -> Dense -> a layer -> dropout p -> dropout q -> p again."""
    rate = {"rate": 0.2}
    return examples.model(
        examples.layer("x", "InputLayer", {}),
        examples.layer("first", config={"units": 8, "activation": "relu"}, inbound=(("x",),)),
        examples.layer("a", class_name, config=config, inbound=(("first",),)),
        examples.layer("p", "Dropout", {}, rate, (("a",), ("q",))),
        examples.layer("q", "Dropout", {}, rate, (("p",),)),
        examples.layer("head", config={"units": 3, "activation": "softmax"}, inbound=(("first",),)),
    )


@pytest.mark.parametrize(
    ("code", "class_name", "config"),
    [
        ("MA312", "Dense", {"units": 1}),
        ("MA309", "Dense", {"units": 8}),
        ("MA309", "Conv2D", {"filters": 8}),
        ("MA315", "Dense", {"units": 8, "activation": "softmax"}),
    ],
)
def test_rules_that_follow_the_only_taker_end(code, class_name, config):
    result = run_rule(rule(code), Facts(ring(class_name, **config)))
    assert result.outcome is Outcome.PASS, result


def test_images_into_shared_layers():
    model = ring("Conv2D")
    given = replace(model.architecture.layers[0], output_shape=(None, 3, 32, 32))
    p, q = model.architecture.layers[3:5]
    layers = (given, replace(p, inbound=(("x",), ("q",))), q)
    assert run_rule(rule("MA311"), Facts(examples.model(*layers))).findings == ()


def test_normalizations_before_shared_layers():
    values = {"moving_mean": np.zeros(2), "moving_variance": np.ones(2)}
    source = ring("BatchNormalization", epsilon=0.001)
    layers = [
        replace(each, variables={role: role for role in values}) if each.route == "a" else each
        for each in source.architecture.layers
    ]
    norms = foldable_norms(examples.model(*layers, tensors=()), values.get)
    assert [*norms.alone] == ["a"]
    assert not norms.beside  # of the two that take what `first` gives
    behind = examples.layer("behind", inbound=(("d",),))
    drop = examples.layer("d", "Dropout", {}, {"rate": 0.2}, (("a",),))
    norms = foldable_norms(examples.model(*layers[:3], drop, behind, tensors=()), values.get)
    assert [*norms.beside] == ["first", "behind"]


def test_thousands_of_single_units_in_a_row():
    units = [examples.layer(f"unit{n}", config={"units": 1}) for n in range(4000)]
    found = run_rule(rule("MA312"), examples.chain(examples.layer("x", "InputLayer"), *units))
    (only,) = found.findings
    assert only.evidence["measured"] == 3999  # the last one gives the output


def test_a_way_around_a_single_unit():
    layers = [
        examples.layer("x", "InputLayer", {}),
        examples.layer("unit", config={"units": 1}, inbound=(("x",),)),
        examples.layer("gate", config={"units": 8}, inbound=(("unit",),)),
        examples.layer("scaled", "Multiply", {}, {}, (("x", "gate"),)),
    ]
    assert run_rule(rule("MA312"), Facts(examples.model(*layers))).findings == ()
    through = replace(layers[3], inbound=(("gate", "gate"),))
    assert len(run_rule(rule("MA312"), Facts(examples.model(*layers[:3], through))).findings) == 1


@pytest.mark.slow
@pytest.mark.parametrize("inner_first", [False, True])
def test_a_layer_that_is_also_in_an_inner_model(tmp_path, inner_first):
    """Keras stores its weights once, and finds them again if the outer model lists it first."""
    keras = pytest.importorskip("keras")
    given = keras.Input((3,))
    hidden = keras.layers.Dense(4, name="shared")(given)
    inner = keras.Model(given, hidden, name="inner")(given)
    parts = [inner, hidden] if inner_first else [hidden, inner]
    keras.Model(given, keras.layers.Concatenate()(parts)).save(tmp_path / "m.keras")
    findings = run_rule(rule("MA112"), static_facts(tmp_path / "m.keras", Settings())).findings
    try:
        keras.models.load_model(tmp_path / "m.keras")
    except ValueError as error:
        assert "Layer 'shared' expected 2 variables, but received 0" in str(error)
        assert findings[0].location.route == "shared"
        assert "`inner/shared` has the same name and shapes" in findings[0].detail
    else:
        assert findings == ()


@pytest.mark.parametrize(
    ("number", "place", "shared"), [(3, 1, True), (4, 1, False), (3, 9, False)]
)
def test_layers_with_one_number_are_one_object(number, place, shared):
    """Without weights of its own, only one at a place of the config that has the number is."""
    stored = replace(examples.layer("a"), config_route="layers/0", variables={"kernel": "a/kernel"})
    other = replace(
        examples.layer("b"),
        config_route=f"layers/{place}",
        variables={},
        expected={"kernel": (2, 2)},
    )
    saved = {"layers": [{"shared_object_id": 3}, {"shared_object_id": number}]}
    architecture = replace(examples.model(stored, other).architecture, config=saved)
    assert stored_elsewhere(architecture) == ({"b"} if shared else set())
