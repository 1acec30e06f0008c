"""Gadgets, payloads, paths, patterns and sizes in configs; benign configs have no findings."""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelaudit.facts import Document, Json
from modelaudit.findings import Severity
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.rules.engine import run_rules
from modelaudit.rules.examples import model
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.rules.configs import dense, judged, wrapped


def names(layer: Json, compiled: Json = None) -> set[str]:
    return {finding.name for finding in judged(wrapped(layer, compiled))}


def function(module: str | None, name: str) -> dict[str, Json]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def typespec(module: str, name: str) -> dict[str, Json]:
    """An object that Keras 3 calls with the items of its config."""
    return {
        "module": module,
        "class_name": "__typespec__",
        "spec_name": name,
        "config": ["x"],
        "registered_name": None,
    }


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("subprocess", "Popen"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("importlib", "import_module"),
        ("os.path", "exists"),
        ("numpy", "load"),
        ("torch", "load"),
        ("pickle", "loads"),
        ("distutils.spawn", "spawn"),
        ("imp", "load_source"),
        ("commands", "getoutput"),
        ("PIL.Image", "open"),
        ("sklearn.externals.joblib", "load"),
    ],
)
def test_functions_of_other_modules(module: str, name: str) -> None:
    asked = function(module, name)
    for place in (asked, dense(activation=asked), dense(kernel_initializer={"config": [asked]})):
        (found,) = judged(wrapped(place))
        assert (found.name, found.severity) == ("arbitrary-module", Severity.CRITICAL)
        assert f"{module}.{name}" in found.detail
    assert names(dense(), {"loss": asked}) == {"arbitrary-module"}


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "builtins", "class_name": "print", "config": {}},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": "true"}},
        {
            "class_name": "Lambda",
            "config": {"function": "system", "function_type": "function", "module": "os"},
        },
        typespec("posixpath", "exists"),
        {"module": "joblib", "class_name": "load", "config": {}},
        {"class_name": "Dense", "config": {"name": "d", "activation": "os.system"}},
        {"class_name": "Dense", "config": {"name": "d", "metrics": ["mse", "subprocess.call"]}},
    ],
)
def test_objects_of_other_modules(layer: Json) -> None:
    assert names(layer) == {"arbitrary-module"}


@pytest.mark.parametrize("module", ["code.layers", "types"])
def test_a_user_module_named_like_a_standard_one_is_a_hint_only(module: str) -> None:
    (found,) = judged(wrapped({"module": module, "class_name": "Mix", "config": {}}))
    assert found.severity is Severity.MEDIUM


@pytest.mark.parametrize("module", ["jax._src.nn.functions", "torch.nn.functional"])
def test_activations_of_other_frameworks_are_no_attack(module: str) -> None:
    assert names(dense(activation=function(module, "gelu"))) == {"custom-object"}


@pytest.mark.parametrize(
    ("layer", "severity"),
    [
        ({"module": "lab.layers", "registered_name": "lab>Mix"}, Severity.MEDIUM),
        ({"module": "lab.layers", "registered_name": None}, Severity.MEDIUM),
        ({"module": "keras_lab", "registered_name": "Mix"}, Severity.MEDIUM),
        ({"module": None, "registered_name": "lab>Mix"}, Severity.LOW),
        ({"module": None, "registered_name": "signal>Mix"}, Severity.LOW),  # of the author's own
        ({"module": "__main__", "registered_name": "lab>Mix"}, Severity.LOW),
        ({"module": "keras_hub.src.models", "registered_name": "keras_hub>Mix"}, Severity.LOW),
        ({"module": "tensorflow_addons.layers", "registered_name": None}, Severity.LOW),
    ],
)
def test_a_module_that_loaders_import_is_more_severe(
    layer: dict[str, Json], severity: Severity
) -> None:
    (found,) = judged(wrapped({"class_name": "Mix", "config": {"name": "m"}, **layer}))
    assert (found.name, found.severity) == ("custom-object", severity)
    assert ("import modules" in found.detail) is (severity is Severity.MEDIUM)


@pytest.mark.slow
def test_tf_keras_imports_what_a_config_names_and_keras_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The basis of the severity of a module, and of names in one."""
    monkeypatch.syspath_prepend(tmp_path)
    for package, imports in (("tf_keras", True), ("keras", False)):
        name = f"named_for_{package}"
        (tmp_path / f"{name}.py").write_text("import os\n")
        loader = pytest.importorskip(f"{package}.src.saving.serialization_lib")
        asked = function(name, "os.getcwd")
        for config in (asked, {"module": name, "class_name": "Mix", "config": {}}):
            with contextlib.suppress(TypeError):
                got = loader.deserialize_keras_object(config, safe_mode=True)
                assert (got, imports) == (os.getcwd, True)
        assert (name in sys.modules) is imports


PICKLE = base64.b64encode(b"\x80\x04N.").decode()
LAMBDA_LOAD = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {
        "function": function("keras.models", "load_model"),
        "arguments": {"safe_mode": False},
    },
}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (function("keras.utils", "get_file"), {"config-downloads-file"}),
        (function(None, "get_file"), {"config-downloads-file"}),
        (dense(activation=function("keras.src.utils.file_utils", "get_file")),
         {"config-downloads-file"}),
        ({"class_name": "function", "config": "system", "registered_name": "os>system"},
         {"arbitrary-module", "custom-object"}),
        (function("keras_hub.src.utils.preset_utils", "get_file"),
         {"config-downloads-file", "custom-object"}),
        (typespec("keras.utils", "get_file"), {"config-downloads-file"}),
        (dense(activation="keras.utils.get_file"), {"config-downloads-file"}),
        ({"class_name": "Lambda", "config": {"function": "get_file", "function_type": "function"}},
         {"config-downloads-file"}),
        ({"class_name": "Lambda", "config": {
            "function": "get_file", "function_type": "function", "module": "keras.utils"}},
         {"config-downloads-file"}),
        (function("keras.config", "enable_unsafe_deserialization"), {"config-disables-safe-mode"}),
        (typespec("keras.config", "enable_unsafe_deserialization"), {"config-disables-safe-mode"}),
        (dense(safe_mode=0), {"config-disables-safe-mode"}),
        (dense(safe_mode=None), {"config-disables-safe-mode"}),
        (function("tensorflow.keras.utils", "plot_model"), {"non-modelling-function"}),
        (function("keras._tf_keras.keras.utils", "split_dataset"), {"non-modelling-function"}),
        (function("keras.applications", "ResNet50"), {"non-modelling-function"}),
        (function("keras.layers", "deserialize"), {"non-modelling-function"}),
        (function("keras.backend", "set_floatx"), {"non-modelling-function"}),
        (function("tensorflow.io.gfile", "remove"), {"tensorflow-function-call"}),
        (function("tensorflow.python.lib.io.file_io", "delete_recursively"),
         {"tensorflow-function-call"}),
        ({"module": "tensorflow.raw_ops", "class_name": "ReadFile", "config": {}},
         {"tensorflow-function-call"}),
        (LAMBDA_LOAD, {"config-disables-safe-mode", "non-modelling-function"}),
        (function("keras.preprocessing.image", "save_img"), {"non-modelling-function"}),
        (function("keras.src.utils.python_utils", "func_load"), {"non-modelling-function"}),
        ({"class_name": "TensorFlowOpLayer", "config": {
            "name": "w", "node_def": '{"name": "w", "op": "WriteFile"}'}},
         {"tensorflow-function-call"}),
        ({"class_name": "TFOpLambda", "config": {"name": "w", "function": "io.write_file"}},
         {"tensorflow-function-call"}),
        ({"class_name": "TorchModuleWrapper", "config": {"name": "t", "module": {
            "class_name": "__bytes__", "config": {"value": PICKLE}}}},
         {"pickle-in-config"}),
        (dense(extra={"class_name": "__bytes__",
                      "config": {"value": base64.b64encode(b"\x7fELF\2\1").decode()}}),
         {"pickle-in-config"}),
        *((dense(extra={"class_name": "__bytes__", "config": {
            "value": "\n" + base64.b64encode(pickle.dumps({"a": print}, protocol)).decode()}}),
           {"pickle-in-config"}) for protocol in range(6)),
        (dense(state=base64.b64encode(pickle.dumps({"a": [1] * 9}, 4)).decode()),
         {"pickle-in-config"}),
        (dense(name="t", registered_name="x") | {"registered_name": "keras>TFSMLayer"},
         {"external-saved-model", "custom-object"}),
        ({"class_name": "TFSMLayer", "config": {"name": "t", "filepath": "/x"}},
         {"external-saved-model"}),
        ({"class_name": "StringLookup", "config": {"name": "s", "vocabulary": "../x"}},
         {"vocabulary-from-path"}),
        ({"class_name": "TextVectorization", "config": {"name": "s", "idf_weights": "gs://b/x"}},
         {"vocabulary-from-path"}),
        ({"class_name": "IndicatorColumn", "config": {"categorical_column": {
            "class_name": "VocabularyFileCategoricalColumn",
            "config": {"key": "k", "vocabulary_file": "/x"}}}},
         {"vocabulary-from-path"}),
        (dense(name="../../x"), {"layer-name-traversal"}),
        (dense() | {"name": "../../x"}, {"layer-name-traversal"}),
        (dense(name="a\\b"), {"layer-name-traversal"}),
        (dense(dtype={"class_name": "DTypePolicyMap", "config": {"policy_map": {"(a|a)*$": "x"}}}),
         {"regular-expression-bomb"}),
        (dense(dtype={"class_name": "DTypePolicyMap", "config": {"policy_map": {"a" * 300: "x"}}}),
         {"regular-expression-bomb"}),
        (dense(units=10**12), {"oversized-layer"}),
        (dense(kernel_size=[3, 10**11]), {"oversized-layer"}),
        ({"class_name": "UpSampling2D", "config": {"name": "u", "size": [10**6, 10**6]}},
         {"oversized-layer"}),
        ({"class_name": "Resizing", "config": {"name": "u", "height": 10**6, "width": 10**6}},
         {"oversized-layer"}),
        (function("lab.paths", "os.system"), {"arbitrary-module"}),
        (function("keras.src.utils.io_utils", "shutil.rmtree"),
         {"arbitrary-module", "non-modelling-function"}),
        ({"module": "lab.paths", "class_name": "subprocess.Popen", "config": {}},
         {"arbitrary-module"}),
        (function("lab.paths", "check_output"), {"arbitrary-module", "custom-object"}),
        ({"module": "lab.paths", "class_name": "system", "config": {}},
         {"arbitrary-module", "custom-object"}),
        ({"module": "lab.__main__", "class_name": "Mix", "config": {}}, {"arbitrary-module"}),
        ({"module": "lab.layers", "class_name": "Mix", "config": {}}, {"custom-object"}),
        ({"module": "lab.layers", "class_name": "Mix.Inner", "config": {}}, {"custom-object"}),
        (function("lab.losses", "profile"), {"custom-object"}),
        ({"class_name": "Mix", "registered_name": "lab>Mix", "config": {}}, {"custom-object"}),
    ],
)  # fmt: skip
def test_gadgets(layer: Json, expected: set[str]) -> None:
    assert names(layer) == expected


@pytest.mark.parametrize(
    "layer",
    [
        dense(name="conv1/bn", units=10, activation="relu"),
        dense(activation=function("builtins", "binary_crossentropy")),
        dense(activation=function("keras.activations", "relu")),
        {
            "class_name": "TFOpLambda",
            "config": {"name": "tf.math.multiply", "function": "math.multiply"},
        },
        {"class_name": "StringLookup", "config": {"name": "s", "vocabulary": ["a", "/etc"]}},
        {"class_name": "Custom>Adam", "config": {"name": "Adam"}, "registered_name": "Custom>Adam"},
        dense(dtype={"class_name": "DTypePolicyMap", "config": {"policy_map": {"enc/.*": "x"}}}),
        {"class_name": "TensorFlowOpLayer", "config": {"name": "a", "node_def": '{"op": "AddV2"}'}},
        dense(activation=function("keras.utils", "normalize")),
        dense(activation=function("keras.applications.vgg16", "preprocess_input")),
        {
            "class_name": "Lambda",
            "config": {
                "function": "relu6",
                "function_type": "function",
                "module": "keras.applications.mobilenet",
            },
        },
        {"class_name": "TFOpLambda", "config": {"name": "s", "function": "signal.stft"}},
        {"class_name": "StringLookup", "config": {"name": "s", "vocabulary": ["os.system"]}},
        {"class_name": "Resizing", "config": {"name": "r", "height": 4096, "width": 4096}},
        typespec("tensorflow.python.framework.tensor", "TensorSpec"),
        dense(
            values={
                "class_name": "__bytes__",
                "config": {"value": base64.b64encode(b"cat\ndog\npig\n").decode()},
            }
        ),
        dense(values={"class_name": "__bytes__", "config": {"value": "aGVsbG8="}}),
    ],
)
def test_benign_configs_have_no_findings(layer: Json) -> None:
    assert names(layer, {"loss": "mse", "jit_compile": False}) == set()


def test_a_layer_of_many_weights_is_measured_by_its_shapes() -> None:
    entry = {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 2**20]}}
    layers: Json = [entry, dense(units=2**20)]
    config: Json = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    architecture = parse_architecture(config, limits=Limits())
    facts = Facts(replace(model(), architecture=architecture,
                          documents=(Document("config.json", "", config),)))  # fmt: skip
    (found,) = [f for r in run_rules(RULES, facts) for f in r.findings]
    assert (found.name, found.evidence["measured"]) == ("oversized-layer", 4 * 2**40)


def test_arguments_of_a_download_are_shown() -> None:
    layer: Json = {
        "class_name": "Lambda",
        "config": {
            "name": "l",
            "function": function("keras.utils", "get_file"),
            "arguments": {"origin": "http://localhost:9/x.tar", "extract": True},
        },
    }
    (found,) = judged(wrapped(layer))
    assert found.evidence["arguments"] == {"origin": "http://localhost:9/x.tar", "extract": True}


WORDS = st.sampled_from(
    ["class_name", "config", "module", "function", "name", "layers", "Lambda", "__lambda__", "code",
     "os", "system", "registered_name", "items", "arguments", "safe_mode", "vocabulary",
     "StringLookup", "__bytes__", "value", "DTypePolicyMap", "policy_map", "TorchModuleWrapper",
     "4wAAAAAAAAAAAAAAAAAAAAAAAA", "c\0\0\0\0" + "x" * 30, "(((a+", "\ud800", ""]
)  # fmt: skip
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=40,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_no_config_makes_a_rule_raise(value: Json) -> None:
    for finding in judged(value, wrapped(value)):
        assert finding.detail
        assert finding.fingerprint
