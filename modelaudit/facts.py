"""The content of a saved model, as frozen structs.

Readers (`modelaudit.formats`) create these, all other code only reads them. Nothing is judged here:
an irregularity found by a reader is a `Problem`, and a rule decides what it means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct, field

from modelaudit.errors import ProblemKind
from modelaudit.file_formats import Format
from modelaudit.graphs import (
    Endpoint,
    Graph,
    GraphFunction,
    GraphNode,
    Json,
    LiteModel,
    ObjectNode,
    Shape,
    Signature,
    fits,
    trains,
)
from modelaudit.structs import PartlyCompared, PerObject

Dialect: TypeAlias = Literal["keras1", "keras2", "keras3"]  # the generation that wrote a config

if TYPE_CHECKING:  # so that `--help` does not import numpy
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Architecture",
    "Artifact",
    "Dialect",
    "Endpoint",
    "FileEntry",
    "Format",
    "Graph",
    "GraphFunction",
    "GraphNode",
    "Json",
    "Kernel",
    "Layer",
    "ObjectNode",
    "Problem",
    "ProblemKind",
    "Provenance",
    "Shape",
    "Signature",
    "Tensor",
    "TensorSource",
    "TensorStats",
    "fits",
]


class Problem(Struct, frozen=True):
    """One irregularity, its location and measured values."""

    kind: ProblemKind
    file: str
    detail: str
    route: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)


class FileEntry(Struct, frozen=True):
    """A file of the model."""

    path: str
    """POSIX path relative to the model's root."""
    size: int
    """Size in bytes."""
    sha256: str | None
    """Digest; null if the file could not be read or is over the limit."""
    role: str = ""
    """config, weights, graph, index, asset, metadata, archive or foreign."""


def is_row(shape: tuple[int, ...]) -> bool:
    """Whether it is a vector, or one with further axes of size 1 before it."""
    return bool(shape) and math.prod(shape[:-1]) == 1


@runtime_checkable
class TensorSource(Protocol):
    """Lazy, bounded access to a stored tensor's values."""

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[NDArray[np.generic]]:
        """Yield 1-D pieces in C order, each of at most `max_bytes` (and at least one element).

        Raises:
            ReadError: the bytes are missing or fail their checksum.
        """

    def array(self) -> NDArray[np.generic]:
        """The whole tensor in its shape; for kernels, which are read one at a time."""


class TensorStats(Struct, frozen=True):
    """Statistics over the finite values (float64); None for non-numeric or empty tensors.

    `zeros` and `nonfinite` are counts of elements. `std` is the population deviation. The longest
    run of zeros in C order has `zero_run` elements and starts at element `zero_run_at`, that of
    values that are not finite likewise. `second` is the second largest magnitude, 0 if it is not
    known. Of rows (see `is_row`), `faded` counts the elements of a magnitude up to `FADED`, zeros
    included. Of the values that are not finite, `infinite` are no NaN.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    zeros: int
    nonfinite: int
    zero_run: int = 0
    zero_run_at: int = 0
    second: float = 0.0
    nonfinite_run: int = 0
    nonfinite_run_at: int = 0
    faded: int = 0
    infinite: int = 0

    @property
    def constant(self) -> bool:
        """Whether all values are finite and equal."""
        return self.minimum == self.maximum and self.nonfinite == 0


class Tensor(PartlyCompared, frozen=True, eq=False):
    """A stored tensor. `name` is its route in the file and unique within the artefact.

    `dtype` is the numpy name (float32, int64 …), `bfloat16`, or `string`. `sha256` is over the
    C-order little-endian bytes, so equal values of one dtype have the same digest in every format.
    `role` is weight, optimizer, metric or other (counters, strings, object graph protos).
    """

    aside = ("source",)
    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    file: str
    role: str = "weight"
    sha256: str | None = None
    stats: TensorStats | None = None
    source: TensorSource | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Layer(Struct, frozen=True):
    """One layer of the saved architecture; nested models' layers are listed with their path.

    Attributes:
        route: unique path of layer names, `outer/inner/conv2d`; `conv2d` at the top level.
        config_route: route of keys in the saved config, `config/layers/3`.
        inbound: routes of the layers whose outputs it takes, one tuple per call (node).
            Entries that are the model's own inputs are their InputLayer's route.
        call_kwargs: keyword arguments as saved, one per call; `call_numbers` are its numbers.
        variables: role (kernel, bias, gamma, moving_mean, depthwise_kernel …) -> Tensor.name.
        expected: role -> shape implied by the config (None for unknown axes).
        trainable: as saved in the config.
    """

    route: str
    name: str
    class_name: str
    module: str | None = None
    registered_name: str | None = None
    config: Mapping[str, Json] = field(default_factory=dict)
    config_route: str = ""
    inbound: tuple[tuple[str, ...], ...] = ()
    call_kwargs: tuple[Mapping[str, Json], ...] = ()
    input_shapes: tuple[Shape, ...] = ()
    output_shape: Shape | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, Shape] = field(default_factory=dict)
    trainable: bool = True
    is_model: bool = False
    custom: bool = False
    call_numbers: tuple[tuple[float, ...], ...] = ()


class Architecture(Struct, frozen=True):
    """The saved Keras config as a layer graph.

    `layers` are in execution order, those of a nested model after it; `inputs` and `outputs` are
    routes. `assumed`: they are parts that a class writes into its config, which its code joins.
    `held`: layers with a config beside that of the subclassed model which holds them.
    """

    class_name: str
    name: str
    dialect: Dialect
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    config: Mapping[str, Json] = field(default_factory=dict)
    assumed: bool = False
    held: tuple[Layer, ...] = ()

    def find(self, route: str) -> Layer | None:
        """The layer at `route`, if there is one."""
        return _layers(self).get(route)

    def layer(self, route: str) -> Layer:
        """The layer at `route`.

        Raises:
            KeyError: no such layer.
        """
        return _layers(self)[route]


_layers = PerObject[Architecture, dict[str, Layer]](lambda x: {y.route: y for y in x.layers[::-1]})


class Kernel(Struct, frozen=True):
    """A weight tensor and the operation that applies it.

    `kind` is conv, depthwise, transpose or dense. `axes` is the order of the kernel's axes:
    `hwio` means spatial axes, then in, then out; `hwoi` for transposed convolutions;
    `hwcm` for depthwise (channel, multiplier); `io` for dense.
    `spatial` is the number of spatial axes (0 for dense). `grid` is set for a Dense kernel that
    directly follows a Flatten: (H, W, C) of the flattened map. `beta` is that of a batch
    normalization which directly follows the bias in a graph. `order` is set if the tensor is stored
    in another order than `axes`: the stored axes in this order, and `shape` is that of the result.
    """

    route: str
    tensor: str
    kind: str
    axes: str
    spatial: int
    shape: tuple[int, ...]
    bias: str | None = None
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    padding: str = ""
    groups: int = 1
    data_format: str = "channels_last"
    activation: str | None = None
    initializer: Mapping[str, Json] | None = None
    bias_initializer: Mapping[str, Json] | None = None
    grid: tuple[int, ...] | None = None
    beta: str | None = None
    order: tuple[int, ...] = ()


class Provenance(Struct, frozen=True):
    """Versions as written in the file, not normalised; None if missing.

    They are claims of the file's author: use them for information, never to lower a severity.
    """

    keras: str | None = None
    """Version of Keras."""
    backend: str | None = None
    """Backend of Keras."""
    tensorflow: str | None = None
    """Version of TensorFlow."""
    tensorflow_git: str | None = None
    """Git version of TensorFlow."""
    producer: int | None = None
    """GraphDef producer version."""
    min_consumer: int | None = None
    """Lowest GraphDef consumer version that may read it."""
    date_saved: str | None = None
    """When it was saved."""
    exporter: str | None = None
    """What wrote it: keras2-save, keras3-export, tf1-builder, tf-module and others."""


class Document(Struct, frozen=True):
    """A JSON document of the model as it was saved, whether or not it describes a valid model.

    `route` is its location in `file` (`model_config`, `nodes/3`), empty for the whole file.
    """

    file: str
    route: str
    value: Json


class Artifact(Struct, frozen=True):
    """Everything that was read from one saved model.

    Attributes:
        root: absolute path of the file, the directory, or the checkpoint's prefix.
        sha256: over (path, size, digest) of every file; None if a file could not be hashed.
        complete: every byte that the model needs exists and is readable.
        training: training_config / compile_config as saved.
        extra: further facts by name (fingerprint fields, labels, archive metadata …), JSON.
        documents: every config in the file, in full: everything that a loader might use.
        lite: the program of a TensorFlow Lite model.
    """

    root: Path
    format: Format
    files: tuple[FileEntry, ...] = ()
    sha256: str | None = None
    complete: bool = True
    provenance: Provenance = Provenance()
    architecture: Architecture | None = None
    training: Mapping[str, Json] | None = None
    signatures: tuple[Signature, ...] = ()
    object_graph: tuple[ObjectNode, ...] = ()
    graphs: tuple[Graph, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    problems: tuple[Problem, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)
    documents: tuple[Document, ...] = ()
    lite: LiteModel | None = None

    @property
    def nbytes(self) -> int:
        """Total size of all files in bytes."""
        return sum(entry.size for entry in self.files)

    @property
    def by_name(self) -> Mapping[str, Tensor]:
        """The tensors by their names."""
        return _tensors(self)

    @property
    def training_graph(self) -> bool:
        """Whether what can be run is the graph that trained the model, not one for inference."""
        return not self.signatures and any(map(trains, self.graphs))

    def tensor(self, name: str) -> Tensor:
        """The tensor called `name`; raises a KeyError if there is none."""
        return _tensors(self)[name]


_tensors = PerObject[Artifact, dict[str, Tensor]](lambda x: {y.name: y for y in x.tensors[::-1]})
