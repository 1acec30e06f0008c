"""What the signs of errors and inputs decide at the edges of their thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.audit_types.kernels import ColumnSigns, LastErrors
from modelaudit.facts import Kernel, TensorStats
from modelaudit.measures.kernels.dead_units import negative_units
from modelaudit.measures.kernels.one_vector import errors_stayed
from modelaudit.measures.kernels.one_way_heads import _faded, _lowered
from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.probe.fake_session import Source
from tests.thresholds.edges import Edges, check, severities

EDGES = Edges()
at = EDGES.at
ERROR = 0.01
FITS = -math.log(ERROR)


def of_errors(units=1, **options):
    """A head behind a ReLU, whose last errors are those of answers with the score that fits."""
    told = {"rows": 16, "units": units, "only": 0, "raised": int(units > 1), "error": ERROR}
    told |= {"score": FITS, "low": 0.1, "high": 2.0, "alike": 1.0} | options
    last = "sigmoid" if units == 1 else "softmax"
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    head = examples.layer("head", "Dense", names, {"units": units, "activation": last})
    head = replace(head, output_shape=(None, units), inbound=(("hidden",),))
    facts = adam(("head", 0.05, 0.1), ("bias", 0.1, 0.1))
    loss = "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"
    artifact = replace(
        facts.artifact,
        architecture=examples.model(examples.dense("hidden"), head).architecture,
        training={**(facts.artifact.training or {}), "loss": loss},
    )
    return Facts(artifact, measurements=Measurements(last_errors={"head": LastErrors(**told)}))


def one_sided(units=1, **options):
    """What MA439 says of it."""
    return severities("MA439", of_errors(units, **options))


@at("optimizers.ONE_SIDED_LEAST", {0.79: [], 0.8: ["low"], 0.81: ["low"]})
def scores_below_what_fits(share):
    return one_sided(score=share * FITS + 1e-12)


@at("optimizers.ONE_SIDED_MOST", {1.14: ["low"], 1.15: ["low"], 1.16: []})
def scores_above_what_fits(share):
    return one_sided(score=share * FITS - 1e-12)


@at("optimizers.ONE_SIDED_OUTSIDE", {0.0198: ["low"], 0.02: ["low"], 0.0202: []})
def mean_inputs_below_what_a_relu_gives(share):
    return one_sided(low=-2.0 * share, high=2.0)


@at("optimizers.ONE_SIDED_ROWS", {7: [], 8: ["low"], 9: ["low"]})
def inputs_of_the_head(rows):
    return one_sided(rows=rows)


@at("optimizers.ONE_SIDED_ALIKE", {0.89: [], 0.9: ["low"], 0.91: ["low"]})
def mean_inputs_of_units(cosine):
    assert one_sided(3, alike=cosine, raised=2) == []
    return one_sided(3, alike=cosine)


@at("optimizers.ONE_SIDED_TINY", {0.99e-3: ["low"], 1e-3: [], 1.01e-3: []})
def errors_of_three_units(error):
    """Of one unit, no error is so small that its score does not count."""
    assert one_sided(error=error, score=1.0) == []
    return one_sided(3, error=error, score=1.0)


@at("last_layers.ABSENT_CLASSES", {99: ["low"], 100: ["low"], 101: []})
def classes_of_which_one_is_no_label(units):
    options = {"score": 0.0, "raised": units - 1, "lowered": (1,)}
    assert one_sided(units, **options | {"lowered": ()}) == []
    assert one_sided(units, **options | {"rows": 15}) == []
    return one_sided(units, **options)


@at("last_layers.HARDLY_LOWERED", {0.0297: ["low"], 0.03: [], 0.0303: []})
def gradients_of_a_class_that_is_no_label(share):
    averages = np.array([1e-3 * share, 1e-4, -2e-4])
    kernel = np.outer(np.ones(16), averages)
    squares = np.array([1e-6, 1e-6, 1e-6])
    found = _lowered(averages, kernel, squares, np.array([-0.1, 0.1, 0.0]))
    assert _lowered(averages, kernel, squares, np.array([0.1, -0.1, 0.0])) == ()
    kernel[3, 0] = -1e-5
    assert _lowered(averages, kernel, squares, np.array([-0.1, 0.1, 0.0])) == ()
    return ["low"] * len(found)


@at("last_layers.LABEL_SQUARES", {0.0198: ["low"], 0.02: [], 0.0202: []})
def squares_of_a_class_that_is_no_label(share):
    squares = np.array([share**2, 1.0, 1.0])
    assert _faded(squares, np.array([0.1, 0.0, 0.0])) == ()
    return ["low"] * len(_faded(squares, np.array([-0.1, 0.0, 0.0])))


def one_error(pushed=0.1, loss="mse", **told):
    """A regression behind a ReLU whose mean inputs go along its weights."""
    told = {"along": 0.6, "ahead": 1.0, "rows": 6, "units": 6} | told
    known = {
        "only": 0,
        "raised": 3,
        "error": 0.1,
        "score": 0.0,
        "low": -1.0,
        "high": 1.0,
        "alike": 0.0,
    }
    names = {"kernel": "head/kernel", "bias": "bias/kernel"}
    head = examples.layer("head", "Dense", names, {"units": 1, "activation": "linear"})
    head = replace(head, output_shape=(None, 1), inbound=(("hidden",),))
    hidden = examples.layer("hidden", config={"units": told["units"], "activation": "relu"})
    facts = adam(("head", 0.05, 0.1), ("bias", pushed, 1.0))
    artifact = replace(
        facts.artifact,
        architecture=examples.model(hidden, head).architecture,
        kernels=tuple(
            Kernel(*(name, f"{name}/kernel", "dense", "io", 0, (6, 6)))
            for name in ("hidden", "head")
        ),
        training={**(facts.artifact.training or {}), "loss": loss},
    )
    errors = {"hidden": LastErrors(**known | told)}
    return severities("MA439", Facts(artifact, measurements=Measurements(last_errors=errors)))


@at("last_layers.ERRORS_ALONG", {0.396: [], 0.4: ["low"], 0.404: ["low"]})
def mean_inputs_along_the_weights(cosine):
    assert one_error(along=cosine, rows=5) == one_error(along=cosine, loss="msle") == []
    return one_error(along=cosine)


@at("last_layers.ERRORS_AHEAD", {0.895: [], 0.9: ["low"], 0.905: ["low"]})
def units_along_their_weights(share):
    return one_error(ahead=share)


@at("last_layers.ERRORS_PUSHED", {0.495: ["low"], 0.5: [], 0.505: []})
def average_of_the_last_bias(share):
    return one_error(share)


def test_mean_inputs_that_no_error_of_one_sign_gives():
    """Behind a ReLU, a mean input below 0 takes errors of both signs."""
    assert one_sided() == ["low"]
    assert one_sided(low=-0.5) == []
    assert one_sided(error=0.06, score=-math.log(0.06)) == []


def restored(size=1.0, agreed=0.5, weights=400, loss="mse", last="sigmoid", width=8, given=8):
    """An autoencoder of eight columns with these signs of its inputs."""
    shapes = {"given": (None, given), "hidden": (None, 4), "head": (None, width)}
    layers = [examples.layer("given", "InputLayer")]
    for before, name in (("given", "hidden"), ("hidden", "head")):
        config = {"units": shapes[name][1], "activation": last if name == "head" else "relu"}
        layer = examples.layer(name, "Dense", {"kernel": f"{name}/kernel"}, config)
        layers.append(replace(layer, inbound=((before,),)))
    layers = [replace(each, output_shape=shapes[each.name]) for each in layers]
    artifact = replace(examples.model(*layers), training={"loss": loss})
    signs = ColumnSigns(size, agreed, weights)
    found = Facts(artifact, measurements=Measurements(column_signs={"hidden": signs}))
    return severities("MA306", found)


def of_shares(size):
    """The share of signs that agree halfway between chance and values from 0 to 1."""
    return 0.75 - math.acos(size) / math.pi / 2


@at("optimizers.SIGNED_SIZE", {0.69: [], 0.7: ["low"], 0.71: ["low"]})
def size_of_inputs_with_signs(size):
    return restored(size, of_shares(size) - 0.01)


@at("optimizers.SIGNED_AGREED", {0.49: ["low"], 0.5: [], 0.51: []})
def signs_that_agree(share):
    most = 1 - math.acos(0.8) / math.pi
    return restored(0.8, 0.5 + share * (most - 0.5) + 1e-12)


@at("optimizers.SIGNED_AGAINST", {0.246: ["low"], 0.25: [], 0.254: []})
def signs_that_disagree(share):
    return restored(0.5, share)


@at("optimizers.SIGNED_WEIGHTS", {127: [], 128: ["low"], 129: ["low"]})
def weights_with_signs(weights):
    return restored(weights=weights)


@at("optimizers.BEYOND_ONE", {1.98: [], 2.0: ["low"], 2.02: ["low"]})
def size_of_inputs_beyond(size):
    return restored(size, agreed=1.0)


NUMBER = {"given": 1, "width": 1, "loss": "binary_crossentropy"}  # and whether it is large


@pytest.mark.parametrize("other", [{"last": "linear"}, {"width": 7}, NUMBER])
def test_what_is_no_restored_input(other):
    assert restored() == restored(loss="binary_crossentropy") == ["low"]
    assert restored(**other) == []


@pytest.mark.parametrize("loss", [None, "vae_loss", {"class_name": "function", "config": "loss"}])
def test_restored_inputs_under_a_loss_of_the_programs_own(loss):
    for last in ("relu", "sigmoid"):
        assert restored(loss=loss, last=last) == ["low"]
        assert restored(loss=loss, last=last, width=7) == []
    assert restored(loss=loss, last="linear") == restored(loss=loss, last="relu", agreed=1.0) == []
    assert restored(2.5, agreed=1.0, loss=loss) == ["low"]
    assert restored(2.5, agreed=1.0, loss=loss, last="relu") == []


def below_zero(part=0.1, units=120):
    """A layer of 200 ReLUs of 20 inputs, of which some have weights above 0 of this part only."""
    kernel = np.where(np.arange(20)[:, None] % 2, 1.0, -1.0) * np.ones((20, 200))
    kernel[1::2, :units] *= part
    stored = {"a/kernel": kernel, "a/bias": np.full(200, -0.1)}
    tensors = [
        replace(examples.tensor(name, values.shape), source=Source(values))
        for name, values in stored.items()
    ]
    layer = examples.layer("a", config={"activation": "relu"})
    used = Kernel("a", "a/kernel", "dense", "io", 0, (20, 200), "a/bias")
    artifact = replace(examples.model(layer), tensors=tuple(tensors), kernels=(used,))
    found = dict(negative_units(artifact, 1 << 20))
    return severities("MA437", Facts(artifact, measurements=Measurements(negative_units=found)))


@at("optimizers.NEGATIVE_PART", {0.199: ["low"], 0.2: [], 0.201: []})
def weights_above_zero(part):
    return below_zero(part + 1e-12)


@at("optimizers.NEGATIVE_UNITS", {0.495: [], 0.5: ["low"], 0.505: ["low"]})
def units_below_zero(share):
    return below_zero(units=round(200 * share))


@at("optimizers.SCORE_OF_ERRORS", {0.396: [], 0.4: ["low"], 0.404: ["low"]})
def errors_at_a_score(product):
    return severities("MA306", of_errors(error=0.2, score=product / 0.2 + 1e-12))


@at("optimizers.FIRST_SUMS", {0.0099: ["low"], 0.01: [], 0.0101: []})
def sums_of_the_first_layer(reach):
    """Of 8 inputs of 0.003, whose weights are of one size; inputs of 0.005 are not that small."""
    weights = TensorStats(-1.0, 1.0, 0.0, reach / (8 * 0.003) + 1e-12, 0, 0)
    tensors = (examples.tensor("a/kernel", (8, 4), weights), examples.tensor("a/bias", (4,)))
    artifact = examples.model(examples.layer("a"), tensors=tensors)
    small, other = (
        Facts(artifact, measurements=Measurements(input_scales={"a": size}))
        for size in (3e-3, 5e-3)
    )
    assert severities("MA440", other) == []
    return severities("MA440", small)


@at("optimizers.STEADY_ERRORS", {0.891: False, 0.901: True, 0.909: True})
def share_of_the_average_square(share):
    """Adam's averages of a bias after 200 steps, and what of them equal gradients leave."""
    first, second = 1 - 0.9**200, 1 - 0.999**200
    bias = WeightMoments("head", "bias", (1,), 1.0, 1.0, second / share, typical=first)
    return errors_stayed(OptimizerState("Adam", 200, moments=(bias,)))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)
