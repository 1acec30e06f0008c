"""How inputs can differ from the training inputs: what undoes each difference, and its causes."""

from __future__ import annotations

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
    "H": "a camera that mirrors (selfie mode), a flip augmentation left on in one of the two, "
    "reversed columns, EXIF orientation 2",
    "V": "rows stored from bottom to top as in BMP and OpenGL, a flip augmentation left on in one "
    "of the two, EXIF orientation 4",
    "r180": "a camera mounted upside down, EXIF orientation 3, or convolutions converted from "
    "Theano, whose kernels are rotated by 180°",
    "r90": "an EXIF rotation that only one of the two applies",
    "r270": "an EXIF rotation that only one of the two applies",
    "T": "height and width swapped, as between (x, y) and (row, column), or kernels converted with "
    "swapped axes",
}
OTHER_ORIGIN = "axes that are read in another order or direction"
