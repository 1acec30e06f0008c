"""Inputs of graphs that take encoded data: images as JPEG or PNG, features as `tf.train.Example`.

The graph says what it decodes. Such an input is described by what it contains, as pixels or as one
input for each feature, and is encoded before each call. Python 3.7 syntax; TensorFlow 1.15 and
later, which is passed in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import dtype_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .frames import Untyped

_PNG = ("DecodePng", "DecodeImage", "DecodeJpeg", "DecodeAndCropJpeg")  # all but the last read PNG
_EXAMPLES = ("ParseExample", "ParseExampleV2", "ParseSingleExample")
_NUMBERS = ("float32", "int64")  # of the three types that an Example has


class EncodedInput(ABC):
    """An input of strings. `ports` describe its content; `notes` say how that is known."""

    def __init__(self, tensor: Untyped, ports: list[dict[str, Any]], note: str) -> None:
        sizes = (
            [1] if tensor.shape.rank == 0 else tensor.shape.as_list() if tensor.shape.rank else []
        )
        self.single = tensor.shape.rank == 0
        for described in ports:
            described["shape"][0] = sizes[0] if sizes else None
        self.ports, self.notes = ports, [note]

    def values(self, tf: Untyped, feeds: list[NDArray[Any]]) -> NDArray[Any]:
        """The strings for a batch of what `ports` describe, or one string if it takes one."""
        strings = self._encoded(tf, feeds)
        return np.asarray(strings[0], object) if self.single else strings

    @abstractmethod
    def _encoded(self, tf: Untyped, feeds: list[NDArray[Any]]) -> NDArray[Any]:
        """A string for each row."""


class EncodedImages(EncodedInput):
    """Images, which the graph decodes."""

    def __init__(self, name: str, tensor: Untyped, decoder: str, channels: int) -> None:
        shape = [None, None, None, channels or 3]
        described = {"name": name, "dtype": "uint8", "shape": shape}
        self.jpeg = decoder == "DecodeAndCropJpeg"
        kind = "JPEG" if self.jpeg else "PNG"
        note = f"input {name!r} takes encoded images ({decoder}): images are encoded as {kind}"
        super().__init__(tensor, [described], note)

    def _encoded(self, tf: Untyped, feeds: list[NDArray[Any]]) -> NDArray[Any]:
        encoder = tf.io.encode_jpeg if self.jpeg else tf.io.encode_png
        return _evaluated(tf, lambda: [encoder(image) for image in feeds[0].astype(np.uint8)])


class EncodedExamples(EncodedInput):
    """Serialized `tf.train.Example`s with the numeric features that the graph parses."""

    def __init__(
        self, name: str, tensor: Untyped, features: list[tuple[str, str, list[int]]], left: int
    ) -> None:
        self.keys = [key for key, _, _ in features]
        ports = [
            {"name": key, "dtype": dtype, "shape": [None, *shape]} for key, dtype, shape in features
        ]
        note = f"input {name!r} takes serialized tf.train.Example: its features are inputs"
        super().__init__(tensor, ports, note)
        if left:
            self.notes.append(f"{left} features of text or of any length are left out")

    def _encoded(self, tf: Untyped, feeds: list[NDArray[Any]]) -> NDArray[Any]:
        rows = []
        for row in range(len(feeds[0]) if feeds else 0):
            example = tf.train.Example()
            for i, values in enumerate(feeds):
                feature = example.features.feature[self.keys[i]]
                if values.dtype.kind in "iu":
                    feature.int64_list.value.extend(values[row].reshape(-1).tolist())
                else:
                    feature.float_list.value.extend(values[row].reshape(-1).tolist())
            rows.append(example.SerializeToString())
        return np.array(rows, object)


def encoded_input(tf: Untyped, name: str, tensor: Untyped) -> EncodedInput | None:
    """What the strings of an input contain; None if the graph does not decode them.

    Nodes of the graph and of its functions count if they are the only ones of their kind: several
    decoders, or none, say nothing about one input.
    """
    if not hasattr(tensor, "op"):
        return None
    nodes = list(_nodes(tensor.graph.as_graph_def()))
    parsers = [node for node in nodes if node.op in _EXAMPLES]
    decoders = [node for node in nodes if node.op in _PNG]
    if parsers:
        features, left = _features(tf, parsers[0], nodes)
        return (
            EncodedExamples(name, tensor, features, left)
            if features and len(parsers) == 1
            else None
        )
    if len({node.op for node in decoders}) != 1:
        return None
    return EncodedImages(name, tensor, decoders[0].op, int(decoders[0].attr["channels"].i))


def _nodes(graph: Untyped) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _features(
    tf: Untyped, parser: Untyped, nodes: list[Any]
) -> tuple[list[tuple[str, str, list[int]]], int]:
    """Key, dtype and shape of each number that a parser returns, and how many features it has else.

    The keys are constants, of one vector in `ParseExampleV2`.
    """
    dtypes = [dtype_name(tf.as_dtype(each)) for each in parser.attr["Tdense"].list.type]
    shapes = [[d.size for d in each.dim] for each in parser.attr["dense_shapes"].list.shape]
    others = len(parser.attr["sparse_types"].list.type)
    if parser.op == "ParseSingleExample":
        keys = [key.decode("utf-8", "replace") for key in parser.attr["dense_keys"].list.s]
    else:
        constants = {node.name: node for node in nodes if node.op == "Const"}
        keys = _keys(tf, parser, constants)
    if not len(keys) == len(dtypes) == len(shapes):
        return [], others
    found = [
        (key, dtypes[i], shapes[i])
        for i, key in enumerate(keys)
        if dtypes[i] in _NUMBERS and all(size > 0 for size in shapes[i])
    ]
    return found, others + len(dtypes) - len(found)


def _keys(tf: Untyped, parser: Untyped, constants: dict[str, Any]) -> list[str]:
    """The keys of dense features: the inputs after those of sparse ones, or the fourth input."""
    if parser.op == "ParseExampleV2":
        wanted = [parser.input[3]]
    else:
        sparse = int(parser.attr["Nsparse"].i)
        wanted = list(parser.input)[2 + sparse : 2 + sparse + int(parser.attr["Ndense"].i)]
    keys: list[str] = []
    for source in wanted:
        node = constants.get(source.split(":")[0])
        if node is None:
            return []
        values = np.atleast_1d(tf.make_ndarray(node.attr["value"].tensor))
        keys += [value.decode("utf-8", "replace") for value in values.reshape(-1)]
    return keys


def _evaluated(tf: Untyped, build: Untyped) -> NDArray[Any]:
    """Values of the tensors that `build` makes, in a graph of their own without eager execution."""
    if tf.executing_eagerly():
        return np.array([each.numpy() for each in build()], object)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return np.array(session.run(build()), object)
