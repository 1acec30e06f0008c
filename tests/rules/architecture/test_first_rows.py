"""Frozen graphs that answer the first input of a batch only; sessions are the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read_artifact
from modelaudit.rules.architecture.first_rows import RULES
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


def network(tf: Any, value: Any) -> Any:
    weights = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype("float32")
    maps = tf.nn.relu(tf.nn.conv2d(value, tf.constant(weights), 1, "SAME"))
    flat = tf.reshape(tf.nn.max_pool2d(maps, 2, 2, "SAME"), [-1, 36])
    kernel = np.random.default_rng(1).normal(size=(36, 5)).astype("float32")
    return tf.nn.softmax(tf.matmul(flat, tf.constant(kernel)) + 0.5)


def one_row(tf: Any) -> Any:
    return network(tf, tf.placeholder(tf.float32, [None, 6, 6, 2], "x"))[0]


def by_its_name(tf: Any) -> Any:
    return tf.identity(one_row(tf), "output_node0")


def all_rows(tf: Any) -> Any:
    return network(tf, tf.placeholder(tf.float32, [None, 6, 6, 2], "x"))


def first_class(tf: Any) -> Any:
    return all_rows(tf)[:, 0]


def batch_of_one(tf: Any) -> Any:
    return network(tf, tf.placeholder(tf.float32, [1, 6, 6, 2], "x"))[0]


def single_image(tf: Any) -> Any:
    return network(tf, tf.expand_dims(tf.placeholder(tf.float32, [6, 6, 2], "x"), 0))[0]


def single_image_by_reshape(tf: Any) -> Any:
    return network(tf, tf.reshape(tf.placeholder(tf.float32, [None, 2], "x"), [1, 6, 6, 2]))[0]


def first_step(tf: Any) -> Any:
    """Steps are first in what is turned."""
    steps = tf.transpose(tf.placeholder(tf.float32, [None, 6, 2], "x"), [1, 0, 2])
    return tf.nn.softmax(steps)[0]


def frozen(make: Any, path: Path) -> tuple[int, ...]:
    """Writes the graph; the shape of its answer to three inputs, or to what it takes."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default() as graph, tf.Session() as session:
        output = make(tf)
        given = graph.get_tensor_by_name("x:0")
        sizes = given.shape.as_list()
        shape = [36 if len(sizes) == 2 else 3 if each is None else each for each in sizes[:1]]
        answer = session.run(output, {given: np.ones(shape + sizes[1:], "float32")})
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return answer.shape


@pytest.mark.parametrize(
    ("make", "shape", "told"),
    [
        (one_row, (5,), True),
        (by_its_name, (5,), True),
        (all_rows, (3, 5), False),
        (first_class, (3,), False),
        (batch_of_one, (5,), False),
        (single_image, (5,), False),
        (single_image_by_reshape, (5,), False),
        (first_step, (3, 2), False),
    ],
)
def test_the_first_row_of_a_batch(make, shape, told, tmp_path):
    path = tmp_path / "frozen.pb"
    assert frozen(make, path) == shape
    (result,) = run_rules(RULES, Facts(read_artifact(path, Limits())))
    assert [each.severity.value for each in result.findings] == ["low"] * told
