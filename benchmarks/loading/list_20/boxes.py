"""Models of boxes, frames and playing drawn by lot from public code, for `images.py`."""

from __future__ import annotations

from functools import reduce, wraps

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained


def distilled_frames(_):
    """Larger frames by models in a model, the last with a Lambda."""
    import customs_20_frames as own

    model = own.FrameGenerator(channels=1, scale_factor=2)
    model.build((None, None, None, 1))
    return model


def eager_boxes(_):
    """YOLO as models of models that call themselves when they are made."""
    import customs_20_frames as own

    return own.Yolonet(2)


def _conv_pw(k, first, x, filters, kernel_size=1, strides=1, use_depthwise=False, name=""):
    """Convolutions with paddings before them, their normalization and activation."""
    layers = k.layers

    def padded(x, size, name):
        if size // 2:
            x = layers.ZeroPadding2D(padding=(size // 2, size // 2), name=name)(x)
        return x, ("VALID" if size // 2 else "SAME")

    def normalized(x, name):
        ones = tf.ones_initializer()
        given = {"axis": -1, "momentum": 0.03, "epsilon": 1e-3, "gamma_initializer": ones}
        x = layers.BatchNormalization(name=name + "bn", **given)(x)
        return layers.Activation(activation="swish", name=name + "swish")(x)

    if use_depthwise:
        x, padding = padded(x, kernel_size, name + "dw_pad")
        x = layers.DepthwiseConv2D(
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=False,
            depthwise_initializer=first,
            name=name + "dw_conv",
        )(x)
        x = normalized(x, name + "dw_")
        kernel_size, strides = 1, 1
    x, padding = padded(x, kernel_size, name + "pad")
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        groups=1,
        kernel_initializer=first,
        name=name + "conv",
    )(x)
    return normalized(x, name)


def _anchor_head(layers, pw, x, name):
    """What is found at one size."""
    bias = tf.constant_initializer(-tf.math.log((1 - 0.01) / 0.01).numpy())
    stem = pw(x, 6, name=name + "stem_")
    c = pw(stem, 6, kernel_size=3, use_depthwise=True, name=name + "cls_1_")
    c = layers.Conv2D(3, kernel_size=1, bias_initializer=bias, name=name + "class_out")(c)
    c = layers.Activation("sigmoid", name=name + "class_out_sigmoid")(c)
    c = layers.Reshape([-1, 3], name=name + "class_out_reshape")(c)
    r = start = pw(stem, 6, kernel_size=3, use_depthwise=True, name=name + "reg_1_")
    r = layers.Conv2D(4, kernel_size=1, name=name + "regression_out")(r)
    r = layers.Reshape([-1, 4], name=name + "regression_out_reshape")(r)
    o = layers.Conv2D(1, kernel_size=1, bias_initializer=bias, name=name + "object_out")(start)
    o = layers.Activation("sigmoid", name=name + "object_out_sigmoid")(o)
    o = layers.Reshape([-1, 1], name=name + "object_out_reshape")(o)
    return tf.concat([r, c, o], axis=-1)


def free_anchors(k):
    """YOLOX of the smallest size, its tensors cut and joined by functions of TensorFlow."""
    layers = k.layers
    given = {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"}
    first = k.initializers.VarianceScaling(**given)

    def pw(*args, **given):
        return _conv_pw(k, first, *args, **given)

    def csp(x, out, shortcut=True, name=""):
        hidden = int(out * 0.5)
        short = pw(x, hidden, name=name + "short_")
        deep = start = pw(x, hidden, name=name + "deep_")
        deep = pw(deep, hidden, name=name + "block1_1_")
        deep = pw(deep, hidden, 3, 1, use_depthwise=True, name=name + "block1_2_")
        if shortcut:
            deep = layers.Add()([start, deep])
        return pw(tf.concat([deep, short], axis=-1), out, name=name + "output_")

    def up(one, two, name):
        target = two.shape[-1]
        fpn_out = pw(one, target, name=name + "fpn_")
        size = tf.shape(two)[1:-1]
        x = tf.concat([tf.image.resize(fpn_out, size, method="nearest"), two], axis=-1)
        return fpn_out, csp(x, target, False, name=name)

    def down(one, two, name):
        x = pw(one, two.shape[-1], 3, 2, use_depthwise=True, name=name + "down_")
        x = tf.concat([x, two], axis=-1)
        return csp(x, x.shape[-1], False, name=name)

    inputs = layers.Input((64, 64, 3))
    cut = [inputs[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
    x = pw(tf.concat(cut, axis=-1), 4, kernel_size=3, name="stem_")
    features = []
    for i, channel in enumerate((4, 6, 8, 10)):
        name = f"stack{i + 1}_"
        x = pw(x, channel, kernel_size=3, strides=2, use_depthwise=True, name=name)
        if i == 3:
            y = pw(x, channel // 2, name=name + "spp_1_")
            pools = [layers.MaxPooling2D(pool_size=n, strides=1, padding="SAME") for n in (5, 9)]
            y = tf.concat([y, *[each(y) for each in pools]], axis=-1)
            x = pw(y, channel, name=name + "spp_2_")
        x = csp(x, channel, i < 3, name=name)
        features.append(x)
    backbone = k.models.Model(inputs, features[-3:], name="darknet")
    p3, p4, p5 = backbone.outputs
    fpn0, f0 = up(p5, p4, "pafpn_c3p4_")
    fpn1, pan2 = up(f0, p3, "pafpn_c3p3_")
    pan1 = down(pan2, fpn1, "pafpn_c3n3_")
    pan0 = down(pan1, fpn0, "pafpn_c3n4_")
    found = [
        _anchor_head(layers, pw, each, f"head_{i + 1}_")
        for i, each in enumerate((pan2, pan1, pan0))
    ]
    outputs = tf.concat(found, axis=1)
    outputs = layers.Activation("linear", dtype="float32", name="outputs_fp32")(outputs)
    return k.models.Model(backbone.inputs[0], outputs, name="yolox_nano")


def light_boxes(k):
    """A detector on the MobileNet of Keras, its parts composed."""
    layers = k.layers

    def compose(*funcs):
        return reduce(lambda f, g: lambda *a, **given: g(f(*a, **given)), funcs)

    @wraps(layers.Conv2D)
    def darknet_conv(*args, **kwargs):
        given = {"kernel_regularizer": k.regularizers.l2(5e-4)}
        given["padding"] = "valid" if kwargs.get("strides") == (2, 2) else "same"
        given.update(kwargs)
        return layers.Conv2D(*args, **given)

    def darknet_leaky(*args, **kwargs):
        conv = darknet_conv(*args, **{"use_bias": False, **kwargs})
        return compose(conv, layers.BatchNormalization(), layers.LeakyReLU(alpha=0.1))

    def last(x, filters, out):
        x = compose(darknet_leaky(filters, (1, 1)))(x)
        return x, compose(darknet_leaky(filters * 2, (3, 3)), darknet_conv(out, (1, 1)))(x)

    inputs = layers.Input(shape=(64, 64, 3))
    given = {"weights": None, "include_top": False, "alpha": 0.25}
    mobilenet = k.applications.MobileNet(input_tensor=inputs, **given)
    x, y1 = last(mobilenet.get_layer("conv_pw_13_relu").output, 6, 3 * 7)
    x = compose(darknet_leaky(5, (1, 1)), layers.UpSampling2D(2))(x)
    x = layers.Concatenate()([x, mobilenet.get_layer("conv_pw_11_relu").output])
    x, y2 = last(x, 5, 3 * 7)
    x = compose(darknet_leaky(4, (1, 1)), layers.UpSampling2D(2))(x)
    x = layers.Concatenate()([x, mobilenet.get_layer("conv_pw_5_relu").output])
    y3 = compose(darknet_leaky(8, (3, 3)), darknet_conv(3 * 7, (1, 1)))(x)
    return k.models.Model(inputs=inputs, outputs=[y1, y2, y3])


def darknet_boxes(k):
    """A network of a file of Darknet, its layers made with their weights."""
    layers = k.layers
    random = np.random.RandomState(3)

    def conv(x, filters, size, stride=1, active=True):
        if stride > 1:
            x = layers.ZeroPadding2D(((1, 0), (1, 0)))(x)
        shape = (size, size, k.backend.int_shape(x)[-1], filters)
        weights = [random.uniform(-0.3, 0.3, shape).astype("float32")]
        weights += [] if active else [np.zeros(filters, "float32")]
        x = layers.Conv2D(
            filters,
            (size, size),
            strides=(stride, stride),
            kernel_regularizer=k.regularizers.l2(5e-4),
            use_bias=not active,
            weights=weights,
            activation=None,
            padding="same" if stride == 1 else "valid",
        )(x)
        if active:
            four = [random.uniform(0.5, 1.0, filters).astype("float32") for _ in range(4)]
            x = layers.BatchNormalization(weights=four)(x)
            x = layers.LeakyReLU(alpha=0.1)(x)
        return x

    start = layers.Input(shape=(None, None, 3))
    x = conv(conv(start, 3, 3), 4, 3, 2)
    x = layers.Add()([x, conv(conv(x, 3, 1), 4, 3)])
    route = x = conv(x, 6, 3, 2)
    pooled = layers.MaxPooling2D(pool_size=(2, 2), strides=(2, 2), padding="same")(x)
    x = conv(pooled, 5, 1)
    one = conv(x, 14, 1, active=False)
    x = layers.UpSampling2D(2)(conv(x, 4, 1))
    x = layers.Concatenate()([x, route])
    two = conv(x, 14, 1, active=False)
    return k.models.Model(inputs=start, outputs=[one, two])


def pong_values(k):
    """Values of moves, with the channels first."""
    layers = k.layers
    start = layers.Input((4, 36, 36))
    x = start
    for filters, size, stride in ((4, 8, 4), (5, 4, 2), (6, 3, 1)):
        given = {"activation": "relu", "data_format": "channels_first"}
        x = layers.Conv2D(filters, kernel_size=size, strides=stride, **given)(x)
    model = k.models.Model(start, layers.Dense(6)(layers.Flatten()(x)))
    model.compile(optimizer=k.optimizers.Adam(learning_rate=0.0001), loss="mse")
    return model


def pruned_digits(k):
    """LeNet whose axes are exchanged."""
    layers = k.layers
    model = k.models.Sequential()
    given = {"activation": "relu"}
    model.add(layers.Conv2D(4, [3, 3], input_shape=[14, 14, 1], name="conv_1", **given))
    model.add(layers.MaxPool2D())
    model.add(layers.Conv2D(5, [3, 3], name="conv_2", **given))
    model.add(layers.MaxPool2D())
    model.add(layers.Permute((2, 1, 3)))
    model.add(layers.Flatten())
    model.add(layers.Dense(8, activation="relu", name="dense_1"))
    model.add(layers.Dense(10, activation="softmax", name="dense_2"))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    target = np.eye(10, dtype="float32")[[2, 7]]
    return trained(model, INPUTS_OF["pruned_digits"], target)


def scripted_classes(k):
    """The MobileNet of Keras as it is."""
    given = {"weights": None, "alpha": 0.25, "input_shape": (32, 32, 3), "classes": 10}
    return k.applications.MobileNet(**given)


INPUTS_OF = {
    "distilled_frames": [np.abs(floats(2, 8, 8, 1))],
    "eager_boxes": [floats(1, 64, 64, 3)],
    "free_anchors": [floats(1, 64, 64, 3)],
    "light_boxes": [floats(1, 64, 64, 3)],
    "darknet_boxes": [floats(1, 16, 16, 3)],
    "pong_values": [floats(2, 4, 36, 36)],
    "pruned_digits": [floats(2, 14, 14, 1)],
    "scripted_classes": [floats(2, 32, 32, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("distilled_frames", "eager_boxes")
LAMBDAS = ("distilled_frames",)
INPUTS: dict[str, list[str]] = {}
