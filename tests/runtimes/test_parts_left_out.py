"""Models of which the loading call leaves a part to the program, each with a twin it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelaudit.api import audit
from modelaudit.audit_types.loading import Status
from modelaudit.findings import Finding, Severity
from modelaudit.schema import Audit
from tests.sharing import with_tensorflow

MAKE = """
import json, os, sys, zipfile
import h5py, keras, numpy as np, tensorflow as tf
os.chdir(sys.argv[1])
v1 = tf.compat.v1

def training(folder, part):
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, [None, 6], "x")
        y = v1.placeholder(tf.float32, [None, 4], "y")
        w = v1.get_variable("w", [6, 4], initializer=v1.random_normal_initializer(seed=1))
        loss = tf.reduce_mean(tf.square(tf.matmul(x, w, name="scores") - y))
        step = v1.train.AdamOptimizer(0.1).minimize(loss)
        saver = v1.train.Saver([w] if part else None)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(step, {x: np.ones((3, 6)), y: np.ones((3, 4))})
            saver.save(session, f"{folder}/model.ckpt")

training("some", True)
training("all", False)

class Named(tf.Module):
    def __init__(self):
        self.names = tf.Variable([b"a", b"bc", b"d\\0", b""], name="names")
        self.title = tf.Variable(b"titled\\0", name="title")
        self.w = tf.Variable(np.arange(12, dtype="float32").reshape(4, 3), name="w")

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def __call__(self, x):
        scores = x @ self.w
        return {"scores": scores, "best": tf.gather(self.names, tf.argmax(scores, 1))}

named = Named()
tf.saved_model.save(named, "named", signatures=named.__call__)

from tensorflow.python.framework import composite_tensor, type_spec_registry

class Point(composite_tensor.CompositeTensor):
    def __init__(self, x):
        self.x = x

    @property
    def _type_spec(self):
        return PointSpec(self.x.shape)

@type_spec_registry.register("lab.PointSpec")
class PointSpec(tf.TypeSpec):
    value_type = Point

    def __init__(self, shape):
        self.shape = shape

    def _serialize(self):
        return (self.shape,)

    @property
    def _component_specs(self):
        return tf.TensorSpec(self.shape)

    def _to_components(self, value):
        return value.x

    def _from_components(self, x):
        return Point(x)

for folder in ("unregistered", "registered"):
    class Pointed(tf.Module):
        def __init__(self):
            self.w = tf.Variable(np.ones((4, 3), "float32"), name="w")

        @tf.function(input_signature=[tf.TensorSpec([None, 4])])
        def point(self, x):
            return Point(x @ self.w)

        @tf.function(input_signature=[tf.TensorSpec([None, 4])])
        def __call__(self, x):
            return {"scores": x @ self.w}

    module = Pointed()
    if folder == "unregistered":
        module.point(np.ones((1, 4), "float32"))
    else:
        module.point = None
    tf.saved_model.save(module, folder, signatures=module.__call__)

def archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"\\x80\\x02N.")

archive("named/other.pth")
archive("named/assets/other.pth")
open("named/other.pkl", "wb").write(b"\\x80\\x02N.")
open("named/notes.bin", "wb").write(bytes(range(20)))

def chain():
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((4,)), dense(3, activation="relu"), dense(2)])

def compiled(path, **settings):
    model = chain()
    model.compile(optimizer="adam", **settings)
    model.save(path)

compiled("short.h5", loss="mse")
compiled("class.h5", loss=keras.losses.MeanSquaredError(), metrics=["accuracy"])
compiled("short.keras", loss="mse", metrics=["mae"])
with zipfile.ZipFile("short.keras") as file:
    parts = {name: file.read(name) for name in file.namelist()}
config = json.loads(parts["config.json"])
config["compile_config"]["optimizer"]["config"]["lr"] = 0.1
parts["config.json"] = json.dumps(config)
with zipfile.ZipFile("lr.keras", "w") as file:
    for name, data in parts.items():
        file.writestr(name, data)

chain().save("atanh.h5")
with h5py.File("atanh.h5", "a") as file:
    config = json.loads(file.attrs["model_config"])
    config["config"]["layers"][1]["config"]["activation"] = "atanh"
    file.attrs["model_config"] = json.dumps(config)
chain().save("lambda.h5")
with h5py.File("lambda.h5", "a") as file:
    config = json.loads(file.attrs["model_config"])
    config["config"]["layers"][1]["config"]["activation"] = "<lambda>"
    file.attrs["model_config"] = json.dumps(config)
with h5py.File("class.h5") as file, h5py.File("unheard.h5", "w") as other:
    file.copy("model_weights", other)
    other.attrs.update(file.attrs)
    config["config"]["layers"][2]["config"]["unheard_of"] = 1
    other.attrs["model_config"] = json.dumps(config)

def loads(path):
    try:
        keras.models.load_model(path)
    except Exception:
        return False
    return True

names = ("short.h5", "class.h5", "short.keras", "lr.keras")
open("loads.txt", "w").write(json.dumps({name: loads(name) for name in names}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    with_tensorflow("-c", MAKE, folder)
    return folder


@pytest.fixture(scope="module")
def audits(folder: Path) -> dict[str, Audit]:
    return {each.model.path: each for each in audit(folder)}


def of(found: Audit, code: str) -> tuple[Finding, ...]:
    return next(each for each in found.results if each.code == code).findings


@pytest.mark.slow
def test_a_saver_of_some_variables_restores_these(audits: dict[str, Audit]) -> None:
    for folder in ("some", "all"):
        found = audits[f"{folder}/model.ckpt"]
        assert not of(found, "MA210")
        assert not of(found, "MA407")
        assert not of(found, "MA408")
        (seen,) = found.observations
        assert seen.status == Status.LOADED
        notes = [each for each in seen.notes if "have no value" in each]
        assert notes == ["4 of 5 variables were not restored and have no value"] * (
            folder == "some"
        )


@pytest.mark.slow
def test_strings_are_restored_weights(audits: dict[str, Audit]) -> None:
    assert not of(audits["named"], "MA407")
    assert not of(audits["named"], "MA408")


@pytest.mark.slow
def test_programs_beside_a_model_are_reported_once(audits: dict[str, Audit]) -> None:
    programs = {each.location.file: each.severity for each in of(audits["named"], "MA739")}
    assert programs == {
        "assets/other.pth": Severity.HIGH,
        "other.pkl": Severity.LOW,  # with other.pth, in one finding
    }
    assert [each.location.file for each in of(audits["named"], "MA115")] == ["notes.bin"]


@pytest.mark.slow
def test_a_model_that_only_loads_without_compiling_says_so(
    audits: dict[str, Audit], folder: Path
) -> None:
    loads = json.loads((folder / "loads.txt").read_text())
    assert set(loads.values()) == {True, False}
    assert not loads["short.h5"]
    for name, loaded in loads.items():
        found = of(audits[name], "MA213")
        assert bool(found) != loaded, name
        assert audits[name].observations[0].status == Status.LOADED
        for each in found:
            code = "\n".join(line[4:] for line in each.fix.splitlines() if line[:4] == "    ")
            with_tensorflow("-c", code, cwd=folder)


@pytest.mark.slow
def test_an_activation_of_the_program_is_a_condition(
    audits: dict[str, Audit], folder: Path
) -> None:
    found = audits["atanh.h5"]
    assert not of(found, "MA210")
    (each,) = of(found, "MA715")
    code = "\n".join(line[4:] for line in each.fix.splitlines() if line[:4] == "    ")
    given = f"import tensorflow as tf\natanh = tf.math.atanh\n{code}"
    with_tensorflow("-c", given, cwd=folder)
    assert of(audits["unheard.h5"], "MA210")


@pytest.mark.slow
def test_a_lambda_as_an_activation_is_a_condition(audits: dict[str, Audit], folder: Path) -> None:
    found = audits["lambda.h5"]
    assert not of(found, "MA210")
    (each,) = of(found, "MA715")
    assert "<lambda>" in each.detail
    code = "\n".join(line[4:] for line in each.fix.splitlines() if line[:4] == "    ")
    given = f"import tensorflow as tf\nfunction = tf.math.atanh\n{code}"
    with_tensorflow("-c", given, cwd=folder)


@pytest.mark.slow
def test_a_type_of_a_library_that_was_not_imported_is_a_condition(
    audits: dict[str, Audit],
) -> None:
    found = audits["unregistered"]
    assert "has not been registered" in found.observations[0].error
    assert not of(found, "MA210")
    (each,) = of(found, "MA715")
    assert (each.severity, "lab.PointSpec" in each.detail) == (Severity.LOW, True)
    assert not of(audits["registered"], "MA715")
    assert audits["registered"].observations[0].status == Status.LOADED
