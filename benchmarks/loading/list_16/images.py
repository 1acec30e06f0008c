"""Named networks of faces, scans, crowds, plates and digits drawn by lot from public code, for
`models.py`: a sixteenth list.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, integers, trained
from benchmarks.loading.list_16 import bodies, series


def embedded_faces(k):
    """MobileFaceNet-S with a softmax, as it is trained first; all layers of its body are named."""
    layers = k.layers

    def active(x, name, norm):
        return layers.LeakyReLU(name=name)(layers.BatchNormalization(axis=-1, name=norm)(x))

    def block(x, filters, i, strides=(1, 1)):
        if strides != (1, 1):
            x = layers.ZeroPadding2D(((1, 1), (1, 1)), name=f"conv_pad_{i}")(x)
        given = {"padding": "same" if strides == (1, 1) else "valid", "strides": strides}
        given |= {"depth_multiplier": 1, "use_bias": False, "name": f"conv_dw_{i}"}
        x = layers.DepthwiseConv2D((3, 3), **given)(x)
        x = active(x, f"conv_dw_{i}_relu", f"conv_dw_{i}_bn")
        given = {"padding": "same", "use_bias": False, "strides": (1, 1), "name": f"conv_pw_{i}"}
        x = layers.Conv2D(filters, (1, 1), **given)(x)
        return active(x, f"conv_pw_{i}_relu", f"conv_pw_{i}_bn")

    start = layers.Input(shape=(28, 28, 3))
    layers.Input((5,))  # the label, of which the first training makes no use
    x = layers.ZeroPadding2D(padding=((1, 1), (1, 1)), name="conv1_pad")(start)
    given = {"padding": "valid", "use_bias": False, "strides": (2, 2), "name": "conv1"}
    x = active(layers.Conv2D(4, (3, 3), **given)(x), "conv1_relu", "conv1_bn")
    x = block(block(block(x, 4, 0), 4, 1, (2, 2)), 4, 2)
    x = block(block(block(x, 6, 6, (2, 2)), 6, 7), 6, 8)
    size = min([x.shape[1:3]])
    x = layers.DepthwiseConv2D(size, strides=1, padding="valid", depth_multiplier=1)(x)
    x = layers.Dropout(rate=0.1)(layers.BatchNormalization(axis=-1)(x))
    x = layers.BatchNormalization()(layers.Dense(6)(layers.Flatten()(x)))
    x = layers.Dense(units=5, activation="softmax")(x)
    model = k.Model(inputs=start, outputs=x, name="mobile_face_net")
    optimizer = k.optimizers.Adam(1e-3, epsilon=1e-8)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["embedded_faces"], np.eye(5, dtype="float32")[[1, 4]])


def pooled_scans(k):
    """DARU-Net: squeezed residual blocks, two kinds of pooling, and a pyramid in the middle."""
    import customs_16 as own

    layers = k.layers

    def squeezed(x, ratio):
        wide = int(x.shape[-1])
        y = layers.Dense(units=wide // ratio)(layers.GlobalAveragePooling2D()(x))
        y = layers.Dense(units=wide)(layers.Activation("relu")(y))
        y = layers.Reshape((1, 1, wide))(layers.Activation("sigmoid")(y))
        return layers.Multiply()([x, y])

    def block(x, filters):
        given = {"use_bias": False, "padding": "same"}
        x = layers.BatchNormalization()(layers.Conv2D(filters, 3, **given)(x))
        x = layers.Activation("relu")(x)
        y = squeezed(layers.Conv2D(filters, 3, **given)(x), 2)
        return layers.Activation("relu")(layers.BatchNormalization()(layers.add([y, x])))

    def pooled(x):
        found = [
            pool(pool_size=(2, 2))(x) for pool in (layers.MaxPooling2D, layers.AveragePooling2D)
        ]
        return layers.add(found)

    def pyramid(x, size):
        wide, found = int(x.shape[3]), [x]
        for part in (1, 2, 4, 8):
            each = (size // part, size // part)
            y = layers.AveragePooling2D(each, strides=each)(x)
            y = layers.Conv2D(wide // 4, (1, 1), activation="relu", padding="same")(y)
            found.append(layers.UpSampling2D(size=each)(y))
        return layers.concatenate(found, axis=-1)

    start = x = layers.Input((32, 32, 1))
    kept = []
    for filters in (4, 6):
        kept.append(block(x, filters))
        x = pooled(kept[-1])
    x = pyramid(block(x, 8), 8)
    for filters in (6, 4):
        x = layers.UpSampling2D(size=(2, 2), interpolation="bilinear")(x)
        x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
        x = block(layers.concatenate([x, kept.pop()], axis=-1), filters)
    outputs = layers.Conv2D(1, (1, 1), activation="sigmoid")(x)
    model = k.Model(inputs=[start], outputs=[outputs])
    model.compile(optimizer=adam(k, 2e-4), loss=own.overlap_loss, metrics=[own.overlap])
    return trained(model, INPUTS_OF["pooled_scans"], np.abs(floats(2, 32, 32, 1)).round())


def bone_scans(k):
    """Residual U-shaped networks of two scans, whose loss is a closure."""
    import customs_16 as own

    layers, classes = k.layers, 3

    def conv(x, filters, name=None):
        given = {"activation": "relu", "padding": "same", "kernel_initializer": "he_normal"}
        return layers.BatchNormalization(name=name)(layers.Conv2D(filters, 3, **given)(x))

    def block(x, filters, name, short=None):
        x = conv(x, filters)
        return layers.Add()([conv(x, filters, name), x if short is None else short])

    def encoder(start, name):
        x, kept = layers.BatchNormalization()(start), []
        for i, filters in enumerate((4, 5)):
            kept.append(block(x, filters, f"conv_{name}_{filters}", None if i else x))
            if i:
                kept[-1] = layers.Dropout(0.5)(kept[-1])
            x = layers.MaxPool2D(pool_size=(2, 2))(kept[-1])
        return layers.Dropout(0.5)(block(x, 6, f"conv_{name}_6")), kept

    scan, bones = layers.Input((16, 16, 1)), layers.Input((16, 16, 1))
    found, skipped = encoder(scan, "spect")
    other, others = encoder(bones, "ct")
    x = layers.concatenate([found, other], axis=3)
    for filters in (5, 4):
        x = conv(layers.UpSampling2D(size=(2, 2))(x), filters)
        joined = layers.concatenate([others.pop(), skipped.pop(), x], axis=3)
        x = layers.BatchNormalization()(joined)
        x = block(x, filters, f"decoder_conv_{filters}")
    x = layers.Conv2D(filters=6, kernel_size=3, activation="relu", padding="same")(x)
    x = layers.BatchNormalization()(x)
    given = {"kernel_size": 1, "activation": "softmax", "padding": "same", "name": "segmentation"}
    x = layers.Conv2D(filters=classes, **given)(x)
    x = layers.Reshape((np.prod((16, 16)), classes))(x)
    model = k.Model(inputs=[bones, scan], outputs=x)
    model.compile(optimizer=adam(k, 1e-3), loss=own.log_overlap(exp=1.0))
    targets = np.eye(classes, dtype="float32")[integers(3, 2, 256)]
    return trained(model, INPUTS_OF["bone_scans"], targets)


def plain_fakes(_):
    """The generator of R3GAN, without conditions: own layers that make weights with themselves."""
    import customs_16_more as own

    model = own.PlainGenerator(4, [8, 6], [2, 2], [1, 1], 2)
    model(tf.constant(INPUTS_OF["plain_fakes"][0]))
    return model


def first_letters(_):
    """LeNet as a subclass of Sequential, with arguments and without a config."""
    import customs_16 as own

    model = own.LetterNet((16, 16, 1), 4, "lenet")
    return trained(model, INPUTS_OF["first_letters"], np.eye(4, dtype="float32")[[2, 0]])


def counted_crowds(k):
    """CSRNet: one initializer for all dilated convolutions, inputs of any size, weights set."""
    layers = k.layers
    start = x = layers.Input(shape=(None, None, 3))
    spread = k.initializers.RandomNormal(stddev=0.01)
    given = {"strides": (1, 1), "padding": "same", "activation": "relu"}
    front = [4, 4, "M", 5, 5, "M", 6, 6]
    for filters in front:
        if filters == "M":
            x = layers.MaxPooling2D(pool_size=(2, 2))(x)
        else:
            x = layers.Conv2D(filters, (3, 3), **given)(x)
    given["kernel_initializer"] = spread
    for filters in (6, 5, 4):
        x = layers.Conv2D(filters, (3, 3), dilation_rate=2, **given)(x)
    model = k.Model(inputs=start, outputs=layers.Conv2D(1, 1, **given)(x))
    sgd = k.optimizers.SGD(learning_rate=1e-7, momentum=0.95)
    model.compile(optimizer=sgd, loss="mse", metrics=["mae"])
    return trained(model, INPUTS_OF["counted_crowds"], np.abs(floats(2, 4, 4, 1)))


def read_plates(k):
    """LPRNet, which calls itself while it is made, with layers that are made in calls."""
    import customs_16 as own

    model = own.LPRnet()
    optimizer = k.optimizers.Adam(learning_rate=1e-3)
    model.compile(optimizer=optimizer, loss=own.plate_loss)
    return trained(model, INPUTS_OF["read_plates"], integers(6, 2, 3))


def routed_capsules(k):
    """CapsNet as it is trained: capsules by own layers, and a decoder as an inner model."""
    import customs_16 as own

    layers, classes, wide = k.layers, 3, 4
    start = layers.Input(shape=(14, 14, 1))
    given = {"padding": "valid", "activation": "relu", "name": "conv1"}
    x = layers.Conv2D(filters=6, kernel_size=5, strides=1, **given)(start)
    given = {"padding": "valid", "name": "primarycap_conv2d"}
    x = layers.Conv2D(filters=8, kernel_size=5, strides=2, **given)(x)
    x = layers.Reshape(target_shape=[-1, 4], name="primarycap_reshape")(x)
    x = layers.Lambda(own.squash, name="primarycap_squash")(x)
    capsules = own.CapsuleLayer(num_capsule=classes, dim_capsule=wide, routings=3, name="digits")(x)
    lengths = own.Length(name="capsnet")(capsules)
    label = layers.Input(shape=(classes,))
    masked = own.Mask()([capsules, label])
    decoder = k.Sequential(name="decoder")
    decoder.add(layers.Dense(8, activation="relu", input_dim=wide * classes))
    decoder.add(layers.Dense(10, activation="relu"))
    decoder.add(layers.Dense(int(np.prod((14, 14, 1))), activation="sigmoid"))
    decoder.add(layers.Reshape(target_shape=(14, 14, 1), name="out_recon"))
    model = k.Model([start, label], [lengths, decoder(masked)])
    model.compile(
        optimizer=adam(k, 0.001),
        loss=[own.margin_loss, "mse"],
        loss_weights=[1.0, 0.392],
        metrics={"capsnet": "accuracy"},
    )
    image, labels = INPUTS_OF["routed_capsules"]
    return trained(model, INPUTS_OF["routed_capsules"], labels, image)


def coloured_greys(k):
    """An autoencoder that colours images; encoder and decoder are models in it."""
    layers, sizes = k.layers, (4, 6)
    given = {"kernel_size": 3, "strides": 2, "activation": "relu", "padding": "same"}
    start = x = layers.Input(shape=(16, 16, 1), name="encoder_input")
    for filters in sizes:
        x = layers.Conv2D(filters=filters, **given)(x)
    shape = k.backend.int_shape(x)
    latent = layers.Dense(8, name="latent_vector")(layers.Flatten()(x))
    encoder = k.Model(start, latent, name="encoder")
    code = layers.Input(shape=(8,), name="decoder_input")
    x = layers.Dense(shape[1] * shape[2] * shape[3])(code)
    x = layers.Reshape((shape[1], shape[2], shape[3]))(x)
    for filters in sizes[::-1]:
        x = layers.Conv2DTranspose(filters=filters, **given)(x)
    given = {"activation": "sigmoid", "padding": "same", "name": "decoder_output"}
    x = layers.Conv2DTranspose(filters=3, kernel_size=3, **given)(x)
    decoder = k.Model(code, x, name="decoder")
    model = k.Model(start, decoder(encoder(start)), name="autoencoder")
    model.compile(loss="mse", optimizer="adam")
    return trained(model, INPUTS_OF["coloured_greys"], np.abs(floats(2, 16, 16, 3)))


INPUTS_OF = {
    "embedded_faces": [floats(2, 28, 28, 3)],
    "pooled_scans": [floats(2, 32, 32, 1)],
    "bone_scans": [floats(2, 16, 16, 1), floats(2, 16, 16, 1) * 0.5],
    "plain_fakes": [floats(2, 4)],
    "first_letters": [np.abs(floats(2, 16, 16, 1))],
    "counted_crowds": [np.abs(floats(2, 16, 16, 3))],
    "read_plates": [np.abs(floats(2, 12, 32, 3))],
    "routed_capsules": [np.abs(floats(2, 14, 14, 1)), np.eye(3, dtype="float32")[[0, 2]]],
    "coloured_greys": [np.abs(floats(2, 16, 16, 1))],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**bodies.MODELS, **series.MODELS}
CUSTOM = ("pooled_scans", "bone_scans", "plain_fakes", "first_letters", "read_plates")
CUSTOM += ("routed_capsules", *bodies.CUSTOM, *series.CUSTOM)
LAMBDAS = ("read_plates", "routed_capsules", *bodies.LAMBDAS, *series.LAMBDAS)
INPUTS = {
    "bone_scans": ["input_2", "input_1"],
    "routed_capsules": ["input_1", "input_2"],
    **bodies.INPUTS,
    **series.INPUTS,
}
DICTIONARIES = series.DICTIONARIES
