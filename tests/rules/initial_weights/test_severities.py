"""What is certain to be a mistake is medium or higher; what sound models do as well stays lower."""

from __future__ import annotations

import math

import pytest

from modelaudit.audit_types.architecture import ArchitectureProfile, LayerField, WindowGrid
from modelaudit.facts import TensorStats
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.sized_kernels import example_kernel
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.rules.test_made_designs import HEAD, dense, found, layer, names

LSTM = {"class_name": "LSTM", "config": {"units": 8, "activation": "tanh"}}
STEP = {"class_name": "Dense", "config": {"units": 8, "activation": "tanh"}}
ONE = dense(1, "softmax", name="score")


@pytest.mark.parametrize("last, loss", [("softmax", "Sparse"), ("sigmoid", "Binary")])
def test_probabilities_where_the_loss_expects_scores(last, loss):
    name = "SparseCategoricalCrossentropy" if loss == "Sparse" else "BinaryCrossentropy"
    head = dense(5 if loss == "Sparse" else 1, last, name="head")

    def said(logits):
        settings = {"class_name": name, "config": {"from_logits": logits}}
        return found("MA306", head, training={"loss": settings})

    assert names(said(True), "from_logits=False") == "medium"
    assert said(False) == []


def test_one_unit_for_a_number_and_for_two_classes():
    assert names(found("MA305", ONE, training={"loss": "mse"}), 'activation="linear"') == "high"
    classes = found("MA305", ONE, training={"loss": "binary_crossentropy"})
    assert names(classes, 'activation="sigmoid"') == "high"


@pytest.mark.parametrize(
    "metric, right",
    [
        ({"class_name": "BinaryIoU", "config": {"threshold": 0.5}}, {"threshold": 0.0}),
        ({"class_name": "Recall", "config": {"thresholds": 0.5}}, {"thresholds": 0.0}),
    ],
)
def test_thresholds_of_scores(metric, right):
    head = dense(1, "linear", name="score")

    def said(config):
        loss = {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}
        made = {**metric, "config": config}
        return found("MA320", head, training={"loss": loss, "metrics": [made]})

    ((key, _),) = right.items()
    assert names(said(metric["config"]), f"{metric['class_name']}({key}=0.0)") == "low"
    assert said(right) == []


@pytest.mark.parametrize("kind", ["F1Score", "FBetaScore"])
def test_an_f_score_takes_no_threshold_of_0(kind):
    """Keras demands one above 0; without one, it takes the class with the largest score."""
    loss = {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}

    def said(threshold, activation="linear"):
        metric = {"class_name": kind, "config": {"threshold": threshold}}
        head = dense(3, activation, name="score")
        return found("MA320", head, training={"loss": loss, "metrics": [metric]})

    assert names(said(0.5), "Precision(thresholds=0.0)", "Recall(thresholds=0.0)") == "low"
    assert said(None) == said(0.5, "sigmoid") == []


def test_one_channel_is_in_the_singular():
    given = replace(layer("InputLayer", name="x"), output_shape=(None, 1, 128))
    facts = examples.chain(given, layer("Conv1D", filters=8, kernel_size=[1]), HEAD)
    (seen,) = run_rule(rule("MA311"), facts).findings
    assert "1 position of 128 channels" in seen.detail and "are 1 channel of" in seen.detail


def test_series_whose_channels_come_first():
    def said(*shape):
        given = replace(layer("InputLayer", name="x"), output_shape=(None, *shape))
        return found("MA311", given, layer("Conv1D", filters=8, kernel_size=[2]), HEAD)

    assert names(said(2, 128), "(128, 2)") == "low"
    assert said(128, 2) == said(24, 300) == []


@pytest.mark.parametrize(
    ("before", "limited"),
    [
        (layer("LSTM", units=8, activation="tanh"), True),
        (dense(8, "tanh"), True),
        (dense(8, "linear"), False),
    ],
)
def test_a_sigmoid_of_values_that_are_limited_already(before, limited):
    squash = layer("Activation", activation="sigmoid", name="squash")
    seen = found("MA315", before, layer("Dropout", rate=0.2), squash, HEAD)
    assert seen == ([("low", "Remove the layer `squash` and train again.")] if limited else [])
    assert found("MA315", before, squash) == []  # of an output, MA307 tells


def test_answers_for_positions_that_windows_chose():
    def said(*hidden, answers=(4, 4), given=(16, 16), classes=5, channels=(3,)):
        x = replace(layer("InputLayer", name="x"), output_shape=(None, *given, *channels))
        head = dense(classes, "softmax", name="head")
        return found("MA327", x, *hidden, replace(head, output_shape=(None, *answers, classes)))

    pooled = (layer("Conv2D", filters=8), layer("MaxPooling2D"))
    assert names(said(*pooled), "GlobalAveragePooling2D") == "low"
    assert said(*pooled, layer("UpSampling2D"), answers=(16, 16)) == []
    assert said(layer("Conv2D", filters=8), answers=(16, 16)) == []  # a class for each pixel
    # Tokens have no axis for channels: an answer for each is one for each position of the input.
    text = (layer("Embedding", input_dim=30, output_dim=8), layer("Conv1D", filters=8))
    # A tagger does that; so does a network for one label that has no pooling.
    tagger = said(*text, answers=(16,), given=(16,), channels=())
    assert names(tagger, "GlobalAveragePooling1D") == "info"
    assert said(*text, answers=(16,), given=(16,), channels=(), classes=30) == []  # words
    assert names(said(*text, answers=(8,), given=(16,), channels=()), "GlobalAverage") == "low"
    # A decoder gives as many answers as it was made for.
    assert said(layer("Conv1D", filters=8), layer("LSTM"), answers=(4,), given=(16,)) == []


@pytest.mark.parametrize(("second", "weights"), [(0.0, [1, 0]), (0.1, [1, 0]), (0.0, [1, 1])])
def test_a_loss_weight_of_0_is_graver_where_no_gradient_ever_came(second, weights):
    facts = adam(("body", 0.1, 0.1), ("cls", 0.1, 0.1), ("amount", second, second))
    made = [
        replace(each, inbound=(("body",),) if each.route != "body" else ())
        for each in facts.artifact.architecture.layers
    ]
    outputs = ("cls", "amount")
    architecture = replace(facts.artifact.architecture, layers=tuple(made), outputs=outputs)
    training = {**facts.artifact.training, "loss": ["mse", "mse"], "loss_weights": weights}
    artifact = replace(facts.artifact, architecture=architecture, training=training)
    seen = run_rule(rule("MA319"), Facts(artifact)).findings
    expected = [] if all(weights) else ["low" if second else "medium"]
    assert [str(each.severity) for each in seen] == expected


@pytest.mark.parametrize(
    ("window", "strides", "severity"),
    [((1, 2), (2, 2), "low"), ((1, 3, 3), (2, 2, 2), "low"), ((2, 2), (2, 4), "medium")],
)
def test_an_axis_that_a_window_does_not_span_may_be_subsampled(window, strides, severity):
    ones, size = (1,) * len(window), (64,) * len(window)
    grid = WindowGrid("pool", "MaxPooling", size, window, strides, ones, "valid", (True,))
    profile = Measurements(profile=ArchitectureProfile(grids=(grid,)))
    facts = replace(Facts(examples.model(layer("MaxPooling2D", name="pool"))), measurements=profile)
    (seen,) = run_rule(rule("MA304"), facts).findings
    assert str(seen.severity) == severity


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([dense(activation="tanh", name="first")], "medium"),
        ([layer("LSTM", units=8, activation="tanh")], "medium"),
        ([dense(activation="tanh", name="first"), layer("Dropout", rate=0.2)], "medium"),
        ([dense(activation="relu", name="first")], "low"),  # can be large
        ([layer("LSTM", units=8, activation="relu")], "low"),
        ([layer("Bidirectional", layer=LSTM, merge_mode="concat")], "medium"),
        ([layer("Bidirectional", layer=LSTM, merge_mode="sum")], "low"),  # up to 2
        ([layer("InputLayer")], "low"),
        ([layer("GRU", activation="tanh", recurrent_activation="hard_sigmoid")], "medium"),
        ([layer("GRU", activation="tanh", recurrent_activation="relu")], "low"),
        ([layer("LSTM", activation="tanh", recurrent_activation="linear")], "low"),
        ([layer("ConvLSTM2D", activation="tanh", recurrent_activation="relu")], "low"),
        ([layer("TimeDistributed", layer=STEP)], "medium"),
        (
            [replace(dense(activation="tanh", name="first"), custom=True)],
            "low",
        ),  # its code tells, not its config
        ([layer("Scaled", activation="tanh")], "low"),
        ([layer("Highway", activation="tanh")], "low"),  # gives what it takes, too
        (
            [dense(activation="tanh", name="first"), layer("Resizing", interpolation="bilinear")],
            "medium",
        ),
        (
            [dense(activation="tanh", name="first"), layer("Resizing", interpolation="bicubic")],
            "low",
        ),  # overshoots
    ],
)
def test_a_class_prior_is_graver_where_no_input_can_make_up_for_it(before, expected):
    names = {"kernel": "dense/kernel", "bias": "dense/bias"}
    kept = example_kernel(1.0).artifact
    head = examples.layer("dense", "Dense", names, {"units": 64, "activation": "softmax"})
    size = 0.05 * math.sqrt(2 / 128)
    spreads = [TensorStats(-2 * s, 2 * s, 0.0, s, 0, 0) for s in (size, 1.0)]
    tensors = [replace(t, stats=s) for t, s in zip(kept.tensors, spreads, strict=True)]
    chained = examples.chain(*before, head).artifact
    artifact = replace(kept, architecture=chained.architecture, tensors=tuple(tensors))
    (seen,) = run_rule(rule("MA436"), Facts(artifact)).findings
    assert str(seen.severity) == expected
    assert ("unless inputs are large" in seen.detail) == (expected == "low")


@pytest.mark.parametrize(
    ("constraint", "limits"),
    [
        ({"class_name": "MaxNorm", "config": {"max_value": 1e-4, "axis": 0}}, True),
        ({"class_name": "MinMaxNorm", "config": {"max_value": 1e-4, "axis": 0}}, True),
        ({"class_name": "MaxNorm", "config": {"max_value": 2.0, "axis": 0}}, False),
        ({"class_name": "NonNeg", "config": {}}, False),
        ({"class_name": "UnitNorm", "config": {"axis": 0}}, False),
    ],
)
def test_only_a_limit_that_holds_a_kernel_so_small_is_blamed(constraint, limits):
    kept = example_kernel(1e-6).artifact
    (first,) = kept.architecture.layers
    held = replace(first, config={**first.config, "kernel_constraint": constraint})
    artifact = replace(kept, architecture=examples.chain(held).artifact.architecture)
    (seen,) = run_rule(rule("MA436"), Facts(artifact)).findings
    assert ("kernel_constraint" in seen.fix) == limits


def _grids(*sizes, kind="Conv2D", image=28):
    """Windows of 3 on maps of these sizes; the first ones are poolings if there are several."""
    made = [
        WindowGrid(
            f"layer_{place}",
            kind if size == sizes[-1] else "MaxPooling2D",
            *((size, size), (3, 3) if size == sizes[-1] else (size, size), (1, 1), (1, 1)),
            "same",
            (True, True),
        )
        for place, size in enumerate(sizes)
    ]
    profile = ArchitectureProfile(grids=tuple(made), input_size=(image, image))
    facts = replace(examples.healthy(), measurements=Measurements(profile=profile))
    return [str(x.severity) for x in run_rule(rule("MA316"), facts).findings]


def test_an_image_that_is_lost_before_the_first_convolution():
    assert _grids(28, 1) == ["medium"]  # pooled as a whole
    assert _grids(2) == ["medium"]  # resized
    assert _grids(2, image=6) == ["low"]
    assert _grids(1, image=1) == ["low"]
    assert _grids(28) == []
    assert _grids(1, kind="AveragePooling2D") == ["low"]


@pytest.mark.parametrize(
    ("window", "expected"), [([1, 1], ["low"]), ([3, 3], ["info"]), ([1], ["info"])]
)
def test_a_network_that_sees_single_pixels(window, expected):
    field = LayerField("conv", (1, 1), (5, 5), (1, 1), (28, 28), border=False)
    profile = ArchitectureProfile(fields=(field,), input_size=(28, 28), head="gap")
    conv = layer("Conv2D", name="conv", kernel_size=window)
    image = layer("InputLayer", shape=(None, 28, 28, 3))
    pooled = layer("GlobalAveragePooling2D", name="pooled")
    made = examples.chain(image, conv, pooled, HEAD)
    facts = replace(made, measurements=Measurements(profile=profile))
    assert [str(x.severity) for x in run_rule(rule("MA302"), facts).findings] == expected
    flat = examples.chain(image, conv, layer("MaxPooling2D"), layer("Flatten"), HEAD)
    facts = replace(flat, measurements=Measurements(profile=profile))
    assert not run_rule(rule("MA302"), facts).findings
    # Attention over all patches sees more than any window.
    architecture = made.artifact.architecture
    attends = layer("MultiHeadAttention", name="attends")
    architecture = replace(architecture, layers=(*architecture.layers, attends))
    facts = replace(facts, artifact=replace(made.artifact, architecture=architecture))
    assert not run_rule(rule("MA302"), facts).findings


def test_noise_and_translations_beyond_the_values():
    noise = found("MA322", layer("GaussianNoise", name="noise", stddev=50.0), HEAD)
    assert names(noise, "stddev=0.1") == "low"
    assert found("MA322", layer("GaussianNoise", name="noise", stddev=0.5), HEAD) == []
    moved = {"height_factor": 1.0, "width_factor": 0.1}
    assert names(found("MA322", layer("RandomTranslation", **moved), HEAD), "0.1") == "low"
    moved["height_factor"] = 0.3
    assert found("MA322", layer("RandomTranslation", **moved), HEAD) == []
