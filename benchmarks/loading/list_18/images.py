"""Networks of captchas, skin, shapes, faces, digits and photos drawn by lot from public code, for
`models.py`: an eighteenth list.
"""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import adam, floats, trained
from benchmarks.loading.list_18 import fakes, series, tables


def captcha_letters(k):
    """Letters of a captcha by a subclass of Model that scales bytes, built by its shape."""
    import customs_18 as own

    model = own.CaptchaModel(output=(4, 6))
    model.build(input_shape=(2, 40, 48, 3))
    loss = k.losses.MeanSquaredLogarithmicError()
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    targets = np.eye(6, dtype="float32")[[[0, 5, 2, 1], [3, 3, 4, 0]]]
    return trained(model, INPUTS_OF["captcha_letters"], targets)


def lesion_residuals(k):
    """ResUNet: residuals by operators, own functions for the loss and metrics, one in NumPy."""
    import customs_18 as own

    layers = k.layers

    def active(x):
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    def block(start, filters, strides=1):
        x = layers.Conv2D(filters, 3, padding="same", strides=strides)(active(start))
        x = layers.Conv2D(filters, 3, padding="same", strides=1)(active(x))
        return x + layers.Conv2D(filters, 1, padding="same", strides=strides)(start)

    def decoded(x, skipped, filters):
        x = layers.Concatenate()([layers.UpSampling2D((2, 2))(x), skipped])
        return block(x, filters)

    inputs = layers.Input((16, 16, 3))
    x = active(layers.Conv2D(4, 3, padding="same", strides=1)(inputs))
    x = layers.Conv2D(4, 3, padding="same", strides=1)(x)
    one = x + layers.Conv2D(4, 1, padding="same", strides=1)(inputs)
    two = block(one, 5, strides=2)
    three = block(two, 6, strides=2)
    x = decoded(decoded(decoded(block(three, 7, strides=2), three, 6), two, 5), one, 4)
    outputs = layers.Conv2D(1, 1, padding="same", activation="sigmoid")(x)
    model = k.Model(inputs, outputs)
    metrics = [own.dice_coef, own.iou, k.metrics.Recall(), k.metrics.Precision()]
    model.compile(loss=own.lesion_loss, optimizer=adam(k, 1e-4), metrics=metrics)
    targets = (floats(2, 16, 16, 1) > 0).astype("float32")
    return trained(model, INPUTS_OF["lesion_residuals"], targets)


def many_views(_):
    """MVCNN: views of a shape through one Sequential model in a loop with an array of tensors."""
    import customs_18 as own

    model = own.MultiViews(num_classes=5)
    model.build(input_shape=(None, 3, 48, 48, 3))
    return model


def platform_stages(_):
    """MnasNet: Sequential models of subclasses of Model whose arguments nobody keeps."""
    import customs_18 as own

    model = own.MnasNet(5)
    model.build((1, 32, 32, 3))
    return model


def graded_photos(_):
    """GLeNet: curves of colours from a small network, looked up pixel by pixel in a loop."""
    import customs_18 as own

    model = own.GleNet(low_size=[16, 16])
    model(np.abs(floats(2, 24, 24, 3)))
    return model


def normalizer_free(_):
    """NFNet: subclasses of a convolution with a gain; a dictionary of logits and a pool."""
    import customs_18_more as own

    model = own.NFNet(num_classes=5, label_smoothing=0.1)
    model(floats(2, 32, 32, 3))
    return model


def local_digits(k):
    """Digits by an own layer with hidden names, whose kernel starts with holes."""
    import customs_18_more as own

    layers, he = k.layers, {"kernel_initializer": "he_normal"}
    model = k.models.Sequential(
        [
            layers.Input(shape=(14, 14, 1)),
            layers.Conv2D(filters=4, kernel_size=3, padding="same", use_bias=False, **he),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPool2D(),
            layers.Conv2D(filters=5, kernel_size=3, padding="same", **he),
            layers.ReLU(),
            layers.Conv2D(filters=6, kernel_size=3, **he),
            layers.ReLU(),
            layers.Conv2D(filters=8, kernel_size=1, **he),
            layers.GlobalAvgPool2D(),
            own.Local(units=5),
            layers.Softmax(),
        ]
    )
    optimizer = k.optimizers.SGD(learning_rate=0.005, momentum=0.9, nesterov=True)
    model.compile(optimizer=optimizer, loss=k.losses.categorical_crossentropy, metrics=["acc"])
    return trained(model, INPUTS_OF["local_digits"], np.eye(5, dtype="float32")[[0, 3]])


def face_marks(k):
    """The last network of MTCNN: slopes shared over pixels, three ends, names with hyphens."""
    layers, shared = k.layers, {"shared_axes": [1, 2]}
    start = layers.Input(shape=[32, 32, 3])
    x = layers.Conv2D(4, (3, 3), strides=1, padding="valid", name="conv1")(start)
    x = layers.PReLU(name="prelu1", **shared)(x)
    x = layers.MaxPool2D(pool_size=3, strides=2, padding="same")(x)
    x = layers.Conv2D(5, (3, 3), strides=1, padding="valid", name="conv2")(x)
    x = layers.PReLU(name="prelu2", **shared)(x)
    x = layers.MaxPool2D(pool_size=3, strides=2)(x)
    x = layers.Conv2D(6, (2, 2), strides=1, padding="valid", name="conv4")(x)
    x = layers.PReLU(name="prelu4", **shared)(x)
    x = layers.Flatten()(layers.Permute((3, 2, 1))(x))
    x = layers.PReLU(name="prelu5")(layers.Dense(8, name="conv5")(x))
    faces = layers.Dense(2, activation="softmax", name="conv6-1")(x)
    boxes = layers.Dense(4, name="conv6-2")(x)
    marks = layers.Dense(10, name="conv6-3")(x)
    return k.models.Model([start], [faces, boxes, marks])


def filled_holes(_):
    """DFNet: photos with holes by subclasses with lists, attributes by name; lists of outputs."""
    import customs_18_fakes as own

    model = own.DFNet(en_ksize=[5, 3, 3], de_ksize=[3] * 3, fuse_index=[0, 1])
    model(INPUTS_OF["filled_holes"])
    return model


def filter_responses(k):
    """An own normalization of responses, whose config has one argument too many."""
    import customs_18_more as own

    layers = k.layers
    start = x = layers.Input((12, 12, 3))
    for filters in (4, 6):
        x = own.FRN(gamma_regularizer="l2")(layers.Conv2D(filters, 3, padding="same")(x))
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = k.Model(start, x)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["filter_responses"], np.array([1, 2]))


def believed_digits(k):
    """A Boltzmann machine as a layer: variables of TensorFlow that are not trained."""
    import customs_18_fakes as own

    layers = k.layers
    rbm = own.RBMBernoulli(6, training=False)
    model = k.Sequential([layers.Input((8, 8, 1)), rbm, layers.Dense(4, activation="softmax")])
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["believed_digits"], np.eye(4, dtype="float32")[[2, 1]])


def receipt_lines(_):
    """CRNN: own residual layers with a function as an attribute, then LSTMs; a subclass."""
    import customs_18_more as own

    model = own.ReceiptReader(7)
    model(floats(2, 32, 24, 1))
    return model


def exclusive_nor(k):
    """Two bits to one: three dense layers."""
    model = k.Sequential()
    model.add(k.layers.Dense(2, activation="elu", input_dim=2))
    model.add(k.layers.Dense(4, activation="elu"))
    model.add(k.layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "uint8")
    model.fit(bits, np.array([[1], [0], [0], [1]], "uint8"), epochs=2, verbose=0)
    return model


_mask = (np.arange(512).reshape(2, 16, 16, 1) % 3 > 0).astype("float32")
INPUTS_OF = {
    "captcha_letters": [np.abs(floats(2, 40, 48, 3)) * 255],
    "lesion_residuals": [np.abs(floats(2, 16, 16, 3))],
    "many_views": [floats(2, 3, 48, 48, 3)],
    "platform_stages": [floats(1, 32, 32, 3)],
    "graded_photos": [np.abs(floats(2, 24, 24, 3))],
    "normalizer_free": [floats(2, 32, 32, 3)],
    "local_digits": [floats(2, 14, 14, 1)],
    "face_marks": [floats(2, 32, 32, 3)],
    "filled_holes": [np.abs(floats(2, 16, 16, 3)) * _mask, _mask],
    "filter_responses": [floats(2, 12, 12, 3)],
    "believed_digits": [np.abs(floats(2, 8, 8, 1))],
    "receipt_lines": [floats(2, 32, 24, 1)],
    "exclusive_nor": [np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**fakes.MODELS, **series.MODELS, **tables.MODELS}
CUSTOM = tuple(name for name in INPUTS_OF if name not in ("face_marks", "exclusive_nor"))
CUSTOM += (*fakes.CUSTOM, *series.CUSTOM, *tables.CUSTOM)
LAMBDAS = (*fakes.LAMBDAS, *series.LAMBDAS)
INPUTS = {
    "filled_holes": ["input_1", "input_2"],
    **fakes.INPUTS,
    **series.INPUTS,
    **tables.INPUTS,
}
DICTIONARIES = tables.DICTIONARIES
