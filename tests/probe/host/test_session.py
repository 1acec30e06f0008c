"""Sessions on benign models: every loading call and request, compared with independent results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.errors import ProbeError
from modelaudit.facts import Format
from modelaudit.probe.host.feed import ActivationRequest, Feed, InputTransform
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation
from tests.probe.sessions import answered, one, only, opened

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plain(keras3: RuntimeHandle, made: Path, golden: dict) -> Iterator[Session]:
    with opened(keras3, made / "keras3_sequential.keras", Format.KERAS_ARCHIVE) as session:
        assert session.put({"x": golden["x"]}) is None
        yield session


def test_observation_describes_the_model(plain: Session) -> None:
    seen = plain.observation
    assert seen.runtime == "here"
    assert seen.call == "load_model"
    assert seen.versions["keras"].startswith("3.")
    assert [port.name for port in seen.outputs] == ["head"]
    assert dict(seen.layers) == {
        "conv": "Conv2D",
        "norm": "BatchNormalization",
        "relu": "ReLU",
        "average": "GlobalAveragePooling2D",
        "head": "Dense",
    }
    assert seen.sandbox["landlock"] is True
    assert seen.sandbox["seccomp"] is True
    assert seen.sandbox["unprivileged"] is True


def test_digests_are_those_of_the_bytes_in_the_file(keras3: RuntimeHandle, made: Path) -> None:
    expected = {}
    with h5py.File(made / "keras3_sequential.h5") as file:
        for layer in file["model_weights"]:
            group = file["model_weights"][layer]
            for name in group.attrs["weight_names"]:
                value = group[name][()].astype("<f4")
                route = f"{layer}/{name.rpartition('/')[2].removesuffix(':0')}"
                expected[route] = hashlib.sha256(value.tobytes()).hexdigest()
    path = made / "keras3_sequential.h5"
    with opened(keras3, path, Format.LEGACY_H5_FULL) as session:
        digests = {v.path: v.sha256 for v in session.observation.variables}
    assert digests == expected
    assert len(digests) == 8


@pytest.mark.parametrize(
    ("transform", "reference"),
    [
        (InputTransform(flip=(2,)), lambda x: x[:, :, ::-1]),
        (InputTransform(flip=(1, 2)), lambda x: np.rot90(x, 2, axes=(1, 2))),
        (InputTransform(perm=(0, 2, 1, 3)), lambda x: x.transpose(0, 2, 1, 3)),
        (InputTransform(perm=(0, 2, 1, 3), flip=(1,)), lambda x: np.rot90(x, 1, axes=(1, 2))),
        (InputTransform(flip=(0,)), lambda x: x[::-1]),
        (InputTransform(scale=(255.0,)), lambda x: x * 255),
        (InputTransform(scale=(-1.0,), offset=(1.0,)), lambda x: 1 - x),
    ],
)
def test_transforms_are_those_of_numpy(
    plain: Session, golden: dict, transform: InputTransform, reference: object
) -> None:
    moved = np.ascontiguousarray(reference(golden["x"]), dtype="float32")
    assert plain.put({"moved": moved}) is None
    there = only(plain.predict([Feed("x", transform)]))
    here_ = only(plain.predict([Feed("moved")]))
    np.testing.assert_array_equal(there, here_)
    assert plain.put({}, drop=["moved"]) is None


def test_batches_and_padding_change_nothing(plain: Session, golden: dict) -> None:
    whole = only(plain.predict([Feed("x")], batch_size=4))
    for size in (1, 3):
        parts = only(plain.predict([Feed("x")], batch_size=size))
        np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_only_as_many_samples_as_asked_for(plain: Session, golden: dict) -> None:
    whole = only(plain.predict([Feed("x")]))
    for rows in (1, 3, 100):
        some = only(plain.predict([Feed("x")], batch_size=2, rows=rows))
        np.testing.assert_allclose(some, whole[:rows], atol=1e-6)


def test_training_flag_reaches_batch_normalization(plain: Session) -> None:
    still = only(plain.predict([Feed("x")], training=False))
    moving = only(plain.predict([Feed("x")], training=True))
    unsaid = only(plain.predict([Feed("x")], training=None))
    called = only(plain.predict([Feed("x")], traced=False))
    np.testing.assert_array_equal(called, unsaid)  # both call the model layer by layer
    np.testing.assert_allclose(called, still, rtol=1e-6)
    assert np.abs(moving - still).max() > 1e-3
    np.testing.assert_array_equal(only(plain.predict([Feed("x")])), still)  # no update


def test_activations_and_their_statistics_agree(plain: Session, golden: dict) -> None:
    routes = ["conv", "average", "no-such-layer"]
    whole = one(plain.activations([Feed("x")], [ActivationRequest(tuple(routes))]))
    assert set(whole) == {"conv", "average"}
    assert whole["conv"].shape == (4, 8, 8, 4)
    few = one(
        plain.activations(
            [Feed("x")], [ActivationRequest(("conv",), statistics=True)], batch_size=3
        )
    )
    values = whole["conv"].astype(np.float64)
    np.testing.assert_allclose(few["conv:mean"], values.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(few["conv:var"], values.var(axis=(0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(few["conv:max"], values.max(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(few["conv:min"], values.min(axis=(0, 1, 2)), rtol=1e-5)
    assert few["conv:count"] == 4 * 8 * 8
    into = one(plain.activations([Feed("x")], [ActivationRequest(("conv", "norm"), into=True)]))
    np.testing.assert_array_equal(into["conv"], golden["x"])
    np.testing.assert_allclose(into["norm"], whole["conv"], atol=1e-6)


def test_one_pass_gives_the_same_as_a_pass_for_each_watch(plain: Session) -> None:
    watches = [
        ActivationRequest(("conv", "norm"), into=True, statistics=True),
        ActivationRequest(("conv", "norm"), statistics=True),
        ActivationRequest(("norm", "average")),
    ]
    together = answered(plain.activations([Feed("x")], watches))
    for watch, seen in zip(watches, together, strict=True):
        alone = one(plain.activations([Feed("x")], [watch]))
        assert seen.keys() == alone.keys() != set()
        for key, values in alone.items():
            np.testing.assert_array_equal(seen[key], values)


def test_watching_does_not_change_the_model(plain: Session) -> None:
    before = only(plain.predict([Feed("x")]))
    answered(
        plain.activations(
            [Feed("x")],
            [ActivationRequest(("conv", "head")), ActivationRequest(("conv",), into=True)],
        )
    )
    np.testing.assert_array_equal(only(plain.predict([Feed("x")])), before)


def test_refitted_statistics_are_those_of_the_batch_and_are_undone(plain: Session) -> None:
    before = only(plain.predict([Feed("x")]))
    assert plain.refit([Feed("x")], {"norm": ("norm/moving_mean", "norm/moving_variance")}) is None
    # In training mode the layer normalises by the statistics of its batch: Keras's own answer.
    in_training = only(plain.predict([Feed("x")], training=True))
    refitted = only(plain.predict([Feed("x")]))
    assert np.abs(refitted - before).max() > 1e-3
    np.testing.assert_allclose(refitted, in_training, atol=1e-5)
    assert plain.restore() is None
    np.testing.assert_array_equal(only(plain.predict([Feed("x")])), before)
    refused = plain.refit([Feed("x")], {"conv": ("conv/kernel", "conv/bias")})
    assert isinstance(refused, Observation)
    assert "number of channels" in refused.error
    assert plain.restore() is None


def test_assignments_take_effect_and_are_undone(plain: Session) -> None:
    before = only(plain.predict([Feed("x")]))
    held = answered(plain.variables(["head/bias", "conv/kernel"]))
    assert held["conv/kernel"].shape == (3, 3, 3, 4)
    assert plain.assign({"head/bias": held["head/bias"] + np.eye(5)[2].astype("f4") * 60}) is None
    shifted = only(plain.predict([Feed("x")]))
    assert (shifted.argmax(axis=1) == 2).all()
    assert plain.assign({"head/bias": held["head/bias"] * 3}) is None
    assert plain.restore() is None
    np.testing.assert_array_equal(only(plain.predict([Feed("x")])), before)


def test_model_errors_are_values_and_the_session_continues(plain: Session) -> None:
    wrong = plain.assign({"head/bias": np.zeros(7, "float32")})
    assert isinstance(wrong, Observation)
    assert wrong.status is Status.FAILED
    assert "shape" in wrong.error
    assert plain.put({"narrow": np.zeros((2, 8, 8, 1), "float32")}) is None
    refused = plain.predict([Feed("narrow")])
    assert isinstance(refused, Observation)
    assert refused.status is Status.FAILED
    assert plain.alive
    answered(plain.predict([Feed("x")]))


def test_misuse_is_our_error(plain: Session) -> None:
    with pytest.raises(ProbeError, match="not stored"):
        plain.predict([Feed("nothing")])
    with pytest.raises(ProbeError, match="object"):
        plain.put({"text": np.array(["a"], dtype=object)})
    with pytest.raises(ProbeError, match="batch"):
        plain.predict([Feed("x")], batch_size=0)


def test_nested_layers_are_found(keras3: RuntimeHandle, made: Path, golden: dict) -> None:
    with opened(keras3, made / "keras3_nested.keras", Format.KERAS_ARCHIVE) as session:
        assert "trunk/depthwise" in session.observation.layers
        paths = {v.path for v in session.observation.variables}
        assert {"trunk/depthwise/kernel", "trunk/project/kernel", "head/kernel"} <= paths
        session.put({"x": golden["x"]})
        inner = one(session.activations([Feed("x")], [ActivationRequest(("trunk/relu6",))]))
        assert inner["trunk/relu6"].shape == (4, 8, 8, 3)


def test_shared_layers_show_every_call(keras3: RuntimeHandle, made: Path, golden: dict) -> None:
    x = golden["x"]
    with opened(keras3, made / "keras3_shared.keras", Format.KERAS_ARCHIVE) as session:
        session.put({"left": x, "right": x[::-1].copy()})
        feeds = [Feed("left"), Feed("right")]
        y = only(session.predict(feeds))
        np.testing.assert_allclose(y, golden["keras3_shared.keras"], atol=1e-5)
        calls = one(session.activations(feeds, [ActivationRequest(("twice",))]))
        assert set(calls) == {"twice", "twice@1"}
        np.testing.assert_allclose(calls["twice@1"], calls["twice"][::-1], atol=1e-6)
