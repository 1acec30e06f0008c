"""Outputs beside files with class names, and embeddings behind vocabularies."""

from __future__ import annotations

import json

import pytest

from modelaudit.rules.heads.class_counts import RULES
from tests.rules.saved import codes, found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labels.txt", "0 cat\n1 dog\n2 cow\n3 hen"),
        ("class_names.txt", "cat\ndog\ncow\nhen\n"),
        ("class_indices.json", json.dumps({"cat": 0, "cow": 1, "dog": 2, "hen": 3})),
        ("metadata.json", json.dumps({"labels": ["cat", "dog", "cow", "hen"]})),
    ],
)
def test_class_names(k, tmp_path, file, text):
    (tmp_path / file).write_text(text)
    dense, medium = k.layers.Dense, [("MA317", "medium")]
    for head, expected in (
        ([dense(3, "softmax")], medium),
        ([dense(5, "softmax")], medium),
        ([dense(4, "softmax")], []),
        ([dense(1, "sigmoid")], medium),
        ([dense(4, "sigmoid")], []),
        ([dense(7)], [("MA317", "low")]),
        ([dense(1)], []),  # a number
        ([dense(7, "relu")], []),
    ):
        assert codes(RULES, sequential(k, (6,), *head), tmp_path) == expected
    given = k.Input((6,))
    both = k.Model(given, [dense(3, "softmax")(given), dense(1, name="age")(given)])
    assert codes(RULES, both, tmp_path) == medium
    for other, expected in (
        (5, [("MA317", "low")]),
        (4, []),
    ):  # the names can belong to either
        two = [dense(3, "softmax")(given), dense(other, "softmax", name="b")(given)]
        assert codes(RULES, k.Model(given, two), tmp_path) == expected
    model = sequential(k, (6,), dense(3, "softmax", name="animals"))
    model.export(str(tmp_path / "exported"), verbose=False)
    (only,) = found(RULES, tmp_path / "exported")
    assert only.evidence["measured"] == 3 and only.evidence["expected"] == 4
    model.save(tmp_path / "model.keras")
    (only,) = found(RULES, tmp_path / "model.keras")
    assert 'keras.layers.Dense(4, activation="softmax", name="animals")' in only.fix


def test_two_names_of_one_unit(k, tmp_path):
    (tmp_path / "labels.txt").write_text("no\nyes")
    for units, activation, expected in (
        (1, "sigmoid", []),
        (2, "softmax", []),
        (3, "softmax", [("MA317", "medium")]),
    ):
        model = sequential(k, (6,), k.layers.Dense(units, activation))
        assert codes(RULES, model, tmp_path) == expected


def test_vocabularies(k, tmp_path):
    layers = k.layers
    words = layers.TextVectorization()
    words.adapt(["a b c d e", "f g"])
    lacks = [("MA318", "medium")]

    def text(vectorized, room):
        given = layers.Input((1,), dtype="string")
        x = layers.GlobalAveragePooling1D()(layers.Embedding(room, 4)(vectorized(given)))
        return codes(RULES, k.Model(given, layers.Dense(1)(x)), tmp_path, ("keras",))

    assert text(words, words.vocabulary_size() - 1) == lacks
    assert text(words, words.vocabulary_size()) == []
    lookup = layers.StringLookup(vocabulary=["a", "b", "c"], mask_token="")
    assert text(lookup, 4) == lacks
    assert text(lookup, 5) == []
    assert text(layers.Hashing(10), 9) == lacks
    assert text(layers.Hashing(10), 6) == [("MA318", "high")]  # most of these fail
    assert text(layers.Hashing(10), 10) == []
    number = layers.Input((1,))
    for room, expected in ((3, lacks), (4, [])):
        bins = layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])(number)
        x = layers.Flatten()(layers.Embedding(room, 2)(bins))
        model = k.Model(number, layers.Dense(1)(x))
        assert codes(RULES, model, tmp_path, ("keras",)) == expected
    given = layers.Input((20,))
    plain = k.Model(given, layers.Dense(1)(layers.Flatten()(layers.Embedding(5, 2)(given))))
    assert codes(RULES, plain, tmp_path) == []


def test_an_index_without_a_row_fails(k):
    layers = k.layers
    import tensorflow as tf

    given = layers.Input((1,), dtype="string")
    lookup = layers.StringLookup(vocabulary=["a", "b", "c"])
    model = k.Model(given, layers.Flatten()(layers.Embedding(3, 2)(lookup(given))))
    model.predict(tf.constant([["a"]]), verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.predict(tf.constant([["c"]]), verbose=0)


def test_vocabularies_in_files(k, tmp_path):
    """Against an index that Keras itself refuses: the last one of the file."""
    layers = k.layers

    def text(room, *more):
        given = layers.Input((4,), dtype="int32")
        parts = [layers.Flatten()(layers.Embedding(n, 2)(given)) for n in (room, *more)]
        x = layers.Concatenate()(parts) if more else parts[0]
        return k.Model(given, layers.Dense(1)(x))

    words = "".join(f"word{n}\n" for n in range(149))
    (tmp_path / "vocab.txt").write_text("[PAD]\n" + words)
    for room, expected in (
        (150, []),
        (160, []),
        (149, [("MA318", "medium")]),
        (135, [("MA318", "medium")]),
        (102, [("MA318", "low")]),  # 100 words, padding and an index of unknown words
        (129, [("MA318", "low")]),  # 128 words and padding
    ):
        assert codes(RULES, text(room), tmp_path) == expected
    import numpy as np
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError):
        text(149).predict(np.full((1, 4), 149), verbose=0)
    # One of several embeddings has room for it, as beside those of positions; or none has.
    assert codes(RULES, text(150, 20), tmp_path) == []
    assert codes(RULES, text(20, 135), tmp_path) == [("MA318", "low")]
    (only,) = found(RULES, tmp_path / "model.keras")
    assert only.evidence["measured"] == 135 and "vocab.txt" in only.detail

    class Words(layers.Layer):
        """A table of one's own, beside Keras' for positions."""

        def build(self, _):
            self.table = self.add_weight(shape=(150, 2), name="table")

        def call(self, indices):
            return tf.gather(self.table, indices)

    given, places = layers.Input((4,), dtype="int32"), layers.Input((4,), dtype="int32")
    summed = layers.Add()([Words()(given), layers.Embedding(4, 2)(places)])
    own = k.Model([given, places], layers.Dense(1)(layers.Flatten()(summed)))
    assert codes(RULES, own, tmp_path) == [("MA318", "low")]
    # Another vocabulary fits, or the model has its own, or the file is that of another model.
    (tmp_path / "tokenizer.json").write_text('{"a": 1, "b": 2}')
    assert codes(RULES, text(135), tmp_path) == []
    (tmp_path / "tokenizer.json").unlink()
    given = layers.Input((1,), dtype="string")
    lookup = layers.StringLookup(vocabulary=["a", "b", "c"])
    own = k.Model(given, layers.Flatten()(layers.Embedding(4, 2)(lookup(given))))
    assert codes(RULES, own, tmp_path, ("keras",)) == []
    text(3).save(tmp_path / "another.keras")
    assert codes(RULES, text(135), tmp_path) == [("MA318", "low")]


def test_a_tokenizer_with_as_many_words_as_rows(k, tmp_path):
    """It counts from 1, so an embedding needs a row more than there are words."""
    index = {f"word{n}": n for n in range(1, 101)}
    for most, expected in ((None, [("MA318", "medium")]), (100, [])):
        config = {"num_words": most, "word_index": json.dumps(index)}
        (tmp_path / "tokenizer.json").write_text(json.dumps({"config": config}))
        layers = [k.layers.Embedding(100, 2), k.layers.Flatten(), k.layers.Dense(1)]
        assert codes(RULES, sequential(k, (4,), *layers), tmp_path) == expected


def test_the_index_of_a_tokenizer_lists_words_that_it_does_not_use(tmp_path):
    import tf_keras as k

    words = [f"word{n}" for n in range(1, 150)]
    tokenizer = k.preprocessing.text.Tokenizer(num_words=73)
    tokenizer.fit_on_texts([" ".join(words[:n]) for n in range(1, 150)])
    assert len(tokenizer.word_index) == 149
    used = tokenizer.texts_to_sequences([" ".join(words)])[0]
    assert max(used) == 72
    (tmp_path / "word_index.json").write_text(json.dumps(tokenizer.word_index))
    for room, expected in ((73, "low"), (149, "medium")):
        layers = [k.layers.Embedding(room, 2), k.layers.Flatten(), k.layers.Dense(1)]
        assert codes(RULES, sequential(k, (4,), *layers), tmp_path) == [("MA318", expected)]
