"""Objects of Keras and TensorFlow that a config may name, and those that no model consists of."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.facts import Json
from modelaudit.findings import Severity
from modelaudit.formats.keras.part_names import part_names
from tests.rules.configs import dense, judged, wrapped

ROOT = Path(__file__).resolve().parents[4]
TOOLS = ("utils", "config", "saving", "callbacks", "distribution", "visualization", "tree")


def function(module: str, name: str) -> dict[str, Json]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def thing(module: str, name: str) -> dict[str, Json]:
    return {"module": module, "class_name": name, "config": {}, "registered_name": None}


def called(name: str) -> dict[str, Json]:
    config: dict[str, Json] = {"name": "t", "function": name}
    return {"class_name": "TFOpLambda", "config": config, "inbound_nodes": []}


def high(layer: dict[str, Json], compiled: Json = None) -> set[str]:
    found = judged(wrapped(layer, compiled))
    return {each.code for each in found if each.severity.rank >= Severity.HIGH.rank}


HOSTILE = {
    "libraries": [
        function("tensorflow.python.framework.load_library", "load_library"),
        function("tensorflow.lite.python.interpreter", "load_delegate"),
        thing("tensorflow.lite.python.interpreter", "Delegate"),
        called("load_library"),
        called("load_op_library"),
    ],
    "resources of packages": [
        function("tensorflow.python.platform.resource_loader", "load_resource"),
        function("tensorflow.compat.v1.resource_loader", "readahead_file_path"),
        called("compat.v1.resource_loader.load_resource"),
    ],
    "profiler": [
        function("tensorflow.python.profiler.profiler_v2", "start"),
        thing("tensorflow.python.profiler.profiler_v2", "Profile"),
        function("tensorflow.summary", "trace_on"),
        called("profiler.experimental.server.start"),
    ],
    "modules that an import runs": [
        thing("tensorflow.tools.docs.doc_controls", "Anything"),
        thing("tensorflow.python.debug.cli.curses_ui", "Anything"),
        function("tensorflow.tools.compatibility.ipynb", "process_file"),
    ],
    "pictures": [
        function("keras.visualization", "plot_bounding_box_gallery"),
        function("keras.utils", "plot_model"),
        function("keras.src.visualization.draw_bounding_boxes", "draw_bounding_boxes"),
    ],
    "other hosts": [
        function("keras.distribution", "initialize"),
        thing("keras.distribution", "DataParallel"),
        thing("tensorflow.distribute", "Server"),
    ],
    "files": [
        function("tensorflow.python.ops.io_ops", "read_file"),
        function("tensorflow.python.ops.init_ops_v2", "io_ops.read_file"),
        function("tensorflow.io.gfile", "remove"),
        thing("tensorflow.python.ops.lookup_ops", "TextFileInitializer"),
        called("data.experimental.save"),
    ],
    "callbacks and wrappers": [
        thing("keras.callbacks", "CSVLogger"),
        thing("keras.src.callbacks.backup_and_restore", "BackupAndRestore"),
        thing("keras.wrappers", "SKLearnClassifier"),
    ],
    "code in texts": [
        function("keras.src.utils.python_utils", "func_load"),
        function("tf_keras.src.utils.generic_utils", "func_load"),
        function("keras.src.layers.core.lambda_layer", "python_utils.func_load"),
    ],
    "state of the program": [
        function("keras.config", "set_backend"),
        function("keras.backend", "clear_session"),
        function("tensorflow.config", "set_visible_devices"),
    ],
    "the terminal": [
        function("tf_keras.src.utils.io_utils", "print_msg"),
        function("keras.utils", "Progbar"),
        called("print"),
    ],
    "attributes of functions": [
        called("__operators__.getitem.__globals__"),
        called("summary.__operators__.trace_on"),
        function("tensorflow.__operators__.add", "__reduce__"),
    ],
}


def test_there_are_three_of_each_kind() -> None:
    assert min(map(len, HOSTILE.values())) >= 3


@pytest.mark.parametrize("asked", [each for some in HOSTILE.values() for each in some])
def test_what_is_no_part_is_high_wherever_it_is_named(asked: dict[str, Json]) -> None:
    places = [asked, dense(activation=asked), dense(kernel_initializer={"config": [{"a": asked}]})]
    for place in places:
        assert high(place) & {"MA704", "MA708"}
    assert high(dense(), {"loss": asked, "metrics": [[asked]]}) & {"MA704", "MA708"}


HONEST = [
    function("keras.activations", "gelu"),
    function("keras.src.activations.activations", "relu"),
    function("keras.ops", "mean"),
    function("keras.losses", "mean_squared_error"),
    function("keras.applications.resnet_v2", "preprocess_input"),
    function("keras.utils", "normalize"),
    function("tensorflow.python.ops.nn_ops", "relu_v2"),
    function("tensorflow.python.ops.nn_impl", "swish"),
    function("tensorflow.nn", "leaky_relu"),
    function("tensorflow.python.keras.losses", "binary_crossentropy"),
    thing("keras.src.models.functional", "Functional"),
    thing("keras", "DTypePolicy"),
    thing("keras.mixed_precision", "Policy"),
    thing("keras.optimizers.schedules", "CosineDecay"),
    thing("tensorflow.python.keras.layers.core", "Dense"),
    # In the last layer of EfficientNetV2, as Keras 2.12 to 2.15 writes `tf.constant_initializer`.
    thing("tensorflow.python.ops.init_ops_v2", "Constant"),
    thing("tensorflow.python.ops.init_ops", "GlorotUniform"),
    thing("keras.layers.experimental.preprocessing", "Rescaling"),
    thing("keras.src.applications.convnext", "LayerScale"),
    {
        "module": "tensorflow.python.framework.tensor_spec",
        "class_name": "__typespec__",
        "spec_name": "TensorSpec",
        "config": [[2], "float32"],
    },
    called("__operators__.getitem"),
    called("__operators__.add"),
    called("__operators__.ragged_getitem"),
    called("math.reduce_mean"),
    called("compat.v1.nn.conv2d"),
]


@pytest.mark.parametrize("asked", HONEST)
def test_parts_of_models_are_silent(asked: dict[str, Json]) -> None:
    assert high(dense(activation=asked)) == set()


def test_the_list_is_that_of_the_profiles() -> None:
    script = [sys.executable, ROOT / "scripts" / "keras_parts.py"]
    made = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    file = ROOT / "modelaudit" / "formats" / "keras" / "part_names.txt"
    assert file.read_text(encoding="utf-8") == made


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_safe_mode_hands_out_functions_that_are_no_parts(package: str) -> None:
    """The basis of the severity: loaders give them to whatever calls its activation."""
    library = pytest.importorskip(f"{package}.src.saving.serialization_lib")
    given = []
    for name in TOOLS:
        try:
            module = importlib.import_module(f"{package}.{name}")
        except ImportError:
            continue
        for tool, value in inspect.getmembers(module, inspect.isfunction):
            if tool.startswith("_") or tool in part_names():
                continue
            asked = function(f"{package}.{name}", tool)
            assert high(dense(activation=asked)), asked
            try:
                if library.deserialize_keras_object(asked, safe_mode=True) is value:
                    given.append(tool)
            except (TypeError, ValueError):  # newer versions refuse some
                continue
    assert len(given) > 20


@pytest.mark.slow
def test_what_keras_writes_is_silent() -> None:
    """Every activation, initializer, loss, metric and optimizer, as this Keras serializes it."""
    keras = pytest.importorskip("keras")
    count = 0
    for module in (keras.activations, keras.initializers, keras.losses, keras.optimizers):
        for name, value in inspect.getmembers(module):
            part = value
            if inspect.isclass(value):
                try:
                    part = value()
                except (TypeError, ValueError, NotImplementedError):
                    continue
            elif not inspect.isfunction(value) or name in {"get", "serialize", "deserialize"}:
                continue
            written = keras.saving.serialize_keras_object(part)
            if isinstance(written, dict):
                assert high(dense(activation=written)) == set(), written
                count += 1
    assert count > 80
