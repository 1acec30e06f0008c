"""SavedModels with two descriptions of the graph: binary and text, or in chunks."""

from __future__ import annotations

import os
import re

import pytest
from google.protobuf import text_format

from modelaudit.facts import Format
from modelaudit.findings import Severity
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.formats.sniff import sniff
from modelaudit.rules.engine import run_rules
from modelaudit.rules.integrity.files import RULES as INTEGRITY
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES as SECURITY
from modelaudit.settings import Limits
from tests.made.saved_models import tf1_message, tf2_model, write

LIMITS = Limits()


def found(root, least=Severity.HIGH):
    results = run_rules((*INTEGRITY, *SECURITY), Facts(read(root, LIMITS)))
    findings = [finding for result in results for finding in result.findings]
    return {each.name for each in findings if each.severity.rank >= least.rank}


def binary(root):
    return pb.SavedModel.FromString((root / "saved_model.pb").read_bytes())


def add_text(root, message):
    (root / "saved_model.pbtxt").write_text(text_format.MessageToString(message))


def test_an_equal_text_is_not_a_finding(tmp_path):
    for root in (write(tmp_path / "a", tf1_message()), tf2_model(tmp_path / "b")):
        before = read_saved_model(root, LIMITS)
        add_text(root, binary(root))
        after = read_saved_model(root, LIMITS)
        assert (after.problems, after.complete) == (before.problems, True)


def write_file(message):
    message.meta_graphs[0].graph_def.node.add(name="w", op="WriteFile")


def write_file_in_a_function(message):
    function = message.meta_graphs[0].graph_def.library.function.add()
    function.signature.name = "f"
    function.node_def.add(name="w", op="WriteFile")


def another_input(message):
    message.meta_graphs[0].graph_def.node[2].input[0] = "w"


def another_signature(message):
    message.meta_graphs[0].signature_def["serving_default"].inputs["x"].name = "w:0"


def another_asset(message):
    (packed,) = message.meta_graphs[0].collection_def["saved_model_assets"].any_list.value
    packed.value = pb.AssetFileDef(filename="../../outside").SerializeToString()


def another_graph(message):
    message.meta_graphs.add().meta_info_def.tags.append("train")


def a_gradient(message):
    library = message.meta_graphs[0].graph_def.library
    library.gradient.add(function_name="f", gradient_func="evil")


def another_function(change):
    def add(message):
        function = message.meta_graphs[0].graph_def.library.function.add()
        function.signature.name = "f"
        change(function)

    return add


def a_constant(**values):
    def add(message):
        node = message.meta_graphs[0].graph_def.node.add(name="c", op="Const")
        node.attr["value"].tensor.CopyFrom(pb.TensorProto(**values))

    return add


def a_packed_message(message, value=b"x", kind="elsewhere.Message"):
    packed = message.meta_graphs[0].collection_def["more"].any_list.value.add()
    packed.type_url, packed.value = f"type.googleapis.com/{kind}", value


def a_default_input(message):
    signature = message.meta_graphs[0].signature_def["serving_default"]
    signature.defaults["x"].float_val.append(1.5)


def a_stateful_operation(message):
    operation = message.meta_graphs[0].meta_info_def.stripped_op_list.op.add(name="MatMul")
    operation.is_stateful = True


@pytest.mark.parametrize(
    ("change", "ops"),
    [
        (a_gradient, []),
        (another_function(lambda f: f.attr["_noinline"].CopyFrom(pb.AttrValue(b=True))), []),
        (another_function(lambda f: f.arg_attr[0].attr["x"].CopyFrom(pb.AttrValue(i=3))), []),
        (another_function(lambda f: f.resource_arg_unique_id.update({0: 7})), []),
        (a_constant(dtype=pb.DT_COMPLEX64, scomplex_val=[1.0, 666.0]), ["Const"]),
        (a_constant(dtype=pb.DT_FLOAT8_E5M2, float8_val=b"\1\2"), ["Const"]),
        (a_constant(variant_val=[pb.VariantTensorDataProto(type_name="evil")]), ["Const"]),
        (a_packed_message, []),
        (a_default_input, []),
        (a_stateful_operation, []),
        (write_file, ["WriteFile"]),
        (write_file_in_a_function, ["WriteFile"]),
        (another_input, []),
        (another_signature, []),
        (another_asset, []),
        (another_graph, []),
    ],
)
def test_any_difference_in_the_text_is_reported(tmp_path, change, ops):
    root = write(tmp_path, tf1_message())
    graphs = read_saved_model(root, LIMITS).graphs
    message = tf1_message()
    change(message)
    add_text(root, message)
    artifact = read_saved_model(root, LIMITS)
    assert artifact.graphs == graphs  # as loaded by TensorFlow
    assert not artifact.complete
    (problem,) = artifact.problems
    assert (problem.file, problem.evidence["ops"]) == ("saved_model.pbtxt", ops)
    assert found(root) == {"contradicting-graph"}


@pytest.mark.parametrize(
    "both",
    [
        a_gradient,
        a_packed_message,
        a_default_input,
        a_constant(dtype=pb.DT_COMPLEX64, scomplex_val=[1.0, 666.0]),
        a_constant(dtype=pb.DT_FLOAT_REF),
    ],
)
def test_equal_fields_are_not_a_finding(tmp_path, both):
    message = tf1_message()
    both(message)
    root = write(tmp_path, message)
    add_text(root, message)
    assert read_saved_model(root, LIMITS).problems == ()


@pytest.mark.parametrize(("value", "kind"), [(b"y", "elsewhere.Message"), (b"x", "a.Message")])
def test_packed_messages_are_compared_by_type_and_bytes(tmp_path, value, kind):
    message, other = tf1_message(), tf1_message()
    a_packed_message(message)
    a_packed_message(other, value, kind)
    add_text(write(tmp_path, message), other)
    assert found(tmp_path) == {"contradicting-graph"}


def kinds_with(root, message, text):
    write(root, message)
    (root / "saved_model.pbtxt").write_text(text)
    return [(each.file, each.kind.value) for each in read_saved_model(root, LIMITS).problems]


NOT_COMPARED = [("saved_model.pbtxt", "unsupported")]


def test_fields_that_cannot_be_compared_are_reported(tmp_path):
    message = tf1_message()
    text = text_format.MessageToString(message)
    assert kinds_with(tmp_path / "a", message, text + "nobody_knows: 5") == NOT_COMPARED
    a_packed_message(message)
    text = text_format.MessageToString(message)
    packed = re.search(r'type_url: "(\S+elsewhere\S+)"\s+value: "x"', text)
    unpacked = f"{text[: packed.start()]} [{packed[1]}] {{ a: 1 }} {text[packed.end() :]}"
    assert kinds_with(tmp_path / "b", message, unpacked) == NOT_COMPARED
    write_file(message)
    assert kinds_with(tmp_path / "c", message, unpacked) == [
        ("saved_model.pbtxt", "duplicate-member")
    ]


def test_an_asset_replaced_by_something_else_in_the_text(tmp_path):
    message, other = tf1_message(), tf1_message()
    (packed,) = other.meta_graphs[0].collection_def["saved_model_assets"].any_list.value
    packed.CopyFrom(pb.Any(type_url="here"))
    text = text_format.MessageToString(other)
    text = text.replace('type_url: "here"', "[a.b/c.Elsewhere] { a: 1 }")
    assert kinds_with(tmp_path, message, text) == [("saved_model.pbtxt", "duplicate-member")]


def test_an_asset_seen_only_by_our_schema_does_not_count_in_the_binary(tmp_path):
    message, other = tf1_message(), tf1_message()
    (packed,) = message.meta_graphs[0].collection_def["saved_model_assets"].any_list.value
    asset = pb.AssetFileDef.FromString(packed.value)
    packed.Clear()
    packed.asset_file_def.CopyFrom(asset)  # TensorFlow sees an empty message there
    add_text(write(tmp_path, message), other)
    assert found(tmp_path) == {"contradicting-graph"}


def test_an_asset_seen_only_by_our_schema_does_not_hide_another(tmp_path):
    message = tf1_message()
    (packed,) = message.meta_graphs[0].collection_def["saved_model_assets"].any_list.value
    packed.value = pb.AssetFileDef(filename="../../outside").SerializeToString()
    packed.asset_file_def.filename = "inside.txt"
    assert found(write(tmp_path, message)) == {"asset-path-traversal"}


@pytest.mark.parametrize(("text", "name"), [("meta_graphs {", "corrupt-file"), ("", "empty-file")])
def test_a_text_that_cannot_be_compared_is_reported(tmp_path, text, name):
    root = write(tmp_path, tf1_message())
    (root / "saved_model.pbtxt").write_text(text)
    assert found(root) == {name}


def test_a_graph_in_chunks_is_never_skipped(tmp_path):
    root = write(tmp_path / "beside", tf1_message())
    (root / "saved_model.cpb").write_bytes(b"\x83\xaf\x70\xd1")
    assert not read(root, LIMITS).complete
    assert found(root) == set()
    # The made graph has no nodes for its saver.
    assert found(root, Severity.MEDIUM) == {"unsupported-format", "graph-cannot-run"}

    (root / "saved_model.pb").unlink()
    assert read(root, LIMITS).format is Format.SAVEDMODEL_TF1  # by its variables
    assert found(root) == {"missing-file"}
    assert "unsupported-format" in found(root, Severity.MEDIUM)

    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "saved_model.cpb").write_bytes(b"\x7fELF\2\1\1" + bytes(60))
    assert sniff(alone) is Format.SAVEDMODEL_TF2
    (problem,) = read(alone, LIMITS).problems
    assert problem.kind == "missing-file" and "which is not read" in problem.detail


def test_a_program_with_the_name_of_a_chunked_graph(tmp_path):
    root = write(tmp_path, tf1_message())
    (root / "saved_model.cpb").write_bytes(b"\x7fELF\2\1\1" + bytes(60))
    assert found(root) == {"program-in-model"}


@pytest.mark.slow
def test_tensorflow_takes_the_binary_file(tf, tmp_path):
    """The file that is read is the one TensorFlow loads, whatever other files exist."""
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    root = write(tmp_path, tf1_message())
    message = tf1_message()
    write_file(message)
    add_text(root, message)
    (root / "saved_model.cpb").write_bytes(b"\x83\xaf\x70\xd1")
    for lost in ("", "saved_model.pb"):
        if lost:
            (root / lost).unlink()
        theirs = parse_saved_model(os.fspath(root)).meta_graphs[0].graph_def.node
        ours = read_saved_model(root, LIMITS).graphs[0].nodes
        assert [node.name for node in ours] == [node.name for node in theirs]
    (root / "saved_model.pbtxt").unlink()
    with pytest.raises(OSError, match="does not exist"):
        parse_saved_model(os.fspath(root))


@pytest.mark.slow
def test_text_written_by_tensorflow_gives_the_same_facts(tf, tmp_path):
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    v1 = tf.compat.v1
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, tf.constant(os.fspath(words)))
        y = x * tf.constant([1e-42, float("nan")])
        builder = v1.saved_model.Builder(os.fspath(tmp_path / "v1"))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, assets_collection=assets
        )
        builder.save()
    module = tf.Module()
    module.v = tf.Variable([1.0, 2.0])
    module.f = tf.function(lambda: module.v * 2.0, input_signature=[])
    tf.saved_model.save(module, os.fspath(tmp_path / "v2"))
    for root in (tmp_path / "v1", tmp_path / "v2"):
        before = read_saved_model(root, LIMITS)
        add_text(root, parse_saved_model(os.fspath(root)))
        after = read_saved_model(root, LIMITS)
        assert (after.problems, after.complete) == (before.problems, before.complete)
