"""Models that load only without compiling: in other runtimes, as predicted, and how they load."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import h5py
import pytest

from modelaudit.api import audit
from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.findings import Confidence, Outcome, Severity
from modelaudit.formats.reader import read
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.compatibility.uncompiled import COMPILED
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits
from modelaudit.structs import replace

OWN = (
    '{"module": "builtins", "class_name": "function", "config": "own", '
    '"registered_name": "function"}'
)


def test_another_runtime_that_cannot_compile_the_model() -> None:
    facts = examples.observed(Status.LOADED)()
    compiled = replace(facts, artifact=replace(facts.artifact, training={"loss": "mse"}))
    assert run_rule(rule("MA213"), compiled).outcome is Outcome.PASS
    there = Observation("tf216", "load_model", Status.LOADED, uncompiled="no function mse")
    result = run_rule(rule("MA213"), replace(compiled, elsewhere=(there,)))
    (finding,) = result.findings
    assert "no function mse" in finding.detail
    assert finding.detail.startswith("In tf216, ")


def test_a_loss_of_the_program_can_be_given_and_one_of_keras_is_not_asked_for() -> None:
    facts = examples.observed(Status.LOADED)()
    (seen,) = facts.observations
    for error, given in (
        ("Unknown metric function: 'psnr'. Please ensure you are using a custom scope", "psnr"),
        ("Could not locate class 'ExponentialDecay'. Make sure custom classes are decorated", ""),
        ("Could not locate function 'mse'. Make sure custom classes are decorated", ""),
        ("Argument(s) not recognized: {'lr': 0.1}", ""),
    ):
        tried = replace(seen, target="tf==2.21.0", uncompiled=error)
        artifact = replace(facts.artifact, training={"loss": "mse"})
        given_facts = replace(facts, artifact=artifact, observations=(tried,))
        (finding,) = run_rule(rule("MA213"), given_facts).findings
        assert finding.severity is Severity.LOW
        assert "load_model(" in finding.fix
        assert "compile=False)" in finding.fix
        for said in (finding.detail, finding.fix):
            assert ("custom_objects={'psnr': psnr}" in said) == bool(given)
        # An object that is given helps only if the loader does not stop at the next one.
        codes = {"psnr": Reason("a", LoadOutcome.FAILS, "the metric is psnr")}
        codes["mse"] = Reason("b", LoadOutcome.FAILS, "the loss is mse")
        for because in ((codes["psnr"],), (codes["psnr"], codes["mse"])):
            foreseen = Prediction("tf==2.21.0", COMPILED, LoadOutcome.FAILS, because)
            known = replace(given_facts, predictions=(foreseen,))
            (finding,) = run_rule(rule("MA213"), known).findings
            one = bool(given) and len(because) == 1
            assert ("custom_objects" in finding.detail + finding.fix) == one


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mean_squared_error", "circle"])
def test_the_other_keras_is_predicted_to_need_compile_false(tmp_path: Path, loss: str) -> None:
    """Keras 3 has a loss `circle`, Keras 2 has none; tf_keras is the oracle."""
    keras = pytest.importorskip("tf_keras")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", "mean_squared_error")
    path = tmp_path / "m.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        given = file.attrs["training_config"]
        file.attrs["training_config"] = given.replace("mean_squared_error", loss)
    keras.models.load_model(path, compile=False)
    sound = loss == "mean_squared_error"
    with contextlib.nullcontext() if sound else pytest.raises(ValueError, match="circle"):
        keras.models.load_model(path)
    artifact, target = read(path, Limits()), f"tf-keras=={keras.__version__}"
    found = predict(artifact, (target,))
    told = {each.call: each.predicted for each in found}
    assert told == {"load_model": LoadOutcome.LOADS} | (
        {} if sound else {COMPILED: LoadOutcome.FAILS}
    )
    here = Observation("here", "load_model", Status.LOADED, target="tf==2.21.0")
    facts = replace(examples.healthy(), artifact=artifact, observations=(here,), predictions=found)
    findings = run_rule(rule("MA213"), facts).findings
    assert not run_rule(rule("MA220"), facts).findings
    if sound:
        assert not findings
    else:
        (finding,) = findings
        assert finding.detail.startswith(f"{target}: load_model(path) is predicted to fail")
        assert "import tf_keras as keras" in finding.fix
        assert finding.confidence is not Confidence.CERTAIN


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "metrics", "needs"),
    [
        ('"mse"', "null", "keras"),
        ('"bce"', "null", "keras"),
        ('["own"]', "null", "tf_keras"),
        ('"own"', "null", "both"),
        ('"mean_squared_error"', '["mae"]', ""),
        ('"mean_squared_error"', '["own"]', "tf_keras"),
        ('"mean_squared_error"', f"[{OWN}]", "tf_keras"),
        (OWN, "null", "both"),
    ],
)
def test_names_of_losses_and_metrics_are_looked_up_as_each_keras_does(
    tmp_path: Path, loss: str, metrics: str, needs: str
) -> None:
    path = tmp_path / "m.h5"
    new, old = pytest.importorskip("keras"), pytest.importorskip("tf_keras")
    model = old.Sequential([old.layers.Input((4,)), old.layers.Dense(3)])
    model.compile("sgd", "mean_squared_error")
    model.save(path)
    with h5py.File(path, "r+") as file:
        given = {**json.loads(file.attrs["training_config"]), "loss": json.loads(loss)}
        given["metrics"] = json.loads(metrics)
        file.attrs["training_config"] = json.dumps(given)
    for keras in (new, old):
        runtime = f"{'tf-keras' if keras is old else 'tf'}==2.21"
        found = [x for x in predict(read(path, Limits()), (runtime,)) if x.call == COMPILED]
        fails = needs in ("both", keras.__name__)
        assert bool(found) is fails
        if not fails:
            keras.models.load_model(path)
            continue
        with pytest.raises(Exception, match=r"mse|bce|own|indices|function") as raised:
            keras.models.load_model(path)
        said = f"{type(raised.value).__name__}: {raised.value}"
        assert said.startswith(found[0].because[0].error.partition(" (in")[0])


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("own", [True, False])
def test_a_metric_of_another_package_is_a_condition_of_tf_keras(
    tmp_path: Path, suffix: str, own: bool
) -> None:
    """As F1Score of TensorFlow Addons; the operation in the model is what Keras 3 rejects."""
    keras, path = pytest.importorskip("tf_keras"), tmp_path / f"m.{suffix}"

    class F1Score(keras.metrics.MeanSquaredError):  # type: ignore[misc]
        def get_config(self) -> dict[str, object]:
            return {**super().get_config(), "num_classes": 3}

    name = "Addons>F1Score"
    try:
        keras.saving.register_keras_serializable("Addons")(F1Score)
        given = keras.layers.Input((4,))
        outputs = keras.layers.Dense(3)(given) * 2.0
        model = keras.Model(given, outputs)
        model.compile("sgd", "mse", [F1Score() if own else "mae"])
        model.fit([[1.0] * 4], [[1.0] * 3], verbose=0)
        model.save(path)
    finally:
        keras.saving.get_custom_objects().pop(name, None)
    keras.models.load_model(path, compile=False)
    fails = pytest.raises((TypeError, ValueError), match="F1Score")
    with fails if own else contextlib.nullcontext():
        keras.models.load_model(path)
    target = f"tf-keras=={keras.__version__}"
    assert (COMPILED in {x.call for x in predict(read(path, Limits()), (target,))}) is own
    (audited,) = audit(path)
    (needs,) = [found for found in audited.findings if found.code == "MA211"]
    assert ("loads it with compile=False." in needs.detail) is own
    assert ("MA213" in {found.code for found in audited.findings}) is own


def test_without_a_run_the_installed_keras_is_predicted() -> None:
    """A scan says it of the installed Keras, and of others where the user names targets."""
    because = (Reason("b", LoadOutcome.FAILS, "the loss is mse", "no function", "compile=False"),)
    foreseen = Prediction("tf==2.21.0", COMPILED, LoadOutcome.FAILS, because)
    artifact = replace(examples.healthy().artifact, training={"loss": "mse"})
    facts = replace(examples.healthy(), artifact=artifact, predictions=(foreseen,))
    for installed, targets, told in (
        ("tf==2.21.0", (), 1),
        ("tf==2.20.0", (), 0),
        ("tf==2.20.0", ("tf==2.21.0",), 1),
    ):
        settings = replace(facts.settings, targets=targets)
        asked = replace(facts, installed=installed, settings=settings)
        assert len(run_rule(rule("MA213"), asked).findings) == told


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_compile_settings_stop_a_model_that_fails_as_well(tmp_path: Path, own: bool) -> None:
    """Both Kerases meet the loss before the weights of an archive; tf-keras loads it without."""
    keras, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    path = tmp_path / "m.keras"

    def square_of(y_true: object, y_pred: object) -> object:
        return keras.losses.mean_squared_error(y_true, y_pred)

    given = keras.layers.Input((4,))
    model = keras.Model(given, keras.layers.Dense(3)(given) * 2.0)
    model.compile("sgd", square_of if own else "mse")
    model.save(path)
    keras.models.load_model(path, compile=False)
    with pytest.raises(TypeError, match="square_of") if own else contextlib.nullcontext():
        keras.models.load_model(path)
    with pytest.raises((TypeError, ValueError)):
        new.models.load_model(path, compile=False)
    artifact = read(path, Limits())
    found = predict(artifact, ("tf==2.21.0", "tf-keras==2.21.0"))
    (refused,) = [each for each in found if each.runtime == "tf==2.21.0"]
    assert bool(refused.compiling) is own
    facts = replace(
        examples.healthy(), artifact=artifact, predictions=found, installed="tf==2.21.0"
    )
    (finding,) = run_rule(rule("MA220"), facts).findings
    assert ("With the default compile=True" in finding.detail) is own
    assert ("the loss is square_of" in finding.detail) is own


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_a_function_of_tensorflow_is_not_asked_of_the_author(tmp_path: Path, own: bool) -> None:
    """`tf.nn.softmax` is saved as `softmax_v2`; the call that is given loads the model."""
    keras, tf = pytest.importorskip("keras"), pytest.importorskip("tensorflow")

    def softmax_of_mine(x: object) -> object:
        return tf.nn.softmax(x)

    used = softmax_of_mine if own else tf.nn.softmax
    path = tmp_path / "m.h5"
    layers = [keras.layers.Input((4,)), keras.layers.Dense(3, activation=used)]
    keras.Sequential(layers).save(path)
    artifact = read(path, Limits())
    found = predict(artifact, ("tf==2.21.0",))
    facts = replace(examples.healthy(), artifact=artifact, predictions=found)
    (finding,) = run_rule(rule("MA715"), facts).findings
    assert ("from the author" in finding.fix) is own
    assert ("import tensorflow as tf" in finding.fix) is not own
    if not own:
        call = finding.fix.split("model = ")[1].replace("'m.h5'", "str(path)")
        loaded = eval(call, {"keras": keras, "tf": tf, "path": path, "str": str})
        assert loaded.layers[-1].activation is tf.nn.softmax
