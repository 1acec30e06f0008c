"""Layers, shapes and variables compared with live models of Keras 3 and tf_keras."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.facts import Architecture, Shape, Tensor
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.variables.matching import Binding, bind
from modelaudit.formats.keras.variables.slots import ExpectedVariable, variable_aliases
from modelaudit.settings import Limits
from tests.formats.bindings import missing
from tests.sharing import with_tensorflow

pytestmark = pytest.mark.slow

BUILDER = Path(__file__).with_name("keras_oracle_builder.py")
LAYOUTS = ("m.h5", "m.keras", "checkpoint.json")

# tf.train.Checkpoint does not track the cells of a Keras 3 StackedRNNCells.
LOST = ("keras3", "cells", "checkpoint.json")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("oracle")
    with_tensorflow(BUILDER, folder)
    found = sorted(path.parent for path in folder.glob("*/*/truth.json"))
    assert len(found) == 54
    return found


def configs(model: Path) -> dict[str, Architecture]:
    """The architecture according to each file of the model."""
    with h5py.File(model / "m.h5") as file:
        saved = {"m.h5": file.attrs["model_config"]}
    with zipfile.ZipFile(model / "m.keras") as archive:
        saved["m.keras"] = archive.read("config.json")
    saved["m.json"] = (model / "m.json").read_text()
    return {
        name: parse_architecture(json.loads(text), limits=Limits(), file=name)
        for name, text in saved.items()
    }


def datasets(file: h5py.File) -> tuple[list[Tensor], dict[str, str], dict[str, str]]:
    """Tensors, their digests, and the `name` attributes of the groups that hold them."""
    tensors: list[Tensor] = []
    digests: dict[str, str] = {}
    names: dict[str, str] = {}

    def visit(route: str, found: h5py.Group | h5py.Dataset) -> None:
        if isinstance(found, h5py.Dataset) and "name" in found.parent.attrs:
            names[route] = str(found.parent.attrs["name"])
        if isinstance(found, h5py.Dataset) and not route.startswith(("optimizer", "_optimizer")):
            tensors.append(Tensor(route, found.shape, str(found.dtype), found.nbytes, "f"))
            array = np.ascontiguousarray(found[()])
            digests[route] = hashlib.sha256(array.tobytes()).hexdigest()

    file.visititems(visit)
    return tensors, digests, names


def bound(model: Path, layout: str) -> tuple[Binding, dict[str, str]]:
    """Binding of one of the model's files, and digest by tensor name."""
    architecture = configs(model)["m.json" if layout == "checkpoint.json" else layout]
    if layout == "checkpoint.json":
        stored = json.loads((model / layout).read_text())
        tensors = [Tensor(t["name"], tuple(t["shape"]), "float32", 0, "c") for t in stored]
        names = {t["name"]: t["full_name"] for t in stored}
        digests = {t["name"]: t["digest"] for t in stored}
        return bind(architecture, tensors, "checkpoint", var_names=names), digests
    if layout == "m.keras":
        with zipfile.ZipFile(model / layout) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content) as file:
            tensors, digests, names = datasets(file)
        return bind(architecture, tensors, "h5_v3", var_names=names), digests
    with h5py.File(model / layout) as file:
        tensors, digests, _ = datasets(file)
        root = file["model_weights"]
        groups = {
            str(name): [f"model_weights/{name}/{w}" for w in root[name].attrs["weight_names"]]
            for name in root.attrs["layer_names"]
        }
    return bind(architecture, tensors, "h5_legacy", groups=groups), digests


def truth(model: Path) -> dict[str, list[dict[str, object]]]:
    return json.loads((model / "truth.json").read_text())


def test_layers_are_those_of_the_live_model_in_its_order(models: list[Path]) -> None:
    for model in models:
        live = [layer["path"] for layer in truth(model)["layers"]]
        for name, architecture in configs(model).items():
            ours = [layer.route for layer in architecture.layers if layer.route in live]
            assert ours == live, (model, name)
            assert architecture.dialect == model.parent.name


def test_shapes_are_those_of_the_live_model(models: list[Path]) -> None:
    compared = 0
    for model in models:
        for name, architecture in configs(model).items():
            for live in truth(model)["layers"]:
                if live.get("output") is None:
                    continue
                layer = architecture.layer(live["path"])
                where = (model, name, layer.route)
                assert layer.output_shape == tuple(live["output"]), where
                if layer.input_shapes and layer.class_name != "InputLayer":
                    # tf_keras reports positional inputs only, not `value=` of an attention.
                    inputs = layer.input_shapes[: len(live["inputs"])]
                    assert [list(s) for s in inputs] == live["inputs"], where
                compared += 1
            outputs = [architecture.layer(route).output_shape for route in architecture.outputs]
            assert outputs == [tuple(shape) for shape in truth(model)["outputs"]], (model, name)
    assert compared > 800


@pytest.mark.parametrize("layout", LAYOUTS)
def test_intact_files_have_no_unbound_tensors(models: list[Path], layout: str) -> None:
    for model in models:
        binding, _ = bound(model, layout)
        if (model.parent.name, model.name, layout) == LOST:
            assert len(missing(binding)) == 6
            continue
        left = (binding.unclaimed, missing(binding), binding.misordered)
        assert left == ((), (), ()), model


def is_told(expected: Shape, shape: list[int]) -> bool:
    """Whether a shape is the expected one, of which some sizes may be open."""
    return len(expected) == len(shape) and all(
        told in (None, size) for told, size in zip(expected, shape, strict=True)
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_variable_is_bound_to_its_own_tensor(models: list[Path], layout: str) -> None:
    compared = 0
    for model in models:
        if (model.parent.name, model.name, layout) == LOST:
            continue
        binding, digests = bound(model, layout)
        for live in truth(model)["layers"]:
            layer = binding.architecture.layer(live["path"])
            variables = live.get("variables", [])
            assert len(layer.expected) == len(variables), (model, layer.route)
            assert set(layer.expected) <= set(layer.variables), (model, layer.route)
            for role in layer.expected:
                tensor = layer.variables[role]
                match = [v for v in variables if v["digest"] == digests[tensor]]
                assert match, (model, layer.route, role, "another layer's values")
                slot = ExpectedVariable(layer.route, role, layer.expected[role])
                aliases = variable_aliases(slot)
                assert any(v["name"] in aliases for v in match), (model, layer.route, role)
                fits = [is_told(layer.expected[role], v["shape"]) for v in match]
                assert any(fits) or role == "vector_u", (model, layer.route, role)
                compared += 1
    assert compared > 200
