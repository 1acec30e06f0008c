"""Embeddings and encodings in exports, compared with what Keras gives them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.settings import Settings
from tests.rules.plain_graphs.exports import exported

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
WORDS = [f"w{number}" for number in range(20)]
MANY = [f"w{number}" for number in range(90)]  # of more, a graph does not list the indices


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def _texts(of):
    words = of.TextVectorization(output_sequence_length=4)
    words.adapt([" ".join(MANY)])
    return words


# Layer, its inputs, and the type of these.
SOURCES = {
    "words": (lambda of: of.StringLookup(vocabulary=WORDS), WORDS, "string"),
    "masked words": (lambda of: of.StringLookup(vocabulary=WORDS, mask_token=""), WORDS, "string"),
    "known words": (
        lambda of: of.StringLookup(vocabulary=WORDS, num_oov_indices=0),
        WORDS,
        "string",
    ),
    "many words": (lambda of: of.StringLookup(vocabulary=MANY), MANY, "string"),
    "numbers": (lambda of: of.IntegerLookup(vocabulary=[*range(7, 90)]), [*range(7, 90)], "int64"),
    "texts": (_texts, MANY, "string"),
    "bins": (lambda of: of.Discretization([0.0, 1.0, 2.0]), [-1.0, 0.5, 1.5, 2.5], "float32"),
    "hashes": (lambda of: of.Hashing(5), WORDS, "string"),
}


def _found(facts):
    return [
        (x.severity.value, x.evidence["expected"]) for x in run_rule(rule("MA318"), facts).findings
    ]


def _network(keras, source, dtype, room, *, encoded=False, behind=()):
    of = keras.layers
    given = keras.Input((1,), dtype=dtype)
    indices = source(given)
    for layer in behind:
        indices = layer(indices)
    taker = of.CategoryEncoding(room, output_mode="one_hot") if encoded else of.Embedding(room, 2)
    return keras.Model(given, of.Dense(2)(of.Flatten()(taker(indices))))


@pytest.mark.parametrize(
    ("kind", "encoded"), [*((kind, False) for kind in SOURCES), ("words", True), ("numbers", True)]
)
def test_as_much_room_as_the_source_has_indices(keras, kind, encoded, tmp_path) -> None:
    make, values, dtype = SOURCES[kind]
    source = make(keras.layers)
    known = keras.ops.convert_to_tensor(np.array(values)[:, None]) if dtype != "string" else None
    if known is None:
        import tensorflow as tf

        known = tf.constant([[value] for value in values])
    count = int(np.max(source(known))) + 1
    for room, expected in ((count - 1, [("medium", count)]), (count, [])):
        model = _network(keras, source, dtype, room, encoded=encoded)
        assert _found(exported(model, tmp_path / str(room))) == expected


@pytest.mark.parametrize(("room", "expected"), [(12, [("high", 21)]), (21, [])])
def test_a_table_for_the_words_of_two_columns(keras, room, expected, tmp_path) -> None:
    """The larger of two vocabularies has to fit, of one call for each and of one for both."""
    of = keras.layers
    given = [keras.Input((1,), dtype="string") for _ in range(2)]
    indices = [
        of.StringLookup(vocabulary=each)(x)
        for each, x in zip((WORDS, ["a", "b"]), given, strict=True)
    ]
    table = of.Embedding(room, 2)
    for called in (of.Concatenate()([*map(table, indices)]), table(of.Concatenate()(indices))):
        model = keras.Model(given, of.Dense(2)(of.Flatten()(called)))
        model.save(tmp_path / "model.keras")
        assert _found(static_facts(tmp_path / "model.keras", Settings())) == expected
        assert _found(exported(model, tmp_path)) == expected


@pytest.mark.parametrize(("most", "expected"), [(None, [("high", 21)]), (9, [])])
def test_indices_that_are_replaced_where_they_are_too_large(
    keras, most, expected, tmp_path
) -> None:
    import tensorflow as tf

    def limited(indices):
        return tf.where(indices > most, tf.zeros_like(indices), indices)

    behind = [] if most is None else [keras.layers.Lambda(limited, output_shape=(1,))]
    source = keras.layers.StringLookup(vocabulary=WORDS)
    facts = exported(_network(keras, source, "string", 10, behind=behind), tmp_path)
    assert _found(facts) == expected


def test_a_table_of_synonyms(keras, tmp_path) -> None:
    """What counts are the indices, not the words."""
    import tensorflow as tf

    class Lookup(keras.layers.Layer):
        def __init__(self, values):
            super().__init__()
            words = tf.constant([f"w{n}" for n in range(len(values))])
            made = tf.lookup.KeyValueTensorInitializer(words, tf.constant(values, tf.int64))
            self.table = tf.lookup.StaticHashTable(made, 0)

        def call(self, words):
            return self.table.lookup(words)

        def compute_output_spec(self, words):
            return keras.KerasTensor(words.shape, "int64")

    for count in (40, 100):
        for most, expected in ((6, [("medium", 6)]), (5, [])):
            values = [number % most for number in range(count)]
            model = _network(keras, Lookup(values), "string", 5)
            assert _found(exported(model, tmp_path / f"{count}_{most}")) == expected


def test_what_keras_does_with_an_index_beyond(keras) -> None:
    encode = keras.layers.CategoryEncoding(4, output_mode="one_hot")
    assert not np.any(encode(np.array([[4]])))
    tf_keras = pytest.importorskip("tf_keras")
    with pytest.raises(Exception, match="to be true"):
        tf_keras.layers.CategoryEncoding(4, output_mode="one_hot")(np.array([[4]]))


def test_the_one_index_for_unknown_words_is_not_all_that_a_table_gives(keras, tmp_path) -> None:
    """A `StaticVocabularyTable` hashes all words into as many bins as it has for unknown ones."""
    tf = pytest.importorskip("tensorflow")
    made = tf.lookup.KeyValueTensorInitializer(WORDS, tf.range(20, dtype=tf.int64))

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = tf.lookup.StaticVocabularyTable(made, 1)
            self.weights = tf.Variable(np.ones((21, 2), np.float32))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def call(self, words):
            return tf.matmul(tf.one_hot(self.table.lookup(words), 21), self.weights)

    model = Model()
    tf.saved_model.save(model, str(tmp_path / "m"), signatures=model.call)
    assert not run_rule(rule("MA314"), static_facts(tmp_path / "m", Settings())).findings
    facts = exported(_network(keras, keras.layers.Hashing(1), "string", 2), tmp_path)
    architecture = graph_architecture(facts.artifact)
    hashes = [each.config for each in architecture.layers if each.class_name == "Hashing"]
    assert hashes == [{"num_bins": 1}]
