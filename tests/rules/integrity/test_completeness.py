"""Files without any weights, and archives without a config; their sound twins."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Kernel, TensorStats
from modelaudit.findings import Outcome, Severity
from modelaudit.graphs import GRAPH_KEY
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import partial_audit_reason, run_rule, run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security.config.examples import dense
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace
from tests.made.files import minimal_h5, minimal_keras
from tests.rules.stored_tensors import stored


def high(path: Path) -> dict[str, str]:
    """Code -> detail of the findings at high."""
    results = run_rules(CATALOGUE, static_facts(path, Settings()))
    findings = [finding for result in results for finding in result.findings]
    return {each.code: each.detail for each in findings if each.severity is Severity.HIGH}


def without_datasets(path: Path) -> None:
    """Delete all datasets, and what names them."""
    with h5py.File(path, "r+") as file:
        found: list[str] = []
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
        for name in found:
            del file[name]
        for group in file["model_weights"].values() if "model_weights" in file else ():
            group.attrs["weight_names"] = []


def rewritten(path: Path, *, dropped: str = "", emptied: str = "") -> None:
    """Write an archive again without a member, or with one whose datasets are gone."""
    unpacked = path.with_suffix("")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    if emptied:
        without_datasets(unpacked / emptied)
    with zipfile.ZipFile(path, "w") as archive:
        for member in sorted(unpacked.iterdir()):
            if member.name != dropped:
                archive.write(member, member.name)
    shutil.rmtree(unpacked)


@pytest.mark.parametrize("make", [minimal_h5, minimal_keras])
def test_a_file_without_any_weights(tmp_path, make):
    path = make(tmp_path / f"model.{make.__name__.rpartition('_')[2]}")
    assert high(path) == {}
    if make is minimal_h5:
        without_datasets(path)
    else:
        rewritten(path, emptied="model.weights.h5")
    assert high(path) == {
        "MA112": "The file holds no weights at all, but 1 layer needs some, first `dense`."
    }


CONFIG = (
    '{"class_name": "Sequential", "config": {"name": "s", "layers": [{"class_name": "InputLayer",'
    ' "config": {"name": "i", "batch_shape": [null, 4]}}, {"class_name": "%s", "config": '
    '{"name": "l", "units": 2}}]}}'
)


def empty_names(file: h5py.File) -> None:
    """A layer that names none."""
    group = file.create_group("model_weights")
    group.attrs["layer_names"] = [b"l"]
    group.create_group("l").attrs["weight_names"] = []


EMPTY = {
    "a.h5": lambda file: None,
    "b.h5": lambda file: file.create_group("model_weights"),
    "c.h5": empty_names,
    "a.keras": lambda file: None,
    "b.keras": lambda file: file.create_group("layers/l/vars"),
    "c.keras": lambda file: file.create_group("layers"),
}


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("layer", ["Dense", "ReLU"])
def test_no_weights_are_missing_only_if_a_layer_needs_some(tmp_path, name, layer):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        if name.endswith(".h5"):
            file.attrs.update({"keras_version": "2.11.0", "model_config": CONFIG % layer})
        EMPTY[name](file)
    path = (tmp_path / "weights.h5").rename(tmp_path / name)
    if name.endswith(".keras"):
        inner = path.rename(tmp_path / "weights.h5")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", CONFIG % layer)
            archive.writestr("metadata.json", '{"keras_version": "3.5.0"}')
            archive.write(inner, "model.weights.h5")
    assert set(high(path)) == ({"MA112"} if layer == "Dense" else set())


def test_an_archive_without_its_config(tmp_path):
    path = minimal_keras(tmp_path / "model.keras")
    rewritten(path, dropped="config.json")
    assert high(path) == {"MA107": "`model.keras` has no config.json"}


@pytest.mark.parametrize("bad", [0, 1, 28])
def test_slots_of_an_optimizer_that_are_not_finite_are_one_finding(bad):
    nan = replace(examples.ORDINARY, nonfinite=2)
    slots = [
        replace(
            examples.tensor(
                f"optimizer/vars/{each}", stats=nan if each < bad else examples.ORDINARY
            ),
            role="optimizer",
        )
        for each in range(30)
    ]
    kernels = [examples.tensor(f"dense_{each}/kernel", stats=nan) for each in range(2)]
    facts = Facts(examples.model(examples.layer(), tensors=(*kernels, *slots)))
    found = run_rule(rule("MA111"), facts).findings
    seen = [each.severity.value for each in found]
    assert seen == ["high", *["low"] * (bad > 0)]
    assert found[0].detail.endswith("1 other weight has such values too: `dense_1/kernel`.")
    if bad > 1:
        assert "27 other tensors" in found[-1].detail
    mean = replace(examples.tensor("metrics/mean", (), stats=nan), role="metric")
    facts = Facts(examples.model(examples.layer(), tensors=(mean, *slots)))
    found = run_rule(rule("MA111"), facts).findings
    assert [each.severity.value for each in found] == ["medium" if bad else "low"]
    assert found[0].detail.startswith("`optimizer/vars/0`" if bad else "`metrics/mean`")


@pytest.mark.parametrize(
    ("bad", "run", "start", "place", "said"),
    [
        (32, 32, 64, 0, "input feature 2 (counted from 0), and no others"),
        (64, 64, 32, 0, "input features 1 to 2 (counted from 0)"),
        (64, 32, 32, 0, ""),  # two rows apart, or a row and single values
        (32, 32, 7, 0, ""),
        (33, 33, 32, 0, ""),
        (192, 192, 0, 0, ""),
        (32, 32, 64, 1, ""),
    ],
)
def test_nan_in_whole_rows_of_the_first_kernel_names_the_inputs(bad, run, start, place, said):
    names = ("first/kernel", "second/kernel")
    nan = replace(examples.ORDINARY, nonfinite=bad, nonfinite_run=run, nonfinite_run_at=start)
    tensors = [
        examples.tensor(name, (6, 32), nan if number == place else examples.ORDINARY)
        for number, name in enumerate(names)
    ]
    kernels = tuple(
        Kernel(name.partition("/")[0], name, "dense", "io", 0, (6, 32)) for name in names
    )
    artifact = replace(examples.model(examples.layer(), tensors=tuple(tensors)), kernels=kernels)
    (found,) = run_rule(rule("MA111"), Facts(artifact)).findings
    assert ("in the training data are a likely cause" in found.detail) is bool(said)
    assert said in found.detail


@pytest.mark.parametrize(
    ("name", "nan", "most", "severity"),
    [
        ("attention/causal_mask", 0, 0.0, "low"),
        ("observer/min", 0, 0.0, "low"),
        ("attention/causal_mask", 1, 0.0, "high"),  # NaN is no mask
        ("own/weights", 0, 0.3, "high"),  # learnt numbers, of which some overflowed
        ("dense/kernel", 0, 0.0, "high"),
        ("layers/dense/vars/0", 0, 0.0, "high"),  # a number does not tell what it is
    ],
)
def test_infinite_values_of_masks_and_records_are_no_damage(name, nan, most, severity) -> None:
    stats = TensorStats(0.0, most, 0.0, 0.0, 6, 6, infinite=6 - nan)
    tensors = (examples.tensor(name, (3, 4), stats),)
    (found,) = run_rule(rule("MA111"), Facts(examples.model(tensors=tensors))).findings
    assert found.severity.value == severity
    # An optimizer's state of the shape says that it was learnt, whatever it is called.
    slot = replace(examples.tensor("optimizer/vars/2", (3, 4)), role="optimizer")
    made = Facts(examples.model(tensors=(*tensors, slot)))
    (found,) = run_rule(rule("MA111"), made).findings
    assert found.severity.value == "high"


@pytest.mark.parametrize(
    ("shape", "owned", "severity"),
    [((), False, "low"), ((), True, "high"), ((1,), False, "high")],
)
def test_a_best_loss_of_infinity_is_no_weight(shape, owned, severity) -> None:
    record = examples.tensor("best_loss", shape, replace(examples.ORDINARY, nonfinite=1))
    layer = examples.layer(variables={"scale": "best_loss"} if owned else None)
    tensors = (*examples.model(examples.layer()).tensors, record)
    (found,) = run_rule(rule("MA111"), Facts(examples.model(layer, tensors=tensors))).findings
    assert found.severity == severity


def test_missing_weights_of_several_layers_are_one_finding() -> None:
    layers = [examples.layer(name, variables={"kernel": f"{name}/kernel"}) for name in "abc"]
    (found,) = run_rule(rule("MA112"), Facts(examples.model(*layers))).findings
    assert found.detail.startswith("Layer `a` (Dense) needs bias, but")
    assert found.detail.endswith("2 other layers lack weights too: `b`, `c`.")
    (alone,) = run_rule(rule("MA112"), Facts(examples.model(layers[0]))).findings
    assert "other" not in alone.detail


@pytest.mark.slow
def test_a_checkpoint_without_the_model(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    tf.train.Checkpoint().save(str(tmp_path / "counter"))
    tf.train.Checkpoint(kernel=tf.Variable(tf.ones((3, 2)))).save(str(tmp_path / "sound"))
    found = run_rule(rule("MA112"), static_facts(tmp_path / "counter-1", Settings())).findings
    assert [each.severity for each in found] == [Severity.LOW]
    assert "only `save_counter`: it was saved without the model" in found[0].detail
    assert "or before it was built" in found[0].detail
    assert not run_rule(rule("MA112"), static_facts(tmp_path / "sound-1", Settings())).findings
    for name, said in (("counter-1", "has no weights and"), ("sound-1", "has weights but")):
        assert said in partial_audit_reason(static_facts(tmp_path / name, Settings()))


@pytest.mark.parametrize("code", ["lambda-of-unknown-function", "lambda-of-global"])
def test_a_function_that_a_lambda_lacks_is_code_outside_the_file(code: str) -> None:
    """The first is a name in the config; the second is in bytecode, which MA701 reports."""
    reason = Reason(code, LoadOutcome.FAILS, "", unless="l1 is passed", sign="l1")
    prediction = Prediction("tf==2.21", "load_model", LoadOutcome.FAILS, (reason,))
    found = run_rule(rule("MA715"), replace(dense(), predictions=(prediction,))).findings
    named = [each.detail for each in found if "function l1" in each.detail]
    assert bool(named) is (code == "lambda-of-unknown-function")


def of_two_layers(path: Path, lost: str = "") -> Path:
    """Two layers as Keras 2 saves them, without one dataset."""
    layers = [{"class_name": "Dense", "config": {"name": x, "units": 2}} for x in "ab"]
    layers[0]["config"]["batch_input_shape"] = [None, 2]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.11.0"
        file.attrs["model_config"] = json.dumps(config)
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [b"a", b"b"]
        for name in "ab":
            routes = [f"{name}/kernel:0", f"{name}/bias:0"]
            top.create_group(name).attrs["weight_names"] = [x.encode() for x in routes]
            for route, values in zip(routes, (np.eye(2), np.arange(2.0)), strict=True):
                if route != lost:
                    top[name][route] = values
    return path


@pytest.mark.parametrize("setting", ["hdf5_objects", "tensors"])
def test_what_was_not_read_is_not_missing(tmp_path: Path, setting: str) -> None:
    """A limit ends the search for weights; without it, they are there, or one is not."""
    few = Settings(limits=Limits(**{setting: 3}))
    whole, lost = of_two_layers(tmp_path / "m.h5"), of_two_layers(tmp_path / "l.h5", "b/bias:0")
    found = {
        (path.name, settings is few): {x.code: x for x in run_rules(CATALOGUE, facts)}
        for path in (whole, lost)
        for settings in (few, Settings())
        for facts in (static_facts(path, settings),)
    }
    for (name, limited), results in found.items():
        fails = [code for code in ("MA112", "MA118", "MA119") if results[code].findings]
        gone = ["MA112", "MA119"] if name == "l.h5" else []
        assert fails == (["MA118"] if limited else gone), (name, limited)
    assert "setting" in found["m.h5", True]["MA112"].reason


@pytest.mark.parametrize("built", [True, False])
def test_weights_that_were_saved_before_the_model_was_built(tmp_path: Path, built: bool) -> None:
    """Keras writes a group for each layer, and nothing into them."""
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for name in ("layers/dense/vars", "layers/gru/cell/vars", "vars"):
            group = file.create_group(name)
            if built and name != "vars":
                group["0"] = np.ones((3, 2), "float32")
    facts = static_facts(path, Settings())
    found = run_rule(rule("MA112"), facts).findings
    assert bool(found) is not built
    assert all("The file holds no weights: it was saved before" in each.detail for each in found)
    assert ("has weights but no architecture" in partial_audit_reason(facts)) is built


@pytest.mark.parametrize("read", [False, True])
def test_a_checkpoint_whose_object_graph_is_lost_does_not_say_whose_its_tensors_are(
    tmp_path: Path, read: bool
) -> None:
    """The index of a SavedModel without its data has keys such as variables/7."""
    bare = examples.layer(variables={"kernel": "dense/kernel"})
    graph = replace(examples.tensor(GRAPH_KEY, ()), dtype="string", role="other", stats=None)
    held = stored(tmp_path, "variables/1", np.zeros(2, "float32"))
    tensors = (
        replace(graph, source=held.source if read else None),
        examples.tensor("dense/kernel"),
        held,
    )
    artifact = examples.model(bare, tensors=tensors, extra={"unclaimed": ["variables/1"]})
    outcome = Outcome.FAIL if read else Outcome.NOT_APPLICABLE
    for code in ("MA112", "MA113"):
        assert run_rule(rule(code), Facts(artifact)).outcome is outcome
