"""Heads and losses of models that Keras saved: faults on several bodies, and sound ones."""

from __future__ import annotations

import importlib
import zlib
from pathlib import Path

import numpy as np
import pytest

from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules.engine import run_rules
from modelaudit.rules.heads import behind_heads, last_layers
from modelaudit.settings import Settings
from tests.made.training import train

RULES = (*last_layers.RULES, *behind_heads.RULES)
pytestmark = pytest.mark.slow
BODIES = ("dense", "convolution", "pooled", "recurrent", "attention", "nested")
FORMATS = ("keras", "h5")


def format_of(kind, head):
    """The format in which a head is saved on this body; each head is on one body in each."""
    number = zlib.crc32(head.encode()) + BODIES.index(kind)  # so that heads may come and go
    return {0: "keras", 3: "h5"}.get(number % len(BODIES))


def head_name(layers, loss):
    shown = [
        (type(each).__name__, getattr(getattr(each, "activation", None), "__name__", ""))
        for each in layers
    ]
    return f"{shown} {loss if isinstance(loss, str) else type(loss).__name__}"


def body(layers, kind):
    """Input and features of a small network."""
    given = layers.Input((12, 8) if kind in {"recurrent", "attention"} else (12, 12, 3))
    if kind == "dense":
        return given, layers.Dense(16, activation="relu")(layers.Flatten()(given))
    if kind == "recurrent":
        return given, layers.Bidirectional(layers.LSTM(8))(given)
    if kind == "attention":
        attended = layers.MultiHeadAttention(2, 4)(given, given)
        return given, layers.GlobalAveragePooling1D()(layers.Add()([given, attended]))
    features = layers.Conv2D(8, 3, activation="relu")(given)
    if kind == "convolution":
        return given, layers.Flatten()(features)
    return given, layers.GlobalAveragePooling2D()(features)


def built(keras, kind, head):
    """A network of a body and a head, which is a function from features to outputs."""
    given, features = body(keras.layers, kind)
    if kind != "nested":
        return keras.Model(given, head(features))
    inner = keras.Model(given, features, name="base")
    outer = keras.layers.Input(given.shape[1:])
    return keras.Model(outer, head(inner(outer)))


def chain(*layers):
    def head(features):
        for layer in layers:
            features = layer(features)
        return features

    return head


def faults(keras):
    """Name -> code, severity, head and loss."""
    dense, losses, layers = keras.layers.Dense, keras.losses, keras.layers
    return {
        "one softmax": ("MA305", "high", [dense(1, "softmax")], "binary_crossentropy"),
        "one softmax layer": ("MA305", "high", [dense(1), layers.Softmax()], "mse"),
        "one normalised": ("MA305", "high", [dense(1), layers.LayerNormalization()], "mse"),
        "one class": ("MA306", "high", [dense(1, "sigmoid")], "categorical_crossentropy"),
        "relu": ("MA306", "medium", [dense(1, "relu")], "binary_crossentropy"),
        "linear": ("MA306", "high", [dense(3)], "sparse_categorical_crossentropy"),
        "linear, of one label each": (
            "MA306",
            "high",
            [dense(3, "relu")],
            losses.CategoricalCrossentropy(),
        ),
        "linear, of two classes": ("MA306", "medium", [dense(2)], "categorical_crossentropy"),
        "linear, of shares": ("MA306", "medium", [dense(3)], losses.KLDivergence()),
        "linear one": ("MA306", "medium", [dense(1)], losses.BinaryCrossentropy()),
        "tanh": ("MA306", "medium", [dense(1, "tanh")], "bce"),
        "logits": (
            *("MA306", "medium", [dense(3, "softmax")]),
            losses.SparseCategoricalCrossentropy(from_logits=True),
        ),
        "batch": ("MA305", "high", [dense(3), layers.Softmax(axis=0)], None),
        "recurrent": (
            *("MA306", "medium", [layers.Reshape((1, -1)), layers.LSTM(1)]),
            "binary_crossentropy",
        ),
        "groups": ("MA305", "high", [dense(4), layers.GroupNormalization(-1)], "mse"),
        "never negative": (
            *("MA306", "high", [dense(1, "relu")], losses.BinaryCrossentropy(from_logits=True)),
        ),
        "limited scores": (
            *("MA306", "medium", [dense(3, "tanh")]),
            losses.SparseCategoricalCrossentropy(from_logits=True),
        ),
        "unbounded": ("MA306", "medium", [dense(1, "softplus")], "binary_crossentropy"),
        "unbounded classes": (
            *("MA306", "medium", [dense(3, "softplus")]),
            "sparse_categorical_crossentropy",
        ),
        "negative rates": ("MA306", "medium", [dense(1)], "poisson"),
        "limited rates": ("MA306", "low", [dense(1, "sigmoid")], "poisson"),
        "never below half": (
            *("MA306", "high", [dense(1, "softplus")]),
            losses.BinaryCrossentropy(from_logits=True),
        ),
        "one side of a hinge": ("MA306", "medium", [dense(1, "softplus")], "hinge"),
        "one direction": ("MA306", "high", [dense(1)], "cosine_similarity"),
        "half a hinge": ("MA306", "medium", [dense(1, "relu")], "hinge"),
        "rectified": (
            *("MA307", "high", [dense(1, "relu"), layers.Activation("sigmoid")]),
            "binary_crossentropy",
        ),
        "rectified classes": (
            *("MA307", "medium", [dense(3), layers.ReLU(), layers.Softmax()]),
            "categorical_crossentropy",
        ),
        "pooled, as in SqueezeNet": (
            *("MA307", "low"),
            [
                layers.Reshape((1, -1)),
                dense(3, "relu"),
                layers.GlobalAveragePooling1D(),
                layers.Softmax(),
            ],
            "categorical_crossentropy",
        ),
        "limited": (
            *("MA307", "medium", [dense(3, "tanh"), layers.Dropout(0.1), layers.Softmax()]),
            "categorical_crossentropy",
        ),
        "noisy": (
            *("MA308", "medium", [dense(3, "softmax"), layers.GaussianNoise(0.5)]),
            "categorical_crossentropy",
        ),
        "never negative anyway": (
            *("MA308", "info", [dense(3, "softmax"), layers.ReLU()]),
            "categorical_crossentropy",
        ),
        "cut off": (
            *("MA307", "medium", [dense(1, "sigmoid"), layers.ReLU(max_value=0.5)]),
            "binary_crossentropy",
        ),
        "two normalized classes": (
            *("MA308", "medium", [dense(2, "softmax"), layers.BatchNormalization()]),
            "categorical_crossentropy",
        ),
        "growing mask": ("MA306", "medium", [dense(1, "relu")], losses.Dice()),
        "open mask": ("MA306", "medium", [dense(3)], losses.Tversky()),
        "bounded": ("MA306", "low", [dense(1, "sigmoid")], "mae"),
        "bounded twice": ("MA306", "low", [dense(1, "tanh")], "mse"),
        "bounded state": (
            *("MA306", "low", [layers.Reshape((-1, 1)), layers.LSTM(1)]),
            "mse",
        ),
        "one that dies": ("MA306", "low", [dense(1), layers.ReLU()], "mse"),
        "some that die": ("MA306", "low", [dense(4, "relu")], losses.Huber()),
        "maps that may die": (
            *("MA306", "low"),
            [layers.Reshape((-1, 1, 1)), layers.Conv2D(2, 1, activation="relu")],
            "mse",
        ),
        "distances": ("MA306", "low", [dense(3, "softmax")], "mse"),
        "reshaped": ("MA306", "medium", [dense(6, "relu"), layers.Reshape((6,))], "bce"),
        "twice": ("MA307", "medium", [dense(3, "softmax"), layers.Softmax()], None),
        "squashed": (
            *("MA307", "medium"),
            [dense(3, "softmax"), layers.Activation("sigmoid")],
            "binary_crossentropy",
        ),
        "normalised": (
            *("MA308", "high", [dense(3, "softmax"), layers.BatchNormalization()]),
            "categorical_crossentropy",
        ),
        "dropped": (
            *("MA308", "low", [dense(3, "softmax"), layers.Dropout(0.5)]),
            None,
        ),
        "dropped scores": (
            *("MA308", "medium", [dense(3), layers.Dropout(0.5), layers.Softmax()]),
            "categorical_crossentropy",
        ),
        "dropped scores without a loss": (
            *("MA308", "low", [dense(1), layers.Dropout(0.2), layers.Activation("sigmoid")]),
            None,
        ),
    }


def sound(keras):
    """Heads and losses of Keras' documentation."""
    dense, losses, layers = keras.layers.Dense, keras.losses, keras.layers
    return [
        ([dense(1, "sigmoid")], "binary_crossentropy"),
        ([dense(1)], losses.BinaryCrossentropy(from_logits=True)),
        ([dense(3, "softmax")], "sparse_categorical_crossentropy"),
        ([dense(3, "softplus")], "categorical_crossentropy"),  # divides by their sum
        ([dense(3, "softmax")], losses.CategoricalCrossentropy(label_smoothing=0.1)),
        ([dense(3)], losses.SparseCategoricalCrossentropy(from_logits=True)),
        ([layers.Dropout(0.5), dense(3), layers.Activation("softmax")], "kl_divergence"),
        ([dense(3), layers.BatchNormalization(), layers.Softmax()], "categorical_crossentropy"),
        ([dense(5, "sigmoid")], losses.BinaryFocalCrossentropy()),
        ([dense(2, "softmax")], "binary_crossentropy"),
        ([dense(1)], "mse"),
        ([dense(2, "tanh")], "mae"),
        ([layers.Reshape((-1, 1)), layers.LSTM(1, return_sequences=True)], "mae"),
        ([layers.Reshape((-1, 1)), layers.LSTM(2)], "mae"),
        ([dense(1, "softplus")], losses.Huber()),
        ([dense(1, "sigmoid")], "dice"),
        ([dense(3, "softmax")], losses.Tversky()),
        ([dense(8, "sigmoid")], "mse"),
        ([dense(1, "exponential")], "poisson"),
        ([dense(1, "softplus")], losses.Poisson()),
        ([dense(3, "leaky_relu"), layers.Softmax()], "categorical_crossentropy"),
        ([dense(3, "tanh"), layers.BatchNormalization(), layers.Softmax()], None),
        ([dense(1), layers.Reshape((1, 1)), layers.Flatten()], "mse"),
        ([layers.Reshape((1, -1)), layers.LSTM(4)], "mse"),
        ([dense(1, "relu"), dense(1, "sigmoid")], "binary_crossentropy"),
        ([dense(1, "tanh")], "hinge"),
        ([dense(4)], losses.CosineSimilarity()),
        ([dense(4, "softplus")], "msle"),
        ([dense(8, "relu"), layers.LayerNormalization()], "mse"),
        ([dense(3)], None),
        ([dense(1, "sigmoid")], lambda y, p: p),
    ]


def found(model, folder: Path, suffix: str, *, trained: bool = True):
    path = folder / f"model.{suffix}"
    if trained and getattr(model, "optimizer", None) is not None:
        model.optimizer.iterations.assign(500)
    model.save(path)
    results = run_rules(RULES, static_facts(path, Settings()))
    return [finding for result in results for finding in result.findings]


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.filterwarnings("ignore")
def test_faults_are_found_on_one_body_in_each_format(keras, kind, tmp_path):
    wrong, tried = {}, 0
    for name, (code, severity, layers, loss) in faults(keras).items():
        if (suffix := format_of(kind, name)) is None:
            continue
        model, tried = built(keras, kind, chain(*layers)), tried + 1
        model.compile("adam", loss)
        seen = [(each.code, each.severity.value) for each in found(model, tmp_path, suffix)]
        if (code, severity) not in seen or any(other != code for other, _ in seen):
            wrong[name, suffix] = seen
    assert not wrong
    assert tried > 0


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.filterwarnings("ignore")
def test_sound_heads_are_not_reported(keras, kind, tmp_path):
    wrong = {}
    for layers, loss in sound(keras):
        name = head_name(layers, loss)
        if (suffix := format_of(kind, name)) is None:
            continue
        model = built(keras, kind, chain(*layers))
        model.compile("adam", loss)
        if seen := found(model, tmp_path, suffix):
            wrong[name, suffix] = [(each.code, each.detail) for each in seen]
    assert not wrong


@pytest.mark.filterwarnings("ignore")
def test_a_softmax_over_another_axis_than_the_loss(keras, tmp_path):
    layers = keras.layers
    given = layers.Input((12, 8))
    for axis, expected in ((1, [("MA306", "medium")]), (-1, []), (2, []), (0, [("MA305", "high")])):
        model = keras.Model(given, layers.Softmax(axis=axis)(layers.Dense(3)(given)))
        model.compile("adam", "categorical_crossentropy")
        for suffix in FORMATS:
            seen = [(each.code, each.severity.value) for each in found(model, tmp_path, suffix)]
            assert seen[: len(expected)] == expected
            assert bool(seen) is bool(expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", FORMATS)
def test_the_loss_of_a_part_that_was_never_trained_by_itself_is_no_fault(keras, tmp_path, suffix):
    """As of an encoder that is compiled, but trained only inside an autoencoder."""
    model = built(keras, "pooled", chain(keras.layers.Dense(3)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy())
    (part,) = found(model, tmp_path, suffix, trained=False)
    assert (part.code, part.severity) == ("MA306", Severity.LOW)
    assert "may never have been used" in part.detail
    x, y = np.ones((4, 12, 12, 3), "float32"), np.zeros(4)
    train(model, x, y, steps=1, batch=4)
    (whole,) = found(model, tmp_path, suffix, trained=False)
    assert (whole.code, whole.severity) == ("MA306", Severity.HIGH)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("units", [1, 3])
def test_code_for_rates_keeps_the_loss_of_counts(keras, tmp_path, units):
    model = built(keras, "pooled", chain(keras.layers.Dense(units, "softmax", name="rate")))
    model.compile("adam", "poisson")
    (only,) = [each for each in found(model, tmp_path, "keras") if each.code == "MA306"]
    *_, of_counts, layer, compiled, of_numbers, plain, distance = only.fix.splitlines()
    assert (of_counts, of_numbers) == ("# of counts", "# of other numbers")
    assert eval(layer, {"keras": keras}).activation is keras.activations.exponential
    assert compiled == 'model.compile(loss="poisson")'
    assert eval(plain, {"keras": keras}).activation is keras.activations.linear
    assert distance == 'model.compile(loss="mean_squared_error")'


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("code", "activation", "loss", "last"),
    [
        (
            "MA306",
            "sigmoid",
            "categorical_crossentropy",
            [(1, "sigmoid", "binary"), (5, "softmax", "")],
        ),
        (
            "MA305",
            "softmax",
            "mean_squared_error",
            [(1, "linear", "mean"), (1, "sigmoid", "binary")],
        ),
    ],
)
def test_code_of_one_unit_for_each_kind_of_targets(keras, tmp_path, code, activation, loss, last):
    """The file does not tell how many classes there are, or whether the targets are numbers."""
    model = built(keras, "pooled", chain(keras.layers.Dense(1, activation, name="said")))
    model.compile("adam", loss)
    only, *_ = [each for each in found(model, tmp_path, "keras") if each.code == code]
    lines = [x for x in only.fix.splitlines() if x.startswith(("keras.", "model.compile"))]
    for (units, name, start), made, compiled in zip(last, lines[::2], lines[1::2], strict=True):
        layer = eval(made, {"keras": keras, "K": 5})
        assert (layer.units, layer.activation.__name__) == (units, name)
        model = built(keras, "pooled", chain(layer))
        model.compile("adam", compiled.split('"')[1])
        assert compiled.split('"')[1].startswith(start or "sparse")
        y = np.array([[0], [units - 1]])
        assert np.isfinite(model.evaluate(np.ones((2, 12, 12, 3), "float32"), y, verbose=0))


@pytest.mark.filterwarnings("ignore")
def test_the_fix_names_this_models_layer(keras, tmp_path):
    head = keras.layers.Dense(1, "relu", name="grade")
    model = built(keras, "pooled", chain(head))
    model.compile("adam", "binary_crossentropy")
    (only,) = found(model, tmp_path, "keras")
    assert 'keras.layers.Dense(1, activation="sigmoid", name="grade")' in only.fix
    layer = eval(only.fix.splitlines()[-2], {"keras": keras})
    assert (layer.units, layer.name) == (1, "grade")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("layers_of", "codes"),
    [
        (lambda k: [k.layers.Dense(1, "softmax")], ["MA305"]),
        (lambda k: [k.layers.Dense(3, "softmax"), k.layers.Softmax()], ["MA307"]),
        (lambda k: [k.layers.Dense(1, "relu"), k.layers.Activation("sigmoid")], ["MA307"]),
        (lambda k: [k.layers.Dense(3, "softmax"), k.layers.BatchNormalization()], ["MA308"]),
        (lambda k: [k.layers.Dense(3), k.layers.BatchNormalization(), k.layers.Softmax()], []),
        (lambda k: [k.layers.Dense(3, "softmax")], []),
        (lambda k: [k.layers.Dense(1, "sigmoid")], []),
        (lambda k: [k.layers.Dense(3, "relu"), k.layers.Dense(3, "softmax")], []),
    ],
)
def test_heads_of_plain_graphs(keras, tmp_path, layers_of, codes):
    """The same model exported without its config, and frozen."""
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    model = built(keras, "pooled", chain(*layers_of(keras)))
    model.export(str(tmp_path / "exported"), verbose=False)
    concrete = tf.function(model).get_concrete_function(tf.TensorSpec((None, 12, 12, 3)))
    frozen = convert_to_constants.convert_variables_to_constants_v2(concrete).graph.as_graph_def()
    (tmp_path / "frozen.pb").write_bytes(frozen.SerializeToString())
    for name in ("exported", "frozen.pb"):
        facts = static_facts(tmp_path / name, Settings())
        assert facts.artifact.architecture is None
        results = run_rules(RULES, facts)
        assert [each.code for result in results for each in result.findings] == codes


@pytest.mark.filterwarnings("ignore")
def test_each_output_has_its_own_loss(keras, tmp_path):
    given, features = body(keras.layers, "pooled")
    heads = {name: keras.layers.Dense(1, name=name)(features) for name in ("size", "kind")}
    model = keras.Model(given, list(heads.values()))
    for loss in (["mse", "binary_crossentropy"], {"kind": "binary_crossentropy", "size": "mse"}):
        model.compile("adam", loss)
        for suffix in FORMATS:
            (only,) = found(model, tmp_path, suffix)
            assert (only.code, only.location.route) == ("MA306", "kind")


def test_a_constant_output_is_constant(keras, tmp_path):
    model = built(keras, "pooled", chain(keras.layers.Dense(1, "softmax")))
    (only,) = found(model, tmp_path, "keras")
    assert only.severity is Severity.HIGH
    answers = np.asarray(model(np.random.default_rng(0).normal(size=(9, 12, 12, 3))))
    assert answers == pytest.approx(np.ones((9, 1)), abs=1e-6)  # rounded on some processors


@pytest.mark.parametrize(("loss", "trained"), [("binary_crossentropy", True), ("mse", False)])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.filterwarnings("ignore")
def test_the_weights_before_a_softmax_over_one_unit_are_trained_by_one_loss(library, loss, trained):
    """And predict once the softmax is a sigmoid, as the advice says."""
    k = importlib.import_module(library)
    k.utils.set_random_seed(3)
    x = np.random.default_rng(0).normal(size=(256, 6)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 0).astype("float32")
    model = k.Sequential([k.layers.Dense(1, "softmax", input_shape=(6,))])
    model.compile(k.optimizers.SGD(0.5), loss)  # Adam would enlarge the rounding of the softmax
    before = model.get_weights()
    train(model, x, y[:, None], epochs=20)
    moved = [np.abs(a - b).max() for a, b in zip(before, model.get_weights(), strict=True)]
    assert max(moved) > 0.1 if trained else max(moved) < 1e-5
    assert np.asarray(model(x)) == pytest.approx(np.ones((256, 1)), abs=1e-6)
    if trained:
        model.layers[-1].activation = k.activations.sigmoid
        assert np.mean((np.asarray(model(x))[:, 0] > 0.5) == y) > 0.9
