"""Operations that TensorFlow joins to one it does not have: TensorFlow is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SIZE = 4
# What a graph does beside convolution, batch normalization and activation.
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "of variables": {"variables": True},
    "of the first version": {"version": ""},
    "identities between": {"between": True},
    "of two functions": {"nested": True},
    "other activation": {"activation": "Sigmoid"},
    "other product": {"product": "DepthwiseConv2dNative"},
    "no product": {"product": ""},
    "half precision": {"dtype": "float16"},
    "statistics of the batch": {"training": True},
    "convolution used twice": {"also": "product"},
    "normalization used twice": {"also": "shift"},
    "activation used twice": {"also": "activation"},
    "with a bias": {"bias": True},
}


def module(tf: Any, form: dict[str, Any]) -> Any:
    """A module whose function has the operations in a row."""
    dtype = form.get("dtype", "float32")
    made = tf.Module()
    make = tf.Variable if form.get("variables") else tf.constant
    made.values = [make(np.ones(SIZE, "float32")) for _ in range(4)]
    made.kernel = tf.constant(np.ones((3, 3, SIZE, 1), dtype))

    def product(x: Any) -> Any:
        kind = form.get("product", "Conv2D")
        kernel = made.kernel if kind.startswith("Depthwise") else tf.repeat(made.kernel, SIZE, 3)
        given = {"input": x, "filter": kernel, "strides": [1] * 4, "padding": "SAME"}
        x = getattr(tf.raw_ops, kind)(**given) if kind else x
        return tf.nn.bias_add(x, tf.ones(SIZE, dtype)) if form.get("bias") else x

    def whole(x: Any) -> Any:
        first = product(tf.cast(x, dtype))
        x = tf.identity(first) if form.get("between") else first
        shift = getattr(tf.raw_ops, "FusedBatchNorm" + form.get("version", "V3"))
        training = form.get("training", False)
        names = ("scale", "offset", "mean", "variance")
        given = dict(zip(names, [tf.convert_to_tensor(v) for v in made.values], strict=True))
        if training:
            given |= {"mean": tf.zeros(0), "variance": tf.zeros(0)}
        second = shift(x=x, is_training=training, **given).y
        x = tf.identity(second) if form.get("between") else second
        third = getattr(tf.raw_ops, form.get("activation", "Tanh"))(x=x)
        also = {"product": first, "shift": second, "activation": third}.get(form.get("also", ""))
        return tf.cast(third if also is None else third + tf.sin(also), "float32")

    spec = [tf.TensorSpec((None, 5, 5, SIZE), tf.float32)]
    inner = tf.function(whole)
    made.run = tf.function((lambda x: inner(x) * 2) if form.get("nested") else whole, spec)
    return made


@pytest.mark.parametrize("form", FORMS)
def test_chains_of_operations(tmp_path: Path, form: str) -> None:
    tf = pytest.importorskip("tensorflow")
    data = tf.ones((2, 5, 5, SIZE))
    try:
        module(tf, {}).run(data)
        pytest.skip("this TensorFlow does not join operations: no oneDNN, or a GPU")
    except tf.errors.UnimplementedError:
        pass
    made = module(tf, FORMS[form])
    signature = made.run.get_concrete_function()
    tf.saved_model.save(made, tmp_path / "m", signatures=signature)
    loaded = tf.saved_model.load(tmp_path / "m").signatures["serving_default"]
    try:
        loaded(data)
        fails = False
    except tf.errors.UnimplementedError as error:
        assert "Fusion is not implemented: [FusedBatchNorm,Tanh]" in str(error)
        fails = True
    profile = as_installed(find_profile("tf==2.21.0"))
    artifact = read(tmp_path / "m", Limits())
    for call in (LoadCall.SAVED_MODEL, LoadCall.TFSM_LAYER, LoadCall.SESSION):
        (found,) = predict_calls(artifact, [(profile, LoadRequest(call))])
        assert [each.code for each in found.because] == ["fusion-not-implemented"] * fails
        assert found.conditions == found.because
