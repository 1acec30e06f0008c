"""Makers of files with as many parts as fit; each takes a path and a number of parts."""

from __future__ import annotations

import base64
import json
import marshal
import zipfile
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from tests.formats import dense_graphs as graphs
from tests.formats.bundle_writer import BundleWriter


def scalars(path: Path, count: int) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.11.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"a"]
        space, one = h5py.h5s.create(h5py.h5s.SCALAR), np.array(1, np.float32)
        for number in range(count):  # by the inner interface, at a quarter of the cost
            if not number % 1000:
                inner = group.create_group(f"g{number}").id
            made = h5py.h5d.create(inner, b"%d" % number, h5py.h5t.IEEE_F32LE, space)
            made.write(space, space, one)


def chunks(path: Path, count: int) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = [b"a"]
        data = np.ones(count, np.float32)
        file.create_dataset("model_weights/w", data=data, chunks=(4,))


def one_chunk(path: Path, count: int) -> None:
    """Numbers in a single chunk, of which deflate leaves about a hundredth."""
    data = np.zeros(count, np.float32)
    data[: count // 90] = np.random.default_rng(0).random(count // 90)
    with h5py.File(path, "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = [b"a"]
        file.create_dataset("model_weights/w", data=data, chunks=data.shape, compression="gzip")


def attributes(path: Path, count: int) -> None:
    with h5py.File(path, "w") as file:
        space, text = h5py.h5s.create(h5py.h5s.SCALAR), np.array(b"x" * 9)
        kind = h5py.h5t.py_create(text.dtype)
        for number in range(count):
            if not number % 1000:
                inner = file.create_group(f"g{number}").id
            h5py.h5a.create(inner, b"a%d" % number, kind, space).write(text)


def archive(
    path: Path, layers: object, kind: str = "Sequential", method: int = 0, **more: object
) -> None:
    config = {"class_name": kind, "config": {"name": "s", "layers": layers, **more}}
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("config.json", json.dumps(config, separators=(",", ":")))
        file.writestr("metadata.json", '{"keras_version": "3.5.0"}')


def layers(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU"}] * count)


def lists(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU", "config": {"x": [[]] * count}}])


def numbers(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU", "config": {"x": [0] * count}}])


def packed(path: Path, count: int) -> None:
    """Lists that differ, so that their ratio is below that of a bomb, in an archive of 40 KB."""
    noise = [[number * number % 97] for number in range(1000)]
    archive(path, [], method=zipfile.ZIP_DEFLATED, x=noise * count)


def layer_names(path: Path, count: int) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        names = np.array([b"l%07d" % number for number in range(count)])
        file.create_group("model_weights").attrs["layer_names"] = names


def weight_names(path: Path, count: int) -> None:
    """In each of some layers, more names than datasets."""
    with h5py.File(path, "w", libver="latest") as file:
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [b"%d" % number for number in range(20)]
        names = np.array([b"w%07d" % number for number in range(count)])
        for number in range(20):
            top.create_group(str(number)).attrs["weight_names"] = names


def keys(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU", "config": {f"k{number}": 1 for number in range(count)}}])


def input_layers(path: Path, count: int) -> None:
    """A model of so many inputs, with a layer behind each."""
    made: list[object] = []
    for number in range(count):
        given, reader = {"name": f"i{number}"}, {"name": f"f{number}"}
        made.append({"class_name": "InputLayer", "config": given, **given, "inbound_nodes": []})
        taken = {"inbound_nodes": [[[f"i{number}", 0, 0, {}]]]}
        made.append({"class_name": "Flatten", "config": reader, **reader, **taken})
    first, last = ([[f"{end}{number}", 0, 0] for number in range(count)] for end in "if")
    archive(path, made, "Functional", input_layers=first, output_layers=last)


def texts(path: Path, count: int) -> None:
    words = [f"s{number}" for number in range(count)]
    archive(path, [{"class_name": "ReLU", "config": {"x": words}}])


def functions_of_layers(path: Path, count: int) -> None:
    packed = base64.b64encode(marshal.dumps((lambda x: x + 1).__code__)).decode()
    function = {"class_name": "__lambda__", "config": {"code": packed}}
    archive(path, [{"class_name": "Lambda", "config": {"name": "l", "function": function}}] * count)


def kernels(path: Path, count: int, side: int = 2) -> None:
    """Layers of one kernel each, all of which have the same finding if the side is 2."""
    one = np.ones(side * side) if side == 2 else np.random.default_rng(0).normal(size=side * side)
    names = [f"d{number}" for number in range(count)]
    layers = [{"class_name": "Dense", "config": {"name": name, "units": 2}} for name in names]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["model_config"] = np.bytes_(json.dumps(config))
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            group = top.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group[f"{name}/kernel:0"] = one.reshape(side, side).astype(np.float32)


def variables(path: Path, count: int, side: int = 2) -> None:
    writer = BundleWriter(path)
    one = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    for number in range(count):
        writer.add(f"d{number}/kernel", one)
    writer.write()


def packed_layers(path: Path, count: int) -> None:
    """Layers with configs as Keras 3 writes them, of which deflate leaves a thirtieth."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    names = (f"activation_{number * 7919 % 99991}" for number in range(count))
    made = [
        {"module": "keras.layers", "class_name": "ReLU", "config": {"name": name, "dtype": policy}}
        for name in names
    ]
    archive(path, made, method=zipfile.ZIP_DEFLATED)


def pointwise(path: Path, count: int) -> None:
    """A Keras model of TensorFlow.js with a small kernel and a bias in each layer."""
    made = [
        {"class_name": "Dense", "config": {"name": f"d{number}", "units": 3}}
        for number in range(count)
    ]
    weights = [
        {"name": f"d{number}/{role}", "shape": shape, "dtype": "float32"}
        for number in range(count)
        for role, shape in (("kernel", [3, 3]), ("bias", [3]))
    ]
    shard = path.with_name("group1-shard1of1.bin")
    np.random.default_rng(0).normal(size=12 * count).astype("<f4").tofile(shard)
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": made}}
    topology = {"keras_version": "2.15.0", "model_config": config}
    manifest = [{"paths": [shard.name], "weights": weights}]
    document = {"format": "layers-model", "modelTopology": topology, "weightsManifest": manifest}
    path.write_text(json.dumps(document))


def attacks(path: Path, count: int) -> None:
    """Layers with a finding of many rules each."""
    code = base64.b64encode(marshal.dumps(compile("os.system(x)", "", "eval"))).decode()
    made = []
    for number in range(count):
        config = {
            "name": f"../n{number}",
            "units": 10**12,
            "vocabulary": f"/etc/{number}",
            "activation": {"module": f"os{number}", "class_name": "function", "config": "system"},
            "function": {"class_name": "__lambda__", "config": {"code": code}},
            "filepath": "http://x/y",
            "module": {"class_name": "__bytes__", "config": {"value": "gASVAAA="}},
        }
        class_name = ("Lambda", "Dense", "StringLookup", "TorchModuleWrapper", "TFSMLayer")
        made.append({"class_name": class_name[number % 5], "module": "os.path", "config": config})
    archive(path, made)


def strings_of_a_tensor(path: Path, count: int) -> None:
    writer = BundleWriter(path)
    writer.add_strings("w", [b"a"] * count, (count,))
    writer.write()


def translatable(path: Path, count: int) -> None:
    """Layers of code that can be translated for other runtimes."""
    code = base64.b64encode(marshal.dumps((lambda x: x * 2 + 1).__code__)).decode()
    held = {"class_name": "__lambda__", "config": {"code": code}}
    made = [{"class_name": "Lambda", "config": {"function": held}} for _ in range(count)]
    archive(path, made)


DENSE = {
    "names.h5": (layer_names, 1_000_000, 1_000),
    "weights.h5": (weight_names, 50_000, 500),
    "inputs": (graphs.inputs, 2_000_000, 10_000),
    "keys.keras": (keys, 500_000, 500),
    "inputs.keras": (input_layers, 1_450, None),
    "texts.keras": (texts, 700_000, 500),
    "functions.keras": (functions_of_layers, 2_950, None),
    "convolutions.pb": (graphs.convolutions, 12_000, 500),
    "attacks.keras": (attacks, 2_950, None),
    "strings": (strings_of_a_tensor, 1_000_000, 500),
    "calls": (graphs.calls, 120, 1),
    "loops": (graphs.loops, 300, None),
    "text": (graphs.text_nodes, 100_000, 500),
    "escapes": (graphs.text_escapes, 1_000_000, 500),
    "graph_texts": (graphs.graph_texts, 700_000, None),
    "small_constants": (graphs.small_constants, 39_000, None),
    "many_loops": (graphs.many_loops, 20_000, None),
    "translatable.keras": (translatable, 2_950, None),
    "served_layers": (graphs.served_layers, 590, None),
    "served_sums": (graphs.served_sums, 2_900, None),
    "served_constants": (graphs.served_constants, 1_480, None),
    "packed.keras": (packed, 140, 10),
    "kernels.h5": (kernels, 2_950, 500),
    "packed_layers.keras": (packed_layers, 120_000, 500),
    "model.json": (pointwise, 15_000, 100),
    "variables": (variables, 18_000, 500),
    "wide_kernels.h5": (partial(kernels, side=24), 2_950, 500),
    "wide_variables": (partial(variables, side=16), 9_000, 500),
    "chunk.h5": (one_chunk, 60 << 20, 1 << 20),
    "m.h5": (scalars, 30_000, 1_000),
    "chunks.h5": (chunks, 400_000, 4_000),
    "a.h5": (attributes, 30_000, 1_000),
    "nodes": (graphs.nodes, 300_000, 10_000),
    "foreign": (graphs.foreign, 33_000, None),
    "functions": (graphs.functions, 200_000, 1_000),
    "objects": (graphs.objects, 200_000, 1_000),
    "signatures": (graphs.signatures, 40_000, 1_000),
    "assets": (graphs.assets, 100_000, 1_000),
    "metadata": (graphs.metadata, 20_000, 500),
    "meta_graphs": (graphs.meta_graphs, 8_000, 5),
    "constants.pb": (graphs.constants, 30_000, 500),
    "layers.keras": (layers, 30_000, 500),
    "lists.keras": (lists, 400_000, 10_000),
    "numbers.keras": (numbers, 2_000_000, 10_000),
}
