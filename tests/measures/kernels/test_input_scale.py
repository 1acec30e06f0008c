"""The scale of training inputs by averages of squared gradients, against those of a made layer."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.facts import Artifact, Tensor
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import FileArray, summarise
from modelaudit.measures.kernels.input_scale import input_scales, table_scales
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.feeding import prepare_inputs
from modelaudit.rules import examples
from modelaudit.settings import Limits, ProbeSettings
from modelaudit.structs import replace


def stored(folder, name: str, values: np.ndarray) -> Tensor:
    path = folder / f"{name.replace('/', '.')}.bin"
    path.write_bytes(values.astype("float32").tobytes())
    source = FileArray(FileWindow.of_file(path), 0, values.shape, "float32")
    return summarise(name, values.shape, "float32", "f", "optimizer", source, Limits())


def trained(folder, inputs: np.ndarray, gradients: np.ndarray) -> Artifact:
    """With averages of squared gradients of a layer with these inputs, and gradients of sums."""
    squares = {
        "kernel": np.mean((inputs[:, :, None] * gradients[:, None, :]) ** 2, 0),
        "bias": np.mean(gradients**2, 0),
    }
    variables = {role: f"dense/{role}" for role in squares}
    slots = []
    for role, values in squares.items():
        name = f"optimizer_weights/adam/dense_{role}"
        slots += [
            stored(folder, f"{name}_momentum", np.sqrt(values)),
            stored(folder, f"{name}_velocity", values),
        ]
    artifact = examples.model(examples.layer("dense", variables=variables))
    return replace(
        artifact,
        tensors=(*artifact.tensors, *slots),
        training={"optimizer": {"class_name": "Adam"}},
    )


@pytest.mark.parametrize("wide", [False, True])
def test_a_unit_that_only_outliers_reach_says_nothing_of_the_other_inputs(tmp_path, wide):
    rng = np.random.default_rng(0)
    inputs, gradients = rng.normal(0, 1, (40_000, 4)), rng.normal(0, 1, (40_000, 8))
    inputs[:3, 1] = 115  # the column still has a root mean square of about 1.4
    gradients[3:, 5] = 0
    gradients[:, 5] *= 0.01
    if wide:
        inputs[:, 2] *= 300
    ((_, found),) = input_scales(trained(tmp_path, inputs, gradients), 1 << 20)
    size = np.sqrt((inputs**2).mean(0)).max()
    assert found == pytest.approx(size, rel=0.05) if wide else found < 3


def test_only_layers_that_get_the_inputs_are_read(tmp_path):
    rng = np.random.default_rng(0)
    inputs, gradients = rng.normal(0, 500, (50, 4)), rng.normal(0, 1, (50, 8))
    artifact = trained(tmp_path, inputs, gradients)
    (layer,) = artifact.architecture.layers
    assert [route for route, _ in input_scales(artifact, 1 << 20)] == ["dense"]
    first = examples.layer("first", "Dense")
    deep = examples.model(first, replace(layer, inbound=(("first",),))).architecture
    assert [*input_scales(replace(artifact, architecture=deep), 1 << 20)] == []


def test_a_bias_before_a_normalization_says_nothing_of_the_inputs(tmp_path):
    rng = np.random.default_rng(0)
    inputs, gradients = rng.normal(0, 500, (50, 4)), rng.normal(0, 1, (50, 8))
    artifact = trained(tmp_path, inputs, gradients)
    assert table_scales(artifact, 4, 1 << 20) is not None
    norm = examples.layer("norm", "BatchNormalization", inbound=(("dense",),))
    both = examples.model(*artifact.architecture.layers, norm).architecture
    assert table_scales(replace(artifact, architecture=both), 4, 1 << 20) is None


@pytest.mark.parametrize("large", [False, True])
def test_built_in_rows_are_as_large_as_those_of_the_training(tmp_path, large):
    rng = np.random.default_rng(0)
    inputs, gradients = rng.normal(0, 1, (4000, 4)), rng.normal(0, 1, (4000, 8))
    if large:
        inputs[:, 1] += 1600  # a rating
    artifact = trained(tmp_path, inputs, gradients)
    seen = Observation(
        "here", "load_model", Status.LOADED, inputs=(Port("x", "float32", (None, 4)),)
    )
    fed = prepare_inputs(seen, artifact, ProbeSettings(samples=64), None)
    (rows,) = fed.arrays
    scales = np.sqrt((rows.astype(float) ** 2).mean(0))
    assert scales[1] == pytest.approx(1600 if large else 1.0, rel=0.3)
    assert (np.delete(scales, 1) < 2).all()
    assert any("as in training" in note for note in fed.info.notes) is large
    assert any("assumed" in note for note in fed.info.notes) is not large
