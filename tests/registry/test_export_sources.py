"""The models that an export may have been made from, among all models of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.facts import Format
from modelaudit.formats.export_names import name_words
from modelaudit.registry.export_sources import MOST_SOURCES, export_sources
from tests.growth import LINEAR, growth

LITE, KERAS = Format.TFLITE, Format.KERAS_ARCHIVE


def sources(export: str, *others: str) -> list[str]:
    form = Format.TFJS_LAYERS if export.endswith(".json") else LITE
    models = {Path("/r", each): KERAS for each in others} | {Path("/r", export): form}
    return [
        each.relative_to("/r").as_posix() for each in export_sources(models)[Path("/r", export)]
    ]


@pytest.mark.parametrize(
    ("export", "source"),
    [
        ("digits.tflite", "digits.keras"),
        ("digits_int8.tflite", "digits.h5"),
        ("digits-dynamic-range.tflite", "digits.h5"),
        ("model_unquant.tflite", "keras_model.h5"),  # Teachable Machine
        ("tflite/digits/model_fp16.tflite", "keras/digits/model.keras"),
        ("digits/model.tflite", "digits/saved_model"),
        ("digits/tfjs/model.json", "digits/keras/model.h5"),
    ],
)
def test_an_export_has_the_name_of_its_source(export, source):
    assert name_words(Path(export)) == name_words(Path(source))
    assert sources(export, "other/x.keras", source, "other/y.keras")[0] == source


@pytest.mark.parametrize(
    ("export", "other"),
    [
        *(("digits.tflite", "letters.h5"), ("model_1.tflite", "model_2.h5")),
        *(
            ("a/m.tflite", "b/m.h5"),
            ("net_lite.tflite", "net.h5"),
            ("pose_full.tflite", "pose_lite.h5"),
        ),
    ],
)
def test_others_have_another_name(export, other):
    assert name_words(Path(export)) != name_words(Path(other))


def test_the_nearest_come_first():
    found = sources("a/b/net.tflite", "a/b/net.h5", "a/b/aa.h5", "a/c/x.h5", "a/b/d/y.h5",
                    "b/x.h5", "tflite/a/b/net.keras")  # fmt: skip
    assert found == ["a/b/net.h5", "a/b/aa.h5", "tflite/a/b/net.keras", "a/b/d/y.h5", "a/c/x.h5",
                     "b/x.h5"]  # fmt: skip


def test_few_are_read():
    found = sources("z/net.tflite", *(f"z/{i:03}.h5" for i in range(50)), "z/net.h5")
    assert (len(found), found[0]) == (MOST_SOURCES, "z/net.h5")


def test_exports_of_tensorflow_js():
    web, source = Path("/r/web/model.json"), Path("/r/model.keras")
    models = {web: Format.TFJS_LAYERS, source: KERAS, Path("/r/m.json"): Format.TFJS_GRAPH}
    assert export_sources(models) == {web: (source,), Path("/r/m.json"): (source,)}


def test_exports_are_no_sources():
    models = {Path("/r/a.tflite"): LITE, Path("/r/a_int8.tflite"): LITE, Path("/r/x"): None}
    assert export_sources(models) == {Path("/r/a.tflite"): (), Path("/r/a_int8.tflite"): ()}
    assert export_sources({Path("/r/a.h5"): KERAS}) == {}


def test_the_time_grows_with_the_number_of_models():
    def registry(count: int) -> dict[Path, Format | None]:
        models: dict[Path, Format | None] = {}
        for i in range(count):
            models[Path(f"/r/{i % 7}/{i}.h5")] = KERAS
            models[Path(f"/r/{i % 5}/lite/{i}.tflite")] = LITE
        return models

    assert growth(registry, export_sources, 200) < LINEAR
