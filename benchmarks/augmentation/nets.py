"""Small classifiers for the augmentation benchmark: three families of images, five architectures.

Each network is trained without augmentation, or with one of two sets of Keras' augmentation layers.
The layers are not part of the saved network, so only its answers can show what it was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers
from matplotlib import colors
from PIL import Image
from scipy import ndimage

from benchmarks.diagnosis.images import TASKS

SIDE = 24
TRAIN, TEST = 1200, 1000
EPOCHS = 20
PARTS = 12  # of an epoch that are augmented at once: some layers draw once for all images
PHOTOS = (
    *("astronaut.png", "brick.png", "grass.png", "gravel.png", "coffee.png", "chelsea.png"),
    *("hubble_deep_field.jpg", "ihc.png", "coins.png", "rocket.jpg"),
)
UNIT = (0.0, 1.0)
LAYERS: dict[str, Callable[[], keras.Layer]] = {
    "rotation": lambda: layers.RandomRotation(25 / 360, fill_mode="reflect"),
    "shear": lambda: layers.RandomShear(0.3, 0.3, fill_mode="reflect"),
    "translation": lambda: layers.RandomTranslation(0.15, 0.15, fill_mode="reflect"),
    "zoom": lambda: layers.RandomZoom(0.3, fill_mode="reflect"),
    "brightness": lambda: layers.RandomBrightness(0.3, value_range=UNIT),
    # Of a single number, Keras 3.15 makes factors from 1 to 1.6 only.
    "contrast": lambda: layers.RandomContrast((0.6, 0.6), value_range=UNIT),
    "hue": lambda: layers.RandomHue(0.3, value_range=UNIT),
    "blur": lambda: layers.RandomGaussianBlur(1.0, 7, 1.0, value_range=UNIT),
    "noise": lambda: layers.GaussianNoise(0.12),
    "occlusion": lambda: layers.RandomErasing(1.0, scale=(0.02, 0.2), value_range=UNIT),
}
SETS = {
    "none": (),
    "a": ("rotation", "brightness", "noise", "zoom", "hue"),
    "b": ("shear", "translation", "contrast", "blur", "occlusion"),
}
# Strengths at which the truth is measured, by an implementation of its own.
MODERATE = {
    "rotation": 15.0, "shear": 0.2, "translation": 0.1, "zoom": 0.2, "brightness": 0.2,
    "contrast": 0.5, "hue": 0.1, "blur": 1.0, "noise": 0.1, "occlusion": 0.1,
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """Images (n, 24, 24, channels) float32 in [0, 1] and their labels (n,)."""

    name: str
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def letters() -> Family:
    """Coloured letters of one font, upright, at many places and sizes."""
    known, kept = (
        TASKS["letters"](n, (SIDE, SIDE), 14, np.random.default_rng(seed))
        for n, seed in ((TRAIN, 11), (TEST, 12))
    )
    return Family("letters", *known, *kept)


def digits() -> Family:
    """The handwritten digits of scikit-learn, 8 x 8 pixels, enlarged."""
    from sklearn.datasets import load_digits

    found = load_digits()
    large = ndimage.zoom(found.images / 16, (1, 2.5, 2.5), order=1)
    x = np.pad(large, ((0, 0), (2, 2), (2, 2)))[..., None].astype(np.float32)
    order = np.random.default_rng(13).permutation(len(x))
    known, kept = order[:1100], order[1100:]
    return Family("digits", x[known], found.target[known], x[kept], found.target[kept])


def photos() -> Family:
    """Parts of ten photographs of scikit-image; the class is the photograph.

    Training images are from the left 60 %, test images from the right 35 %.
    """
    import skimage

    rng = np.random.default_rng(14)
    parts: dict[str, list[np.ndarray]] = {"left": [], "right": []}
    for name in PHOTOS:
        image = Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")
        image = image.resize((240, 160), Image.Resampling.BOX)
        values = np.asarray(image, np.float32) / 255
        for side, (low, high), n in (
            ("left", (0, 144), TRAIN // len(PHOTOS)),
            ("right", (156, 240), TEST // len(PHOTOS)),
        ):
            for _ in range(n):
                top, left = rng.integers(0, 160 - SIDE), rng.integers(low, high - SIDE)
                parts[side].append(values[top : top + SIDE, left : left + SIDE])
    both = []
    for side in ("left", "right"):
        x = np.stack(parts[side])
        y = np.repeat(np.arange(len(PHOTOS)), len(x) // len(PHOTOS))
        order = rng.permutation(len(x))
        both += [x[order], y[order]]
    return Family("photos", *both)


def objects() -> Family:
    """Coloured polygons in one orientation, drawn for the second look."""
    known, kept = (
        TASKS["objects"](n, (SIDE, SIDE), 6, np.random.default_rng(seed))
        for n, seed in ((TRAIN // 2, 31), (TEST, 32))
    )
    return Family("objects", *known, *kept)


FAMILIES = {"letters": letters, "digits": digits, "photos": photos, "objects": objects}


def _normed(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def plain(x: keras.KerasTensor) -> keras.KerasTensor:
    """Convolutions with max pooling, flattened, as in the first tutorials."""
    for width in (16, 24, 32):
        x = layers.MaxPooling2D()(layers.Conv2D(width, 3, padding="same", activation="relu")(x))
    return layers.Dense(64, "relu")(layers.Flatten()(x))


def strided(x: keras.KerasTensor) -> keras.KerasTensor:
    """Strided convolutions with batch normalization, averaged."""
    for width in (16, 32, 48):
        x = _normed(layers.Conv2D(width, 3, 2, "same", use_bias=False)(x))
    return layers.GlobalAveragePooling2D()(x)


def residual(x: keras.KerasTensor) -> keras.KerasTensor:
    """Residual blocks with batch normalization."""
    x = layers.MaxPooling2D()(_normed(layers.Conv2D(16, 3, padding="same")(x)))
    for width, stride in ((16, 1), (32, 2)):
        inner = _normed(layers.Conv2D(width, 3, stride, "same")(x))
        inner = layers.BatchNormalization(momentum=0.9)(
            layers.Conv2D(width, 3, padding="same")(inner)
        )
        short = x if stride == 1 else layers.Conv2D(width, 1, stride)(x)
        x = layers.ReLU()(layers.Add()([short, inner]))
    return layers.GlobalAveragePooling2D()(x)


def separable(x: keras.KerasTensor) -> keras.KerasTensor:
    """Depthwise separable convolutions with layer normalization and global max pooling."""
    x = layers.Conv2D(24, 3, 2, "same", activation="relu")(x)
    for width in (32, 48):
        x = layers.SeparableConv2D(width, 3, padding="same", activation="gelu")(x)
        x = layers.AveragePooling2D(2)(layers.LayerNormalization()(x))
    return layers.GlobalMaxPooling2D()(x)


def mixer(x: keras.KerasTensor) -> keras.KerasTensor:
    """Patches of 4 x 4 pixels, mixed over positions and over channels."""
    x = layers.Reshape((36, 32))(layers.Conv2D(32, 4, 4)(x))
    for _ in range(2):
        inner = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        inner = layers.Permute((2, 1))(layers.Dense(36)(layers.Dense(36, "gelu")(inner)))
        x = layers.Add()([x, inner])
        inner = layers.Dense(32)(layers.Dense(64, "gelu")(layers.LayerNormalization()(x)))
        x = layers.Add()([x, inner])
    return layers.GlobalAveragePooling1D()(x)


def dense(x: keras.KerasTensor) -> keras.KerasTensor:
    """Each convolution receives the outputs of all before it; for the second look."""
    x = layers.MaxPooling2D()(layers.Conv2D(16, 3, padding="same", activation="relu")(x))
    for _ in range(3):
        new = layers.Conv2D(12, 3, padding="same", use_bias=False)(_normed(x))
        x = layers.Concatenate()([x, new])
    return layers.GlobalAveragePooling2D()(layers.AveragePooling2D(2)(_normed(x)))


def inception(x: keras.KerasTensor) -> keras.KerasTensor:
    """Kernels of several sizes side by side; likewise."""
    for width in (8, 16):
        branches = [_normed(layers.Conv2D(width, size, padding="same")(x)) for size in (1, 3, 5)]
        branches.append(layers.MaxPooling2D(3, 1, "same")(x))
        x = layers.MaxPooling2D()(layers.Concatenate()(branches))
    return layers.Flatten()(layers.AveragePooling2D(2)(x))


NETS = {f.__name__: f for f in (plain, strided, residual, separable, mixer, dense, inception)}


def augmented(family: Family, names: tuple[str, ...], epochs: int) -> Iterator[np.ndarray]:
    """The training images of each epoch, as the layers change them."""
    keras.utils.set_random_seed(15)
    chosen = [LAYERS[n]() for n in names if n != "hue" or family.x.shape[-1] == 3]
    for _ in range(epochs):
        parts = []
        for part in np.array_split(family.x, PARTS):
            changed = part
            for layer in chosen:
                changed = layer(changed, training=True)
            parts.append(np.asarray(changed))
        yield np.clip(np.concatenate(parts), 0, 1)


def train(net: str, family: Family, epochs: list[np.ndarray], seed: int) -> keras.Model:
    """A trained network."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(family.x.shape[1:])
    classes = int(family.y.max()) + 1
    model = keras.Model(inputs, layers.Dense(classes, "softmax")(NETS[net](inputs)))
    rate = keras.optimizers.schedules.CosineDecay(4e-3, len(epochs) * (len(family.x) // 64))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    rng = np.random.default_rng(seed)
    for x in epochs:
        order = rng.permutation(len(x))
        model.fit(x[order], family.y[order], batch_size=64, epochs=1, verbose=0)
    return model


def transformed(x: np.ndarray, name: str, strength: float) -> np.ndarray:
    """Images changed by `strength`, the sign drawn for each; with SciPy, not with the tool."""
    rng = np.random.default_rng(16)
    signs = rng.choice((-1.0, 1.0), len(x))
    change = _moved if name in {"rotation", "shear", "translation", "zoom"} else _recoloured
    changed = [
        change(image, name, sign * strength, rng) for image, sign in zip(x, signs, strict=True)
    ]
    return np.clip(np.stack(changed), 0, 1).astype(np.float32)


def _moved(image: np.ndarray, name: str, amount: float, rng: np.random.Generator) -> np.ndarray:
    matrix, offset = np.eye(2), np.zeros(2)
    middle = (image.shape[0] - 1) / 2
    if name == "rotation":
        t = np.deg2rad(amount)
        matrix = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    elif name == "shear":
        matrix[1, 0] = amount
    elif name == "zoom":
        matrix /= 1 + amount
    else:
        offset = amount * image.shape[0] * np.array((1.0, rng.choice((-1, 1))))
    offset = offset + middle - matrix @ np.full(2, middle)
    planes = [
        ndimage.affine_transform(image[..., c], matrix, offset, order=1, mode="reflect")
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=-1)


def _recoloured(
    image: np.ndarray, name: str, amount: float, rng: np.random.Generator
) -> np.ndarray:
    mean, size = image.mean(axis=(0, 1)), abs(amount)
    if name == "brightness":
        return image + amount
    if name == "contrast":
        return (image - mean) * (1 + amount) + mean
    if name == "hue":
        hsv = colors.rgb_to_hsv(image)
        hsv[..., 0] = (hsv[..., 0] + amount) % 1
        return colors.hsv_to_rgb(hsv)
    if name == "blur":
        return ndimage.gaussian_filter(image, (size, size, 0), mode="reflect")
    if name == "noise":
        return image + rng.normal(0, size, image.shape)
    side = round(image.shape[0] * size**0.5)
    top, left = rng.integers(0, image.shape[0] - side + 1, 2)
    out = image.copy()
    out[top : top + side, left : left + side] = rng.random((side, side, out.shape[2]))
    return out
