"""Gates that TensorFlow 2.9 to 2.13 computes as a swish or mish of one factor.

This TensorFlow does not, so `JOINED` has what TensorFlow 2.9.3 and 2.13.1 computed of these files
on a CPU; 2.14.1 computed none of them otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SIZE = 8
JOINED = frozenset(
    ("halves", "product in the other order", "other half", "parts of given sizes", "steps")
) | {"identities between", "mish", "in a function"}


def functions(tf: Any) -> dict[str, Callable[[Any], Any]]:
    """Functions of a row of numbers, most of which are gates."""

    def halves(x: Any) -> Any:
        return tf.split(x, 2, -1)

    def gate(a: Any, b: Any) -> Any:
        return a * tf.sigmoid(b)

    def twice(a: Any, b: Any) -> Any:
        opened = tf.sigmoid(b)
        return a * opened + opened

    def of_halves(join: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
        return lambda x: join(*halves(x))

    inner = tf.function(of_halves(gate))
    half = SIZE // 2
    return {
        "halves": of_halves(gate),
        "product in the other order": of_halves(lambda a, b: tf.sigmoid(b) * a),
        "other half": of_halves(lambda a, b: b * tf.sigmoid(a)),
        "parts of given sizes": lambda x: gate(*tf.split(x, [half, half], -1)),
        "steps": lambda x: gate(*tf.unstack(tf.reshape(x, (-1, 2, half)), axis=1)),
        "identities between": of_halves(lambda a, b: gate(tf.identity(a), tf.identity(b))),
        "mish": of_halves(lambda a, b: a * tf.tanh(tf.math.softplus(b))),
        "in a function": lambda x: inner(x) + 1.0,
        "scaled by a number": lambda x: gate(*halves(x)) * 2.0,
        "slices": lambda x: gate(x[:, :half], x[:, half:]),
        "swish": of_halves(lambda a, b: gate(b, b) + a),
        "sigmoid used twice": of_halves(twice),
        "function of the factor": of_halves(lambda a, b: gate(tf.tanh(a), b)),
        "tanh": of_halves(lambda a, b: a * tf.tanh(b)),
        "double precision": lambda x: tf.cast(gate(*halves(tf.cast(x, "float64"))), "float32"),
    }


def saved(tf: Any, path: Path, name: str) -> None:
    """A SavedModel of one of the functions."""
    module = tf.Module()
    module.run = tf.function(functions(tf)[name], [tf.TensorSpec((None, SIZE), tf.float32)])
    signature = module.run.get_concrete_function()
    tf.saved_model.save(module, str(path), signatures=signature)


@pytest.mark.parametrize(
    ("version", "wrong"), [("2.8.4", False), ("2.9.3", True), ("2.13.1", True), ("2.14.1", False)]
)
def test_gates_of_signatures(tmp_path: Path, version: str, wrong: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    profile = as_installed(find_profile(f"tf=={version}"))
    for name in functions(tf):
        saved(tf, tmp_path / name, name)
        artifact = read(tmp_path / name, Limits())
        for call in (LoadCall.SAVED_MODEL, LoadCall.SESSION):
            (found,) = fitting_predictions(artifact, [(profile, LoadRequest(call))])
            codes = [each.code for each in found.because]
            assert codes == ["gate-joined-wrongly"] * (wrong and name in JOINED), (name, call)
            assert (found.predicted is LoadOutcome.DIFFERS) == bool(codes)


def test_gates_of_layers_that_keras_revives(tmp_path: Path) -> None:
    """Keras 2.9 calls the function of a layer whose class it lacks (observed: other answers)."""
    keras = pytest.importorskip("tf_keras")
    tf = pytest.importorskip("tensorflow")

    class GatedUnit(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            a, b = tf.split(x, 2, -1)
            return a * tf.sigmoid(b)

    model = keras.Sequential([keras.layers.Input((SIZE,)), GatedUnit(), keras.layers.Dense(2)])
    model.save(tmp_path / "m", save_format="tf")
    artifact = read(tmp_path / "m", Limits())
    # This Keras 2, as if it came with a TensorFlow that joins gates: nothing else is in the way.
    installed = find_profile("tf-keras==2.21.0")
    versions = {**installed.data["versions"], "tensorflow": "2.13.1"}
    profile = replace(installed, data={**installed.data, "versions": versions})
    for custom, wrong in ((frozenset[str](), True), (frozenset({"GatedUnit"}), False)):
        request = LoadRequest(LoadCall.LOAD_MODEL, custom=custom)
        (found,) = fitting_predictions(artifact, [(profile, request)])
        assert [each.code for each in found.because] == ["gate-joined-wrongly"] * wrong
