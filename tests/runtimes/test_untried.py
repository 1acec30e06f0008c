"""What no model has with which predictions were compared makes a prediction less certain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Document, Format, Json
from modelaudit.findings import Confidence
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.classes import SourceCode
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import Prediction
from modelaudit.runtimes.predict import predict
from modelaudit.runtimes.untried import kind_of, kinds_in, tried, untried
from modelaudit.settings import Limits

LOADERS = ("tf==2.21.0", "tf-keras==2.21.0")


def of(config: Json) -> tuple[str, ...]:
    return untried(
        Artifact(
            root=Path("m.h5"),
            format=Format.LEGACY_H5_FULL,
            documents=(Document("m.h5", "model_config", config),),
        )
    )


def layer(kind: str, /, **config: Json) -> dict[str, Json]:
    return {"class_name": kind, "config": config}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "None"),
        (True, "True"),
        (3, "number"),
        (0.5, "number"),
        (-1, "negative"),
        ("same", "'same'"),
        ("w" * 41, "text"),
        ([], "list of nothing"),
        ([2, 2.0], "list of number"),
        ([1, -1], "list of negative, number"),
        (["red", 1], "texts"),
        (layer("Zeros"), "object"),
        ({"class_name": "__tuple__", "items": [3, 3]}, "list of number"),
        ({"axis": 1}, "dictionary"),
    ],
)
def test_the_kind_of_an_argument(value: Json, kind: str) -> None:
    assert kind_of(value) == kind


def test_classes_are_found_at_any_depth_and_names_of_models_are_no_arguments() -> None:
    inner = layer("LSTM", units=3, name="lstm_7", kernel_initializer=layer("Zeros"))
    model = layer("Sequential", name="m", layers=[layer("Bidirectional", layer=inner)])
    assert sorted(kinds_in(model), key=lambda each: each[0]) == [
        ("Bidirectional", {"layer": "object"}),
        ("LSTM", {"units": "number", "kernel_initializer": "object"}),
        ("Sequential", {}),
        ("Zeros", {}),
    ]


def test_what_every_model_has_was_tried() -> None:
    dense = layer("Dense", units=4, activation="relu", use_bias=True, kernel_constraint=None)
    assert of(layer("Sequential", layers=[dense])) == ()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (layer("Capsules", units=2), "the class `Capsules`"),
        (layer("Dense", units=[4]), "`units` of `Dense`"),
        (layer("Dense", activation="sparsest"), "`activation` of `Dense`"),
        (layer("Dense", unknown=1), "`unknown` of `Dense`"),
        (layer("Lambda", function="double"), "the code in `Lambda`"),
        ({"class_name": "function", "config": "double"}, "a function of its program"),
    ],
)
def test_what_none_has_is_told(config: dict[str, Json], told: str) -> None:
    assert of(layer("Sequential", layers=[config])) == (told,)


def test_how_a_model_was_compiled_is_no_part_of_its_layers() -> None:
    dense = layer("Dense", units=4)
    metric = {"name": "mean", **layer("MeanOfNobody")}
    documents = (
        Document("m.h5", "model_config", layer("Sequential", layers=[dense])),
        Document("m.h5", "training_config", {"loss": metric}),
        Document("keras_metadata.pb", "nodes/9", metric),
    )
    found = untried(Artifact(root=Path("m"), format=Format.SAVEDMODEL_TF2, documents=documents))
    assert found == ()


def test_a_few_are_told_and_the_others_counted() -> None:
    layers = [layer(f"Own{number}") for number in (*range(6), 0)]
    told = of(layer("Sequential", layers=layers))
    assert len(told) == 5
    assert told[-1] == "and 2 more"


def test_a_model_without_a_config() -> None:
    assert "does not list" in untried(Artifact(root=Path("w.h5"), format=Format.TF2_CHECKPOINT))[0]


def predictions(path: Path, code: SourceCode | None = None) -> dict[str, Prediction]:
    return {
        each.runtime: each
        for each in predict(read(path, Limits()), LOADERS, code=code)
        if each.call.startswith("load_model")
    }


def net(keras: ModuleType, **options: object) -> Callable[[str], object]:
    layers = [keras.layers.Input((4,)), keras.layers.Dense(3, **options)]
    return keras.Sequential(layers).save


@pytest.mark.slow
def test_a_plain_model_loads_for_certain(tmp_path: Path, old: ModuleType, new: ModuleType) -> None:
    for keras, runtime in ((new, LOADERS[0]), (old, LOADERS[1])):
        path = tmp_path / f"{keras.__name__}.h5"
        net(keras)(str(path))
        keras.models.load_model(path, compile=False)
        found = predictions(path)[runtime]
        assert found.predicted is LoadOutcome.LOADS
        assert (found.confidence, found.untried) == (Confidence.HIGH, ())


RARE = """
import keras


class Rare(keras.regularizers.Regularizer):
    def __call__(self, weights):
        return 0.0

    def get_config(self):
        return {}
"""


@pytest.mark.slow
def test_a_class_of_somebody_makes_it_likely(tmp_path: Path, new: ModuleType) -> None:
    names: dict[str, Any] = {}
    exec(RARE, names)
    (tmp_path / "rare.py").write_text(RARE)
    path = tmp_path / "m.keras"
    net(new, bias_regularizer=names["Rare"]())(str(path))
    new.models.load_model(path, custom_objects={"Rare": names["Rare"]})
    found = predictions(path, read_source_code([str(tmp_path / "rare.py")]))[LOADERS[0]]
    assert found.predicted is LoadOutcome.LOADS
    assert (found.confidence, found.untried) == (Confidence.MEDIUM, ("the class `Rare`",))
    # What is predicted to fail has its reason, whatever else is in the file.
    failing = predictions(path)[LOADERS[0]]
    assert (failing.predicted, failing.untried) == (LoadOutcome.FAILS, ())


def test_what_was_tried_are_classes_of_keras() -> None:
    """Of which the commonest layers are, and none of the architectures' own."""
    names = {name for name, _ in kinds_in([layer(each) for each in tried()])}
    described = find_profile(LOADERS[0]).data, find_profile(LOADERS[1]).data
    of_keras = {
        name
        for data in described
        for names in (*data["classes"].values(), *data["internal"].values())
        for name in names
    }
    assert names <= of_keras
    assert names >= {"Dense", "Conv2D", "LSTM", "GRU", "BatchNormalization", "Embedding", "Dropout"}
