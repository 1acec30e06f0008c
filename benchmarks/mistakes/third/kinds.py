"""The mistakes of the third set of `table.py`.

Their author had not read the rules: which fix is right was decided kind by kind, and the codes of
the rules that may name a kind were added from the titles of the rules afterwards.
"""

from dataclasses import replace

from benchmarks.mistakes.third.bodies import ALL
from benchmarks.mistakes.third.build import Third, counted, dense, known, loss, nothing, optimizer
from benchmarks.mistakes.third.kinds_codes import CODES
from benchmarks.mistakes.third.layers import LAYERS
from benchmarks.mistakes.third.weights import WEIGHTS

BCE, CCE = "binary_crossentropy", "categorical_crossentropy"
SCCE = "sparse_categorical_crossentropy"


def _two_heads(losses):
    def make(keras):
        kl = keras.layers
        given = keras.Input((11,))
        x = kl.Dense(16, activation="relu")(given)
        outputs = [kl.Dense(5, activation="softmax", name="kind")(x), kl.Dense(1, name="age")(x)]
        return keras.Model(given, outputs)

    return {"whole": make, "loss": losses, "bodies": ("whole",)}


def _scheduled(name, *args, **options):
    return lambda keras: getattr(keras.optimizers.schedules, name)(*args, **options)


LOGITS = loss("SparseCategoricalCrossentropy", from_logits=True)
HEADS = (
    known("softmax-one-unit", "sigmoid", head=dense(1, "softmax"), loss=BCE),
    Third(
        "softmax-layer-one-unit-focal",
        "sigmoid",
        head=dense(1, None, lambda kl: kl.Softmax()),
        loss=loss("BinaryFocalCrossentropy"),
    ),
    known("linear-bce", "sigmoid|from_logits", head=dense(1), loss=BCE),
    Third("relu-focal", "sigmoid", head=dense(1, "relu"), loss=loss("BinaryFocalCrossentropy")),
    Third("exponential-bce", "sigmoid", head=dense(1, "exponential"), loss=BCE),
    Third("softplus-cce", "softmax", head=dense(5, "softplus"), loss=CCE),
    Third("linear-kl", "softmax", head=dense(5), loss="kl_divergence"),
    Third(
        "relu-categorical-focal",
        "softmax",
        head=dense(5, "relu"),
        loss=loss("CategoricalFocalCrossentropy"),
    ),
    known("sigmoid-scce", "softmax", head=dense(5, "sigmoid")),
    Third(
        "sigmoid-bce-logits",
        "from_logits=False|remove|linear",
        head=dense(1, "sigmoid"),
        loss=loss("BinaryCrossentropy", from_logits=True),
    ),
    known("softmax-logits", "from_logits=False|remove|linear", loss=LOGITS),
    Third("log-softmax-scce", "softmax|from_logits=True", head=dense(5, "log_softmax")),
    Third("one-unit-scce-logits", "binary|units|unit for each", head=dense(1), loss=LOGITS),
    known("softmax-bce", "categorical_cross|CategoricalCross|sigmoid", loss=BCE),
    Third("softmax-huber", "cross-?_?entropy|no activation|linear", loss="huber"),
    Third("relu6-mae", "no activation|linear|remove", head=dense(1, "relu6"), loss="mae"),
    Third("tanh-poisson", "exp|softplus", head=dense(1, "tanh"), loss="poisson"),
    Third(
        "relu-squared-hinge",
        "tanh|linear|no activation",
        head=dense(1, "relu"),
        loss="squared_hinge",
    ),
    Third(
        "softmax-over-rows",
        "axis=-1|last axis|axis -1",
        bodies=("autoenc",),
        hidden=nothing,
        head=dense(5, None, lambda kl: kl.Softmax(axis=1)),
    ),
    Third(
        "softmax-over-steps",
        "axis=-1|last axis|axis -1",
        bodies=("tagging",),
        hidden=nothing,
        head=dense(5, None, lambda kl: kl.Softmax(axis=1)),
    ),
    known("softmax-twice", "remove", head=dense(5, "softmax", lambda kl: kl.Softmax())),
    Third(
        "linear-tversky",
        "sigmoid|softmax",
        bodies=("autoenc",),
        hidden=nothing,
        head=dense(1),
        loss=loss("Tversky"),
        generations=("keras",),
    ),
    Third(
        "softmax-ctc",
        "remove|linear|no activation|logits",
        bodies=("tagging",),
        hidden=nothing,
        loss=loss("CTC"),
        generations=("keras",),
    ),
    Third("swapped-losses", "cross-?_?entropy|swap", **_two_heads({"kind": "mse", "age": SCCE})),
)
BEHIND = (
    Third(
        "gaussian-dropout-behind",
        "move|before",
        head=dense(5, "softmax", lambda kl: kl.GaussianDropout(0.3)),
    ),
    Third(
        "layernorm-of-one-unit",
        "remove|move|before",
        head=dense(1, None, lambda kl: kl.LayerNormalization()),
        loss="mse",
    ),
    Third(
        "unitnorm-of-one-unit",
        "remove|units",
        loss="mse",
        head=dense(1, None, lambda kl: kl.UnitNormalization()),
    ),
    Third(
        "rescaled-probabilities",
        "remove|move",
        head=dense(5, "softmax", lambda kl: kl.Rescaling(1 / 255)),
    ),
    known(
        "batchnorm-behind",
        "move|remove|before",
        head=dense(1, "sigmoid", lambda kl: kl.BatchNormalization()),
        loss=BCE,
    ),
)
SETTINGS = (
    known("rate-0", r"0\.001|learning_rate|default", optimizer=optimizer(learning_rate=0.0)),
    Third(
        "rate-3-rmsprop",
        r"0\.001|learning_rate|default",
        optimizer=optimizer("RMSprop", learning_rate=3.0),
    ),
    Third(
        "schedule-to-0",
        "decay|schedule|steps",
        optimizer=optimizer(
            learning_rate=_scheduled("PolynomialDecay", 0.001, 10, end_learning_rate=0.0)
        ),
        weights=counted,
    ),
    Third(
        "schedule-halves-each-step",
        "decay|schedule|steps",
        optimizer=optimizer(learning_rate=_scheduled("ExponentialDecay", 0.001, 1, 0.5)),
        weights=counted,
    ),
    Third("momentum-1", "momentum", optimizer=optimizer("SGD", learning_rate=0.01, momentum=1.0)),
    Third("adam-epsilon-1000", "epsilon", optimizer=optimizer(epsilon=1000.0)),
    Third(
        "weight-decay-10",
        "weight_decay",
        optimizer=optimizer("AdamW", learning_rate=0.1, weight_decay=10.0),
    ),
    Third(
        "clip-value-1e-12",
        "clipvalue",
        optimizer=optimizer("SGD", learning_rate=0.01, clipvalue=1e-12),
    ),
    Third(
        "binary-smoothing-1",
        r"label_smoothing",
        head=dense(1, "sigmoid"),
        loss=loss("BinaryCrossentropy", label_smoothing=1.0),
    ),
    Third(
        "weight-of-loss-negative",
        "loss_weights",
        **_two_heads({"kind": SCCE, "age": "mse"}),
        compiled={"loss_weights": {"kind": -1.0, "age": 1.0}},
    ),
    Third(
        "binary-accuracy-of-classes",
        'categorical_?accuracy|"accuracy"',
        metrics=["binary_accuracy"],
        info=True,
        loss=CCE,
    ),
    Third(
        "auc-of-logits",
        "from_logits=True",
        head=dense(1),
        loss=loss("BinaryCrossentropy", from_logits=True),
        metrics=lambda keras: [keras.metrics.AUC()],
        info=True,
    ),
    known(
        "accuracy-of-numbers",
        "absolute|mae|MeanAbs",
        head=dense(1),
        loss="mse",
        metrics=["accuracy"],
        info=True,
    ),
)


def _placed():
    """Every kind with its rules, on two bodies; which of them, its number says."""
    kinds = (*HEADS, *BEHIND, *LAYERS, *WEIGHTS, *SETTINGS)
    for number, kind in enumerate(kinds):
        room = kind.bodies or ALL
        places = [room[(number + 8 * step) % len(room)] for step in (0, 1)]
        yield replace(kind, bodies=tuple(dict.fromkeys(places)), codes=CODES.get(kind.name, ()))


MISTAKES = tuple(_placed())
