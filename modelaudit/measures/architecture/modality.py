"""What kind of data a model takes: images, videos, volumes, texts, tables, sound or time series.

The probe inputs, the diagnosis and the wording of reports all ask this module. No file states the
kind, so it is inferred, with a confidence and a reason, from the layers that read an input, its
name, its dtype and its shape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.model import InputModality
from modelaudit.facts import Architecture, Artifact, Endpoint, Layer, Shape
from modelaudit.findings import Confidence
from modelaudit.layer_classes import Trait, has, spatial_rank
from modelaudit.measures.architecture.input_readers import layers_inside, readers_of
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.measures.architecture.modality_words import Modality
from modelaudit.structs import PerObject

MIN_SIDE = 8  # of a square array without channels that counts as an image
ELONGATED = 2  # ratio of the sides from which one channel may be a spectrogram
FLAT_PIXELS = 256  # a vector of so many values, and a square number of them, may be an image
_LOOK_UPS = frozenset(("Gather", "GatherV2", "ResourceGather", "OneHot", "LookupTableFindV2"))
RAW_SOUND = 8000  # steps: from one second of sound at the lowest usual sampling rate


# Words of which one in a name shows the kind.
_NAMES = {
    Modality.AUDIO: "mel mels mfcc mfccs audio wave wav waveform waveforms melspectrogram "
    "spectrogram spectrograms sound speech stft voice",
    Modality.TEXT: "token tokens text texts sentence sentences word words input_ids token_ids "
    "segment_ids attention_mask input_mask tweet review reviews",
    Modality.IMAGE: "image images img imgs picture pictures photo photos pixels face",
    Modality.SERIES: "series timeseries sensor sensors ecg eeg emg imu accelerometer gyroscope "
    "signal timesteps",
    Modality.TABLE: "tabular features",
}
# Shapes that inputs of a kind have, as numbers of axes without the batch.
_AXES = {
    Modality.AUDIO: (1, 2, 3),
    Modality.TEXT: (0, 1, 2),
    Modality.IMAGE: (1, 2, 3),
    Modality.SERIES: (1, 2, 3),
    Modality.TABLE: (0, 1),
}


def model_modality(artifact: Artifact, ports: Sequence[Port] = ()) -> InputModality:
    """The kind of a model's inputs: that of the restored model's `ports` or of those in the file.

    Of inputs of several kinds, the one with most axes decides.
    """
    found = [(port, input_modality(artifact, port)) for port in ports or declared_inputs(artifact)]
    if not found:
        return _of_kernels(artifact)
    kinds = {each.kind for _, each in found}
    _, main = max(found, key=lambda each: (len(each[0].shape or ()), each[1].kind != "table"))
    alone = [_length(port.shape) == 1 for port, _ in found]
    if kinds == {Modality.TABLE} and len(found) > 1 and all(alone):
        return InputModality(main.kind, main.confidence, f"{len(found)} inputs of one value")
    if len(kinds) == 1:
        return main
    others = ", ".join(sorted(kinds - {main.kind}))
    return InputModality(main.kind, min_confidence(main), f"{main.because}; also {others}")


def min_confidence(modality: InputModality) -> Confidence:
    """The confidence in the main one of several kinds."""
    return min(modality.confidence, Confidence.MEDIUM, key=list(Confidence).index)


def input_modality(artifact: Artifact, port: Port | Endpoint) -> InputModality:
    """The kind of one input."""
    readers = tuple(readers_of(artifact.architecture, port.name)) if artifact.architecture else ()
    for guess in (
        _by_vocabulary(port, readers),
        _by_names(port, readers),
        _by_table(port, readers),
        _by_shape(artifact, port, readers),
    ):
        if guess is not None:
            return guess
    return InputModality(Modality.UNKNOWN, Confidence.LOW, "nothing in the file shows it")


def declared_inputs(artifact: Artifact) -> tuple[Port | Endpoint, ...]:
    """Inputs as the file declares them: of the architecture, or else of a signature."""
    architecture = artifact.architecture
    if architecture is not None:
        inputs = {*architecture.inputs}
        layers = [each for each in architecture.layers if each.route in inputs]
        return tuple(
            Port(each.name, str(each.config.get("dtype") or "float32"), input_shape(each))
            for each in layers
        )
    names = ("serving_default", "serve")
    signatures = sorted(artifact.signatures, key=lambda each: each.name not in names)
    return signatures[0].inputs if signatures else ()


def _count_inputs(artifact: Artifact) -> int:
    return len(declared_inputs(artifact))


_inputs_of = PerObject(_count_inputs)


def _first(readers: Sequence[Layer], *class_names: str) -> Layer | None:
    return next((layer for layer in readers if layer.class_name in class_names), None)


def _by_vocabulary(port: Port | Endpoint, readers: Sequence[Layer]) -> InputModality | None:
    """By layers that are made for one kind only."""
    sound = _first(readers, "MelSpectrogram", "STFTSpectrogram")
    if sound:
        said = f"{sound.route} computes a spectrogram"
        return InputModality(Modality.AUDIO, Confidence.CERTAIN, said)
    text = _first(readers, "TextVectorization")
    if text:
        said = f"{text.route} splits text into words"
        return InputModality(Modality.TEXT, Confidence.CERTAIN, said)
    lookup = next((layer for layer in readers if has(layer.class_name, Trait.CATEGORIES)), None)
    lookup = lookup or _first(readers, "CategoryEncoding", "HashedCrossing")
    if lookup and _length(port.shape) in {0, 1}:
        said = f"{lookup.route} ({lookup.class_name}) turns values into categories"
        return InputModality(Modality.TABLE, Confidence.HIGH, said)
    if port.dtype == "string":
        return InputModality(Modality.TEXT, Confidence.LOW, f"{port.name} takes strings")
    return None


def _by_names(port: Port | Endpoint, readers: Sequence[Layer]) -> InputModality | None:
    """By a word in the name of the input or of a layer that reads it."""
    axes = None if port.shape is None else len(port.shape) - 1
    for name in (port.name, *(layer.name for layer in readers[:3])):
        parts = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
        for kind, known in _NAMES.items():
            hit = set(parts) & set(known.split()) or (name.lower() in known.split())
            if hit and (axes is None or axes in _AXES[kind]):
                return InputModality(kind, Confidence.HIGH, f"the name {name!r}")
    return None


def _by_table(port: Port | Endpoint, readers: Sequence[Layer]) -> InputModality | None:
    """By indices of a table: one of them is a category, a sequence of them a text."""
    table = _first(readers, "Embedding", "ReversibleEmbedding")
    below = port.below if isinstance(port, Port) else None
    if table is None and below is None:
        return None
    reader = table.route if table else "a table"
    if _length(port.shape) in {0, 1}:
        said = f"{reader} looks up one entry for each sample"
        return InputModality(Modality.TABLE, Confidence.MEDIUM, said)
    said = f"{reader} looks up a sequence of entries"
    return InputModality(Modality.TEXT, Confidence.MEDIUM, said)


def _length(shape: Shape | None) -> int | None:
    """Number of values of a sample; None if it is open."""
    count = 1
    for size in (shape or (None, None))[1:]:
        if size is None:
            return None
        count *= size
    return 0 if shape is not None and len(shape) < 2 else count


def _by_shape(
    artifact: Artifact, port: Port | Endpoint, readers: Sequence[Layer]
) -> InputModality | None:
    """By the number of axes, and by the first layers that use their order."""
    if port.shape is None:
        return None
    sizes = port.shape[1:]
    spatial = {spatial_rank(each.class_name) for each in readers} - {0}
    if not readers and (len(sizes) > 1 or _inputs_of(artifact) < 2):
        spatial = {kernel.spatial for kernel in artifact.kernels} - {0}
    rank = len(sizes) - 2  # of the parts of a series
    each = next((x for x in readers if _takes_each(x, rank, artifact.architecture)), None)
    if each and rank == 2:
        said = f"{each.route} ({each.class_name}) reads one image after another"
        return InputModality(Modality.VIDEO, Confidence.HIGH, said)
    if each and rank == 1:
        said = f"{each.route} ({each.class_name}) reads one sequence after another"
        return InputModality(Modality.SERIES, Confidence.MEDIUM, said)
    if len(sizes) == 4:
        return InputModality(Modality.VOLUME, Confidence.MEDIUM, "an input of four axes")
    if len(sizes) == 3:
        return _of_three_axes(sizes, spatial)
    if len(sizes) == 2:
        return _of_two_axes(sizes, readers, spatial)
    return _of_vector(artifact, port, sizes, readers, spatial)


def _takes_each(layer: Layer, rank: int, architecture: Architecture | None) -> bool:
    """Whether a layer reads a series of images or sequences: recurrent, or a wrapper of layers."""
    inner = layer.config.get("layer")
    names = [layer.class_name] if has(layer.class_name, Trait.RECURRENT) else []
    if isinstance(inner, dict):
        names = [str(inner.get("class_name", ""))]
        inside = layers_inside(architecture, layer.route) if architecture else ()
        names += [each.class_name for each in inside]
    return any(spatial_rank(name) == rank for name in names) and rank > 0


def _of_three_axes(sizes: Shape, spatial: set[int]) -> InputModality:
    first = sizes[0] in {1, 3, 4} and sizes[2] not in {1, 3, 4}  # channels before the sides
    *sides, channels = (*sizes[1:], sizes[0]) if first else sizes
    if channels == 1 and _elongated(sides):
        said = f"an array of {sides[0]} x {sides[1]}: an image or a spectrogram"
        return InputModality(Modality.UNKNOWN, Confidence.LOW, said)
    read = 2 in spatial
    said = "an input of three axes" + (", which a 2-D layer reads" if read else "")
    if channels not in {1, 3, 4}:
        return InputModality(Modality.IMAGE, Confidence.LOW, said)
    sure = read
    if channels == 1 and sides[0] != sides[1]:
        said += f", of {sides[0]} x {sides[1]} with one channel: an image, or a spectrogram"
        sure = False
    return InputModality(Modality.IMAGE, Confidence.HIGH if sure else Confidence.MEDIUM, said)


def _elongated(sides: Sequence[int | None]) -> bool:
    """Whether one side is at least twice as long as the other, as in most spectrograms."""
    known = [side for side in sides if side]
    return len(known) == 2 and max(known) >= ELONGATED * min(known)


def _of_two_axes(sizes: Shape, readers: Sequence[Layer], spatial: set[int]) -> InputModality:
    steps, features = sizes
    in_order = next((each for each in readers if has(each.class_name, Trait.SEQUENCE)), None)
    if in_order is None and (2 in spatial or (steps == features and (steps or 0) >= MIN_SIDE)):
        if steps != features:
            said = f"an array of {steps} x {features}: an image or a spectrogram"
            return InputModality(Modality.UNKNOWN, Confidence.LOW, said)
        said = f"an array of {steps} x {features}, whose rows no layer reads in order"
        return InputModality(Modality.IMAGE, Confidence.MEDIUM, said)
    if (steps or 0) >= RAW_SOUND and features == 1:
        said = f"{steps} steps of one value"
        return InputModality(Modality.AUDIO, Confidence.LOW, said)
    if in_order is not None:
        said = f"{in_order.route} ({in_order.class_name}) reads a sequence of vectors"
        return InputModality(Modality.SERIES, Confidence.MEDIUM, said)
    sure = Confidence.MEDIUM if 1 in spatial else Confidence.LOW
    return InputModality(Modality.SERIES, sure, "a sequence of vectors")


def _of_vector(
    artifact: Artifact,
    port: Port | Endpoint,
    sizes: Shape,
    readers: Sequence[Layer],
    spatial: set[int],
) -> InputModality | None:
    count = sizes[0] if sizes else None
    first = next(filter(_orders, readers), None)
    if first and _mixes(first) and spatial:
        said = f"{first.route} ({first.class_name}) makes an array of a vector, as in a decoder"
        return InputModality(Modality.TABLE, Confidence.MEDIUM, said)
    if 2 in spatial and (_first(readers, "RepeatVector") or (count or MIN_SIDE**2) < MIN_SIDE**2):
        said = f"a vector of {count} values, of which layers make an array"
        return InputModality(Modality.TABLE, Confidence.MEDIUM, said)
    if 2 in spatial:
        said = "a vector, which 2-D layers read as an image"
        return InputModality(Modality.IMAGE, Confidence.MEDIUM, said)
    whole = port.dtype.startswith(("int", "uint")) and bool(sizes) and count != 1
    # A matrix takes numbers, not indices.
    if whole and not (first and _mixes(first)) and _may_look_up(artifact, port):
        return InputModality(Modality.TEXT, Confidence.LOW, "a sequence of integers")
    if 1 in spatial or any(has(each.class_name, Trait.SEQUENCE) for each in readers):
        said = "a vector, which a layer reads as a sequence"
        return InputModality(Modality.SERIES, Confidence.MEDIUM, said)
    if count is None:
        return InputModality(Modality.TABLE, Confidence.LOW, "a vector") if readers else None
    colour, grey = round((count / 3) ** 0.5), round(count**0.5)
    if count >= FLAT_PIXELS and (grey**2 == count or 3 * colour**2 == count):
        said = f"a vector of {count} values; it may also be a flattened image"
        return InputModality(Modality.TABLE, Confidence.LOW, said)
    dense = next((each for each in readers if has(each.class_name, Trait.FEATURE_WEIGHTS)), None)
    said = f"{dense.route} ({dense.class_name}) reads" if dense else "the model takes"
    sure = Confidence.HIGH if dense else Confidence.MEDIUM
    return InputModality(Modality.TABLE, sure, f"{said} a vector of {count} values")


def _may_look_up(artifact: Artifact, port: Port | Endpoint) -> bool:
    """Whether integers may index a table: not pixels, and a graph has a look-up."""
    operations = _operations(artifact)
    return port.dtype != "uint8" and (not operations or not _LOOK_UPS.isdisjoint(operations))


def _operations_of(artifact: Artifact) -> frozenset[str]:
    return frozenset(
        node.op
        for graph in artifact.graphs
        for nodes in (graph.nodes, *(each.nodes for each in graph.functions.values()))
        for node in nodes
    )


_operations = PerObject(_operations_of)


def _orders(layer: Layer) -> bool:
    """Whether a layer decides what a vector is: it mixes its values, or reads them in order."""
    name = layer.class_name
    return _mixes(layer) or has(name, Trait.SEQUENCE) or spatial_rank(name) > 0


def _mixes(layer: Layer) -> bool:
    name = layer.class_name
    return has(name, Trait.LINEAR) and has(name, Trait.FEATURE_WEIGHTS) and not spatial_rank(name)


def _of_kernels(artifact: Artifact) -> InputModality:
    """By the kernels alone, for weights without declared inputs."""
    kind = {1: Modality.SERIES, 2: Modality.IMAGE, 3: Modality.VOLUME}
    first = next((kernel for kernel in artifact.kernels if kernel.spatial), None)
    if first is None:
        return InputModality(Modality.UNKNOWN, Confidence.LOW, "nothing in the file shows it")
    said = f"{first.route} slides a kernel along {first.spatial} axes"
    return InputModality(kind.get(first.spatial, Modality.UNKNOWN), Confidence.LOW, said)
