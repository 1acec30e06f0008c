"""Small valid models of every format, written without TensorFlow: the seeds of the mutations."""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import google_crc32c
import h5py
import numpy as np
from google.protobuf import text_format

from modelaudit.formats.checkpoint.sstable import masked, read_table
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.settings import Limits
from tests.formats.bundle_writer import BundleWriter, table
from tests.made import files, lite_files, saved_models
from tests.made.keras_configs import (
    functional,
    input_layer,
    keras3_model,
    layer,
    nested_model,
    shared_model,
)
from tests.made.marshalled import STREAMS

TFJS = Path(lite_files.__file__).parent / "tfjs"
SHARD = ".data-00000-of-00001"
ROOM = 300  # spaces after a config, so that it can grow in place


def _conv_model() -> dict:
    """A convolution, batch normalization, a Flatten and a dense head."""
    layers = [
        input_layer("x", 4, 4, 1),
        layer("Conv2D", "c", filters=2, kernel_size=[3, 3], inbound=[[["x", 0, 0, {}]]]),
        layer("BatchNormalization", "bn", axis=[3], inbound=[[["c", 0, 0, {}]]]),
        layer("Flatten", "f", inbound=[[["bn", 0, 0, {}]]]),
        layer("Dense", "d", units=3, activation="softmax", inbound=[[["f", 0, 0, {}]]]),
    ]
    return functional(layers, [["x", 0, 0]], [["d", 0, 0]])


def lambda_code() -> tuple[bytes, ...]:
    """Marshalled code of several Python versions, as Keras stores a Lambda's function."""
    return tuple(base64.b64decode(stream) for stream in STREAMS.values())


def lambda_model(code: bytes) -> dict:
    """A Keras 3 config with a Lambda of that bytecode."""
    function = {
        "class_name": "__lambda__",
        "config": {"code": base64.b64encode(code).decode(), "defaults": None, "closure": None},
    }
    call = [[["x", 0, 0, {}]]]
    layers = [input_layer("x", 4), layer("Lambda", "l", function=function, inbound=call)]
    return functional(layers, [["x", 0, 0]], [["l", 0, 0]])


def configs() -> tuple[bytes, ...]:
    """Keras configs of several versions."""
    models = (_conv_model(), keras3_model(), shared_model(), nested_model(1))
    return tuple(json.dumps(each).encode() for each in (*models, lambda_model(lambda_code()[-1])))


def full_h5(path: Path, text: str = "fixed", storage: str = "contiguous") -> bytes:
    """A Keras 2 model: `_conv_model` with weights, training settings and optimizer slots."""
    rng = np.random.default_rng(8)
    weights = {
        "c": {"kernel:0": (3, 3, 1, 2), "bias:0": (2,)},
        "bn": {"gamma:0": (2,), "beta:0": (2,), "moving_mean:0": (2,), "moving_variance:0": (2,)},
        "d": {"kernel:0": (8, 3), "bias:0": (3,)},
    }
    options = {}
    if storage == "chunked":
        options = {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True}
    attributes = {
        "keras_version": "2.11.0",
        "backend": "tensorflow",
        "model_config": json.dumps(_conv_model()) + " " * ROOM,
        "training_config": json.dumps({"loss": "mse", "metrics": [["acc"]]}) + " " * 50,
    }
    with h5py.File(path, "w", libver="latest" if text == "latest" else "earliest") as file:
        for name, value in attributes.items():
            file.attrs[name] = value if text == "vlen" else np.bytes_(value.encode())
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [name.encode() for name in weights]
        for name, shapes in weights.items():
            group = top.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{role}".encode() for role in shapes]
            for role, shape in shapes.items():
                values = rng.normal(size=shape).astype("float32")
                group.create_dataset(f"{name}/{role}", data=values, **options)
        file["optimizer_weights/Adam/m:0"] = np.zeros((3, 3, 1, 2), "float32")
    return path.read_bytes()


def v3_weights(path: Path) -> bytes:
    """A Keras 3 `.weights.h5` with an optimizer, a compact and a bfloat16 variable."""
    rng = np.random.default_rng(9)
    with h5py.File(path, "w") as file:
        for name, shape in {"conv2d": (3, 3, 1, 2), "dense": (4, 3)}.items():
            group = file.create_group(f"layers/{name}/vars")
            group.attrs["name"] = name
            group.create_dataset("0", data=rng.normal(size=shape).astype("float32"))
            half = group.create_dataset("1", data=np.zeros(3, "V2"))
            half.attrs["dtype"] = "bfloat16"
        file["optimizer/vars/0"] = np.int64(3)
        file.create_dataset("layers/dense/vars/2", data=np.ones((40, 5)), chunks=(8, 5))
    return path.read_bytes()


def archives(folder: Path) -> tuple[bytes, ...]:
    """.keras archives: stored, deflated, with a Lambda, with weights as npz."""
    plain = files.minimal_keras(folder / "plain.keras")
    with zipfile.ZipFile(plain) as source:
        members = {name: source.read(name) for name in source.namelist()}
    kernel, bias = files.dense_weights()
    np.savez(folder / "weights.npz", **{"layers/dense/vars/0": kernel, "layers/dense/vars/1": bias})
    npz = {"model.weights.npz": (folder / "weights.npz").read_bytes()}
    npz |= {name: members[name] for name in ("config.json", "metadata.json")}
    found = [plain.read_bytes()]
    variants = (members, members | {"config.json": configs()[-1], "assets/a.txt": b"a\n"}, npz)
    for number, each in enumerate(variants):
        path = folder / f"{number}.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in each.items():
                archive.writestr(name, content)
        found.append(path.read_bytes())
    return tuple(found)


def arrays(folder: Path) -> tuple[bytes, ...]:
    """.npz archives: stored, deflated, with arrays of several types and orders."""
    kernel, bias = files.dense_weights()
    path = folder / "weights.npz"
    np.savez(path, **{"layers/dense/vars/0": kernel, "layers/dense/vars/1": bias})
    stored = path.read_bytes()
    more = {"layers/a/vars/0": kernel[:2], "layers/a/vars/1": np.arange(5), "optimizer/vars/0": 3.5}
    np.savez_compressed(path, **more)
    return stored, path.read_bytes()


def packed_models(folder: Path) -> tuple[bytes, ...]:
    """Archives of models: tar with long names and links, gzip, a compressed file, zip."""
    model = files.minimal_keras(folder / "packed.keras").read_bytes()
    found = []
    for kind, mode in (
        (tarfile.PAX_FORMAT, "w:gz"),
        (tarfile.GNU_FORMAT, "w:"),
        (tarfile.USTAR_FORMAT, "w:xz"),
    ):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode, format=kind) as archive:
            for name in ("a/m.keras", "checkpoint", "b" * 99 + ".h5", f"{'c/' * 60}m.keras"):
                member = tarfile.TarInfo(name[: 99 if kind == tarfile.USTAR_FORMAT else None])
                member.size = len(model)
                archive.addfile(member, io.BytesIO(model))
            link = tarfile.TarInfo("l.h5")
            link.type, link.linkname = tarfile.SYMTYPE, "a/m.keras"
            archive.addfile(link)
        found.append(out.getvalue())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a/m.keras", model)
    return (*found, gzip.compress(model, mtime=0), out.getvalue())


def orbax(folder: Path) -> Path:
    """One step of an Orbax checkpoint, as Keras writes it."""
    (folder / "pytree").mkdir(parents=True)
    (folder / "_CHECKPOINT_METADATA").write_text("{}")
    (folder / "pytree" / "manifest.ocdbt").write_bytes(b"\x0c\xdb\x3a\x2a")
    key = {"key_metadata": [{"key": "kernel", "key_type": 2}], "value_metadata": {"path": "a"}}
    (folder / "pytree" / "_METADATA").write_text(
        json.dumps({"tree_metadata": {"('kernel',)": key}})
    )
    (folder / "model_config").mkdir()
    (folder / "model_config" / "metadata").write_text(
        json.dumps({"config": json.dumps(keras3_model())})
    )
    return folder


def tfjs_model(name: str) -> Callable[[Path], object]:
    """A function that writes a model of TensorFlow.js: one of those that it wrote itself."""
    return partial(shutil.copytree, TFJS / name)


def unpacked(folder: Path) -> Path:
    """The directory that a .keras archive was unpacked into."""
    with zipfile.ZipFile(files.minimal_keras(folder.with_suffix(".keras"))) as archive:
        archive.extractall(folder)
    return folder


def saved_model(folder: Path) -> Path:
    """A Keras 2 SavedModel with every optional file."""
    saved_models.tf2_model(folder)
    fingerprint = pb.FingerprintDef(saved_model_checksum=1 << 63, uuid="12")
    (folder / "fingerprint.pb").write_bytes(fingerprint.SerializeToString())
    return folder


def text_saved_model(folder: Path) -> Path:
    """The same with its graph in text form."""
    binary = saved_model(folder) / "saved_model.pb"
    message = pb.SavedModel.FromString(binary.read_bytes())
    binary.unlink()
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    return folder


def graph_messages() -> tuple[bytes, ...]:
    """SavedModel messages with what `saved_model` lacks: TF1, assets, a loop, a Const."""
    message = saved_models.tf1_message()
    nodes = message.meta_graphs[0].graph_def.node
    for name, value in {
        "path": b"/etc/passwd",
        "nested": pb.GraphDef().SerializeToString(),
    }.items():
        node = nodes.add(name=name, op="Const")
        node.attr["dtype"].type = pb.DT_STRING
        node.attr["value"].tensor.dtype = pb.DT_STRING
        node.attr["value"].tensor.string_val.append(value)
    sizes = nodes.add(name="dims", op="Const")
    sizes.attr["value"].tensor.dtype = pb.DT_INT32
    sizes.attr["value"].tensor.tensor_shape.dim.add(size=2)
    sizes.attr["value"].tensor.tensor_content = np.array([4, 5], "<i4").tobytes()
    nodes.add(name="fill", op="Fill", input=["dims", "w"])
    nodes.add(name="read", op="ReadFile", input=["path"])
    nodes.add(name="loop", op="While", input=["x"]).attr["cond"].func.name = "c"
    message.meta_graphs[0].graph_def.library.function.add().signature.name = "c"
    return (message.SerializeToString(), saved_models.tf1_message().SerializeToString())


def checkpoint(folder: Path) -> Path:
    """A TF1 checkpoint `m` with `.meta` and state file."""
    folder.mkdir(parents=True)
    writer = BundleWriter(folder / "m")
    writer.add("w", np.eye(2, 3, dtype="float32"))
    writer.add("w/Adam", np.zeros((2, 3), "float32"))
    writer.add("global_step", np.array(7, "int64"))
    writer.add_strings("words", [b"a", b"bc"], (2,))
    writer.write()
    meta = saved_models.tf1_message().meta_graphs[0]
    meta.saver_def.version = pb.SaverDef.V2
    (folder / "m.meta").write_bytes(meta.SerializeToString())
    state = 'model_checkpoint_path: "m"\nall_model_checkpoint_paths: "m"\n'
    (folder / "checkpoint").write_text(state)
    return folder


def object_checkpoint(folder: Path, objects: bytes | None = None) -> Path:
    """A TF2 checkpoint `m` with the given serialised object graph."""
    if objects is None:
        graph = pb.TrackableObjectGraph()
        nodes = [graph.nodes.add() for _ in range(4)]
        for parent, name, child in ((0, "model", 1), (1, "kernel", 2), (0, "optimizer", 3)):
            nodes[parent].children.add(local_name=name, node_id=child)
        nodes[2].attributes.add(name="VARIABLE_VALUE", checkpoint_key="k")
        slot = nodes[3].slot_variables.add(original_variable_node_id=2, slot_name="m")
        slot.slot_variable_node_id = 2
        objects = graph.SerializeToString()
    writer = BundleWriter(folder / "m")
    writer.add("k", np.eye(2, 3, dtype="float32"))
    writer.add_strings("_CHECKPOINTABLE_OBJECT_GRAPH", [objects], ())
    writer.write()
    return folder


def frozen_graph() -> bytes:
    """A GraphDef whose weights are constants."""
    graph = pb.GraphDef()
    graph.versions.producer = 27
    graph.node.add(name="x", op="Placeholder")
    kernel = graph.node.add(name="w", op="Const")
    kernel.attr["dtype"].type = pb.DT_FLOAT
    kernel.attr["value"].tensor.dtype = pb.DT_FLOAT
    for size in (2, 3):
        kernel.attr["value"].tensor.tensor_shape.dim.add(size=size)
    kernel.attr["value"].tensor.tensor_content = np.eye(2, 3, dtype="<f4").tobytes()
    graph.node.add(name="y", op="MatMul", input=["x", "w"])
    return graph.SerializeToString()


def with_right_checksums(prefix: Path) -> None:
    """Give every entry of a checkpoint's index the checksum of its bytes."""
    index, shard = (prefix.with_name(prefix.name + end) for end in (".index", SHARD))
    data = shard.read_bytes()
    rows = []
    for key, value in read_table(index.read_bytes(), "", Limits()):
        entry = pb.BundleEntryProto.FromString(value) if key else None
        if entry and entry.dtype != pb.DT_STRING:  # CRCs of strings are not those of the raw bytes
            piece = data[entry.offset : entry.offset + entry.size]
            entry.crc32c = masked(google_crc32c.value(piece))
        rows.append((key, entry.SerializeToString() if entry else value))
    index.write_bytes(table(rows))


def lite_models() -> tuple[bytes, ...]:
    """TensorFlow Lite models: quantised with metadata and an archive, and one of TensorFlow."""
    kernel = np.random.default_rng(3).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    given = lite_files.quantization([0.1, 0.2, 0.3, 0.4], [0])
    described = {
        "TFLITE_METADATA": lite_files.described(127.5, 127.5),
        "min_runtime_version": b"1.14.0".ljust(16, b"\0"),
    }
    model = lite_files.with_metadata(lite_files.conv_model(kernel, quantized=given), described)
    archived = lite_files.with_archive(lite_files.packed(model), {"labels.txt": b"a\nb\nc\nd\n"})
    flex = lite_files.conv_model()
    flex.subgraphs[0].outputs = [lite_files.add_tensor(flex, "text", (1,))]
    code, options = lite_files.schema().BuiltinOperator.CUSTOM, lite_files.flex_options("ReadFile")
    lite_files.add_operator(
        flex, code, [3], flex.subgraphs[0].outputs, custom="FlexReadFile", data=options
    )
    return archived, lite_files.packed(flex)
