"""Subclassed models whose classes write their parts into their configs, saved by Keras itself."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import all_rules
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Limits, Settings

pytestmark = pytest.mark.slow

CLASSES = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
BINARY = {"loss": "binary_crossentropy", "metrics": ["accuracy"]}


class Kit:
    """Makes subclassed models with one version of Keras."""

    def __init__(self, keras, register, path):
        self.keras, self.register, self.path = keras, register, path
        keras.utils.set_random_seed(1)

    def dense(self, units, activation="relu"):
        return self.keras.layers.Dense(units, activation=activation)

    def net(self, size, *layers):
        given = x = self.keras.Input((size,))
        for layer in layers:
            x = layer(x)
        return self.keras.Model(given, x)

    def model(self, call, *, keys=None, extra=None, **parts):
        """A model of a new class. `keys`: names of the parts in the config."""
        keras = self.keras
        written = dict(zip(keys or parts, parts, strict=True))

        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                for name, part in parts.items():
                    setattr(self, name, part)
                self.extra = extra

            def call(self, x):
                return call(self, x)

            def get_config(self):
                save = keras.saving.serialize_keras_object
                lists = {
                    key: [save(x) for x in parts[name]]
                    if isinstance(parts[name], list)
                    else save(parts[name])
                    for key, name in written.items()
                }
                return {**super().get_config(), **lists}

        return self.register("kit")(Own)()

    def saved(self, model, training, inputs=None):
        x = np.random.default_rng(3).random((64, 8), "float32") if inputs is None else inputs
        if training is not None:
            model.compile("adam", **training)
        model(x)
        if training is not None:  # as after some steps, so that the loss counts as used
            model.optimizer.build(model.trainable_variables)
            model.optimizer.iterations.assign(100)
            for slot in model.optimizer.variables:
                if len(slot.shape) > 1:
                    slot.assign(np.full(slot.shape, 1e-3))
        where = self.path / "own.keras"
        model.save(where)
        return where

    def codes(self, where):
        """Code, severity and confidence of each finding about the design."""
        facts = static_facts(where, Settings())
        rules = [each for each in all_rules() if each.code.startswith(("MA1", "MA3"))]
        results = run_rules(rules, facts)
        assert not [each for each in results if each.outcome == "error"]
        findings = [each for result in results for each in result.findings]
        self.details = {each.code: each.detail for each in findings}
        return {x.code: (str(x.severity), str(x.confidence)) for x in findings}


@contextmanager
def registered(keras):
    """Remove what a test registers, and nothing else: tf-keras registers its optimizers."""
    objects = keras.saving.get_custom_objects()
    before = dict(objects)
    yield keras.saving.register_keras_serializable
    objects.clear()
    objects.update(before)


@pytest.fixture
def kit(tmp_path):
    import keras

    with registered(keras) as register:
        yield Kit(keras, register, tmp_path)


def through(first, last):
    return lambda self, x: getattr(self, last)(getattr(self, first)(x))


def loud(codes):
    return {code: said for code, said in codes.items() if said[0] in {"medium", "high"}}


def bound(where):
    """The architecture, and the number of layers whose weights were found."""
    architecture = read(where, Limits()).architecture
    return architecture, sum(bool(layer.variables) for layer in architecture.layers)


@pytest.mark.parametrize(
    ("names", "keys"),
    [(("encoder", "head"), None), (("a", "z"), ("encoder", "head")), (("body", "top"), None)],
)
def test_a_softmax_over_one_unit_in_the_head(kit, names, keys):
    first = kit.net(8, kit.dense(7), kit.dense(6))
    for units, activation in ((1, "softmax"), (1, "sigmoid")):
        head = kit.keras.Sequential([kit.dense(units, activation)])
        parts = dict(zip(names, (first, head), strict=True))
        where = kit.saved(kit.model(through(*names), keys=keys, **parts), BINARY)
        architecture, found = bound(where)
        assert (len(architecture.outputs), found) == (1, 3)
        assert architecture.layer(architecture.outputs[0]).inbound == ((first.name,),)
        wrong = activation == "softmax"
        assert loud(kit.codes(where)) == ({"MA305": ("high", "medium")} if wrong else {})
    first_key = (keys or names)[1]
    assert not wrong or f"what its `{first_key}`" in kit.details["MA305"]


def test_faults_in_both_parts(kit):
    layers = kit.keras.layers
    encoder = kit.net(8, kit.dense(7), layers.Dropout(0.97), kit.dense(6))
    head = kit.keras.Sequential([kit.dense(3, "softmax"), layers.Dropout(0.2)])
    where = kit.saved(kit.model(through("encoder", "head"), encoder=encoder, head=head), CLASSES)
    assert loud(kit.codes(where)) == {"MA308": ("medium", "medium"), "MA310": ("medium", "high")}
    assert "does not have the code of `Own`" in kit.details["MA308"]
    assert "does not have the code" not in kit.details["MA310"]


def test_a_missing_activation_is_a_hint_since_the_class_may_apply_it(kit):
    call = lambda self, x: kit.keras.ops.softmax(self.head(self.encoder(x)))  # noqa: E731
    model = kit.model(call, encoder=kit.net(8, kit.dense(7)), head=kit.net(7, kit.dense(3, None)))
    assert kit.codes(kit.saved(model, CLASSES)) == {"MA306": ("low", "low")}


def test_an_activation_behind_which_the_class_may_compute_more(kit):
    call = lambda self, x: kit.keras.ops.softmax(-self.head(self.encoder(x)))  # noqa: E731
    model = kit.model(call, encoder=kit.net(8, kit.dense(7)), head=kit.net(7, kit.dense(3)))
    assert kit.codes(kit.saved(model, CLASSES)) == {"MA306": ("low", "low")}


@pytest.mark.parametrize("names", [("zz", "aa"), ("left", "right")])
def test_two_parts_alike_that_the_class_calls_otherwise_are_not_misordered(kit, names):
    towers = [kit.net(8, kit.dense(8), kit.dense(8)) for _ in names]
    call = lambda self, x: getattr(self, names[0])(x) - getattr(self, names[1])(x)  # noqa: E731
    parts = dict(zip(names, towers, strict=True))
    where = kit.saved(kit.model(call, keys=("left", "right"), **parts), {"loss": "mse"})
    assert loud(kit.codes(where)) == {}


def test_layers_without_activation_in_one_part_and_in_two(kit):
    """Between its parts, a class can apply what the config does not show."""
    call = lambda self, x: self.head(kit.keras.ops.relu(self.encoder(x)))  # noqa: E731
    for layers, severity in (([], ("low", "low")), ([kit.dense(7, None)], ("medium", "medium"))):
        head = kit.net(7, *layers, kit.dense(3, "softmax"))
        model = kit.model(call, encoder=kit.net(8, kit.dense(7, None)), head=head)
        assert kit.codes(kit.saved(model, CLASSES)) == {"MA309": severity}


def test_honest_pairs(kit):
    linear = kit.net(8, kit.dense(7), kit.dense(6, None))
    bare = kit.model(through("encoder", "head"), encoder=linear, head=kit.dense(3, "softmax"))
    where = kit.saved(bare, CLASSES)
    assert (loud(kit.codes(where)), bound(where)[1]) == ({}, 3)
    decoder = kit.net(3, kit.dense(7), kit.dense(8, "sigmoid"))
    parts = {"encoder": kit.net(8, kit.dense(7), kit.dense(3, None)), "decoder": decoder}
    assert loud(kit.codes(kit.saved(kit.model(through(*parts), **parts), {"loss": "mse"}))) == {}


def test_models_that_are_no_chain(kit):
    """Two towers, twins, an ensemble, a residual, and a head that the config does not have."""
    ops = kit.keras.ops
    two = [np.random.default_rng(n).random((64, 8), "float32") for n in (1, 2)]
    user, item = (kit.net(8, kit.dense(7), kit.dense(8, None)) for _ in range(2))

    def alike(self, xs):
        return ops.sigmoid(ops.sum(self.user(xs[0]) * self.item(xs[1]), -1, keepdims=True))

    def twins(self, xs):
        apart = ops.abs(self.net(xs[0]) - self.net(xs[1]))
        return ops.exp(-ops.sum(apart, -1, keepdims=True))

    members = [kit.net(8, kit.dense(7), kit.dense(3, "softmax")) for _ in range(2)]
    for model, training, inputs, layers in (
        (kit.model(alike, user=user, item=item), BINARY, two, 4),
        (kit.model(twins, net=kit.net(8, kit.dense(7), kit.dense(8, None))), BINARY, two, 2),
        (kit.model(lambda s, x: (s.m[0](x) + s.m[1](x)) / 2, m=members), CLASSES, None, 4),
        (
            kit.model(
                lambda s, x: s.extra(s.body(x)),
                body=kit.net(8, kit.dense(7)),
                extra=kit.dense(3, "softmax"),
            ),
            CLASSES,
            None,
            1,
        ),
    ):
        where = kit.saved(model, training, inputs)
        architecture, found = bound(where)
        assert (architecture.outputs, found) == ((), layers)
        assert loud(kit.codes(where)) == {}


def test_a_generator_and_its_discriminator(kit):
    generator = kit.net(4, kit.dense(7), kit.dense(8, "tanh"))
    model = kit.model(
        through("generator", "discriminator"),
        generator=generator,
        discriminator=kit.net(8, kit.dense(7), kit.dense(1, None)),
    )
    where = kit.saved(model, None, np.ones((2, 4), "float32"))
    assert loud(kit.codes(where)) == {}


def test_dropout_behind_the_head_of_a_class_in_a_saved_model(tmp_path):
    """The graph has no operation of it; the metadata of tf-keras have its layer."""
    tf_keras = pytest.importorskip("tf_keras")
    with registered(tf_keras) as register:
        kit = Kit(tf_keras, register, tmp_path)
        for behind, wrong in (([tf_keras.layers.Dropout(0.3)], True), ([], False)):
            head = tf_keras.Sequential([kit.dense(3, "softmax"), *behind])
            body = kit.net(8, kit.dense(7))
            kit.saved(
                model := kit.model(through("encoder", "head"), encoder=body, head=head), CLASSES
            )
            where = tmp_path / f"export{wrong}"
            model.save(where, save_format="tf")
            assert loud(kit.codes(where)) == ({"MA308": ("medium", "medium")} if wrong else {})


def in_turn(self, x):
    for layer in [*self.stem, *self.tops]:
        x = layer(x)
    return x


def test_heads_that_are_lists_of_layers(kit):
    softmax = kit.keras.layers.Softmax
    parts = ("medium", "medium")
    for head, said in (
        ([kit.dense(3, "relu"), softmax()], {"MA307": parts}),
        ([kit.dense(3, None), softmax(), softmax()], {"MA307": parts}),
        ([kit.dense(3, None), softmax()], {}),
        ([kit.dense(5), kit.dense(3, "softmax")], {}),
    ):
        stem = [kit.dense(7), kit.keras.layers.Dropout(0.2), kit.dense(6)]
        model = kit.model(in_turn, keys=("stem", "head"), stem=stem, tops=head)
        where = kit.saved(model, CLASSES)
        architecture, found = bound(where)
        assert (found, loud(kit.codes(where))) == (2 + sum(bool(x.weights) for x in head), said)
        assert architecture.outputs == (head[-1].name,)
        assert not said or "what its `head/" in kit.details["MA307"]


def pooled_early(keras, pool):
    layers = keras.layers
    return [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(pool),
        layers.Conv2D(5, 3, padding="same", activation="relu"),
        layers.Flatten(),
    ]


def test_shapes_between_the_layers_of_a_list(kit):
    images = np.random.default_rng(3).random((4, 12, 12, 1), "float32")
    for pool, wrong in ((12, True), (2, False)):
        stem = pooled_early(kit.keras, pool)
        model = kit.model(in_turn, stem=stem, tops=[kit.dense(3, "softmax")])
        where = kit.saved(model, CLASSES, images)
        found = {"MA303": ("info", "medium"), "MA316": ("medium", "medium")}
        assert kit.codes(where) == (found if wrong else {})
        assert not wrong or "in the order of its config" in kit.details["MA316"]


def test_shapes_in_the_graph_of_a_class(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    images = np.random.default_rng(3).random((4, 12, 12, 1), "float32")
    with registered(tf_keras) as register:
        kit = Kit(tf_keras, register, tmp_path)
        for pool, wrong in ((12, True), (2, False)):
            stem = pooled_early(tf_keras, pool)
            model = kit.model(in_turn, stem=stem, tops=[kit.dense(3, "softmax")])
            kit.saved(model, CLASSES, images)
            where = tmp_path / f"export{wrong}"
            model.save(where, save_format="tf")
            assert kit.codes(where) == ({"MA316": ("medium", "certain")} if wrong else {})
            assert not wrong or "does not have the code" not in kit.details["MA316"]


def test_layers_of_a_list_that_the_class_joins_by_activations(kit):
    """A common way to write a network: its config shows none of the activations between."""

    def call(self, x):
        for layer in self.stem:
            x = kit.keras.ops.relu(layer(x))
        return self.tops[0](x)

    stem = [kit.dense(7, None), kit.dense(6, None)]
    model = kit.model(call, keys=("stem", "head"), stem=stem, tops=[kit.dense(3, "softmax")])
    assert kit.codes(kit.saved(model, CLASSES)) == {"MA309": ("info", "low")}


def test_channels_first_in_a_list(kit):
    layers = kit.keras.layers
    for shape, wrong in (((3, 20, 24), True), ((20, 24, 3), False)):
        stem = [
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(5, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
        ]
        images = np.random.default_rng(3).random((4, *shape), "float32")
        model = kit.model(in_turn, stem=stem, tops=[kit.dense(3, "softmax")])
        where = kit.saved(model, CLASSES, images)
        assert kit.codes(where) == ({"MA311": ("low", "low")} if wrong else {})


def test_a_list_of_the_head_alone_says_no_shapes(kit):
    layers = kit.keras.layers
    body = kit.keras.Sequential([layers.Conv2D(6, 3), layers.GlobalAveragePooling2D()])
    tops, images = [layers.Dropout(0.3), kit.dense(1, "sigmoid")], np.ones((4, 9, 9, 3), "float32")

    def call(self, x):
        return tops[1](tops[0](body(x)))

    model = kit.model(call, head=tops, extra=body)
    assert kit.codes(kit.saved(model, BINARY, images)) == {}
