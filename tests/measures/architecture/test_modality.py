"""Kinds of inputs by layers, names, dtypes and shapes; words for each kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.model import InputModality
from modelaudit.facts import Architecture, Artifact, Endpoint, Format, Kernel, Layer, Signature
from modelaudit.findings import Confidence
from modelaudit.graphs import Graph, GraphFunction, GraphNode
from modelaudit.measures.architecture.modality import model_modality
from modelaudit.measures.architecture.modality_words import WORDS, Modality, in_words, words_for

HERE = Path("m.keras")


def layers(*chain: str, name: str = "x") -> Architecture:
    """An input and layers of these classes, one after the other."""
    made = [Layer(name, name, "InputLayer")]
    for i, class_name in enumerate(chain):
        made.append(Layer(f"l{i}", f"l{i}", class_name, inbound=((made[-1].route,),)))
    return Architecture("Functional", "m", "keras3", tuple(made), (name,), ())


def kind_of(port: Port, *chain: str, **more: object) -> InputModality:
    architecture = layers(*chain, name=port.name) if chain else None
    artifact = Artifact(HERE, Format.KERAS_ARCHIVE, architecture=architecture, **more)
    return model_modality(artifact, (port,))


def kernel(spatial: int) -> Kernel:
    return Kernel("c", "c/kernel", "conv", "hwio", spatial, (3,) * spatial + (1, 4))


@pytest.mark.parametrize(
    ("shape", "dtype", "chain", "kind"),
    [
        ((None, 28, 28, 1), "float32", ["Conv2D"], "image"),
        ((None, 28, 28), "float32", ["Flatten", "Dense"], "image"),
        ((None, 28, 28), "float32", ["LSTM"], "series"),
        ((None, 28, 28), "float32", ["Reshape", "Conv2D"], "image"),
        ((None, 49, 10), "float32", ["Reshape", "Conv2D"], "unknown"),
        ((None, 98, 40, 1), "float32", ["Conv2D"], "unknown"),
        ((None, 98, 40, 3), "float32", ["Conv2D"], "image"),
        ((None, 1, 98, 40), "float32", ["Conv2D"], "unknown"),
        ((None, 3, 98, 40), "float32", ["Conv2D"], "image"),
        ((None, 784), "float32", ["Reshape", "Conv2D"], "image"),
        ((None, 784), "float32", ["Normalization", "Reshape", "Conv2D"], "image"),
        ((None, 16), "float32", ["Dense", "Reshape", "Conv2DTranspose"], "table"),
        ((None, 16), "float32", ["Dense", "ReLU", "Reshape", "Conv1DTranspose"], "table"),
        ((None, 100), "float32", ["Reshape", "Conv1D", "Flatten", "Dense"], "series"),
        ((None, 4), "float32", ["RepeatVector", "Reshape", "Conv2D"], "table"),
        ((None, 100), "float32", ["RepeatVector", "Reshape", "Conv2D"], "table"),
        ((None, 4), "float32", ["Reshape", "Conv2D"], "table"),
        ((None, 64), "float32", ["Reshape", "Conv2D"], "image"),
        ((None, 8, 8, 8, 1), "float32", ["Conv3D"], "volume"),
        ((None, 40), "int32", ["Embedding", "LSTM"], "text"),
        ((None, None), "float32", ["Embedding", "LSTM"], "text"),
        ((None,), "string", ["TextVectorization", "Embedding"], "text"),
        ((None, 1), "string", ["StringLookup", "Embedding"], "table"),
        ((None, 1), "int32", ["Embedding", "Flatten", "Dense"], "table"),
        ((None, 13), "float32", ["Normalization", "Dense"], "table"),
        ((None, 784), "float32", ["Dense"], "table"),
        ((None, 60, 1), "float32", ["Conv1D"], "series"),
        ((None, 100), "float32", ["Reshape", "Conv1D"], "series"),
        ((None, 16000, 1), "float32", ["Conv1D"], "audio"),
        ((None, 2048), "float32", ["STFTSpectrogram", "Conv2D"], "audio"),
        (None, "float32", ["Dense"], "unknown"),
    ],
)
def test_layers_and_shapes_show_the_kind(shape, dtype, chain, kind) -> None:
    assert kind_of(Port("x", dtype, shape), *chain).kind == kind


@pytest.mark.parametrize(
    ("dtype", "operations", "kind"),
    [
        ("uint8", ["Cast", "MatMul"], "table"),
        ("int32", ["Cast", "MatMul"], "table"),
        ("int32", ["GatherV2", "MatMul"], "text"),
        ("int32", [], "text"),  # nothing shows what reads them
        ("float32", ["GatherV2", "MatMul"], "table"),
    ],
)
def test_integers_are_tokens_only_where_a_graph_may_look_them_up(dtype, operations, kind) -> None:
    nodes = tuple(GraphNode(name, name, ()) for name in operations)
    function = GraphFunction("f", (), nodes[:1])
    for graph in (Graph((), nodes), Graph((), nodes[1:], {"f": function})):
        found = kind_of(Port("x", dtype, (None, 5)), graphs=(graph,) * bool(nodes))
        assert found.kind == kind


@pytest.mark.parametrize(
    ("reader", "inner", "kind"),
    [
        ("TimeDistributed", "Conv2D", "video"),
        ("Bidirectional", "ConvLSTM2D", "video"),
        ("ConvLSTM2D", "", "video"),
        ("TimeDistributed", "Sequential", "video"),
        ("TimeDistributed", "Conv3D", "volume"),
        ("Conv3D", "", "volume"),
    ],
)
def test_layers_that_read_one_image_after_another_show_a_series(reader, inner, kind) -> None:
    config = {"layer": {"class_name": inner}} if inner else {}
    given = Layer("x", "x", "InputLayer")
    first = Layer("first", "first", reader, config=config, inbound=(("x",),))
    inside = (Layer("first/c", "c", "Conv2D"),) if inner == "Sequential" else ()
    layers = (given, first, *inside)
    architecture = Architecture("Functional", "m", "keras3", layers, ("x",), ())
    artifact = Artifact(HERE, Format.KERAS_ARCHIVE, architecture=architecture)
    found = model_modality(artifact, (Port("x", "float32", (None, 5, 66, 200, 3)),))
    assert found.kind == kind


@pytest.mark.parametrize(("inner", "kind"), [("Conv1D", "series"), ("Conv2D", "image")])
def test_windows_of_a_series_are_no_image(inner, kind) -> None:
    config = {"layer": {"class_name": inner}}
    first = Layer("first", "first", "TimeDistributed", config=config, inbound=(("x",),))
    layers = (Layer("x", "x", "InputLayer"), first)
    architecture = Architecture("Functional", "m", "keras3", layers, ("x",), ())
    artifact = Artifact(HERE, Format.KERAS_ARCHIVE, architecture=architecture)
    found = model_modality(artifact, (Port("x", "float32", (None, 4, 540, 3)),))
    assert found.kind == kind


def test_features_are_counted() -> None:
    """Each feature of a serialized Example is an input."""
    artifact = Artifact(HERE, Format.SAVEDMODEL_TF2)
    ports = [Port(name, "int64", (None, 1)) for name in ("Age", "Glucose", "Insulin")]
    found = model_modality(artifact, ports)
    assert (found.kind, found.because) == ("table", "3 inputs of one value")
    assert model_modality(artifact, ports[:1]).because == "the model takes a vector of 1 values"


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("mel_spectrogram", (None, 32, 40, 1), "audio"),
        ("inputAudio", (None, 500, 1), "audio"),
        ("caramel", (None, 32, 40, 1), "image"),  # a part of a word shows nothing
        ("input_ids", (None, 64), "text"),
        ("token", (None, 32, 32, 3), "image"),  # texts have no such shape
        ("ecg", (None, 500, 12), "series"),
        ("photo", (None, 784), "image"),
    ],
)
def test_names_show_the_kind_if_the_shape_agrees(name, shape, kind) -> None:
    found = kind_of(Port(name, "float32", shape))
    assert found.kind == kind
    if found.kind != "image" or name == "photo":
        assert name in found.because


@pytest.mark.parametrize(
    ("shape", "chain", "confidence"),
    [
        ((None, 2048), ["STFTSpectrogram"], Confidence.CERTAIN),
        ((None, 13), ["Dense"], Confidence.HIGH),
        ((None, 60, 1), ["LSTM"], Confidence.MEDIUM),
        ((None, 784), ["Dense"], Confidence.LOW),  # may be a flattened image
        ((None, 64, 128, 9), ["Dense"], Confidence.LOW),
    ],
)
def test_the_confidence_is_stated(shape, chain, confidence) -> None:
    assert kind_of(Port("x", "float32", shape), *chain).confidence is confidence


def test_without_layers_kernels_decide() -> None:
    port = Port("x", "float32", (None, 28, 28, 1))
    assert kind_of(port, kernels=(kernel(2),)).confidence is Confidence.HIGH
    sound = kind_of(Port("x", "float32", (None, 31, 24, 1)), kernels=(kernel(2),))
    assert (sound.kind, sound.confidence) == ("image", Confidence.MEDIUM)
    assert "or a spectrogram" in sound.because
    colour = kind_of(Port("x", "float32", (None, 31, 24, 3)), kernels=(kernel(2),))
    assert colour.confidence is Confidence.HIGH
    assert kind_of(Port("x", "float32", (None, 100)), kernels=(kernel(1),)).kind == "series"
    weights = Artifact(HERE, Format.WEIGHTS_H5_V3, kernels=(kernel(2),))
    assert model_modality(weights).kind == "image"
    assert model_modality(Artifact(HERE, Format.WEIGHTS_H5_V3)).kind == "unknown"


def test_integers_are_a_text_even_if_a_convolution_reads_them() -> None:
    assert kind_of(Port("x", "int32", (None, 50)), kernels=(kernel(1),)).kind == "text"


def test_integers_that_a_matrix_takes_are_no_text() -> None:
    """The squares of a board, say; and one number for each sample is no sequence."""
    assert kind_of(Port("x", "int64", (None, 16)), "Dense").kind == "table"
    assert kind_of(Port("step_type", "int32", (None,))).kind != "text"


def test_a_table_that_integers_index_shows_a_text() -> None:
    assert kind_of(Port("x", "int32", (None, 30), 400)).kind == "text"
    assert kind_of(Port("x", "int32", (None, 1), 400)).kind == "table"


def test_declared_inputs_are_used_before_the_model_is_loaded() -> None:
    served = Signature("serving_default", "", (Endpoint("x", "x:0", "float32", (None, 5)),), ())
    train = Signature("a", "", (Endpoint("i", "i:0", "float32", (None, 8, 8, 3)),), ())
    artifact = Artifact(HERE, Format.SAVEDMODEL_TF2, signatures=(train, served))
    assert model_modality(artifact).kind == "table"


def test_of_several_kinds_the_one_with_most_axes_decides_with_less_confidence() -> None:
    image, vector = (
        Endpoint(name, f"{name}:0", "float32", shape)
        for name, shape in (("i", (None, 28, 28, 1)), ("v", (None, 5)))
    )
    served = Signature("serve", "", (vector, image), ())
    artifact = Artifact(HERE, Format.SAVEDMODEL_TF2, kernels=(kernel(2),), signatures=(served,))
    both = model_modality(artifact)
    assert (both.kind, both.confidence) == ("image", Confidence.MEDIUM)
    assert "also table" in both.because
    one = Port("i", "float32", (None, 28, 28, 1))
    assert model_modality(artifact, (one, one)).confidence is Confidence.HIGH


def test_words_are_filled_in_and_sides_left_out() -> None:
    said = "Provide {varied}. [[Mirrored ]]{images} need another {image}[[, flipped or not]]."
    assert in_words(said, WORDS[Modality.IMAGE]) == (
        "Provide images of different classes or targets. "
        "Mirrored images need another image, flipped or not."
    )
    assert in_words(said, WORDS[Modality.TABLE]) == ("Provide real rows. Rows need another row.")


def test_audits_without_a_kind_speak_of_images() -> None:
    assert words_for(None).many == "images"


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(Modality)
    oriented = {kind for kind, words in WORDS.items() if words.oriented}
    assert oriented == {Modality.IMAGE, Modality.VOLUME, Modality.VIDEO, Modality.UNKNOWN}
    assert all(re.fullmatch("[a-z ]+", words.many) for words in WORDS.values())
