"""Networks of boxes, crowds and shapes drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, trained


def receptive_boxes(k):
    """RFBNet: receptive fields of several sizes on a small MobileNetV2, scaled by Lambdas."""
    layers, classes, scale = k.layers, 3, 1.0

    def conv(x, filters, size, stride=1, activation="relu", norm=True):
        decay = k.regularizers.l2(0.005)
        given = {"padding": "same", "use_bias": False, "data_format": "channels_last"}
        given |= {"activation": activation, "kernel_regularizer": decay}
        x = layers.Conv2D(filters, kernel_size=size, strides=stride, **given)(x)
        return layers.BatchNormalization(axis=-1, epsilon=1e-5, momentum=0.99)(x) if norm else x

    def separate(x, dilation):
        given = {"padding": "same", "use_bias": False, "data_format": "channels_last"}
        given |= {"dilation_rate": dilation, "activation": None}
        x = layers.DepthwiseConv2D(kernel_size=3, strides=1, **given)(x)
        return layers.BatchNormalization(axis=-1, epsilon=1e-5, momentum=0.01)(x)

    def ended(x, parts, filters, stride=1):
        out = conv(layers.Concatenate(axis=-1)(parts), filters, 1, activation=None)
        out = layers.Lambda(lambda x: x * scale)(out)
        if x.shape[-1] != filters:
            x = conv(x, filters, 1, activation=None, norm=False)
        if stride != 1:
            x = layers.MaxPooling2D(stride, padding="same")(x)
        return layers.Activation("relu")(layers.Add()([out, x]))

    def wide_field(x, filters):
        few = x.shape[-1] // 4
        x0 = separate(conv(x, few, 1), 1)
        x1 = separate(conv(conv(x, few, 1), few, (3, 1)), 3)
        x2 = separate(conv(conv(x, few, 1), few, (1, 3)), 3)
        x3 = conv(conv(conv(x, few // 2, 1), (few // 4) * 3, (1, 3)), few, (3, 1))
        return ended(x, [x0, x1, x2, separate(x3, 5)], filters)

    def field(x, filters, stride):
        few = x.shape[-1] // 8
        x0 = conv(conv(x, 2 * few, 1, stride), 2 * few, 3, activation=None)
        x1 = conv(conv(x, few, 1), (few // 2) * 3, (1, 3))
        x1 = separate(conv(x1, (few // 2) * 3, (3, 1), stride), 3)
        x2 = conv(conv(conv(x, few, 1), (few // 2) * 3, 3), (few // 2) * 3, 3, stride)
        return ended(x, [x0, x1, separate(x2, 5)], filters, stride)

    def boxes(x, priors):
        places = layers.Conv2D(priors * 4, kernel_size=3, padding="same")(x)
        places = layers.Reshape((-1, 4))(places)
        kinds = layers.Conv2D(priors * (classes + 1), kernel_size=3, padding="same")(x)
        kinds = layers.Softmax()(layers.Reshape((-1, classes + 1))(kinds))
        return layers.Concatenate()([kinds, places])

    start = x = layers.Input((16, 16, 3), name="input_1")
    for i, (filters, stride) in enumerate(((16, 2), (16, 1), (24, 2))):
        y = layers.Conv2D(32, 1, padding="same", use_bias=False, name=f"block_{i}_expand")(x)
        y = layers.ReLU(6.0, name=f"block_{i}_relu")(layers.BatchNormalization()(y))
        given = {"strides": stride, "use_bias": False, "padding": "same"}
        y = layers.DepthwiseConv2D(3, name=f"block_{i}_depthwise", **given)(y)
        y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
        y = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"block_{i}_p")(y)
        y = layers.BatchNormalization(epsilon=1e-3, momentum=0.999)(y)
        x = layers.Add(name=f"block_{i}_add")([x, y]) if stride == 1 else y
    base = k.Model(start, x, name="mobilenetv2")
    sources = [wide_field(base.get_layer("block_1_add").output, 16), base.output]
    sources.append(field(base.output, 16, 2))
    sources.append(conv(conv(sources[-1], 4, 1), 8, 3, 2))
    found = [boxes(sources[n], priors) for n, priors in enumerate((2, 3, 3, 2))]
    return k.Model(inputs=base.input, outputs=layers.Concatenate(axis=1)(found))


def centered_objects(k):
    """CenterNet, whose loss is a Lambda layer of the network, with the truth as inputs."""
    import customs_16_series as own

    layers, objects, classes = k.layers, 3, 2

    def block(x, filters, stage, letter, strides=None):
        name, norm = f"res{stage}{letter}_branch", f"bn{stage}{letter}_branch"
        short, y = x, x
        for n, (part, size) in enumerate((("a", 1), ("b", 3), ("c", 1))):
            wide = filters[n]
            given = {"strides": strides or 1} if part == "a" else {"padding": "same"}
            y = layers.Conv2D(wide, size, name=name + "2" + part, use_bias=False, **given)(y)
            y = layers.BatchNormalization(name=norm + "2" + part)(y)
            if part != "c":
                y = layers.Activation("relu")(y)
        if strides:
            given = {"strides": strides, "name": name + "1", "use_bias": False}
            short = layers.BatchNormalization(name=norm + "1")(
                layers.Conv2D(filters[-1], 1, **given)(x)
            )
        return layers.Activation("relu")(layers.add([y, short]))

    def head(x, filters, **last):
        given = {"kernel_initializer": "he_normal", "kernel_regularizer": k.regularizers.l2(5e-4)}
        y = layers.Conv2D(4, 3, padding="same", use_bias=False, **given)(x)
        y = layers.Activation("relu")(layers.BatchNormalization()(y))
        return layers.Conv2D(filters, 1, **given, **last)(y)

    shapes = ((32, 32, 3), (8, 8, classes), (objects, 2), (objects, 2), (objects,), (objects,))
    image, *truth = inputs = [layers.Input(shape=shape) for shape in shapes]
    x = layers.ZeroPadding2D((3, 3))(image)
    x = layers.Conv2D(4, (7, 7), strides=(2, 2), name="conv1", use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization(name="bn_conv1")(x))
    x = layers.MaxPooling2D((3, 3), strides=(2, 2), padding="same")(x)
    x = block(block(x, (2, 2, 6), 2, "a", (1, 1)), (2, 2, 6), 2, "b")
    x = block(block(x, (3, 3, 8), 3, "a", (2, 2)), (3, 3, 8), 3, "b")
    x = layers.Dropout(rate=0.5)(x)
    given = {"kernel_initializer": "he_normal", "kernel_regularizer": k.regularizers.l2(5e-4)}
    x = layers.Conv2DTranspose(6, (4, 4), strides=2, use_bias=False, padding="same", **given)(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    ends = [head(x, classes, activation="sigmoid"), head(x, 2), head(x, 2)]
    loss = layers.Lambda(own.center_loss, name="centernet_loss")([*ends, *truth])
    model = k.Model(inputs=inputs, outputs=[loss])
    losses = {"centernet_loss": lambda _, y_pred: y_pred}
    if hasattr(k, "ops"):
        losses = losses["centernet_loss"]
    model.compile(loss=losses, optimizer=adam(k, 1e-3))
    model.train_on_batch(INPUTS_OF["centered_objects"], np.zeros((2,)))
    return model


def salient_shapes(k):
    """GCPANet on a small residual network: TensorFlow's functions on its tensors, four ends."""
    layers = k.layers

    def conv(x, filters, size=3, **given):
        return layers.Conv2D(filters, size, padding="same", **given)(x)

    def active(x):
        return layers.Activation("relu")(layers.BatchNormalization(axis=-1)(x))

    def refined(start):
        x = active(conv(start, 4))
        weight, bias = tf.split(conv(x, 8), 2, axis=-1)
        return layers.Activation("relu")(layers.Add()([layers.Multiply()([x, weight]), bias]))

    def weighed(x):
        mean = tf.expand_dims(tf.math.reduce_mean(x, axis=-1), axis=-1)
        mean = conv(conv(mean, 4, 1, activation="relu"), 4, 1, activation="sigmoid")
        return layers.Multiply()([mean, x])

    def flow(x):
        return weighed(active(conv(x, 4)))

    def larger(x, **given):
        return layers.UpSampling2D(**given)(x)

    def joined(high, whole, low):
        low = active(conv(low, 4, 1))
        up = layers.Activation("relu")(conv(high, 4))
        first = layers.Multiply()([low, larger(up, interpolation="bilinear")])
        second = layers.Activation("relu")(conv(low, 4))
        second = layers.Multiply()([larger(high), second])
        third = layers.Activation("relu")(conv(whole, 4))
        third = layers.Multiply()([larger(third, interpolation="bilinear"), low])
        return active(conv(layers.Concatenate()([first, second, third]), 4))

    start = x = layers.Input((32, 32, 3))
    kept = []
    for filters in (4, 4, 6, 6, 8):
        x = active(layers.Conv2D(filters, 3, strides=2, padding="same")(x))
        kept.append(layers.Activation("relu")(layers.Add()([x, active(conv(x, filters))])))
        x = kept[-1]
    last, ends, x, steps = kept[4], [], refined(weighed(refined(kept[4]))), 0
    for name, low in (("aux1", kept[3]), ("aux2", kept[2]), ("aux3", kept[1])):
        if ends:
            x = refined(x)
        whole = flow(last)
        for _ in range(steps):
            whole = larger(whole, interpolation="bilinear")
        x, steps = joined(x, whole, low), steps + 1
        ends.append(layers.Activation("sigmoid", name=name)(conv(x, 1)))
    x = active(conv(larger(refined(x), interpolation="bilinear"), 4))
    x = conv(larger(x, interpolation="bilinear"), 1)
    ends.append(layers.Activation("sigmoid", name="dom")(x))
    model = k.Model(start, ends)
    names = ("aux1", "aux2", "aux3", "dom")
    losses = dict.fromkeys(names, "binary_crossentropy")
    weights = dict.fromkeys(names, 1.0)
    model.compile(optimizer="Nadam", loss=losses, loss_weights=weights, metrics=["acc"])
    targets = [np.abs(floats(2, size, size, 1)).round() for size in (2, 4, 8, 32)]
    return trained(model, INPUTS_OF["salient_shapes"], *targets[:3], targets[3])


class SplitNet:
    """Builds a network whose Lambda layers call its methods."""

    def __init__(self, k, depth=3, ratio=2, split=2, blocks=2):
        self.k = k
        self.depth, self.ratio, self.split, self.blocks = depth, ratio, split, blocks
        self.axis = 3

    def conv_bn(self, x, filters, size, stride):
        given = {"strides": [stride, stride], "padding": "same"}
        x = self.k.layers.Conv2D(filters=filters, kernel_size=[size, size], **given)(x)
        return self.k.layers.BatchNormalization()(x)

    def active(self, x, name="relu"):
        return self.k.layers.Activation(name)(x)

    def channel_zeropad(self, x):
        shape = list(x.shape)
        y = self.k.backend.zeros_like(x)
        y = y[:, :, :, : shape[self.axis] // 2]
        return self.k.layers.concatenate([y, x, y], self.axis)

    def channel_zeropad_output(self, input_shape):
        shape = list(input_shape)
        shape[self.axis] *= 2
        return tuple(shape)

    def branch(self, x, stride):
        x = self.active(self.conv_bn(x, self.depth, 1, 1))
        return self.active(self.conv_bn(x, self.depth, 3, stride))

    def squeezed(self, x, wide):
        layers = self.k.layers
        y = layers.Dense(units=wide // self.ratio)(layers.GlobalAveragePooling2D()(x))
        y = self.active(layers.Dense(units=wide)(self.active(y)), "sigmoid")
        return layers.multiply([x, layers.Reshape((1, 1, wide))(y)])

    def residual(self, x, wide):
        layers = self.k.layers
        for _ in range(self.blocks):
            smaller = x.shape[-1] * 2 == wide
            parts = [self.branch(x, 2 if smaller else 1) for _ in range(self.split)]
            y = layers.concatenate(parts, axis=self.axis)
            y = self.squeezed(self.conv_bn(y, wide, 1, 1), wide)
            if smaller:
                given = {"pool_size": (2, 2), "strides": (2, 2), "padding": "same"}
                x = layers.AveragePooling2D(**given)(x)
                shape = self.channel_zeropad_output
                x = layers.Lambda(self.channel_zeropad, output_shape=shape)(x)
            x = self.active(layers.add([x, y]))
        return x

    def __call__(self, classes):
        start = self.k.layers.Input(shape=(12, 12, 3))
        x = self.active(self.conv_bn(start, 4, 3, 1))
        for wide in (4, 8, 16):
            x = self.residual(x, wide)
        x = self.k.layers.GlobalAveragePooling2D()(x)
        return self.k.Model(start, self.k.layers.Dense(units=classes, activation="softmax")(x))


def split_branches(k):
    """SE-ResNeXt: branches side by side, squeezed; Lambda layers of bound methods."""
    model = SplitNet(k)(4)
    try:
        sgd = k.optimizers.SGD(lr=0.1, momentum=0.9, nesterov=True)
    except (TypeError, ValueError):
        sgd = k.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    model.compile(optimizer=sgd, loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["split_branches"], np.eye(4, dtype="float32")[[3, 1]])


_truth = [np.zeros((2, 8, 8, 2), "float32"), np.abs(floats(2, 3, 2)), np.abs(floats(2, 3, 2)) / 2]
_truth[0][:, 2, 3, 1] = 1.0
_truth += [np.ones((2, 3), "float32"), np.array([[19, 3, 40], [19, 7, 8]], "float32")]
INPUTS_OF = {
    "receptive_boxes": [np.abs(floats(2, 16, 16, 3))],
    "centered_objects": [floats(2, 32, 32, 3), *_truth],
    "salient_shapes": [np.abs(floats(2, 32, 32, 3))],
    "split_branches": [np.abs(floats(2, 12, 12, 3))],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("centered_objects",)
LAMBDAS = ("receptive_boxes", "centered_objects", "split_branches")
INPUTS = {"centered_objects": [f"input_{i}" for i in range(1, 7)]}
