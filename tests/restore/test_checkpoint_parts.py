"""Checkpoints that hold a model beside other objects: only the model is restored, and proven."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from modelaudit.api import audit
from modelaudit.audit_types.restore import RestoreSection
from modelaudit.findings import Outcome
from modelaudit.schema import Audit
from tests.sharing import told_with_tensorflow

pytestmark = pytest.mark.slow

# Prints how far the outputs of each restored model are from those of the model that was saved.
MAKE = """
import json, os, sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf, tf_keras
from modelaudit.probe.child.loading import LoadContext, load_checkpoint, load_weights

x = np.random.default_rng(3).standard_normal((16, 6)).astype("float32")
os.chdir(sys.argv[1])
Checkpoint = tf.train.Checkpoint

def build(k, hidden=7, trained=True, nested=False):
    inner = k.Sequential([k.layers.Input((hidden,)), k.layers.Dense(5), k.layers.Dropout(0.1)])
    layers = [k.layers.Dense(hidden), k.layers.BatchNormalization(), inner, k.layers.Dense(2)]
    model = k.Sequential([k.layers.Input((6,)), *layers])
    if trained:
        model.compile(k.optimizers.Adam(), "mse")
        if nested:  # its settings are in the architecture too
            inner.compile(k.optimizers.SGD(), "mse")
        model.fit(x, x[:, :2], verbose=0)
    return model

away = {}

def keep(name, model, write, k=keras, file="ckpt", call=load_checkpoint, architecture=None):
    Path(name).mkdir()
    config = (architecture or model).to_json()
    Path(name, "model.json").write_text(config)
    path = os.path.abspath(os.path.join(name, file))
    write(path)
    if architecture is None:
        request = {"path": path, "architecture": config, "threads": 1}
        loaded = call(LoadContext(tf, k, request, {}))
        (y,) = loaded.infer([x]).values()
        compiled = getattr(loaded.model, "optimizer", None) is not None
        away[name] = [float(np.abs(y - model.predict(x, verbose=0)).max()), compiled]

model, other = build(keras), build(keras, 4)
optimizer = model.optimizer
both = Checkpoint(model=model, optimizer=optimizer)
keep("both", model, both.write)
keep("named", model, Checkpoint(net=model, opt=optimizer, step=tf.Variable(3)).write)
inside = build(keras, nested=True)
keep("nested", inside, Checkpoint(model=inside, optimizer=inside.optimizer).write)
keep("root", model, Checkpoint(model).write)
keep("pair", model, Checkpoint(first=other, second=model).write)
keep("shape", model, both.write, architecture=other)
model = build(keras, trained=False)
keep("alone", model, Checkpoint(model=model).write)
model = build(keras)
keep("h5", model, model.save_weights, file="m.weights.h5", call=load_weights)
old = build(tf_keras)
keep("old", old, Checkpoint(model=old, optimizer=old.optimizer).write, tf_keras)
keep("old_weights", old, old.save_weights, tf_keras)
print(json.dumps(away))
"""

ONE_MODEL = ("both", "named", "nested", "root", "alone", "h5", "old", "old_weights")


@dataclass(frozen=True)
class Made:
    away: dict[str, tuple[float, bool]]
    audits: dict[str, Audit]

    def codes(self, name: str) -> set[str]:
        """Codes of findings that the model does not load, or with other weights."""
        results = self.audits[name].results
        found = {each.code for each in results if each.outcome is Outcome.FAIL}
        return found & {"MA210", "MA407", "MA408"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("parts")
    away = told_with_tensorflow("-c", MAKE, folder)
    return Made(away, {each.model.path.partition("/")[0]: each for each in audit(folder)})


@pytest.mark.parametrize("name", [*ONE_MODEL, "pair"])
def test_the_model_is_restored_without_its_optimizer(made: Made, name: str) -> None:
    difference, compiled = made.away[name]
    assert difference < 1e-5
    assert not compiled


@pytest.mark.parametrize("name", ONE_MODEL)
def test_every_weight_is_proven(made: Made, name: str) -> None:
    found = made.audits[name]
    assert made.codes(name) == set()
    assert isinstance(found.restore, RestoreSection)
    # Two of each Dense layer, four of the normalization; dropout of Keras 3 has a random state.
    assert found.restore.identical == found.restore.compared >= 10
    assert not found.restore.unexpected


def test_an_architecture_of_other_shapes_is_rejected(made: Made) -> None:
    assert made.codes("shape") == {"MA210"}
