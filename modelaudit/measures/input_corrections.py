"""How inputs can differ from the training inputs: what undoes each difference, and its causes.

A difference is the name of a spatial transform (`modelaudit.measures.transforms`), of a value
transform (`modelaudit.measures.value_transforms`), or several of them, joined by ` + `.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.measures.column_forms import column_code, column_words
from modelaudit.measures.value_transforms import EACH, JOIN, SWAPS
from modelaudit.settings import TRANSFORMS

TARGETS = {
    "0-1": "mapped back to 0…1",
    "0-255": "mapped back to 0…255",
    "-1-1": "mapped back to -1…1",
    "imagenet": "normalised with ImageNet's mean and standard deviation",
    "imagenet-grey": "normalised with the averages of ImageNet's means and standard deviations",
    "caffe": "as 0…255 in the order blue, green, red, less ImageNet's mean",
    "BGR": "with red and blue swapped before they were normalised",
}
WORDS = {
    "e": "as given",
    **TRANSFORMS,
    "/255": "divided by 255",
    "*255": "multiplied by 255",
    "2x-1": "mapped to 2x - 1",
    "x/127.5-1": "mapped to x / 127.5 - 1",
    "(x+1)/2": "mapped to (x + 1) / 2",
    "127.5(x+1)": "mapped to 127.5 (x + 1)",
    "1-x": "inverted (1 - x)",
    "standardised": "standardised (mean 0, standard deviation 1)",
    "standardised each": "standardised one by one (mean 0, standard deviation 1 for each)",
    "BGR": "with red and blue swapped",
}
# Code that undoes the difference; `{ends}` is the sum of the smallest and largest input value.
NUMPY = {
    "H": "images[:, :, ::-1]",
    "V": "images[:, ::-1]",
    "r180": "images[:, ::-1, ::-1]",
    "r90": "np.rot90(images, 1, axes=(1, 2))",
    "r270": "np.rot90(images, -1, axes=(1, 2))",
    "T": "images.swapaxes(1, 2)",
    "AT": "images[:, ::-1, ::-1].swapaxes(1, 2)",
    "flip": "series[:, ::-1]",
    "x0": "volumes[:, ::-1]",
    "x1": "volumes[:, :, ::-1]",
    "x2": "volumes[:, :, :, ::-1]",
    "/255": "images / 255.0",
    "*255": "images * 255.0",
    "2x-1": "2.0 * images - 1.0",
    "x/127.5-1": "images / 127.5 - 1.0",
    "(x+1)/2": "(images + 1.0) / 2.0",
    "127.5(x+1)": "127.5 * (images + 1.0)",
    "1-x": "{ends} - images",
    # If they are known, use the numbers of the training images.
    "standardised": "(images - images.mean()) / images.std()",
    "standardised each": (
        "(images - images.mean((1, 2, 3), keepdims=True)) / images.std((1, 2, 3), keepdims=True)"
    ),
    "BGR": "images[..., ::-1]",
}
_MEAN, _STD = "[0.485, 0.456, 0.406]", "[0.229, 0.224, 0.225]"
_GREY = "(images * 0.226 + 0.449)"
_CAFFE = "[103.939, 116.779, 123.68]"
# Code that maps each range to 0…1, and from there to each range.
_TO_UNIT = {
    "0-1": "images",
    "0-255": "images / 255.0",
    "-1-1": "(images + 1.0) / 2.0",
    "imagenet": f"(images * {_STD} + {_MEAN})",
    "imagenet-grey": _GREY,
    "each": f"(images * {_STD} + {_MEAN})",
    "each-grey": _GREY,
    "caffe": f"(images + {_CAFFE})[..., ::-1] / 255.0",
}
_FROM_UNIT = {
    "0-1": "{unit}",
    "0-255": "255.0 * ({unit})",
    "-1-1": "2.0 * ({unit}) - 1.0",
    "imagenet": f"({{unit}} - np.array({_MEAN})) / {_STD}",
    "imagenet-grey": "(({unit}) - 0.449) / 0.226",
    "caffe": f"255.0 * ({{unit}})[..., ::-1] - {_CAFFE}",
}


def words_of(name: str) -> str:
    """What is done to inputs, as in `mirrored left-right and divided by 255`."""
    *others, last = map(_words, name.split(JOIN))
    return f"{', '.join(others)}{',' if len(others) > 1 else ''}{' and ' if others else ''}{last}"


def _words(part: str) -> str:
    source, _, target = part.rpartition(">")
    said = WORDS.get(part) or column_words(part) or TARGETS.get(target, part)
    if source in EACH:
        said += " instead of standardised one by one (which lost their brightness and contrast)"
    return said


def numpy_of(name: str) -> str:
    """Lines of code that do it to `images` (or `series`, `volumes`)."""
    done = name.split(JOIN)
    if code := column_code(name):
        return code
    if any(">" in part for part in done) and "BGR" in done:
        # Colours are exchanged between undoing one normalization and another.
        done.remove("BGR")
        return "\n".join(f"images = {_expression(part, exchanged=True)}" for part in done)
    return "\n".join(f"images = {_expression(part)}" for part in done)


def _expression(name: str, *, exchanged: bool = False) -> str:
    if ">" not in name:
        return NUMPY.get(name, NUMPY["H"])
    source, _, target = name.partition(">")
    if name in SWAPS:
        target, exchanged = source, True
    unit = f"({_TO_UNIT[source]})[..., ::-1]" if exchanged else _TO_UNIT[source]
    return _FROM_UNIT[target].replace("{unit}", unit)


def parts(name: str) -> tuple[str, str]:
    """The spatial transform and the value transform in a name; empty if there is none."""
    found = name.split(JOIN)
    moves = [part for part in found if part in TRANSFORMS]
    return JOIN.join(moves), JOIN.join(part for part in found if part not in TRANSFORMS)


def simplest_first(variants: Mapping[str, float]) -> list[tuple[str, float]]:
    """Equally good differences with their values, the simplest first."""
    return sorted(variants.items(), key=lambda each: _complexity(each[0]))


def _complexity(name: str) -> tuple[int, list[int]]:
    found = name.split(JOIN)
    order = list(NUMPY)
    return len(found), [order.index(p) if p in NUMPY else len(order) for p in found]


# Layers that do the same inside the model.
PUT_IN = {
    "/255": "keras.layers.Rescaling(1 / 255)",
    "*255": "keras.layers.Rescaling(255)",
    "2x-1": "keras.layers.Rescaling(2, -1)",
    "x/127.5-1": "keras.layers.Rescaling(1 / 127.5, -1)",
    "(x+1)/2": "keras.layers.Rescaling(0.5, 0.5)",
    "127.5(x+1)": "keras.layers.Rescaling(127.5, 127.5)",
    "1-x": "keras.layers.Rescaling(-1, {ends})",
    "standardised": (
        "keras.layers.Normalization(None, mean=images.mean(), variance=images.var())  # of training"
    ),
}
# Layers that show both variants during training.
AUGMENT = {
    "H": 'keras.layers.RandomFlip("horizontal")',
    "V": 'keras.layers.RandomFlip("vertical")',
    "r180": 'keras.layers.RandomFlip("horizontal_and_vertical")',
    "r90": "keras.layers.RandomRotation(0.25)",
    "r270": "keras.layers.RandomRotation(0.25)",
    "T": "keras.layers.RandomRotation(0.25)",
    "AT": "keras.layers.RandomRotation(0.25)",
}
# Common reasons why images have another orientation.
ORIGINS = {
    "H": "a camera that mirrors (selfie mode), a flip of every image in one of the two, reversed "
    "columns, EXIF orientation 2",
    "V": "rows stored from bottom to top as in BMP and OpenGL, a flip of every image in one of the "
    "two, EXIF orientation 4",
    "r180": "a camera mounted upside down, EXIF orientation 3, or convolutions converted from "
    "Theano, whose kernels are rotated by 180°",
    "r90": "an EXIF rotation that only one of the two applies",
    "r270": "an EXIF rotation that only one of the two applies",
    "T": "height and width swapped, as between (x, y) and (row, column), or kernels converted with "
    "swapped axes",
}
OTHER_ORIGIN = "axes that are read in another order or direction"
