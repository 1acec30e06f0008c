"""Models that load only if the program provides something: a class, a mode, a file name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from modelaudit.api import audit
from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.findings import Confidence, Finding, Outcome, RuleResult, Severity
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.compatibility.uncompiled import COMPILED
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.schema import Audit
from modelaudit.structs import replace
from tests.sharing import with_tensorflow

CLASSES = """
import keras

class Mix(keras.layers.Layer):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
    def build(self, shape):
        self.k = self.add_weight(shape=(shape[-1], self.units), name="k")
    def call(self, x):
        return x @ self.k
    def get_config(self):
        return {**super().get_config(), "units": self.units}

class Vae(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = keras.layers.Dense(2)
    def call(self, x):
        return self.encoder(x)
    def get_config(self):
        return super().get_config()
"""

MAKE = (
    CLASSES
    + """
import json, os, shutil, sys, zipfile
import numpy as np, tensorflow as tf, tf_keras
os.chdir(sys.argv[1])

def chain(k, *layers):
    return k.Sequential([k.layers.Input((8,)), *layers])

keras.saving.register_keras_serializable("lab")(Mix)
mixed = chain(keras, keras.layers.Dense(4), Mix(3))
mixed.save("mixed.keras")
mixed.save("mixed.h5")
vae = Vae()
vae(np.zeros((1, 8), "float32"))
vae.save("vae.keras")
os.mkdir("apart")
mixed.save_weights("apart/m.weights.h5")
open("apart/model.json", "w").write(mixed.to_json())

# The twin: the class is missing, and Keras rejects another layer too.
with zipfile.ZipFile("mixed.keras") as archive:
    parts = {name: archive.read(name) for name in archive.namelist()}
config = json.loads(parts["config.json"])
config["config"]["layers"][1]["config"]["unheard_of"] = 1
parts["config.json"] = json.dumps(config)
with zipfile.ZipFile("broken.keras", "w") as archive:
    for name, data in parts.items():
        archive.writestr(name, data)

class Scale(tf_keras.layers.Layer):
    def build(self, shape):
        self.s = self.add_weight("s", shape=(shape[-1],), initializer="ones")
    def call(self, x):
        return x * self.s

old = chain(tf_keras, tf_keras.layers.Dense(4), Scale())
old.save("old", save_format="tf")
lam = chain(tf_keras, tf_keras.layers.Lambda(lambda x: x / 255.0), tf_keras.layers.Dense(2))
os.mkdir("lambda")
lam.save_weights("lambda/w.h5")
open("lambda/model.json", "w").write(lam.to_json())
plain = chain(keras, keras.layers.Dense(3), keras.layers.Dense(3))
plain.save("plain.h5")
os.rename("plain.h5", "plain")
shutil.copytree("old", "shard")
os.remove("shard/variables/variables.data-00000-of-00001")
open("shard/variables/variables.data-00000-of-00001.tempstate1", "wb").write(b"x" * 100)
frozen = chain(keras, keras.layers.Dense(4), keras.layers.BatchNormalization())
frozen.trainable = False
chain(keras, frozen, keras.layers.Dense(3)).save("frozen.keras")
"""
)


@dataclass(frozen=True)
class Made:
    folder: Path
    audits: dict[str, Audit]

    def codes(self, name: str) -> set[str]:
        """Codes of findings about loading and code."""
        found = {each.code for each in findings(self.audits[name])}
        return found & {"MA107", "MA108", "MA117", "MA210", "MA211", "MA220", "MA223", "MA418"} | {
            each for each in found if each.startswith("MA7")
        }


def findings(found: Audit) -> list[Finding]:
    return [each for result in found.results for each in result.findings]


def result(found: Audit, code: str) -> RuleResult:
    return next(each for each in found.results if each.code == code)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("conditions")
    with_tensorflow("-c", MAKE, folder)
    return Made(folder, {each.model.path: each for each in audit(folder)})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixed.keras", "mixed.h5", "vae.keras", "apart/m.weights.h5"])
def test_a_missing_class_is_one_warning_with_the_call_that_loads_it(made: Made, name: str) -> None:
    found = made.audits[name]
    assert made.codes(name) == {"MA715"}
    (finding,) = result(found, "MA715").findings
    code = "\n".join(line[4:] for line in finding.fix.splitlines() if line.startswith("    "))
    cwd = made.folder / Path(name).parent
    check = f"{CLASSES}\n{code}\nassert model.count_params() > 0"
    with_tensorflow("-c", check, cwd=cwd)
    assert "loads it if" in result(found, "MA210").reason


@pytest.mark.slow
def test_a_model_that_is_rejected_for_another_reason_too_does_not_load(made: Made) -> None:
    assert "MA210" in made.codes("broken.keras")
    assert result(made.audits["broken.keras"], "MA715").findings[0].fix == rule("MA715").fix


@pytest.mark.slow
def test_a_saved_model_runs_without_its_classes(made: Made) -> None:
    assert made.codes("old") == set()
    assert result(made.audits["old"], "MA715").outcome is Outcome.NOT_APPLICABLE


@pytest.mark.slow
def test_a_lambda_in_an_architecture_file(made: Made) -> None:
    assert made.codes("lambda/w.h5") == {"MA701"}
    (finding,) = result(made.audits["lambda/w.h5"], "MA701").findings
    assert finding.location.file == "model.json"
    assert ".h5" not in finding.detail


@pytest.mark.slow
def test_a_file_without_suffix_has_to_be_renamed(made: Made) -> None:
    assert made.codes("plain") == {"MA117"}


@pytest.mark.slow
def test_a_missing_shard_is_said_once(made: Made) -> None:
    assert made.codes("shard") == {"MA108"}
    assert "variables.data-00000-of-00001" in made.audits["shard"].reason


@pytest.mark.slow
def test_a_frozen_layer_that_is_unfrozen_by_loading_is_no_difference(made: Made) -> None:
    assert made.codes("frozen.keras") == set()
    assert result(made.audits["frozen.keras"], "MA418").outcome is Outcome.PASS


def missing(unless: str = "Mix is passed in custom_objects", **more: object) -> Prediction:
    reason = Reason("unknown-class", LoadOutcome.FAILS, "no Mix", "", "", "", unless, "Mix")
    return Prediction("tf==2.21.0", "load_model", LoadOutcome.FAILS, (reason,))


def loading(prediction: Prediction, status: Status, error: str = "") -> Facts:
    seen = Observation("here", "load_model", status, "TypeError", error, target="tf==2.21.0")
    return replace(examples.healthy(), predictions=(prediction,), observations=(seen,))


@pytest.mark.parametrize(
    ("prediction", "error", "outcome"),
    [
        (missing(), "Could not locate class 'Mix'", Outcome.NOT_APPLICABLE),
        (missing(""), "Could not locate class 'Mix'", Outcome.FAIL),
        (missing(), "config={'Mix'}. Exception encountered: no argument 'x'", Outcome.FAIL),
        (replace(missing(), predicted=LoadOutcome.LOADS, because=()), "'Mix'", Outcome.FAIL),
    ],
)
def test_prediction_and_error_have_to_agree(
    prediction: Prediction, error: str, outcome: Outcome
) -> None:
    facts = loading(prediction, Status.FAILED, error)
    assert run_rule(rule("MA210"), facts).outcome is outcome


def test_what_fails_after_the_advice_of_the_error_is_said() -> None:
    """Keras advises `safe_mode=False` for code that this Python cannot read."""
    (lacks,) = missing("safe mode is disabled").because
    other = Reason("lambda-of-other-python", LoadOutcome.FAILS, "its code is of Python 3.6")
    for because, said in (((lacks, other), True), ((other,), False)):
        prediction = replace(missing(), because=because)
        facts = loading(prediction, Status.FAILED, "'Mix': pass safe_mode=False")
        (found,) = run_rule(rule("MA210"), facts).findings
        more = "If safe mode is disabled, it still fails: its code is of Python 3.6."
        assert found.detail.endswith(more) is said


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.MEMORY, Status.UNAVAILABLE])
def test_an_attempt_without_end_contradicts_no_prediction(status: Status) -> None:
    loads = Prediction("tf==2.21.0", "load_model", LoadOutcome.LOADS)
    assert run_rule(rule("MA223"), loading(loads, status)).outcome is Outcome.PASS
    assert run_rule(rule("MA223"), loading(loads, Status.FAILED)).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.TIMEOUT, Outcome.NOT_APPLICABLE),
        (Status.MEMORY, Outcome.NOT_APPLICABLE),
        (Status.UNAVAILABLE, Outcome.NOT_APPLICABLE),  # Keras 3 did not start on a busy machine
        (Status.CRASHED, Outcome.FAIL),
        (Status.FAILED, Outcome.FAIL),
    ],
)
def test_a_model_that_ran_into_a_limit_in_one_runtime_may_load(
    status: Status, outcome: Outcome
) -> None:
    facts = examples.observed(status, Status.FAILED)()
    assert run_rule(rule("MA210"), facts).outcome is outcome


def test_a_model_that_keras_3_refuses_needs_no_tf_keras() -> None:
    facts = examples.observed(Status.FAILED, Status.UNAVAILABLE)()
    assert run_rule(rule("MA210"), facts).outcome is Outcome.FAIL


def differing(unless: str = "") -> Prediction:
    reason = Reason("activation", LoadOutcome.DIFFERS, "it had another default", unless=unless)
    return Prediction("tf==2.21.0", "load_model", LoadOutcome.DIFFERS, (reason,))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.LOADED, Outcome.FAIL),
        (Status.FAILED, Outcome.PASS),
        (Status.CRASHED, Outcome.PASS),
        (Status.TIMEOUT, Outcome.FAIL),
    ],
)
def test_an_observation_overrules_a_predicted_difference(status: Status, outcome: Outcome) -> None:
    assert run_rule(rule("MA221"), loading(differing(), status)).outcome is outcome


def test_a_plain_call_that_stops_compiling_is_not_said_to_raise_nothing() -> None:
    """It stops at the optimizer or the loss (MA213): only compile=False loads the other model."""
    loaded = loading(differing(), Status.LOADED)
    stopped = replace(loaded.observations[0], uncompiled="Argument(s) not recognized: 'lr'")
    for facts, said in (
        (loaded, "load_model raises no error"),
        (replace(loaded, observations=(stopped,)), "load_model with compile=False raises no error"),
    ):
        (found,) = run_rule(rule("MA221"), facts).findings
        assert said in found.detail
    plain = replace(differing(), call=COMPILED, predicted=LoadOutcome.FAILS)
    facts = replace(examples.healthy(), predictions=(differing(), plain))
    assert "compile=False" in run_rule(rule("MA221"), facts).findings[0].detail


@pytest.mark.parametrize("unrestored", [[], ["net/kernel"]])
def test_a_session_that_cannot_run_the_graph_is_said_to(unrestored: list[str]) -> None:
    """A save of Keras 3 by TensorFlow: the session loads the graph without all its variables."""
    refused = "The type 'lab.Pair' has not been registered."
    facts = examples.observed(Status.LOADED)()
    artifact = replace(facts.artifact, extra={"restore": {"unrestored": unrestored}})
    seen = replace(facts.observations[0], refused=refused)
    (found,) = run_rule(
        rule("MA715"), replace(facts, artifact=artifact, observations=(seen,))
    ).findings
    assert ("does not restore all variables" in found.detail) is bool(unrestored)


def test_a_default_that_code_may_set_is_a_guess() -> None:
    both = (differing("code sets it"), replace(differing("code sets it"), runtime="tf==2.16.2"))
    (guess,) = run_rule(rule("MA221"), replace(examples.healthy(), predictions=both)).findings
    assert (guess.severity, guess.confidence) == (Severity.LOW, Confidence.LOW)
    assert guess.detail.startswith("tf==2.21.0, tf==2.16.2: ")
    assert "the same model if code sets it" in guess.detail
    (sure,) = run_rule(
        rule("MA221"), replace(examples.healthy(), predictions=(differing(),))
    ).findings
    assert sure.confidence is Confidence.HIGH
    assert sure.title != guess.title


REFUSED = replace(missing(""), because=(Reason("argument", LoadOutcome.FAILS, "no such argument"),))
OLDER = Prediction("tf-keras==2.21.0", "load_model", LoadOutcome.LOADS)


@pytest.mark.parametrize(
    ("predictions", "installed", "outcome"),
    [
        ((REFUSED, OLDER), "tf==2.21.0", Outcome.FAIL),  # the installed Keras rejects it
        ((REFUSED, OLDER), "tf==2.15.1", Outcome.PASS),
        ((REFUSED, OLDER), "", Outcome.PASS),
        ((missing(), OLDER), "tf==2.21.0", Outcome.PASS),  # another rule names the class
    ],
)
def test_a_scan_does_not_pass_what_the_installed_keras_rejects(
    predictions: tuple[Prediction, ...], installed: str, outcome: Outcome
) -> None:
    facts = replace(examples.healthy(), predictions=predictions, installed=installed)
    assert run_rule(rule("MA220"), facts).outcome is outcome


def test_what_was_observed_is_not_predicted_again() -> None:
    facts = replace(loading(REFUSED, Status.FAILED, "no such argument"), installed="tf==2.21.0")
    assert run_rule(rule("MA220"), facts).outcome is Outcome.PASS
    assert run_rule(rule("MA210"), facts).outcome is Outcome.FAIL


def test_an_architecture_that_keras_rejects_is_rejected_with_its_weights() -> None:
    built = replace(REFUSED, call="model_from_json")
    weights = Prediction("tf==2.21.0", "load_weights", LoadOutcome.LOADS)
    facts = replace(examples.healthy(), predictions=(built, weights, OLDER), installed="tf==2.21.0")
    (finding,) = run_rule(rule("MA220"), facts).findings
    assert "model_from_json" in finding.detail
