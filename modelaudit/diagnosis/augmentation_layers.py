"""Keras' layers for each change of the inputs, with ranges, conditions and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelaudit.audit_types.sensitivity import SensitivityCurve

Span = tuple[float, float]
LARGEST_SIGMA = 1.0  # that RandomGaussianBlur accepts


def _of(span: Span) -> str:
    return f"value_range=({span[0]:.6g}, {span[1]:.6g})"


def _blur(sigma: float, span: Span) -> str:
    sigma = min(sigma, LARGEST_SIGMA)
    return (
        f"RandomGaussianBlur(kernel_size={2 * round(3 * sigma) + 1}, sigma={sigma:g}, {_of(span)})"
    )


# Of a strength and the span of the values. RandomContrast gets two numbers, because Keras 3.15
# only raises the contrast for one; RandomHue moves by half of its factor.
LAYERS: Mapping[str, Callable[[float, Span], str]] = {
    "rotation": lambda s, _: f'RandomRotation({s:g} / 360, fill_mode="reflect")',
    "shear": lambda s, _: f'RandomShear({s:g}, {s:g}, fill_mode="reflect")',
    "translation": lambda s, _: f'RandomTranslation({s:g}, {s:g}, fill_mode="reflect")',
    "zoom": lambda s, _: f'RandomZoom({s:g}, fill_mode="reflect")',
    "brightness": lambda s, span: f"RandomBrightness({s:g}, {_of(span)})",
    "contrast": lambda s, span: f"RandomContrast(({s:g}, {s:g}), {_of(span)})",
    "hue": lambda s, span: f"RandomHue({2 * s:g}, {_of(span)})",
    "blur": _blur,
    "noise": lambda s, span: f"GaussianNoise({s * (span[1] - span[0]):g})",
    "occlusion": lambda s, span: f"RandomErasing(scale=(0.02, {s:g}), {_of(span)})",
}
SINCE = {"shear": "3.8", "hue": "3.8", "blur": "3.9", "occlusion": "3.9"}  # versions of Keras
CONDITIONS: Mapping[str, str] = {
    "rotation": "the label tells an angle or a place: 6 and 9, arrows, boxes",
    "shear": "the label tells a slant or a place",
    "shift": "the label is a place in the {image}",
    "translation": "the label is a place in the {image}",
    "zoom": "the label is a size, a distance or a place",
    "brightness": "the label depends on brightness: day and night, density",
    "contrast": "the label depends on contrast: fog, stains",
    "hue": "the label depends on colours: ripe and unripe, traffic lights",
    "blur": "the label depends on sharpness: focus, fine textures",
    "noise": "the label depends on noise or a fine texture",
    "occlusion": "what decides may be smaller than what is covered",
    "stretch": "the label depends on speed or duration",
    "amplitude": "the label depends on the amplitude",
}
_WORDS: Mapping[str, str] = {
    "rotation": "rotated by {s:g}°",
    "shear": "sheared by {s:.0%} of the height",
    "shift": "shifted by {s:g} px",
    "translation": "shifted by {s:.0%} of each side",
    "zoom": "magnified or reduced by {s:.0%}",
    "brightness": "lighter or darker by {s:.0%} of the range",
    "contrast": "with a contrast higher or lower by {s:.0%}",
    "hue": "with hues moved by {s:.0%} of the colour circle",
    "blur": "blurred with a Gaussian of {s:g} px",
    "noise": "with noise of {s:.0%} of the range",
    "occlusion": "with {s:.0%} of the area covered by noise",
    "stretch": "stretched or squeezed by {s:.0%}",
    "amplitude": "with an amplitude higher or lower by {s:.0%}",
}
TRAIN_WITH = """\
{model}
augment = keras.Sequential([
{layers}
])
training = keras.Sequential([keras.Input(model.input_shape[1:]), augment, model])
training.compile("adam", {loss})  # the loss as in training
training.fit(images, labels)
model.save("retrained.keras")  # without the layers that augment"""

ANTI_ALIAS = """\
# In place of keras.layers.MaxPooling2D(2):
keras.layers.MaxPooling2D(2, strides=1, padding="same")
keras.layers.AveragePooling2D(3, strides=2, padding="same")
# In place of keras.layers.Conv2D(filters, 3, strides=2, padding="same"):
keras.layers.Conv2D(filters, 3, padding="same")
keras.layers.AveragePooling2D(3, strides=2, padding="same")"""


def changed_in_words(curve: SensitivityCurve, many: str) -> str:
    """The inputs at the moderate strength, such as `images rotated by 15°`."""
    words = _WORDS.get(curve.change, curve.change)
    if curve.change == "shift" and curve.unit != "px":
        words = "shifted by {s:.0%} of the length"
    return f"{many} {words.format(s=curve.moderate)}"
