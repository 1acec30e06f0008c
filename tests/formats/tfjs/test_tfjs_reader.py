"""TensorFlow.js models, against what TensorFlow.js itself read of the same files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Format
from modelaudit.formats.reader import read
from modelaudit.formats.sniff import sniff
from modelaudit.formats.tfjs.sniff import tfjs_format
from modelaudit.pipeline import run_all_rules
from modelaudit.registry.discover import discover
from modelaudit.registry.snapshot import SnapshotReader
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace

MADE = Path(__file__).parent.parent.parent / "made" / "tfjs"
RECORDED = json.loads((MADE / "recorded.json").read_text())
GRAPHS = ("graph", "fused")


@pytest.fixture
def copied(tmp_path):
    """A function that copies a model, changes its JSON, and reads it."""

    def change(name, change=None, **files):
        folder = tmp_path / name
        shutil.copytree(MADE / name, folder)
        for file, data in files.items():
            (folder / f"{file}.bin").write_bytes(data)
        document = json.loads((folder / "model.json").read_text())
        if change:
            change(document)
        (folder / "model.json").write_text(json.dumps(document))
        return read(folder / "model.json", Limits())

    return change


@pytest.mark.parametrize("name", RECORDED)
def test_weights_are_those_of_tensorflow_js(name):
    artifact, told = read(MADE / name / "model.json", Limits()), RECORDED[name]
    assert artifact.complete
    assert artifact.problems == ()
    mine = {
        each.name: {"shape": [*each.shape], "dtype": each.dtype, "sha256": each.sha256}
        for each in artifact.tensors
    }
    assert mine == told["weights"]
    assert all(each.source.array().shape == each.shape for each in artifact.tensors)


@pytest.mark.parametrize("name", [name for name in RECORDED if name not in GRAPHS])
def test_layers_have_their_weights(name):
    artifact = read(MADE / name / "model.json", Limits())
    assert artifact.format is sniff(MADE / name / "model.json") is Format.TFJS_LAYERS
    layers = artifact.architecture.layers
    outer = [each.route for each in layers if "/" not in each.route]
    assert outer == RECORDED[name]["layers"]
    bound = {tensor for each in layers for tensor in each.variables.values()}
    assert bound == set(RECORDED[name]["weights"])
    assert artifact.extra["unclaimed"] == artifact.extra["misordered"] == []
    assert artifact.provenance.keras == "tfjs-layers 4.22.0"


def test_kernels_are_found():
    kinds = {
        name: [each.kind for each in read(MADE / name / "model.json", Limits()).kernels]
        for name in ("plain", "nested", "graph")
    }
    assert kinds == {
        "plain": ["conv", "depthwise", "dense"],
        "nested": ["conv", "dense"],
        "graph": ["dense"],
    }


def test_a_graph_model_has_its_graph_and_signature():
    artifact = read(MADE / "graph" / "model.json", Limits())
    assert artifact.format is Format.TFJS_GRAPH
    assert [node.op for node in artifact.graphs[0].nodes] == [
        *("Placeholder", "Const", "MatMul", "Softmax")
    ]
    (signature,) = artifact.signatures
    assert [port.tensor for port in signature.inputs] == ["x:0"]
    assert RECORDED["graph"]["inputs"] == ["x"]
    assert signature.inputs[0].shape == (None, 4)


@pytest.mark.parametrize(("op", "foreign"), [("Prelu", []), ("OfSomePackage", ["MA752"])])
def test_operations_of_tensorflow_js_are_not_foreign(copied, op, foreign):
    def change(document):
        document["modelTopology"]["node"][-1]["op"] = op

    results = run_all_rules(Facts(copied("graph", change)))
    assert [each.code for each in results if each.findings and each.code == "MA752"] == foreign


def test_labels_of_teachable_machine(tmp_path):
    shutil.copytree(MADE / "nested", tmp_path / "tm")
    names = ["Cat", "Dog", "Fish"]
    (tmp_path / "tm" / "metadata.json").write_text(json.dumps({"labels": names, "imageSize": 224}))
    artifact = read(tmp_path / "tm" / "model.json", Limits())
    assert artifact.extra["labels"]["names"] == names


def test_a_registry_lists_it_and_watches_its_weights():
    found = {each.relative: each.format for each in discover(MADE).candidates}
    assert found == {
        f"{name}/model.json": Format.TFJS_GRAPH if name in GRAPHS else Format.TFJS_LAYERS
        for name in RECORDED
    }
    seen = SnapshotReader(Limits()).snapshot(MADE / "shards" / "model.json").files
    assert [each.name for each in seen] == [
        *(f"group1-shard{i}of3.bin" for i in (1, 2, 3)),
        "model.json",
    ]


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b'{"format": "graph-model", "signature": {', Format.TFJS_GRAPH),
        (b'{"modelTopology":{"node":[{"name":"x"', Format.TFJS_GRAPH),
        (b'{"modelTopology": {"versions": {"producer"', Format.TFJS_GRAPH),
        (b' \n{"modelTopology":{"class_name":"Model"', Format.TFJS_LAYERS),
        (b'{"format" : "layers-model"', Format.TFJS_LAYERS),
        (b'{"class_name": "Model", "config": {}}', None),
        (b'["modelTopology"]', None),
        (b"", None),
    ],
)
def test_what_a_file_starts_like(head, form):
    assert tfjs_format(head) is form


@pytest.mark.parametrize("first", ["node", "library", "versions", "more"])
def test_a_graph_is_known_by_its_parts(copied, first):
    def change(document):
        del document["format"]
        graph = document["modelTopology"]
        document["modelTopology"] = {first: graph.pop(first, {}), **graph}

    artifact = copied("graph", change)
    assert (artifact.format, artifact.problems) == (Format.TFJS_GRAPH, ())
    assert len(artifact.graphs[0].nodes) == 4


def test_metadata_do_not_say_the_kind(copied):
    def change(document):
        document["userDefinedMetadata"] = {"format": "graph-model"}

    artifact = copied("plain", change)
    assert (artifact.format, artifact.problems) == (Format.TFJS_LAYERS, ())


@pytest.mark.parametrize("name", ["plain", "graph"])
def test_a_topology_behind_metadata_is_found(copied, tmp_path, name):
    def change(document):
        held = document.copy()
        document.clear()
        document.update({"userDefinedMetadata": {"text": "x" * 5000}, **held})

    artifact = copied(name, change)
    assert artifact.problems == ()
    assert [each.format for each in discover(tmp_path).candidates] == [artifact.format]


def test_the_config_as_the_converter_writes_it(copied):
    def wrapped(document):
        config = document["modelTopology"]
        document["modelTopology"] = {
            "keras_version": "2.12.0",
            "backend": "tensorflow",
            "model_config": config,
            "training_config": {"loss": "mse"},
        }

    artifact = copied("plain", wrapped)
    assert len(artifact.architecture.layers) == 5
    assert (artifact.provenance.keras, artifact.training) == ("2.12.0", {"loss": "mse"})


def test_integers_are_rounded_as_in_javascript(copied):
    def integers(document):
        (group,) = document["weightsManifest"]
        quantization = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
        group["weights"] = [
            {"name": "n", "shape": [4], "dtype": "int32", "quantization": quantization}
        ]

    artifact = copied("plain", integers, weights=bytes([0, 1, 2, 3]))
    # Math.round of -1, -0.5, 0, 0.5
    np.testing.assert_array_equal(artifact.tensors[0].source.array(), [-1, 0, 0, 1])


def test_strings_lie_between_weights(copied):
    def texts(document):
        (group,) = document["weightsManifest"]
        group["weights"] = [
            {"name": "s", "shape": [2], "dtype": "string"},
            {"name": "n", "shape": [1], "dtype": "float32"},
        ]

    data = b"\2\0\0\0ab\0\0\0\0" + np.float32(7).tobytes()
    text, number = copied("plain", texts, weights=data).tensors
    assert (text.role, text.nbytes, number.source.array().tolist()) == ("other", 10, [7.0])


def kinds(artifact):
    return [str(each.kind) for each in artifact.problems]


def changed(path, value):
    def change(document):
        (group,) = document["weightsManifest"]
        *above, last = path
        for key in above:
            group = group[key]
        group[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (changed(["paths"], ["other.bin"]), "missing-shard"),
        (changed(["paths"], ["../plain/weights.bin"]), "unsafe-path"),
        (changed(["paths"], ["/etc/passwd"]), "unsafe-path"),
        (changed(["paths"], ["weights.bin", "weights.bin"]), "duplicate-member"),
        (changed(["weights", 9, "shape"], [10**9]), "tensor-unreadable"),
        (changed(["weights", 9, "shape"], [1]), "size-mismatch"),
        (changed(["weights", 0, "shape"], [-1]), "config-invalid"),
        (changed(["weights", 0, "shape"], "3"), "config-invalid"),
        (changed(["weights", 0, "dtype"], "resource"), "config-invalid"),
        (changed(["weights", 0, "quantization"], {"dtype": "int3", "scale": 1}), "unsupported"),
        (
            changed(["weights", 0, "quantization"], {"dtype": "uint8", "scale": 10**400}),
            "config-invalid",
        ),
        (
            changed(["weights", 0, "quantization"], {"dtype": "uint8", "min": -(10**400)}),
            "config-invalid",
        ),
        (changed(["weights", 2, "name"], "conv2d_Conv2D1/bias"), "duplicate-member"),
        (changed(["weights", 0, "shape"], [10**9] * 30), "tensor-unreadable"),
    ],
)
def test_damage_is_a_problem(copied, change, kind):
    assert kind in kinds(copied("plain", change))


def test_a_link_out_of_the_model_is_not_followed(tmp_path):
    (tmp_path / "other.bin").write_bytes(b"private")
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "weights.bin").symlink_to(tmp_path / "other.bin")
    shutil.copy(MADE / "plain" / "model.json", folder)
    artifact = read(folder / "model.json", Limits())
    assert kinds(artifact) == ["unsafe-path"]
    assert [each.path for each in artifact.files] == ["model.json"]
    (folder / "weights.bin").unlink()
    shutil.copy(MADE / "plain" / "weights.bin", folder / "inner.bin")
    (folder / "weights.bin").symlink_to("inner.bin")
    assert kinds(read(folder / "model.json", Limits())) == []


def test_a_number_that_is_no_float_makes_a_graph_corrupt(copied):
    def change(document):
        node = document["modelTopology"]["node"][0]
        node.setdefault("attr", {})["huge"] = {"f": 10**400}

    assert kinds(copied("graph", change)) == ["corrupt"]


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("weightsManifest"),
        lambda document: document.update(weightsManifest=[]),
        lambda document: document.update(weightsManifest=[{"paths": [], "weights": []}]),
    ],
)
def test_layers_that_need_weights_have_none(copied, change):
    artifact = copied("plain", change)
    assert (artifact.complete, kinds(artifact)) == (False, ["missing-file"])


def test_layers_that_need_no_weights_may_have_none(copied):
    def change(document):
        del document["weightsManifest"]
        layers = document["modelTopology"]["config"]["layers"]
        layers[:] = [each for each in layers if each["class_name"] == "Flatten"]
        layers[0]["config"]["batch_input_shape"] = [None, 4, 4]

    artifact = copied("plain", change)
    assert (artifact.complete, kinds(artifact)) == (True, [])


@pytest.mark.parametrize("name", ["plain", "graph"])
@pytest.mark.parametrize("value", [None, [], "x", {"node": 3}, {"node": [{"name": 3}]}])
def test_what_is_neither_layers_nor_a_graph(copied, name, value):
    artifact = copied(name, lambda document: document.update(modelTopology=value))
    assert artifact.architecture is None
    assert len(artifact.tensors) == len(RECORDED[name]["weights"])


def test_too_many_strings_are_not_counted(copied):
    change = changed(["weights"], [{"name": "s", "shape": [10**9], "dtype": "string"}])
    assert kinds(copied("plain", change)) == ["tensor-unreadable", "missing-file"]


def test_a_large_json_file_is_not_read():
    limits = replace(Limits(), config_bytes=100)
    artifact = read(MADE / "plain" / "model.json", limits)
    assert (artifact.complete, kinds(artifact)) == (False, ["limit-exceeded"])
