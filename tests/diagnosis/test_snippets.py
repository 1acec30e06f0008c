"""All code snippets of a diagnosis are run here, on models of Keras 2 and 3."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.diagnosis.advice import ADVICE
from modelaudit.diagnosis.loading_code import LEGACY, loading_code
from modelaudit.diagnosis.model import CauseFound
from modelaudit.diagnosis.next_steps import next_steps
from modelaudit.facts import Provenance
from modelaudit.measures.input_corrections import AUGMENT
from modelaudit.pipeline import static_facts
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.sharing import with_tensorflow

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
RUNNER = Path(__file__).with_name("run_snippets.py")
IMAGES = SAMPLES / "digits_probe.npz"
NO_CODE = ("modelaudit ", "sha256sum ")
EXCHANGED = "wrong-weights-upstream"
LAYERS = {"dead-units": "conv_1", "head-bias": "digit"}  # code about one of the model's own layers


def loaded_by(runtime, keras):
    """Facts of a healthy model that this runtime loaded and that this Keras saved."""
    facts = examples.observed(Status.LOADED)()
    seen = Observation(runtime, "load_model", Status.LOADED)
    artifact = replace(facts.artifact, provenance=Provenance(keras=keras))
    return replace(facts, artifact=artifact, observations=(seen,) if runtime else ())


@pytest.mark.parametrize(
    ("runtime", "keras", "module"),
    [
        ("here", "3.15.1", "keras"),
        ("here", "2.15.0", "keras"),
        (LEGACY, "2.15.0", "tf_keras"),
        ("", "2.15.0", "tf_keras"),
        ("", "3.8.0", "keras"),
        ("", None, "keras"),
    ],
)
def test_code_begins_with_the_keras_that_loads_the_model(runtime, keras, module):
    begin = loading_code(loaded_by(runtime, keras))
    assert ("import tf_keras as keras" in begin.imports) == (module == "tf_keras")
    assert begin.model.startswith(begin.imports)
    assert "keras.models.load_model" in begin.predict


@pytest.mark.parametrize(
    ("sample", "keras", "graph"),
    [
        ("digits_statistics_lost", True, False),  # a SavedModel of Keras 2: tf-keras reads it
        ("digits_random_export", False, True),
        ("digits_tf1_savedmodel", False, True),
    ],
)
def test_a_saved_model_is_loaded_by_its_own_kind_of_loader(sample, keras, graph):
    begin = loading_code(static_facts(SAMPLES / sample, Settings()))
    assert ("import tf_keras as keras\nmodel = keras.models.load_model" in begin.model) == keras
    assert ("tf.saved_model.load" in begin.predict) == graph
    assert "load_model" in begin.model or "build_model" in begin.model


def codes(sample, runtime="", transforms=("H",)):
    """All code that may be advised about a model, by cause, step and transform."""
    facts = static_facts(SAMPLES / sample, Settings())
    if runtime:
        facts = replace(facts, observations=(Observation(runtime, "", Status.LOADED),))
    found = {}
    for cause in ADVICE:
        for transform in transforms:
            answer = CauseFound(
                *((), LAYERS.get(cause, ""), transform),
                layers=("relu_1", "relu_2") if cause == EXCHANGED else ("digit",),
                proven=cause == EXCHANGED and sample == "digits_noaug.h5",
                order=tuple(range(9, -1, -1)),
            )
            for number, step in enumerate(
                next_steps(cause, answer, loading_code(facts), facts.words)
            ):
                if step.code and not step.code.startswith(NO_CODE):
                    found[f"{cause} {number} {transform}"] = step.code
    return found


def exchange(*layers):
    """The code that exchanges the weights of two layers, if any is advised."""
    answer = CauseFound((), " and ".join(layers), layers=layers, proven=True)
    facts = static_facts(SAMPLES / "digits_noaug.h5", Settings())
    steps = next_steps(EXCHANGED, answer, loading_code(facts), facts.words)
    return [each.code for each in steps if "exchanged.keras" in each.code]


@pytest.mark.slow
def test_layers_of_an_inner_model_are_exchanged_by_their_own_names(tmp_path, monkeypatch):
    import keras
    import numpy as np

    monkeypatch.chdir(tmp_path)
    names = ("first", "second")
    inner = keras.Sequential([keras.layers.Dense(4, name=name) for name in names], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(1, name="head")])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=each.shape) for each in model.get_weights()])
    model.save("m.keras")
    (code,) = exchange(*(f"inner/{name}" for name in names))
    load = "model = keras.models.load_model('m.keras')\n"
    exec("import keras\n" + load + code[code.index("layers = ") :], {})
    changed = keras.models.load_model("exchanged.keras").get_layer("inner")
    for name, other in (names, names[::-1]):
        for one, two in zip(
            changed.get_layer(name).get_weights(),
            inner.get_layer(other).get_weights(),
            strict=True,
        ):
            assert (one == two).all()
    assert exchange("left/first", "right/first") == []  # the name does not tell which


def failures(found):
    return {name: each["error"] for name, each in found.items() if "error" in each}


def of_the_rules(module):
    """The code in the advice of some rules, with the Keras import that it leaves out."""
    given = {}
    for code in ("MA401", "MA405", "MA604"):
        lines = [line[4:] for line in rule(code).fix.splitlines() if line.startswith("    ")]
        given[code] = "\n".join(lines).replace("import keras  #", f"import {module} as keras  #")
    return given


def for_keras_3():
    given = codes("digits_noaug.h5", "here") | of_the_rules("keras")
    scaled = codes("digits_noaug.h5", "here", transforms=("/255",))
    given["changed"] = scaled["input-domain 1 /255"]
    given["changed"] += """
assert abs(changed.predict(255 * images) - model.predict(images)).max() < 1e-4
"""
    # Augmentation used for further training is not part of the saved model.
    train = given["orientation-sensitive-data 1 H"]
    assert AUGMENT["H"] in train
    kinds = "[type(each).__name__ for each in keras.models.load_model(name, compile=False).layers]"
    given["orientation-sensitive-data 1 H"] = f"""
import keras
kinds = lambda name: {kinds}
before = kinds("MODEL")
{train}
assert kinds("retrained.keras") == before
"""
    return given


def for_a_file_of_keras_2():
    """What looks into a model: fitting is the same for the other model of Keras 2."""
    given = codes("teachable_digits/keras_model.h5", LEGACY)
    del given["dead-units 0 H"], given["head-bias 0 H"]  # other layer names
    return {name: code for name, code in given.items() if ".fit(" not in code}


def for_an_export():
    steps = codes("digits_random_export")
    given = {
        name: code
        for name, code in steps.items()
        if not any(word in code for word in ("build_model", "load_model", "model.save("))
    }
    assert any(name.startswith("orientation-mismatch") for name in given)
    # An export called with training=False is deterministic.
    (code,) = [each for name, each in steps.items() if name.startswith("nondeterministic")]
    given["export"] = code.replace("MODEL.keras", os.fspath(SAMPLES / "digits_robust.keras"))
    given["export"] += """
served = tf.saved_model.load("exported")
answers = [served.serve(tf.constant(images)).numpy() for _ in range(2)]
assert (answers[0] == answers[1]).all()
assert abs(answers[0] - model.predict(images, verbose=0)).max() < 1e-5
"""
    return given


JOBS = {
    "digits_noaug.h5": ("keras", for_keras_3),
    "digits_statistics_lost": (
        "tf_keras",
        lambda: codes("digits_statistics_lost") | of_the_rules("tf_keras"),
    ),
    "teachable_digits/keras_model.h5": ("tf_keras", for_a_file_of_keras_2),
    "digits_random_export": ("none", for_an_export),
    "digits_one_answer.h5": (
        "keras",
        lambda: {"repair": codes("digits_one_answer.h5", "here")["head-bias 0 H"]},
    ),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The result of each snippet by sample and name; TensorFlow starts only once for all."""
    folder = tmp_path_factory.mktemp("snippets")
    given = {sample: make() for sample, (_, make) in JOBS.items()}
    jobs, distinct = [], {}
    for number, (sample, (module, _)) in enumerate(JOBS.items()):
        (folder / str(number)).mkdir()
        distinct[sample] = {code: name for name, code in given[sample].items()}  # causes share some
        once = [[name, code] for code, name in distinct[sample].items()]
        place = {"model": os.fspath(SAMPLES / sample), "folder": os.fspath(folder / str(number))}
        jobs.append({"module": module, "codes": once, **place})
    (folder / "jobs.json").write_text(json.dumps(jobs))
    said = with_tensorflow(RUNNER, IMAGES, folder / "jobs.json", cwd=folder)
    found = {}
    for job, sample in zip(jobs, JOBS, strict=True):
        answers = Path(job["folder"], "found.json")
        assert answers.is_file(), f"{sample}: {said[-4000:]}"
        of = json.loads(answers.read_text())
        found[sample] = {name: of[distinct[sample][code]] for name, code in given[sample].items()}
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sample", "least"),
    [
        ("digits_noaug.h5", 11),
        ("digits_statistics_lost", 11),
        ("teachable_digits/keras_model.h5", 10),
        ("digits_random_export", 2),
    ],
)
def test_code_runs_as_it_is_pasted(results, sample, least):
    """For Keras 3, two models of Keras 2, and an export, whose signature is called."""
    assert failures(results[sample]) == {}
    assert len(set(JOBS[sample][1]().values())) >= least


@pytest.mark.slow
def test_lost_statistics_are_repaired(results):
    assert results["digits_statistics_lost"]["bn-statistics-lost 1 H"]["accuracy"] > 0.8


@pytest.mark.slow
def test_centring_the_head_repairs_a_biased_one(results):
    (found,) = results["digits_one_answer.h5"].values()
    assert found["accuracy"] > 0.8, found


def test_images_are_as_the_runner_expects_them():
    with np.load(IMAGES) as held:
        assert held["x"].shape[1:] == (16, 16, 1)
