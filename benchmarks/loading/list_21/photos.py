"""Models of photos drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained


def scaled_blocks(_):
    """Blocks by named tuples."""
    import customs_21_images as own

    given = {"expand_ratio": 2, "dw_kernel_size": 3, "skip_conn": True, "dropout_rate": 0.2}
    blocks = [
        own.BlockSpec(input_nf=8, output_nf=4, dw_strides=1, se_ratio=0.25, repeat_num=1, **given),
        own.BlockSpec(input_nf=4, output_nf=6, dw_strides=2, se_ratio=None, repeat_num=2, **given),
    ]
    spec = own.NNSpec(w=1.0, include_top=True, dropout_rate=0.2, classes=3)
    model = own.ScaledNet(blocks, spec)
    model.build(input_shape=(None, 12, 12, 3))
    return model


def atrous_streets(_):
    """Models in a model, with convolutions of several dilations."""
    import customs_21_images as own

    model = own.StreetClasses(2)
    model(INPUTS_OF["atrous_streets"][0])
    return model


def counted_boxes(_):
    """Boxes of a batch of a known size."""
    import customs_21_photos as own

    model = own.CountedSSD(3)
    model(tf.random.normal((1, 16, 16, 3)))
    return model


def contrasted_views(_):
    """A model of named stacks of named blocks."""
    import customs_21_photos as own

    params = {"input_shape": [12, 12, 3], "dim": 5, "mlp": True, "w_decay": 0.0001}
    model = own.ViewResnet(params, name="encoder")
    model.build((None, *params["input_shape"]))
    return model


def stepped_digits(_):
    """Digits, trained eagerly by steps of its own."""
    import customs_21_photos as own

    model = own.MyDigits()
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer="adam", loss=loss, metrics=["acc"], run_eagerly=True)
    return trained(model, INPUTS_OF["stepped_digits"], np.array([1, 3]))


def painted_photos(k):
    """A model with a `compile` of its own."""
    import customs_21_faces as own

    model = own.PaintedPix()
    model.compile(k.optimizers.Adam(1e-3), k.losses.MeanAbsoluteError())
    model(INPUTS_OF["painted_photos"][0])
    return model


def masked_scenes(k):
    """Scenes by masks, with functions of TensorFlow at the end."""
    import customs_21_faces as own

    layers = k.layers
    latent = k.Input(shape=(6))
    mask = k.Input(shape=(8, 8, 3))
    x = layers.Reshape((2, 2, 6))(layers.Dense(24)(latent))
    x = own.SpadeResidual(filters=6)(x, mask)
    x = layers.UpSampling2D((2, 2))(x)
    x = own.SpadeResidual(filters=4)(x, mask)
    x = layers.UpSampling2D((2, 2))(x)
    x = tf.nn.leaky_relu(x, 0.2)
    output_image = tf.nn.tanh(layers.Conv2D(3, 4, padding="same")(x))
    return k.Model([latent, mask], output_image, name="generator")


def modulated_faces(k):
    """Faces by styles and noise, with functions of the program in Lambdas."""
    import customs_21_faces as own

    layers = k.layers
    scaling = k.initializers.VarianceScaling

    def to_rgb(inp, style):
        size = inp.shape[2]
        x = own.Conv2DMod(3, 1, kernel_initializer=scaling(200 / size), demod=False)([inp, style])
        return layers.Lambda(own.upsample_to_size, output_shape=(16, 16, 3))(x)

    def g_block(inp, istyle, inoise, fil, u=True):
        if u:
            side = inp.shape[2] * 2
            shape = (side, side, inp.shape[-1])
            out = layers.Lambda(own.upsample, output_shape=shape)(inp)
        else:
            out = layers.Activation("linear")(inp)
        rgb_style = layers.Dense(fil, kernel_initializer=scaling(200 / out.shape[2]))(istyle)
        delta = layers.Lambda(own.crop_to_fit)([inoise, out])
        for _ in range(2):
            style = layers.Dense(out.shape[-1], kernel_initializer="he_uniform")(istyle)
            d = layers.Dense(fil, kernel_initializer="zeros")(delta)
            given = {"kernel_size": 3, "padding": "same", "kernel_initializer": "he_uniform"}
            out = own.Conv2DMod(filters=fil, **given)([out, style])
            out = layers.LeakyReLU(0.2)(layers.add([out, d]))
        return out, to_rgb(out, rgb_style)

    inp_style = [layers.Input([5]) for _ in range(3)]
    inp_noise = layers.Input([16, 16, 1])
    x = layers.Lambda(lambda x: x[:, :1] * 0 + 1)(inp_style[0])
    x = layers.Dense(4 * 4 * 4, activation="relu", kernel_initializer="random_normal")(x)
    x = layers.Reshape([4, 4, 4])(x)
    outs = []
    for place, fil in enumerate((4, 3, 2)):
        x, r = g_block(x, inp_style[place], inp_noise, fil, u=place > 0)
        outs.append(r)
    x = layers.Lambda(lambda y: y / 2 + 0.5)(layers.add(outs))
    return k.models.Model(inputs=[*inp_style, inp_noise], outputs=x)


INPUTS_OF = {
    "scaled_blocks": [floats(2, 12, 12, 3)],
    "atrous_streets": [floats(2, 32, 32, 3)],
    "counted_boxes": [floats(2, 16, 16, 3)],
    "contrasted_views": [floats(2, 12, 12, 3)],
    "stepped_digits": [floats(2, 10, 10, 1)],
    "painted_photos": [floats(2, 16, 16, 3)],
    "masked_scenes": [floats(2, 6), floats(2, 8, 8, 3)],
    "modulated_faces": [
        *(floats(2, 5) * scale for scale in (1.0, 0.5, -0.7)),
        floats(2, 16, 16, 1),
    ],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
LAMBDAS = ("contrasted_views", "modulated_faces")
INPUTS = {
    "masked_scenes": ["input_1", "input_2"],
    "modulated_faces": [f"input_{i}" for i in range(1, 5)],
}
