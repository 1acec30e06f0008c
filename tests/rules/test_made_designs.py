"""Mistakes of design as layers and compile settings show them, each with a sound twin."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.architecture import ArchitectureProfile, WindowGrid
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace


def layer(class_name, *, given=None, shape=None, **config):
    """A layer named after its class, or by its own name."""
    name = str(config.pop("name", class_name.lower()))
    made = examples.layer(name, class_name, config=config)
    return replace(made, input_shapes=(given,) if given else (), output_shape=shape)


def dense(units=8, activation="relu", **config):
    return layer("Dense", units=units, activation=activation, **config)


HEAD = dense(5, "softmax", name="head")


def found(code, *layers, training=None, steps=True):
    """Severities and fixes of a rule on layers in a row; with a trained optimizer by default."""
    settings = {"loss": "sparse_categorical_crossentropy", **(training or {})}
    facts = examples.chain(*layers, training=settings)
    slot = replace(examples.tensor("optimizer/vars/2", (4, 2)), role="optimizer")
    artifact = replace(facts.artifact, tensors=(*facts.artifact.tensors, slot) if steps else ())
    findings = run_rule(rule(code), replace(facts, artifact=artifact)).findings
    return [(str(each.severity), each.fix or "") for each in findings]


def names(fix_of, *words):
    """Whether there is one finding, of this severity and with these words in its fix."""
    ((severity, fix),) = fix_of
    assert all(word in fix for word in words), fix
    return severity


def test_logarithms_of_probabilities_under_a_cross_entropy():
    logs = dense(5, "log_softmax", name="head")
    assert names(found("MA306", logs), 'activation="softmax"', "from_logits=True") == "high"
    scores = {
        "class_name": "SparseCategoricalCrossentropy",
        "config": {"from_logits": True},
    }
    assert found("MA306", logs, training={"loss": scores}) == []


def test_probabilities_under_ctc():
    assert names(found("MA306", HEAD, training={"loss": {"class_name": "CTC"}}), "Remove") == "low"
    assert found("MA306", dense(5, "linear"), training={"loss": {"class_name": "CTC"}}) == []


def test_scaled_probabilities():
    scaled = layer("Rescaling", scale=1 / 255, offset=0.0)
    assert names(found("MA308", HEAD, scaled), "Remove `rescaling`") == "medium"
    assert found("MA308", HEAD, layer("Rescaling", scale=1.0, offset=0.0)) == []
    by_channel = layer("Rescaling", scale=[1 / 255] * 5, offset=0.0)
    assert names(found("MA308", HEAD, by_channel), "Remove `rescaling`") == "medium"
    # Scores that a sigmoid limits, as the loss is told.
    scores = layer("Rescaling", scale=20.0, offset=-10.0)
    head = dense(1, "sigmoid")
    for from_logits, severities in ((False, ["medium"]), (True, [])):
        loss = {"class_name": "BinaryCrossentropy", "config": {"from_logits": from_logits}}
        judged = found("MA308", head, scores, training={"loss": loss})
        assert [severity for severity, _ in judged] == severities
    # Pixels from a sigmoid, under a loss of distances.
    assert found("MA308", dense(5, "sigmoid"), scaled, training={"loss": "mse"}) == []


def test_a_single_value_of_unit_length():
    def scaled(units):
        return layer("UnitNormalization", axis=-1, shape=(None, units))

    assert names(found("MA322", dense(1, "linear"), scaled(1)), "Remove") == "high"
    assert found("MA322", dense(8, "linear"), scaled(8)) == []


def test_indices_that_are_scaled():
    rows = layer("Embedding", input_dim=60)
    less = layer("Rescaling", scale=1 / 60, offset=0.0)
    assert names(found("MA322", less, rows, HEAD), "Remove the layer `rescaling`") == "medium"
    assert found("MA322", layer("Rescaling", scale=1.0, offset=0.0), rows, HEAD) == []
    assert found("MA322", less, dense(), HEAD) == []


@pytest.mark.parametrize("whole", [True, False])
def test_penalty_on_results(whole):
    def penalized(factor):
        if whole:
            return [dense(), layer("ActivityRegularization", l1=factor, l2=0.0)]
        l1 = {"class_name": "L1", "config": {"l1": factor}}
        return [dense(activity_regularizer=l1)]

    assert names(found("MA322", *penalized(100.0), HEAD), "activity_regularizer") == "medium"
    assert found("MA322", *penalized(1e-5), HEAD) == []


def test_linear_layers_in_a_row():
    def severity(*layers):
        return [each for each, _ in found("MA309", *layers, HEAD)]

    def linear(units, number, given=None):
        return dense(units, "linear", name=f"linear_{number}", given=given)

    first = dense(64, name="first")
    assert severity(first, linear(32, 0), linear(24, 1)) == ["medium"]  # none limits the rank
    assert severity(first, linear(8, 0), linear(24, 1)) == ["low"]  # a bottleneck, and wide again
    assert severity(first, linear(32, 0), dense(24, name="second"), linear(24, 1)) == ["info"]
    assert severity(first, linear(32, 0, (None, 64))) == ["low"]  # more units than classes
    assert severity(first, linear(2, 0, (None, 64))) == ["info"]  # a bottleneck
    assert severity(first, dense(32, name="second")) == []


def test_dropout_inside_layers():
    def dropped(**config):
        return found("MA310", layer("LSTM", units=8, **config), HEAD)

    assert names(dropped(recurrent_dropout=0.95), "recurrent_dropout") == "medium"
    assert names(dropped(dropout=0.95), "dropout") == "medium"
    assert dropped(dropout=0.2, recurrent_dropout=0.2) == []
    around = {"class_name": "LSTM", "config": {"units": 8, "dropout": 0.95}}
    assert len(found("MA310", layer("Bidirectional", layer=around), HEAD)) == 1
    assert len(found("MA310", layer("MultiHeadAttention", dropout=0.95), HEAD)) == 1


def test_dropout_layers_in_a_row():
    def severity(*rates):
        drops = [layer("Dropout", rate=rate, name=f"drop_{n}") for n, rate in enumerate(rates)]
        return [each for each, _ in found("MA310", *drops, HEAD)]

    assert severity(0.8, 0.8, 0.8) == ["low"]
    assert severity(0.5, 0.5, 0.5) == []
    assert len(found("MA310", layer("AlphaDropout", rate=0.95), HEAD)) == 1


def test_dropout_beside_a_shortcut():
    drop = layer("Dropout", rate=0.69, name="drop")  # in a row, 0.29 % were left
    ways = [examples.layer("first")]
    for number in range(5):
        before = ways[-1].name
        ways.append(replace(drop, route=f"d{number}", name=f"d{number}", inbound=((before,),)))
        both = examples.layer(f"add{number}", "Add", {}, {}, inbound=((before, f"d{number}"),))
        ways.append(both)
    assert run_rule(rule("MA310"), Facts(examples.model(*ways))).findings == ()


@pytest.mark.parametrize("pooled", [True, False])
def test_a_single_channel(pooled):
    def through(filters):
        reduced = layer("Conv2D", filters=filters, shape=(None, 4, 4, filters), activation="relu")
        after = layer("GlobalAveragePooling2D") if pooled else layer("UpSampling2D")
        return found("MA312", dense(), reduced, after, layer("Conv2D", name="next"), HEAD)

    assert names(through(1)) == ("medium" if pooled else "low")
    assert names(through(2)) == ("low" if pooled else "info")
    assert through(3) == []


def test_a_recurrent_layer_of_one_unit():
    assert names(found("MA312", layer("GRU", units=1, shape=(None, 1)), HEAD), "units") == "low"
    assert found("MA312", layer("GRU", units=8, shape=(None, 8)), HEAD) == []
    assert found("MA312", dense(), layer("GRU", units=1, shape=(None, 1))) == []  # the output


def test_axes_in_another_order():
    def reshaped(given, shape):
        return found("MA311", layer("Reshape", given=(None, *given), shape=(None, *shape)), HEAD)

    assert names(reshaped((3, 32, 24), (32, 24, 3)), "Permute((2, 3, 1)") == "low"
    assert names(reshaped((12, 6), (6, 12)), "Permute((2, 1)") == "low"
    assert reshaped((1, 28, 28), (28, 28, 1)) == []  # the same values in the same order
    assert reshaped((6, 8), (12, 4)) == []
    assert names(reshaped((None, 4, 3), (None, 3, 4)), "Permute((1, 3, 2)") == "low"
    assert reshaped((None, 4, 3), (1, 3, 4)) == []  # the first size is not known
    assert reshaped((None, None, 4, 3), (None, None, 3, 4)) == []  # nor which is which


def test_hidden_exponential():
    assert names(found("MA315", dense(8, "exponential"), HEAD), "relu") == "low"
    assert found("MA315", dense(), dense(1, "exponential", name="head")) == []


def test_mask_lost_behind_a_recurrent_layer():
    words = layer("Embedding", input_dim=60, mask_zero=True)

    def read(behind, *, sequences):
        return found("MA324", words, layer("LSTM", return_sequences=sequences), behind, HEAD)

    assert names(read(layer("Flatten"), sequences=True), "GlobalAveragePooling1D") == "low"
    assert read(layer("Flatten"), sequences=False) == []
    assert read(layer("GlobalMaxPooling1D"), sequences=True) == []


def test_a_sequence_of_one_step():
    def recurrent(steps, **config):
        made = layer("LSTM", given=(None, steps, 12), units=8, **config)
        facts = examples.chain(made, HEAD)
        facts = replace(facts, measurements=Measurements(profile=ArchitectureProfile()))
        return [str(each.severity) for each in run_rule(rule("MA316"), facts).findings]

    assert recurrent(1) == ["low"]
    assert recurrent(12) == []
    assert recurrent(1, stateful=True) == []
    assert recurrent(1, return_state=True) == []


def grids(*given):
    """Severity and fix of MA316 for windows (size, window, dilation, padding)."""
    made = [
        WindowGrid(f"conv{n}", "Conv1D", (size,), (window,), (1,), (dilation,), padding, (True,))
        for n, (size, window, dilation, padding) in enumerate(given)
    ]
    facts = examples.measured(Measurements(profile=ArchitectureProfile(grids=tuple(made))))()
    return [(str(x.severity), x.fix or "") for x in run_rule(rule("MA316"), facts).findings]


def test_weights_that_only_see_padding():
    first = (24, 3, 1, "same")
    assert names(grids(first, (24, 3, 64, "causal")), "dilation_rate") == "low"
    assert grids(first, (24, 3, 8, "causal")) == []
    assert names(grids(first, (2, 5, 1, "same")), "window") == "low"
    assert names(grids(first, (2, 3, 1, "same"))) == "info"  # each weight sees one of the two
    assert names(grids((32, 41, 1, "same"))) == "low"  # of the input itself


def test_strides_of_single_positions():
    grid = WindowGrid("conv", "Conv2D", (32, 32), (1, 1), (3, 3), (1, 1), "valid", (True, True))
    profile = Measurements(profile=ArchitectureProfile(grids=(grid,)))
    given, conv = layer("InputLayer", name="x"), layer("Conv2D", name="conv")

    def severity(*layers):
        facts = replace(Facts(examples.model(*layers)), measurements=profile)
        return [str(each.severity) for each in run_rule(rule("MA304"), facts).findings]

    conv = replace(conv, inbound=(("x",),))
    assert severity(given, conv) == ["low"]
    beside = examples.layer("main", "Conv2D", inbound=(("x",),))
    added = examples.layer("add", "Add", {}, {}, inbound=(("conv", "main"),))
    assert severity(given, conv, beside, added) == []  # a shortcut


def optimizer(name, **config):
    return {"optimizer_config": {"class_name": name, "config": config}}


@pytest.mark.parametrize(
    ("bad", "good", "severity", "word"),
    [
        (
            optimizer("SGD", learning_rate=0.01, clipvalue=1e-12),
            optimizer("SGD", learning_rate=0.01, clipvalue=0.5),
            "medium",
            "clipvalue=1.0",
        ),
        (
            optimizer("Adam", learning_rate=0.001, epsilon=1e-3, clipnorm=1e-9),
            optimizer("Adam", learning_rate=0.001, epsilon=1e-7, clipnorm=1e-3),
            "medium",
            "clipnorm=1.0",
        ),
        (
            optimizer("SGD", learning_rate=0.1, weight_decay=10.0),
            optimizer("SGD", learning_rate=0.1, weight_decay=0.0005),
            "high",
            "weight_decay",
        ),
    ],
)
def test_optimizers_that_undo_their_steps(bad, good, severity, word):
    assert names(found("MA319", HEAD, training=bad), word) == severity
    assert found("MA319", HEAD, training=good) == []


@pytest.mark.parametrize(
    ("metric", "wrong", "right"),
    [
        ("AUC", {}, {"from_logits": True}),
        ("Precision", {"thresholds": None}, {"thresholds": 0.0}),
        ("Recall", {"thresholds": [0.5]}, {"thresholds": [0.0]}),
        ("Precision", {"thresholds": None, "top_k": None}, {"thresholds": None, "top_k": 1}),
    ],
)
def test_metrics_of_scores(metric, wrong, right):
    loss = {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}

    def judged(config, activation="linear"):
        metrics = [{"class_name": metric, "config": config}]
        head = dense(1, activation, name="head")
        return found("MA320", head, training={"loss": loss, "metrics": metrics})

    assert names(judged(wrong), f"keras.metrics.{metric}") == "low"
    assert judged(right) == []
    assert judged(wrong, "sigmoid") == []


def test_a_zero_head_with_a_trained_bias():
    def fix(bias):
        zero = replace(examples.ORDINARY, minimum=0.0, maximum=0.0, mean=0.0, std=0.0)
        tensors = (
            examples.tensor("head/kernel", stats=zero),
            examples.tensor("head/bias", (2,), bias),
        )
        facts = Facts(examples.model(examples.layer("head"), tensors=tensors))
        ((found_one),) = run_rule(rule("MA406"), facts).findings
        return found_one.fix or ""

    assert "learning rate" in fix(examples.ORDINARY)
    assert "learning rate" not in fix(
        replace(examples.ORDINARY, minimum=0.0, maximum=0.0, mean=0.0, std=0.0)
    )


def test_maxima_alone_between_hidden_layers():
    one, two, head = (examples.layer(n, config={"units": 8}) for n in ("one", "two", "head"))
    maxima = [examples.layer(f"max_{n}", "GlobalMaxPooling1D", {}) for n in range(2)]
    reshapes = [examples.layer(f"axes_{n}", "Reshape", {}) for n in range(2)]

    def titles(*layers):
        facts = examples.chain(*layers)
        artifact = replace(facts.artifact, training={"loss": "mse"})
        said = run_rule(rule("MA309"), replace(facts, artifact=artifact)).findings
        return [(each.severity.value, each.title) for each in said]

    low = [("low", "Only maxima over positions stand between the hidden layers")]
    assert titles(one, maxima[0], two, maxima[1], head) == low
    assert titles(reshapes[0], one, maxima[0], two, maxima[1], head) == low  # of the inputs
    relu = examples.layer("relu", config={"units": 8, "activation": "relu"})
    pair = [("medium", "Two layers with weights have no activation between them")]
    assert titles(relu, one, two, head) == pair  # another layer of the network has one
    # Maxima over groups of units are the activation of maxout (arXiv:1302.4389).
    assert titles(one, reshapes[0], maxima[0], two, reshapes[1], maxima[1], head) == []
    table = examples.layer("table", "Embedding", {})
    assert titles(table, one, maxima[0], two, maxima[1], head) == []


def test_every_linear_layer_of_a_stack_is_named():
    def layer(name, units, activation="linear"):
        config = {"units": units, "activation": activation}
        return examples.layer(name, config=config)

    def found(*stack):
        facts = examples.chain(layer("first", 16, "relu"), *stack, layer("head", 3))
        artifact = replace(facts.artifact, training={"loss": "mse"})
        (said,) = run_rule(rule("MA309"), replace(facts, artifact=artifact)).findings
        return said.severity.value, [x.name for x in stack if f"name='{x.name}'" in said.fix]

    one, two, three = layer("one", 32), layer("two", 8), layer("three", 8)
    assert found(one, two) == ("medium", ["one", "two"])
    assert found(one, two, three) == ("medium", ["one", "two", "three"])
    assert found(two, one) == ("low", ["one"])  # the first may be a bottleneck on purpose

    maps = [examples.layer(f"map_{n}", "Conv2D", config={"activation": "linear"}) for n in "abc"]
    curved = examples.layer("curved", "Conv2D", config={"activation": "relu"})
    flat = examples.layer("flat", "Flatten", {})
    facts = examples.chain(curved, *maps, flat, layer("head", 3))
    (said,) = run_rule(rule("MA309"), facts).findings
    assert "`map_a` has no activation before `map_b`" in said.detail
    assert "Nor has `map_b`, `map_c` before" in said.detail
    assert said.fix.startswith("Give each of them")


def test_linear_layers_in_a_ring():
    """Calls of a shared layer are joined: b(a), c(b) and b again, of which no output takes any."""
    given = layer("InputLayer", name="given", given=(None, 8), shape=(None, 8))
    calls = {"a": (("given",),), "b": (("a",), ("c",)), "c": (("b",),)}
    ring = [replace(dense(8, "linear", name=name), inbound=calls[name]) for name in calls]
    body = replace(dense(8, "relu", name="body"), inbound=(("given",),))
    head = replace(HEAD, inbound=(("body",),))
    facts = examples.chain(given, HEAD)
    architecture = facts.artifact.architecture
    assert architecture is not None
    layers = replace(architecture, layers=(given, *ring, body, head))
    artifact = replace(facts.artifact, architecture=layers)
    (finding,) = run_rule(rule("MA309"), replace(facts, artifact=artifact)).findings
    assert str(finding.severity) == "medium"  # three in a row, each counted once
    assert finding.evidence["n"] == 3
