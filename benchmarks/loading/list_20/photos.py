"""Models of photos and scans drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.loading.inputs import adam, floats, trained


def sharpened_photos(k):
    """The generator of SRGAN with shared slopes, and an own loss."""
    import customs_20_losses as own

    layers = k.layers

    def conv(x, filters, size, strides=1):
        given = {"filters": filters, "kernel_size": size, "strides": strides}
        return layers.Conv2D(padding="same", **given)(x)

    start = layers.Input(shape=(8, 8, 3))
    x = first = layers.PReLU(shared_axes=[1, 2])(conv(start, 4, 9))
    for _ in range(2):
        kept = x
        x = layers.BatchNormalization(momentum=0.5)(conv(x, 4, 3))
        x = layers.PReLU(shared_axes=[1, 2])(x)
        x = layers.BatchNormalization(momentum=0.5)(conv(x, 4, 3))
        x = layers.add([kept, x])
    x = layers.BatchNormalization(momentum=0.5)(conv(x, 4, 3))
    x = layers.add([first, x])
    for _ in range(2):
        x = layers.UpSampling2D(size=2)(conv(x, 6, 3))
        x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.Activation("tanh")(conv(x, 3, 9))
    model = k.models.Model(inputs=start, outputs=x)
    optimizer = adam(k, 1e-4, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    model.compile(loss=own.first_loss, optimizer=optimizer)
    return trained(model, INPUTS_OF["sharpened_photos"], floats(2, 32, 32, 3))


def _double(k, x, filters):
    """Two convolutions with their normalizations."""
    layers = k.layers
    for _ in range(2):
        given = {"padding": "same", "kernel_initializer": "he_normal"}
        x = layers.Conv2D(filters=filters, kernel_size=(3, 3), **given)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    return x


def cut_persons(k):
    """A U-Net with an own loss and an own metric."""
    import customs_20_losses as own

    layers = k.layers
    x = start = layers.Input(shape=(16, 16, 3), name="image_input")
    kept = []
    for filters in (3, 4):
        x = _double(k, x, filters)
        kept.append(x)
        x = layers.MaxPooling2D(pool_size=(2, 2))(x)
    x = _double(k, x, 5)
    for filters in (4, 3):
        given = {"kernel_size": (3, 3), "strides": (2, 2), "padding": "same"}
        y = layers.Conv2DTranspose(filters, **given)(x)
        x = _double(k, layers.concatenate([y, kept.pop()], axis=3), filters)
    x = layers.Conv2D(filters=1, kernel_size=(1, 1), activation="sigmoid")(x)
    model = k.models.Model(inputs=start, outputs=x, name="Unet")
    metrics = [own.dice_coeff, "accuracy"]
    model.compile(optimizer="adam", loss=own.persons_dice_loss, metrics=metrics)
    return trained(model, INPUTS_OF["cut_persons"], np.abs(floats(2, 16, 16, 1)).round())


def cracked_walls(k):
    """Another U-Net, whose loss and metric are of its main program."""
    import customs_20_losses as own

    layers = k.layers

    def conv_bn(x, filters):
        x = layers.Conv2D(filters=filters, kernel_size=(3, 3), padding="same")(x)
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    start = layers.Input(shape=(16, 16, 3))
    x, kept = start, []
    for filters in (3, 4):
        x = conv_bn(conv_bn(x, filters), filters)
        kept.append(x)
        x = layers.MaxPool2D(strides=(2, 2))(x)
    x = conv_bn(conv_bn(x, 5), 5)
    for filters in (5, 4):
        given = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}
        y = layers.Conv2DTranspose(filters=filters, **given)(x)
        x = layers.concatenate([y, kept.pop()], axis=-1)
        x = conv_bn(conv_bn(x, filters), filters)
    x = layers.Conv2D(filters=1, kernel_size=(1, 1), activation="sigmoid")(x)
    model = k.models.Model(start, x)
    given = {"loss": own.crack_dice_loss, "metrics": [own.crack_dice_coef]}
    model.compile(optimizer=k.optimizers.Adam(), **given)
    return trained(model, INPUTS_OF["cracked_walls"], np.abs(floats(2, 16, 16, 1)).round())


def guided_gradients(k):
    """A network whose activations were exchanged for one with a gradient of its own."""
    import customs_20 as own

    layers = k.layers
    x = start = layers.Input(shape=(16, 16, 3))
    for i, filters in enumerate((4, 5), 1):
        for j in (1, 2):
            given = {"activation": "relu", "padding": "same", "name": f"block{i}_conv{j}"}
            x = layers.Conv2D(filters, (3, 3), **given)(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{i}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(6, activation="softmax", name="predictions")(x)
    model = k.models.Model(start, x)

    guided = k.models.Model(inputs=[model.inputs], outputs=[model.get_layer("block2_conv2").output])
    for layer in guided.layers[1:]:
        if hasattr(layer, "activation") and layer.activation == k.activations.relu:
            layer.activation = own.guided_relu
    return guided


def padded_nuclei(k):
    """A U-Net that pads what does not fit; its loss is the method of an object."""
    import customs_20_losses as own

    layers = k.layers

    def convs(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same")(x)
            x = layers.Activation(activation="relu")(layers.BatchNormalization()(x))
        return x

    def crop(target, given):
        pad = (given - target) / 2
        return (int(pad), int(pad)) if pad == int(pad) else (math.ceil(pad), int(pad))

    def fitted(x, kept):
        h_i, w_i = x.shape[1:3]
        h_c, w_c = kept.shape[1:3]
        if h_i < h_c:
            x = layers.ZeroPadding2D(padding=(crop(h_i, h_c), (0, 0)))(x)
        if w_i < w_c:
            x = layers.ZeroPadding2D(padding=((0, 0), crop(w_i, w_c)))(x)
        return x, kept

    start = layers.Input((15, 18, 3))
    x, kept = start, []
    for i, filters in enumerate((3, 4, 5)):
        x = layers.MaxPooling2D(2)(x) if i else x
        x = convs(x, filters)
        kept.append(x)
    for i, filters in enumerate((4, 3)):
        y, other = fitted(layers.UpSampling2D(2)(x), kept[-2 - i])
        x = convs(layers.concatenate([y, other]), filters)
        x = layers.Dropout(0.5)(x) if i else x
    x = layers.Conv2D(2, 1, activation="sigmoid")(x)
    model = k.models.Model(inputs=[start], outputs=[x])
    loss = own.DiceLossByClass((15, 18, 3), 2).nuclei_dice_loss
    model.compile(optimizer="adam", loss=loss)
    return model


def gated_lungs(k):
    """A residual U-Net with gates; channels are repeated by a Lambda with arguments."""
    import customs_20_losses as own

    layers, backend = k.layers, k.backend

    def block(x, filters, size=3, strides=1, recurrent=1):
        given = {"kernel_initializer": "he_normal", "padding": "same", "dilation_rate": 1}
        y = layers.Conv2D(filters=filters, kernel_size=size, strides=strides, **given)(x)
        output = layers.LeakyReLU(alpha=0.1)(layers.BatchNormalization()(y))
        for _ in range(recurrent - 1):
            y = layers.Conv2D(filters=filters, kernel_size=size, strides=1, **given)(output)
            y = layers.LeakyReLU(alpha=0.1)(layers.BatchNormalization()(y))
            output = layers.Add()([output, y])
        return output

    def residual(x, filters, strides=1):
        y = block(x, filters, strides=strides, recurrent=2)
        y = block(y, filters)
        shortcut = layers.BatchNormalization()(block(x, filters, size=1, strides=strides))
        return layers.Add()([shortcut, y])

    def gate(x, g, inter):
        of_x, of_g = backend.int_shape(x), backend.int_shape(g)
        ratio = (of_x[1] // of_g[1], of_x[2] // of_g[2])
        phi = layers.Conv2D(filters=inter, kernel_size=1, strides=1, padding="same")(g)
        theta = layers.Conv2D(filters=inter, kernel_size=3, strides=ratio, padding="same")(x)
        psi = layers.Activation("relu")(layers.add([phi, theta]))
        psi = layers.Conv2D(filters=1, kernel_size=1, padding="same")(psi)
        psi = layers.UpSampling2D(size=ratio)(layers.Activation("sigmoid")(psi))
        psi = own.expend_as(psi, of_x[3])
        y = layers.multiply([psi, x])
        y = layers.Conv2D(filters=of_x[3], kernel_size=1, strides=1, padding="same")(y)
        return layers.BatchNormalization()(y)

    def up(x, skip, filters):
        ratio = tuple(skip.shape[i] // x.shape[i] for i in (1, 2))
        given = {"padding": "same", "kernel_initializer": "he_normal"}
        x = layers.Conv2DTranspose(filters=filters, kernel_size=3, strides=ratio, **given)(x)
        return layers.Concatenate(axis=3)([layers.LeakyReLU(alpha=0.1)(x), skip])

    start = layers.Input((16, 16, 1))
    c0 = residual(start, 3)
    c1 = residual(c0, 4, strides=2)
    b0 = residual(c1, 5, strides=2)
    u1 = up(b0, gate(c1, b0, 4), 4)
    u2 = up(u1, c0, 3)
    x = layers.Conv2D(filters=1, kernel_size=1, strides=1, activation="sigmoid")(u2)
    model = k.models.Model(inputs=[start], outputs=[x])
    given = {"loss": own.lung_tversky_loss, "metrics": [own.lung_dice_coef]}
    model.compile(optimizer=adam(k, 0.0001), **given)
    return trained(model, INPUTS_OF["gated_lungs"], np.abs(floats(2, 16, 16, 1)).round())


def unpooled_streets(k):
    """SegNet: own layers keep where each maximum was."""
    import customs_20 as own

    layers = k.layers

    def convs(x, *filters):
        for each in filters:
            x = layers.Convolution2D(each, (3, 3), padding="same")(x)
            x = layers.Activation("relu")(layers.BatchNormalization()(x))
        return x

    start = layers.Input(shape=(16, 16, 3))
    pool_1, mask_1 = own.MaxPoolingWithArgmax2D((2, 2))(convs(start, 3, 3))
    pool_2, mask_2 = own.MaxPoolingWithArgmax2D((2, 2))(convs(pool_1, 4, 4))
    x = own.MaxUnpooling2D((2, 2))([pool_2, mask_2])
    x = own.MaxUnpooling2D((2, 2))([convs(x, 4, 3), mask_1])
    x = layers.Convolution2D(4, (1, 1), padding="valid")(convs(x, 3))
    x = layers.Activation("softmax")(layers.BatchNormalization()(x))
    model = k.models.Model(inputs=start, outputs=x, name="SegNet")
    given = {"loss": "categorical_crossentropy", "optimizer": "adadelta"}
    model.compile(metrics=["accuracy"], **given)
    target = np.eye(4, dtype="float32")[np.arange(512).reshape(2, 16, 16) % 4]
    return trained(model, INPUTS_OF["unpooled_streets"], target)


INPUTS_OF = {
    "sharpened_photos": [floats(2, 8, 8, 3)],
    "cut_persons": [np.abs(floats(2, 16, 16, 3))],
    "cracked_walls": [np.abs(floats(2, 16, 16, 3))],
    "guided_gradients": [floats(2, 16, 16, 3)],
    "padded_nuclei": [floats(1, 15, 18, 3)],
    "gated_lungs": [floats(2, 16, 16, 1)],
    "unpooled_streets": [floats(2, 16, 16, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
LAMBDAS = ("gated_lungs",)
INPUTS: dict[str, list[str]] = {}
