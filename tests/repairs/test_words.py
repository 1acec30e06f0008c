"""Words of lookup layers, as archives keep them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import pytest

from modelaudit.errors import ReadError
from modelaudit.formats.reader import read_artifact
from modelaudit.repairs.words import stored_words
from modelaudit.settings import Limits

LIMITS = Limits()


def archive(path: Path, words: dict[str, str], *layers: tuple[str, str]) -> Path:
    listed = [{"class_name": kind, "config": {"name": name}} for kind, name in layers]
    config = {"class_name": "Sequential", "config": {"name": "model", "layers": listed}}
    with zipfile.ZipFile(path, "w") as target, h5py.File(path.with_suffix(".w"), "w") as weights:
        target.writestr("metadata.json", json.dumps({"keras_version": "3.15.0"}))
        target.writestr("config.json", json.dumps(config))
        weights.create_group("layers")
        weights.close()
        target.write(path.with_suffix(".w"), "model.weights.h5")
        for folder, text in words.items():
            target.writestr(f"assets/{folder}/vocabulary.txt", text)
    return path


def test_folders_are_numbered_by_class_whatever_the_names_are(tmp_path: Path) -> None:
    """As in `_save_container_state` of Keras."""
    layers = ("StringLookup", "string_lookup_1"), ("Dense", "d"), ("StringLookup", "string_lookup")
    words = {"layers/string_lookup": "[UNK]\none", "layers/string_lookup_1": "\n[UNK]\ntwo"}
    saved = read_artifact(archive(tmp_path / "a.keras", words, *layers), LIMITS)
    found = stored_words(saved, LIMITS)
    assert found == {"string_lookup_1": ("[UNK]", "one"), "string_lookup": ("", "[UNK]", "two")}


def test_the_folders_of_keras_2_13(tmp_path: Path) -> None:
    words = {"_layer_checkpoint_dependencies/text_vectorization": "[UNK]\none" + "\n" * 999}
    path = archive(tmp_path / "a.keras", words, ("TextVectorization", "v"))
    assert stored_words(read_artifact(path, LIMITS), LIMITS)["v"][:2] == ("[UNK]", "one")
    with pytest.raises(ReadError, match="too large"):
        stored_words(read_artifact(path, LIMITS), Limits(config_bytes=800))


def test_words_in_the_encoding_of_another_machine_stay_where_they_are(tmp_path: Path) -> None:
    """Keras writes them in that of its own, as cp1252 on Windows."""
    path = archive(tmp_path / "a.keras", {}, ("StringLookup", "v"))
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("assets/layers/string_lookup/vocabulary.txt", "café".encode("cp1252"))
    assert stored_words(read_artifact(path, LIMITS), LIMITS) == {}
