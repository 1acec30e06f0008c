"""MA220: requirements for named target runtimes, and for default ones."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Format, Provenance
from modelaudit.findings import Outcome, Severity
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.measures import artifacts
from tests.runtimes.checks.sentences import faults

RULE = rule("MA220")


def refused(runtime, *reasons):
    because = tuple(
        Reason(code, LoadOutcome.FAILS, f"{code} is not there", "TypeError", f"Mend {code}.")
        for code in reasons
    )
    return Prediction(runtime, "load_model", LoadOutcome.FAILS, because)


NEW = Prediction("tf==2.21.0", "load_model", LoadOutcome.LOADS)
OLD = refused("tf-keras==2.21.0", "class", "argument")


def asked(*predictions, targets=()):
    settings = Settings(targets=targets)
    found = run_rule(RULE, replace(examples.healthy(), predictions=predictions, settings=settings))
    assert not faults(*(text for each in found.findings for text in (each.detail, each.fix)))
    return found


def test_one_default_runtime_is_enough():
    assert asked(OLD, NEW).outcome is Outcome.PASS


def test_each_named_target_has_to_load_it():
    found = asked(OLD, NEW, targets=("tf-keras==2.21.0", "tf==2.21.0"))
    (finding,) = found.findings
    assert finding.title == "A target runtime cannot load the model"
    assert finding.fix == "Use tf==2.21.0, which is predicted to load the file as it is."
    assert len(asked(OLD, refused("tf==2.3.4", "it"), targets=("a", "b")).findings) == 2


def test_if_no_runtime_loads_it_one_finding_has_the_fix_for_the_nearest():
    (finding,) = asked(OLD, refused("tf==2.21.0", "code")).findings
    assert finding.fix == "Mend code."
    assert finding.title == RULE.summary
    assert all(name in finding.detail for name in ("tf-keras==2.21.0", "tf==2.21.0"))
    assert finding.evidence["others"] == {"tf-keras==2.21.0": "class is not there"}


def test_what_fails_is_said_of_loading_without_compiling():
    """The settings for training may fail before that, which `compile=False` avoids."""
    compiled = Prediction("tf==2.21.0", "load_model,compile", LoadOutcome.FAILS)
    facts = replace(
        examples.healthy(), predictions=(OLD, NEW, compiled), settings=Settings(targets=("a", "b"))
    )
    for training, how in (({"loss": "mse"}, ", also with compile=False,"), (None, "")):
        artifact = replace(facts.artifact, training=training)
        (finding,) = run_rule(RULE, replace(facts, artifact=artifact)).findings
        said = " with compile=False" * bool(training)
        expected = f"load_model fails{how} because class is not there. Expected error{said}: Type"
        assert expected in finding.detail
        assert finding.fix.endswith("is predicted to load the file with compile=False.")


def test_a_pass_claims_only_what_was_checked():
    assert "if no target is set, in at least one of the checked" in asked(OLD, NEW).reason


def test_of_several_causes_the_first_is_told_and_none_is_mended_alone():
    """After one is mended the next stops the loader; a single cause has its own fix."""
    (finding,) = asked(OLD, refused("tf==2.21.0", "suffix", "groups", "list")).findings
    assert "If this is mended, another cause stops it: argument is not there." in finding.detail
    assert (
        "If this is mended, 2 other causes stop it: groups is not there; list is not there."
        in finding.detail
    )
    assert finding.fix == (
        "Each cause needs a change, in this order: (1) Mend class. (2) Mend argument."
    )


def test_a_runtime_that_needs_something_of_the_program_is_advised_with_it():
    own = Reason("own", LoadOutcome.FAILS, "x", fix="Mend x.", unless="Own is passed")
    old = Prediction("tf-keras==2.21.0", "load_model", LoadOutcome.FAILS, (own,))
    (finding,) = asked(refused("tf==2.21.0", "a", "b"), old, targets=("tf==2.21.0",)).findings
    assert finding.fix == (
        "Use tf-keras==2.21.0, which is predicted to load the file if Own is passed."
    )


def test_an_error_without_known_words_is_not_quoted():
    silent = Reason("a", LoadOutcome.FAILS, "a is not there", fix="Mend a.")
    failing = Prediction("tf==2.21.0", "load_model", LoadOutcome.FAILS, (silent,))
    (finding,) = asked(failing, targets=("tf==2.21.0",)).findings
    assert finding.detail.endswith("load_model fails because a is not there.")


@pytest.mark.parametrize(
    ("keras", "first"), [("3.5.0", "tf==2.21.0"), ("2.15.0", "tf-keras==2.21.0")]
)
def test_the_first_advice_is_for_the_generation_that_saved_the_file(keras, first):
    new = refused("tf==2.21.0", "code", "name")
    old = refused("tf-keras==2.21.0", "module", "argument")
    healthy = examples.healthy()
    artifact = replace(healthy.artifact, provenance=Provenance(keras=keras))
    facts = replace(healthy, artifact=artifact, predictions=(old, new), settings=Settings())
    (finding,) = run_rule(RULE, facts).findings
    assert finding.evidence["runtime"] == first


@pytest.mark.parametrize(
    ("held", "severity", "told"),
    [
        (
            "net/_postprocessing_layers/1",
            Severity.LOW,
            "are of tf_keras, as TF-Agents needs",
        ),
        ("net/_my_layers/1", Severity.MEDIUM, "no match for net/_my_layers/1/kernel, so"),
    ],
)
def test_layers_in_a_library_for_keras_2_may_be_of_tf_keras_there(held, severity, told):
    arrays = {
        f"{held}/{name}/.ATTRIBUTES/VARIABLE_VALUE": np.ones(2) for name in ("kernel", "bias")
    }
    artifact = replace(artifacts.artifact(arrays), format=Format.TF2_CHECKPOINT)
    facts = replace(
        examples.healthy(), artifact=artifact, predictions=predict(artifact, ["tf==2.21.0"])
    )
    (finding,) = run_rule(rule("MA221"), facts).findings
    assert finding.severity is severity
    assert told in finding.detail


def test_layers_of_keras_3_are_of_no_library_for_keras_2():
    """Whatever name a class of somebody's own holds them under."""
    held = "net/_box_predictor/1/_kernel/.ATTRIBUTES/VARIABLE_VALUE"
    artifact = replace(artifacts.artifact({held: np.ones(2)}), format=Format.TF2_CHECKPOINT)
    found = [each for each in predict(artifact, ["tf==2.15"]) if each.because]
    assert {"checkpoint-of-other-generation"} <= {r.code for p in found for r in p.because}
    assert {r.unless for p in found for r in p.because} == {""}


@pytest.mark.parametrize(("counter", "refusal"), [((), True), (("save_counter",), False)])
def test_a_checkpoint_of_save_weights_is_refused_by_its_own_call(counter, refusal):
    """`load_weights` of Keras 3 raises; only `Checkpoint.restore` says nothing."""
    names = ("layer_with_weights-0/kernel", "layer_with_weights-0/bias", *counter)
    arrays = {f"{name}/.ATTRIBUTES/VARIABLE_VALUE": np.ones(2) for name in names}
    artifact = replace(artifacts.artifact(arrays), format=Format.TF2_CHECKPOINT)
    facts = replace(
        examples.healthy(), artifact=artifact, predictions=predict(artifact, ["tf==2.21.0"])
    )
    (finding,) = run_rule(rule("MA221"), facts).findings
    assert faults(f"{finding.title}.", finding.detail, finding.fix) == []
    assert (
        "Checkpoint.restore raises no error but does not restore the saved model" in finding.detail
    )
    assert ("ValueError: File format not supported" in finding.detail) is refusal
    assert ("save the weights there as .weights.h5" in finding.fix) is refusal
