"""Graphs of training programs in files of their own, whose weights are in a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.findings import Finding, Severity
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from tests.formats.graph.graph_makers import add, strings


def found(place: Path, op: str, code: str, *, frozen: bool) -> Finding:
    """What is told of an operation whose result is multiplied with a weight."""
    graph = pb.GraphDef()
    kind = pb.AttrValue(type=pb.DT_STRING)
    add(graph, "path", "Const", value=strings("/data/train"), dtype=kind)
    add(graph, "there", op, "path", *["path"] * (op == "WriteFile"))
    real = pb.AttrValue(type=pb.DT_FLOAT)
    add(graph, "x", "DecodeRaw", "there", out_type=real)
    if frozen:
        add(graph, "w", "Const", value=np.ones((4, 3), np.float32), dtype=real)
    else:
        sizes = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=n) for n in (4, 3)])
        add(graph, "w", "VariableV2", shape=pb.AttrValue(shape=sizes), dtype=real)
    add(graph, "y", "MatMul", "x", "w", T=real)
    (place / "graph.pb").write_bytes(graph.SerializeToString())
    (finding,) = run_rule(rule(code), Facts(read(place / "graph.pb", Limits()))).findings
    return finding


@pytest.mark.parametrize(
    ("op", "code"),
    [("ReadFile", "MA741"), ("MatchingFiles", "MA742"), ("TFRecordDataset", "MA745")],
)
@pytest.mark.parametrize("frozen", [False, True])
def test_advice_speaks_of_an_input_pipeline_where_no_weights_are(
    tmp_path: Path, op: str, code: str, frozen: bool
) -> None:
    finding = found(tmp_path, op, code, frozen=frozen)
    assert finding.severity is Severity.HIGH  # whether the result needs the weight does not show
    assert ("input pipeline" in finding.fix) is not frozen


@pytest.mark.parametrize("frozen", [False, True])
def test_no_pipeline_writes_files(tmp_path: Path, frozen: bool) -> None:
    assert found(tmp_path, "WriteFile", "MA740", frozen=frozen).severity is Severity.CRITICAL


def test_a_variable_that_nothing_needs_does_not_make_a_leak_harmless(tmp_path: Path) -> None:
    graph = pb.GraphDef()
    add(graph, "path", "Const", value=strings("/etc/passwd"), dtype=pb.AttrValue(type=pb.DT_STRING))
    add(graph, "output", "ReadFile", "path")
    shape = pb.AttrValue(shape=pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=3)]))
    add(graph, "decoy", "VariableV2", shape=shape, dtype=pb.AttrValue(type=pb.DT_FLOAT))
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    (finding,) = run_rule(rule("MA741"), Facts(read(tmp_path / "graph.pb", Limits()))).findings
    assert finding.severity is Severity.HIGH
