"""MA406 and MA419 to MA421: values that training does not produce, and sound twins of each."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.facts import Json, TensorStats
from modelaudit.findings import Outcome, Severity
from modelaudit.formats.reader import read
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.rules.stored_tensors import SHAPE, facts_of, reported, scaled_column, stored, trained


def hole(values: np.ndarray, start: int, length: int) -> np.ndarray:
    flat = values.copy().ravel()
    flat[start : start + length] = 0
    return flat.reshape(values.shape)


@pytest.mark.parametrize(
    ("start", "length", "severity"),
    [
        (201, 300, Severity.HIGH),
        (7, 32, Severity.HIGH),
        (1152 - 333, 333, Severity.HIGH),  # to the end
        (1152 - 320, 320, Severity.MEDIUM),  # whole rows, which pruning could leave
        (160, 160, Severity.MEDIUM),
    ],
)
def test_a_hole_is_found(tmp_path: Path, start: int, length: int, severity: Severity) -> None:
    tensor = stored(tmp_path, "conv/kernel", hole(trained(), start, length))
    (finding,) = run_rule(rule("MA419"), facts_of(tensor)).findings
    assert finding.severity is severity
    assert (finding.evidence["measured"], finding.evidence["start"]) == (length, start)
    assert finding.location.route == "conv/kernel"


def test_rows_of_a_variable_that_may_start_at_zero_are_no_hole(tmp_path: Path) -> None:
    """The weights of a wide linear model start at 0, and those of unseen words stay there."""
    wide = hole(trained((600, 1)), 400, 200)
    (finding,) = run_rule(rule("MA419"), facts_of(stored(tmp_path, "wide/w", wide))).findings
    assert finding.severity is Severity.LOW
    assert "not used" in finding.detail
    kernel = stored(tmp_path, "dense/kernel", wide)
    assert reported(facts_of(kernel)) == {"MA419": [Severity.MEDIUM]}


def pruned(share: float) -> np.ndarray:
    values = trained()
    values[np.abs(values) < np.quantile(np.abs(values), share)] = 0
    return values


def pruned_channels() -> np.ndarray:
    values = trained()
    values[..., 4:12] = 0
    return values


def pruned_inputs() -> np.ndarray:
    values = trained((40, 32))
    values[[0, 7, 8, 30]] = 0
    return values


def padded_table() -> np.ndarray:
    return hole(trained((50, 8)), 320, 80)  # the vocabulary was padded with ten rows


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("conv/kernel", trained()),
        ("conv/kernel", hole(trained(), 201, 20)),  # too short to be told from pruning
        ("conv/kernel", hole(trained(), 160, 16)),  # one row
        ("conv/kernel", pruned(0.3)),
        ("conv/kernel", pruned(0.95)),
        ("conv/kernel", pruned_channels()),
        ("dense/kernel", pruned_inputs()),
        ("embedding/embeddings", padded_table()),
        ("conv/kernel", np.zeros(SHAPE, "float32")),  # another rule
        ("positions", np.eye(40, dtype="float32")),
        ("dense/bias", hole(trained((600,)), 100, 200)),  # gates of a recurrent layer start at 0
        ("conv/kernel", (pruned(0.5) / 0.01).round().astype("float32") * np.float32(0.01)),
    ],
)
def test_sound_weights_have_no_block_of_zeros_and_no_outlier(
    tmp_path: Path, name: str, values: np.ndarray
) -> None:
    assert reported(facts_of(stored(tmp_path, name, values))) == {}


def with_value(values: np.ndarray, at: int, value: float) -> np.ndarray:
    flat = values.copy().ravel()
    flat[at] = value
    return flat.reshape(values.shape)


def with_flipped_bit(values: np.ndarray, at: int, bit: int) -> np.ndarray:
    words = values.copy().ravel().view(np.uint32)
    words[at] ^= np.uint32(1 << bit)
    return words.view(np.float32).reshape(values.shape)


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        (with_value(trained(), 5, 1e38), Severity.HIGH),
        (with_value(trained(), 5, -1e38), Severity.HIGH),
        (with_flipped_bit(trained(), 5, 30), Severity.HIGH),
        (with_value(trained(), 5, 90.0), Severity.HIGH),
        (with_value(trained(), 5, 9.0), Severity.MEDIUM),
        (with_value(trained((6,)), 5, 1e31), Severity.HIGH),  # in any weight
        (with_value(trained().astype("float64"), 5, 1e200), Severity.HIGH),
    ],
)
def test_an_outlier_is_found(tmp_path: Path, values: np.ndarray, severity: Severity) -> None:
    tensor = stored(tmp_path, "conv/kernel", values)
    (finding,) = run_rule(rule("MA420"), facts_of(tensor)).findings
    assert finding.severity is severity
    assert finding.evidence["value"] == max(float(values.min()), float(values.max()), key=abs)
    assert reported(facts_of(replace(tensor, role="optimizer"))) == {}


@pytest.mark.parametrize(
    "values",
    [
        with_value(trained(), 5, 3.0),  # public models reach 22 deviations
        with_value(np.zeros((5, 5, 8, 8), "float32"), 12, 1.0),  # a kernel that only copies
        np.triu(np.full((12, 12), np.finfo("float32").min), 1),  # a mask for attention
        np.triu(np.full((12, 12), -1e9, "float32"), 1),
        with_value(np.full((8,), 1e-10, "float32"), 3, 0.7),  # the only live channel
        np.array([1.0, 1e12, 1e24], "float32"),  # variances of features in different units
    ],
)
def test_sound_ranges_are_no_outliers(tmp_path: Path, values: np.ndarray) -> None:
    assert "MA420" not in reported(facts_of(stored(tmp_path, "w/kernel", values)))


@pytest.mark.parametrize(("mean", "found"), [(1.6e18, False), (0.5, True)])
def test_the_variance_of_times_in_nanoseconds_is_no_outlier(mean: float, found: bool) -> None:
    assert bool(scaled_column(mean, 1e34)) is found


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("crf/transitions", -10_000.0, False),  # a pair of tags that is forbidden
        ("attention/causal_mask", -1e30, False),
        ("crf/transitions", -16_384.0, True),  # a flipped bit multiplies by 4, 16, 256 and so on
        ("conv/kernel", -10_000.0, True),  # a learnt weight
        ("slim/weights", 1e38, True),  # no mask
    ],
)
def test_a_round_value_outside_of_learnt_weights_is_a_choice(
    tmp_path: Path, name: str, value: float, found: bool
) -> None:
    tensor = stored(tmp_path, name, with_value(trained((9, 9)), 5, value))
    assert ("MA420" in reported(facts_of(tensor))) is found


@pytest.mark.parametrize(("penalty", "found"), [({"l1": 2.5e-6}, False), ({"l2": 0.01}, True)])
def test_the_tail_of_a_sparse_kernel_is_no_outlier(
    tmp_path: Path, penalty: dict[str, Json], found: bool
) -> None:
    values = np.random.default_rng(0).normal(0, 1e-4, (128, 256)).astype("float32")
    for place, value in enumerate((-1.551, 1.522, 0.839, 0.7)):
        values[place, place] = value / 8
    values[0, 0] = -0.9
    tensor = stored(tmp_path, "conv/kernel", values)
    assert run_rule(rule("MA420"), facts_of(tensor)).outcome is Outcome.FAIL
    regularizer: dict[str, Json] = {"class_name": "L1L2", "config": {**penalty}}
    layer = examples.layer("conv", variables={"kernel": "conv/kernel"})
    layer = replace(layer, config=layer.config | {"kernel_regularizer": regularizer})
    facts = Facts(examples.model(layer, tensors=(tensor,)))
    assert (run_rule(rule("MA420"), facts).outcome is Outcome.FAIL) is found


@pytest.mark.parametrize(("scale", "told"), [(1e-30, False), (1e-6, True)])
def test_what_is_left_of_a_kernel_that_decayed_is_no_damage(
    tmp_path: Path, scale: float, told: bool
) -> None:
    """Initializers draw weights of 0.1 here: one of 1e-5 is nothing, one of 1 is not."""
    values = trained() * scale
    values[1, 1, 3, 4] = 1e-5 if scale == 1e-30 else 1.0
    found = run_rule(rule("MA420"), facts_of(stored(tmp_path, "conv/kernel", values))).findings
    assert bool(found) is told


def test_one_value_far_outside_is_an_outlier_and_a_heavy_tail_is_none(tmp_path: Path) -> None:
    """A recurrent kernel whose training once exploded: hundreds of its values are large."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.03, (512, 512)).astype("float32")
    values.ravel()[:100] = 900 * np.exp(-np.arange(100) / 10)
    tail = stored(tmp_path, "lstm/kernel", values)
    assert reported(facts_of(tail)) == {}
    alone = rng.normal(0, 0.03, (512, 512)).astype("float32")
    alone[3, 4] = 20.0
    assert reported(facts_of(stored(tmp_path, "dense/kernel", alone))) == {
        "MA420": [Severity.MEDIUM]
    }


def test_a_weight_that_one_input_of_another_scale_needs_is_no_flipped_bit(tmp_path: Path) -> None:
    """One unit over 64 inputs, one of which has values of 0.001; 16 units have no such inputs."""
    rng = np.random.default_rng(0)
    several = rng.normal(0, 0.1, (64, 16)).astype("float32")
    single = several[:, :1].copy()
    for values, expected in ((single, Severity.LOW), (several, Severity.HIGH)):
        values[7, 0] = 900.0
        facts = facts_of(stored(tmp_path, "dense/kernel", values))
        assert reported(facts) == {"MA420": [expected]}
    # A tail that goes on is of training as well, however far it reaches.
    values = rng.normal(0, 1e-4, (512, 512)).astype("float32")
    values.ravel()[:2] = (0.9, 0.3)
    facts = facts_of(stored(tmp_path, "dense/kernel", values))
    assert reported(facts) == {"MA420": [Severity.LOW]}


def write_weights(path: Path, groups: dict[str, dict[str, np.ndarray]]) -> Path:
    """A v3 weights file: group of the layer -> numbered variables; the last part is its name."""
    with h5py.File(path, "w") as file:
        for number, (route, variables) in enumerate(groups.items()):
            group = file.create_group(f"layers/{route}/vars")
            group.attrs["name"] = f"layer_{number}"
            for name, values in variables.items():
                group[name] = values
    return path


def test_weights_alone_are_searched_as_well(tmp_path: Path) -> None:
    vector = np.full((16,), 0.3, "float32")
    sound = {
        "conv2d": {"0": trained(), "1": trained((16,), 1)},
        "batch_normalization": {"0": vector, "1": vector, "2": vector, "3": vector},
    }
    path = write_weights(tmp_path / "sound.weights.h5", sound)
    assert reported(Facts(read(path, Limits()))) == {}
    broken = {
        "conv2d": {"0": np.zeros(SHAPE, "float32"), "1": trained((16,), 1)},
        "conv2d_1": {"0": hole(trained(), 201, 300)},
        "batch_normalization": {"0": 0 * vector, "1": vector, "2": vector, "3": vector},
    }
    path = write_weights(tmp_path / "broken.weights.h5", broken)
    facts = Facts(read(path, Limits()))
    assert reported(facts) == {code: [Severity.HIGH] for code in ("MA406", "MA419", "MA421")}


def zero_part(path: str, kind: str, steps: int = 7, *, custom: bool = False) -> list[Severity]:
    """Severities of MA406 about a layer with a part whose kernel is all 0."""
    zeros = TensorStats(0.0, 0.0, 0.0, 0.0, 256, 0)
    layer = replace(
        examples.layer("one", kind, config={"kernel_initializer": "glorot_uniform"}),
        variables={path: f"one/{path}"},
        input_shapes=((None, steps, 16),),
        custom=custom,
    )
    tensors = (examples.tensor(f"one/{path}", (16, 16), zeros),)
    facts = Facts(replace(examples.model(layer), tensors=tensors))
    return [finding.severity for finding in run_rule(rule("MA406"), facts).findings]


def test_kernels_of_parts_of_layers_are_looked_at() -> None:
    assert zero_part("attention_output/kernel", "MultiHeadAttention") == [Severity.HIGH]
    assert zero_part("forward_layer/kernel", "Bidirectional") == [Severity.HIGH]
    # Code of the model's own may start a part of a layer at 0.
    assert zero_part("gate/kernel", "Gated", custom=True) == []


def test_a_recurrent_kernel_that_is_not_used_may_decay_to_zero() -> None:
    assert zero_part("recurrent_kernel", "LSTM", steps=1) == []
    assert zero_part("recurrent_kernel", "LSTM") == [Severity.HIGH]


@pytest.mark.parametrize(("others", "severity"), [(1e-33, Severity.LOW), (0.003, Severity.HIGH)])
def test_one_weight_that_decay_left(tmp_path: Path, others: float, severity: Severity) -> None:
    """L2 shrinks all weights but those on the way that is alive; a flipped bit has neighbors."""
    values = np.random.default_rng(0).uniform(-others, others, (15, 20)).astype("float32")
    values[3, 4] = 0.18 if severity is Severity.LOW else 1e4
    kernel = stored(tmp_path, "dense/kernel", values)
    layer = examples.layer(variables={"kernel": kernel.name})
    found = reported(Facts(examples.model(layer, tensors=(kernel,))))
    assert found == {"MA420": [severity]}
