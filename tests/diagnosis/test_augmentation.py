"""Which augmentation training lacked, and what to do about it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.audit_types.architecture import ArchitectureProfile, WindowGrid
from modelaudit.audit_types.sensitivity import (
    AugmentationNeed,
    SensitivityCurve,
    SensitivityPoint,
)
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.augmentation import augmentation_lines
from modelaudit.diagnosis.augmentation_layers import (
    ANTI_ALIAS,
    CONDITIONS,
    LAYERS,
    TRAIN_WITH,
    changed_in_words,
)
from modelaudit.facts import Layer
from modelaudit.measures.augmentation.image_changes import IMAGE_CHANGES
from modelaudit.structs import replace
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    facts,
    measurements,
    mirror,
    output,
    quiet,
    turned,
)

MODERATE = {change.name: (change.moderate, change.unit) for change in IMAGE_CHANGES}


def curve(change: str, lost: float | None = 0.0, moved: float = 0.0, **others) -> SensitivityCurve:
    """A curve of 200 inputs, of 180 of which the model is sure; no labels if `lost` is None."""
    strength, unit = MODERATE[change]
    labels = (
        {} if lost is None else {"score": 0.95 - lost, "lost": lost, "p": 0.5**9 if lost else 1.0}
    )
    point = SensitivityPoint(
        strength=strength, n=200, agreement=1 - moved, sure=180, sure_changed=moved, **labels
    )
    told = {"measure": "accuracy", "given": 0.95} if labels else {}
    made = SensitivityCurve(
        output="digit",
        change=change,
        unit=unit,
        moderate=strength,
        confidence=0.99,
        points=(point,),
        **told,
    )
    return replace(made, **others)


def seen(*curves: SensitivityCurve, **changes):
    return behaviour(sensitivity=curves, **changes)


def states(diagnosis) -> dict[str, str]:
    return {need.change: need.state for need in diagnosis.augmentation}


def test_what_is_missing_is_named_in_the_order_of_its_cost():
    found = diagnosed(seen(curve("rotation", 0.1, 0.2), curve("hue"), curve("blur", 0.3, 0.4)))
    assert [need.change for need in found.augmentation] == ["blur", "rotation", "hue"]
    assert states(found) == {"blur": "missing", "rotation": "missing", "hue": "unneeded"}
    blur, rotation, hue = found.augmentation
    assert blur.gain == 0.3
    assert rotation.code == 'RandomRotation(15 / 360, fill_mode="reflect")'
    assert "angle" in rotation.condition
    assert (hue.code, hue.condition) == ("", "")
    step = found.causes[0].next_steps[-1]
    assert step.code.index("RandomGaussianBlur") < step.code.index("RandomRotation")
    assert "# Not if the label tells an angle or a place: 6 and 9, arrows, boxes." in step.code
    assert "RandomHue" not in step.code
    assert found.answer.endswith(
        " It is sensitive to blur (costs 30 points) and rotation (costs 10 points), which "
        "augmentation reduces where the label stays the same."
    )
    assert augmentation_lines(found.augmentation) == (
        "Sensitive to: blur (costs 30 points), rotation (costs 10 points).",
        "Robust without such a layer in the file: hue.",
    )


@pytest.mark.parametrize(
    ("measure", "said"), [("accuracy", "(costs 30 points)"), ("R2", "(costs 0.30 of R2)")]
)
def test_costs_are_told_in_the_measure_of_the_labels(measure, said):
    need = AugmentationNeed(change="rotation", state="missing", text="", gain=0.3, measure=measure)
    (line,) = augmentation_lines([need])
    assert line.endswith(f"rotation {said}.")


def test_a_robust_model_gets_no_advice():
    found = diagnosed(seen(*map(curve, MODERATE)))
    assert set(states(found).values()) == {"unneeded"}
    assert "sensitive to" not in found.answer
    assert not any("augment = " in step.code for step in found.causes[0].next_steps)


def test_without_labels_the_decisions_that_the_model_is_sure_of_decide():
    found = diagnosed(seen(curve("zoom", None, 0.2), curve("noise", None, 0.0)))
    assert states(found) == {"zoom": "missing", "noise": "unneeded"}
    assert "20% of the 180 decisions that the model is sure of change" in found.augmentation[0].text


@pytest.mark.parametrize(
    ("lost", "moved", "state"), [(0.2, 0.3, "insufficient"), (0.0, 0.0, "effective")]
)
def test_a_layer_in_the_file_did_its_work_or_not(lost, moved, state):
    given = facts(seen(curve("zoom", lost, moved)))
    layer = Layer("augment/zoom", "zoom", "RandomZoom", config={"height_factor": 0.2})
    architecture = replace(given.artifact.architecture, layers=(layer,))
    given = replace(given, artifact=replace(given.artifact, architecture=architecture))
    (need,) = diagnose(given, ()).augmentation
    assert need.state == state
    assert need.layer == "augment/zoom"


@pytest.mark.parametrize(("nfv", "state"), [(0.01, "effective"), (0.6, "insufficient")])
def test_a_layer_that_flips_did_its_work_or_not(nfv, state):
    scores = {"accuracy": {"e": 0.9, "H": 0.5}, "worse_p": {"H": 1e-6}} if nfv > 0.1 else {}
    given = facts(behaviour(output(transforms=(mirror(nfv), turned()), **scores)))
    layer = Layer("flip", "flip", "RandomFlip", config={"mode": "horizontal"})
    architecture = replace(given.artifact.architecture, layers=(layer,))
    given = replace(given, artifact=replace(given.artifact, architecture=architecture))
    (need,) = diagnose(given, ()).augmentation
    assert (need.change, need.state, need.layer) == ("left-right flip", state, "flip")


def test_what_is_covered_is_lost_to_any_model():
    found = diagnosed(seen(curve("occlusion", 0.4, 0.4)))
    assert states(found) == {"occlusion": "undecided"}


def test_nothing_is_said_about_a_model_with_a_fault():
    assert diagnosed(seen(curve("blur", 0.3, 0.4), outputs=(quiet(),))).augmentation == ()
    assert diagnosed(seen(curve("blur", 0.3, 0.4), user=False)).augmentation == ()


def test_the_text_names_the_control_and_the_commonest_confusion():
    control = SensitivityPoint(strength=15, n=200, score=0.5, lost=0.45)
    shown = curve("rotation", 0.1, 0.2, control=control, confusion=(6, 9, 0.6))
    (need,) = diagnosed(seen(shown)).augmentation
    assert need.text == (
        "Images rotated by 15°, the accuracy is 85%, 95% as given (n = 200); an unrelated change "
        "of the same size costs 45%. 60% of the changed decisions go from class 6 to class 9."
    )


def grid(route: str, strides: tuple[int, int]) -> WindowGrid:
    return WindowGrid(
        route, "MaxPooling2D", (24, 24), (2, 2), strides, (1, 1), "valid", (True, True)
    )


@pytest.mark.parametrize(
    ("head", "antialiased", "advised"),
    [
        ("gap", False, [ANTI_ALIAS]),
        ("gap", True, []),
        ("flatten", True, ["GlobalAveragePooling2D"]),
    ],
)
def test_shifts_by_a_pixel_are_held_against_strides_and_the_head(head, antialiased, advised):
    profile = ArchitectureProfile(
        grids=(grid("pool", (2, 2)), grid("conv", (1, 1))),
        head=head,
        total_stride=(8, 8),
        antialiased=antialiased,
    )
    found = diagnosed(seen(curve("shift", 0.2, 0.3)), measurements(profile=profile))
    steps = [step for step in found.causes[0].next_steps if "shift by one pixel" in step.text]
    assert len(steps) == len(advised)
    for step, wanted in zip(steps, advised, strict=True):
        assert wanted in step.code
        if wanted == ANTI_ALIAS:
            assert "pool (MaxPooling2D, padding valid) keep one of 8 positions" in step.text


def test_every_change_has_words_and_a_condition():
    for change in MODERATE:
        assert change in CONDITIONS
        assert "{" not in changed_in_words(curve(change), "images")


@pytest.mark.slow
def test_layers_augment_in_both_directions_up_to_the_strength():
    import keras

    rng = np.random.default_rng(0)
    x = (0.3 + 0.4 * rng.random((64, 16, 16, 3))).astype("float32")
    keras.utils.set_random_seed(1)
    changed = {}
    for change, (strength, _) in MODERATE.items():
        if change != "shift":
            layer = eval(f"keras.layers.{LAYERS[change](strength, (0.0, 1.0))}", {"keras": keras})
            changed[change] = np.asarray(layer(x, training=True))
            assert np.isfinite(changed[change]).all()
            assert (changed[change] != x).any(axis=(1, 2, 3)).mean() > 0.2, change
    lift = (changed["brightness"] - x).mean(axis=(1, 2, 3))
    assert lift.min() < -0.1
    assert lift.max() > 0.1
    contrast = changed["contrast"].std(axis=(1, 2, 3)) / x.std(axis=(1, 2, 3))
    assert 0.5 - 1e-3 <= contrast.min() < 0.7
    assert 1.3 < contrast.max() <= 1.5 + 1e-3
    assert math.isclose(float((changed["noise"] - x).std()), 0.1, rel_tol=0.1)


@pytest.mark.slow
def test_the_code_trains_and_the_anti_aliased_layers_keep_the_shape(tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    layers = [keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    keras.Sequential(layers).save("model.keras")
    lines = "\n".join(
        f"    keras.layers.{LAYERS[change](MODERATE[change][0], (0.0, 1.0))},"
        for change in ("rotation", "zoom", "contrast", "noise")
    )
    begin = 'import keras\nmodel = keras.models.load_model("model.keras")'
    code = TRAIN_WITH.replace("{model}", begin).replace("{layers}", lines)
    code = code.replace("{loss}", '"sparse_categorical_crossentropy"')
    images = np.random.default_rng(2).random((8, 16, 16, 1)).astype("float32")
    exec(code, {"images": images, "labels": np.arange(8) % 2})
    assert len(keras.models.load_model("retrained.keras").layers) == 2
    names = {"keras": keras, "filters": 4}
    lines = [line for line in ANTI_ALIAS.splitlines() if not line.startswith("#")]
    pool, average, conv, again = (eval(line.partition("  #")[0], names) for line in lines)
    x = np.zeros((1, 16, 16, 3), "float32")
    assert average(pool(x)).shape == (1, 8, 8, 3)
    assert again(conv(x)).shape == (1, 8, 8, 4)


@pytest.mark.parametrize(
    ("given", "stated", "said"),
    [
        ((0.0, 0.8), None, "(0, 1)"),
        ((3.0, 180.0), None, "(0, 255)"),
        ((-0.9, 0.95), None, "(-1, 1)"),
        # No usual range: small values around 0, and values beyond -1 to 1.
        ((-0.2, 0.3), None, "(-0.2, 0.3)"),
        ((-1.2, 1.1), None, "(-1.2, 1.1)"),
        # The file says what the values are; noise goes beyond.
        ((-0.2, 1.1), (0.0, 1.0), "(0, 1)"),
    ],
)
def test_layers_get_the_range_that_the_values_have(given, stated, said):
    found = seen(curve("brightness", lost=0.3, moved=0.4))
    told = replace(found.inputs, value_range=given, stated_range=stated)
    (need,) = diagnosed(replace(found, inputs=told)).augmentation
    assert f"value_range={said}" in need.code
