"""Statements whose course depends on a tensor, by what TensorFlow says of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.source_code.test_running import running

IMPORTS = "import keras\nimport tensorflow as tf\nfrom tensorflow.keras import backend as K"
# What a method does first, and whether a trace without AutoGraph refuses it.
STATEMENTS = {
    "if tf.reduce_sum(x) > 0: x = x + 1": True,
    "if 0 < K.mean(x): x = x + 1": True,
    "x = x + 1 if tf.shape(x)[0] > 1 else x": True,
    "n = tf.size(x)\nif n + 1 > 3: x = x + 1": True,
    "n = tf.size(x)\nif not n: x = x + 1": True,
    "i = tf.constant(0)\nwhile i < 3: i = i + 1": True,
    "for i in tf.range(3): x = x + 1": True,
    "for i in range(tf.shape(x)[1]): x = x + 1": True,
    "if x.shape[1] > 3: x = x + 1": False,
    "if K.ndim(x) > 3: x = x + 1": False,
    "if tf.is_tensor(x): x = x + 1": False,
    "if tf.reduce_sum(x) is None: x = x + 1": False,
    "for i in range(x.shape[1]): x = x + 1": False,
    "n = 3\nn = n + 1\nif n > 3: x = x + 1": False,
    "i = 0\nwhile i < 3: i = i + 1": False,
    "x = tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1, lambda: x)": False,
}


@pytest.mark.parametrize(("statements", "refused"), STATEMENTS.items())
def test_what_is_found(tmp_path: Path, statements: str, refused: bool) -> None:
    body = "\n".join(["def call(self, x):", *(f"    {x}" for x in statements.splitlines())])
    found = running(tmp_path, f"{body}\n    return x", IMPORTS)
    assert bool(found.conditions) is refused
    assert all(each.called and each.always for each in found.conditions.values())


@pytest.mark.slow
def test_tensorflow_refuses_the_same() -> None:
    tf = pytest.importorskip("tensorflow")
    for statements, refused in STATEMENTS.items():
        names = {"tf": tf, "K": pytest.importorskip("tf_keras").backend}
        lines = "".join(f"    {line}\n" for line in statements.splitlines())
        exec(f"def call(x):\n{lines}    return x", names)
        traced = tf.function(names["call"], autograph=False)
        try:
            traced.get_concrete_function(tf.TensorSpec((2, 4)))
        except (tf.errors.OperatorNotAllowedInGraphError, TypeError):
            assert refused, statements
        else:
            assert not refused, statements


def test_what_is_translated_or_may_not_run(tmp_path: Path) -> None:
    body = """
@tf.function
def translated(self, x):
    if tf.reduce_sum(x) > 0:
        return x
    return x
def call(self, x, training=None):
    x = self.translated(x)
    if training:
        for i in tf.range(3):
            x = x + 1
    return tf.map_fn(lambda row: row if tf.reduce_sum(row) > 0 else -row, x)
"""
    found = running(tmp_path, body, IMPORTS).conditions
    assert [*found] == ["for i in tf.range(3)"]
    assert not found["for i in tf.range(3)"].always
