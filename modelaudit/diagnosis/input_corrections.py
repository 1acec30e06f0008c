"""The ways in which inputs can differ from those of training: what undoes each, and its origins."""

from __future__ import annotations

# Code that feeds inputs the other way; `{ends}` is the sum of their smallest and largest value.
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
    # With the numbers of the training images, where they are known.
    "standardised": "(images - images.mean()) / images.std()",
    "BGR": "images[..., ::-1]",
}
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
# Layers that show both ways in training.
AUGMENT = {
    "H": 'keras.layers.RandomFlip("horizontal")',
    "V": 'keras.layers.RandomFlip("vertical")',
    "r180": 'keras.layers.RandomFlip("horizontal_and_vertical")',
    "r90": "keras.layers.RandomRotation(0.25)",
    "r270": "keras.layers.RandomRotation(0.25)",
    "T": "keras.layers.RandomRotation(0.25)",
    "AT": "keras.layers.RandomRotation(0.25)",
}
# What brings images to a model in another orientation.
ORIGINS = {
    "H": "a camera that mirrors, as those for selfies do, a flip of augmentation left on in one of "
    "the two, columns read backwards, EXIF orientation 2",
    "V": "rows read from the bottom up, as in BMP and OpenGL, a flip of augmentation left on in "
    "one of the two, EXIF orientation 4",
    "r180": "a camera mounted upside down, EXIF orientation 3, or convolutions converted from "
    "Theano, whose kernels are turned by 180°",
    "r90": "EXIF rotation that one of the two obeys and the other does not",
    "r270": "EXIF rotation that one of the two obeys and the other does not",
    "T": "height and width exchanged, as between (x, y) and (row, column), or kernels converted "
    "with their axes exchanged",
}
OTHER_ORIGIN = "axes that are read in another order or direction"
