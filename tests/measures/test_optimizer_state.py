"""Optimizer states in files of Keras 3 and Keras 2, against the optimizer's own variables."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Format, TensorStats
from modelaudit.formats.reader import read
from modelaudit.measures.optimizer_state import never_stepped, optimizer_state
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.made.training import train

SCALE = {"a": 1000.0}


def slot(name, low=-1.0, high=1.0, shape=(4, 2), dtype="float32"):
    stats = TensorStats(low, high, (low + high) / 2, 1.0, 0, 0)
    return replace(examples.tensor(name, shape, stats), role="optimizer", dtype=dtype)


def lost(name, shape):
    return replace(slot(name, shape=shape), stats=None)


def state(*slots, training=None):
    artifact = examples.model(examples.layer("a"), examples.layer("b"))
    tensors = (*artifact.tensors, *slots)
    return optimizer_state(replace(artifact, tensors=tensors, training=training))


def test_signed_slots_are_no_averages_of_squares():
    """Ftrl keeps an accumulator and a signed sum for each weight."""
    facts = adam(("a", 0.1, 0.1))
    (moments,) = optimizer_state(facts.artifact).moments
    assert moments.second == 0.1
    signed = [
        replace(t, stats=replace(t.stats, minimum=-1.0)) if t.role == "optimizer" and t.shape else t
        for t in facts.artifact.tensors
    ]
    state = optimizer_state(replace(facts.artifact, tensors=tuple(signed)))
    assert state.moments == ()


def test_files_without_an_optimizer_or_with_two():
    assert state() is None
    assert state(slot("gan/iter", 5, 5, ()), slot("dis/iter", 5, 5, ())) is None
    adam = {"optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.01}}}
    found = state(training=adam)
    assert (found.name, found.steps, found.rate, found.moments) == ("Adam", None, 0.01, ())


def test_names_of_old_versions():
    """Keras 2.2 writes the weight first, then m or v."""
    slots = [slot("optimizer_weights/training/Adam/iterations:0", 70, 70, (), "int64")]
    for name, shape in (("a/kernel", (4, 2)), ("a/bias", (2,)), ("b/kernel", (4, 2))):
        for key, top in (("m", 3.0), ("v", 4.0)):
            low = 0 if key == "v" else -top
            slots.append(slot(f"optimizer_weights/Adam/{name}/{key}:0", low, top, shape))
    config = {"class_name": "Custom>Adam", "config": {"lr": 0.5}}
    found = state(*slots, training={"optimizer_config": config})
    assert (found.name, found.steps, found.rate) == ("Adam", 70, 0.5)
    told = [(each.route, each.role, each.first, each.second) for each in found.moments]
    assert told == [("a", "kernel", 3, 4), ("a", "bias", 3, 4), ("b", "kernel", 3, 4)]


@pytest.mark.parametrize(
    ("first", "second", "other"),
    [("m", "v", "vhat"), ("momentum", "rms", "mg"), (None, "rms", "mg")],
)
def test_names_in_checkpoints_of_objects(first, second, other):
    """The weight, a marker, the path of the optimizer, the slot."""
    slots = [slot("optimizer/iter", 70, 70, (), "int64")]
    for name, top in (("a/kernel", 3.0), ("b/kernel", 5.0)):
        for key, low in ((first, -top), (second, 0.0), (other, 0.0)):
            if key:
                slots.append(slot(f"{name}/.OPTIMIZER_SLOT/m/optimizer/{key}", low, top))
    told = [(each.route, each.role, each.first, each.second) for each in state(*slots).moments]
    assert told == [
        ("a", "kernel", 3 if first else None, 3),
        ("b", "kernel", 5 if first else None, 5),
    ]


def test_numbers_that_do_not_fit_the_weights_are_not_paired():
    slots = [slot("optimizer/vars/0", 9, 9, (), "int64"), slot("optimizer/vars/2", shape=(7,))]
    assert state(*slots).moments == ()


def saved(library, folder):
    """Trained models by file, with the largest m and v of every weight."""
    import tensorflow as tf

    layers = library.layers
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("f4")
    for name, optimizer, words in (
        ("adam", library.optimizers.Adam(0.004), (("m", "momentum"), ("v", "velocity"))),
        ("sgd", library.optimizers.SGD(0.004, momentum=0.9), (("m", "momentum"), ())),
        ("rmsprop", library.optimizers.RMSprop(0.004), ((), ("velocity",))),
    ):
        stack = [layers.Dense(5), layers.BatchNormalization(), layers.Dense(5), layers.Dense(1)]
        model = library.Sequential([layers.Input((6,)), *stack])
        model.compile(optimizer, "mse")
        train(model, x, x[:, :1], epochs=2)
        wanted = []
        for words_of in words:
            values = [
                float(np.abs(np.asarray(v)).max())
                for v in optimizer.variables
                if {*_words(v)} & {*words_of}
            ]
            wanted.append(values or [None] * 8)
        files = [folder / f"{name}.h5", folder / f"{name}.keras", folder / name / "ck"]
        for file in files[:2]:
            model.save(file)
        tf.train.Checkpoint(model=model, optimizer=optimizer).write(str(files[2]))
        for file in files:
            yield file, list(zip(*wanted, strict=True))


def _words(variable):
    path = getattr(variable, "path", variable.name)
    return path.replace("/", " ").replace("_", " ").replace(":", " ").split()


@pytest.mark.slow
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_moments_are_those_of_the_optimizer(library, tmp_path):
    library = pytest.importorskip(library)
    for file, wanted in saved(library, tmp_path):
        found = optimizer_state(read(file, Limits()))
        assert (found.steps, found.rate) == (4, pytest.approx(0.004)), file
        told = [(each.first, each.second) for each in found.moments]
        assert len(told) == len(wanted) == 8, file
        for one, other in zip(told, wanted, strict=True):
            assert one == pytest.approx(other), file


@pytest.mark.parametrize(("shape", "steps"), [((), 5), ((2,), None)])
def test_tensorflow_1_counts_steps_beside_its_optimizers(shape, steps):
    five = TensorStats(5.0, 5.0, 5.0, 0.0, 0, 0)
    tensors = (examples.tensor("dense/kernel"), examples.tensor("global_step", shape, five))
    found = optimizer_state(examples.model(tensors=tensors, kind=Format.TF1_CHECKPOINT))
    assert (found.steps if found else None) == steps


@pytest.mark.parametrize("count", [math.inf, math.nan, -1.0])
def test_a_count_that_is_no_number_of_steps(count):
    stored = examples.tensor("global_step", (), TensorStats(count, count, count, 0.0, 0, 0))
    found = state(stored, slot("a/kernel/Momentum"))
    assert (found.name, found.steps) == ("Momentum", None)


@pytest.mark.parametrize(
    ("powers", "steps", "many"),
    [
        ((0.9, 0.999), 0, False),
        ((0.9**6, 0.999**6), 5, False),
        ((0.0, 0.999**1001), 1000, False),
        ((4 * 2.0**-149, 0.999**2001), 2000, False),  # rounding keeps it there
        ((0.0, 0.999), None, False),  # beta_1 is 0
        ((0.5, 0.999), None, False),
        ((0.0, 0.0), None, True),
        ((4 * 2.0**-149, 500 * 2.0**-149), None, True),
    ],
)
def test_steps_by_the_powers_of_the_betas(powers, steps, many):
    slots = [slot("a/kernel/Adam"), slot("a/kernel/Adam_1", 0.0)]
    slots += [slot(f"beta{n}_power", p, p, ()) for n, p in enumerate(powers, 1)]
    found = state(*slots)
    assert (found.name, found.steps, found.many_steps) == ("Adam", steps, many)


@pytest.mark.parametrize("code", ["MA433", "MA434", "MA440"])
def test_a_number_of_steps_that_is_not_stored_is_no_evidence(code):
    """Momentum of TensorFlow 1 has no powers that tell it; those of 0 tell of many."""

    def judged(*slots):
        artifact = examples.model(examples.layer("a"), examples.layer("b"))
        artifact = replace(artifact, tensors=(*artifact.tensors, *slots))
        return run_rule(rule(code), Facts(artifact, measurements=Measurements(input_scales=SCALE)))

    small = slot("a/kernel/Momentum", -1e-9, 1e-9)
    found = judged(small, slot("b/kernel/Momentum"))
    assert (found.findings, found.reason) == ((), "the number of training steps is not stored")
    own = ("a/kernel/Adam", "b/kernel/Adam")
    slots = [slot(own[0], -1e-20, 1e-20), slot(own[1])]
    slots += [slot(f"{name}_1", 0.0, 1e-18 if name is own[0] else 1.0) for name in own]
    fallen = [slot(f"beta{n}_power", 0.0, 0.0, ()) for n in (1, 2)]
    assert judged(*slots, *fallen).findings


@pytest.fixture(scope="module")
def of_tf1(tmp_path_factory):
    """Checkpoints of TensorFlow 1 with half of the ReLU units dead, and the values of the slots."""
    import tensorflow as tf

    v1, folder = tf.compat.v1, tmp_path_factory.mktemp("tf1")
    rows = np.random.default_rng(0).normal(size=(64, 6)).astype("f4")

    def make(name, optimizers, row=(10,)):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder("float32", (None, 6))
            first = v1.Variable(tf.random.normal((6, 10), stddev=0.4, seed=1))
            start = np.where(np.arange(10) < 5, -50, 0.1).astype("f4")
            bias = v1.Variable(start.reshape(row))
            last = v1.Variable(tf.random.normal((10, 1), stddev=0.4, seed=2))
            hidden = tf.nn.relu(tf.matmul(x, first) + bias)
            loss = tf.reduce_mean((tf.matmul(hidden, last) - x[:, :1]) ** 2)
            steps = [each.minimize(loss, var_list=[first, bias, last]) for each in optimizers(v1)]
            session.run(v1.global_variables_initializer())
            for _ in range(40):
                session.run(steps, {x: rows})
            prefix = v1.train.Saver().save(session, str(folder / name))
            slots = {each.name: session.run(each) for each in v1.global_variables()}
        return Path(prefix + ".index"), slots

    return make


@pytest.mark.slow
def test_slots_of_tensorflow_1(of_tf1):
    path, values = of_tf1("adam", lambda v1: [v1.train.AdamOptimizer(0.01)])
    artifact = read(path, Limits())
    found = optimizer_state(artifact)
    assert (found.name, found.steps) == ("Adam", 40)
    assert [each.role for each in found.moments] == ["kernel", "bias", "kernel"]
    for each, name in zip(found.moments, ("Variable", "Variable_1", "Variable_2"), strict=True):
        m, v = values[f"{name}/Adam:0"], values[f"{name}/Adam_1:0"]
        assert each.first == pytest.approx(np.abs(m).max())
        assert each.second == pytest.approx(v.max())
    told = run_rule(rule("MA433"), Facts(artifact, measurements=Measurements())).findings
    assert [each.detail[:40] for each in told] == ["5 of the 10 units of `Variable` never re"]


@pytest.mark.slow
def test_slots_of_tensorflow_1_in_a_scope(of_tf1):
    """RMSProp's averages start at 1 and fade; the bias is a row of a matrix."""

    def optimizers(v1):
        with v1.variable_scope("training/of"):
            return [v1.train.RMSPropOptimizer(0.01, decay=0.1)]

    path, values = of_tf1("rmsprop", optimizers, (1, 10))
    found = optimizer_state(read(path, Limits()))
    kept = [each for name, each in values.items() if name.endswith("/RMSProp:0")]
    assert (found.name, len(found.moments)) == ("RMSProp", len(kept))
    largest = [each.second for each in found.moments]
    assert largest == [pytest.approx(each.max()) for each in kept]
    told = run_rule(
        rule("MA433"), Facts(read(path, Limits()), measurements=Measurements())
    ).findings
    assert [each.detail[:40] for each in told] == ["5 of the 10 units of `Variable` received"]


def test_slots_of_keras_2_0_follow_in_blocks():
    """All first averages, then all averages of squares, then placeholders."""
    slots = [slot("optimizer_weights/Adam/iterations:0", 70, 70, (), "int64")]
    shapes = ((4, 2), (2,), (4, 2), (2,))
    for number, shape in enumerate((*shapes, *shapes, (1,), (1,), (1,), (1,))):
        name = f"training/Adam/Variable{f'_{number}' * bool(number)}:0"
        slots.append(slot(name, 0.0 if number > 3 else -1.0, float(number), shape))
    adam = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.5}}}
    told = [(x.route, x.role, x.first, x.second) for x in state(*slots, training=adam).moments]
    assert told == [
        ("a", "kernel", 1, 4),
        ("a", "bias", 1, 5),
        ("b", "kernel", 2, 6),
        ("b", "bias", 3, 7),
    ]
    exchanged = [slots[0], *slots[2:], slots[1]]  # of which the shapes do not fit
    names = [each.name for each in slots]
    moved = [replace(x, name=name) for x, name in zip(exchanged, names, strict=True)]
    assert state(*moved, training=adam).moments == ()


@pytest.mark.slow
def test_two_optimizers_of_tensorflow_1_are_not_one(of_tf1):
    path, _ = of_tf1("two", lambda v1: [v1.train.AdamOptimizer(0.01) for _ in range(2)])
    assert optimizer_state(read(path, Limits())) is None


@pytest.mark.parametrize(
    ("name", "slots", "never"),
    [
        ("Adam", [], True),  # as tf-keras saves a generator that a larger model trained
        ("Adam", [slot("optimizer/iter", 0, 0, ())], True),
        ("Adam", [slot("optimizer/iter", 5, 5, ())], False),
        ("Adam", [lost("a/.OPTIMIZER_SLOT/optimizer/m", (4, 2))], False),
        ("Adam", [lost("optimizer/_iterations", ())], True),  # with its moments, if it had stepped
        ("SGD", [lost("optimizer/iter", ())], False),
    ],
)
def test_a_saved_model_that_its_own_loss_never_trained(name, slots, never):
    """Also where the data are lost and only the index says what there was."""
    training = {"loss": "mse", "optimizer_config": {"class_name": name, "config": {}}}
    artifact = examples.model(examples.layer("a"), kind=Format.SAVEDMODEL_TF2)
    tensors = (*artifact.tensors, *slots)
    assert never_stepped(replace(artifact, tensors=tensors, training=training)) is never


@pytest.mark.parametrize("before", ["", "model_", "adam/model_"])
def test_slots_named_after_their_weight_alone(before):
    """Keras 3.0 to 3.2 write no optimizer before the path of the weight, in HDF5."""
    slots = [
        slot(
            f"optimizer_weights/{before}{name}_{role}_{kind}", kind[0] == "m" and -size, size, shape
        )
        for name, size in (("a", 1.0), ("b", 2.0))
        for role, shape in (("bias", (2,)), ("kernel", (4, 2)))
        for kind in ("momentum", "velocity")
    ]
    training = {"loss": "mse", "optimizer_config": {"class_name": "Adam", "config": {}}}
    found = {(each.route, each.role): each for each in state(*slots, training=training).moments}
    assert {key: each.second for key, each in found.items()} == {
        ("a", "kernel"): 1.0,
        ("a", "bias"): 1.0,
        ("b", "kernel"): 2.0,
        ("b", "bias"): 2.0,
    }
    assert all(f"{before}{route}_{role}_" in each.squares for (route, role), each in found.items())
