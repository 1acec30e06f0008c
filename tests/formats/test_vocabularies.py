"""Vocabularies next to a model."""

from __future__ import annotations

import json

import h5py
import pytest

from modelaudit.formats.reader import read
from modelaudit.formats.vocabularies import read_vocabularies
from modelaudit.settings import Limits
from tests.made import files

KERAS = {"num_words": None, "oov_token": None, "word_index": json.dumps({"a": 1, "b": 2, "c": 3})}
HUGGING_FACE = {"model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "a": 1, "b": 2}}}


LIMITS = Limits()


def counted(folder, limits=LIMITS):
    return {each["file"]: each["indices"] for each in read_vocabularies(folder / "m.h5", limits)}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("vocab.txt", "[PAD]\n[UNK]\ncat\n", 3),
        ("vocab.txt", "\n[UNK]\r\ncat\r\n\r\n", 3),  # the empty word is padding
        ("vocabulary.txt", "cat\ndog", 2),
        ("vocab.json", '{"cat": 0, "dog": 1, "hen": 2}', 3),
        ("vocabulary.json", '["", "[UNK]", "cat"]', 3),
        ("word_index.json", '{"cat": 1, "dog": 2}', 3),
        ("tokenizer.json", json.dumps({"class_name": "Tokenizer", "config": KERAS}), 4),
        ("tokenizer.json", json.dumps(json.dumps({"config": KERAS})), 4),  # dumped twice
        ("tokenizer.json", json.dumps({"config": {**KERAS, "num_words": 3}}), 3),
        ("tokenizer.json", json.dumps({"config": {**KERAS, "num_words": 30}}), 4),
        ("tokenizer.json", json.dumps(HUGGING_FACE), 3),
    ],
)
def test_the_indices_that_a_vocabulary_gives(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content, newline="")
    assert counted(tmp_path) == {name: expected}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.txt", ""),
        ("vocab.txt", "\n\n"),
        ("vocab.txt", "good\nbad\nbad\ngood\n"),  # the labels of texts
        ("vocab.txt", "a\n" + "x" * 500),
        ("vocabulary.json", "[1, 2]"),
        ("vocabulary.json", '[["a", 0.5], ["b", 0.1]]'),
        ("word_index.json", '{"the": 512, "cat": 40, "dog": 38}'),  # counts of words
        ("word_index.json", '{"the": 1, "cat": 1, "dog": 1}'),
        ("word_index.json", '{"a": true, "b": false}'),
        ("tokenizer.json", '{"config": {"config": {"config": {"config": {"a": 1, "b": 2}}}}}'),
        ("tokenizer.json", '"\\"a\\""'),
        ("tokenizer.json", '{"config": "{"}'),
        ("tokenizer.json", "["),
    ],
)
def test_what_is_no_vocabulary_is_ignored(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert counted(tmp_path) == {}


def test_keras_tokenizers_give_the_numbers_that_are_counted(tmp_path):
    """The largest number of a word, as the Tokenizer of Keras gives it, is below the count."""
    text = pytest.importorskip("tf_keras.src.preprocessing.text")
    for words in (None, 4):
        tokenizer = text.Tokenizer(num_words=words, oov_token="?")
        tokenizer.fit_on_texts(["a b c d e", "b c d e", "c"])
        (tmp_path / "tokenizer.json").write_text(tokenizer.to_json())
        given = max(*tokenizer.texts_to_sequences(["a b c d e"])[0])
        assert counted(tmp_path) == {"tokenizer.json": given + 1}


def test_reading_is_limited(tmp_path):
    (tmp_path / "vocab.json").write_text('{"cat": 0, "dog": 1}')
    (tmp_path / "vocab.txt").write_text("cat\ndog\nhen")
    assert counted(tmp_path) == {"vocab.txt": 3, "vocab.json": 2}
    assert counted(tmp_path, Limits(text_bytes=5)) == {"vocab.json": 2}
    assert counted(tmp_path, Limits(config_bytes=5)) == {"vocab.txt": 3}
    assert counted(tmp_path, Limits(json_nodes=1)) == {"vocab.txt": 3}


def test_the_own_directory_goes_first(tmp_path):
    inner = tmp_path / "model"
    inner.mkdir()
    (tmp_path / "vocab.txt").write_text("cat\ndog\nhen")
    (inner / "vocab.txt").write_text("cat\ndog")
    (only,) = read_vocabularies(inner, Limits())
    assert only == {"file": "vocab.txt", "indices": 2, "shared": False}
    (inner / "vocab.txt").unlink()
    files.minimal_h5(tmp_path / "other.h5")
    (only,) = read_vocabularies(inner, Limits())
    assert only == {"file": "vocab.txt", "indices": 3, "shared": True}
    assert "vocabularies" not in read(tmp_path / "other.h5", Limits()).extra


@pytest.mark.parametrize(("layer", "reads"), [("Embedding", True), ("Dense", False), ("", True)])
def test_only_models_that_may_have_an_embedding_read_a_vocabulary(tmp_path, layer, reads):
    (tmp_path / "vocab.txt").write_text("cat\ndog\nhen")
    path = files.minimal_h5(tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"]
        file.attrs["model_config"] = config.replace('"Dense"', f'"{layer}"')
        if not layer:  # weights alone
            del file.attrs["model_config"]
    assert ("vocabularies" in read(path, Limits()).extra) == reads
