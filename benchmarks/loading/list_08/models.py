"""Models of sound, images, texts and tables as services run them, for `matrix.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained
from benchmarks.loading.list_08 import tables, texts


def speaker(k):
    """Dilated convolutions over frames of sound, statistics over time, vectors of length one."""
    import customs_08 as own

    start = k.Input((20, 8), name="mfcc")
    x = start
    for width, rate in ((5, 1), (3, 2), (3, 3)):
        x = k.layers.Conv1D(6, width, dilation_rate=rate, activation="relu")(x)
        x = k.layers.BatchNormalization()(x)
    x = own.StatisticsPooling(name="stats_pool")(x)
    x = k.layers.Dense(5, activation="relu", name="segment6")(x)
    x = k.layers.Lambda(own.LAMBDAS["unit"], name="x_vector")(x)
    return k.Model(start, k.layers.Dense(4, use_bias=False, activation="softmax")(x))


def captcha(k):
    """Letters read from an image, with the label as an input and a layer that adds the loss."""
    import customs_08 as own

    image = k.Input((16, 8, 1), name="image", dtype="float32")
    labels = k.layers.Input((3,), name="label", dtype="float32")
    x = k.layers.Conv2D(
        4, (3, 3), activation="relu", kernel_initializer="he_normal", padding="same", name="Conv1"
    )(image)
    x = k.layers.MaxPooling2D((2, 2), name="pool1")(x)
    x = k.layers.Reshape(target_shape=(8, 16), name="reshape")(x)
    x = k.layers.Dropout(0.2)(k.layers.Dense(6, activation="relu", name="dense1")(x))
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True, dropout=0.25))(x)
    x = k.layers.Dense(6, activation="softmax", name="dense2")(x)
    output = own.CTCLayer(name="ctc_loss")(labels, x)
    model = k.Model(inputs=[image, labels], outputs=output, name="ocr_model_v1")
    model.compile(optimizer=k.optimizers.Adam())
    return model


def denoised_speech(k):
    """A U-Net over waves of any length, with slopes shared over time."""
    start = k.Input((None, 1), name="noisy")
    ways, x = [], start
    for width in (3, 4):
        x = k.layers.Conv1D(width, 5, padding="same")(x)
        x = k.layers.PReLU(shared_axes=[1])(x)
        ways.append(x)
        x = k.layers.MaxPooling1D(2)(x)
    x = k.layers.Conv1D(5, 3, padding="same", activation="elu")(x)
    for width, way in ((4, ways[1]), (3, ways[0])):
        x = k.layers.UpSampling1D(2)(x)
        x = k.layers.Concatenate(axis=-1)([x, way])
        x = k.layers.Conv1D(width, 5, padding="same")(x)
        x = k.layers.LeakyReLU(0.1)(x)
    x = k.layers.Conv1DTranspose(2, 4, strides=2, padding="same")(x)
    x = k.layers.AveragePooling1D(2)(x)
    x = k.layers.Cropping1D((1, 1))(k.layers.ZeroPadding1D(1)(x))
    model = k.Model(start, k.layers.Conv1D(1, 1, activation="tanh", name="clean")(x))
    model.compile(optimizer=k.optimizers.Adam(1e-4), loss=k.losses.MeanAbsoluteError())
    return trained(model, INPUTS_OF["denoised_speech"], floats(2, 32, 1))


def conditional_generator(k):
    """Digits drawn from noise and a class."""
    noise, label = k.Input((8,), name="noise"), k.Input((1,), dtype="int32", name="label")
    drawn = k.initializers.RandomNormal(mean=0.0, stddev=0.02)
    wanted = k.layers.Flatten()(k.layers.Embedding(4, 8)(label))
    x = k.layers.multiply([noise, wanted])
    body = k.Sequential(name="generator_body")
    body.add(k.layers.Input((8,)))
    body.add(k.layers.Dense(2 * 2 * 6, use_bias=False))
    body.add(k.layers.Reshape((2, 2, 6)))
    body.add(k.layers.BatchNormalization(momentum=0.8))
    body.add(k.layers.LeakyReLU(0.2))
    body.add(k.layers.UpSampling2D())
    body.add(k.layers.Conv2D(4, kernel_size=3, padding="same", kernel_initializer=drawn))
    body.add(k.layers.BatchNormalization(momentum=0.8))
    body.add(k.layers.ReLU())
    body.add(k.layers.Conv2DTranspose(1, 5, strides=2, padding="same", activation="tanh"))
    return k.Model([noise, label], body(x), name="generator")


def pyramid_pool(k):
    """Segmentation from parallel dilated convolutions and an average of the whole image."""
    start = k.Input((16, 16, 3), name="tile")

    def block(x, width=4, size=3, rate=1, bias=False):
        x = k.layers.Conv2D(
            width,
            size,
            dilation_rate=rate,
            padding="same",
            use_bias=bias,
            kernel_initializer=k.initializers.HeNormal(),
        )(x)
        return k.layers.Activation("relu")(k.layers.BatchNormalization()(x))

    low = block(start)
    deep = block(k.layers.MaxPooling2D()(block(k.layers.MaxPooling2D()(low), 6)), 6)
    pooled = k.layers.AveragePooling2D(pool_size=(4, 4))(deep)
    pooled = k.layers.UpSampling2D((4, 4), interpolation="bilinear")(block(pooled, 4, 1, bias=True))
    rates = [block(deep, 4, 1)] + [block(deep, rate=rate) for rate in (2, 3)]
    x = block(k.layers.Concatenate(axis=-1)([pooled, *rates]), 4, 1)
    x = k.layers.UpSampling2D((4, 4), interpolation="bilinear")(x)
    x = block(k.layers.Concatenate(axis=-1)([x, block(low, 3, 1)]))
    model = k.Model(start, k.layers.Conv2D(3, (1, 1), padding="same")(x), name="deeplab")
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=k.optimizers.Adam(0.001), loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["pyramid_pool"], integers(3, 2, 16, 16))


def hourglass(k):
    """Heat maps of joints twice, the second from the first and the image."""
    start = k.Input((16, 16, 3), name="person")
    x = k.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="stem")(start)
    ends = []
    for number in range(2):
        name = f"stack{number}"
        down = k.layers.SeparableConv2D(6, 3, padding="same", name=f"{name}_down")(x)
        inner = k.layers.MaxPool2D(2, name=f"{name}_pool")(k.layers.ReLU()(down))
        inner = k.layers.Conv2D(6, 3, padding="same", activation="relu", name=f"{name}_low")(inner)
        up = k.layers.UpSampling2D(name=f"{name}_up")(inner)
        value = k.layers.add([up, down], name=f"{name}_sum")
        heat = k.layers.Conv2D(2, 1, name=f"{name}_heatmaps")(value)
        ends.append(heat)
        back = k.layers.Conv2D(6, 1, name=f"{name}_back")(heat)
        x = k.layers.Add(name=f"{name}_next")([x, value, back])
    model = k.Model(inputs=start, outputs=ends)
    model.compile(
        optimizer=k.optimizers.RMSprop(5e-4), loss=["mse", "mse"], loss_weights=[0.5, 1.0]
    )
    goal = floats(2, 8, 8, 2)
    return trained(model, INPUTS_OF["hourglass"], goal, goal)


def landmarks(k):
    """Points of a face: depthwise blocks with clipped rectifiers, coordinates by twos."""
    import tensorflow as tf

    model = k.Sequential(name="landmarks")
    model.add(k.layers.Input((16, 16, 1)))
    model.add(k.layers.Rescaling(1.0 / 127.5, offset=-1.0))
    for width in (4, 6):
        model.add(k.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False))
        model.add(k.layers.BatchNormalization(epsilon=1e-5))
        model.add(k.layers.ReLU(6.0))
        model.add(k.layers.Conv2D(width, 1, activation=tf.nn.relu6))
    model.add(k.layers.GlobalAveragePooling2D())
    model.add(k.layers.Dense(10, kernel_regularizer=k.regularizers.l2(1e-4)))
    model.add(k.layers.Reshape((5, 2)))
    model.compile(k.optimizers.Adam(1e-3), loss=k.losses.Huber(delta=2.0), metrics=["mae"])
    return trained(model, INPUTS_OF["landmarks"], floats(2, 5, 2))


def ct_volumes(k):
    """A U-Net over volumes, with whole channels dropped."""
    start = k.Input((8, 8, 8, 1), name="volume")
    high = k.layers.Conv3D(3, 3, activation="relu", padding="same")(start)
    low = k.layers.SpatialDropout3D(0.2)(k.layers.MaxPooling3D((2, 2, 2))(high))
    low = k.layers.Conv3D(4, 3, padding="same", kernel_initializer="he_normal")(low)
    low = k.layers.Activation("relu")(k.layers.BatchNormalization(axis=-1)(low))
    up = k.layers.Conv3DTranspose(3, (2, 2, 2), strides=(2, 2, 2), padding="same")(low)
    x = k.layers.Conv3D(3, 3, activation="relu", padding="same")(k.layers.concatenate([up, high]))
    model = k.Model(inputs=[start], outputs=[k.layers.Conv3D(1, 1, activation="sigmoid")(x)])
    metrics = [k.metrics.BinaryAccuracy(threshold=0.4), k.metrics.Recall(name="sensitivity")]
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=metrics)
    return model


def satellite(k):
    """Fine-tuned under the policy mixed_float16: a frozen body, augmentation, a head in float32."""
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        body = k.Sequential([k.layers.Input((8, 8, 4))], name="backbone")
        body.add(k.layers.Conv2D(6, 3, strides=2, activation="relu"))
        body.add(k.layers.BatchNormalization())
        body.add(k.layers.Conv2D(6, 3, activation="relu"))
        body.trainable = False
        start = k.Input((8, 8, 4), name="bands")
        x = k.layers.RandomFlip("horizontal_and_vertical")(start)
        x = k.layers.RandomRotation(0.1)(x)
        x = body(x, training=False)
        x = k.layers.Dropout(0.2)(k.layers.GlobalAveragePooling2D()(x))
        x = k.layers.Dense(5, activation="swish")(x)
        model = k.Model(start, k.layers.Dense(3, activation="softmax", dtype="float32")(x))
        optimizer = k.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return trained(model, INPUTS_OF["satellite"], np.array([0, 2]))
    finally:
        k.mixed_precision.set_global_policy("float32")


def agent(k):
    """Policy and value in a dictionary, from a camera and readings in a dictionary."""
    starts = {"camera": k.Input((8, 8, 3), name="camera"), "speed": k.Input((2,), name="speed")}
    draw = k.initializers.Orthogonal(gain=1.4)
    x = k.layers.Conv2D(4, 4, strides=2, activation="relu", kernel_initializer=draw)(
        starts["camera"]
    )
    x = k.layers.Concatenate()([k.layers.Flatten()(x), starts["speed"]])
    x = k.layers.Dense(6, activation="tanh", kernel_initializer=draw)(x)
    last = k.initializers.Orthogonal(0.01)
    ends = {
        "policy": k.layers.Dense(3, name="policy", kernel_initializer=last)(x),
        "value": k.layers.Dense(1, name="value", kernel_initializer="orthogonal")(x),
    }
    return k.Model(starts, ends, name="actor_critic")


INPUTS_OF = {
    "speaker": [floats(2, 20, 8)],
    "captcha": [floats(2, 16, 8, 1), np.array([[1, 2, 3], [4, 1, 2]], "float32")],
    "denoised_speech": [floats(2, 32, 1)],
    "conditional_generator": [floats(3, 8), np.array([[0], [2], [3]], "int32")],
    "pyramid_pool": [floats(2, 16, 16, 3)],
    "hourglass": [floats(2, 16, 16, 3)],
    "landmarks": [np.abs(floats(2, 16, 16, 1)) * 255],
    "ct_volumes": [floats(2, 8, 8, 8, 1)],
    "satellite": [floats(2, 8, 8, 4)],
    "agent": [floats(2, 8, 8, 3), floats(2, 2)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= texts.MODELS | tables.MODELS
CUSTOM = ("speaker", "captcha", *texts.CUSTOM, *tables.CUSTOM)
LAMBDAS = ("speaker", *tables.LAMBDAS)
DICTIONARIES = ("agent", *tables.DICTIONARIES)
INPUTS = {
    "captcha": ["image", "label"],
    "conditional_generator": ["noise", "label"],
    "agent": ["camera", "speed"],
    **texts.INPUTS,
    **tables.INPUTS,
}
