"""Subclassed models that look up words, in archives: Keras 2 builds them with floats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
CODE = """
import tensorflow as tf
from tf_keras import Model, Sequential, layers


class Plain(Model):
    def __init__(self):
        super().__init__()
        self.find = layers.StringLookup(vocabulary=["a", "b"], mask_token=None)
        self.table = layers.Embedding(3, 2)

    def call(self, words):
        return self.table(self.find(words))


class Tower(Model):
    def __init__(self):
        super().__init__()
        self.tower = Sequential(
            [layers.StringLookup(vocabulary=["a", "b"], mask_token=None), layers.Embedding(3, 2)]
        )
        self.score = layers.Dense(2)

    def call(self, words):
        return self.score(self.tower(words))


class Given(Model):
    def __init__(self):
        super().__init__()
        self.tower = Sequential(
            [
                layers.Input((1,), dtype="string"),
                layers.StringLookup(vocabulary=["a", "b"], mask_token=None),
                layers.Embedding(3, 2),
            ]
        )
        self.score = layers.Dense(2)

    def call(self, words):
        return self.score(self.tower(words))


class Texts(Model):
    def __init__(self):
        super().__init__()
        self.tower = Sequential()
        self.tower.add(layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=2))
        self.tower.add(layers.Embedding(4, 2))

    def call(self, words):
        return self.tower(words)


class Hashed(Model):
    def __init__(self):
        super().__init__()
        self.hashed = layers.Hashing(4)
        self.table = layers.Embedding(4, 2)

    def call(self, words):
        return self.table(self.hashed(words))


class Numbers(Model):
    def __init__(self):
        super().__init__()
        self.table = tf.Variable(tf.random.normal((4, 2)))

    def call(self, numbers):
        return tf.nn.embedding_lookup(self.table, numbers)


class Cast(Model):
    def __init__(self):
        super().__init__()
        self.table = tf.Variable(tf.random.normal((4, 2)))

    def call(self, numbers):
        return tf.nn.embedding_lookup(self.table, tf.cast(numbers, "int32"))
"""
LOADS = ("Plain", "Given", "Cast")


@pytest.mark.parametrize("name", ["Plain", "Given", "Tower", "Texts", "Hashed", "Numbers", "Cast"])
def test_read_by_keras_2(tmp_path: Path, name: str) -> None:
    keras, tf = pytest.importorskip("tf_keras"), pytest.importorskip("tensorflow")
    path, code = tmp_path / "m.keras", tmp_path / "models.py"
    code.write_text(CODE)
    names: dict[str, Any] = {"__name__": "models"}
    exec(compile(CODE, "models.py", "exec"), names)
    words = tf.constant([[1], [2]] if name in ("Numbers", "Cast") else [["a"], ["b"]])
    saved = names[name]()
    answer = np.asarray(saved(words))
    saved.save(path)
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset((name,)))
    asked = [(as_installed(find_profile("tf-keras==2.21.0")), request)]
    (found,) = predict_calls(read(path, Limits()), asked, read_source_code([str(code)]))
    assert (found.predicted is LoadOutcome.LOADS) is (name in LOADS)
    if name in LOADS:
        loaded = keras.models.load_model(path, custom_objects={name: names[name]})
        assert np.allclose(np.asarray(loaded(words)), answer)
        return
    assert found.predicted is LoadOutcome.FAILS
    (because,) = found.because
    assert because.code == "built-for-floats"
    with pytest.raises(Exception, match=because.error.removeprefix("…").rpartition(": ")[2]):
        keras.models.load_model(path, custom_objects={name: names[name]})(words)
