"""Variables that are stored as one value and restored in parts; TensorFlow is the oracle."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from modelaudit.formats.graph.restore_ops import whole_shape
from modelaudit.formats.reader import read
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits


@pytest.mark.slow
@pytest.mark.parametrize("stored", [7, 8])
def test_parts_of_a_variable_are_restored_from_the_whole(tmp_path: Path, stored: int) -> None:
    tf = importlib.import_module("tensorflow")
    v1 = tf.compat.v1
    for rows in (stored, 7):  # the graph of the last, with the values of the first
        with tf.Graph().as_default(), v1.Session() as session:
            v1.get_variable("table", [rows, 2], partitioner=v1.fixed_size_partitioner(3))
            saver = v1.train.Saver()
            session.run(v1.global_variables_initializer())
            if rows == stored:
                saver.save(session, str(tmp_path / "m"), write_meta_graph=False)
            v1.train.export_meta_graph(str(tmp_path / "m.meta"), saver_def=saver.as_saver_def())
    result = run_rule(rule("MA417"), Facts(read(tmp_path / "m", Limits())))
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "m.meta"))
        try:
            saver.restore(session, str(tmp_path / "m"))
        except tf.errors.InvalidArgumentError:
            (finding,) = result.findings
            assert "`table/part_0`: [7, 2] expected, [8, 2] stored" in finding.detail
            assert stored == 8
        else:
            assert not result.findings
            assert stored == 7


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        ("", None),
        ("7 2 0,3:-", [7, 2]),
        ("5 0,5", [5]),
        ("-7 2 0,3:-", None),
        (f"{'9' * 5000} 0,1", None),
    ],
)
def test_the_shape_that_a_part_names(part: str, shape: list[int] | None) -> None:
    assert whole_shape(part) == shape
